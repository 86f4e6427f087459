"""The command `sql`: statements on stdout, omissions on stderr."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from personalize_segment import warehouse
from personalize_segment.cli import load
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.errors import WarehouseError

DIGEST = f"-- event mapping sha256: {parse(default_text()).sha256}\n"
REDSHIFT = ["sql", "redshift", "--schema", "prod", "--to", "s3://bucket/training"]
SETUP = ["--setup", "arn:aws:iam::123456789012:role/x", "--grant-to", "loader"]
SNOWFLAKE = ["sql", "snowflake", "--schema", "prod", "--to", "s3://bucket/training", "--integration", "personalize"]


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        pytest.param(REDSHIFT, [*["setup"] * 3, *["unload"] * 3], id="redshift"),
        pytest.param([*REDSHIFT, "--counts"], [*["setup"] * 3, *["counts"] * 4], id="redshift's counts"),
        pytest.param(SNOWFLAKE, ["setup", "setup", *["setup", "unload"] * 3], id="snowflake"),
        pytest.param([*SNOWFLAKE, "--counts"], ["setup", "setup", *["counts"] * 4], id="snowflake's counts"),
    ],
)
def test_statements_are_printed_in_the_order_in_which_they_run(arguments: list[str], kinds: list[str]) -> None:
    result = CliRunner().invoke(load(), arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith(DIGEST)
    headers = [
        line.split()[1]
        for line in result.stdout.splitlines()
        if line.startswith(("-- setup", "-- unload", "-- counts"))
    ]
    assert headers == kinds
    assert 'left out: prod, track "Added Product": properties.id' in result.stderr


def test_the_statements_are_those_of_the_function(tmp_path: Path) -> None:
    file = tmp_path / "columns.csv"
    header = "table_schema,table_name,column_name,data_type\n"
    names = ["id", "event_text", "user_id", "timestamp", "received_at", "sku"]
    file.write_text(header + "".join(f"prod,product_viewed,{name},text\n" for name in names))
    days = ["--since", "1 Mar 2024", "--until", "2024-04-01", "--overlap", "2"]
    region = ["--bucket-region", "eu-west-1"]
    result = CliRunner().invoke(load(), [*REDSHIFT, "--columns", str(file), *days, *region])
    assert result.exit_code == 0
    request = warehouse.UnloadRequest(
        parse(default_text()),
        "redshift",
        schemas=["prod"],
        to="s3://bucket/training/",
        access="default",
        bucket_region="eu-west-1",
        columns=warehouse.parse_columns(file.read_text(), "columns.csv"),
        received=warehouse.TimeWindow.of_days(date(2024, 3, 1), date(2024, 4, 1), overlap=2),
    )
    made = warehouse.plan(request)
    assert all(one.sql in result.stdout for one in made.statements if one.kind != "counts")
    assert result.stderr.splitlines() == [f"left out: {line}" for line in made.left_out]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["sql", "redshift", "--schema", "prod", "--columns-query"], "FROM svv_columns", id="redshift"),
        pytest.param(["sql", "snowflake", "--schema", "prod", "--columns-query"], "INFORMATION_SCHEMA", id="snowflake"),
        pytest.param(
            [*SNOWFLAKE, *SETUP], 'GRANT USAGE ON INTEGRATION "PERSONALIZE" TO ROLE "LOADER"', id="integration"
        ),
    ],
)
def test_queries_for_once_are_printed_alone(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(load(), arguments)
    assert result.exit_code == 0
    assert expected in result.stdout
    assert result.stdout.endswith(";\n")
    assert "UNLOAD" not in result.stdout
    assert "COPY" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        pytest.param(REDSHIFT[:4], "--to", id="redshift without a place"),
        pytest.param(SNOWFLAKE[:6], "--integration", id="snowflake without an integration"),
        pytest.param([*SNOWFLAKE[:4], *SNOWFLAKE[6:]], "--to", id="snowflake without a place"),
        pytest.param([*SNOWFLAKE, *SETUP[:2]], "--grant-to", id="an integration for no one"),
        pytest.param(["sql", "redshift"], "--schema", id="no schema"),
    ],
)
def test_an_option_that_is_missing_is_named(arguments: list[str], missing: str) -> None:
    result = CliRunner().invoke(load(), arguments)
    assert result.exit_code == 2
    assert missing in result.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"\xff", "isn't UTF-8 text", id="bytes"),
        pytest.param(b"a\n1\n", "has no table_schema", id="others"),
    ],
)
def test_a_file_that_tells_no_columns_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "columns.csv"
    file.write_bytes(content)
    result = CliRunner().invoke(load(), [*REDSHIFT, "--columns", str(file)])
    assert isinstance(result.exception, WarehouseError)
    assert problem in result.exception.problem
