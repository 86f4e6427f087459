"""`personalize-segment unload` as a user runs it: a process, a mapping, a served warehouse."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from personalize_segment.cli import load
from personalize_segment.errors import WarehouseError
from personalize_segment.warehouse import COUNTS
from programs import installed
from unload_servers import RedshiftData, SnowflakeServer, Table, Warehouse, connections

COMMAND = installed() / "personalize-segment"
SECONDS = 60
SECRET = "canary-Zq7wJalrXUtnFEMI"
MAPPING = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product_id"]},
            "TIMESTAMP": {"from": ["timestamp"]},
        },
        "track": {"Product Viewed": {"event_type": "View"}, "Product Added": {"event_type": "AddToCart"}},
    },
    "users": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "PLAN": {"from": ["traits.plan"], "type": "string", "categorical": True, "optional": True},
        }
    },
}
CALL = {"id": "varchar", "user_id": "varchar", "timestamp": "timestamp", "received_at": "timestamp"}
TABLES = {
    "product_viewed": {"event_text": "varchar", "product_id": "varchar"},
    "identifies": {"plan": "varchar"},
    "tracks": {"event_text": "varchar"},
}
#: No event "Product Added" was ever sent.
COLUMNS: Table = (
    ("table_schema", "table_name", "column_name", "data_type", "numeric_scale"),
    [
        ("shop", table, column, kind, None)
        for table, columns in TABLES.items()
        for column, kind in (CALL | columns).items()
    ],
)
REASONS: Table = (
    COUNTS,
    [
        ("interactions", "shop", "track", "Product Viewed", None, "written", 1234),
        ("interactions", "shop", "track", "Product Viewed", None, "deduplicated", 5),
        ("interactions", "shop", "track", "Product Viewed", "USER_ID", "missing", 2),
        ("interactions", "shop", "track", "Product Viewed", "ITEM_ID", "missing", 70),
        ("interactions", "shop", "track", "Product Viewed", "EVENT_VALUE", "null: not a finite number of 32 bits", 9),
        ("interactions", "shop", "track", "Product Viewed", None, "ahead", 3),
    ],
)
REDSHIFT = (
    *("redshift", "--schema", "shop", "--to", "s3://training/w", "--database", "dev", "--workgroup", "analytics"),
    *("--role", "arn:aws:iam::123456789012:role/unload"),
)
SNOWFLAKE = ("snowflake", "--schema", "shop", "--to", "s3://training/w", "--integration", "SEGMENT")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mapping.json").write_text(json.dumps(MAPPING), "utf-8")
    return tmp_path


@pytest.fixture
def redshift() -> Iterator[RedshiftData]:
    results = {
        "svv_columns": COLUMNS,
        "'interactions' AS": REASONS,
        "pg_last_unload_count": (("pg_last_unload_count",), [[1234]]),
    }
    with RedshiftData(results=results | {"SELECT": (COUNTS, [])}) as server:
        yield server


@pytest.fixture
def snowflake() -> Iterator[SnowflakeServer]:
    results = {
        "INFORMATION_SCHEMA": COLUMNS,
        "COPY INTO": (("rows_unloaded", "input_bytes", "output_bytes"), [[1234, 99, 99]]),
        "'interactions' AS": REASONS,
    }
    with SnowflakeServer(results=results | {"GROUP BY": (COUNTS, [])}, password=SECRET) as server:
        yield server


def _environment(home: Path, server: Warehouse) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SNOWFLAKE_"))}
    aws = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    aws |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    if isinstance(server, RedshiftData):
        return kept | aws | {"AWS_ENDPOINT_URL": server.url, "COLUMNS": "200"}
    assert isinstance(server, SnowflakeServer)
    found = connections(home, server, SECRET)
    return kept | found | {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "shop", "COLUMNS": "200"}


def _command(home: Path, *arguments: str) -> list[str]:
    engine, *others = arguments
    return [str(COMMAND), "unload", engine, "--mapping", str(home / "mapping.json"), "--poll", "0.05", *others]


def _run(home: Path, server: Warehouse, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    found = {name: value for name, value in (_environment(home, server) | environment).items() if value}
    command = _command(home, *arguments)
    done = subprocess.run(command, env=found, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr + done.stdout
    assert "canary" not in "".join(server.sqls)
    return done


def _invoke(home: Path, server: Warehouse, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """Run the command in this process, which is faster."""
    for name, value in _environment(home, server).items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(load(), _command(home, *arguments)[1:])


def _words(text: str) -> list[list[str]]:
    """Return the words of each line, without table borders."""
    return [line.translate(dict.fromkeys(map(ord, "│┃"), " ")).split() for line in text.splitlines()]


def test_redshift_writes_each_dataset_and_says_what_is_left_out(home: Path, redshift: RedshiftData) -> None:
    done = _run(home, redshift, *REDSHIFT, "--since", "2026-01-01", "--bucket-region", "eu-central-1")
    assert done.returncode == 0, done.stderr
    unloads = [
        one["Sqls"] for one in redshift.requests if one["StatementName"].startswith("personalize-segment unload")
    ]
    assert [len(one) for one in unloads] == [5, 5]
    for sqls, dataset in zip(unloads, ("interactions", "users"), strict=True):
        assert sqls[0] == "SET enable_case_sensitive_identifier TO true"
        assert sqls[3].startswith("UNLOAD ('")
        assert f"TO 's3://training/w/{dataset}/" in sqls[3]
        assert sqls[3].endswith("\nREGION 'eu-central-1'")
        assert sqls[4] == "SELECT pg_last_unload_count()"
    assert "product_added" not in unloads[0][3]
    assert "product_added" in done.stderr  # and why
    words = _words(done.stdout)
    queries = [line[-1] for line in words if line[:1] in (["interactions"], ["users"])]
    assert ["interactions", "1,234", "5", "72", queries[0]] in words
    assert ["users", "1,234", "0", "0", queries[1]] in words
    assert words.index(
        ["70", "shop", "track", "Product", "Viewed", "interactions", "ITEM_ID", "missing"]
    ) < words.index(["2", "shop", "track", "Product", "Viewed", "interactions", "USER_ID", "missing"])
    values = next(number for number, line in enumerate(words) if line[:5] == ["Rows", "with", "a", "value", "left"])
    assert [line[0] for line in words[values:] if line[1:2] == ["shop"]] == ["9", "3"]
    assert "interactions: STARTED" in done.stderr


def test_json_is_on_stdout_for_machines(home: Path, redshift: RedshiftData) -> None:
    done = _run(home, redshift, *REDSHIFT, "--json", "--client-token", "nightly-7")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(found) == {"to", "not_there", "written", "counts"}
    assert [(one["dataset"], one["rows"]) for one in found["written"]] == [("interactions", 1234), ("users", 1234)]
    assert found["counts"] == [dict(zip(COUNTS, row, strict=True)) for row in REASONS[1]]
    assert any("product_added" in line for line in found["not_there"])
    again = _run(home, redshift, *REDSHIFT, "--json", "--client-token", "nightly-7")
    assert again.stdout == done.stdout
    assert len(redshift.queries) == len(redshift.requests) / 2


def test_columns_may_come_from_a_file_and_counts_be_left_out(home: Path, redshift: RedshiftData) -> None:
    columns = home / "columns.csv"
    lines = [",".join("" if cell is None else cell for cell in row) for row in (COLUMNS[0], *COLUMNS[1])]
    columns.write_text("\n".join(lines), "utf-8")
    done = _run(home, redshift, *REDSHIFT, "--columns", str(columns), "--no-counts", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == []
    assert len(redshift.requests) == 2


def test_snowflake_writes_each_dataset_and_says_what_is_left_out(home: Path, snowflake: SnowflakeServer) -> None:
    done = _run(home, snowflake, *SNOWFLAKE)
    assert done.returncode == 0, done.stderr
    started = [sql.split()[0] for sql in snowflake.sqls]
    assert started[:2] == ["ALTER", "SELECT"]  # the tag, the columns
    assert [one for one in started if one in ("REMOVE", "COPY")] == ["REMOVE", "COPY", "REMOVE", "COPY"]
    words = _words(done.stdout)
    query = next(line[-1] for line in words if line[:1] == ["interactions"])
    assert ["interactions", "1,234", "5", "72", query] in words
    assert "interactions: RUNNING" in done.stderr
    assert not [line for line in words if "Warning" in line or "WARNING" in line]


def test_a_failure_names_the_place_the_remedy_and_what_is_whole(home: Path, redshift: RedshiftData) -> None:
    redshift.failures["/users/"] = "ERROR: S3ServiceException:Access Denied,Status 403"
    done = _run(home, redshift, *REDSHIFT, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("personalize-segment: users in Redshift analytics/dev: query ")
    assert "complete: interactions (1,234 rows); incomplete: users, which must not be imported." in last
    assert "Give the role s3:PutObject" in last


def test_not_one_row_is_a_failure(home: Path, redshift: RedshiftData) -> None:
    redshift.results["pg_last_unload_count"] = ("pg_last_unload_count",), [[0]]
    done = _run(home, redshift, *REDSHIFT)
    assert done.returncode == 1
    assert "Redshift analytics/dev: the queries produced no rows. Check the schemas" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--cluster", "main"), "Set exactly one of them", id="two places"),
        pytest.param(("--db-user", "loader"), "needs --cluster", id="a user of a workgroup"),
        pytest.param(("--poll", "0"), "0.05", id="no pause"),
    ],
)
def test_a_misuse_is_status_2_before_any_call(
    home: Path, redshift: RedshiftData, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    done = _invoke(home, redshift, monkeypatch, *REDSHIFT, *arguments)
    assert done.exit_code == 2, done.stderr
    assert told in done.stderr
    assert redshift.calls == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--to", "/tmp/x"), "isn't an S3 location", id="a folder"),
        pytest.param(("--to", "s3://b/x"), "'s3://b/x': has an invalid bucket name", id="a bucket"),
        pytest.param(("--role", "x'"), "isn't the ARN of an IAM role", id="a role"),
        pytest.param(("--columns", "none.csv"), "No such file or directory: 'none.csv'", id="no file"),
    ],
)
def test_what_cannot_be_right_is_told_before_any_call(
    home: Path, redshift: RedshiftData, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    done = _invoke(home, redshift, monkeypatch, *REDSHIFT, *arguments)
    assert isinstance(done.exception, WarehouseError | OSError)  # of which main makes one line
    assert told in str(done.exception)
    assert redshift.calls == []


def test_a_wrong_password_is_one_line_without_it(home: Path, snowflake: SnowflakeServer) -> None:
    snowflake.password = "another"
    done = _run(home, snowflake, *SNOWFLAKE, "--connection", "shop")
    assert done.returncode == 1
    assert done.stderr.startswith("personalize-segment: Snowflake connection shop: ")
    assert "Incorrect username or password" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_extra_that_is_missing_is_named(home: Path, snowflake: SnowflakeServer) -> None:
    hidden = home / "hidden"
    (hidden / "snowflake").mkdir(parents=True)
    (hidden / "snowflake" / "__init__.py").write_text("", "utf-8")
    done = _run(home, snowflake, *SNOWFLAKE, PYTHONPATH=str(hidden))
    said = "personalize-segment: snowflake isn't installed. Install personalize-segment[snowflake].\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize(
    ("warehouse", "arguments", "state"),
    [
        pytest.param("redshift", REDSHIFT, "STARTED", id="redshift"),
        pytest.param("snowflake", SNOWFLAKE, "RUNNING", id="snowflake"),
    ],
)
def test_ctrl_c_cancels_the_query_and_says_what_is_whole(
    home: Path, warehouse: str, arguments: tuple[str, ...], state: str, request: pytest.FixtureRequest
) -> None:
    server: Any = request.getfixturevalue(warehouse)
    environment = _environment(home, server)
    server.states_of = {"/users/": (state,)}
    with subprocess.Popen(
        _command(home, *arguments), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == f"users: {state}\n":
                break
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=SECONDS)
    query = list(server.queries)[-1]
    assert (process.returncode, printed) == (130, "")
    assert server.canceled == [query]
    assert said.splitlines()[-3:] == [  # rich may print a line again in whose midst the signal came
        f"users: query {query} was canceled",
        "complete: interactions (1,234 rows); incomplete: users, which must not be imported",
        "Interrupted.",
    ]
