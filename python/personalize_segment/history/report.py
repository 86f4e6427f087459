"""What an export did, with every event that was left out accounted for.

Both engines fill the same `Report`; docs/contract.md says what each number counts.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ..contract.mapping import EventMapping
from ..contract.rows import Reason, describe, string
from ..errors import OutputError

#: More kinds of reasons than this are summed up in one line: a customer may put ids into names.
MAX_KINDS = 1000

# DuckDB's and Spark's names for the parts of an export.
_PART = re.compile(r"part-[^/]*\.csv")

#: (call, event name, dataset, field, reason)
Kind = tuple[str, str | None, str | None, str | None, str]


@dataclass(slots=True)
class Reasons:
    """How often each kind of reason was given, with one messageId for each: the lowest."""

    kinds: dict[Kind, tuple[int, str | None]] = field(default_factory=dict)

    def add(self, kind: Kind, count: int, example: str | None) -> None:
        """Count `kind`; None is no example."""
        known, lowest = self.kinds.get(kind, (0, None))
        if lowest is None or (example is not None and example < lowest):
            lowest = example
        self.kinds[kind] = known + count, lowest


@dataclass(slots=True)
class DatasetCount:
    """Rows written; rows that repeat or precede another (rule 9); elements without a row."""

    rows: int = 0
    deduplicated: int = 0
    refused: int = 0


@dataclass(slots=True)
class Report:
    """The outcome of one export."""

    mapping_sha256: str
    files_read: int = 0
    files_skipped: list[tuple[str, str]] = field(default_factory=list)
    files_damaged: list[tuple[str, str]] = field(default_factory=list)
    events_read: int = 0
    lines_malformed: int = 0
    events_unmapped: int = 0
    events_overlap: int = 0
    datasets: dict[str, DatasetCount] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=Reasons)

    @classmethod
    def of(cls, mapping: EventMapping) -> "Report":
        """Return an empty report for `mapping`."""
        return cls(mapping.sha256, datasets={one.name: DatasetCount() for one in mapping.datasets})

    @classmethod
    def from_dict(cls, counts: dict[str, Any]) -> "Report":
        """Return what `as_dict` wrote. Raises KeyError, TypeError, ValueError or AttributeError if it didn't."""
        rows = {name: DatasetCount(int(count["rows"])) for name, count in counts["datasets"].items()}
        report = cls(str(counts["mapping_sha256"]), datasets=rows)
        report.add(counts)
        return report

    def add(self, counts: dict[str, Any]) -> None:
        """Add what a part of the work counted: the `as_dict(limit=None)` of its report."""
        self.files_read += counts["files"]["read"]
        self.files_damaged += [(one["file"], one["reason"]) for one in counts["files"]["damaged"]]
        self.events_read += counts["events"]["read"]
        self.events_unmapped += counts["events"]["unmapped"]
        self.events_overlap += counts["events"]["overlap"]
        self.lines_malformed += counts["lines"]["malformed"]
        for name, count in counts["datasets"].items():
            self.datasets[name].refused += count["refused"]
            self.datasets[name].deduplicated += count["deduplicated"]
        for one in counts["reasons"]:
            kind = one["call"], one["event"], one["dataset"], one["field"], one["reason"]
            self.reasons.add(kind, one["count"], one["example"])

    def refuse(self, event: dict[str, Any], why: Reason) -> None:
        """Count one reason that `rows` gave for `event`."""
        if why.dataset is None:
            self.events_unmapped += 1
        else:
            self.datasets[why.dataset].refused += 1
        self.reasons.add((*describe(event), *why), 1, string(event.get("messageId")))

    def summary(self) -> str:
        """Return the counts in one line, for a message about an export that has no rows."""
        refused = sum(one.refused for one in self.datasets.values())
        damaged = [f"{name}: {why}" for name, why in self.files_damaged]
        return (
            f"{self.events_read:,} events read, {self.events_unmapped:,} without a rule,"
            f" {refused:,} refused, {self.lines_malformed:,} malformed lines"
            + (f", {len(damaged)} damaged files, the first {damaged[0]}" if damaged else "")
        )

    def sorted_reasons(self, limit: int | None = MAX_KINDS) -> list[tuple[Kind, int, str | None]]:
        """Return the kinds by falling count, with those beyond `limit` summed up last."""
        kinds = [(kind, count, example) for kind, (count, example) in self.reasons.kinds.items()]
        kinds.sort(key=lambda one: (-one[1], [part or "" for part in one[0]]))
        rest = [] if limit is None else kinds[limit:]
        if rest:
            kind: Kind = ("*", None, None, None, f"{len(rest)} more kinds of reasons")
            kinds[limit:] = [(kind, sum(count for _, count, _ in rest), rest[0][2])]
        return kinds

    def as_dict(self, limit: int | None = MAX_KINDS) -> dict[str, Any]:
        """Return the report as it stands in `report.json`, or for `add` with all its kinds (None)."""
        keys = ("call", "event", "dataset", "field", "reason")
        return {
            "mapping_sha256": self.mapping_sha256,
            "files": {
                "read": self.files_read,
                "skipped": [{"file": name, "reason": why} for name, why in self.files_skipped],
                "damaged": [{"file": name, "reason": why} for name, why in sorted(self.files_damaged)],
            },
            "events": {
                "read": self.events_read,
                "unmapped": self.events_unmapped,
                "overlap": self.events_overlap,
            },
            "lines": {"malformed": self.lines_malformed},
            "datasets": {name: asdict(count) for name, count in self.datasets.items()},
            "reasons": [
                dict(zip(keys, kind, strict=True)) | {"count": count, "example": example}
                for kind, count, example in self.sorted_reasons(limit)
            ],
        }

    def as_json(self) -> str:
        """Return the text of `report.json`."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"


def only_parts(place: str, names: Iterable[str]) -> None:
    """Raise OutputError if a dataset's folder holds what no export wrote, so that none is lost."""
    for name in names:
        if name and not _PART.fullmatch(name):
            raise OutputError(place, f"holds {name}, which no export wrote", "Name another output, or move it away")
