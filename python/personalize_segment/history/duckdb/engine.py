"""DuckDB at work: workers that read batches of logs side by side, and the CSV parts made of their rows."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
from isal import igzip

from ...contract.columns import TEXTS
from ...contract.layout import PROFILES
from ...contract.mapping import Dataset, EventMapping
from ...contract.quoting import literal
from ...contract.report import Report
from ...contract.suppression import SuppressionList
from . import compiler
from .reader import MACROS
from .spool import KeptRows
from .streams import LogStreams
from .worker import Worker

#: Interactions whose repeats are looked for at a time, and that go sorted into one CSV part.
SLICE_ROWS = 1_000_000
#: Fewer interactions than this stay together, though a core has nothing to do then.
PART_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Engine:
    """A connection of DuckDB's, the logs it can read, the rows it keeps, and the folder for the CSV."""

    connection: duckdb.DuckDBPyConnection
    streams: LogStreams
    kept: KeptRows
    folder: Path

    @classmethod
    def start(
        cls, mapping: EventMapping, folder: Path, memory: str, suppressed: SuppressionList | None = None
    ) -> "Engine":
        """Return an engine that keeps its rows below `folder`, spills beyond `memory`, and leaves out `suppressed`."""
        connection = duckdb.connect(":memory:")
        connection.execute(f"SET memory_limit = {literal(memory)}")
        connection.execute(f"SET temp_directory = {literal(str(folder / 'spill'))}")
        # Statements run side by side; with more threads for one they would only wait for each other.
        connection.execute("SET threads = 1")
        # Rows are sorted in the end: files are read side by side, in no order to rely on.
        connection.execute("SET preserve_insertion_order = false")
        # It makes a join of every IN (…), and has nothing to gain: ours are short lists of events.
        connection.execute("SET disabled_optimizers = 'in_clause'")
        connection.execute(MACROS)
        streams = LogStreams()
        connection.register_filesystem(streams)
        rows = folder / "rows"
        rows.mkdir()
        connection.execute("CREATE TABLE suppressed (hash VARCHAR)")
        if suppressed and suppressed.hashes:
            hashes = folder / "suppressed"
            hashes.write_text("\n".join(suppressed.hashes), "ascii")
            connection.execute(f"COPY suppressed FROM {literal(str(hashes))} (FORMAT csv, HEADER false)")
            hashes.unlink()
        kept = KeptRows(compiler.Compiler(mapping), rows, suppressed.salt if suppressed else None)
        return cls(connection, streams, kept, folder)

    def worker(self) -> Worker:
        """Return a worker for one thread; the rows of all are written together."""
        return Worker(self.connection.cursor(), self.kept, self.streams.batch())

    def close(self) -> None:
        """Let go of the connection and what it holds in memory."""
        self.connection.close()

    def write(self, report: Report, workers: int) -> None:
        """Write the parts of all datasets, each to a folder of its name, and of profiles; count the rows."""

        def copy(dataset: Dataset, number: int, select: str) -> tuple[Dataset, int]:
            part = self.folder / dataset.name / f"part-{number:05}.csv"
            with closing(self.connection.cursor()) as cursor:
                ((rows,),) = cursor.execute(f"COPY ({select}) TO {literal(str(part))} (FORMAT csv, HEADER)").fetchall()
            if not rows:
                part.unlink()
            return dataset, rows

        def copy_profiles(dataset: Dataset) -> tuple[Dataset, int]:
            folder = self.folder / PROFILES / dataset.name
            folder.mkdir(parents=True)
            with closing(self.connection.cursor()) as cursor:
                # A file, not a table: what is sorted and merged once is read twice without a share of the memory.
                options = "FORMAT parquet, COMPRESSION uncompressed"
                cursor.execute(f"COPY ({self._latest(dataset)}) TO {self._merged(dataset)} ({options})")
                lines = folder / "part-00000.jsonl"
                options = "FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE ''"
                copied = f"COPY ({self._lines(dataset)}) TO {literal(str(lines))} ({options})"
                ((number,),) = cursor.execute(copied).fetchall()
            if number:
                # DuckDB's own gzip takes longer than everything else that is done for profiles.
                with (
                    lines.open("rb") as plain,
                    Path(f"{lines}.gz").open("wb") as file,
                    igzip.IGzipFile("", "wb", 1, file, mtime=0) as packed,  # type: ignore[no-untyped-call]
                ):
                    shutil.copyfileobj(plain, packed, 1 << 20)
            lines.unlink()
            return copy(dataset, 0, self._profiles(dataset))

        def count_interactions(dataset: Dataset) -> None:
            _, refusals = self.kept.candidates(dataset)
            with closing(self.connection.cursor()) as cursor:
                known = f"{self.kept.of(dataset.name)} WHERE NOT old AND refusal <> {compiler.VISIT}"
                self.kept.count(cursor, dataset, refusals, known, report)

        def stitch(dataset: Dataset, number: int) -> None:
            with closing(self.connection.cursor()) as cursor:
                self.kept.stitch(cursor, dataset, number, workers)

        for dataset in self.kept.compiler.datasets:
            (self.folder / dataset.name).mkdir()
        # Of the datasets, interactions are the first; the others are written while repeats are looked for.
        interactions, *profiles = self.kept.compiler.datasets
        with ThreadPoolExecutor(workers) as pool:
            try:
                if self.kept.compiler.stitches:
                    self.kept.collect_logins(self.connection)
                    list(pool.map(partial(stitch, interactions), range(workers)))
                counting = pool.submit(count_interactions, interactions)
                waiting = [pool.submit(copy_profiles, dataset) for dataset in profiles]
                for number, select in enumerate(self._interactions(interactions, workers)):
                    waiting.append(pool.submit(copy, interactions, number, select))
                counting.result()
                for written in waiting:
                    dataset, rows = written.result()
                    report.datasets[dataset.name].rows += rows
            finally:
                # After an error, or Ctrl-C, the parts that wait are of no use.
                pool.shutdown(cancel_futures=True)

    def _latest(self, dataset: Dataset) -> str:
        """Return the SELECT of each user or item with the latest observation of each column (rule 9)."""
        latest = "".join(f", max(latest{at}) AS latest{at}" for at in range(1, len(dataset.columns)))
        return f"SELECT c0{latest} FROM {self.kept.of(dataset.name)} GROUP BY c0 ORDER BY c0"

    def _merged(self, dataset: Dataset) -> str:
        """Return the name of the file that has the latest observations, as SQL."""
        return literal(str(self.folder / f"{dataset.name}.parquet"))

    def _profiles(self, dataset: Dataset) -> str:
        """Return the SELECT of the CSV from the file that has the latest observations."""
        latest = "".join(f", latest{at}.value AS c{at}" for at in range(1, len(dataset.columns)))
        values = f"SELECT c0{latest} FROM read_parquet({self._merged(dataset)})"
        return f"SELECT {compiler.header(dataset, 'c{}')} FROM ({values})"

    def _lines(self, dataset: Dataset) -> str:
        """Return the SELECT of the lines in `profiles/` from that file; without a known column there is none."""
        members = ["NULL"]
        for at, column in enumerate(dataset.columns[1:], start=1):
            # The text of a number or a boolean in the CSV is its JSON.
            value = f"latest{at}.value" if column.type not in TEXTS else f"to_json(latest{at}.value)"
            cell = f"""'"{column.name}":[', {value}, ',', latest{at}.seconds, ',', to_json(latest{at}.fraction), ']'"""
            members.append(f"CASE WHEN latest{at} IS NOT NULL THEN concat({cell}) END")
        known = f"SELECT c0, concat_ws(',', {', '.join(members)}) AS known FROM read_parquet({self._merged(dataset)})"
        return f"SELECT concat('[', to_json(c0), ',{{', known, '}}]') FROM ({known}) WHERE known <> ''"

    def _interactions(self, dataset: Dataset, workers: int) -> list[str]:
        """Return a SELECT for each part: by time, and each interaction once (rule 9).

        Only rows that share a hash are compared, and hashes are counted in slices, so that
        memory holds a part of the hashes instead of every messageId.
        """
        kept = self.kept.of(dataset.name)
        (rows,) = self._one(f"SELECT count(*) FROM {kept}")
        slices = rows // SLICE_ROWS + 1
        parts = max(slices, min(rows // PART_ROWS + 1, workers))
        self.connection.execute("CREATE TABLE copied (copy_hash UBIGINT)")
        for slice_ in range(slices):
            self.connection.execute(
                f"INSERT INTO copied SELECT copy_hash FROM {kept} WHERE refusal = 0 AND copy_hash % {slices} = {slice_}"
                " GROUP BY copy_hash HAVING count(*) > 1"
            )
        texts = ", ".join(compiler.sort_text(dataset))
        self.connection.execute(
            f"CREATE TABLE once AS SELECT * FROM {kept} SEMI JOIN copied USING (copy_hash) WHERE refusal = 0"
            f" QUALIFY row_number() OVER (PARTITION BY message, element ORDER BY old DESC, {texts}) = 1"
        )
        time = f"c{[column.name for column in dataset.columns].index('TIMESTAMP')}"
        cuts = [number / parts for number in range(1, parts)]
        times = self._one(f"SELECT quantile_disc({time}, {cuts}) FROM {kept} WHERE refusal = 0")[0] if cuts else []
        selects = []
        for low, high in pairwise([None, *(times or []), None]):
            span = "NOT old" + (f" AND {time} >= {low}" if low is not None else "")
            span += f" AND {time} < {high}" if high is not None else ""
            alone = f"SELECT * FROM {kept} WHERE refusal = 0 AND {span} AND copy_hash NOT IN (FROM copied)"
            union = f"{alone} UNION ALL SELECT * FROM once WHERE {span}"
            selects.append(f"SELECT {compiler.header(dataset, 'c{}')} FROM ({union}) ORDER BY {time}, copy_hash")
        return selects

    def _one(self, query: str) -> tuple[Any, ...]:
        (row,) = self.connection.execute(query).fetchall()
        return row
