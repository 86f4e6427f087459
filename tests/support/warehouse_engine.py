"""Runs unmodified statements for Redshift and Snowflake on DuckDB. sqlglot reads them in their dialect.

This module translates the rest: unnesting of arrays, navigation, and functions on JSON values.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from personalize_segment import warehouse
from personalize_segment.contract.mapping import EventMapping
from personalize_segment.contract.quoting import identifier
from personalize_segment.warehouse import Plan, Statement, UnloadRequest
from warehouse_loader import Event, columns_file, load

Rows = dict[str, list[tuple[str, ...]]]
Counts = Counter[tuple[str | None, str, str, str | None, str | None, str]]

#: dialect -> access to the bucket.
ACCESS = {"redshift": "arn:aws:iam::123456789012:role/unload", "snowflake": "PERSONALIZE"}

#: Digits of a float in the CSV: "extra_float_digits" in Redshift's guide, and "Data unloading considerations" in
#: Snowflake's, which has nine after the point.
DIGITS = {"redshift": 15, "snowflake": 10}

MACROS = """
CREATE MACRO kind_of(x) AS json_type(x);
CREATE MACRO is_varchar(x) AS kind_of(x) = 'VARCHAR';
CREATE MACRO is_bigint(x) AS kind_of(x) IN ('BIGINT', 'UBIGINT') AND TRY_CAST(CAST(x AS VARCHAR) AS BIGINT) IS NOT NULL;
CREATE MACRO is_boolean(x) AS kind_of(x) = 'BOOLEAN';
CREATE MACRO is_array(x) AS kind_of(x) = 'ARRAY';
CREATE MACRO json_typeof(x) AS CASE kind_of(x) WHEN 'VARCHAR' THEN 'string' WHEN 'BIGINT' THEN 'number'
    WHEN 'UBIGINT' THEN 'number' WHEN 'DOUBLE' THEN 'number' ELSE lower(kind_of(x)) END;
CREATE MACRO variant_type(x) AS CASE kind_of(x) WHEN 'BIGINT' THEN 'INTEGER' WHEN 'UBIGINT' THEN 'INTEGER'
    WHEN 'NULL' THEN 'NULL_VALUE' ELSE kind_of(x) END;
CREATE MACRO can_json_parse(x) AS json_valid(x);
CREATE MACRO get_array_length(x) AS CASE WHEN kind_of(x) = 'ARRAY' THEN json_array_length(x) END;
CREATE MACRO to_varbyte(x, format) AS encode(x);
CREATE MACRO from_varbyte(x, format) AS hex(x);
CREATE MACRO text_of(x) AS json_extract_string(x, '$');
CREATE MACRO plain_text(x) AS printf('%.10g', x);
CREATE MACRO tme(x) AS CAST(x AS VARCHAR);
CREATE MACRO nanoseconds(x) AS CAST(date_part('microseconds', x) % 1000000 * 1000 AS BIGINT);
CREATE MACRO iso_text(x) AS strftime(CAST(x AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ');
"""


# It would turn some joins, which no statement has (all use AT), into UNNEST, and copies every SELECT to do so.
sqlglot.Dialect.get_or_raise("redshift").parser_class.SUPPORTS_IMPLICIT_UNNEST = False


def connect() -> duckdb.DuckDBPyConnection:
    """Return an empty warehouse."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("PRAGMA disable_optimizer")  # it takes longer than a few events do
    connection.execute(MACROS)
    return connection


@cache
def shared() -> duckdb.DuckDBPyConnection:
    """Return the warehouse of all tests that leave nothing behind, because its macros take longer than a few events."""
    return connect()


class Planned:
    """A connection to tables that change only their rows, where DuckDB plans each query once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._names: dict[str, str] = {}

    def execute(self, query: str) -> duckdb.DuckDBPyConnection:
        """Run a query."""
        if query not in self._names:
            name = self._names[query] = f"planned_{len(self._names)}"
            self._connection.execute(f"PREPARE {name} AS {query}")
        return self._connection.execute(f"EXECUTE {self._names[query]}")


def query_of(statement: Statement, dialect: str) -> exp.Expression:
    """Return the query in a statement, parsed in its dialect."""
    sql = statement.sql
    if statement.kind == "unload" and dialect == "redshift":
        # Two single quotes are one within UNLOAD ('…'), and two backslashes one.
        quoted = re.fullmatch(r"UNLOAD \('(.*)'\)\nTO .*", sql, re.S)
        assert quoted
        sql = re.sub(r"''|\\\\", lambda pair: pair[0][0], quoted[1])
        assert "'" not in re.sub("''", "", quoted[1])
    parsed = sqlglot.parse_one(sql, read=dialect)
    if isinstance(parsed, exp.Copy):
        inner = parsed.args["files"][0]
        assert isinstance(inner, exp.Subquery)
        parsed = inner.this
    assert isinstance(parsed, exp.Select | exp.SetOperation), sql
    return parsed


def run(
    connection: duckdb.DuckDBPyConnection | Planned, statement: Statement, dialect: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names and the rows of the query in a statement."""
    found = connection.execute(_translated(statement, dialect))
    return [one[0] for one in found.description or []], found.fetchall()


def written(
    connection: duckdb.DuckDBPyConnection | Planned,
    statement: Statement,
    dialect: str,
    digits: int | None = None,
    floats: Collection[str] = (),
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return header and sorted texts of the CSV that an unload writes; numbers in `floats` as Python writes them.

    The warehouse writes floats with this number of `digits`, or its default.
    """
    names, rows = run(connection, statement, dialect)
    digits = digits or DIGITS[dialect]
    texts = [tuple(_in_csv(value, digits) for value in row) for row in rows]
    if dialect == "snowflake":  # which writes texts as they are: the statement has quoted what needs it
        texts = [tuple(row) for row in csv.reader([",".join(row) + "\n" for row in texts], strict=True)]
    same = [
        [repr(float(text)) if text and name in floats else text for name, text in zip(names, row, strict=True)]
        for row in texts
    ]
    return names, sorted(map(tuple, same))


def _in_csv(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "" if value is None else str(value)


def float_digits(statements: Sequence[Statement]) -> int | None:
    """Return the number of digits of floats in a Redshift session, if its setup sets one."""
    found = (re.fullmatch("SET extra_float_digits TO ([0-2])", one.sql) for one in statements)
    return next((15 + int(one[1]) for one in found if one), None)


def plan(dialect: str, mapping: EventMapping, **options: Any) -> Plan:
    """Return a plan for one source with a valid place and valid access."""
    usual = {"schemas": ["prod"], "to": "s3://bucket/training", "access": ACCESS[dialect]}
    return warehouse.plan(UnloadRequest(mapping, dialect, **usual | options))


def queries(dialect: str, made: Plan) -> list[exp.Expression]:
    """Return the query of each unload and count, parsed."""
    return [query_of(one, dialect) for one in made.statements if one.kind != "setup"]


def interactions(**rules: Any) -> dict[str, Any]:
    """Return a mapping of interactions with the usual fields."""
    fields = {"USER_ID": ["userId"], "ITEM_ID": ["properties.sku"], "TIMESTAMP": ["timestamp"]}
    return {
        "version": 1,
        "interactions": {"fields": {name: {"from": paths} for name, paths in fields.items()}, **rules},
    }


def unloaded(
    dialect: str,
    mapping: EventMapping,
    sources: dict[str, Sequence[Event]],
    *,
    known: bool = True,
    counted: bool = True,
    **options: Any,
) -> tuple[Rows, Counts]:
    """Return the rows of the statements for events in one schema per source, and optionally their counts."""
    connection = shared()
    others = "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'"
    for (schema,) in connection.execute(others).fetchall():
        connection.execute(f"DROP SCHEMA {identifier(schema)} CASCADE")
    for schema, events in sources.items():
        load(connection, dialect, schema, events)
    columns = warehouse.parse_columns(columns_file(connection, dialect), "columns.csv") if known else None
    statements = plan(dialect, mapping, schemas=list(sources), columns=columns, **options).statements
    return outcome(connection, [one for one in statements if counted or one.kind != "counts"], dialect, mapping)


def outcome(
    connection: duckdb.DuckDBPyConnection | Planned,
    statements: Sequence[Statement],
    dialect: str,
    mapping: EventMapping,
) -> tuple[Rows, Counts]:
    """Return the rows and counts of statements, with the mapping's header."""
    found: Rows = {one.name: [] for one in mapping.datasets}
    counts: Counts = Counter()
    headers = {one.name: [column.name for column in one.columns] for one in mapping.datasets}
    floats = {column.name for one in mapping.datasets for column in one.columns if column.type in ("float", "double")}
    digits = float_digits(statements)
    for statement in statements:
        if statement.kind == "unload":
            names, found[statement.dataset] = written(connection, statement, dialect, digits, floats)
            assert names == headers[statement.dataset]
        elif statement.kind == "counts":
            names, counted = run(connection, statement, dialect)
            assert [name.lower() for name in names] == list(warehouse.COUNTS)
            for dataset, source, call, event, field, reason, count in counted:
                counts[dataset, source, call, event, field, reason] += count
    return found, counts


@lru_cache(maxsize=1024)
def _translated(statement: Statement, dialect: str) -> str:
    return to_duckdb(query_of(statement, dialect))


def to_duckdb(query: exp.Expression) -> str:
    """Return the query translated to DuckDB. Changes `query`."""
    for case in query.find_all(exp.If):
        _unquote(case)
    for node in reversed(list(query.bfs())):  # inner nodes first
        translate = _TRANSLATIONS.get(type(node))
        if translate is not None:
            node.replace(translate(node))
    return query.sql("duckdb", comments=False, copy=False)  # DuckDB loses count of the quotes in them


def _unquote(case: exp.If) -> None:
    """A cast of a JSON string to text gives the string in these warehouses, its JSON in DuckDB."""
    test = case.this
    asked = None
    if isinstance(test, exp.Anonymous) and test.name.upper() == "IS_VARCHAR":
        asked = test.expressions[0]
    elif isinstance(test, exp.EQ) and isinstance(test.this, exp.Typeof) and test.expression.name == "VARCHAR":
        asked = test.this.this
    if asked is not None:
        cast = case.args["true"]
        assert isinstance(cast, exp.Cast)
        assert cast.this == asked
        case.set("true", exp.func("text_of", cast.this, copy=False, dialect="duckdb"))


def _join(node: exp.Expression) -> exp.Expression:
    inner = node.this
    if isinstance(inner, exp.AtIndex):  # Redshift: FROM base, base.parts AS part AT place
        array, element, place = inner.this.this, inner.this.alias, inner.expression.name
        return _unnested(array, "unnested", element, place)
    if isinstance(inner, exp.Lateral):  # Snowflake: LATERAL FLATTEN(INPUT => base.parts) AS part
        array = inner.this.this.expression
        return _unnested(array, inner.args["alias"].name, "value", "index")
    return node


def _unnested(array: exp.Expression, alias: str, element: str, place: str) -> exp.Expression:
    parts = array.sql("duckdb")
    select = (
        f'SELECT * FROM base, LATERAL (SELECT UNNEST(CAST({parts} AS JSON[])) AS "{element}",'
        f' UNNEST(range(CAST(json_array_length({parts}) AS BIGINT))) AS "{place}") AS {alias}'
    )
    joined = sqlglot.parse_one(select, read="duckdb").args["joins"][0]
    assert isinstance(joined, exp.Join)
    return joined


def _column(node: exp.Expression) -> exp.Expression:
    """Redshift: part."a"."b" walks a JSON value; sqlglot takes it for a column of a table."""
    assert isinstance(node, exp.Column)
    parts = node.parts
    if len(parts) < 2 or parts[0].name != "part" or parts[0].args.get("quoted") or parts[1].name in ("value", "index"):
        return node
    return _walk(exp.column("part"), [one.name for one in parts[1:]])


def _dot(node: exp.Expression) -> exp.Expression:
    return _walk(node.this, [node.expression.name])


def _walk(value: exp.Expression, keys: list[str]) -> exp.Expression:
    for key in keys:
        path = '$."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
        value = exp.Anonymous(this="json_extract", expressions=[value, exp.Literal.string(path)])
    return value


def _get(node: exp.Expression) -> exp.Expression:
    """Snowflake: GET(value, 'key') and GET(value, 0)."""
    key = node.expression
    if isinstance(key, exp.Literal) and not key.is_string:
        return _item(node.this, int(key.this))
    names = duckdb.execute(f"SELECT {key.sql('duckdb')}").fetchone()
    assert names
    return _walk(node.this, [names[0]])


def _item(value: exp.Expression, position: int) -> exp.Expression:
    return exp.Anonymous(this="json_extract", expressions=[value, exp.Literal.string(f"$[{position}]")])


def _to_char(node: exp.Expression) -> exp.Expression:
    """Snowflake: TO_VARCHAR of a float has ten digits, with TME all of them; with another format it is of a time."""
    said = node.args.get("format")
    name = "plain_text" if said is None else "tme" if said.name == "TME" else "iso_text"
    return exp.Anonymous(this=name, expressions=[node.this])


def _extract(node: exp.Expression) -> exp.Expression:
    """Snowflake: the nanoseconds of a second. DuckDB has no such points in time after 2262."""
    if node.name.upper() != "NANOSECOND":
        return node
    return exp.Anonymous(this="nanoseconds", expressions=[node.expression])


_TRANSLATIONS: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Join: _join,
    exp.Column: _column,
    exp.Dot: _dot,
    exp.GetExtract: _get,
    exp.Bracket: lambda node: _item(node.this, int(node.expressions[0].this)),
    exp.Typeof: lambda node: exp.Anonymous(this="variant_type", expressions=[node.this]),
    exp.ArraySize: lambda node: exp.Anonymous(this="get_array_length", expressions=[node.this]),
    exp.ToChar: _to_char,
    exp.Extract: _extract,
    exp.TimeToStr: lambda node: exp.Anonymous(this="iso_text", expressions=[node.this]),
}
