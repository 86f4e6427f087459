"""The records of datasets: imported in bulk, and streamed, which outlive the next full import.

A record is schema field -> value, null if the field has none.
"""

from collections.abc import Iterable, Iterator
from typing import Any

Record = dict[str, Any]


class Interactions:
    """The records of one Item interactions dataset, and the users of its anonymous sessions."""

    def __init__(self) -> None:
        self.bulk: list[Record] = []
        self.streamed: list[Record] = []
        self.imported = False
        self._users: dict[str, str] = {}  # session -> user
        self._seen: set[str] = set()
        self._by_user: dict[str, list[Record]] = {}

    def __iter__(self) -> Iterator[Record]:
        yield from self.bulk
        yield from self.streamed

    def load(self, records: Iterable[Record], *, keep: bool) -> None:
        """Add the records of an import. A full one (`keep` is False) replaces those of earlier imports."""
        self.bulk = [*self.bulk, *records] if keep else list(records)
        self.imported = True
        self._index()

    def stream(self, record: Record, user: str | None, session: str, event_id: str | None) -> None:
        """Add an event, unless its id is known.

        An event without a user belongs to its session. The first event with both a session and a user assigns all
        earlier events of the session to the user.
        """
        if event_id is not None:
            if event_id in self._seen:
                return
            self._seen.add(event_id)
        if user is not None and self._users.setdefault(session, user) == user:
            for earlier in self._by_user.pop(session, []) if session != user else []:
                earlier["USER_ID"] = user
                self._by_user.setdefault(user, []).append(earlier)
        record["USER_ID"] = user or self._users.get(session, session)
        self.streamed.append(record)
        self._by_user.setdefault(record["USER_ID"], []).append(record)

    def history(self, user: str) -> list[Record]:
        """Return the records of a user, or of a session without a user, oldest first."""
        return sorted(self._by_user.get(self._users.get(user, user), []), key=_time)

    def forget(self, users: set[str]) -> int:
        """Delete all records of these users. Return their number."""
        before = len(self.bulk) + len(self.streamed)
        self.bulk = [record for record in self.bulk if record["USER_ID"] not in users]
        self.streamed = [record for record in self.streamed if record["USER_ID"] not in users]
        self._index()
        return before - len(self.bulk) - len(self.streamed)

    def _index(self) -> None:
        self._by_user = {}
        for record in self:
            self._by_user.setdefault(record["USER_ID"], []).append(record)


class Profiles:
    """The records of one Users or Items dataset, one per id: the latest streamed, or the latest import's."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.bulk: dict[str, Record] = {}
        self.streamed: dict[str, Record] = {}
        self.imported = False

    def load(self, records: Iterable[Record], *, keep: bool) -> None:
        """Add the records of an import. A full one (`keep` is False) replaces those of earlier imports."""
        self.bulk = (self.bulk if keep else {}) | {record[self.key]: record for record in records}
        self.imported = True

    def stream(self, record: Record) -> None:
        """Add a record of PutUsers or PutItems."""
        self.streamed[record[self.key]] = record

    def get(self, key: str) -> Record | None:
        """Return the record of an id."""
        return self.streamed.get(key) or self.bulk.get(key)

    def __iter__(self) -> Iterator[Record]:
        for key in self.bulk | self.streamed:
            yield self.streamed.get(key) or self.bulk[key]

    def forget(self, keys: set[str]) -> int:
        """Delete the records of these ids. Return their number."""
        before = len(self.bulk) + len(self.streamed)
        self.bulk = {key: record for key, record in self.bulk.items() if key not in keys}
        self.streamed = {key: record for key, record in self.streamed.items() if key not in keys}
        return before - len(self.bulk) - len(self.streamed)


def _time(record: Record) -> float:
    return float(record["TIMESTAMP"])
