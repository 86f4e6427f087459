"""The domains of docs/contract.md in SQL, from a column or a JSON value to a value or NULL.

Nested SELECTs compute a value in steps, so that an expression used several times becomes a column. `readings` returns
the expressions that the innermost SELECT reads from the table or the element. `settle` turns them into the value, and
passes intermediate expressions to `derive`.
"""

import sys
from collections.abc import Callable

from ..contract.columns import (
    FORMATS,
    LISTS,
    MAX_ELEMENTS,
    MAX_FLOAT,
    MAX_ID,
    MAX_SECONDS,
    MAX_STRING,
    MAX_TEXTUAL,
)
from ..contract.rows import PLACEHOLDERS
from .catalog import UNKNOWN
from .dialect import BLANKS, INTEGER, MARK, NUMBER, RANGES, Dialect

#: The limit of whole numbers that a 64-bit float holds exactly.
_EXACT = 1 << 53

#: Domains of texts -> maximum characters, for lists those of an element.
LENGTHS = {
    "id": MAX_ID,
    "any_id": MAX_ID,
    "string": MAX_STRING,
    "textual": MAX_TEXTUAL,
    "ids": MAX_ID,
    "categories": MAX_STRING,
}

#: Units per second.
_UNITS = {"epoch_seconds": 1, "epoch_milliseconds": 1000}

#: The kinds that hold text. A "string" is a text that can't be an array.
TEXTS = ("text", "string", UNKNOWN)

_ANYTHING = {*TEXTS, "json"}
_NUMBERS = _ANYTHING | {"integer", "float"}
_STRINGS = _NUMBERS | {"boolean", "timestamp"}

#: domain -> kinds of columns that can hold its values. For all other domains, which are numbers, _NUMBERS.
_FITS = {
    **dict.fromkeys(("id", "any_id", "ids"), _STRINGS - {"boolean"}),
    **dict.fromkeys(("string", "textual", "categories"), _STRINGS),
    **dict.fromkeys(("iso", "date"), _ANYTHING | {"timestamp"}),
    "boolean": _ANYTHING | {"boolean"},
}

#: Names an expression as a column of an outer SELECT, so that it is written once: expression, and level (0 to 2).
Derive = Callable[[str, int], str]


def fits(domain: str, kind: str, *, through: bool = False) -> bool:
    """Return whether a column of a kind can hold a value of a domain, or (`through`) an array on the way to it."""
    return kind in (_ANYTHING if through else _FITS.get(domain, _NUMBERS))


def readings(dialect: Dialect, domain: str, kind: str, x: str, *, through: bool = False) -> list[tuple[str, str]]:
    """Return the expressions to read from a column or a JSON value, each with its kind. At most one isn't NULL.

    The kinds are those of `catalog.kind`, "string" for a text that can't be an array, "array" and "seconds".
    """
    if not fits(domain, kind, through=through):
        return []
    if domain in LISTS:
        array = (dialect.array(x) if kind == "json" else dialect.parts(_text(dialect, kind, x)), "array")
        if through:
            return [array]
        single = readings(dialect, "string" if domain == "categories" else "id", kind, x)
        return [array, *single] if kind in _ANYTHING else single
    if kind == "json":
        text, number = (dialect.json_text(x), "string"), (dialect.json_number(x), "float")
        if domain in LENGTHS:
            string = (dialect.json_string(x), "string")
            return [string] if domain in ("id", "any_id") else [string, (dialect.json_boolean(x), "boolean")]
        if domain in ("iso", "date"):
            return [text]
        if domain == "boolean":
            return [(dialect.json_boolean(x), "boolean"), text]
        return [*([(dialect.json_integer(x), "integer")] if domain == "long" else []), number, text]
    if kind == "timestamp" and domain in FORMATS:
        return [(dialect.seconds(x), "seconds")]
    if kind == UNKNOWN and domain == "boolean":
        # Not every warehouse can cast a boolean to text, so a column read as a boolean is assumed to be one.
        return [(x, "boolean")]
    return [(_text(dialect, kind, x), kind)]


def _text(dialect: Dialect, kind: str, x: str) -> str:
    return dialect.as_text(x) if kind == UNKNOWN else x


def settle(
    dialect: Dialect, domain: str, kind: str, x: str, derive: Derive, rest: tuple[str, ...] | None = None
) -> str:
    """Return the value in a domain of an expression from `readings`, NULL if it is outside.

    `rest` has the keys from an element of an array to the listed value.
    """
    if domain in LISTS:
        if kind == "array":
            return _array(dialect, domain, joined(dialect, domain, x, rest or (), derive))
        return _single(dialect, domain, kind, x, derive)
    if domain in LENGTHS:
        return _string(dialect, domain, kind, x, derive)
    if domain in FORMATS:
        return _timestamp(dialect, domain, kind, x, derive)
    if domain == "boolean":
        return x if kind == "boolean" else _boolean(dialect, x)
    return _number(dialect, domain, kind, x, derive)


def plain(dialect: Dialect, kind: str, x: str) -> str:
    """Return the text of a value as a string, of any length and with any characters."""
    if kind == "integer":
        return f"CASE WHEN {x} {RANGES['long']} THEN {dialect.short(x)} END"
    if kind == "float":  # a whole one is an integer: JavaScript sends 5 for 5.0
        return f"CASE WHEN {_whole(x)} THEN {dialect.short(f'CAST({x} AS BIGINT)')} END"
    if kind == "boolean":
        return dialect.boolean_text(x)
    return dialect.iso_text(x) if kind == "timestamp" else x


def _whole(x: str) -> str:
    return f"{x} = FLOOR({x}) AND ABS({x}) < {_EXACT}"


def _string(dialect: Dialect, domain: str, kind: str, x: str, derive: Derive) -> str:
    """Return a string (rule 3). Segment stores arrays as JSON text, so those don't count. Points in time were texts."""
    most = LENGTHS[domain]
    if kind not in TEXTS:
        return dialect.short(plain(dialect, kind, x), most)
    text = derive(dialect.one_line(x), 1) if domain == "textual" else x
    text = no_placeholder(dialect, x, derive) if domain == "id" else text
    tests = [dialect.printable(text, most)]
    if kind != "string":
        tests.append(f"NOT ({dialect.is_array(x)})")
    return f"CASE WHEN {' AND '.join(tests)} THEN {dialect.short(text, most)} END"


def no_placeholder(dialect: Dialect, x: str, derive: Derive) -> str:
    """Return a text, NULL for a placeholder (rule 3)."""
    return derive(f"CASE WHEN NOT {dialect.is_placeholder(x)} THEN {x} END", 1)


def _timestamp(dialect: Dialect, domain: str, kind: str, x: str, derive: Derive) -> str:
    """Return a timestamp (rule 4). A column of unknown type may hold points in time, whose text has a blank."""
    if domain in _UNITS:
        units = _UNITS[domain]
        number = _float(dialect, kind, x, derive)
        seconds = f"FLOOR({number})" if units == 1 else f"FLOOR(FLOOR({number}) / {units})"
        bounds = f"{number} >= 0 AND {number} < {MAX_SECONDS * units}"
        return f"CASE WHEN {bounds} THEN CAST({seconds} AS BIGINT) END"
    if kind == "seconds":  # a date has no time of day
        return x if domain == "iso" else f"CASE WHEN MOD({x}, 86400) = 0 THEN {x} END"
    read = dialect.instant if domain == "iso" else dialect.date
    if kind != UNKNOWN:
        return read(x)
    clock = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]([.][0-9]+)?" if domain == "iso" else "00:00:00([.]0+)?"
    stored = f"[0-9]{{4}}-[0-9][0-9]-[0-9][0-9] {clock}( ?([+]00(:?00)?|Z))?"
    iso = f"REPLACE(SUBSTRING({x}, 1, 19), ' ', 'T') || 'Z'" if domain == "iso" else f"SUBSTRING({x}, 1, 10)"
    return f"CASE WHEN {dialect.matches(x, stored)} THEN {read(f'({iso})')} ELSE {read(x)} END"


def _boolean(dialect: Dialect, x: str) -> str:
    """Return a boolean from a text in any case (rule 5)."""
    true, false = (dialect.matches(x, "".join(f"[{c.upper()}{c}]" for c in text)) for text in ("true", "false"))
    return f"CASE WHEN {true} THEN TRUE WHEN {false} THEN FALSE END"


def _float(dialect: Dialect, kind: str, x: str, derive: Derive) -> str:
    """Return a number as a float, or a text that is exactly a number, NULL for any other text (rule 5)."""
    if kind not in TEXTS:
        return x
    unsigned = f"COALESCE(NULLIF({x}, '-0'), '0')"  # an integer has no negative zero
    return derive(f"CASE WHEN {dialect.matches(x, NUMBER)} THEN TRY_CAST({unsigned} AS {dialect.double_type}) END", 1)


def _number(dialect: Dialect, type_: str, kind: str, x: str, derive: Derive) -> str:
    """Return a number of a type (rule 5)."""
    number = _float(dialect, kind, x, derive)
    if type_ not in RANGES:
        if kind == "integer":
            number = f"CAST({x} AS {dialect.double_type})"
        # Every number except infinity and NaN is at most the greatest one.
        greatest = dialect.double(str(MAX_FLOAT if type_ == "float" else sys.float_info.max))
        return f"CASE WHEN ABS({number}) <= {greatest} THEN {number} END"
    bounds = RANGES[type_]
    if kind == "integer":
        return f"CASE WHEN {x} {bounds} THEN CAST({x} AS BIGINT) END"
    whole = f"CASE WHEN {_whole(number)} AND {number} {bounds} THEN CAST({number} AS BIGINT) END"
    if kind == "float" or type_ == "int":
        return whole
    exact = f"TRY_CAST({x} AS BIGINT)"  # more digits than a float has
    exact = f"CASE WHEN {exact} {bounds} THEN {exact} END"
    return f"CASE WHEN {dialect.matches(x, INTEGER)} THEN {exact} ELSE {whole} END"


def _single(dialect: Dialect, domain: str, kind: str, x: str, derive: Derive) -> str:
    """Return a single value as a list of one (rule 5)."""
    value = _string(dialect, "id" if domain == "ids" else "string", "string" if kind in TEXTS else kind, x, derive)
    if kind not in TEXTS:
        return value
    bar = f" AND {x} NOT LIKE '%|%'" if domain == "ids" else ""
    return f"CASE WHEN {x} NOT LIKE '[%'{bar} THEN {value} END"


def joined(dialect: Dialect, domain: str, x: str, rest: tuple[str, ...], derive: Derive) -> str:
    """Return the first elements of an array that are present, between bars, with MARK for those outside the domain."""
    most, booleans = LENGTHS[domain], domain == "categories"
    texts = []
    for position in range(MAX_ELEMENTS):
        item = dialect.item(x, position)
        for key in rest:
            item = dialect.member(item, key)
        texts.append(derive(dialect.listed(derive(item, 0), booleans=booleans), 1))
    if booleans:
        # Check the sum first, so that no text exceeds a warehouse's limit.
        size = " + ".join(f"COALESCE(LENGTH({text}), 0)" for text in texts)
        parts = [f"CASE {text} WHEN '' THEN {MARK} ELSE '|' || {dialect.short(text, most)} END" for text in texts]
        whole = " || ".join(f"COALESCE({part}, '')" for part in parts)
        return derive(f"CASE WHEN {size} <= {most} THEN {whole} ELSE {MARK} END", 2)
    blanks = derive(BLANKS, 1)
    parts = []
    for text in texts:
        bad = f"LENGTH({text}) > {most} OR {text} LIKE '%|%'"
        part = f"CASE WHEN {bad} THEN {MARK} ELSE '|' || {dialect.short(text)} || '|' END"
        parts.append(f"CASE WHEN LENGTH(LTRIM({text}, {blanks})) > 0 THEN {part} ELSE '' END")
    whole = " || ".join(parts)
    for placeholder in sorted(PLACEHOLDERS):
        whole = f"REPLACE({whole}, '|{placeholder}|', '')"
    return derive(whole, 2)


def _array(dialect: Dialect, domain: str, x: str) -> str:
    """Return the list from the result of `joined` (rule 5)."""
    if domain == "categories":
        most, inner = MAX_STRING, f"SUBSTRING({x}, 2)"
    else:
        most, inner = MAX_ELEMENTS * (MAX_ID + 2), f"REPLACE(SUBSTRING({x}, 2, LENGTH({x}) - 2), '||', '|')"
    return f"CASE WHEN {dialect.printable(x, most + 1)} AND LENGTH({x}) > 1 THEN {dialect.short(inner, most)} END"
