"""The tables and columns in which Segment stores events: the table of a call, the column of a path.

Sources: Segment's "Warehouse Schemas" and its pages on Redshift and Snowflake, and segmentio/go-snakecase, the package
that names tables and columns. `Stored` marks the names that they leave open.
"""

import re
from dataclasses import dataclass

from ..contract.mapping import Call, Path

#: call -> the table of all its events. Those of a track are also in the event's own table.
TABLES: dict[Call, str] = {
    "track": "tracks",
    "page": "pages",
    "screen": "screens",
    "identify": "identifies",
    "group": "groups",
    "alias": "aliases",
}

#: Segment's other tables. An event of such a name has a table with another name.
OWN_TABLES = frozenset(["accounts", "users", *TABLES.values()])

#: call -> the column with the event's original name.
NAME_COLUMNS: dict[Call, str] = {"track": "event_text", "page": "name", "screen": "name"}

#: Columns of the call itself. Segment discards a property of such a name, or stores it with `_` in front.
OWN_COLUMNS = {
    "anonymous_id": "text",
    "event": "text",
    "event_text": "text",
    "id": "text",
    "original_timestamp": "timestamp",
    "received_at": "timestamp",
    "sent_at": "timestamp",
    "timestamp": "timestamp",
    "user_id": "text",
    "uuid": None,
    "uuid_ts": "timestamp",
}

_OF_THE_CALL = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "messageId": "id",
    "timestamp": "timestamp",
    "originalTimestamp": "original_timestamp",
    "sentAt": "sent_at",
    "receivedAt": "received_at",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Possible names of a table or column in lower case, the likeliest first.

    `sure` says whether the first is reliable without a list of the warehouse's columns. `kind` is the kind of a column
    (see `catalog.kind`) that always has the same.
    """

    names: tuple[str, ...]
    sure: bool = True
    kind: str | None = None


def snake_case(text: str) -> str:
    """Return a name as go-snakecase writes it: ASCII letters and digits in lower case, `_` between words.

    A word is a run of capitals and digits, and the small letters and digits after it. All other characters separate
    words and are dropped. A name of small letters stays as it is.
    """
    start = re.match("[a-z0-9]+(?:_[a-z0-9]+)*", text)
    kept = start[0] if start else ""
    rest = text[len(kept) :]
    if not rest:
        return text
    words = [kept] if kept else []
    # Digits before capitals belong to their word, as in 2FA, unless a small letter has begun a word.
    if rest[0].isascii() and rest[0].isupper() and not re.search("[a-z]", kept.rpartition("_")[2]):
        run = re.match("[A-Z0-9]+[a-z0-9]*", rest)
        word = run[0] if run else ""
        words, rest = [kept + word.lower()], rest[len(word) :]
    words += [word.lower() for word in re.findall("[A-Z0-9]+[a-z0-9]*|[a-z0-9]+", rest)]
    return "_".join(words)


def table(call: Call, event: str | None, reserved: frozenset[str], longest: int) -> Stored | None:
    """Return the table of an event, or None if its name has no letter for a table name.

    Without a name, return the table of all events of the call.
    """
    if call != "track" or event is None:
        return Stored((TABLES[call],))
    name = snake_case(event)
    if name in OWN_TABLES:
        return Stored((f"_{name}",), sure=False)
    return _named(name, reserved, longest)


def column(call: Call, path: Path, reserved: frozenset[str], longest: int) -> Stored | None:
    """Return the column for a path of a call, or None if Segment doesn't store it.

    The path starts at the event. `type` isn't stored, because it is known from the table.
    """
    first, *rest = path.segments
    if not rest:
        if call in NAME_COLUMNS and first == ("event" if call == "track" else "name"):
            return Stored((NAME_COLUMNS[call],), kind="text")
        if call == "alias" and first == "previousId":
            return Stored(("previous_id",), kind="text")
        own = _OF_THE_CALL.get(first)
        return None if own is None else Stored((own,), kind=OWN_COLUMNS[own])
    if first not in ("context", "traits" if call == "identify" else "properties"):
        return None
    name = "_".join(word for word in map(snake_case, rest) if word)
    if first == "context":
        return _named(f"context_{name}" if name else "", frozenset(), longest)
    taken = name in OWN_COLUMNS or name == NAME_COLUMNS.get(call) or name.startswith("context_")
    return Stored((f"_{name}",), sure=False) if taken else _named(name, reserved, longest)


def _named(name: str, reserved: frozenset[str], longest: int) -> Stored | None:
    if not name:
        return None
    if name[0].isdigit() or name in reserved:
        return Stored((f"_{name}", name))
    if len(name) > longest:  # how Segment shortens it isn't documented
        return Stored((name[:longest],), sure=False)
    return Stored((name, f"_{name}"))
