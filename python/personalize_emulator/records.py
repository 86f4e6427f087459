"""What datasets hold: rows imported in bulk and rows streamed, which outlive the next full import.

A row is schema field -> value, null where the field has none.
"""

from collections.abc import Iterable, Iterator
from typing import Any

Row = dict[str, Any]


class Interactions:
    """The rows of one Item interactions dataset, and whose anonymous sessions are whose."""

    def __init__(self) -> None:
        self.bulk: list[Row] = []
        self.streamed: list[Row] = []
        self.imported = False
        self._users: dict[str, str] = {}  # session -> user
        self._seen: set[str] = set()
        self._by_user: dict[str, list[Row]] = {}

    def __iter__(self) -> Iterator[Row]:
        yield from self.bulk
        yield from self.streamed

    def load(self, rows: Iterable[Row], *, keep: bool) -> None:
        """Take the rows of an import; a full one (`keep` is False) replaces those of earlier imports."""
        self.bulk = [*self.bulk, *rows] if keep else list(rows)
        self.imported = True
        self._index()

    def stream(self, row: Row, user: str | None, session: str, event_id: str | None) -> None:
        """Take an event; one whose id was seen is left out.

        Without a user it is its session's own; the first event that names both gives the user all
        that the session did before.
        """
        if event_id is not None:
            if event_id in self._seen:
                return
            self._seen.add(event_id)
        if user is not None and self._users.setdefault(session, user) == user:
            for earlier in self._by_user.pop(session, []) if session != user else []:
                earlier["USER_ID"] = user
                self._by_user.setdefault(user, []).append(earlier)
        row["USER_ID"] = user or self._users.get(session, session)
        self.streamed.append(row)
        self._by_user.setdefault(row["USER_ID"], []).append(row)

    def history(self, user: str) -> list[Row]:
        """Return the rows of a user, or of a session that is nobody's yet, oldest first."""
        return sorted(self._by_user.get(self._users.get(user, user), []), key=_time)

    def forget(self, users: set[str]) -> int:
        """Remove all rows of these users and return how many there were."""
        before = len(self.bulk) + len(self.streamed)
        self.bulk = [row for row in self.bulk if row["USER_ID"] not in users]
        self.streamed = [row for row in self.streamed if row["USER_ID"] not in users]
        self._index()
        return before - len(self.bulk) - len(self.streamed)

    def _index(self) -> None:
        self._by_user = {}
        for row in self:
            self._by_user.setdefault(row["USER_ID"], []).append(row)


class Profiles:
    """The rows of one Users or Items dataset, one an id: the latest import's, or the latest streamed."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.bulk: dict[str, Row] = {}
        self.streamed: dict[str, Row] = {}
        self.imported = False

    def load(self, rows: Iterable[Row], *, keep: bool) -> None:
        """Take the rows of an import; a full one (`keep` is False) replaces those of earlier imports."""
        self.bulk = (self.bulk if keep else {}) | {row[self.key]: row for row in rows}
        self.imported = True

    def stream(self, row: Row) -> None:
        """Take a row of PutUsers or PutItems."""
        self.streamed[row[self.key]] = row

    def get(self, key: str) -> Row | None:
        """Return the row of an id."""
        return self.streamed.get(key) or self.bulk.get(key)

    def __iter__(self) -> Iterator[Row]:
        for key in self.bulk | self.streamed:
            yield self.streamed.get(key) or self.bulk[key]

    def forget(self, keys: set[str]) -> int:
        """Remove the rows of these ids and return how many there were."""
        before = len(self.bulk) + len(self.streamed)
        self.bulk = {key: row for key, row in self.bulk.items() if key not in keys}
        self.streamed = {key: row for key, row in self.streamed.items() if key not in keys}
        return before - len(self.bulk) - len(self.streamed)


def _time(row: Row) -> float:
    return float(row["TIMESTAMP"])
