"""A DuckDB worker: write the rows in a batch of log files to Parquet files, and count them.

A batch is scanned once into narrow columns, from which each dataset takes its rows and reasons.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import duckdb

from ...contract.mapping import Dataset
from ...contract.quoting import literal
from ...contract.report import Report
from ...contract.rows import NO_CONDITION, UNMAPPED
from ...errors import LogsError
from ...places import errors_at
from . import selects
from .compiler import VISIT, Compiler
from .counts import count
from .selects import parquet
from .streams import Fetched, LogBatch

#: The kinds of files that aren't datasets.
VISITS, KEYS, LOGINS = "visits", "keys", "logins"

#: If long arrays need too much memory, the events of a batch are taken in so many slices, and each slice again.
_SLICES, _MAX_SLICES = 8, 8**3

#: Exceptions that a second read can't avoid.
_ENDS = (duckdb.InterruptException, duckdb.OutOfMemoryException)


@dataclass(slots=True)
class Worker:
    """A connection for one thread, with its compiler and its batch of files."""

    connection: duckdb.DuckDBPyConnection
    compiler: Compiler
    batch: LogBatch
    #: The events of the batch, for any files: bound once.
    _scan: duckdb.DuckDBPyRelation | None = None
    #: The last files written, and the names of all files of a slice.
    _added: list[Path] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _stopped: bool = False

    def stop(self) -> None:
        """Interrupt `take` in another thread, which raises InterruptException."""
        self._stopped = True
        self.connection.interrupt()

    def close(self) -> None:
        """Close the connection and free its memory."""
        self.connection.close()

    def take(self, files: Sequence[Fetched], folder: Path, reports: Mapping[int, Report]) -> None:
        """Write Parquet files of some logs, ordered by day, and count everything that doesn't depend on other files.

        Each day has a report, and a folder named after its number. The files of a KIND are named KIND-*.parquet:

        - interactions and users: all candidates, including refused ones, because suppressed users are refused later.
          Interactions have an extra column, `copy_hash`, equal for rows that may be copies. It has 63 bits, and floats
          are stored as their texts in the CSV, because Spark has no more bits and writes floats differently. Refused
          ones have neither `copy_hash` nor `element`;
        - visits: interactions without a user, if logins may give them one later;
        - keys: `day`, `copy_hash` and `visitor` (a hash of the session) of interactions that may become rows;
        - items: the latest value of each column;
        - logins: `session`, `login`, and the first `second` in which they occur together (rule 12).

        If arrays are too long for the memory, each day has several files of a kind.
        """
        slices = [(1, 0)]
        for number, slice_ in slices:
            if self._stopped:
                raise duckdb.InterruptException
            parts = {day: Report.of(self.compiler.mapping) for day in reports}
            self._names.clear()
            try:
                self._take(files, folder, parts, number, slice_)
            except duckdb.OutOfMemoryException:
                if number >= _MAX_SLICES:
                    raise
                slices += [(number * _SLICES, slice_ + number * part) for part in range(_SLICES)]
                for name in self._names:
                    shutil.rmtree(folder / name, ignore_errors=True)
                    for path in folder.glob(f"*/*{name}*"):
                        path.unlink()
            else:
                for day, part in parts.items():
                    reports[day].merge(part)

    def _take(
        self, files: Sequence[Fetched], folder: Path, reports: Mapping[int, Report], slices: int, slice_: int
    ) -> None:
        self._register(files, slices, slice_)
        try:
            self._count_lines(reports)
            days = list(dict.fromkeys(file.number for file, _ in files))
            for dataset in self.compiler.datasets:
                self._take_rows(dataset, days, folder, reports)
            if self.compiler.stitches:
                self._add(days, folder, LOGINS, selects.logins("events"))
        finally:
            self.connection.unregister("events")

    def _take_rows(self, dataset: Dataset, days: Sequence[int], folder: Path, reports: Mapping[int, Report]) -> None:
        candidates, refusals = self.compiler.candidates(dataset, "events")
        if dataset.name == "interactions":
            # Of refused rows, neither is read. All equal, they take no space.
            accepted = f"refusal IN (0, {VISIT})"
            copy_hash = f"CASE WHEN {accepted} THEN CAST(hash(message, element) >> 1 AS BIGINT) END AS copy_hash"
            element = f"CASE WHEN {accepted} THEN element END AS element"
            rows = f"SELECT *{selects.float_texts(dataset, element)}, {copy_hash} FROM ({candidates})"
            if not self.compiler.stitches:
                self._add(days, folder, dataset.name, rows)
                visitor, files = "NULL", self._added
            else:
                # Computed once for both kinds: planning takes longer than the table.
                try:
                    self.connection.execute(f"CREATE TEMP TABLE candidates AS {rows}")
                    self._add(days, folder, dataset.name, f"SELECT * FROM candidates WHERE refusal <> {VISIT}")
                    files = self._added
                    self._add(days, folder, VISITS, f"SELECT * FROM candidates WHERE refusal = {VISIT}")
                finally:
                    self.connection.execute("DROP TABLE IF EXISTS candidates")
                visitor, files = f"CASE WHEN refusal = {VISIT} THEN hash(session) END", [*files, *self._added]
            keys = f"SELECT day, copy_hash, {visitor} AS visitor FROM {parquet(files)}"
            self._add(days, folder, KEYS, f"{keys} WHERE {accepted}")
        elif dataset.user_column is not None:
            self._add(days, folder, dataset.name, f"SELECT *{selects.float_texts(dataset)} FROM ({candidates})")
        else:
            self._add(days, folder, dataset.name, selects.latest(dataset, f"({candidates}) WHERE refusal = 0"))
            count(self.connection, self.compiler, dataset, refusals, f"({candidates})", reports)

    def _add(self, days: Sequence[int], folder: Path, kind: str, rows: str) -> None:
        """Write the rows of the SELECT `rows`: one file per day, even without rows."""
        name = f"{kind}-{uuid4().hex}"
        self._names.append(name)
        self._added = [folder / str(day) / f"{name}.parquet" for day in days]
        for file in self._added:
            file.parent.mkdir(exist_ok=True)
        if len(days) == 1:
            self._copy(rows, self._added[0])
            return
        made = folder / name
        self._copy(rows, made, "PARTITION_BY (day), WRITE_PARTITION_COLUMNS true")
        for day, file in zip(days, self._added, strict=True):
            for part in (made / f"day={day}").glob("*"):
                part.rename(file)
        shutil.rmtree(made)
        some = next((f"SELECT * FROM {parquet([file])}" for file in self._added if file.exists()), rows)
        for file in self._added:
            if not file.exists():
                self._copy(f"SELECT * FROM ({some}) LIMIT 0", file)

    def _copy(self, rows: str, to: Path, *options: str) -> None:
        # Compressing ids costs more than it saves. Event types still become numbers.
        plain = ("FORMAT parquet", "COMPRESSION uncompressed", "DICTIONARY_SIZE_LIMIT 1000")
        self.connection.execute(f"COPY ({rows}) TO {literal(str(to))} ({', '.join((*plain, *options))})")

    def _count_lines(self, reports: Mapping[int, Report]) -> None:
        for day, number in self.batch.read.items():
            reports[day].files_read += number
        for day, *damaged in self.batch.damaged:
            reports[day].files_damaged.append((damaged[0], damaged[1]))
        for day, line in self.batch.malformed:
            reports[day].malformed([line])
        for day, events, mapped in self.connection.execute(
            "SELECT day, count(*) FILTER (call IS NOT NULL OR event IS NOT NULL), count(event) FROM events GROUP BY day"
        ).fetchall():
            reports[day].events_read += events
            reports[day].events_unmapped += events - mapped
        ruled_column = "ruled" if self.compiler.variants.paths else "false"
        for day, call, name, ruled, number, example in self.connection.execute(
            f"SELECT day, call, name, {ruled_column} AS ruled, count(*), min(message) FROM events"
            " WHERE call IS NOT NULL GROUP BY ALL"
        ).fetchall():
            reason = NO_CONDITION if ruled else UNMAPPED
            key = json.loads(call), name and json.loads(name), None, None, reason
            reports[day].reasons.add(key, number, example)

    def _register(self, files: Sequence[Fetched], slices: int, slice_: int) -> None:
        """Read the files, or a slice of their events, into the table `events`."""
        self.batch.begin(files, careful=slices > 1, slices=slices, slice_=slice_)
        while True:
            try:
                if self._scan is None:
                    self._scan = self.connection.sql(self.compiler.scan(self.batch.path))
                self.connection.register("events", self._scan.materialize())
            except duckdb.Error as error:
                if self.batch.error is not None:
                    place, cause = self.batch.error
                    with errors_at(place, LogsError):
                        raise cause from None
                # A file may be damaged, or a line may be too long.
                ended = isinstance(error, _ENDS) or isinstance(error.__context__, KeyboardInterrupt)
                if self.batch.careful or ended:
                    raise
            else:
                # Rows are in the order of lines.
                others = self.connection.execute(
                    "SELECT number - 1, (SELECT count(*) FROM events) FROM (SELECT row_number() OVER () AS number,"
                    " call, event FROM events) WHERE call IS NULL AND event IS NULL ORDER BY number"
                ).fetchall()
                if self.batch.careful or not others:
                    return
                if self.batch.locate([number for number, _ in others], others[0][1]):
                    return
            self.batch.begin(files, careful=True, slices=slices, slice_=slice_)
