"""Rejected events: shown without a change, sent again once, and never lost on the way."""

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from personalize_segment.cli import load
from personalize_segment.contract.rows import Reason
from personalize_segment.errors import RedriveError
from personalize_segment.live import record, redrive

MISSING = Reason("interactions", "ITEM_ID", "missing")
UNMAPPED = Reason(None, None, "no rule for this event")


@pytest.fixture
def sqs(s3_env: str) -> Any:
    return boto3.client("sqs")


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> str:
    name = f"rejected-{abs(hash(request.node.name))}"
    return str(sqs.create_queue(QueueName=name)["QueueUrl"])


def _event(number: int) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "messageId": f"m{number}", "userId": "ü"}


def _reject(sqs: Any, queue: str, numbers: range, reason: Reason = MISSING) -> None:
    for number in numbers:
        record.reject(sqs, queue, [reason], "digest", event=_event(number))


def _waiting(sqs: Any, queue: str) -> list[str]:
    found = redrive.messages(sqs, queue, 1000)
    messages = list(found)
    redrive.release(sqs, queue, [message.receipt for message in messages])
    return sorted(message.body["event"]["messageId"] for message in messages)


def _taken(events: list[Any], decision: str = "recorded") -> Callable[[dict[str, Any]], dict[str, Any]]:
    def call(event: dict[str, Any]) -> dict[str, Any]:
        events.append(event)
        return {"decision": decision}

    return call


def test_looking_changes_nothing(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(23))
    for _ in range(2):
        assert _waiting(sqs, queue) == sorted(f"m{number}" for number in range(23))


def test_the_verb_shows_counts_by_reason_and_leaves_the_queue_as_it_was(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(3))
    _reject(sqs, queue, range(3, 5), UNMAPPED)
    done = CliRunner().invoke(load(), ["redrive", queue, "--json"])
    assert done.exit_code == 0, done.output
    bodies = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(body["event"]["messageId"] for body in bodies) == ["m0", "m1", "m2", "m3", "m4"]
    shown = [line.split("│") for line in done.stderr.splitlines() if "│" in line]
    assert [[cell.strip() for cell in line[1:5]] for line in shown] == [
        ["3", "interactions", "ITEM_ID", "missing"],
        ["2", "", "", "no rule for this event"],
    ]
    assert len(_waiting(sqs, queue)) == 5


def test_only_the_messages_of_a_reason_are_taken(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(3))
    _reject(sqs, queue, range(3, 5), UNMAPPED)
    done = CliRunner().invoke(load(), ["redrive", queue, "--json", "--reason", "no rule"])
    assert sorted(json.loads(line)["event"]["messageId"] for line in done.stdout.splitlines()) == ["m3", "m4"]
    assert len(_waiting(sqs, queue)) == 5


def test_what_is_taken_is_deleted_and_arrives_as_it_was(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(12))
    events: list[Any] = []
    done = redrive.send(sqs, queue, list(redrive.messages(sqs, queue, 1000)), _taken(events), None)
    assert (done.recorded, done.rejected, dict(done.failed)) == (12, 0, {})
    assert sorted(events, key=lambda event: int(event["messageId"][1:])) == [_event(number) for number in range(12)]
    assert _waiting(sqs, queue) == []


def test_what_is_rejected_again_is_counted_and_not_taken_twice(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(2))

    def rejecting(event: dict[str, Any]) -> dict[str, Any]:
        record.reject(sqs, queue, [MISSING], "digest", event=event)
        return {"decision": "rejected"}

    done = redrive.send(sqs, queue, list(redrive.messages(sqs, queue, 1000)), rejecting, None)
    assert (done.recorded, done.rejected) == (0, 2)
    assert _waiting(sqs, queue) == ["m0", "m1"]


def test_messages_that_come_while_reading_are_left_for_the_next_time(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(11))
    found = redrive.messages(sqs, queue, 1000)
    first = next(found)
    _reject(sqs, queue, range(50, 53))
    names = {message.body["event"]["messageId"] for message in [first, *found]}
    assert names == {f"m{number}" for number in range(11)}


def test_what_fails_stays_and_the_others_are_taken(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(3))

    def failing(event: dict[str, Any]) -> dict[str, Any]:
        if event["messageId"] == "m1":
            raise RedriveError("segment-event", "PutEvents: failed (Late)", "See its log")
        return {"decision": "recorded"}

    done = redrive.send(sqs, queue, list(redrive.messages(sqs, queue, 1000)), failing, None)
    assert (done.recorded, dict(done.failed)) == (2, {"PutEvents: failed (Late)": 1})
    assert _waiting(sqs, queue) == ["m1"]


def test_profiles_go_to_their_queue_or_stay(sqs: Any, queue: str) -> None:
    profile = ["users", "u1", "{}", [1, "", ["u1"]]]
    record.reject(sqs, queue, [Reason("users", None, "InvalidInputException: no")], "digest", profile=profile)
    done = redrive.send(sqs, queue, list(redrive.messages(sqs, queue, 1000)), _taken([]), None)
    assert dict(done.failed) == {"a profile: say --profile-queue": 1}
    target = sqs.create_queue(QueueName="profiles-again")["QueueUrl"]
    done = redrive.send(sqs, queue, list(redrive.messages(sqs, queue, 1000)), _taken([]), target)
    assert done.recorded == 1
    (message,) = sqs.receive_message(QueueUrl=target)["Messages"]
    assert json.loads(message["Body"]) == profile


def test_a_message_of_someone_else_is_named_and_stays(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    found = list(redrive.messages(sqs, queue, 1000))
    assert found[0].reasons == {("", "", "not a message of this project"): 1}
    done = redrive.send(sqs, queue, found, _taken([]), None)
    assert dict(done.failed) == {"not a message of this project": 1}
    assert len(list(redrive.messages(sqs, queue, 1000))) == 1


class _Lambda:
    """A function that answers with `payload`, as boto3 hands it on."""

    def __init__(self, payload: Any, **more: Any) -> None:
        self.payload, self.more = payload, more

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self.payload).encode())} | self.more


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        pytest.param(
            _Lambda({"errorMessage": "PutEvents: failed"}, FunctionError="Unhandled"), "PutEvents: failed", id="raised"
        ),
        pytest.param(_Lambda(None), "answered with no decision", id="no answer"),
        pytest.param(_Lambda({"batchItemFailures": []}), "answered with no decision", id="another function"),
    ],
)
def test_a_function_that_does_not_take_an_event_is_an_error(client: Any, problem: str) -> None:
    with pytest.raises(RedriveError) as caught:
        redrive.invoke(client, "segment-event")(_event(1))
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["http://127.0.0.1:1/123/none"], "personalize-segment:", id="no such queue"),
        pytest.param(["QUEUE", "--send-to", "no-such-function"], "no-such-function", id="no such function"),
    ],
)
def test_errors_are_one_message_without_a_traceback(
    sqs: Any, queue: str, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    _reject(sqs, queue, range(1))
    arguments = [queue if one == "QUEUE" else one for one in arguments]
    monkeypatch.setattr("sys.argv", ["personalize-segment", "redrive", *arguments])
    from personalize_segment.cli import main

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert _waiting(sqs, queue) == ["m0"]
