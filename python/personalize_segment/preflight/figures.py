"""The figures of an export: numbers for verdicts and plots."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DAY_SECONDS = 86_400
#: Days at either end are outliers if they have at most this share of all interactions, and more than APART_DAYS days
#: separate them from the rest.
APART_SHARE = 0.005
APART_DAYS = 7


def day(number: int) -> str:
    """Return a day, counted from 1970, in ISO 8601."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: the rows without a value, and the values outside its type.

    `type` is the mapping's, or None if the mapping doesn't have the column. Of texts, `distinct` is the number of
    different values, and `longest` the length of the longest in characters; of other types, both are None.
    """

    name: str
    type: str | None
    nulls: int
    malformed: int
    distinct: int | None
    longest: int | None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A dataset: its rows, its rows that repeat an id (users and items), and its columns."""

    name: str
    rows: int
    repeated_ids: int
    columns: tuple[ColumnFacts, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """The number of interactions with an implausible TIMESTAMP, by cause."""

    negative: int
    early: int
    future: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class OddIds:
    """Suspicious ids of one kind: their number, the number of their interactions, and an example."""

    column: str
    kind: str
    ids: int
    interactions: int
    example: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The overlap of interactions and a dataset of users or items.

    `named` are ids in interactions, `known` those of them in the dataset, and `known_interactions` their interactions.
    `listed` are ids in the dataset, and `idle` those of them without an interaction.
    """

    named: int
    known: int
    known_interactions: int
    listed: int
    idle: int


class TrainingEvents(NamedTuple):
    """The event types that a solution trains on, each with its minimum EVENT_VALUE or None. Empty: all interactions."""

    solution: str
    events: tuple[tuple[str, float | None], ...]


class TrainingFacts(NamedTuple):
    """The interactions for training a solution, and the users with two or more of them."""

    solution: str
    interactions: int
    returning: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Interactions per UTC day (days since 1970) in the order of days, for plausible timestamps."""

    days: tuple[tuple[int, int], ...]

    def apart(self) -> "tuple[Activity, int]":
        """Return the days without outliers at either end, and the number of outlying interactions.

        Outliers come from clients with a wrong clock. They don't count for the span and freshness of the history.
        """
        total = sum(count for _, count in self.days)
        first = self._cut(list(self.days), total)
        last = len(self.days) - self._cut([(-day, count) for day, count in reversed(self.days)], total)
        kept = self.days[first:last]
        return Activity(kept), total - sum(count for _, count in kept)

    @staticmethod
    def _cut(days: list[tuple[int, int]], total: int) -> int:
        tail, cut = 0, 0
        for place in range(1, len(days)):
            tail += days[place - 1][1]
            if tail > APART_SHARE * total:
                break
            if days[place][0] - days[place - 1][0] > APART_DAYS:
                cut = place
        return cut

    @property
    def span(self) -> int:
        """Days from the first to the last, including both; 0 without days."""
        return self.days[-1][0] - self.days[0][0] + 1 if self.days else 0

    def hole(self) -> tuple[int, int]:
        """Return the longest gap without interactions: its first day, and its length in days (0: no gap)."""
        longest = (0, 0)
        for (before, _), (after, _) in zip(self.days, self.days[1:], strict=False):
            if after - before - 1 > longest[1]:
                longest = (before + 1, after - before - 1)
        return longest

    def binned(self, most: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Return the days per bin, and each bin's first day and count, including empty ones. `most` limits the bins."""
        if not self.days:
            return 1, ()
        width = -(-self.span // most)
        start = self.days[0][0]
        counts = [0] * -(-self.span // width)
        for day, count in self.days:
            counts[(day - start) // width] += count
        return width, tuple((start + place * width, count) for place, count in enumerate(counts))


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures. `now` is in epoch seconds.

    Users, items, event types and days are counted without identical rows (`unique` interactions), because Personalize
    keeps one of them. `same_second`: interactions with the same user, item and second as another, without the first.
    `histories`: numbers of interactions, and the number of users with each. `shares`: top percents of items, and their
    share of interactions. `busiest`: the user with the most interactions in one day, and their number. `crowded`: users
    with `measure.CROWD` or more in one day. `bought`: purchased items, and those of them that were viewed, or None if
    the event types don't tell.
    """

    now: int
    datasets: dict[str, DatasetFacts]
    rows: int
    unique: int
    same_second: int
    users: int
    returning: int
    items: int
    items_once: int
    histories: tuple[tuple[int, int], ...]
    shares: tuple[tuple[int, float], ...]
    heaviest: tuple[str, int] | None
    busiest: tuple[str, int] | None
    crowded: int
    types: tuple[tuple[str, int], ...]
    times: Times
    activity: Activity
    odd: tuple[OddIds, ...]
    coverage: dict[str, Coverage]
    bought: tuple[int, int] | None
    trainings: tuple[TrainingFacts, ...]
