"""Statements through the Redshift Data API: requests follow botocore's model, with every status and refusal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from personalize_segment.errors import UnloadError
from personalize_segment.warehouse import Statement
from personalize_segment.warehouse.engines.executor import Waiter, unload
from personalize_segment.warehouse.engines.redshift import MAX_STATEMENT_BYTES, RedshiftEngine, redshift
from unload_servers import RedshiftData

SECRET = "canary-Zq7wJalrXUtnFEMI"
ROLE = "arn:aws:iam::123456789012:role/unload"


def _unload_sql(dataset: str) -> str:
    return f"UNLOAD ('SELECT 1 AS {dataset}') TO 's3://bucket/{dataset}/' IAM_ROLE '{ROLE}' FORMAT CSV HEADER"


STATEMENTS = [Statement(one, "unload", _unload_sql(one)) for one in ("interactions", "users")]
COUNTS = Statement("interactions", "counts", "SELECT count(*) AS COUNT, reason FROM refused GROUP BY 2")
SETUP = Statement("", "setup", "SET enable_case_sensitive_identifier TO true")
ROWS = {"pg_last_unload_count": (("pg_last_unload_count",), [[1234]])}


@pytest.fixture
def data_api() -> Iterator[RedshiftData]:
    with RedshiftData(results=dict(ROWS)) as server:
        yield server


def _client(server: RedshiftData, attempts: int = 1) -> Any:
    return boto3.client(
        "redshift-data",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIA" + "X" * 16,
        aws_secret_access_key=SECRET,
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def _engine(server: RedshiftData, attempts: int = 1, token: str | None = None) -> RedshiftEngine:
    made = redshift(_client(server, attempts), "dev", workgroup="analytics", client_token=token)
    return replace(made, sleep=lambda seconds: None)


def _run(engine: RedshiftEngine, *statements: Statement, **options: Any) -> Any:
    return unload(engine, statements or STATEMENTS, Waiter(sleep=lambda seconds: None, **options))


def test_each_dataset_is_one_batch_whose_rows_are_its_own(data_api: RedshiftData) -> None:
    seen: list[tuple[str, str]] = []
    outcome = _run(_engine(data_api), progress=lambda *one: seen.append(one))
    assert [(one.dataset, one.rows) for one in outcome.written] == [("interactions", 1234), ("users", 1234)]
    assert [one["Sqls"] for one in data_api.requests] == [
        [_unload_sql(dataset), "SELECT pg_last_unload_count()"] for dataset in ("interactions", "users")
    ]
    assert [one["StatementName"] for one in data_api.requests] == [
        "personalize-segment unload interactions",
        "personalize-segment unload users",
    ]
    assert [status for what, status in seen if what == "users"] == [
        "starting",
        "SUBMITTED",
        "PICKED",
        "STARTED",
        "FINISHED",
    ]
    assert [one.query for one in outcome.written] == list(data_api.queries)
    assert data_api.canceled == []


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        pytest.param(
            {"workgroup": "analytics"}, {"WorkgroupName": "analytics", "Database": "dev"}, id="a serverless workgroup"
        ),
        pytest.param({"cluster": "main"}, {"ClusterIdentifier": "main", "Database": "dev"}, id="a cluster as IAM"),
        pytest.param(
            {"cluster": "main", "db_user": "loader"},
            {"ClusterIdentifier": "main", "Database": "dev", "DbUser": "loader"},
            id="a cluster as a user",
        ),
        pytest.param(
            {"cluster": "main", "secret_arn": "arn:aws:secretsmanager:eu-west-1:1:secret:s"},
            {
                "ClusterIdentifier": "main",
                "Database": "dev",
                "SecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:s",
            },
            id="a cluster with a secret",
        ),
    ],
)
def test_the_database_is_named_as_the_data_api_wants_it(
    data_api: RedshiftData, where: dict[str, str], sent: dict[str, str]
) -> None:
    _run(redshift(_client(data_api), "dev", **where))
    kept = {"Sqls", "StatementName", "ClientToken"}
    assert [{key: one[key] for key in one if key not in kept} for one in data_api.requests] == [sent, sent]


def test_counts_come_last_and_keep_their_columns(data_api: RedshiftData) -> None:
    data_api.results["FROM refused"] = ("COUNT", "reason"), [[7, "missing"], [2, None], [1, "not a string"]]
    data_api.page_rows = 2
    outcome = _run(_engine(data_api), COUNTS, *STATEMENTS)
    assert outcome.counts == [
        {"count": 7, "reason": "missing"},
        {"count": 2, "reason": None},
        {"count": 1, "reason": "not a string"},
    ]
    assert data_api.requests[-1]["Sqls"] == [COUNTS.sql]
    assert [one.dataset for one in outcome.written] == ["interactions", "users"]


def test_settings_of_the_session_are_in_every_batch(data_api: RedshiftData) -> None:
    _run(_engine(data_api), SETUP, *STATEMENTS, COUNTS)
    assert [one["Sqls"][0] for one in data_api.requests] == [SETUP.sql] * 3


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        pytest.param(
            f"ERROR: User arn:aws:redshift:eu-west-1:1:dbuser:main/u is not authorized to assume IAM Role {ROLE}",
            "Associate the role with the cluster or the namespace",
            id="the role can't be assumed",
        ),
        pytest.param(
            f"ERROR: Not authorized to get credentials of role {ROLE}",
            "Associate the role with the cluster or the namespace",
            id="the role can't be assumed, on serverless",
        ),
        pytest.param(
            "ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid X,CanRetry 1\n  Detail: \n  -- ",
            "Give the role s3:PutObject",
            id="the bucket is denied",
        ),
        pytest.param(
            "ERROR: S3ServiceException:The S3 bucket addressed by the query is in a different region from this cluster"
            ".,Status 301,Error PermanentRedirect,Rid X",
            "Name the bucket's region with --bucket-region",
            id="the bucket is elsewhere",
        ),
        pytest.param('ERROR: relation "shop.order_updated" does not exist', "Leave --columns out", id="no such table"),
        pytest.param('ERROR: column "sku" does not exist in t', "Leave --columns out", id="no such column"),
        pytest.param("ERROR: permission denied for schema shop", "Grant usage of the schema", id="no right to read"),
        pytest.param("ERROR: out of memory", "in the warehouse's history", id="anything else"),
    ],
)
def test_a_failure_is_one_line_with_a_remedy_and_what_is_whole(data_api: RedshiftData, said: str, remedy: str) -> None:
    data_api.failures["AS users"] = said
    with pytest.raises(UnloadError) as caught:
        _run(_engine(data_api))
    text = str(caught.value)
    assert text.startswith("users in Redshift analytics/dev: query ")
    assert " ".join(said.split()).rstrip(". ") in text
    assert "complete: interactions (1,234 rows); incomplete: users, which must not be imported" in text
    assert remedy in caught.value.remedy
    assert "\n" not in text
    assert SECRET not in text


def test_a_failure_that_only_the_statement_tells_is_found(data_api: RedshiftData) -> None:
    engine = _engine(data_api)
    query = engine.submit([], STATEMENTS[0])
    data_api._describe = lambda query: {  # type: ignore[method-assign]
        "Id": query,
        "Status": "FAILED",
        "SubStatements": [{"Id": f"{query}:1", "Error": "ERROR: no"}, {"Id": f"{query}:2", "Status": "ABORTED"}],
    }
    assert engine.state(query).failure == "ERROR: no"


def test_what_somebody_else_canceled_is_a_failure(data_api: RedshiftData) -> None:
    data_api.states = ("STARTED", "ABORTED")
    with pytest.raises(UnloadError, match="it was canceled; complete: nothing; incomplete: inter"):
        _run(_engine(data_api))


def test_nothing_runs_when_a_statement_is_too_long(data_api: RedshiftData) -> None:
    start = "UNLOAD ('SELECT 'ü"
    fits = Statement("users", "unload", start.ljust(MAX_STATEMENT_BYTES - 1, "x"))
    _run(_engine(data_api), fits)
    data_api.requests.clear()
    with pytest.raises(UnloadError, match=r"has 102,401 bytes, larger than 100 KB.*Name fewer schemas"):
        _run(_engine(data_api), STATEMENTS[0], Statement("users", "unload", fits.sql + "x"))
    assert data_api.requests == []


@pytest.mark.parametrize(
    ("operation", "status", "code", "remedy"),
    [
        pytest.param(
            "BatchExecuteStatement", 400, "AccessDeniedException", "Allow redshift-data:Batch", id="no right to"
        ),
        pytest.param(
            "BatchExecuteStatement", 400, "ActiveStatementsExceededException", "Wait until other statements", id="busy"
        ),
        pytest.param("BatchExecuteStatement", 400, "ValidationException", "Check the region", id="refused"),
        pytest.param("DescribeStatement", 500, "InternalServerException", "Check the region", id="no look"),
        pytest.param("GetStatementResult", 400, "ResourceNotFoundException", "Check the region", id="no rows"),
    ],
)
def test_what_the_api_refuses_is_one_line_with_a_remedy(
    data_api: RedshiftData, operation: str, status: int, code: str, remedy: str
) -> None:
    data_api.errors.append((operation, status, {"__type": code, "message": "It says\nso."}))
    with pytest.raises(UnloadError) as caught:
        _run(_engine(data_api))
    text = str(caught.value)
    assert f"({code})" in text
    assert "It says so; " in text
    assert "complete: nothing; incomplete: interactions, users, which must not be imported" in text
    assert caught.value.remedy.startswith(remedy)
    assert SECRET not in text


def test_counts_that_are_too_long_may_be_left_out(data_api: RedshiftData) -> None:
    with pytest.raises(UnloadError, match="Leave the counts out with --no-counts"):
        _run(_engine(data_api), Statement("users", "counts", "x" * MAX_STATEMENT_BYTES + "x"))


def test_a_statement_too_long_for_the_service_alone_gets_the_same_remedy(data_api: RedshiftData) -> None:
    message = "Cannot process query string larger than 100kB"
    data_api.errors.append(("BatchExecuteStatement", 400, {"__type": "ValidationException", "message": message}))
    with pytest.raises(UnloadError, match="Name fewer schemas"):
        _run(_engine(data_api))


def test_throttling_is_waited_out_and_a_lost_answer_runs_nothing_twice(data_api: RedshiftData) -> None:
    slower = {"__type": "ThrottlingException", "message": "Rate exceeded"}
    data_api.errors += [
        (one, 400, slower) for one in ("BatchExecuteStatement", "DescribeStatement", "GetStatementResult")
    ]
    data_api.lost = 1
    engine = _engine(data_api, attempts=3)
    outcome = _run(engine)
    assert len(outcome.written) == 2
    assert len(data_api.queries) == 2
    assert data_api.errors == []
    assert data_api.lost == 0
    tokens = [one["ClientToken"] for one in data_api.requests]
    assert len(tokens) == 3
    assert len(set(tokens)) == 2
    assert {len(one) for one in tokens} == {64}


def test_a_repeat_with_the_same_token_waits_for_the_same_queries(data_api: RedshiftData) -> None:
    first = _run(_engine(data_api, token="nightly-7"))
    assert _run(_engine(data_api, token="nightly-7")) == first
    assert len(data_api.queries) == 2
    for other in (_engine(data_api, token="nightly-8"), _engine(data_api), _engine(data_api)):
        _run(other)
    assert len(data_api.queries) == 8
    _run(_engine(data_api, token="nightly-7"), Statement("users", "unload", _unload_sql("other")))
    assert len(data_api.queries) == 9


def test_ctrl_c_cancels_the_query_that_runs(data_api: RedshiftData) -> None:
    data_api.states = ("STARTED",)

    def press(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        unload(_engine(data_api), STATEMENTS, Waiter(sleep=press))
    (query,) = data_api.queries
    assert data_api.canceled == [query]
    assert caught.value.__notes__ == [
        f"interactions: query {query} was canceled",
        "complete: nothing; incomplete: interactions, users, which must not be imported",
    ]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        pytest.param(["SUBMITTED", "PICKED", "STARTED"], "was canceled", id="as soon as it has started"),
        pytest.param(["SUBMITTED", "FINISHED"], "is FINISHED", id="unless it is done"),
        pytest.param(["SUBMITTED"], "is still SUBMITTED: cancel it in the console", id="or stays queued"),
    ],
)
def test_a_query_that_is_queued_is_canceled_when_that_can_be(
    data_api: RedshiftData, states: list[str], said: str
) -> None:
    data_api.states = tuple(states)
    engine = _engine(data_api)
    assert engine.cancel(engine.submit([], STATEMENTS[0])) == said


def test_a_query_that_cannot_be_seen_may_still_be_running(data_api: RedshiftData) -> None:
    engine = _engine(data_api)
    query = engine.submit([], STATEMENTS[0])
    for operation in ("CancelStatement", "DescribeStatement"):
        data_api.errors.append((operation, 500, {"__type": "InternalServerException", "message": "down"}))
    assert "may still be running: An error occurred (InternalServerException)" in engine.cancel(query)


def test_a_connection_that_fails_is_one_line(data_api: RedshiftData) -> None:
    client = boto3.client(
        "redshift-data",
        endpoint_url="http://127.0.0.1:9",
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(UnloadError, match=r"Could not connect.*Check the region") as caught:
        unload(redshift(client, "dev", cluster="main"), STATEMENTS, Waiter())
    assert SECRET not in str(caught.value)


def test_no_key_is_in_what_is_sent(data_api: RedshiftData) -> None:
    _run(_engine(data_api), SETUP, *STATEMENTS, COUNTS)
    assert SECRET not in json.dumps(data_api.requests)
    assert "ACCESS_KEY" not in json.dumps(data_api.requests).upper()
