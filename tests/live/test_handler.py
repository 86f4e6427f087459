"""The entry points: envelopes, threads, metrics and logs, the cold start, and the examples of Segment's Spec."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config

from golden_cases import EXAMPLES
from live_function import ALL, ENVIRONMENT, PROFILES, Context, Event, Function, function, identify, order, track
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.errors import SettingsError
from personalize_segment.live import handler, writeback
from personalize_segment.live.clients import RETRIED
from personalize_segment.live.settings import table
from stub import Behavior, Error, Ok, Request, Stub

CANARY = "canary-5c1e"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Switch threads so often that partial changes of shared state are visible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Context:
    """Return a context for waiting clients, which on a busy machine would resend slow calls."""
    monkeypatch.setattr(handler, "RETRIED", RETRIED.merge(Config(connect_timeout=60, read_timeout=60)))
    monkeypatch.setattr(writeback, "CONNECT_AND_READ_SECONDS", (60, 60))
    return Context(600)


def sqs(body: str, number: int = 0) -> dict[str, Any]:
    return {"messageId": f"sqs-{number}", "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"}


def kinesis(data: bytes | str, number: int = 0) -> dict[str, Any]:
    text = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": f"seq-{number}", "data": text}}


def bridge(event: Any) -> dict[str, Any]:
    return {"version": "0", "id": "7bf7", "detail-type": "track", "source": "aws.partner/segment.com", "detail": event}


def failed(answer: dict[str, Any]) -> list[str]:
    assert set(answer) == {"batchItemFailures"}
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(track(), id="the event itself"),
        pytest.param(bridge(track()), id="EventBridge"),
        pytest.param({"Records": [sqs(json.dumps(track()))]}, id="SQS"),
        pytest.param({"Records": [sqs(json.dumps(bridge(track())))]}, id="EventBridge in SQS"),
        pytest.param({"Records": [kinesis(json.dumps(track()).encode())]}, id="Kinesis"),
        pytest.param({"Records": [kinesis(json.dumps(bridge(track())).encode())]}, id="EventBridge in Kinesis"),
        pytest.param(track() | {"Records": [1], "detail-type": "x", "detail": 5}, id="an event with like names"),
    ],
)
def test_an_event_is_found_wherever_it_stands(stub: Stub, payload: Any) -> None:
    with function(stub) as take:
        answer = take(payload)
    assert take.recorded() == ["m-1"]
    if payload.keys() == {"Records"}:
        assert failed(answer) == []
    else:
        assert answer["decision"] == "recorded"


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        pytest.param(None, [None], id="null"),
        pytest.param([], [[]], id="an array"),
        pytest.param("text", ["text"], id="a text"),
        pytest.param({}, [{}], id="an empty object"),
        pytest.param({"type": 5, "event": "x"}, [{"type": 5, "event": "x"}], id="a type that isn't text"),
        pytest.param(bridge(None), [None], id="EventBridge without an event"),
        pytest.param({"Records": []}, [], id="an empty batch"),
        pytest.param({"Records": [sqs("")]}, [""], id="SQS with nothing"),
        pytest.param({"Records": [sqs("no JSON")]}, ["no JSON"], id="SQS without JSON"),
        pytest.param({"Records": [sqs("[1]")]}, [[1]], id="SQS with an array"),
        pytest.param({"Records": [sqs("[" * 5000)]}, ["[" * 5000], id="SQS with a depth that no event has"),
        pytest.param({"Records": [kinesis(b"\xff\xfe")]}, ["//4="], id="Kinesis without text"),
        pytest.param({"Records": [kinesis("!")]}, ["!"], id="Kinesis without base64"),
    ],
)
def test_what_is_no_event_is_kept_as_it_came(stub: Stub, payload: Any, kept: list[Any]) -> None:
    with function(stub) as take:
        answer = take(payload)
    if isinstance(payload, dict) and "Records" in payload:
        assert failed(answer) == []
    else:
        assert answer["decision"] == "rejected"
    reason = "not a JSON object with a type"
    assert [(one["event"], one["reasons"][0]["reason"]) for one in take.rejected()] == [(one, reason) for one in kept]


def test_an_event_with_a_number_of_many_digits_is_recorded_from_a_queue_too(stub: Stub) -> None:
    """Like `parse_line` in history: such a number is JSON, but in no domain."""
    body = json.dumps(track(properties={"product_id": "item-1", "big": 0})).replace('"big": 0', f'"big": {"9" * 5000}')
    with function(stub) as take:
        assert failed(take({"Records": [sqs(body)]})) == []
    assert take.recorded() == ["m-1"]


@pytest.mark.parametrize("depth", [50, 500, 900])
def test_an_event_that_is_nested_deeply_is_answered(stub: Stub, depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    with function(stub, keep_unmapped="true") as take:
        assert take(track("Unknown", {"deep": deep}))["decision"] == "unmapped"
    assert len(take.rejected()) == 1


@pytest.mark.parametrize("kind", ["SQS", "Kinesis"])
def test_of_a_batch_exactly_the_failed_records_come_again(stub: Stub, kind: str) -> None:
    def step(request: Request) -> Behavior:
        user = request.body["userId"]
        return Error(500, "InternalServerException") if user in ("u-2", "u-5") else Ok()

    stub.behave("PutEvents", then=step)
    bodies = [json.dumps(track(userId=f"u-{number}", messageId=f"m-{number}")) for number in range(6)]
    bodies[3] = "junk"
    bodies[4] = json.dumps(track("Unknown"))
    records = [
        sqs(one, number) if kind == "SQS" else kinesis(one.encode(), number) for number, one in enumerate(bodies)
    ]
    with function(stub, personalize_campaign_arn=None, keep_unmapped="true") as take:
        answer = take({"Records": records})
    name = "sqs" if kind == "SQS" else "seq"
    assert failed(answer) == [f"{name}-2", f"{name}-5"]
    assert [one["event"] for one in take.rejected()] == ["junk", track("Unknown")]
    assert {"m-0", "m-1"} < set(take.recorded())


def test_a_setting_that_fails_one_record_of_a_batch_fails_no_other(stub: Stub) -> None:
    stub.secrets["users"] = "no JSON"
    settings = {"personalize_users_dataset_arn": "secretsmanager:users#arn", "profile_queue_url": None}
    with function(stub, **settings) as take:
        answer = take({"Records": [sqs(json.dumps(track()), 0), sqs(json.dumps(identify()), 1)]})
    assert failed(answer) == ["sqs-1"]
    assert take.recorded() == ["m-1"]


def test_records_for_which_no_time_is_left_come_again(stub: Stub) -> None:
    stub.behave("PutEvents", then=Ok(after_seconds=30))
    records = [sqs(json.dumps(track(messageId=f"m-{number}")), number) for number in range(4)]
    with function(stub, time_budget_milliseconds="200") as take:
        assert failed(take({"Records": records})) == ["sqs-0", "sqs-1", "sqs-2", "sqs-3"]


def test_sixteen_threads_keep_their_events_apart(
    stub: Stub, quick_switches: None, patient: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    def recommend(request: Request) -> Behavior:
        return Ok({"itemList": [{"itemId": f"for-{request.body['userId']}"}], "recommendationId": "r"})

    def event(number: int) -> Event:
        made = order(1 + number % 12, userId=f"u-{number}", messageId=f"m-{number}")
        if number % 3 == 0:
            made["properties"]["products"].append({"price": 1})
        return made

    stub.behave("GetRecommendations", then=recommend)
    events = [event(number) for number in range(320)]
    with function(stub, time_budget_milliseconds="600000") as take, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda one: take(one, patient), events))
        capacity = len({one.connection for one in stub.calls()})
    for number, answer in enumerate(answers):
        assert answer["rows"] == {"interactions": 1 + number % 12}
        assert answer["decision"] == ("rejected" if number % 3 == 0 else "recorded")
        assert answer["write_back"] == "sent"
    ids = Counter(take.recorded())
    assert ids == Counter(f"m-{number}-{line}" for number in range(320) for line in range(1 + number % 12))
    assert {one["userId"]: one["traits"]["recommendations"] for one in take.identifies()} == {
        f"u-{number}": [f"for-u-{number}"] for number in range(320)
    }
    assert len(take.identifies()) == 320
    assert len(take.rejected()) == 107
    assert capacity < 320  # clients are shared, and so are their connections

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert _sum(lines, "Events", decision="recorded") == 213
    assert _sum(lines, "Events", decision="rejected") == 107
    assert _sum(lines, "RowsInteractions") == sum(1 + number % 12 for number in range(320))
    assert _sum(lines, "WriteBackSent") == 320
    assert _sum(lines, "RecommendationFetched") == 320


def _sum(lines: list[dict[str, Any]], metric: str, **dimensions: str) -> float:
    return sum(sum(line[metric]) for line in lines if metric in line and dimensions.items() <= line.items())


def test_the_first_events_of_a_process_start_one_function(stub: Stub) -> None:
    with function(stub, personalize_campaign_arn=None) as take, ThreadPoolExecutor(16) as threads:
        list(threads.map(take, [track(messageId=f"m-{number}") for number in range(16)]))
        assert handler._live.cache_info().misses == 1
    assert sorted(take.recorded()) == sorted(f"m-{number}" for number in range(16))


@pytest.mark.parametrize(
    ("event", "decision", "reason"),
    [
        pytest.param(track(), "recorded", "none", id="recorded"),
        pytest.param(track("Unknown"), "unmapped", "no rule for this event", id="unmapped"),
        pytest.param(track(properties={}), "rejected", "missing", id="out of domain"),
        pytest.param("junk", "rejected", "not a JSON object with a type", id="malformed"),
        pytest.param(identify(messageId="personalize-segment-1"), "ignored", "none", id="our own"),
    ],
)
def test_an_event_is_counted_with_its_decision_and_reason(
    stub: Stub, capsys: pytest.CaptureFixture[str], event: Any, decision: str, reason: str
) -> None:
    with function(stub) as take:
        take(event)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [counted] = [line for line in lines if "Events" in line]
    assert (counted["Events"], counted["decision"], counted["reason"]) == ([1.0], decision, reason)
    [directive] = counted["_aws"]["CloudWatchMetrics"]
    sets = [sorted(one) for one in directive["Dimensions"]]
    assert sets == [["decision", "reason", "service"], ["decision", "service"], ["service"]]


def test_nothing_of_an_event_but_its_ids_is_logged(
    stub: Stub, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    properties = {"product_id": "item-1", "name": CANARY, "category": [CANARY], "price": CANARY, CANARY: CANARY}
    events: list[Any] = [
        track(properties=properties, context={"ip": CANARY}),
        track("Product Viewed", properties),
        track(f"Unknown {CANARY}", properties),
        track(properties={"product_id": f"{CANARY}\n"}),
        track("Order Completed", {"products": [{"product_id": {"a": CANARY}}, {CANARY: 1}, CANARY]}),
        track("Order Completed", {"products": CANARY}),
        identify(traits={"plan": CANARY, "email": CANARY}),
        identify(userId=f"{CANARY}\n", traits={"plan": CANARY}),
        track(timestamp=CANARY),
        {"type": {CANARY: 1}},
        f"no JSON: {CANARY}",
        {"Records": [sqs(f"junk {CANARY}")]},
        bridge([CANARY]),
    ]
    refuse = Error(400, "ValidationException", f"Value '{CANARY}' is bad")
    caplog.set_level("INFO")
    with function(stub, profile_queue_url=None) as take:
        for one in events:
            take(one)
        stub.behave("PutEvents", then=refuse)
        stub.behave("PutUsers", then=refuse)
        stub.behave("PutItems", then=refuse)
        stub.behave("GetRecommendations", then=refuse)
        for one in events:
            take(one)
        stub.behave("PutEvents")
        for one in events:
            take(one)
    kept = take.rejected()
    with function(stub, profile_calls_per_second="1000"):
        bodies = [f"junk {CANARY}", json.dumps(["users", "u-1", f'{{"plan":"{CANARY}"}}', [0, "", [CANARY]]])]
        handler.profile_batch({"Records": [sqs(one, number) for number, one in enumerate(bodies)]}, Context(60))
    out, err = capfd.readouterr()
    said = [*out.splitlines(), *err.splitlines(), *(str(one.__dict__) for one in caplog.records)]
    assert len(said) > 50
    assert [line for line in said if CANARY in line] == []
    assert all(CANARY in json.dumps(one["event"]) for one in kept)
    assert len(kept) > 20


def _start(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ALL and not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_NAME": "f"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_mapping", '{"version": 1}'),
        ("time_budget_milliseconds", "soon"),
        ("personalize_campaign_arn", "arn:aws:s3:::bucket"),
        ("segment_host", "api.segment.io"),
    ],
)
def test_a_malformed_setting_fails_the_start_and_is_named(name: str, value: str) -> None:
    done = _start("import personalize_segment.live.handler", **{name: value})
    assert done.returncode != 0
    assert f"SettingsError: {name}: " in done.stderr


def test_a_malformed_setting_fails_the_start_of_the_consumer() -> None:
    setting = {"_HANDLER": "personalize_segment.live.handler.profile_batch", "profile_calls_per_second": "0"}
    done = _start("import personalize_segment.live.handler", **setting)
    assert done.returncode != 0
    assert "SettingsError: profile_calls_per_second: " in done.stderr


@pytest.fixture
def in_s3(s3_env: str, moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], str]:
    """Return a function that puts a mapping into S3 and returns its address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_server)

    def put(data: bytes) -> str:
        boto3.client("s3").put_object(Bucket=s3_env, Key="mapping.json", Body=data)
        return f"s3://{s3_env}/mapping.json"

    return put


def test_a_mapping_in_s3_is_read_if_it_has_the_digest(in_s3: Callable[[bytes], str], stub: Stub) -> None:
    mapping = parse(default_text().replace('"Product Viewed"', '"Product Seen"'))
    with function(stub, event_mapping=f"{in_s3(mapping.text.encode())}#{mapping.sha256}") as take:
        assert take(track("Product Seen"))["decision"] == "recorded"
        assert take(track("Product Viewed"))["reasons"][0]["reason"] == "no rule for this event"


@pytest.mark.parametrize("there", [True, False])
def test_a_mapping_in_s3_that_isnt_the_deployed_one_is_refused(
    in_s3: Callable[[bytes], str], stub: Stub, there: bool
) -> None:
    address = in_s3(b"{}") if there else f"{in_s3(b'')}.gone"
    said = "isn't the mapping that was deployed" if there else "can't be read: .*NoSuchKey"
    with (
        function(stub, event_mapping=f"{address}#{'0' * 64}") as take,
        pytest.raises(SettingsError, match=f"event_mapping: {address} {said}.*Run `terraform apply`"),
    ):
        take(track())


def test_a_malformed_setting_is_found_without_lambda_too(stub: Stub) -> None:
    with function(stub, time_budget_milliseconds="soon") as take, pytest.raises(SettingsError, match="time_budget"):
        take(track())


def test_without_a_setting_the_functions_start_and_wait_to_be_provisioned() -> None:
    code = f"""
import json
from personalize_segment.live.handler import segment_event
class Context:
    get_remaining_time_in_millis = lambda self: 5000
print("ANSWER", json.dumps(segment_event({track()!r}, Context())))
"""
    done = _start(code)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert json.loads(line.removeprefix("ANSWER "))["decision"] == "unprovisioned"


def test_the_examples_of_the_spec_are_recorded_as_they_say(stub: Stub) -> None:
    with function(stub, personalize_campaign_arn=None, keep_unmapped="true") as take:
        got = {example["source"]: _live(take, example["event"]) for example in EXAMPLES}
        rejected = [one["event"] for one in take.rejected()]
        mapped = [one["event"] for one in EXAMPLES if one["live"] == "recorded"]
    assert got == {example["source"]: (example["live"] == "recorded", True) for example in EXAMPLES}
    assert [one for one in rejected if one not in mapped] == [
        one["event"] for one in EXAMPLES if one["live"] == "rejected"
    ]
    profiles = [json.loads(one)[1:3] for one in stub.messages(PROFILES)]
    rows = [(row["dataset"], row["values"]) for one in EXAMPLES for row in one["expected"]["rows"]]
    keys = {"users": "USER_ID", "items": "ITEM_ID"}
    # A row with only its key has no information.
    told = [(dataset, values) for dataset, values in rows if any(v is not None for v in list(values.values())[1:])]
    assert profiles == [[dataset, values[keys[dataset]]] for dataset, values in told if dataset in keys]


def _live(take: Function, event: Event) -> tuple[bool, bool]:
    """Return whether any row was recorded, and whether every part of the event has an outcome."""
    before = len(take.rejected())
    answer = take(event)
    reasons = bool(answer["reasons"])
    ended = answer["decision"] in (("rejected", "unmapped") if reasons else ("recorded", "ignored"))
    ended &= len(take.rejected()) - before == reasons
    return any(answer["rows"].values()), ended


def test_the_answer_is_json(stub: Stub) -> None:
    with function(stub) as take:
        for one in (track(), track("Unknown"), "junk", order(3)):
            answer = take(one)
            assert json.loads(json.dumps(answer)) == answer


def test_names_of_settings_stay_those_of_segments_documentation() -> None:
    documented = {"personalize_tracking_id", "personalize_campaign_arn", "connections_source_api_key"}
    assert documented <= {line.name for line in table()}
