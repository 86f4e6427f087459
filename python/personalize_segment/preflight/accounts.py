"""The report that an export carries, as far as a check asks for it: who was left out, and why."""

from dataclasses import dataclass
from typing import Any

from ..contract.rows import MISSING, UNMAPPED


@dataclass(frozen=True, slots=True)
class Left:
    """One kind of reason in `report.json`, and how many events or elements it left out."""

    call: str
    event: str | None
    dataset: str | None
    field: str | None
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """What `report.json` says; docs/contract.md tells what each number counts.

    `matched` is rows + deduplicated + refused of a dataset: the events and elements its rules matched.
    """

    mapping_sha256: str
    events: int
    unmapped: int
    malformed: int
    damaged: tuple[str, ...]
    rows: dict[str, int]
    matched: dict[str, int]
    refused: dict[str, int]
    left: tuple[Left, ...]

    @classmethod
    def of(cls, report: dict[str, Any]) -> "Accounts":
        """Return what is in a report. Raises KeyError, TypeError or AttributeError if it is none."""
        datasets: dict[str, dict[str, int]] = report["datasets"]
        keys = ("call", "event", "dataset", "field", "reason")
        return cls(
            mapping_sha256=str(report["mapping_sha256"]),
            events=int(report["events"]["read"]),
            unmapped=int(report["events"]["unmapped"]),
            malformed=int(report["lines"]["malformed"]),
            damaged=tuple(str(one["file"]) for one in report["files"]["damaged"]),
            rows={name: int(count["rows"]) for name, count in datasets.items()},
            matched={
                name: sum(int(count[key]) for key in ("rows", "deduplicated", "refused"))
                for name, count in datasets.items()
            },
            refused={name: int(count["refused"]) for name, count in datasets.items()},
            left=tuple(Left(**{key: one[key] for key in keys}, count=int(one["count"])) for one in report["reasons"]),
        )

    @property
    def anonymous(self) -> int:
        """Events and elements that gave no interaction because they name no user."""
        return sum(
            one.count
            for one in self.left
            if (one.dataset, one.field, one.reason) == ("interactions", "USER_ID", MISSING)
        )

    def kinds(self, *, unmapped: bool) -> list[Left]:
        """Return the kinds of reasons by falling count: events without a rule, or what gave no interaction.

        Interactions without a user are counted by `anonymous` and left out here.
        """
        return [
            one
            for one in self.left
            if (one.reason == UNMAPPED if unmapped else one.dataset == "interactions")
            and (one.field, one.reason) != ("USER_ID", MISSING)
        ]
