"""The assessment of an export: figures, checks and verdicts."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..contract.mapping import EventMapping
from ..errors import number
from .agreement import agreement
from .behavior import behavior
from .figures import Figures, TrainingEvents, day
from .files import files
from .measure import measure
from .parts import Export, find
from .quantity import quantity
from .tables import Progress, loaded
from .values import values
from .verdict import VERDICTS, Check, Verdict

#: DuckDB memory limit before spilling to disk.
MEMORY = "1GB"
#: Bars of activity in JSON and on the page.
BINS = 90
#: Lower bounds of the classes of users, by interactions.
CLASSES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)
#: Maximum number of event types in figures. More exist only if the limit of ten is exceeded by far.
TYPES = 50


@dataclass(frozen=True, slots=True)
class Assessment:
    """All checks of an export, and the figures behind them."""

    export: Export
    mapping_sha256: str
    figures: Figures
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    @property
    def counted(self) -> dict[Verdict, int]:
        """The number of checks per verdict."""
        counts = Counter(check.verdict for check in self.checks)
        return {verdict: counts[verdict] for verdict in VERDICTS}

    @property
    def headline(self) -> str:
        """The meaning of the verdict in a few words."""
        if red := self.counted["red"]:
            return f"Not ready: {number(red, 'problem prevents', 'problems prevent')} the import or the training"
        if yellow := self.counted["yellow"]:
            return f"Ready to train, with {number(yellow, 'thing')} to check"
        return "Ready to train"

    def classes(self) -> list[tuple[int, int | None, int]]:
        """Return the classes of users, up to the last one that isn't empty.

        Each is the lowest and the highest number of interactions (None: no limit), and the number of users.
        """
        highs = [low - 1 for low in CLASSES[1:]]
        classes = []
        for low, high in zip(CLASSES, [*highs, None], strict=True):
            users = sum(count for n, count in self.figures.histories if n >= low and (high is None or n <= high))
            classes.append((low, high, users))
        while classes and not classes[-1][2]:
            classes.pop()
        return classes

    def as_dict(self) -> dict[str, Any]:
        """Return the assessment for JSON. Later versions only add keys. docs/preflight.md describes them."""
        activity, apart = self.figures.activity.apart()
        width, bins = activity.binned(BINS)
        return {
            "version": 1,
            "export": self.export.place,
            "mapping_sha256": self.mapping_sha256,
            "now": self.figures.now,
            "verdict": self.verdict,
            "counted": self.counted,
            "checks": [
                {
                    **{key: value for key, value in asdict(check).items() if key != "details"},
                    "details": [{"label": label, "text": text} for label, text in check.details],
                }
                for check in self.checks
            ],
            "figures": {
                "rows": {name: facts.rows for name, facts in self.figures.datasets.items()},
                "interactions": self.figures.unique,
                "users": self.figures.users,
                "items": self.figures.items,
                "event_types": [{"name": name, "interactions": count} for name, count in self.figures.types[:TYPES]],
                "activity": {
                    "days_a_bin": width,
                    "apart": apart,
                    "bins": [{"from": day(start), "interactions": count} for start, count in bins],
                },
                "users_by_interactions": [
                    {"from": low, "to": high, "users": users} for low, high, users in self.classes()
                ],
                "top_items": [
                    {"percent": percent, "share_of_interactions": round(share, 6)}
                    for percent, share in self.figures.shares
                ],
                "columns": [
                    {
                        "dataset": facts.name,
                        "name": column.name,
                        "rows": facts.rows,
                        "nulls": column.nulls,
                        "distinct": column.distinct,
                    }
                    for facts in self.figures.datasets.values()
                    for column in facts.columns
                ],
            },
        }


def preflight(
    out: str,
    mapping: EventMapping,
    *,
    now: int | None = None,
    memory: str = MEMORY,
    progress: Progress = lambda done, total: None,
    trainings: Sequence[TrainingEvents] = (),
) -> Assessment:
    """Return the assessment of the export in `out`, a folder or an S3 URI.

    `now` is in epoch seconds (None: the current time). `memory` is DuckDB's limit before spilling to disk. Each of
    `trainings` gets a check. Raises PreflightError if `out` isn't an export, or can't be read.
    """
    export = find(out)
    with loaded(export, memory, progress) as (connection, tables):
        figures = measure(connection, tables, mapping, int(time.time()) if now is None else now, trainings)
    checks = (
        *quantity(export, figures),
        *files(export, tables, figures, mapping),
        *values(figures, mapping, export.report),
        *agreement(export.report, figures, mapping),
        *behavior(figures),
    )
    return Assessment(export, mapping.sha256, figures, checks)
