"""Segment event -> rows for Amazon Personalize, or the reasons why there are none.

This is the reference of docs/contract.md, whose rules are cited by number; `history/duckdb/compiler.py` says
the same in SQL. Lambda, the Glue job and `explain` run it as it is.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from .columns import MAX_FLOAT, MAX_IMPRESSION, MAX_STRING, USER_ID
from .mapping import Dataset, EventMapping, Path, Rule, Source

Value = str | int | float | bool | list[str] | None

#: Of a row: seconds, the fraction's digits, and the texts of the columns.
SortKey = tuple[int, str, tuple[str, ...]]

MISSING = "missing"
UNMAPPED = "no rule for this event"
#: How the messageId of an identify begins that this project wrote to Segment (rule 1).
WRITE_BACK_ID = "personalize-segment-"
#: The name that such an identify has, so that no rule matches it.
WRITE_BACK = "write-back"
NO_ARRAY = "not an array"
EMPTY = "an empty array"

#: type -> what the reason says when a value stands there, but outside the type's domain.
NOT_IN_DOMAIN = {
    "string": "not a string of 1-256 printable characters, nor an integer",
    "timestamp": "not an ISO-8601 instant with an offset",
    "float": "not a finite number of 32 bits",
    "double": "not a finite number",
    "int": "not an integer of 32 bits",
    "long": "not an integer of 64 bits",
    "boolean": "neither true nor false",
    "ids": "not an array of ids",
}


class Row(NamedTuple):
    """One line for one dataset; `values` stand in the order of the dataset's columns.

    `element` is its position for a rule with `each`, else None; with `message_id`
    it identifies an interaction (rule 9). `instant` orders the rows of one user or item:
    epoch seconds and the fraction's digits, or None where the event has no timestamp.
    """

    dataset: Dataset
    values: tuple[Value, ...]
    message_id: str | None
    element: int | None
    instant: tuple[int, str] | None

    @property
    def user(self) -> Value:
        """Whose the row is; None if it belongs to no user, or to an anonymous visitor."""
        position = self.dataset.user_column
        return None if position is None else self.values[position]


class Reason(NamedTuple):
    """Why an event or an element gave no row; without a dataset, no rule knows the event."""

    dataset: str | None
    field: str | None
    reason: str


_decode = json.JSONDecoder().decode
_MAX_DIGITS = 4000


def parse_line(data: bytes, loads: Callable[[bytes], Any] | None = None) -> dict[str, Any] | None:
    """Return the event in one line of a log, or None if the line is malformed (rule 11).

    `loads` may be a faster parser that refuses, with a ValueError, more than it must, such as orjson's:
    what it refuses is looked at again.
    """
    event: Any = None
    try:
        event = _strict(data) if loads is None else loads(data)
    except (ValueError, RecursionError):
        return None if loads is None else parse_line(data)
    return event if type(event) is dict and type(event.get("type")) is str else None


def _strict(data: bytes) -> Any:
    line = data.decode()
    event = load(line)
    if "\\u" in line and ("\\ud" in line or "\\uD" in line):
        # Half of a surrogate pair is no character: no other part could write it.
        json.dumps(event, ensure_ascii=False).encode()
    return event


def load(line: str) -> Any:
    """Return the JSON in a text, with integers of any length; raises ValueError and RecursionError."""
    try:
        return _decode(line)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # More digits than Python turns into an int: JSON all the same, and in no domain.
        return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < _MAX_DIGITS else math.inf)


def describe(event: dict[str, Any]) -> tuple[str, str | None]:
    """Return an event's call and name, as a rule has them (rule 1)."""
    call = event["type"]
    if call == "identify":
        # Our own recommendations are no traits: the row would be the user's latest, without any.
        return call, WRITE_BACK if (string(event.get("messageId")) or "").startswith(WRITE_BACK_ID) else None
    name = event.get("event" if call == "track" else "name") if call in ("track", "page", "screen") else None
    return call, name if type(name) is str else None


def rows(mapping: EventMapping, event: dict[str, Any], *, anonymous: bool = False) -> tuple[list[Row], list[Reason]]:
    """Return the rows that `event`, which has a string `type`, gives, and why others are left out.

    With `anonymous`, for the live path, an interaction whose USER_ID is missing has None there
    if the event has an `anonymousId` to name the session.
    """
    matches = mapping.by_event.get(describe(event))
    if matches is None:
        return [], [Reason(None, None, UNMAPPED)]
    anonymous = anonymous and string(event.get("anonymousId")) is not None
    event_rows: list[Row] = []
    reasons: list[Reason] = []
    for dataset, rule in matches:
        if rule.each is None:
            _row(dataset, rule, event, None, None, event_rows, reasons, anonymous)
            continue
        elements = walk(event, rule.each)
        if type(elements) is not list or not elements:
            why = MISSING if elements is None else EMPTY if elements == [] else NO_ARRAY
            reasons.append(Reason(dataset.name, str(rule.each), why))
            continue
        for index, element in enumerate(elements):
            _row(dataset, rule, event, element, index, event_rows, reasons, anonymous)
    return event_rows, reasons


def _row(
    dataset: Dataset,
    rule: Rule,
    event: dict[str, Any],
    element: Any,
    index: int | None,
    event_rows: list[Row],
    reasons: list[Reason],
    anonymous: bool,
) -> None:
    values: list[Value] = []
    for column, source in zip(dataset.columns, rule.sources, strict=True):
        if not isinstance(source, Source):
            values.append(source)
            continue
        domain = DOMAINS[column.type]
        value = None
        present = False
        for path in source.paths:  # rule 6
            raw = walk(element if path.relative else event, path)
            if raw is not None:
                present = True
                value = domain(raw)
                if value is not None:
                    break
        if value is None and source.required:
            if anonymous and not present and column.name == USER_ID and dataset.name == "interactions":
                values.append(None)
                continue
            why = NOT_IN_DOMAIN[column.type] if present else MISSING
            reasons.append(Reason(dataset.name, column.name, why))
            return
        values.append(value)
    raw_id = event.get("messageId")
    message_id = string(raw_id)
    if message_id is None and dataset.name == "interactions":  # rule 9 needs it
        why = MISSING if raw_id is None else NOT_IN_DOMAIN["string"]
        reasons.append(Reason(dataset.name, "messageId", why))
        return
    instant = None if dataset.name == "interactions" else _instant(event.get("timestamp"))
    event_rows.append(Row(dataset, tuple(values), message_id, index, instant))


def walk(value: Any, path: Path) -> Any:
    """Return what stands at a path: objects only, and None is absent (rule 2)."""
    for segment in path.segments:
        if type(value) is not dict:
            return None
        value = value.get(segment)
    return value


# Cc is what Unicode calls control; Cs are surrogates, which are no characters.
_NOT_PRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SECONDS = {f":{second:02}": second for second in range(60)}
INT64 = range(-(2**63), 2**63)
INT32 = range(-(2**31), 2**31)
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))"
)


def string(value: Any) -> str | None:
    """Rule 3."""
    if type(value) is str:
        if not 0 < len(value) <= MAX_STRING:
            return None
        # The common case first: ASCII has no other characters that isprintable() refuses.
        return value if (value.isascii() and value.isprintable()) or not _NOT_PRINTABLE.search(value) else None
    return str(value) if type(value) is int and value in INT64 else None


def _instant(value: Any) -> tuple[int, str] | None:
    """Rule 4: whole epoch seconds, and the fraction's digits."""
    if type(value) is not str:
        return None
    # The common case first: most events of a file share their minute, and end with fraction and Z.
    second, fraction = _SECONDS.get(value[16:19]), value[20:-1]
    if second is not None and value[19:20] == "." and value[-1] == "Z" and fraction.isdigit() and fraction.isascii():
        minute = _minute(value[:16])
        return None if minute is None else (minute + second, fraction)
    return _any_instant(value)


@lru_cache(maxsize=4096)
def _minute(text: str) -> int | None:
    instant = _any_instant(f"{text}:00Z")
    return None if instant is None else instant[0]


def _any_instant(value: str) -> tuple[int, str] | None:
    match = _INSTANT.fullmatch(value)
    days = _days(match[1]) if match else None
    if match is None or days is None:
        return None
    _, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    seconds = days * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(offset_hour) * 3600 + int(offset_minute) * 60
        seconds += -offset if sign == "+" else offset
    return seconds, fraction or ""


@lru_cache(maxsize=4096)
def _days(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() - 719_163
    except ValueError:
        return None


def _timestamp(value: Any) -> int | None:
    instant = _instant(value)
    return None if instant is None else instant[0]


def _double(value: Any) -> float | None:
    """Rule 5."""
    if type(value) is not float and type(value) is not int:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _float(value: Any) -> float | None:
    number = _double(value)
    return None if number is None or abs(number) > MAX_FLOAT else number


def _integer(bounds: range) -> Callable[[Any], int | None]:
    return lambda value: value if type(value) is int and value in bounds else None


def _boolean(value: Any) -> bool | None:
    return value if type(value) is bool else None


def _ids(value: Any) -> list[str] | None:
    """Rule 5: the first ids of an array in which every element is one, without the separator |."""
    if type(value) is not list or not value:
        return None
    ids = [string(element) for element in value]
    return None if any(id_ is None or "|" in id_ for id_ in ids) else [id_ for id_ in ids if id_][:MAX_IMPRESSION]


DOMAINS: dict[str, Callable[[Any], Value]] = {
    "string": string,
    "timestamp": _timestamp,
    "float": _float,
    "double": _double,
    "int": _integer(INT32),
    "long": _integer(INT64),
    "boolean": _boolean,
    "ids": _ids,
}


def text(value: Value) -> str:
    """Return how a value stands in the CSV; null is the empty text (contract, "CSV")."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "|".join(value) if isinstance(value, list) else str(value)


#: The seconds of a row whose event has no timestamp: earlier than every instant.
NEVER = -(10**12)


def sort_key(row: Row) -> SortKey:
    """Return what orders the rows of one user or item; the greatest is the latest (rule 9)."""
    seconds, fraction = row.instant or (NEVER, "")
    return seconds, fraction, tuple(map(text, row.values))
