"""DuckDB at work: a batch of log files -> rows kept on disk -> CSV parts, and what was counted.

A batch is scanned once into a narrow table, from which every dataset takes its rows and its
reasons. Rows are kept in Parquet files, so that memory follows from the size of a batch and
not of the history; what must be known of all of them (rule 9) is settled at the end.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from . import sql
from .duckdb_json import MACROS, literal, no_pattern
from .errors import LogsError
from .log_stream import Fetched, LogStreams
from .mapping import Dataset, EventMapping
from .report import Report
from .rows import UNMAPPED
from .suppression import COLUMN, SUPPRESSED, SuppressionList

#: Interactions whose repeats are looked for at a time, and that go sorted into one CSV part.
SLICE_ROWS = 1_000_000
#: Fewer interactions than this stay together, though a core has nothing to do then.
PART_ROWS = 100_000

#: The blame of a candidate whose user is suppressed: those of the compiler count from 1.
_SUPPRESSED = -1
#: Earlier than any instant: where an event without a timestamp stands.
_NEVER = -(2**62)


@dataclass(frozen=True, slots=True)
class Engine:
    """A connection of DuckDB's, where it reads, the folder where it keeps rows, and the salt of a suppression list."""

    connection: duckdb.DuckDBPyConnection
    compiler: sql.Compiler
    folder: Path
    streams: LogStreams
    salt: str | None = None

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
        streams = LogStreams()
        connection.register_filesystem(streams)
        (folder / "rows").mkdir()
        if suppressed is None:
            return cls(connection, sql.Compiler(mapping), folder, streams)
        connection.execute("CREATE TABLE suppressed (hash VARCHAR)")
        if suppressed.hashes:
            hashes = folder / "suppressed"
            hashes.write_text("\n".join(suppressed.hashes), "ascii")
            connection.execute(f"COPY suppressed FROM {literal(str(hashes))} (FORMAT csv, HEADER false)")
            hashes.unlink()
        return cls(connection, sql.Compiler(mapping), folder, streams, suppressed.salt)

    def beside(self) -> "Engine":
        """Return an engine for another thread, which keeps its rows in the same place."""
        cursor = self.connection.cursor()
        cursor.execute(MACROS)
        return Engine(cursor, self.compiler, self.folder, self.streams, self.salt)

    def close(self) -> None:
        """Let go of the connection and what it holds in memory."""
        self.connection.close()

    def take(self, batch: Sequence[Fetched], report: Report, *, old: bool) -> None:
        """Keep the rows of some files and count what they hold.

        Of `old` files (the overlap of a window) only what can be repeated later is kept.
        """
        with self.streams.batch(batch) as stream:
            try:
                self.connection.execute(f"CREATE TEMP TABLE events AS {self.compiler.scan(stream.path)}")
            except duckdb.Error:
                if stream.error is None:
                    raise
                place, error = stream.error
                with read_errors(place):
                    raise error from None
        report.files_read += stream.read
        report.files_damaged += stream.damaged
        (lines, events, mapped) = self._one(
            "SELECT count(*), count(*) FILTER (call IS NOT NULL OR event IS NOT NULL), count(event) FROM events"
        )
        if old:
            report.events_overlap += events
        else:
            report.events_read += events
            report.lines_malformed += lines - events
            report.events_unmapped += events - mapped
            for call, name, number, example in self._all(
                "SELECT call, name, count(*), min(message) FROM events WHERE call IS NOT NULL GROUP BY ALL"
            ):
                kind_ = json.loads(call), name and json.loads(name), None, None, UNMAPPED
                report.reasons.add(kind_, number, example)
        for dataset in self.compiler.datasets:
            if dataset.name == "interactions":
                candidates, _ = self._candidates(dataset)
                # Refused ones too, to be counted with all others at the end.
                self._keep(dataset, f"SELECT *, {old} AS old, hash(message, element) AS twin FROM ({candidates})")
            elif not old:
                self._take_profiles(dataset, report)
        self.connection.execute("DROP TABLE events")

    def _take_profiles(self, dataset: Dataset, report: Report) -> None:
        """Rule 9 for users and items: keep the latest row of each id, of equal ones the greatest by text."""
        candidates, blames = self._candidates(dataset)
        texts = ", ".join(f"c{i} := {text}" for i, text in enumerate(sql.sort_text(dataset)) if i)
        latest = (
            f"max(struct_pack(seconds := COALESCE(seconds, {_NEVER}),"
            f" fraction := CASE WHEN seconds IS NULL THEN '' ELSE fraction END, {texts})) AS latest"
        )
        self._keep(dataset, f"SELECT c0, {latest} FROM ({candidates}) WHERE blame = 0 GROUP BY c0")
        self._count(dataset, blames, f"({candidates})", report)

    def _candidates(self, dataset: Dataset) -> tuple[str, list[sql.Blame]]:
        """Return the compiler's candidates, with a blame of their own for suppressed users."""
        candidates, blames = self.compiler.candidates(dataset, "events")
        # Where there is a USER_ID, it is the first column.
        if self.salt is None or dataset.columns[0].name != COLUMN:
            return candidates, blames
        test = f"blame = 0 AND sha256(concat({literal(self.salt)}, c0)) IN (SELECT hash FROM suppressed)"
        blame = f"CAST(CASE WHEN {test} THEN {_SUPPRESSED} ELSE blame END AS SMALLINT) AS blame"
        return f"SELECT * REPLACE ({blame}) FROM ({candidates})", blames

    def _keep(self, dataset: Dataset, rows: str) -> None:
        path = self.folder / "rows" / f"{dataset.name}-{uuid4()}.parquet"
        # Read once and thrown away: to compress ids costs more than it saves. Event types still become numbers.
        options = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000"
        self.connection.execute(f"COPY ({rows}) TO {literal(str(path))} ({options})")

    def _kept(self, dataset: Dataset) -> str:
        return f"read_parquet({literal(no_pattern(str(self.folder / 'rows' / dataset.name)) + '-*.parquet')})"

    def _count(self, dataset: Dataset, blames: list[sql.Blame], candidates: str, report: Report) -> None:
        """Count good and refused candidates, these by their reason."""
        count = report.datasets[dataset.name]
        for event, blame, number, example in self._all(
            f"SELECT event, blame, count(*), min(message) FROM {candidates} GROUP BY ALL"
        ):
            if blame == _SUPPRESSED:
                count.refused += number
                # Without an example: a messageId leads to the user in the logs.
                report.reasons.add((*self.compiler.events[event], dataset.name, COLUMN, SUPPRESSED), number, None)
            elif blame:
                why = blames[blame - 1]
                count.refused += number
                kind = *self.compiler.events[event], dataset.name, why.field, why.reason
                report.reasons.add(kind, number, example)
            else:
                # What of these is not written in the end repeats or precedes another row.
                count.deduplicated += number

    def write(self, report: Report, workers: int) -> None:
        """Write the CSV parts of all datasets, each to a folder of its name, and count their rows."""

        def copy(dataset: Dataset, number: int, select: str) -> tuple[Dataset, int]:
            part = self.folder / dataset.name / f"part-{number:05}.csv"
            with closing(self.connection.cursor()) as cursor:
                ((rows,),) = cursor.execute(f"COPY ({select}) TO {literal(str(part))} (FORMAT csv, HEADER)").fetchall()
            if not rows:
                part.unlink()
            return dataset, rows

        def count_interactions(dataset: Dataset) -> None:
            with closing(self.beside()) as beside:
                _, blames = self.compiler.candidates(dataset, "events")
                beside._count(dataset, blames, f"{self._kept(dataset)} WHERE NOT old", report)

        with ThreadPoolExecutor(workers) as pool:
            try:
                waiting = []
                for dataset in self.compiler.datasets:
                    (self.folder / dataset.name).mkdir()
                    if dataset.name == "interactions":
                        counting = pool.submit(count_interactions, dataset)
                        selects = self._interactions(dataset, workers)
                    else:
                        selects = [self._profiles(dataset)]
                    waiting += [pool.submit(copy, dataset, number, select) for number, select in enumerate(selects)]
                counting.result()
                for written in waiting:
                    dataset, rows = written.result()
                    report.datasets[dataset.name].rows += rows
            finally:
                # After an error, or Ctrl-C, the parts that wait are of no use.
                pool.shutdown(cancel_futures=True)
        for count in report.datasets.values():
            count.deduplicated -= count.rows

    def _profiles(self, dataset: Dataset) -> str:
        """Return the SELECT of the latest row of each user or item."""
        latest = f"SELECT c0, unnest(max(latest)) FROM {self._kept(dataset)} GROUP BY c0"
        names = sql.header(dataset, "nullif(c{}, '')")
        return f"SELECT {names} FROM ({latest}) ORDER BY c0"

    def _interactions(self, dataset: Dataset, workers: int) -> list[str]:
        """Return a SELECT for each part: by time, and each interaction once (rule 9).

        Only rows that share a hash are compared, and hashes are counted in slices, so that
        memory holds a part of the hashes instead of every messageId.
        """
        kept = self._kept(dataset)
        (rows,) = self._one(f"SELECT count(*) FROM {kept}")
        slices = rows // SLICE_ROWS + 1
        parts = max(slices, min(rows // PART_ROWS + 1, workers))
        self.connection.execute("CREATE TABLE twins (twin UBIGINT)")
        for slice_ in range(slices):
            self.connection.execute(
                f"INSERT INTO twins SELECT twin FROM {kept} WHERE blame = 0 AND twin % {slices} = {slice_}"
                " GROUP BY twin HAVING count(*) > 1"
            )
        texts = ", ".join(sql.sort_text(dataset))
        self.connection.execute(
            f"CREATE TABLE once AS SELECT * FROM {kept} SEMI JOIN twins USING (twin) WHERE blame = 0"
            f" QUALIFY row_number() OVER (PARTITION BY message, element ORDER BY old DESC, {texts}) = 1"
        )
        time = f"c{[one.name for one in dataset.columns].index('TIMESTAMP')}"
        cuts = [number / parts for number in range(1, parts)]
        times = self._one(f"SELECT quantile_disc({time}, {cuts}) FROM {kept} WHERE blame = 0")[0] if cuts else []
        selects = []
        for low, high in pairwise([None, *(times or []), None]):
            span = "NOT old" + (f" AND {time} >= {low}" if low is not None else "")
            span += f" AND {time} < {high}" if high is not None else ""
            alone = f"SELECT * FROM {kept} WHERE blame = 0 AND {span} AND twin NOT IN (SELECT twin FROM twins)"
            rows_ = f"{alone} UNION ALL SELECT * FROM once WHERE {span}"
            selects.append(f"SELECT {sql.header(dataset, 'c{}')} FROM ({rows_}) ORDER BY {time}, twin")
        return selects

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def _one(self, query: str) -> tuple[Any, ...]:
        (row,) = self._all(query)
        return row


@contextmanager
def read_errors(place: str) -> Iterator[None]:
    """Turn what a file system or S3 says of a read into a LogsError."""
    try:
        yield
    except OSError as error:
        raise LogsError(str(error.filename or place), error.strerror or str(error), _READ) from error
    except (ClientError, BotoCoreError) as error:
        raise LogsError(place, str(error), _READ) from error


_READ = "Check the path, the credentials and the right to read it"
