"""Statements through Snowflake's connector and a server on 127.0.0.1."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from personalize_segment.errors import UnloadError
from personalize_segment.warehouse import Statement
from personalize_segment.warehouse.engines.executor import Waiter, unload
from personalize_segment.warehouse.engines.snowflake import snowflake
from unload_servers import SnowflakeServer, connections

SECRET = "canary-Zq7wJalrXUtnFEMI"
TAG = "ALTER SESSION SET QUERY_TAG = 'personalize-segment'"
STATEMENTS = [
    Statement(one, "unload", f"COPY INTO @stage/{one}/ FROM (SELECT 1 AS {one})") for one in ("interactions", "users")
]
COUNTS = Statement("interactions", "counts", "SELECT count(*) AS COUNT, reason FROM refused GROUP BY 2")
UTC = Statement("", "setup", "ALTER SESSION SET TIMEZONE = 'UTC'")
CLEAR = [Statement(one, "setup", f"REMOVE @stage/{one}/") for one in ("interactions", "users")]
STAGE = Statement("", "setup", "CREATE TEMPORARY STAGE stage")
ROWS = {"COPY INTO": (("rows_unloaded", "input_bytes", "output_bytes"), [[1234, 99, 99]])}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SnowflakeServer]:
    with SnowflakeServer(results=dict(ROWS), password=SECRET) as made:
        for name, value in connections(tmp_path, made, SECRET).items():
            monkeypatch.setenv(name, value)
        yield made


def _run(*statements: Statement, **options: Any) -> Any:
    with snowflake("shop") as engine:
        return unload(engine, statements or STATEMENTS, Waiter(sleep=lambda seconds: None, **options))


def test_each_dataset_is_copied_and_its_rows_are_what_the_copy_says(server: SnowflakeServer) -> None:
    seen: list[tuple[str, str]] = []
    outcome = _run(progress=lambda *one: seen.append(one))
    assert [(one.dataset, one.rows) for one in outcome.written] == [("interactions", 1234), ("users", 1234)]
    assert server.sqls == [TAG, *(one.sql for one in STATEMENTS)]
    states = ["starting", "RESUMING_WAREHOUSE", "QUEUED", "RUNNING", "SUCCESS"]
    assert [status for what, status in seen if what == "users"] == states
    assert [one.query for one in outcome.written] == list(server.queries)[1:]
    assert server.canceled == []


def test_a_session_is_set_up_once_and_a_location_cleared_before_its_copy(server: SnowflakeServer) -> None:
    _run(UTC, STAGE, *CLEAR, *STATEMENTS, COUNTS)
    assert server.sqls == [
        TAG,
        UTC.sql,
        STAGE.sql,
        CLEAR[0].sql,
        STATEMENTS[0].sql,
        CLEAR[1].sql,
        STATEMENTS[1].sql,
        COUNTS.sql,
    ]


def test_percent_signs_and_question_marks_arrive_as_they_are(server: SnowflakeServer) -> None:
    sql = "COPY INTO @stage/x/ FROM (SELECT a LIKE '[%' OR a LIKE '%s' OR a = '?' OR a = ':b' OR a = '%(c)s%%')"
    _run(Statement("users", "unload", sql))
    assert server.sqls == [TAG, sql]


def test_counts_keep_their_columns(server: SnowflakeServer) -> None:
    server.results["FROM refused"] = ("COUNT", "REASON"), [[7, "missing"], [2, None]]
    outcome = _run(COUNTS, *STATEMENTS)
    assert outcome.counts == [{"count": 7, "reason": "missing"}, {"count": 2, "reason": None}]


def test_the_default_connection_is_the_connectors_own(server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "shop")
    with snowflake() as engine:
        assert engine.place == "Snowflake acme/SEGMENT"
    assert server.logged_in == 1
    assert server.calls.count("session") == 1  # closed


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        pytest.param(
            "SQL compilation error:\nObject 'SHOP.ORDER_COMPLETED' does not exist or not authorized.",
            "Leave --columns out",
            id="no such table",
        ),
        pytest.param(
            "SQL compilation error: error line 3 at position 7\ninvalid identifier 'SKU'",
            "Leave --columns out",
            id="no such column",
        ),
        pytest.param(
            "Integration 'SEGMENT' does not exist or not authorized.", "Run the setup statements", id="no integration"
        ),
        pytest.param(
            "Failure using stage area. Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]",
            "Give the role s3:PutObject",
            id="the bucket is denied",
        ),
        pytest.param("No active warehouse selected in the current session.", "Name a running warehouse", id="off"),
    ],
)
def test_a_failure_is_one_line_with_a_remedy_and_what_is_whole(server: SnowflakeServer, said: str, remedy: str) -> None:
    server.failures["AS users"] = said
    with pytest.raises(UnloadError) as caught:
        _run()
    text = str(caught.value)
    assert text.startswith("users in Snowflake acme/SEGMENT: query ")
    assert " ".join(said.split()).rstrip(". ") in text
    assert "complete: interactions (1,234 rows); incomplete: users, which must not be imported" in text
    assert remedy in caught.value.remedy
    assert "\n" not in text
    assert SECRET not in text


def test_a_setting_that_is_refused_is_one_line(server: SnowflakeServer) -> None:
    server.failures["TIMEZONE"] = "invalid value\n'UTC'."
    with pytest.raises(UnloadError, match=r"^setup in Snowflake acme/SEGMENT: invalid value 'UTC'; complete: "):
        _run(UTC, *STATEMENTS)


def test_what_somebody_else_aborted_is_a_failure(server: SnowflakeServer) -> None:
    server.states = ("RUNNING", "ABORTED")
    with pytest.raises(UnloadError, match="ABORTED, no reason given; complete: nothing; incomplete: inter"):
        _run()


def test_a_query_that_snowflake_does_not_know_is_not_waited_for_forever(server: SnowflakeServer) -> None:
    server.states = ("NO_DATA",)
    with pytest.raises(UnloadError, match="Snowflake doesn't know the query"):
        _run()


def test_a_query_may_take_a_moment_to_appear(server: SnowflakeServer) -> None:
    server.states = (*["NO_DATA"] * 20, "RUNNING", *["NO_DATA"] * 20, "SUCCESS")
    assert len(_run().written) == 2


def test_ctrl_c_cancels_the_query_that_runs(server: SnowflakeServer) -> None:
    server.states = ("RUNNING",)

    def press(seconds: float) -> None:
        raise KeyboardInterrupt

    with snowflake("shop") as engine, pytest.raises(KeyboardInterrupt) as caught:
        unload(engine, STATEMENTS, Waiter(sleep=press))
    query = list(server.queries)[-1]
    assert server.canceled == [query]
    assert caught.value.__notes__ == [
        f"interactions: query {query} was canceled",
        "complete: nothing; incomplete: interactions, users, which must not be imported",
    ]


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        pytest.param("shop", "canary-wrong", "Incorrect username or password", id="a wrong password"),
        pytest.param("shpo", SECRET, "shpo", id="no such connection"),
    ],
)
def test_a_connection_that_fails_is_one_line_without_its_password(
    server: SnowflakeServer, tmp_path: Path, name: str, password: str, told: str
) -> None:
    connections(tmp_path, server, password)
    with pytest.raises(UnloadError) as caught, snowflake(name):
        pass
    text = str(caught.value)
    assert told in text
    assert text.startswith(f"Snowflake connection {name}: ")
    assert "connections.toml" in caught.value.remedy
    assert "\n" not in text
    assert "canary" not in text


def test_no_password_is_in_what_is_run(server: SnowflakeServer) -> None:
    _run(UTC, *STATEMENTS, COUNTS)
    assert len(server.sqls) == 5
    assert "canary" not in "".join(server.sqls)
