"""What a warehouse has: the query that tells its tables and columns, and the file of its answer.

Segment makes a table with the first event and a column with the first value, so what a source never
sent is not there, and a statement that names it fails.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import WarehouseError

#: schema, with its database and a dot in front if that is told -> table -> column -> data type; in lower case.
Tables = Mapping[str, Mapping[str, Mapping[str, str]]]

_NEEDED = ("table_schema", "table_name", "column_name", "data_type")
_REMEDY = "Save the answer of the query that `personalize-segment sql redshift|snowflake --columns-query` prints as CSV"

#: For a column whose type nobody knows: it is read as text.
UNKNOWN = "unknown"

#: How the data types of both warehouses begin -> kind. The first that fits counts.
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
    """The tables and columns of a warehouse; `kind` says of what kind a column is."""

    tables: Tables = field(repr=False)

    def table(self, schema: str, name: str) -> Mapping[str, str] | None:
        """Return the columns of a table with their data types, or None if there is no such table."""
        database, _, bare = schema.lower().rpartition(".")
        tables = self.tables.get(schema.lower())
        if tables is None and database and not any("." in name for name in self.tables):
            tables = self.tables.get(bare)  # no database is named: there is one
        if tables is None and not database:
            same_name = [tables for name, tables in self.tables.items() if name.rpartition(".")[2] == bare]
            tables = same_name[0] if len(same_name) == 1 else None
        return (tables or {}).get(name)


def kind(data_type: str) -> str:
    """Return text, integer, float, boolean, timestamp or json for a data type, else `UNKNOWN`.

    A type with a scale of 0, such as NUMBER(38,0), is an integer.
    """
    name = "".join(data_type.lower().split())
    if name.startswith(("number", "numeric", "decimal")) and name.endswith(",0)"):
        return "integer"
    return next((kind for begin, kind in _KINDS if name.startswith(begin)), UNKNOWN)


def parse_columns(text: str, place: str) -> Columns:
    """Return what a CSV file, or a JSON list of objects, says of a warehouse; `place` names it in errors.

    Needs table_schema, table_name, column_name and data_type, in any case and order. Where they are,
    numeric_scale tells integers from other numbers, and table_catalog the database; others are left alone.
    Raises WarehouseError.
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
        raise WarehouseError(place, "names no column", _REMEDY)
    return Columns(tables)


def _csv(text: str) -> list[dict[str, object]]:
    return [dict(row) for row in csv.DictReader(text.lstrip("\ufeff").splitlines())]
