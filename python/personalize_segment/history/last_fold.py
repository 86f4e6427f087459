"""The record of the last export from a stage to an output: days whose parts can stay as they are."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract.report import Report
from ..contract.suppression import SuppressionList
from ..places import LocalPlace, place
from .duckdb import fold
from .duckdb.days import Before, DayKind, FoldedDay
from .duckdb.fold import Fold
from .logs import Window
from .stage import Day, Stage, settled


@dataclass(slots=True)
class LastFold:
    """The last fold of an output's days.

    `standing` has the parts of interactions in the output that haven't been modified since, with their SHA-256.
    """

    conditions: str
    before: Before | None = None
    standing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        stage: Stage,
        out: str,
        days: Sequence[Day],
        window: Window,
        suppressed: SuppressionList | None,
        say: Callable[[str], None],
    ) -> "LastFold":
        """Return the stage's record of an output, as far as it is valid for `days` under the same conditions."""
        last = cls(_digest(f"{fold.PART_ROWS}\n{window}\n{suppressed.text() if suppressed else ''}"))
        about = stage.last_fold(_name(out))
        if about is None:
            return last
        try:
            last._recall(about, stage, out, days)
        except (LookupError, TypeError, ValueError, AttributeError):
            say("all days are combined again: the stage's record of the last export can't be read")
            return cls(last.conditions)
        return last

    def _recall(self, about: Mapping[str, Any], stage: Stage, out: str, days: Sequence[Day]) -> None:
        now = {file.inner: [file.bytes, file.version] for file in (place(out) / "interactions").files()}
        published = {name: digest for name, (digest, *state) in about["published"].items() if now.get(name) == state}
        self.standing = published
        if about["conditions"] != self.conditions:
            return
        keys = {day.number: day.key for day in days if not day.old}
        unchanged = {int(number) for number, key in about["keys"].items() if keys.get(int(number)) == key}
        folded = {
            (number, kind): FoldedDay(Report.from_dict(day["report"]), day["copies"], day["parts"])
            for number, kind, day in about["days"]
            if number in unchanged and day["parts"].items() <= published.items()
        }
        names = {kind: name for kind, (name, _) in about["files"].items()}
        files = dict(zip(names, stage.fetch(list(names.values())), strict=True))
        logins = files.pop("logins", None)
        rolled_up = frozenset(about["settled"])
        # After a last day is gone, fewer days are settled than were rolled up together.
        if rolled_up <= unchanged & settled(days):
            self.before = Before(folded, rolled_up, files, logins)
        else:
            self.before = Before(folded, logins=logins)

    def unchanged(self, days: Mapping[DayKind, FoldedDay], work: Path) -> frozenset[str]:
        """Return the parts that can stay in the output, and delete their copies in `work`."""
        parts = {name: digest for day in days.values() for name, digest in day.parts.items()}
        same = frozenset(name for name, digest in parts.items() if self.standing.get(name) == digest)
        for name in same:
            (work / "interactions" / name).unlink(missing_ok=True)
        return same

    def remember(self, stage: Stage, out: str, folded: Fold, days: Iterable[Day]) -> None:
        """Record the current parts of the output in the stage."""
        parts = {name: digest for day in folded.days.values() for name, digest in day.parts.items()}
        now = (place(out) / "interactions").files()
        about = {
            "conditions": self.conditions,
            "keys": {day.number: day.key for day in days if not day.old},
            "settled": sorted(settled(days)),
            "days": [
                (*key, {"report": day.report.as_dict(limit=None), "copies": day.copies, "parts": day.parts})
                for key, day in folded.days.items()
            ],
            "published": {
                file.inner: [parts[file.inner], file.bytes, file.version] for file in now if file.inner in parts
            },
        }
        stage.remember(_name(out), about, folded.rolled)


def _name(out: str) -> str:
    where = place(out)
    return str(where.path.resolve()) if isinstance(where, LocalPlace) else str(where)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
