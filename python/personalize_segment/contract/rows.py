"""Turn a Segment event into rows for Amazon Personalize, or into the reasons for having none.

This is the reference implementation of docs/contract.md, whose rules are cited by number. Lambda, the Glue job and
`explain` run it directly; `history/duckdb/compiler.py` expresses it in SQL.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from .columns import (
    LISTS,
    MAX_AHEAD_SECONDS,
    MAX_ELEMENTS,
    MAX_FLOAT,
    MAX_ID,
    MAX_SECONDS,
    MAX_STRING,
    MAX_TEXTUAL,
    USER_ID,
)
from .mapping import Condition, Dataset, EventMapping, Path, Rule, Source
from .suppression import SUPPRESSED, SuppressionList

Value = str | int | float | bool | list[str] | None

MISSING = "missing"
UNMAPPED = "no rule for this event"
NO_CONDITION = "no rule whose conditions hold"
#: Prefix of the messageId of identify calls that this project wrote to Segment (rule 1).
WRITE_BACK_ID = "personalize-segment-"
#: The name of such an identify call. No rule matches it.
WRITE_BACK = "write-back"
NO_ARRAY = "not an array"
EMPTY = "an empty array"
#: The reason for a valid element after the first `max_elements`. It names no number, so that it is one kind of reason.
TOO_LONG = "more elements than the mapping's max_elements"

#: Texts that count as absent if an id is expected (rule 3).
PLACEHOLDERS = frozenset({"undefined", "null", "NaN", "None", "[object Object]"})

_YEARS = "from 1970-01-01 to 2286-11-20"
#: domain -> the reason for a value outside the domain.
NOT_IN_DOMAIN = {
    "id": "not a string of 1-256 printable characters, nor an integer",
    "any_id": "not a string of 1-256 printable characters, nor an integer",
    "string": "not a string of 1-1,000 printable characters, an integer or a boolean",
    "textual": "not a string of 1-20,000 printable characters, an integer or a boolean",
    "iso": "not an ISO-8601 instant with an offset",
    "date": "not a date such as 2024-03-01",
    "epoch_seconds": f"not epoch seconds {_YEARS}",
    "epoch_milliseconds": f"not epoch milliseconds {_YEARS}",
    "float": "not a finite number of 32 bits",
    "double": "not a finite number",
    "int": "not an integer of 32 bits",
    "long": "not an integer of 64 bits",
    "boolean": "neither true nor false",
    "ids": "not an array of ids",
    "categories": "not a list of strings, together of 1-1,000 characters",
}


def not_in_domain(source: Source) -> str:
    """Return the reason for a value outside the domain of `source`."""
    why = NOT_IN_DOMAIN[source.domain]
    return f"{why}, {_YEARS}" if source.bounded and _YEARS not in why else why


class Row(NamedTuple):
    """A row of a dataset. `values` are in the order of the dataset's columns.

    `element` is the position of the element for a rule with `each`, else None. With `message_id`, it identifies an
    interaction (rule 9). `instant` orders the rows of one user or item: epoch seconds and the fraction's digits, or
    None if the event has no timestamp. `unusable` has the reasons for optional columns that are null because their
    value can't be used. `ahead` is set if the time of receipt replaced a wrong clock's instant (rule 4). `visitor` is
    the session id of an interaction without a user, whose USER_ID is None (rule 12).
    """

    dataset: Dataset
    values: tuple[Value, ...]
    message_id: str | None
    element: int | None
    instant: tuple[int, str] | None
    unusable: tuple["Reason", ...] = ()
    ahead: bool = False
    visitor: str | None = None

    @property
    def user(self) -> Value:
        """The row's user; None if the row belongs to no user, or to an anonymous visitor."""
        position = self.dataset.user_column
        return None if position is None else self.values[position]


class Reason(NamedTuple):
    """The reason for an event or an element without a row. `dataset` is None if the event has no rule."""

    dataset: str | None
    field: str | None
    reason: str
    element: int | None = None


#: Maximum number of positions per reason.
_MAX_POSITIONS = 5


def grouped(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Return the reasons for JSON, with equal ones merged: their count, and the positions of the first elements."""
    groups: dict[tuple[Any, ...], list[int | None]] = {}
    for *why, element in reasons:
        groups.setdefault(tuple(why), []).append(element)
    return [
        dict(zip(Reason._fields, why, strict=False))
        | {"count": len(elements), "elements": [one for one in elements if one is not None][:_MAX_POSITIONS]}
        for why, elements in groups.items()
    ]


_decode = json.JSONDecoder().decode
_MAX_DIGITS = 4000


def parse_line(data: bytes, loads: Callable[[bytes], Any] | None = None) -> dict[str, Any] | None:
    """Return the event in one line of a log, or None if the line is malformed (rule 11).

    `loads` may be a faster parser that also refuses valid lines with a ValueError, such as orjson's. Lines that it
    refuses are parsed again.
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
        # Half of a surrogate pair isn't a character: other parts couldn't write it.
        json.dumps(event, ensure_ascii=False).encode()
    return event


def load(line: str) -> Any:
    """Return the JSON in a text, with integers of any length. Raises ValueError and RecursionError."""
    try:
        return _decode(line)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # More digits than Python turns into an int. It is valid JSON, and outside all domains.
        return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < _MAX_DIGITS else math.inf)


def describe(event: dict[str, Any]) -> tuple[str, str | None]:
    """Return an event's call and name, as used in rules (rule 1)."""
    call = event["type"]
    if call == "identify":
        # Recommendations that were written back aren't traits: the row would replace the user's traits with nothing.
        return call, WRITE_BACK if (id_text(event.get("messageId")) or "").startswith(WRITE_BACK_ID) else None
    name = event.get("event" if call == "track" else "name") if call in ("track", "page", "screen") else None
    return call, name if type(name) is str else None


def rows(
    mapping: EventMapping,
    event: dict[str, Any],
    *,
    present: int | None = None,
    suppressed: SuppressionList | None = None,
) -> tuple[list[Row], list[Reason]]:
    """Return the rows of `event`, which has a string `type`, and the reasons for rows that are left out.

    Unless the mapping drops visitors, an interaction without a USER_ID has None there if the event names its session.
    The user is found later: by history (rule 12), or by Personalize for live events. For a `suppressed` user, datasets
    whose rows belong to users get the reason SUPPRESSED. `present` is the parameter of `received`.
    """
    rules = mapping.rules(*describe(event))
    if rules is None:
        return [], [Reason(None, None, UNMAPPED)]
    arrival = received(event, present)
    event_rows: list[Row] = []
    reasons: list[Reason] = []
    chosen = choose(rules, event)
    held: dict[Value, bool] = {}
    for dataset, rule in chosen:
        for index, element, why in _WHOLE if rule.each is None else _elements(rule.each, event):
            if suppressed is not None and _holds(suppressed, held, _user(dataset, rule, event, element)):
                reasons.append(Reason(dataset.name, USER_ID, SUPPRESSED, index))
            elif why is not None:
                reasons.append(Reason(dataset.name, str(rule.each), why))
            else:
                _row(mapping, dataset, rule, event, element, index, arrival, event_rows, reasons)
    return event_rows, reasons if chosen else [Reason(None, None, NO_CONDITION)]


def _holds(suppressed: SuppressionList, held: dict[Value, bool], user: Value) -> bool:
    if user not in held:  # most elements have the user of their event
        held[user] = suppressed.holds(user)
    return held[user]


#: Position and value of an element, and the reason if it has no row.
_Element = tuple[int | None, Any, str | None]
_WHOLE: list[_Element] = [(None, None, None)]


def _elements(each: Path, event: dict[str, Any]) -> list[_Element]:
    """Return the elements at a path, or the reason if there are none (rule 7)."""
    elements = walk(event, each)
    if type(elements) is not list or not elements:
        return [(None, None, MISSING if elements is None else EMPTY if elements == [] else NO_ARRAY)]
    return [(index, element, None) for index, element in enumerate(elements)]


def _user(dataset: Dataset, rule: Rule, event: dict[str, Any], element: Any) -> Value:
    """Return the user of the row that an event or an element may produce; None if it has no user."""
    source = None if dataset.user_column is None else rule.sources[dataset.user_column]
    if not isinstance(source, Source):
        return None
    values = (DOMAINS[source.domain](walk(element if path.relative else event, path)) for path in source.paths)
    return next((value for value in values if value is not None), None)


def choose(rules: tuple[tuple[Dataset, Rule], ...], event: dict[str, Any]) -> list[tuple[Dataset, Rule]]:
    """Return the rules that apply to an event: in each dataset, the first one whose conditions all hold (rule 1)."""
    if all(not rule.when for _, rule in rules):
        return list(rules)
    chosen: dict[str, tuple[Dataset, Rule]] = {}
    for dataset, rule in rules:
        if dataset.name not in chosen and (not rule.when or all(holds(one, event) for one in rule.when)):
            chosen[dataset.name] = dataset, rule
    return list(chosen.values())


def holds(condition: Condition, event: dict[str, Any]) -> bool:
    """Return whether a condition holds for an event (rule 1)."""
    raw = walk(event, condition.path)
    if condition.present is not None:
        return (raw is not None) is condition.present
    if condition.texts is not None:
        return string(raw) in condition.texts
    number = _double(raw)
    return number is not None and all(_COMPARED[sign](number, bound) for sign, bound in condition.bounds or ())


_COMPARED = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


def session(mapping: EventMapping, event: dict[str, Any]) -> str | None:
    """Return the id of an event's session; None if it has none."""
    return first_id(mapping.session, event)


def first_id(paths: tuple[Path, ...], event: dict[str, Any]) -> str | None:
    """Return the first id (rule 3) at the paths; None if there is none."""
    for path in paths:
        value = id_text(walk(event, path))
        if value is not None:
            return value
    return None


def received(event: dict[str, Any], present: int | None) -> tuple[int, str] | None:
    """Return the instant at which an event was received (rule 4).

    `present`, in epoch seconds, replaces a `receivedAt` that is missing or more than a day ahead of it. For live events
    it is the current time, and for logs the end of the day that their folder names.
    """
    instant = instant_of(event.get("receivedAt"))
    if present is not None and (instant is None or instant[0] > present + MAX_AHEAD_SECONDS):
        return present, ""
    return instant


def happened(event: dict[str, Any], received: tuple[int, str] | None) -> tuple[tuple[int, str] | None, bool]:
    """Return the instant of an event's `timestamp`, and whether `received` replaces a wrong clock's (rule 4)."""
    instant = instant_of(event.get("timestamp"))
    if instant is not None and received is not None and instant[0] > received[0] + MAX_AHEAD_SECONDS:
        return received, True
    return instant, False


def _row(
    mapping: EventMapping,
    dataset: Dataset,
    rule: Rule,
    event: dict[str, Any],
    element: Any,
    index: int | None,
    received: tuple[int, str] | None,
    event_rows: list[Row],
    reasons: list[Reason],
) -> None:
    values: list[Value] = []
    unusable: list[Reason] = []
    ahead = False
    visitor = None
    for column, source in zip(dataset.columns, rule.sources, strict=True):
        if not isinstance(source, Source):
            values.append(None if source is None else source.value)
            continue
        domain = DOMAINS[source.domain]
        present = False
        for path in source.paths:  # rule 6
            raw = walk(element if path.relative else event, path)
            if raw is None:
                continue
            value = domain(raw)
            if value is None:
                present = present or not _is_absent(raw, source.domain)
                continue
            if source.bounded:
                value, late = _in_bounds(column.name, value, received)
                if value is None:
                    present = True
                    continue
                ahead = ahead or late
            values.append(value)
            break
        else:
            if not source.required:
                values.append(None)
                if present:
                    unusable.append(Reason(dataset.name, column.name, not_in_domain(source), index))
            elif (
                column.name == USER_ID
                and dataset.name == "interactions"
                and not present
                and mapping.visitors != "drop"
                and (visitor := session(mapping, event)) is not None
            ):
                values.append(None)
            else:
                why = not_in_domain(source) if present else MISSING
                reasons.append(Reason(dataset.name, column.name, why, index))
                return
    raw_id = event.get("messageId")
    message_id = id_text(raw_id)
    if message_id is None and dataset.name == "interactions":  # rule 9 needs it
        absent = raw_id is None or (type(raw_id) is str and _is_placeholder(raw_id))
        reasons.append(Reason(dataset.name, "messageId", MISSING if absent else NOT_IN_DOMAIN["id"], index))
        return
    if index is not None and index >= mapping.max_elements:
        reasons.append(Reason(dataset.name, str(rule.each), TOO_LONG, index))
        return
    instant = None
    if dataset.name != "interactions":
        instant, late = happened(event, received)
        ahead = ahead or late
    event_rows.append(Row(dataset, tuple(values), message_id, index, instant, tuple(unusable), ahead, visitor))


def _in_bounds(column: str, value: int, received: tuple[int, str] | None) -> tuple[int | None, bool]:
    """Return a timestamp (None if it is out of bounds), and whether it replaces a wrong clock's (rule 4)."""
    late = column == "TIMESTAMP" and received is not None and value > received[0] + MAX_AHEAD_SECONDS
    if late and received is not None:
        value = received[0]
    return (value if 0 <= value < MAX_SECONDS else None), late


def probe(event: dict[str, Any], element: Any, column: str, source: Source, path: Path) -> tuple[bool, bool]:
    """Return whether one path of a column finds a value, and whether the value is in the column's domain."""
    raw = walk(element if path.relative else event, path)
    if raw is None or _is_absent(raw, source.domain):
        return False, False
    value = DOMAINS[source.domain](raw)
    if source.bounded and value is not None:
        value, _ = _in_bounds(column, value, instant_of(event.get("receivedAt")))
    return True, value is not None


def walk(value: Any, path: Path) -> Any:
    """Return the value at a path, which goes through objects only. None is an absent value (rule 2).

    A path through an array returns the list of the values in its first MAX_ELEMENTS elements.
    """
    if path.through is not None:
        array = walk(value, Path(path.segments[: path.through]))
        rest = Path(path.segments[path.through :])
        return [walk(element, rest) for element in array[:MAX_ELEMENTS]] if type(array) is list else None
    for segment in path.segments:
        if type(value) is not dict:
            return None
        value = value.get(segment)
    return value


# Unicode's categories Cc (control characters) and Cs (surrogates).
_NOT_PRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SECONDS = {f":{second:02}": second for second in range(60)}
INT64 = range(-(2**63), 2**63)
INT32 = range(-(2**31), 2**31)
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))"
)


#: A JSON number, also inside a string (rule 5).
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
#: Whitespace of which a placeholder may consist.
_BLANK = " \t\n\v\f\r"
#: The whole numbers that a 64-bit float holds exactly.
_EXACT = 1 << 53


def _is_placeholder(value: str) -> bool:
    return value in PLACEHOLDERS or not value.strip(_BLANK)


def _printable(value: Any, most: int) -> str | None:
    if type(value) is str:
        if not 0 < len(value) <= most:
            return None
        # The common case first. In ASCII, isprintable() refuses only control characters.
        return value if (value.isascii() and value.isprintable()) or not _NOT_PRINTABLE.search(value) else None
    return str(value) if type(value) is int and value in INT64 else None


def any_id(value: Any) -> str | None:
    """Rule 3: an id, whatever its text."""
    return _printable(value, MAX_ID)


def id_text(value: Any) -> str | None:
    """Rule 3: an id, not a placeholder."""
    # The common case first: only texts that begin with a blank may be blank.
    if type(value) is str and 0 < len(value) <= MAX_ID and value.isascii() and value.isprintable() and value[0] != " ":
        return None if value in PLACEHOLDERS else value
    return None if type(value) is str and _is_placeholder(value) else _printable(value, MAX_ID)


def string(value: Any) -> str | None:
    """Rule 3: a text that isn't an id."""
    if type(value) is bool:
        return "true" if value else "false"
    return _printable(value, MAX_STRING)


def _textual(value: Any) -> str | None:
    """Rule 3: a long text, on one line."""
    if type(value) is bool:
        return string(value)
    if type(value) is str:
        value = value.replace("\r\n", " ").replace("\r", " ").replace("\n", " ").replace("\t", " ")
    return _printable(value, MAX_TEXTUAL)


def instant_of(value: Any) -> tuple[int, str] | None:
    """Return an instant (rule 4) as whole epoch seconds and the digits of its fraction; None if it isn't one."""
    if type(value) is not str:
        return None
    # The common case first: most events of a file share their minute, and end with a fraction and Z.
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


def _iso(value: Any) -> int | None:
    instant = instant_of(value)
    return None if instant is None else instant[0]


_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(value: Any) -> int | None:
    days = _days(value) if type(value) is str and _DATE.fullmatch(value) else None
    return None if days is None else days * 86_400


def _epoch(units: int) -> Callable[[Any], int | None]:
    """Rule 4: whole seconds from a number in units of 1/`units` second."""

    def seconds(value: Any) -> int | None:
        number = _double(value)
        return math.floor(number) // units if number is not None and 0 <= number < MAX_SECONDS * units else None

    return seconds


def _number(value: Any) -> int | float | None:
    """Rule 5: a JSON number, or a string that is exactly one."""
    if type(value) is str:
        if not _NUMBER.fullmatch(value):
            return None
        whole = value.removeprefix("-").isdecimal()
        # A longer number exceeds 64 bits, so a float is exact enough.
        return int(value) if whole and len(value) <= 20 else float(value)
    return value if type(value) is float or type(value) is int else None


def _double(value: Any) -> float | None:
    """Rule 5."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    number = _number(value)
    try:
        double = math.inf if number is None else float(number)
    except OverflowError:
        return None
    return double if math.isfinite(double) else None


def _float(value: Any) -> float | None:
    number = _double(value)
    return None if number is None or abs(number) > MAX_FLOAT else number


def _integer(bounds: range) -> Callable[[Any], int | None]:
    """Rule 5: an integer, or a whole and exact number with a fraction or an exponent."""

    def integer(value: Any) -> int | None:
        number = _number(value)
        if type(number) is float:
            number = int(number) if abs(number) < _EXACT and number.is_integer() else None
        return int(number) if number is not None and number in bounds else None

    return integer


def _boolean(value: Any) -> bool | None:
    if type(value) is str:
        return {"true": True, "false": False}.get(value.lower())
    return value if type(value) is bool else None


def _listed(raw: Any, *, ids: bool) -> list[Any] | None:
    """Rule 5: the present ones of a list's first elements, or a single value as a list; None if there are none."""
    # Text that looks like an array isn't a single value: a warehouse would read it as an array. {} is in no domain.
    single = {} if type(raw) is str and raw.startswith("[") else raw
    elements = raw[:MAX_ELEMENTS] if type(raw) is list else [single]
    found = [one for one in elements if one is not None and not (ids and type(one) is str and _is_placeholder(one))]
    return found or None


def _ids(value: Any) -> list[str] | None:
    """Rule 5: ids without the separator |."""
    ids = [any_id(element) for element in _listed(value, ids=True) or [None]]
    return None if any(one is None or "|" in one for one in ids) else ids  # type: ignore[return-value]


def _categories(value: Any) -> list[str] | None:
    """Rule 5: strings that together, with | between them, are one."""
    texts = [string(element) for element in _listed(value, ids=False) or [None]]
    return None if None in texts or len("|".join(texts)) > MAX_STRING else texts  # type: ignore[arg-type, return-value]


def _is_absent(raw: Any, domain: str) -> bool:
    """Return whether a value counts as absent."""
    if domain == "id":
        return type(raw) is str and _is_placeholder(raw)
    return domain in LISTS and _listed(raw, ids=domain == "ids") is None


DOMAINS: dict[str, Callable[[Any], Any]] = {
    "id": id_text,
    "any_id": any_id,
    "string": string,
    "textual": _textual,
    "iso": _iso,
    "date": _date,
    "epoch_seconds": _epoch(1),
    "epoch_milliseconds": _epoch(1000),
    "float": _float,
    "double": _double,
    "int": _integer(INT32),
    "long": _integer(INT64),
    "boolean": _boolean,
    "ids": _ids,
    "categories": _categories,
}


def text(value: Value) -> str:
    """Return the text of a value in the CSV. Null is the empty text (contract, "CSV")."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "|".join(value) if isinstance(value, list) else str(value)


#: The seconds of a row without a timestamp: earlier than all instants.
NEVER = -(10**12)


#: A column's value at an instant: seconds, the fraction's digits, and the text in the CSV. The greatest is the latest.
Observation = tuple[int, str, str]


def observations(row: Row) -> list[Observation | None]:
    """Return the values of a user's or item's row by column (None if it has none), for merging by rule 9."""
    seconds, fraction = row.instant or (NEVER, "")
    return [None if value is None else (seconds, fraction, text(value)) for value in row.values]
