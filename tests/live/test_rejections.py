"""A rejected event always fits into a message, and `redrive` reads every possible message."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from live_function import REJECTED, function, order, track
from personalize_segment.contract.rows import TOO_LONG, Reason
from personalize_segment.errors import TransientError
from personalize_segment.live import rejections
from personalize_segment.live.redrive import Rejected
from stub import Behavior, Error, Ok, Raw, Request, Stub

MISSING = [Reason("interactions", "ITEM_ID", "missing", number) for number in range(3600)]
#: Text that doesn't compress.
NOISE = "".join(random.Random(1).choices([chr(code) for code in range(0x4E00, 0x9FFF)], k=300_000))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_equal_reasons_are_one_with_a_count_and_the_first_positions() -> None:
    [reason] = json.loads(rejections.message("event", {}, MISSING, "digest"))["reasons"]
    why = {"dataset": "interactions", "field": "ITEM_ID", "reason": "missing"}
    assert reason == why | {"count": 3600, "elements": [0, 1, 2, 3, 4]}
    assert Rejected("", {"reasons": [reason]}).reasons == {("interactions", "ITEM_ID", "missing"): 3600}


def test_an_order_of_3600_broken_lines_is_kept_and_its_good_line_recorded(stub: Stub) -> None:
    event = order(1)
    event["properties"]["products"] += [0] * 3600
    with function(stub) as take:
        answer = take(event)
    assert (answer["decision"], take.recorded()) == ("rejected", ["m-1-0"])
    [body] = stub.messages(REJECTED)
    assert len(body.encode()) < rejections.MAX_BYTES
    assert json.loads(body)["event"] == event
    assert [(one["count"], one["elements"]) for one in json.loads(body)["reasons"]] == [(3600, [1, 2, 3, 4, 5])]


def test_of_an_order_of_6000_lines_500_are_recorded_and_the_others_are_one_reason(stub: Stub) -> None:
    event = order(6000)
    with function(stub) as take:
        answer = take(event)
    assert (answer["decision"], answer["rows"]) == ("rejected", {"interactions": 500})
    assert sorted(take.recorded()) == sorted(f"m-1-{number}" for number in range(500))
    assert len(take.bodies("PutEvents")) == 50
    [kept] = take.rejected()
    why = {"dataset": "interactions", "field": "properties.products", "reason": TOO_LONG}
    assert kept["reasons"] == [why | {"count": 5500, "elements": [500, 501, 502, 503, 504]}]
    assert kept["event"] == event


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        pytest.param(track("ü" * 60_000), "event", id="UTF-8, not escapes of six bytes"),
        pytest.param(track(properties={"note": "x" * 400_000}), "event_gzip", id="compressed"),
        pytest.param(track(properties={"note": NOISE}, projectId="src", receivedAt="2024-03-01T12:00:00Z"), "event_cut",
                     id="cut"),
        pytest.param(track(properties={"note": nested(100_000)}), "event_cut", id="nested too deeply"),
        pytest.param("not JSON" * 100_000, "event_gzip", id="text"),
        pytest.param([NOISE], "event_cut", id="an array"),
        pytest.param(track("\ud800 \uffff \ufffe \x7f"), "event", id="characters that SQS or UTF-8 refuse"),
    ],
)  # fmt: skip
def test_any_event_fits(event: Any, kept: str) -> None:
    text = rejections.message("event", event, MISSING, "digest")
    assert len(text.encode()) <= rejections.MAX_BYTES
    assert not set(text) & {"\ufffe", "\uffff"}
    body = rejections.body(text)
    assert kept in json.loads(text)
    assert body["reasons"][0]["count"] == 3600
    if kept != "event_cut":
        assert body["event"] == event
    elif isinstance(event, dict):
        assert (body["ids"]["messageId"], body["ids"]["userId"]) == ("m-1", "u-1")
        day = 1_709_251_200_000  # of receivedAt, or of the timestamp
        assert body["log"] == f"segment-logs/{event.get('projectId', '*')}/{day}/"


def test_reasons_that_all_differ_fit_too() -> None:
    reasons = [Reason("interactions", "PutEvents", f"{number} {'x' * 5000}") for number in range(5000)]
    text = rejections.message("event", track(), reasons, "digest")
    assert len(text.encode()) <= rejections.MAX_BYTES
    assert sum(one["count"] for one in json.loads(text)["reasons"]) == 5000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 2000,
        "null",
        "5",
        '{"reasons": 5}',
        '{"reasons": [5, null]}',
        '{"reasons": [{"reason": {}, "field": [], "dataset": 1, "count": "many"}]}',
        '{"event_gzip": "junk"}',
        '{"event_gzip": "H4sIAAAA"}',
        '{"event_gzip": 5}',
        "\ud800",
        "",
    ],
)
def test_no_message_stops_a_redrive(text: str) -> None:
    rejected = Rejected("", rejections.body(text))
    assert sum(rejected.reasons.values()) == 1
    rejections.as_json(rejected.body).encode()


#: What a proxy may answer instead of AWS.
ANSWERS = [b"[]", b"null", b"5", b'"x"', b"NaN", b"[" * 20_000, b"\xff\xfe", b"", b"{}",
           b'{"itemList": 5, "Successful": 7, "Failed": [1], "MessageId": []}']  # fmt: skip


def anything(chance: random.Random, depth: int = 0) -> Any:
    """Return a JSON value of any kind."""
    texts = ["", " ", "u-1", "item-1", "\ud800", "\uffff", "x" * 2000, "2024-03-01T00:00:00Z", "null", "<b>"]
    plain = [None, True, 0, -1, 1e308, 10**30, *texts]
    if depth > 3 or chance.random() < 0.6:
        return chance.choice(plain)
    if chance.random() < 0.5:
        return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(["product_id", "price", "userId", *texts]): anything(chance, depth + 1) for _ in range(3)}


def event_like(chance: random.Random) -> Any:
    """Return something like an event, parts of which may be anything."""
    if chance.random() < 0.1:
        return anything(chance)
    event = order(chance.randrange(3)) if chance.random() < 0.4 else track(chance.choice(["Product Viewed", "Unknown"]))
    for name in ("type", "event", "messageId", "userId", "anonymousId", "timestamp", "receivedAt", "properties"):
        if chance.random() < 0.2:
            event[name] = anything(chance)
    if chance.random() < 0.1 and isinstance(event["properties"], dict):
        event["properties"]["deep"] = nested(chance.choice([100, 900]))
    return event


def enveloped(chance: random.Random, event: Any, number: int) -> Any:
    """Return a record of SQS or Kinesis with the event, or something forged."""
    if chance.random() < 0.1:
        return anything(chance)
    body = json.dumps(event)
    return {"messageId": f"sqs-{number}", "body": chance.choice([body, body, body, "[" * 5000, 7, None])}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_and_whatever_aws_answers_each_event_is_counted_once(
    stub: Stub, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)

    def behavior(_: Request) -> Behavior:
        kind = chance.random()
        if kind < 0.5:
            return Ok()
        if kind < 0.7:
            return Error(
                chance.choice([400, 403, 429, 500]), chance.choice(["InvalidInputException", "ThrottlingException"])
            )
        return Raw(chance.choice([200, 400, 500]), chance.choice(ANSWERS))

    for operation in ("PutEvents", "GetRecommendations", "SendMessage", "SendMessageBatch", "batch"):
        stub.behave(operation, then=behavior)
    with function(stub, recommend_to_visitors="true", keep_unmapped="true") as take:
        for turn in range(60):
            events = [event_like(chance) for _ in range(chance.randrange(1, 5))]
            records = [enveloped(chance, event, turn) for event in events]
            payload = chance.choice([events[0], {"Records": records}])
            batch = payload == {"Records": records}
            raised = False
            try:
                assert ("batchItemFailures" in take(payload)) is batch
            except TransientError:
                raised = True
            counted = sum('"Events":[1.0]' in line for line in capsys.readouterr().out.splitlines())
            # A forged record that no name can be given for brings the whole batch again.
            assert counted == (len(records) if batch else 1) or (raised and batch)
