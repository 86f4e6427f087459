"""The stub of AWS and Segment, as seen by real clients."""

import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from segment.analytics.client import Client

import stub as stub_module
from stub import Behavior, Close, Drip, Error, Hang, Ok, Raw, Request, Reset, Stub, Truncated

QUEUE = "https://queue.example/1/events"
EVENT = {"trackingId": "t", "sessionId": "s", "userId": "u", "eventList": [{"eventType": "View", "sentAt": 0}]}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


def aws(stub: Stub, service: str, attempts: int = 1, timeout: float = 5) -> Any:
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=timeout)
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    return session.client(service, endpoint_url=stub.url, config=config)  # type: ignore[call-overload]


def test_requests_are_kept_in_their_order_with_their_connection(stub: Stub) -> None:
    events = aws(stub, "personalize-events")
    events.put_events(**EVENT)
    events.put_users(datasetArn="arn:aws:personalize:eu-west-1:1:dataset/d/USERS", users=[{"userId": "u"}])
    events.put_items(datasetArn="arn:aws:personalize:eu-west-1:1:dataset/d/ITEMS", items=[{"itemId": "i"}])
    aws(stub, "personalize-runtime").get_recommendations(campaignArn="arn:aws:personalize:eu-west-1:1:campaign/c")
    requests.post(f"{stub.url}/v1/batch", json={"batch": []}, timeout=5)
    seen = [(one.service, one.operation, one.connection) for one in stub.calls()]
    assert seen == [
        ("personalize-events", "PutEvents", 1),
        ("personalize-events", "PutUsers", 1),
        ("personalize-events", "PutItems", 1),
        ("personalize-runtime", "GetRecommendations", 2),
        ("segment", "batch", 3),
    ]
    assert stub.connections == 3
    [call] = stub.calls("PutEvents")
    assert call.body == EVENT
    assert call.headers["authorization"].startswith("AWS4-HMAC-SHA256")


def test_recommendations_are_as_many_as_asked_for(stub: Stub) -> None:
    runtime = aws(stub, "personalize-runtime")
    answer = runtime.get_recommendations(campaignArn="arn:aws:personalize:eu-west-1:1:campaign/c", numResults=2)
    assert [one["itemId"] for one in answer["itemList"]] == ["item-1", "item-2"]


def test_parameters_and_secrets_are_answered_or_not_found(stub: Stub) -> None:
    stub.parameters["/stack/tracking-id"] = "t-1"
    stub.secrets["write-key"] = "k-1"
    ssm, secrets = aws(stub, "ssm"), aws(stub, "secretsmanager")
    assert ssm.get_parameter(Name="/stack/tracking-id")["Parameter"]["Value"] == "t-1"
    assert secrets.get_secret_value(SecretId="write-key")["SecretString"] == "k-1"
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/stack/other")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="other")


def test_a_queue_keeps_messages_until_they_are_deleted(stub: Stub) -> None:
    sqs = aws(stub, "sqs")
    sent = sqs.send_message(QueueUrl=QUEUE, MessageBody="ä")
    assert sent["MD5OfMessageBody"] == "8419b71c87a225a2c70b50486fbee545"
    batch = sqs.send_message_batch(QueueUrl=QUEUE, Entries=[{"Id": one, "MessageBody": one} for one in "bc"])
    assert [one["Id"] for one in batch["Successful"]] == ["b", "c"]
    first, second = sqs.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=2)["Messages"]
    assert [first["Body"], second["Body"]] == ["ä", "b"]
    assert [one["Body"] for one in sqs.receive_message(QueueUrl=QUEUE)["Messages"]] == ["c"]
    assert sqs.receive_message(QueueUrl=QUEUE).get("Messages", []) == []
    sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle=first["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=QUEUE, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    [again] = sqs.receive_message(QueueUrl=QUEUE, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert (again["Body"], again["Attributes"]["ApproximateReceiveCount"]) == ("b", "2")
    assert stub.messages(QUEUE) == ["b", "c"]
    assert stub.messages("https://queue.example/1/other") == []


def test_a_script_is_followed_a_call_at_a_time_and_then_its_end(stub: Stub) -> None:
    stub.behave("PutEvents", Error(429, "ThrottlingException"), Ok(), then=Error(500, "InternalServerException"))
    events = aws(stub, "personalize-events")
    with pytest.raises(ClientError, match="ThrottlingException"):
        events.put_events(**EVENT)
    events.put_events(**EVENT)
    for _ in range(2):
        with pytest.raises(ClientError, match="InternalServerException"):
            events.put_events(**EVENT)
    stub.behave("PutEvents")
    events.put_events(**EVENT)


def test_an_error_is_named_in_its_header_and_its_body(stub: Stub) -> None:
    stub.behave("PutEvents", Error(429, "ThrottlingException", "slower", {"Retry-After": "7"}))
    answer = requests.post(f"{stub.url}/events", json=EVENT, timeout=5)
    assert (answer.status_code, answer.json()) == (429, {"__type": "ThrottlingException", "message": "slower"})
    assert answer.headers["x-amzn-errortype"] == "ThrottlingException"
    assert answer.headers["Retry-After"] == "7"


def test_botocore_retries_what_it_should(stub: Stub) -> None:
    stub.behave("PutEvents", Error(429, "ThrottlingException"), Reset(), Ok())
    aws(stub, "personalize-events", attempts=3).put_events(**EVENT)
    assert len(stub.calls("PutEvents")) == 3


def test_a_step_may_depend_on_the_request(stub: Stub) -> None:
    def refuse_nobody(request: Request) -> Behavior:
        return Error(400, "InvalidInputException", "no") if request.body["userId"] == "refused" else Ok()

    stub.behave("PutEvents", then=refuse_nobody)
    events = aws(stub, "personalize-events")
    events.put_events(**EVENT)
    with pytest.raises(events.exceptions.InvalidInputException, match="no"):
        events.put_events(**{**EVENT, "userId": "refused"})


@pytest.mark.parametrize(
    ("behavior", "error"),
    [
        pytest.param(Error(400, "InvalidInputException"), ClientError, id="an error of the service"),
        pytest.param(Raw(503), ClientError, id="a page of a gateway"),
        pytest.param(Hang(), ReadTimeoutError, id="no answer"),
        pytest.param(Ok(after_seconds=60), ReadTimeoutError, id="a late answer"),
        pytest.param(Reset(), ConnectionClosedError, id="a reset"),
        pytest.param(Close(), ConnectionClosedError, id="a closed connection"),
    ],
)
def test_clients_see_the_fault(stub: Stub, behavior: Behavior, error: type[Exception]) -> None:
    stub.behave("GetRecommendations", behavior)
    runtime = aws(stub, "personalize-runtime", timeout=0.1)
    with pytest.raises(error):
        runtime.get_recommendations(campaignArn="arn:aws:personalize:eu-west-1:1:campaign/c")
    assert len(stub.calls("GetRecommendations")) == 1


@pytest.mark.parametrize(
    "behavior", [pytest.param(Raw(200), id="a page"), pytest.param(Truncated(), id="half an answer")]
)
def test_botocore_takes_what_is_no_json_for_an_answer_without_members(stub: Stub, behavior: Behavior) -> None:
    stub.behave("GetRecommendations", behavior)
    runtime = aws(stub, "personalize-runtime")
    answer = runtime.get_recommendations(campaignArn="arn:aws:personalize:eu-west-1:1:campaign/c")
    assert "itemList" not in answer


def test_half_an_answer_is_an_error_for_requests(stub: Stub) -> None:
    stub.behave("batch", Truncated())
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.post(f"{stub.url}/v1/batch", json={"batch": []}, timeout=5)


def test_a_dripping_answer_outlasts_a_timeout_of_reading(stub: Stub) -> None:
    stub.behave("GetRecommendations", Drip(0.001))
    runtime = aws(stub, "personalize-runtime", timeout=0.5)
    answer = runtime.get_recommendations(campaignArn="arn:aws:personalize:eu-west-1:1:campaign/c", numResults=1)
    assert len(answer["itemList"]) == 1


def test_a_connection_that_ends_silently_is_replaced(stub: Stub) -> None:
    stub.behave("PutEvents", Ok(close=True))
    events = aws(stub, "personalize-events", attempts=2)
    events.put_events(**EVENT)
    events.put_events(**EVENT)
    assert stub.calls()[-1].connection == 2


@pytest.mark.parametrize("gzip", [pytest.param(True, id="gzip"), pytest.param(False, id="plain")])
def test_what_segments_library_sends_is_read(stub: Stub, gzip: bool) -> None:
    client = Client("key", host=stub.url, sync_mode=True, gzip=gzip, max_retries=0)
    client.identify("u", {"plan": "pro"})
    [call] = stub.calls("batch")
    assert [(one["type"], one["userId"], one["traits"]) for one in call.body["batch"]] == [
        ("identify", "u", {"plan": "pro"})
    ]


def test_nothing_is_left_at_the_end() -> None:
    before = set(threading.enumerate())
    with socket.socket() as client:
        with Stub() as stub:
            stub.behave("PutEvents", Hang())
            client.connect(("127.0.0.1", int(stub.url.rpartition(":")[2])))
            client.sendall(b"POST /events HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            while not stub.calls("PutEvents"):
                time.sleep(0.001)
        assert client.recv(1) == b""
    gc.collect()  # an open socket would warn, and warnings are errors
    # Threads that an earlier test left behind may have ended meanwhile.
    assert set(threading.enumerate()) <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{stub.url}/calls", timeout=5)


def test_a_process_of_its_own_counts_and_never_repeats_a_list() -> None:
    command = [sys.executable, str(Path(stub_module.__file__)), "--delay", "0.001"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answers = [requests.post(f"{url}/recommendations", json={"numResults": 3}, timeout=5).json() for _ in "ab"]
        counts = requests.get(f"{url}/calls", timeout=5).json()
        process.stdin.close()
        assert process.wait(10) == 0
    assert answers[0]["itemList"] != answers[1]["itemList"]
    assert counts == {"GetRecommendations": 2, "connections": 2}
