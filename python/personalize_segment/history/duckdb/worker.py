"""A worker of DuckDB's: a batch of log files -> rows in Parquet files, and what was counted.

A batch is scanned once into narrow columns, from which every dataset takes its rows and its reasons.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

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

#: Kinds of files that aren't datasets.
KEYS, LOGINS = "keys", "logins"

#: What reading again can't help.
_ENDS = (duckdb.InterruptException, duckdb.OutOfMemoryException)


@dataclass(slots=True)
class Worker:
    """A connection for one thread, what it compiles, and what it reads."""

    connection: duckdb.DuckDBPyConnection
    compiler: Compiler
    batch: LogBatch
    #: The events of the batch, whichever files it has: bound once.
    _scan: duckdb.DuckDBPyRelation | None = None

    def close(self) -> None:
        """Let go of the connection and what it holds in memory."""
        self.connection.close()

    def take(self, files: Sequence[Fetched], day: int, folder: Path, report: Report) -> None:
        """Add Parquet files with what some logs of a day give to `folder`, and count what doesn't need other files.

        The files of a KIND are named KIND-*.parquet:

        - interactions and users: all candidates, refused ones too, because whoever is suppressed is refused later.
          Interactions have two columns more, `day` and `copy_hash`, which rows that may be copies share;
        - keys: `day`, `copy_hash` and `visitor` (a hash of the session) of those interactions that may become rows;
        - items: the latest value of each column;
        - logins: `session`, `login`, and the first `second` in which they were seen together (rule 12).
        """
        lines, events, mapped = self._register(files)
        report.files_read += self.batch.read
        report.files_damaged += self.batch.damaged
        report.events_read += events
        report.lines_malformed += lines - events
        report.malformed(self.batch.malformed)
        report.events_unmapped += events - mapped
        ruled_column = "ruled" if self.compiler.variants.paths else "false"
        for call, name, ruled, number, example in self.connection.execute(
            f"SELECT call, name, {ruled_column} AS ruled, count(*), min(message) FROM events"
            " WHERE call IS NOT NULL GROUP BY ALL"
        ).fetchall():
            reason = NO_CONDITION if ruled else UNMAPPED
            key = json.loads(call), name and json.loads(name), None, None, reason
            report.reasons.add(key, number, example)
        for dataset in self.compiler.datasets:
            candidates, refusals = self.compiler.candidates(dataset, "events")
            if dataset.name == "interactions":
                rows = f"SELECT {day} AS day, *, hash(message, element) AS copy_hash FROM ({candidates})"
                written = self._add(folder, dataset.name, rows)
                visitor = f"CASE WHEN refusal = {VISIT} THEN hash(session) END" if self.compiler.stitches else "NULL"
                keys = f"SELECT day, copy_hash, {visitor} AS visitor FROM {parquet([written])}"
                self._add(folder, KEYS, f"{keys} WHERE refusal IN (0, {VISIT})")
            elif dataset.user_column is not None:
                self._add(folder, dataset.name, candidates)
            else:
                self._add(folder, dataset.name, selects.latest(dataset, f"({candidates}) WHERE refusal = 0"))
                count(self.connection, self.compiler, dataset, refusals, f"({candidates})", report)
        if self.compiler.stitches:
            self._add(folder, LOGINS, selects.logins("events"))
        self.connection.unregister("events")

    def _add(self, folder: Path, kind: str, rows: str) -> Path:
        path = folder / f"{kind}-{uuid4().hex}.parquet"
        # To compress ids costs more than it saves. Event types still become numbers.
        options = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000"
        self.connection.execute(f"COPY ({rows}) TO {literal(str(path))} ({options})")
        return path

    def _register(self, files: Sequence[Fetched]) -> tuple[int, int, int]:
        """Register the table `events`; return how many lines, events and events with a rule it has."""
        self.batch.files, self.batch.careful = files, False
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
                # A file may be damaged, or have a line that is too long.
                ended = isinstance(error, _ENDS) or isinstance(error.__context__, KeyboardInterrupt)
                if self.batch.careful or ended:
                    raise
            else:
                ((lines, events, mapped),) = self.connection.execute(
                    "SELECT count(*), count(*) FILTER (call IS NOT NULL OR event IS NOT NULL), count(event) FROM events"
                ).fetchall()
                if lines == events or self.batch.careful:
                    return lines, events, mapped
                # Rows are in the order of lines.
                others = self.connection.execute(
                    "SELECT number - 1 FROM (SELECT row_number() OVER () AS number, call, event FROM events)"
                    " WHERE call IS NULL AND event IS NULL ORDER BY number"
                ).fetchall()
                if self.batch.locate([number for (number,) in others]):
                    return events, events, mapped
            self.batch.careful = True
