"""The received days whose events count (docs/contract.md, rule 9)."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Self

from .dialect import Dialect

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Received times in epoch seconds, from `begin` up to `end` (excluded). Those before `first` are overlap."""

    first: int | None = None
    end: int | None = None
    begin: int | None = None

    @classmethod
    def of_days(cls, since: date | None = None, until: date | None = None, overlap: int = 1) -> Self:
        """Return the window of days (UTC), without `until`, and with `overlap` days before `since`."""
        begin = None if since is None else since - timedelta(days=overlap)
        return cls(*(None if day is None else _epoch(day) for day in (since, until, begin)))

    def __bool__(self) -> bool:
        return self.first is not None or self.end is not None

    @property
    def overlaps(self) -> bool:
        """Whether there is an overlap, whose rows only identify those of an earlier export."""
        return self.begin != self.first

    def without_overlap(self) -> Self:
        """Return the window without its overlap."""
        return replace(self, begin=self.first)

    def within(self, dialect: Dialect, received: str | None) -> list[str]:
        """Return the conditions that an event was received in the window. `received` is the column.

        The comparison of seconds is exact in every time zone. The plain one is a day wider, and lets the warehouse skip
        everything outside.
        """
        tests = []
        for bound, sign, slack in ((self.begin, ">=", -_DAY), (self.end, "<", _DAY)):
            if bound is not None and received is not None:
                tests.append(f"{received} {sign} {dialect.moment(bound + slack)}")
                tests.append(f"{dialect.seconds(received)} {sign} {bound}")
        return tests


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
