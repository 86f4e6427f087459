"""Rejected events are shown unchanged, resent once, and never lost."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
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
    with redrive.Lease(sqs, queue) as lease:
        return sorted(message.body["event"]["messageId"] for message in redrive.messages(lease, 1000))


def _sent(
    sqs: Any, queue: str, function: Callable[[dict[str, Any]], dict[str, Any]], profiles: str | None = None
) -> redrive.Redriven:
    with redrive.Lease(sqs, queue) as lease:
        return redrive.send(lease, list(redrive.messages(lease, 1000)), function, profiles, rate=1000)


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
    assert "5 of about 5 messages\n" in done.stderr
    assert _rows(done.stderr) == _rows(CliRunner().invoke(load(), ["redrive", queue]).stdout) == [
        ["3", "track Product Viewed", "interactions", "ITEM_ID", "missing"],
        ["2", "track Product Viewed", "", "", "no rule for this event"],
    ]  # fmt: skip
    assert len(_waiting(sqs, queue)) == 5


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


def test_only_the_messages_of_a_reason_are_taken(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(3))
    _reject(sqs, queue, range(3, 5), UNMAPPED)
    done = CliRunner().invoke(load(), ["redrive", queue, "--json", "--reason", "no rule"])
    assert sorted(json.loads(line)["event"]["messageId"] for line in done.stdout.splitlines()) == ["m3", "m4"]
    assert len(_waiting(sqs, queue)) == 5


def test_what_is_taken_is_deleted_and_arrives_as_it_was(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(12))
    events: list[Any] = []
    done = _sent(sqs, queue, _taken(events))
    assert (done.recorded, done.rejected, dict(done.failed)) == (12, 0, {})
    assert sorted(events, key=lambda event: int(event["messageId"][1:])) == [_event(number) for number in range(12)]
    assert _waiting(sqs, queue) == []


def test_what_is_rejected_again_is_counted_and_not_taken_twice(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(2))

    def rejecting(event: dict[str, Any]) -> dict[str, Any]:
        record.reject(sqs, queue, [MISSING], "digest", event=event)
        return {"decision": "rejected"}

    done = _sent(sqs, queue, rejecting)
    assert (done.recorded, done.rejected) == (0, 2)
    assert _waiting(sqs, queue) == ["m0", "m1"]


def test_messages_that_come_while_reading_are_left_for_the_next_time(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(11))
    with redrive.Lease(sqs, queue) as lease:
        found = redrive.messages(lease, 1000)
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

    done = _sent(sqs, queue, failing)
    assert (done.recorded, dict(done.failed)) == (2, {"PutEvents: failed (Late)": 1})
    assert _waiting(sqs, queue) == ["m1"]


def test_profiles_go_to_their_queue_or_stay(sqs: Any, queue: str) -> None:
    profile = ["users", "u1", "{}", [1, "", ["u1"]]]
    record.reject(sqs, queue, [Reason("users", None, "InvalidInputException: no")], "digest", profile=profile)
    done = _sent(sqs, queue, _taken([]))
    assert dict(done.failed) == {"a profile: pass --profile-queue": 1}
    target = sqs.create_queue(QueueName="profiles-again")["QueueUrl"]
    done = _sent(sqs, queue, _taken([]), target)
    assert done.recorded == 1
    (message,) = sqs.receive_message(QueueUrl=target)["Messages"]
    assert json.loads(message["Body"]) == profile


def test_a_message_of_someone_else_is_named_and_stays(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    with redrive.Lease(sqs, queue) as lease:
        [found] = redrive.messages(lease, 1000)
    assert (found.event, found.reasons) == ("", {("", "", "not a message of this project"): 1})
    assert dict(_sent(sqs, queue, _taken([])).failed) == {"not a message of this project": 1}
    with redrive.Lease(sqs, queue) as lease:
        assert len(list(redrive.messages(lease, 1000))) == 1


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
        pytest.param(_Lambda(None), "returned no decision", id="no answer"),
        pytest.param(_Lambda({"batchItemFailures": []}), "returned no decision", id="another function"),
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


def test_a_message_is_taken_once_however_long_it_takes(sqs: Any, queue: str) -> None:
    """They are hidden for a second, and the work takes three."""
    _reject(sqs, queue, range(12))
    events: list[Any] = []
    taken = _taken(events)

    def slow(event: dict[str, Any]) -> dict[str, Any]:
        if event["messageId"] == "m0":
            time.sleep(2)
        return taken(event)

    with redrive.Lease(sqs, queue, seconds=1) as lease:
        found = redrive.messages(lease, 1000)
        first = next(found)
        time.sleep(1.5)
        rejected = [first, *found]
        assert len(rejected) == len({message.id for message in rejected}) == 12
        assert sqs.receive_message(QueueUrl=queue).get("Messages") is None
        redrive.send(lease, rejected, slow, None, rate=1000)
        assert lease.depth == 0
    assert sorted(event["messageId"] for event in events) == sorted(f"m{number}" for number in range(12))


def test_messages_are_sent_side_by_side_at_a_rate(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(20))

    def slow(_: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.2)
        return {"decision": "recorded"}

    with redrive.Lease(sqs, queue) as lease:
        rejected = list(redrive.messages(lease, 1000))
        began = time.monotonic()
        shown: list[tuple[int, int]] = []
        redrive.send(lease, rejected, slow, None, 20, lambda done, total: shown.append((done, total)))
        assert 0.9 < time.monotonic() - began < 3  # in sequence it would take four seconds
    assert shown == [(number, 20) for number in range(1, 21)]


def test_a_run_that_is_interrupted_loses_nothing(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(30))
    events: list[Any] = []
    taken = _taken(events)

    def interrupted(event: dict[str, Any]) -> dict[str, Any]:
        if len(events) >= 5:
            raise KeyboardInterrupt
        return taken(event)

    with pytest.raises(KeyboardInterrupt):
        _sent(sqs, queue, interrupted)
    sent = {event["messageId"] for event in events}
    assert sent | set(_waiting(sqs, queue)) == {f"m{number}" for number in range(30)}
    assert not sent & set(_waiting(sqs, queue))


def _outputs(folder: Path, queue: str, profiles: str) -> str:
    values = {"queues": {"rejected": queue, "profiles": profiles}, "functions": {"event": "shop-event"}}
    file = folder / "outputs.json"
    file.write_text(json.dumps({"operations": {"sensitive": False, "type": "dynamic", "value": values}}))
    return str(file)


def test_outputs_name_the_queue_the_function_and_the_profile_queue(
    sqs: Any, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = sqs.create_queue(QueueName="profiles-of-outputs")["QueueUrl"]
    outputs = _outputs(tmp_path, queue, profiles)
    _reject(sqs, queue, range(2))
    record.reject(sqs, queue, [MISSING], "digest", profile=["users", "u1", "{}", [1, "", ["u1"]]])
    events: list[Any] = []
    asked: list[str] = []

    def invoke(_: Any, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        asked.append(name)
        return _taken(events)

    monkeypatch.setattr(redrive, "invoke", invoke)
    looked = CliRunner().invoke(load(), ["redrive", outputs])
    assert (looked.exit_code, asked) == (0, [])
    assert "account 123456789012, region " in looked.stderr
    done = CliRunner().invoke(load(), ["redrive", outputs, "--send"])
    assert (done.exit_code, asked, len(events)) == (0, ["shop-event"], 2), done.output
    assert "3 accepted, 0 rejected again" in done.stderr
    assert len(sqs.receive_message(QueueUrl=profiles)["Messages"]) == 1


def test_what_can_go_is_discarded_after_a_question(sqs: Any, queue: str) -> None:
    _reject(sqs, queue, range(13))
    _reject(sqs, queue, range(13, 15), UNMAPPED)
    arguments = ["redrive", queue, "--discard", "--reason", "missing"]
    refused = CliRunner().invoke(load(), arguments)
    assert (refused.exit_code, len(_waiting(sqs, queue))) == (1, 15)
    assert "not a terminal: pass --yes to confirm." in refused.stderr
    done = CliRunner().invoke(load(), [*arguments, "--yes"])
    assert (done.exit_code, _waiting(sqs, queue)) == (0, ["m13", "m14"])
    assert "13 messages deleted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["http://127.0.0.1:1/1/q", "--send"], "needs OUTPUTS", id="no function"),
        pytest.param(["o.json", "--send", "--discard"], "can't be combined", id="both"),
    ],
)
def test_options_that_contradict_are_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(load(), ["redrive", *arguments])
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_outputs_without_a_stack_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text("{}")
    done = CliRunner().invoke(load(), ["redrive", str(file)])
    assert "has no queue of rejected events" in str(done.exception)
