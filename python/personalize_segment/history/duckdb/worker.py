"""A worker of DuckDB's: a batch of log files -> rows kept on disk, and what was counted.

A batch is scanned once into narrow columns, from which every dataset takes its rows and its reasons.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from ...contract.mapping import Dataset
from ...contract.report import Report
from ...contract.rows import NEVER, NO_CONDITION, UNMAPPED
from ...errors import LogsError
from ...places import errors_at
from . import compiler
from .spool import KeptRows
from .streams import Fetched, LogBatch

#: What reading again can't help.
_ENDS = (duckdb.InterruptException, duckdb.OutOfMemoryException)


@dataclass(slots=True)
class Worker:
    """A connection for one thread, what it reads, and where it keeps rows, together with other workers."""

    connection: duckdb.DuckDBPyConnection
    kept: KeptRows
    batch: LogBatch
    #: The events of the batch, whichever files it has: bound once.
    _scan: duckdb.DuckDBPyRelation | None = None

    def close(self) -> None:
        """Let go of the connection and what it holds in memory."""
        self.connection.close()

    def take(self, files: Sequence[Fetched], report: Report, *, old: bool) -> None:
        """Keep the rows of some files and count what they hold.

        Of `old` files (the overlap of a window) only what can be repeated later is kept.
        """
        lines, events, mapped = self._register(files)
        report.files_read += self.batch.read
        report.files_damaged += self.batch.damaged
        if old:
            report.events_overlap += events
        else:
            report.events_read += events
            report.lines_malformed += lines - events
            report.malformed(self.batch.malformed)
            report.events_unmapped += events - mapped
            ruled_column = "ruled" if self.kept.compiler.variants.paths else "false"
            for call, name, ruled, number, example in self.connection.execute(
                f"SELECT call, name, {ruled_column} AS ruled, count(*), min(message) FROM events"
                " WHERE call IS NOT NULL GROUP BY ALL"
            ).fetchall():
                reason = NO_CONDITION if ruled else UNMAPPED
                key = json.loads(call), name and json.loads(name), None, None, reason
                report.reasons.add(key, number, example)
        for dataset in self.kept.compiler.datasets:
            if dataset.name == "interactions":
                candidates, _ = self.kept.candidates(dataset)
                # Refused ones too, to be counted with all others at the end.
                rows = f"SELECT *, {old} AS old, hash(message, element) AS copy_hash FROM ({candidates})"
                self.kept.add(self.connection, dataset.name, rows)
            elif not old:
                self._take_profiles(dataset, report)
        if self.kept.compiler.stitches:
            self.kept.add_logins(self.connection)
        self.connection.unregister("events")

    def _register(self, files: Sequence[Fetched]) -> tuple[int, int, int]:
        """Register the table `events`; return how many lines, events and events with a rule it has."""
        self.batch.files, self.batch.careful = files, False
        while True:
            try:
                if self._scan is None:
                    self._scan = self.connection.sql(self.kept.compiler.scan(self.batch.path))
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

    def _take_profiles(self, dataset: Dataset, report: Report) -> None:
        """Rule 9 for users and items: keep the latest value of each column, of equal ones the last by text."""
        candidates, refusals = self.kept.candidates(dataset)
        latest = "".join(
            f", max(struct_pack(seconds := COALESCE(seconds, {NEVER}),"
            f" fraction := CASE WHEN seconds IS NULL THEN '' ELSE fraction END, value := {text}))"
            f" FILTER (c{position} IS NOT NULL) AS latest{position}"
            for position, text in enumerate(compiler.sort_text(dataset))
            if position
        )
        rows = f"SELECT c0{latest} FROM ({candidates}) WHERE refusal = 0 GROUP BY c0"
        self.kept.add(self.connection, dataset.name, rows)
        self.kept.count(self.connection, dataset, refusals, f"({candidates})", report)
