"""What is counted in an export: plain numbers, from which verdicts and plots are made."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DAY_SECONDS = 86_400
#: A tail of days with at most this share of all interactions is apart if such a hole is before it.
APART_SHARE = 0.005
APART_DAYS = 7


def day(number: int) -> str:
    """Return a day, counted from 1970, as ISO 8601."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: rows without a value, values that its type does not take, and how values differ.

    `type` is the mapping's, None for a column that it doesn't have. `distinct` and `longest`, in
    characters, are of texts, else None.
    """

    name: str
    type: str | None
    nulls: int
    malformed: int
    distinct: int | None
    longest: int | None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """One dataset: its rows, the rows that repeat an id (users and items), and its columns."""

    name: str
    rows: int
    repeated_ids: int
    columns: tuple[ColumnFacts, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """How many interactions have a TIMESTAMP that can't be meant, by what is wrong with it."""

    negative: int
    early: int
    future: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class OddIds:
    """Ids of one kind that is odd: how many, how many interactions have them, and one of them."""

    column: str
    kind: str
    ids: int
    interactions: int
    example: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How interactions and a dataset of users or items meet.

    `named` are ids in interactions, `known` those of them in the dataset, `known_interactions` their
    interactions; `listed` are ids in the dataset, `idle` those of them without an interaction.
    """

    named: int
    known: int
    known_interactions: int
    listed: int
    idle: int


class TrainingEvents(NamedTuple):
    """What a solution trains on: event types, each with its least EVENT_VALUE or None. All interactions without any."""

    solution: str
    events: tuple[tuple[str, float | None], ...]


class TrainingFacts(NamedTuple):
    """What is left for a solution: interactions, and users with two of them or more."""

    solution: str
    interactions: int
    returning: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Interactions a UTC day (days since 1970), in the order of days, for times that can be meant."""

    days: tuple[tuple[int, int], ...]

    def apart(self) -> "tuple[Activity, int]":
        """Return the days without a thin tail at either end that a hole parts from the rest, and what it held.

        Such a tail is a client whose clock is wrong. It says nothing about how long or new the history is.
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
        """Days from the first to the last, both counted; 0 without any."""
        return self.days[-1][0] - self.days[0][0] + 1 if self.days else 0

    def hole(self) -> tuple[int, int]:
        """Return the longest run of days without an interaction: its first day and its length, 0 if there is none."""
        longest = (0, 0)
        for (before, _), (after, _) in zip(self.days, self.days[1:], strict=False):
            if after - before - 1 > longest[1]:
                longest = (before + 1, after - before - 1)
        return longest

    def binned(self, most: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Return days a bin, and for each bin, empty ones too, its first day and count; at most `most` of them."""
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
    """Everything that was counted; `now` is epoch seconds.

    Users, items, event types and days are counted in interactions without identical rows (`unique`), of which
    Personalize keeps one. `same_second` are those that share user, item and second with another, beyond the
    first. `histories` says how many users have so many interactions. `shares` says which share of
    interactions the top percent of items have. `busiest` is the user with most interactions in one day
    and how many; `crowded` users have `measure.CROWD` or more in a day. `bought` is how many items were purchased,
    and how many of these were viewed, None if the event types don't say.
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
