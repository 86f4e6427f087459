"""The domains of docs/contract.md in the SQL of a warehouse, from a column or a JSON value to a value or NULL.

A value takes two steps, so that what the second names more than once is just a column: `read` is what the
inner SELECT takes from the table or the element, and `settle` makes of that what the dataset has.
"""

import sys

from ..contract.columns import MAX_FLOAT, MAX_IMPRESSION
from .catalog import UNKNOWN
from .dialect import INTEGER, NUMBER, RANGES, Dialect

#: The whole numbers that a 64-bit float holds exactly.
_EXACT = 1 << 53


def read(dialect: Dialect, type_: str, kind: str, x: str) -> tuple[str, str]:
    """Return what to read of a column, or of a JSON value, for a column of `type_`, and of what kind it is then."""
    if kind == "json":
        reading = {
            "string": (dialect.json_string(x), "string"),
            "timestamp": (dialect.json_text(x), "text"),
            "float": (dialect.json_number(x), "float"),
            "double": (dialect.json_number(x), "float"),
            "int": (dialect.json_integer(x), "integer"),
            "long": (dialect.json_integer(x), "integer"),
            "boolean": (dialect.json_boolean(x), "boolean"),
            "ids": (dialect.array(x), "json"),
        }
        return reading[type_]
    if type_ == "ids":
        return (dialect.parts(x), "json") if kind in ("text", UNKNOWN) else (dialect.null("string"), "none")
    if kind == UNKNOWN:
        # A boolean can't be cast to text everywhere, so a column for one is taken for one.
        return (x, "boolean") if type_ == "boolean" else (dialect.as_text(x), UNKNOWN)
    return x, kind


def settle(dialect: Dialect, type_: str, kind: str, x: str) -> str:
    """Return the value of a column of `type_` from what `read` gave; NULL where it is outside the domain."""
    if type_ == "string":
        value = _string(dialect, kind, x)
    elif type_ == "timestamp":
        value = _timestamp(dialect, kind, x)
    elif type_ == "boolean":
        value = x if kind == "boolean" else None
    elif type_ == "ids":
        value = _ids(dialect, x) if kind == "json" else None
    else:
        value = _number(dialect, type_, kind, x)
    return dialect.null(type_) if value is None else value


def _string(dialect: Dialect, kind: str, x: str) -> str | None:
    """Rule 3, of what a column tells.

    A text that is a JSON array is one that Segment made a text of, a float that is whole an integer, and a point
    in time was a text.
    """
    if kind == "string":
        return f"CASE WHEN {dialect.printable(x)} THEN {dialect.short(x)} END"
    if kind in ("text", UNKNOWN):
        return f"CASE WHEN {dialect.printable(x)} AND NOT ({dialect.is_array(x)}) THEN {dialect.short(x)} END"
    if kind == "integer":
        return f"CASE WHEN {x} {RANGES['long']} THEN {dialect.short(x)} END"
    if kind == "float":
        whole = f"{x} = FLOOR({x}) AND ABS({x}) < {_EXACT}"
        return f"CASE WHEN {whole} THEN {dialect.short(f'CAST({x} AS BIGINT)')} END"
    return dialect.short(dialect.iso_text(x)) if kind == "timestamp" else None


def _timestamp(dialect: Dialect, kind: str, x: str) -> str | None:
    """Rule 4. A column of unknown type may hold points in time, which become texts with a blank in them."""
    if kind == "timestamp":
        return dialect.seconds(x)
    if kind == "text":
        return dialect.instant(x)
    if kind == UNKNOWN:
        stored = "[0-9]{4}-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]([.][0-9]+)?( ?([+]00(:?00)?|Z))?"
        iso = f"REPLACE(SUBSTRING({x}, 1, 19), ' ', 'T') || 'Z'"
        return (
            f"CASE WHEN {dialect.matches(x, stored)} THEN {dialect.instant(f'({iso})')} ELSE {dialect.instant(x)} END"
        )
    return None


def _number(dialect: Dialect, type_: str, kind: str, x: str) -> str | None:
    """Rule 5."""
    if type_ in RANGES:
        if kind == "integer":
            return f"CASE WHEN {x} {RANGES[type_]} THEN CAST({x} AS BIGINT) END"
        if kind == "float":
            bounds = f"ABS({x}) < {_EXACT} AND {x} {RANGES[type_]}"
            return f"CASE WHEN {x} = FLOOR({x}) AND {bounds} THEN CAST({x} AS BIGINT) END"
        if kind == UNKNOWN:
            value = f"CASE WHEN {dialect.matches(x, INTEGER)} THEN TRY_CAST({x} AS BIGINT) END"
            return value if type_ == "long" else f"CASE WHEN {value} {RANGES[type_]} THEN {value} END"
        return None
    number = f"CAST({x} AS {dialect.double_type})"
    if kind == UNKNOWN:
        number = f"CASE WHEN {dialect.matches(x, NUMBER)} THEN TRY_CAST({x} AS {dialect.double_type}) END"
    elif kind not in ("integer", "float"):
        return None
    # Every number but infinity and NaN lies below the greatest one.
    greatest = dialect.double(str(MAX_FLOAT if type_ == "float" else sys.float_info.max))
    return f"CASE WHEN ABS({number}) <= {greatest} THEN {number} END"


def _ids(dialect: Dialect, x: str) -> str:
    """Rule 5, from an array whose first ids stand in the columns of `ids_columns`."""
    size = dialect.length(x)
    first, *others = _id_names(x)
    count = " + ".join(f"CASE WHEN {_usable(dialect, name)} THEN 1 ELSE 0 END" for name in (first, *others))
    joined = " || ".join([dialect.short(first), *(f"COALESCE('|' || {dialect.short(name)}, '')" for name in others)])
    return f"CASE WHEN {size} > 0 AND {count} = LEAST({size}, {MAX_IMPRESSION}) THEN {joined} END"


def ids_columns(dialect: Dialect, x: str) -> list[tuple[str, str]]:
    """Return names and expressions of what `settle` needs for an array named `x`: its first elements as text."""
    return [(name, dialect.json_string(dialect.item(x, position))) for position, name in enumerate(_id_names(x))]


def _id_names(x: str) -> list[str]:
    return [f"{x}_{position}" for position in range(MAX_IMPRESSION)]


def _usable(dialect: Dialect, x: str) -> str:
    return f"{dialect.printable(x)} AND {x} NOT LIKE '%|%'"
