"""Invoke, as clients of the server see it: payloads, errors, logs, versions and aliases."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from personalize_emulator.lambda_service import invoked_arn
from personalize_emulator.server import Server
from served import client, create_function, eventually, zipped

ECHO = """
import boto3
def handler(event, context):
    print("got", event.get("say"))
    if event.get("fail"):
        raise ValueError("told to")
    if bucket := event.get("bucket"):
        boto3.client("s3").create_bucket(Bucket=bucket)
    return {"event": event, "arn": context.invoked_function_arn, "version": context.function_version}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        create_function(found, "echo", ECHO, Publish=True)
        client(found, "lambda").create_alias(FunctionName="echo", Name="live", FunctionVersion="1")
        yield found


def invoke(server: Server, event: Any, **more: Any) -> Any:
    return client(server, "lambda").invoke(**{"FunctionName": "echo", "Payload": json.dumps(event), **more})


def test_an_invocation_answers_what_the_handler_returns(server: Server) -> None:
    answer = invoke(server, {"say": "ä"})
    assert (answer["StatusCode"], answer.get("FunctionError"), answer["ExecutedVersion"]) == (200, None, "$LATEST")
    assert json.load(answer["Payload"])["event"] == {"say": "ä"}
    assert "LogResult" not in answer


def test_a_function_error_is_unhandled_and_not_an_http_error(server: Server) -> None:
    answer = invoke(server, {"fail": True})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    found = json.load(answer["Payload"])
    assert (found["errorType"], found["errorMessage"]) == ("ValueError", "told to")


def test_a_function_calls_the_server_with_its_own_boto3(server: Server) -> None:
    invoke(server, {"bucket": "made-by-a-function"})
    buckets = [one["Name"] for one in client(server, "s3").list_buckets()["Buckets"]]
    assert "made-by-a-function" in buckets


def test_the_tail_of_the_log_comes_with_the_answer_that_asks_for_it(server: Server) -> None:
    answer = invoke(server, {"say": "hello"}, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "got hello"


def test_a_long_log_is_cut_to_its_last_4_kilobytes(server: Server) -> None:
    answer = invoke(server, {"say": "x" * 10_000}, LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == 4096


def test_every_line_is_in_cloudwatch_logs_in_a_stream_of_the_version(server: Server) -> None:
    invoke(server, {"say": "to be found"}, Qualifier="1")
    logs = client(server, "logs")
    events = logs.filter_log_events(logGroupName="/aws/lambda/echo", filterPattern='"to be found"')["events"]
    assert [event["message"] for event in events] == ["got to be found"]
    assert "/[1]" in events[0]["logStreamName"]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("echo:live", "1", id="alias in the name"),
        pytest.param("arn:aws:lambda:us-east-1:123456789012:function:echo:live", "1", id="alias in the ARN"),
        pytest.param("arn:aws:lambda:us-east-1:123456789012:function:echo:1", "1", id="version in the ARN"),
        pytest.param("arn:aws:lambda:us-east-1:123456789012:function:echo", "$LATEST", id="ARN alone"),
        pytest.param("echo", "$LATEST", id="name alone"),
    ],
)
def test_a_function_knows_by_which_name_it_was_invoked(server: Server, name: str, version: str) -> None:
    found = json.load(invoke(server, {}, FunctionName=name)["Payload"])
    assert found["version"] == version
    assert found["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:" + name.split(":function:")[-1]


def test_a_qualifier_is_part_of_the_invoked_arn(server: Server) -> None:
    answer = invoke(server, {}, Qualifier="live")
    assert json.load(answer["Payload"])["arn"].endswith(":function:echo:live")
    assert answer["ExecutedVersion"] == "1"


def test_new_code_is_what_runs_next(server: Server) -> None:
    create_function(server, "changing", "def handler(event, context): return 1")
    lambda_ = client(server, "lambda")
    before = json.load(lambda_.invoke(FunctionName="changing")["Payload"])
    code = zipped({"app.py": "def handler(event, context): return 2"})
    lambda_.update_function_code(FunctionName="changing", ZipFile=code)
    assert (before, json.load(lambda_.invoke(FunctionName="changing")["Payload"])) == (1, 2)


def test_a_layer_is_found_by_its_function(server: Server) -> None:
    lambda_ = client(server, "lambda")
    layer = lambda_.publish_layer_version(LayerName="l", Content={"ZipFile": zipped({"python/lib.py": "x = 5"})})
    code = "import lib\ndef handler(event, context): return lib.x"
    create_function(server, "layered", code, Layers=[layer["LayerVersionArn"]])
    assert json.load(lambda_.invoke(FunctionName="layered")["Payload"]) == 5


def test_an_asynchronous_invocation_is_accepted_and_runs_later(server: Server) -> None:
    answer = invoke(server, {"bucket": "made-later"}, InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    s3 = client(server, "s3")
    eventually(lambda: [one["Name"] for one in s3.list_buckets()["Buckets"]], lambda found: "made-later" in found)


def test_a_dry_run_runs_nothing(server: Server) -> None:
    answer = invoke(server, {"bucket": "never-made"}, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert "never-made" not in [one["Name"] for one in client(server, "s3").list_buckets()["Buckets"]]


def test_a_time_out_is_a_function_error(server: Server) -> None:
    create_function(server, "slow", "import time\ndef handler(event, context): time.sleep(600)", Timeout=1)
    answer = client(server, "lambda").invoke(FunctionName="slow")
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in json.load(answer["Payload"])["errorMessage"]


class Found:
    """What `invoked_arn` reads of moto's function: one of version 3."""

    function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f:3"


@pytest.mark.parametrize(
    ("name", "qualifier", "expected"),
    [
        pytest.param("f", None, "f", id="name"),
        pytest.param("f", "live", "f:live", id="name and qualifier"),
        pytest.param("f:3", None, "f:3", id="name with version"),
        pytest.param(
            "arn:aws:lambda:us-east-1:123456789012:function:f", "$LATEST", "f:$LATEST", id="ARN and qualifier"
        ),
    ],
)
def test_the_invoked_arn_has_the_qualifier_of_the_call(name: str, qualifier: str | None, expected: str) -> None:
    prefix = "arn:aws:lambda:us-east-1:123456789012:function:"
    assert invoked_arn(Found, name, qualifier) == prefix + expected
