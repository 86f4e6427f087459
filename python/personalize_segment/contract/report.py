"""The report of an export, which accounts for every event that was left out.

Both engines fill the same `Report`. docs/contract.md defines each number.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import index
from typing import Any, NamedTuple

from ..errors import EmptyError, number
from .mapping import EventMapping
from .names import near_miss
from .rows import UNMAPPED, Reason, Row, describe, id_text
from .suppression import SUPPRESSED
from .visitors import NEVER_LOGGED_IN

#: Kinds of reasons beyond this number are summed up in one line, because names may contain ids.
MAX_KINDS = 1000

#: (call, event name, dataset, field, reason)
ReasonKey = tuple[str, str | None, str | None, str | None, str]
_KEY = ("call", "event", "dataset", "field", "reason")


@dataclass(slots=True)
class Reasons:
    """The count of each kind of reason, with the lowest messageId as an example."""

    counts: dict[ReasonKey, tuple[int, str | None]] = field(default_factory=dict)

    def add(self, key: ReasonKey, count: int, example: str | None) -> None:
        """Count reasons of one kind. `example` is a messageId, or None."""
        known, lowest = self.counts.get(key, (0, None))
        if lowest is None or (example is not None and example < lowest):
            lowest = example
        self.counts[key] = known + count, lowest

    def merge(self, other: "Reasons") -> None:
        """Add the counts of another part of the same export."""
        for key, (count, example) in other.counts.items():
            self.add(key, count, example)

    def sorted(self, limit: int | None = MAX_KINDS) -> list[tuple[ReasonKey, int, str | None]]:
        """Return the kinds by descending count, with those beyond `limit` summed up last."""
        kinds = [(key, count, example) for key, (count, example) in self.counts.items()]
        kinds.sort(key=lambda kind: (-kind[1], [part or "" for part in kind[0]]))
        rest = [] if limit is None else kinds[limit:]
        if rest:
            key: ReasonKey = ("*", None, None, None, f"{len(rest)} more kinds of reasons")
            kinds[limit:] = [(key, sum(count for _, count, _ in rest), rest[0][2])]
        return kinds

    @classmethod
    def from_list(cls, kinds: list[dict[str, Any]]) -> "Reasons":
        """Return the reasons from the output of `as_list`."""
        return cls({tuple(kind[name] for name in _KEY): (index(kind["count"]), kind["example"]) for kind in kinds})

    def as_list(
        self, limit: int | None, hint: Callable[[ReasonKey], str | None] = lambda key: None
    ) -> list[dict[str, Any]]:
        """Return the reasons as in `report.json`. Those with a hint have an additional key."""
        return [
            dict(zip(_KEY, key, strict=True))
            | {"count": count, "example": example}
            | ({} if (told := hint(key)) is None else {"hint": told})
            for key, count, example in self.sorted(limit)
        ]


@dataclass(slots=True)
class ColumnCount:
    """Accepted rows with a value in an optional column, and rows where it is null because the value can't be used."""

    filled: int = 0
    unusable: int = 0


@dataclass(slots=True)
class DatasetCount:
    """Rows written; rows that events produced, including duplicates; elements without a row.

    Of the accepted rows, `ahead` have the instant of `receivedAt` instead of a wrong clock's, and `stitched` have the
    user who logged in on the session. `columns` are the optional columns.
    """

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    ahead: int = 0
    stitched: int = 0
    columns: dict[str, ColumnCount] = field(default_factory=dict)

    def merge(self, other: "DatasetCount") -> None:
        """Add the counts of another part of the same export."""
        self.rows += other.rows
        self.accepted += other.accepted
        self.refused += other.refused
        self.ahead += other.ahead
        self.stitched += other.stitched
        for name, count in other.columns.items():
            self.columns[name].filled += count.filled
            self.columns[name].unusable += count.unusable

    @classmethod
    def from_dict(cls, count: dict[str, Any]) -> "DatasetCount":
        """Return the counts from the output of `as_dict`. Earlier releases had no `ahead`, `stitched` and `columns`."""
        columns = {
            name: ColumnCount(column["filled"], column["unusable"]) for name, column in count.get("columns", {}).items()
        }
        rows = index(count["rows"])
        accepted, refused = rows + index(count["deduplicated"]), index(count["refused"])
        return cls(rows, accepted, refused, count.get("ahead", 0), count.get("stitched", 0), columns)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as in `report.json`."""
        columns = {
            name: {
                "filled": count.filled,
                "absent": self.accepted - count.filled - count.unusable,
                "unusable": count.unusable,
            }
            for name, count in self.columns.items()
        }
        return {
            "rows": self.rows,
            "deduplicated": self.deduplicated,
            "refused": self.refused,
            "ahead": self.ahead,
            "stitched": self.stitched,
            "columns": columns,
        }

    @property
    def deduplicated(self) -> int:
        """Rows that repeat or precede another (rule 9). Valid after `rows` are written."""
        return self.accepted - self.rows


#: The remedy for an export without rows.
COMPARE = (
    "Run `personalize-segment check --logs` to compare the logs with the event mapping, or `init --logs` to write a"
    " first one"
)


class Malformed(NamedTuple):
    """A line, or a part of it, that isn't an event, with the file's name, the line's number (from 1) and the cause."""

    file: str
    line: int
    cause: str


#: Maximum number of malformed lines that a report names.
MAX_MALFORMED = 10


@dataclass(slots=True)
class Report:
    """The outcome of one export."""

    mapping_sha256: str
    files_read: int = 0
    files_skipped: list[tuple[str, str]] = field(default_factory=list)
    files_damaged: list[tuple[str, str]] = field(default_factory=list)
    events_read: int = 0
    lines_malformed: int = 0
    #: The first malformed lines, in order.
    lines_named: list[Malformed] = field(default_factory=list)
    events_unmapped: int = 0
    events_overlap: int = 0
    datasets: dict[str, DatasetCount] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)
    #: Reasons for optional values that can't be used, and are null in the rows.
    unusable: Reasons = field(default_factory=Reasons)
    #: None in a report that was read from a file.
    _mapping: EventMapping | None = field(default=None, repr=False, compare=False)
    #: dataset -> positions and names of its optional columns.
    _optional: dict[str, list[tuple[int, str]]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, mapping: EventMapping) -> "Report":
        """Return an empty report for `mapping`."""
        optional = {
            dataset.name: [(position, dataset.columns[position].name) for position in dataset.optional]
            for dataset in mapping.datasets
        }
        datasets = {
            name: DatasetCount(columns={column: ColumnCount() for _, column in columns})
            for name, columns in optional.items()
        }
        return cls(mapping.sha256, datasets=datasets, _mapping=mapping, _optional=optional)

    @classmethod
    def from_dict(cls, report: dict[str, Any]) -> "Report":
        """Return the report from the output of `as_dict`.

        Raises KeyError, TypeError, ValueError or AttributeError for other input.
        """
        files, events = report["files"], report["events"]
        return cls(
            str(report["mapping_sha256"]),
            index(files["read"]),
            [(file["file"], file["reason"]) for file in files["skipped"]],
            [(file["file"], file["reason"]) for file in files["damaged"]],
            index(events["read"]),
            index(report["lines"]["malformed"]),
            [Malformed(**one) for one in report["lines"].get("first", [])],
            index(events["unmapped"]),
            index(events["overlap"]),
            {name: DatasetCount.from_dict(count) for name, count in report["datasets"].items()},
            Reasons.from_list(report["reasons"]),
            Reasons.from_list(report.get("unusable", [])),
        )

    def merge(self, other: "Report", *, old: bool = False) -> None:
        """Add the counts of another part of the same export. Of an `old` day, add only its files and its overlap."""
        self.files_read += other.files_read
        self.files_skipped += other.files_skipped
        self.files_damaged += other.files_damaged
        if old:
            self.events_overlap += other.events_read
            return
        self.events_read += other.events_read
        self.lines_malformed += other.lines_malformed
        self.lines_named = sorted([*self.lines_named, *other.lines_named])[:MAX_MALFORMED]
        self.events_unmapped += other.events_unmapped
        self.events_overlap += other.events_overlap
        for name, count in other.datasets.items():
            self.datasets[name].merge(count)
        self.reasons.merge(other.reasons)
        self.unusable.merge(other.unusable)

    def malformed(self, lines: Iterable[Malformed]) -> None:
        """Count lines that aren't events, and keep the first ones in order."""
        named = list(lines)
        self.lines_malformed += len(named)
        self.lines_named = sorted([*self.lines_named, *named])[:MAX_MALFORMED]

    def accept(self, event: dict[str, Any], row: Row) -> None:
        """Count a row of `event` from `rows`. A row with a `visitor` has the user who logged in on that session."""
        count = self.datasets[row.dataset.name]
        count.accepted += 1
        count.ahead += row.ahead
        count.stitched += row.visitor is not None
        for position, name in self._optional[row.dataset.name]:
            count.columns[name].filled += row.values[position] is not None
        for why in row.unusable:
            count.columns[why.field or ""].unusable += 1
            self.unusable.add((*describe(event), *why[:3]), 1, row.message_id)

    def refuse(self, event: dict[str, Any], why: Reason) -> None:
        """Count a reason of `event` from `rows`."""
        if why.dataset is None:
            self.events_unmapped += 1
        else:
            self.datasets[why.dataset].refused += 1
        # A messageId would lead to the suppressed user in the logs.
        example = None if why.reason == SUPPRESSED else id_text(event.get("messageId"))
        self.reasons.add((*describe(event), *why[:3]), 1, example)

    def withhold(self) -> None:
        """Remove examples that may lead to a suppressed user: those of items, and of reasons without a user."""
        for kinds in (self.reasons, self.unusable):
            for key, (count, _) in kinds.counts.items():
                if key[2] in (None, "items") or key[4] == NEVER_LOGGED_IN:
                    kinds.counts[key] = count, None

    def summary(self) -> str:
        """Return the counts in one line, for a message about an export without rows."""
        refused = sum(count.refused for count in self.datasets.values())
        damaged = [f"{name}: {why}" for name, why in self.files_damaged]
        return (
            f"{number(self.events_read, 'event')} read, {self.events_unmapped:,} without a rule,"
            f" {refused:,} refused, {number(self.lines_malformed, 'malformed line')}"
            + (f", {number(len(damaged), 'damaged file')}, the first {damaged[0]}" if damaged else "")
        )

    def why_none(self, dataset: str) -> str:
        """Return one sentence with the counts and the three most frequent reasons for a dataset without rows."""
        kinds = [one for one in self.reasons.sorted() if one[0][2] in (dataset, None)]
        told = [
            f"{times:,} x {call if event is None else f'{call} {event}'}: {' '.join(filter(None, (field, reason)))}"
            for (call, event, _, field, reason), times, _ in kinds[:3]
        ]
        return f"{self.summary()}; most often {'; '.join(told)}" if told else self.summary()

    def refuse_empty(self, tree: str, out: str, standing: Iterable[str], *, window: bool) -> None:
        """Raise EmptyError if the logs in `tree` produced no rows, or none of a dataset that the export in `out` has.

        With a `window`, users and items may be missing, because some days have none.
        """
        if not any(count.rows for count in self.datasets.values()):
            raise EmptyError(tree, f"produced no rows: {self.why_none('interactions')}", COMPARE, self)
        for name in standing:
            if name in self.datasets and not self.datasets[name].rows and not (window and name != "interactions"):
                problem = f"has {name}, but {tree} produces none: {self.why_none(name)}"
                raise EmptyError(out, problem, f"{COMPARE}. To replace it anyway, pass --allow-empty", self)

    def hint(self, key: ReasonKey) -> str | None:
        """Return how the name of an event without a rule differs from a similar one in the mapping; else None."""
        call, name, *_, reason = key
        return near_miss(self._mapping, call, name) if self._mapping and reason == UNMAPPED else None

    def as_dict(self, limit: int | None = MAX_KINDS) -> dict[str, Any]:
        """Return the report as in `report.json`, with at most `limit` kinds of reasons, or all (None)."""
        return {
            "mapping_sha256": self.mapping_sha256,
            "files": {
                "read": self.files_read,
                "skipped": [{"file": _text(name), "reason": why} for name, why in self.files_skipped],
                "damaged": [{"file": _text(name), "reason": why} for name, why in sorted(self.files_damaged)],
            },
            "events": {
                "read": self.events_read,
                "unmapped": self.events_unmapped,
                "overlap": self.events_overlap,
            },
            "lines": {
                "malformed": self.lines_malformed,
                "first": [line._replace(file=_text(line.file))._asdict() for line in self.lines_named],
            },
            "datasets": {name: count.as_dict() for name, count in self.datasets.items()},
            "reasons": self.reasons.as_list(limit, self.hint),
            "unusable": self.unusable.as_list(limit),
        }

    def as_json(self) -> str:
        """Return the text of `report.json`."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"


def _text(name: str) -> str:
    """Return the name of a file as text, with bytes that aren't UTF-8 escaped, such as `\\xff`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
