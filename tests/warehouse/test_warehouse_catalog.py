"""Columns of a warehouse are read from CSV and JSON, in any case and order."""

import json

import pytest

from personalize_segment.errors import WarehouseError
from personalize_segment.warehouse import DIALECTS, columns_query, parse_columns
from personalize_segment.warehouse.catalog import kind

CSV = "table_schema,table_name,column_name,data_type\nprod,identifies,user_id,character varying\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CSV, id="csv"),
        pytest.param("\ufeff" + CSV.upper().replace("\n", "\r\n"), id="upper case, a mark and carriage returns"),
        pytest.param(
            "more,DATA_TYPE,column_name,table_name,table_schema\n1,varchar(16),USER_ID,IDENTIFIES,PROD\n",
            id="another order",
        ),
        pytest.param(
            json.dumps(
                [{"TABLE_SCHEMA": "PROD", "TABLE_NAME": "IDENTIFIES", "COLUMN_NAME": "USER_ID", "DATA_TYPE": "TEXT"}]
            ),
            id="json",
        ),
    ],
)
def test_columns_are_found(text: str) -> None:
    columns = parse_columns(text, "columns.csv")
    found = columns.table("Prod", "identifies")
    assert found is not None
    assert list(found) == ["user_id"]
    assert kind(found["user_id"]) == "text"
    assert columns.table("db.prod", "identifies") == found
    assert columns.table("prod", "tracks") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "lists no columns", id="nothing"),
        pytest.param(CSV.splitlines()[0], "lists no columns", id="a header alone"),
        pytest.param("a,b\n1,2\n", "has no table_schema, table_name, column_name, data_type", id="other columns"),
        pytest.param(CSV + "prod,identifies,,text\n", "row 2 has no column_name", id="a gap"),
        pytest.param("[1]", "neither CSV nor a JSON list of objects", id="a list of numbers"),
        pytest.param("[{", "neither CSV nor a JSON list of objects", id="no JSON"),
    ],
)
def test_what_tells_no_columns_is_refused(text: str, problem: str) -> None:
    with pytest.raises(WarehouseError, match=r"^columns\.csv: ") as caught:
        parse_columns(text, "columns.csv")
    assert problem in caught.value.problem
    assert "--columns-query" in caught.value.remedy


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("character varying", "text"),
        ("VARCHAR(16777216)", "text"),
        ("TEXT", "text"),
        ("bigint", "integer"),
        ("NUMBER(38,0)", "integer"),
        ("numeric (18, 0)", "integer"),
        ("NUMBER(38,5)", "float"),
        ("double precision", "float"),
        ("FLOAT", "float"),
        ("boolean", "boolean"),
        ("timestamp without time zone", "timestamp"),
        ("TIMESTAMP_TZ", "timestamp"),
        ("date", "timestamp"),
        ("super", "json"),
        ("VARIANT", "json"),
        ("geometry", "unknown"),
        ("interval day to second", "unknown"),
    ],
)
def test_a_data_type_has_a_kind(data_type: str, expected: str) -> None:
    assert kind(data_type) == expected


@pytest.mark.parametrize(("scale", "expected"), [("0", "integer"), ("5", "float"), ("", "float")])
def test_the_scale_tells_integers_from_other_numbers(scale: str, expected: str) -> None:
    text = f"TABLE_SCHEMA,TABLE_NAME,COLUMN_NAME,DATA_TYPE,NUMERIC_SCALE\nPROD,T,C,NUMBER,{scale}\n"
    found = parse_columns(text, "columns.csv").table("prod", "t")
    assert found is not None
    assert kind(found["c"]) == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        pytest.param("redshift", ["table_schema IN ('prod', 'it''s')", "svv_columns"], id="redshift"),
        pytest.param("snowflake", ["TABLE_SCHEMA = 'PROD'", "TABLE_SCHEMA = 'IT''S'", "UNION ALL"], id="snowflake"),
    ],
)
def test_the_warehouse_is_asked_for_the_schemas_that_are_named(dialect: str, expected: list[str]) -> None:
    query = columns_query(dialect, ["Prod", "it's", "Prod"])
    assert all(part in query for part in expected)
    assert query.count("'prod'") + query.count("'PROD'") == 1


TWO = "table_catalog,table_schema,table_name,column_name,data_type\nA,SHOP,T,X,TEXT\nB,SHOP,T,Y,TEXT\n,SHOP,T,Z,TEXT\n"


@pytest.mark.parametrize(
    ("lines", "schema", "found"),
    [
        pytest.param(TWO, "a.shop", ["x"], id="one database"),
        pytest.param(TWO, "B.SHOP", ["y"], id="another"),
        pytest.param(TWO, "shop", ["z"], id="the session's own"),
        pytest.param(TWO, "c.shop", None, id="a third"),
        pytest.param(TWO.replace(",SHOP,T,Z,TEXT\n", ""), "shop", None, id="which of two"),
        pytest.param(TWO.replace("B,SHOP,T,Y,TEXT\n,SHOP,T,Z,TEXT\n", ""), "shop", ["x"], id="the only one"),
    ],
)
def test_two_databases_may_have_one_schema(lines: str, schema: str, found: list[str] | None) -> None:
    columns = parse_columns(lines, "columns.csv").table(schema, "t")
    assert (columns and list(columns)) == found


def test_another_database_of_snowflake_is_asked_itself_and_told_from_the_others() -> None:
    query = columns_query("snowflake", ["a.prod", "prod"])
    assert "SELECT CAST('a' AS VARCHAR) AS TABLE_CATALOG" in query
    assert "SELECT CAST('' AS VARCHAR) AS TABLE_CATALOG" in query
    assert 'FROM "SEGMENT".INFORMATION_SCHEMA.COLUMNS' in columns_query("snowflake", ["segment.prod"])
    assert set(DIALECTS) == {"redshift", "snowflake"}
