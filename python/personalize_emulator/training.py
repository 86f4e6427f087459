"""Train a model on interactions, by counting which users chose which items. Plausible, not a product.

A user's neighbors are those who chose the same items, and rare items have more weight than popular ones. The neighbors'
items are recommended, and popular items fill the rest of the list. All counting has fixed limits, so an answer takes
milliseconds and is always the same.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

#: Limits per answer: latest items of a user, latest users of an item, neighbors, and their items.
HISTORY: Final = 30
TAKERS: Final = 200
NEIGHBORS: Final = 100
#: Users whose last item is held out for the metrics.
HELD_OUT: Final = 100
#: Weight of an item that the user has already chosen: low enough to rank last, but present for filters.
REPEAT: Final = 0.05

MIN_INTERACTIONS: Final = 1000
MIN_USERS: Final = 25


class Interaction(NamedTuple):
    """One training example. `time` is in epoch seconds."""

    user: str
    item: str
    time: float


class Model:
    """The model of `interactions`. `catalog` adds items that no one has chosen yet."""

    def __init__(self, interactions: Iterable[Interaction], catalog: Iterable[str] = ()) -> None:
        #: item -> distinct users.
        self.takers: dict[str, list[str]] = {}
        latest: dict[str, dict[str, bool]] = {}
        taken: Counter[str] = Counter()
        active: Counter[str] = Counter()
        for user, item, _ in sorted(interactions, key=lambda interaction: interaction.time):
            taken[item] += 1
            active[user] += 1
            history = latest.setdefault(user, {})
            if not history.pop(item, False):
                self.takers.setdefault(item, []).append(user)
            history[item] = True
        #: user -> distinct items, the latest last.
        self.histories = {user: list(history) for user, history in latest.items()}
        #: All items, the most popular first.
        self.popular = [item for item, _ in sorted(taken.items(), key=_most_first)]
        self.popular += sorted(set(catalog) - set(self.popular))
        self._taken = taken
        self._active = active

    def for_user(self, history: Sequence[str], user: str | None = None) -> list[tuple[str, float]]:
        """Return every item and its score, best first, for a user with this `history`, oldest first.

        `user` is left out of the neighbors. Scores are above 0 and sum to 1.
        """
        neighbors: defaultdict[str, float] = defaultdict(float)
        recent = list(dict.fromkeys(reversed(history)))[:HISTORY]
        for age, item in enumerate(recent):
            takers = self.takers.get(item, [])
            weight = 1.0 / math.log(2.0 + len(takers)) / (1.0 + age / HISTORY)
            for other in takers[-TAKERS:]:
                if other != user:
                    neighbors[other] += weight
        scores: defaultdict[str, float] = defaultdict(float)
        for other, weight in sorted(neighbors.items(), key=_most_first)[:NEIGHBORS]:
            for item in self.histories[other][-HISTORY:]:
                scores[item] += weight
        for item in recent:
            scores[item] *= REPEAT
        return self._filled(scores)

    def for_item(self, item: str) -> list[tuple[str, float]]:
        """Return every other item and its score, best first, by the number of users who chose both."""
        shared: Counter[str] = Counter()
        for user in self.takers.get(item, [])[-TAKERS:]:
            shared.update(self.histories[user][-HISTORY:])
        scores: defaultdict[str, float] = defaultdict(float)
        for other, both in shared.items():
            scores[other] = both / math.sqrt(len(self.takers[other]))
        return [(other, score) for other, score in self._filled(scores) if other != item]

    def by_popularity(self) -> list[tuple[str, float]]:
        """Return every item and its score, the most popular first."""
        return self._filled({})

    def _filled(self, scores: Mapping[str, float]) -> list[tuple[str, float]]:
        """Append all other items to those with a score, the most popular first."""
        best = sorted((item for item in scores if scores[item] > 0), key=lambda item: (-scores[item], item))
        known = set(best)
        rest = [item for item in self.popular if item not in known]
        least = min((scores[item] for item in best), default=1.0)
        most = max(self._taken.values(), default=1)
        values = [scores[item] for item in best]
        values += [least * (self._taken[item] + 1) / (most + 2) * 0.5 for item in rest]
        total = sum(values) or 1.0
        return [(item, value / total) for item, value in zip([*best, *rest], values, strict=True)]

    def metrics(self) -> dict[str, float]:
        """Return the offline metrics of GetSolutionMetrics, each between 0 and 1.

        They hold out the last item of up to a hundred users with two items or more, and find its rank among the first
        5, 10 and 25 items recommended from the rest of the history.
        """
        users = sorted(user for user, history in self.histories.items() if len(history) > 1)
        users = users[:: math.ceil(len(users) / HELD_OUT)] if users else []
        ranks: list[int | None] = []
        shown: set[str] = set()
        for user in users:
            *history, last = self.histories[user]
            items = [item for item, _ in self.for_user(history, user)[:25]]
            shown.update(items)
            ranks.append(items.index(last) + 1 if last in items else None)
        metrics = {"coverage": len(shown) / max(len(self.popular), 1)}
        metrics["mean_reciprocal_rank_at_25"] = _mean(1 / rank if rank else 0.0 for rank in ranks)
        for most in (5, 10, 25):
            hits = [rank if rank and rank <= most else None for rank in ranks]
            metrics[f"normalized_discounted_cumulative_gain_at_{most}"] = _mean(
                1 / math.log2(rank + 1) if rank else 0.0 for rank in hits
            )
            metrics[f"precision_at_{most}"] = _mean(1 / most if rank else 0.0 for rank in hits)
        return {name: round(value, 4) for name, value in metrics.items()}

    def too_little(self) -> str | None:
        """Return the reason, in the service's words, why the data isn't enough to train on. None if it is enough."""
        if sum(self._taken.values()) < MIN_INTERACTIONS:
            return f"Create failed. Dataset has fewer than {MIN_INTERACTIONS} interactions."
        if sum(number > 1 for number in self._active.values()) < MIN_USERS:
            return f"Create failed. Dataset has fewer than {MIN_USERS} users with at least 2 interactions each."
        return None


def _most_first(counted: tuple[str, float]) -> tuple[float, str]:
    return -counted[1], counted[0]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
