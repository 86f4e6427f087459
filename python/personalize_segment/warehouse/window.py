"""The days whose events count, by the time at which Segment received them (docs/contract.md, rule 9)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from .dialect import Dialect

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """Received times in epoch seconds: from `begin`, before `end`. What lies before `first` is the overlap."""

    first: int | None = None
    end: int | None = None
    begin: int | None = None

    def __bool__(self) -> bool:
        return self.first is not None or self.end is not None

    @property
    def overlaps(self) -> bool:
        """Whether there is an overlap, whose rows only show what was written before."""
        return self.begin != self.first

    def within(self, dialect: Dialect, received: str | None) -> list[str]:
        """Return the conditions that an event was received in it; `received` is the column.

        The comparison with seconds is exact in every time zone; the plain one, a day wider, lets the
        warehouse skip what lies outside.
        """
        tests = []
        for bound, sign, slack in ((self.begin, ">=", -_DAY), (self.end, "<", _DAY)):
            if bound is not None and received is not None:
                tests.append(f"{received} {sign} {dialect.moment(bound + slack)}")
                tests.append(f"{dialect.seconds(received)} {sign} {bound}")
        return tests


def window(since: date | None, until: date | None, overlap: int) -> Window:
    """Return the window of days, `until` not included, with `overlap` days before it."""
    begin = None if since is None else since - timedelta(days=overlap)
    return Window(*(None if day is None else _epoch(day) for day in (since, until, begin)))


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
