"""The days of an export: staged, folded, and the result of the last fold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...contract.report import Report


@dataclass(frozen=True, slots=True)
class StagedDay:
    """The output of `Worker.take` for one day.

    `number` counts days from 1970, and is -1 for files outside of day folders. `name` is part of the names of its CSV
    parts. An `old` day belongs to an earlier export: only its interactions and logins count. `files` returns the files
    of a kind.
    """

    number: int
    name: str
    old: bool
    report: Report
    files: Callable[[str], list[Path]]


#: A day by number, and the kind of its interactions: those that name their user, or visits. Each has its own parts, so
#: that a login rewrites only visits.
DayKind = tuple[int, str]


@dataclass(slots=True)
class FoldedDay:
    """The parts of a DayKind with the SHA-256 of each, its counts, and a digest of its rows that have copies."""

    report: Report
    copies: int
    parts: dict[str, str] = field(default_factory=dict)

    def add(self, other: "FoldedDay") -> None:
        """Add another slice of the same day."""
        self.report.merge(other.report)
        self.parts |= other.parts


@dataclass(slots=True)
class Before:
    """The result of the last fold: its days, the numbers of settled ones, and the Parquet files rolled up from them.

    `logins` is the file with the logins that its visits were stitched with.
    """

    days: Mapping[DayKind, FoldedDay] = field(default_factory=dict)
    settled: frozenset[int] = frozenset()
    rolled: Mapping[str, Path] = field(default_factory=dict)
    logins: Path | None = None
