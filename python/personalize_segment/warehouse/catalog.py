"""The tables and columns of a warehouse, parsed from the result of a query for them.

Segment creates a table with the first event, and a column with its first value. A statement that names a missing one
fails.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import WarehouseError

#: schema (with its database and a dot in front, if known) -> table -> column -> data type. Names are in lower case.
Tables = Mapping[str, Mapping[str, Mapping[str, str]]]

_NEEDED = ("table_schema", "table_name", "column_name", "data_type")
_REMEDY = "Save the result of the query from `personalize-segment sql redshift|snowflake --columns-query` as CSV"

#: The kind of a column of unknown type, which is read as text.
UNKNOWN = "unknown"

#: Prefix of a data type in either warehouse -> kind. The first match counts.
_KINDS = (
    ("timestamp", "timestamp"),
    ("date", "timestamp"),
    ("char", "text"),
    ("varchar", "text"),
    ("nvarchar", "text"),
    ("bpchar", "text"),
    ("text", "text"),
    ("string", "text"),
    ("bool", "boolean"),
    ("super", "json"),
    ("variant", "json"),
    ("array", "json"),
    ("object", "json"),
    ("bigint", "integer"),
    ("interval", UNKNOWN),
    ("int", "integer"),
    ("smallint", "integer"),
    ("float", "float"),
    ("double", "float"),
    ("real", "float"),
    ("number", "float"),
    ("numeric", "float"),
    ("decimal", "float"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The tables and columns of a warehouse. `kind` returns the kind of a data type."""

    tables: Tables = field(repr=False)

    def table(self, schema: str, name: str) -> Mapping[str, str] | None:
        """Return the columns of a table with their data types, None if the table doesn't exist."""
        database, _, bare = schema.lower().rpartition(".")
        tables = self.tables.get(schema.lower())
        if tables is None and database and not any("." in name for name in self.tables):
            tables = self.tables.get(bare)  # without names of databases, there is only one
        if tables is None and not database:
            same_name = [tables for name, tables in self.tables.items() if name.rpartition(".")[2] == bare]
            tables = same_name[0] if len(same_name) == 1 else None
        return (tables or {}).get(name)


def kind(data_type: str) -> str:
    """Return text, integer, float, boolean, timestamp or json for a data type, UNKNOWN for any other.

    A type with a scale of 0, such as NUMBER(38,0), is an integer.
    """
    name = "".join(data_type.lower().split())
    if name.startswith(("number", "numeric", "decimal")) and name.endswith(",0)"):
        return "integer"
    return next((kind for begin, kind in _KINDS if name.startswith(begin)), UNKNOWN)


def parse_columns(text: str, place: str) -> Columns:
    """Return the columns in a CSV file or a JSON list of objects. Errors name it as `place`.

    Requires table_schema, table_name, column_name and data_type, in any case and order. If present, numeric_scale
    distinguishes integers from other numbers, and table_catalog is the database. Other columns are ignored. Raises
    WarehouseError.
    """
    try:
        rows: list[dict[str, object]] = json.loads(text) if text.lstrip().startswith("[") else _csv(text)
        columns = [{str(name).strip().lower(): value for name, value in row.items()} for row in rows]
    except (ValueError, AttributeError, csv.Error) as error:
        raise WarehouseError(place, f"is neither CSV nor a JSON list of objects ({error})", _REMEDY) from None
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for number, row in enumerate(columns, start=1):
        if any(not row.get(name) for name in _NEEDED):
            missing = ", ".join(name for name in _NEEDED if not row.get(name))
            raise WarehouseError(place, f"row {number} has no {missing}", _REMEDY)
        schema, table, column, data_type = (str(row[name]).strip() for name in _NEEDED)
        if "(" not in data_type and str(row.get("numeric_scale") or "").strip() == "0" and kind(data_type) == "float":
            data_type += "(38,0)"
        catalog = str(row.get("table_catalog") or "").strip()
        whole = f"{catalog}.{schema}" if catalog else schema
        tables.setdefault(whole.lower(), {}).setdefault(table.lower(), {})[column.lower()] = data_type
    if not tables:
        raise WarehouseError(place, "lists no columns", _REMEDY)
    return Columns(tables)


def _csv(text: str) -> list[dict[str, object]]:
    return [dict(row) for row in csv.DictReader(text.lstrip("\ufeff").splitlines())]
