"""Stores events like Segment's warehouse connector, written only from its documentation.

"Warehouse Schemas": one table per event, plus `tracks`, `identifies`, `pages` and `screens`. Objects become columns
with `_` between names, arrays become JSON text, null makes no column. A column has the type of its values. Names are
snake_case like go-snakecase's. A property with the name of one of Segment's columns is dropped.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import duckdb

Event = dict[str, Any]
Rows = dict[str, list[dict[str, Any]]]
#: table -> column -> type.
Types = dict[str, dict[str, str]]

#: Our engine's type -> how Redshift's svv_columns and Snowflake's INFORMATION_SCHEMA call it, with its scale.
TYPES = {
    "VARCHAR": {"redshift": ("character varying", ""), "snowflake": ("TEXT", "")},
    "BIGINT": {"redshift": ("bigint", "0"), "snowflake": ("NUMBER", "0")},
    "DOUBLE": {"redshift": ("double precision", ""), "snowflake": ("FLOAT", "")},
    "BOOLEAN": {"redshift": ("boolean", ""), "snowflake": ("BOOLEAN", "")},
    "TIMESTAMP": {"redshift": ("timestamp without time zone", ""), "snowflake": ("TIMESTAMP_NTZ", "")},
    "TIMESTAMP WITH TIME ZONE": {"redshift": ("timestamp with time zone", ""), "snowflake": ("TIMESTAMP_TZ", "")},
}
OWN = {
    "id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "timestamp": "timestamp",
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
}
CALLS = {"identify": "identifies", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases"}
TIMES = ("timestamp", "original_timestamp", "sent_at", "received_at")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-5][0-9])")


@cache
def slug(name: str) -> str:
    """Return a name as go-snakecase makes it, byte by byte."""
    words: list[str] = []
    word = ""
    lower = False
    for byte in name.encode():
        letter = chr(byte)
        if letter.isascii() and letter.isupper():
            if lower:
                words.append(word)
                word, lower = "", False
            word += letter.lower()
        elif letter.isascii() and (letter.islower() or letter.isdigit()):
            word += letter
            lower |= letter.islower()
        else:
            words.append(word)
            word, lower = "", False
    return "_".join(one for one in [*words, word] if one)


def stored(event: Event) -> bool:
    """Whether an event has a table; a track needs a name."""
    return event["type"] in CALLS or (event["type"] == "track" and type(event.get("event")) is str)


def tables(events: Iterable[Event]) -> Rows:
    """Return the rows of each table, as values of Python."""
    found: Rows = defaultdict(list)
    for event in events:
        call = event["type"]
        row = {name: event.get(key) for name, key in OWN.items()}
        for name, value in _flat(event.get("context")).items():
            row[f"context_{name}"] = value
        if call == "track":
            row |= {"event": slug(event["event"]), "event_text": event["event"]}
            found["tracks"].append(dict(row))
            table = row["event"]
            if not table:
                continue
        else:
            table = CALLS[call]
            row |= {"name": event.get("name")} if call in ("page", "screen") else {}
            row |= {"previous_id": event.get("previousId")} if call == "alias" else {}
        for name, value in _flat(event.get("traits" if call in ("identify", "group") else "properties")).items():
            if name not in row:
                row[name] = value
        found[f"_{table}" if table[:1].isdigit() else table].append(row)
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in (value if isinstance(value, dict) else {}).items():
        name = "_".join(one for one in (prefix, slug(key)) if one)
        if isinstance(inner, dict):
            found |= _flat(inner, name)
        elif isinstance(inner, list):
            found[name] = json.dumps(inner, ensure_ascii=False, separators=(",", ":"))
        elif inner is not None and name:
            found[f"_{name}" if name[0].isdigit() else name] = inner
    return found


def load(connection: duckdb.DuckDBPyConnection, dialect: str, schema: str, events: Sequence[Event]) -> None:
    """Make a schema with the tables of `events`."""
    types = declared(dialect, events)
    schema = schema.replace('"', '""')
    connection.execute(f'CREATE SCHEMA "{schema}"')
    for table, columns in types.items():
        names = ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())
        connection.execute(f'CREATE TABLE "{schema}"."{table}" ({names})')
    fill(connection, schema, types, events)


def declared(dialect: str, events: Iterable[Event]) -> Types:
    """Return the tables of `events`, each with its columns and their types: a column begins with its first value."""
    found = {}
    for table, rows in tables(events).items():
        names = dict.fromkeys(name for row in rows for name in row)
        types = {name: _type(name, [row.get(name) for row in rows], dialect) for name in names}
        found[table] = {name: type_ for name, type_ in types.items() if type_}
    return found


def fill(connection: duckdb.DuckDBPyConnection, schema: str, types: Types, events: Iterable[Event]) -> None:
    """Insert `events` into tables that have the columns for them."""
    for table, rows in tables(events).items():
        # By column, because DuckDB's executemany runs a statement per row.
        declared_types = types[table].items()
        values = [[_stored(row.get(name), type_) for row in rows] for name, type_ in declared_types]
        lists = [f"{type_} WITH TIME ZONE[]" if type_ == "TIMESTAMP" else f"{type_}[]" for _, type_ in declared_types]
        columns = ", ".join(f"unnest(CAST(? AS {one}))" for one in lists)
        connection.execute(f'INSERT INTO "{schema}"."{table}" SELECT {columns}', values)


def _type(name: str, values: list[Any], dialect: str) -> str | None:
    moment = "TIMESTAMP" if dialect == "redshift" else "TIMESTAMP WITH TIME ZONE"
    if name in TIMES:
        return moment
    if name in {*OWN, "event", "event_text", "name", "previous_id"}:
        return "VARCHAR"
    known = [value for value in values if value is not None]
    if not known:
        return None
    if all(isinstance(value, str) and _ISO.fullmatch(value) for value in known):
        return moment if all(_moment(value) for value in known) else "VARCHAR"
    # The first value decides. Segment's support must turn an integer column into floats for a later fraction.
    if isinstance(known[0], bool):
        return "BOOLEAN"
    if isinstance(known[0], str):
        return "VARCHAR"
    whole = all(isinstance(value, int) and -(2**63) <= value < 2**63 for value in known if not isinstance(value, str))
    return "BIGINT" if whole else "DOUBLE"


def _stored(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_.startswith("TIMESTAMP"):
        return _moment(value)
    if type_ == "VARCHAR":
        return value if isinstance(value, str) else json.dumps(value)
    if type_ == "BOOLEAN" or isinstance(value, bool | str):
        return value if type_ == "BOOLEAN" and isinstance(value, bool) else None  # other values are dropped
    if type_ == "DOUBLE":
        try:
            return float(value)
        except OverflowError:
            return None
    return value


def _moment(text: Any) -> datetime | None:
    """Return the instant in UTC, to the microsecond and no further."""
    if not isinstance(text, str) or not _ISO.fullmatch(text):
        return None
    text = re.sub(r"[.,]([0-9]+)", lambda digits: f".{digits[1][:6]:0<6}", text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def columns_file(connection: duckdb.DuckDBPyConnection, dialect: str) -> str:
    """Return the warehouse's list of columns as CSV."""
    found = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    case = str.upper if dialect == "snowflake" else str.lower
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(case, ["table_schema", "table_name", "column_name", "data_type", "numeric_scale"]))
    for *names, type_ in found:
        writer.writerow([*map(case, names), *TYPES[type_][dialect]])
    return out.getvalue()
