"""Statements parse in their dialect and do only what they should, whatever the mapping says."""

import json
import re
from datetime import date
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from personalize_segment import warehouse
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.errors import WarehouseError
from personalize_segment.warehouse import Columns, Plan, Statement, TimeWindow
from warehouse_engine import ACCESS, connect, interactions, queries, written
from warehouse_engine import plan as any_plan
from warehouse_loader import Event, load
from warehouse_types import assert_typed

DEFAULT = parse(default_text())


def plan(dialect: str, mapping: EventMapping = DEFAULT, **options: Any) -> Plan:
    """Return the plan of the default mapping, or another."""
    return any_plan(dialect, mapping, **options)


dialects = pytest.mark.parametrize("dialect", list(ACCESS))


@dialects
def test_every_statement_of_the_default_mapping_parses(dialect: str) -> None:
    received = TimeWindow.of_days(date(2024, 3, 1), date(2024, 4, 1))
    made = plan(dialect, schemas=["web", "app"], received=received)
    assert len(queries(dialect, made)) == 7
    setup = [one.sql for one in made.statements if one.kind == "setup"]
    assert setup
    assert [len(sqlglot.parse(one, read=dialect)) for one in setup] == [1] * len(setup)


@pytest.mark.parametrize(
    "text", ["s3://bucket/x'y", "s3://bucket/x\\", "s3://", "s3:///x", "gs://bucket/x", "", "s3://b/\n"]
)
@dialects
def test_a_place_that_is_none_is_refused(dialect: str, text: str) -> None:
    with pytest.raises(WarehouseError, match="isn't an S3 location"):
        plan(dialect, to=text)


KEYS = [
    "ASIAIOSFODNN7EXAMPLE",
    "akiaiosfodnn7example",
    "aws_access_key_id=AKIAIOSFODNN7EXAMPLE;aws_secret_access_key=x",
    "AKIAIOSFODNN7EXAMPLE",
    "arn:aws:iam::123456789012:user/somebody",
    "arn:aws:iam::123456789012:role/x' ACCESS_KEY_ID 'AKIA",
    "x' CREDENTIALS = (AWS_KEY_ID = 'AKIA')",
    "",
]


@dialects
@pytest.mark.parametrize("access", KEYS)
def test_no_key_gets_into_a_statement(dialect: str, access: str) -> None:
    with pytest.raises(WarehouseError):
        plan(dialect, access=access)
    with pytest.raises(WarehouseError):
        warehouse.integration("PERSONALIZE", access, "s3://bucket/x", "LOADER")
    with pytest.raises(WarehouseError):
        warehouse.integration(access, "arn:aws:iam::123456789012:role/snowflake", "s3://bucket/x", "LOADER")


@dialects
@pytest.mark.parametrize("name", ["AKIA", "ASIA_LOADER", "AKIA_PERSONALIZE_SEGMENT"])
def test_a_name_that_begins_like_a_key_is_none(dialect: str, name: str) -> None:
    access = name if dialect == "snowflake" else f"arn:aws:iam::123456789012:role/{name}"
    assert name in "".join(one.sql for one in plan(dialect, access=access).statements)


BLANKS = [
    "{{x}}' CREDENTIALS 'aws_access_key_id=A",
    "{{x}}'; DROP TABLE x; --",
    "{{x}}\n",
    "{{X}}",
    "{{}}",
    "{{x}} ",
    "{{",
]


@dialects
@pytest.mark.parametrize("text", BLANKS)
def test_what_only_begins_like_a_blank_is_none(dialect: str, text: str) -> None:
    with pytest.raises(WarehouseError):
        plan(dialect, access=text)
    with pytest.raises(WarehouseError, match="isn't an S3 location"):
        plan(dialect, to=text)
    if dialect == "redshift":
        with pytest.raises(WarehouseError, match="isn't an AWS region"):
            plan(dialect, bucket_region=text)
    if not text.isprintable():
        return
    quoted = "".join(one.sql for one in plan(dialect, schemas=[text]).statements)
    folded = text.lower() if dialect == "redshift" else text.upper()
    assert f'FROM "{folded}".' in quoted.replace("''", "'")


@dialects
def test_a_blank_stays_to_be_filled(dialect: str) -> None:
    made = plan(dialect, schemas=["{{schema}}"], to="{{location}}", access="{{access}}").statements
    text = "".join(one.sql for one in made)
    blanks = {"schema", "location", "access"} | ({"bucket_region"} if dialect == "redshift" else set())
    assert set(re.findall(r"\{\{(.*?)\}\}", text)) == blanks


def test_redshift_is_told_where_the_bucket_is_if_somebody_says_so() -> None:
    def unload(**options: Any) -> str:
        return next(one.sql for one in plan("redshift", **options).statements if one.kind == "unload")

    assert unload(bucket_region="us-gov-west-1").endswith("\nENCRYPTED AUTO\nREGION 'us-gov-west-1'")
    assert "REGION" not in unload()


@pytest.mark.parametrize("region", ["", "eu-west-1'", "EU-WEST-1", "Ireland"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(WarehouseError, match="isn't an AWS region"):
        plan("redshift", bucket_region=region)


def test_redshift_takes_no_database_because_it_tells_the_columns_of_one_alone() -> None:
    for call in (
        lambda: plan("redshift", schemas=["db.prod"]),
        lambda: warehouse.columns_query("redshift", ["db.prod"]),
    ):
        with pytest.raises(WarehouseError, match="Connect to that database, and pass the schema alone"):
            call()


TYPES = parse(json.dumps(interactions(
    track={"Viewed": {"fields": {"ITEM_ID": {"from": ["type"]}}}, "a\\b": {"event_type": "\\"},
           "Bought": {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku", "type"]}}}},
    page={"Viewed": {}}, screen={"x": {}},
)))  # fmt: skip


@pytest.mark.parametrize("mapping", [DEFAULT, TYPES], ids=["default", "types"])
@pytest.mark.parametrize("known", [True, False])
def test_no_column_in_redshift_is_a_text_without_a_type(mapping: EventMapping, known: bool) -> None:
    has = {"viewed": HAS["product_viewed"], "pages": {"id": "text", "name": "text"}, "bought": HAS["product_viewed"]}
    columns = (
        Columns({"prod": HAS | has | {"tracks": HAS["product_viewed"], "groups": {"id": "text"}}}) if known else None
    )
    made = queries("redshift", plan("redshift", mapping, columns=columns))
    assert made
    for tree in made:
        assert_typed(tree)


def test_a_text_without_a_type_would_be_found() -> None:
    for sql in (
        "SELECT 'x' AS a",
        "SELECT CASE WHEN b THEN ('x') ELSE NULL END FROM t",
        "SELECT 1 FROM t GROUP BY 'x'",
    ):
        tree = sqlglot.parse_one(sql, read="redshift")
        assert isinstance(tree, exp.Select)
        with pytest.raises(AssertionError):
            assert_typed(tree)


@pytest.mark.parametrize(
    ("schemas", "place"),
    [
        pytest.param([], "the schemas", id="none"),
        pytest.param([""], "''", id="an empty name"),
        pytest.param(["prod", "a\nb"], "'a\\nb'", id="a line feed"),
        pytest.param(["db..prod"], "'db..prod'", id="two dots"),
        pytest.param(["db.prod"], "'db.prod'", id="a database"),
    ],
)
def test_a_schema_without_a_name_is_refused(schemas: list[str], place: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        plan("redshift", schemas=schemas)
    assert caught.value.place == place


def test_another_warehouse_is_refused() -> None:
    with pytest.raises(WarehouseError, match="Choose one of redshift, snowflake"):
        warehouse.columns_query("bigquery", ["prod"])


def test_redshift_unloads_one_csv_with_a_header_in_parts_that_replaces_the_last() -> None:
    unload = next(one.sql for one in plan("redshift").statements if one.kind == "unload")
    assert unload.startswith("UNLOAD ('\n")
    assert unload.endswith(
        "\n')\nTO 's3://bucket/training/interactions/part-'\nIAM_ROLE 'arn:aws:iam::123456789012:role/unload'\n"
        "FORMAT AS CSV HEADER NULL AS '' CLEANPATH PARALLEL ON MAXFILESIZE 256 MB EXTENSION 'csv'\n"
        "ENCRYPTED AUTO"
    )
    default = plan("redshift", access="default").statements
    assert "\nIAM_ROLE default\n" in next(one.sql for one in default if one.kind == "unload")


def test_snowflake_copies_plain_csv_with_a_header_in_parts_that_replaces_the_last() -> None:
    made = plan("snowflake").statements
    assert [(one.dataset, one.kind, one.sql.split()[0]) for one in made if one.kind == "setup"] == [
        ("", "setup", "ALTER"),
        ("", "setup", "CREATE"),
        ("interactions", "setup", "REMOVE"),
        ("users", "setup", "REMOVE"),
        ("items", "setup", "REMOVE"),
    ]
    copy = sqlglot.parse_one(next(one.sql for one in made if one.kind == "unload"), read="snowflake")
    assert isinstance(copy, exp.Copy)
    options = {one.name.upper(): one.expression.sql() if one.expression else None for one in copy.args["params"]}
    format_ = next(one for one in copy.args["params"] if one.name.upper() == "FILE_FORMAT")
    assert {one.this.name: one.args["value"].sql() for one in format_.expressions} == {
        "TYPE": "CSV",
        "COMPRESSION": "NONE",
        "FIELD_DELIMITER": "','",
        "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE",
        "ESCAPE_UNENCLOSED_FIELD": "NONE",
        "NULL_IF": "('')",
        "EMPTY_FIELD_AS_NULL": "FALSE",
        "FILE_EXTENSION": "'csv'",
    }
    wanted = {"HEADER": "TRUE", "OVERWRITE": "TRUE", "SINGLE": "FALSE", "MAX_FILE_SIZE": "268435456"}
    assert wanted.items() <= options.items()


def test_set_up_comes_before_what_needs_it() -> None:
    order = [(one.kind, one.dataset) for one in plan("snowflake").statements]
    assert order == [
        *[("setup", "")] * 2,
        *[(kind, dataset) for dataset in ("interactions", "users", "items") for kind in ("setup", "unload")],
        *[("counts", dataset) for dataset in ("interactions", "users", "items", "events")],
    ]
    assert plan("redshift").statements[:3] == (
        Statement("", "setup", "SET enable_case_sensitive_identifier TO true"),
        Statement("", "setup", "SET extra_float_digits TO 2"),
        Statement("", "setup", "SET timezone TO 'UTC'"),
    )
    session = "ALTER SESSION SET TIMEZONE = 'UTC' DATE_INPUT_FORMAT = 'AUTO' TIMESTAMP_INPUT_FORMAT = 'AUTO'"
    assert plan("snowflake").statements[0] == Statement("", "setup", session)


def test_the_integration_trusts_a_role_is_granted_and_shows_what_the_role_has_to_trust() -> None:
    role = "arn:aws:iam::123456789012:role/snowflake"
    create, grant, show = warehouse.integration("personalize", role, "s3://bucket/x", "loader")
    assert grant == 'GRANT USAGE ON INTEGRATION "PERSONALIZE" TO ROLE "LOADER"'
    assert "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/snowflake'" in create
    assert "STORAGE_ALLOWED_LOCATIONS = ('s3://bucket/x/')" in create
    assert show == 'DESC INTEGRATION "PERSONALIZE"'
    with pytest.raises(WarehouseError, match="isn't a valid Snowflake role name"):
        warehouse.integration("personalize", role, "s3://bucket/x", 'loader"; DROP')


@dialects
def test_names_in_a_query_have_the_warehouse_s_case_and_the_header_that_of_the_schema(dialect: str) -> None:
    tree = queries(dialect, plan(dialect))[0]
    case = str.lower if dialect == "redshift" else str.upper
    tables = [one for one in tree.find_all(exp.Table) if one.this.quoted]
    assert tables
    assert all(one.name == case(one.name) for one in tables)
    columns = [one for one in tree.find_all(exp.Column) if one.this.args.get("quoted") and one.table != "part"]
    assert columns
    assert all(one.name == case(one.name) for one in columns)
    assert isinstance(tree, exp.Select)
    assert [one.alias for one in tree.expressions] == [one.name for one in DEFAULT.datasets[0].columns]
    assert all(one.args["alias"].quoted for one in tree.expressions)


@dialects
def test_a_statement_of_one_source_is_small_enough_for_the_data_api(dialect: str) -> None:
    most = {"redshift": 70_000, "snowflake": 90_000}  # the Data API takes 100 KB, Snowflake 1 MB
    assert max(len(one.sql.encode()) for one in plan(dialect).statements) < most[dialect]


@pytest.mark.parametrize(("kinds", "selects"), [(("variant", "variant"), 1), (("variant", "array"), 2)])
def test_tables_share_a_select_only_if_their_arrays_have_one_type(kinds: tuple[str, str], selects: int) -> None:
    rule = {"event_type": "x", "each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku"]}}}
    fields = {name: {"from": [path]} for name, path in (("USER_ID", "userId"), ("TIMESTAMP", "timestamp"))}
    body = {"version": 1, "interactions": {"fields": fields, "track": {"Bought": rule, "Sold": rule}}}
    own = {"id": "text", "event_text": "text", "timestamp": "timestamp", "user_id": "text"}
    has = {table: own | {"products": kind} for table, kind in zip(("bought", "sold"), kinds, strict=True)}
    made = plan("snowflake", parse(json.dumps(body)), columns=Columns({"prod": has}))
    assert [one.sql.count("FLATTEN") for one in made.statements if one.kind == "unload"] == [selects]


HAS: dict[str, dict[str, str]] = {
    "product_viewed": {"id": "text", "event_text": "text", "timestamp": "timestamp", "user_id": "text", "sku": "text"},
    "identifies": {"id": "text", "user_id": "text"},
}


@dialects
def test_what_a_source_never_had_is_left_out_with_a_reason(dialect: str) -> None:
    made = plan(dialect, columns=Columns({"prod": HAS}))
    assert [one.dataset for one in made.statements if one.kind == "unload"] == ["interactions", "users", "items"]
    read = {node.name.lower() for tree in queries(dialect, made) for node in tree.find_all(exp.Table, exp.Column)}
    assert read >= {"product_viewed", "identifies", "sku", "event_text"}
    assert not read & {"order_completed", "product_id", "plan", "received_at"}
    assert 'prod, track "Order Completed": table order_completed doesn\'t exist' in made.left_out
    assert 'prod, track "Product Viewed": properties.product_id: column product_id doesn\'t exist' in made.left_out
    assert "prod, identify: traits.plan: column plan doesn't exist" in made.left_out
    assert len(made.left_out) == len(set(made.left_out))


@dialects
def test_a_dataset_without_tables_is_left_out_with_a_reason(dialect: str) -> None:
    made = plan(dialect, columns=Columns({"prod": {"identifies": HAS["identifies"]}}))
    assert [one.dataset for one in made.statements if one.kind == "unload"] == ["users"]
    assert "items: no table to read, so files in its folder stay there" in made.left_out


@dialects
@pytest.mark.parametrize(
    ("lacking", "note"),
    [
        pytest.param(
            "event_text", 'prod, track "Product Viewed": table product_viewed has no column event_text', id="name"
        ),
        pytest.param("user_id", 'prod, track "Product Viewed": no column for USER_ID, so it has no rows', id="user"),
        pytest.param("id", 'prod, track "Product Viewed": table product_viewed has no column id', id="message"),
    ],
)
def test_a_table_that_can_give_no_row_is_left_out_with_a_reason(dialect: str, lacking: str, note: str) -> None:
    table = {name: kind for name, kind in HAS["product_viewed"].items() if name != lacking}
    made = plan(dialect, columns=Columns({"prod": {"product_viewed": table, "identifies": HAS["identifies"]}}))
    assert note in made.left_out
    assert "interactions" not in [one.dataset for one in made.statements if one.kind == "unload"]


NEVER = interactions(
    track={
        "Viewed": [
            {"when": {"properties.flag": {"above": 1}, "properties.other": {"present": False}}},
            {"fields": {"TIMESTAMP": {"from": ["properties.at"], "format": "epoch_seconds"}}},
        ]
    }
)
NEVER["interactions"]["fields"] |= {
    "EVENT_VALUE": {"from": ["properties.flag"], "optional": True},
    "IMPRESSION": {"from": ["properties.products[].sku"], "optional": True},
}


@dialects
def test_a_column_whose_type_never_fits_is_named(dialect: str) -> None:
    has = {"flag": "boolean", "at": "timestamp without time zone", "products": "bigint", "sku": "text"}
    known = Columns({"prod": {"viewed": HAS["product_viewed"] | has}})
    named = {"redshift": str.lower, "snowflake": str.upper}[dialect]
    column = {name: f'column "{named(name)}"' for name in has}
    notes = [
        f"properties.flag: {column['flag']} has no numbers, so no comparison holds",
        "properties.other: column other doesn't exist",
        f"properties.flag: {column['flag']} has the type boolean, which doesn't fit EVENT_VALUE",
        f"properties.products[].sku: {column['products']} has the type bigint, which doesn't fit IMPRESSION",
        f"properties.at: {column['at']} has the type timestamp without time zone, which doesn't fit TIMESTAMP",
    ]
    left_out = plan(dialect, parse(json.dumps(NEVER)), columns=known).left_out
    assert {f'prod, track "Viewed": {note}' for note in notes} <= set(left_out)


@dialects
def test_a_window_needs_the_time_received(dialect: str) -> None:
    with pytest.raises(WarehouseError, match="table product_viewed has no column received_at"):
        plan(dialect, columns=Columns({"prod": HAS}), received=TimeWindow.of_days(date(2024, 3, 1)))


@dialects
def test_a_warehouse_without_one_table_is_refused(dialect: str) -> None:
    with pytest.raises(WarehouseError, match="table order_completed doesn't exist") as caught:
        plan(dialect, columns=Columns({"other": HAS}))
    assert caught.value.place == "prod"


#: The documented page's events, and its statement without the unload.
DOCUMENTED = """
select user_id as USER_ID, products_sku as ITEM_ID, event as EVENT_TYPE, date_part(epoch, "timestamp") as TIMESTAMP
from prod.order_completed
union select user_id, products_sku, event, date_part(epoch, "timestamp") from prod.product_added
union select user_id, products_sku, event, date_part(epoch, "timestamp") from prod.product_viewed
"""


def shop() -> list[Event]:
    """Return events of the three names, including two views that differ only in their ids."""
    common = {"type": "track", "userId": "u1", "timestamp": "2024-03-01T00:00:00.500Z"}
    one = {"properties": {"sku": "s,1"}}
    return [
        common | one | {"messageId": "1", "event": "Product Viewed"},
        common | one | {"messageId": "2", "event": "Product Viewed"},
        common | {"messageId": "3", "event": "Product Added", "properties": {"sku": "s2"}},
        common
        | {"messageId": "4", "event": "Order Completed", "properties": {"products": [{"sku": "s3"}, {"sku": "s4"}]}},
        common | {"messageId": "5", "event": "Product Added", "properties": {}},
    ]


@dialects
def test_the_documented_page_s_events_give_its_columns_without_its_bugs(dialect: str) -> None:
    connection = connect()
    load(connection, dialect, "prod", shop())
    with pytest.raises(duckdb.BinderException, match="products_sku"):
        connection.execute(sqlglot.transpile(DOCUMENTED, read=dialect, write="duckdb")[0])
    each = {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku"]}}}
    mapping = parse(
        json.dumps(interactions(track={"Product Viewed": {}, "Product Added": {}, "Order Completed": each}))
    )
    unload = next(one for one in plan(dialect, mapping).statements if one.kind == "unload")
    header, rows = written(connection, unload, dialect)
    assert set(header) == {"USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"}
    assert rows == [
        ("u1", "s,1", "1709251200", "Product Viewed"),
        ("u1", "s,1", "1709251200", "Product Viewed"),
        ("u1", "s2", "1709251200", "Product Added"),
        ("u1", "s3", "1709251200", "Order Completed"),
        ("u1", "s4", "1709251200", "Order Completed"),
    ]
