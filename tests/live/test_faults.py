"""Every combination of faults of AWS and Segment, under one time budget: the table in docs/operations.md.

An event's userId names the fault of each of its calls, so that the cases of a table run concurrently in one process.
Events and answers contain a word that no log may show.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NamedTuple

import pytest

from live_function import REJECTED, Context, Event, Function, function, identify, track
from personalize_segment.errors import TransientError
from stub import Behavior, Close, Drip, Error, Hang, Ok, Raw, Request, Reset, Stub, Truncated

CANARY = "canary-7f3a"
#: Milliseconds, enough to create clients on a busy machine. Without the budget, a hanging call takes over 4 seconds.
BUDGET = "2000"
LAMBDA_SECONDS = 5.0

FAULTS: dict[str, Behavior] = {
    "ok": Ok(),
    "hang": Hang(),
    "drip": Drip(0.05),
    "reset": Reset(),
    "close": Close(),
    "truncated": Truncated(),
    "500": Error(500, "InternalServerException", CANARY),
    "503": Raw(503, f"<html>{CANARY}</html>".encode()),
    "429": Error(429, "ThrottlingException", CANARY),
    "throttled": Error(400, "ThrottlingException", CANARY),
    "refused": Error(400, "InvalidInputException", f"1 validation error: {CANARY}"),
}


#: Answers of PutEvents, PutUsers and PutItems have only a status, so half an answer is complete.
TAKEN = ("ok", "truncated")


class Case(NamedTuple):
    """The faults of the calls of one event."""

    put_events: str
    recommend: str
    segment: str
    queue: str

    @property
    def event(self) -> Event:
        """An order of two lines, one of which has no item's id."""
        products = [{"product_id": "item-1", "name": CANARY}, {"product_id": f"{CANARY}\n", "name": CANARY}]
        properties = {"order_id": CANARY, "products": products}
        more = {"context": {"ip": CANARY}, "messageId": f"m-{self.name}", "userId": self.name}
        return track("Order Completed", properties, **more)

    @property
    def name(self) -> str:
        """The case as a user's id."""
        return "/".join(self)


def full() -> list[Case]:
    kinds = ("ok", "hang", "500", "refused")
    return [Case(*one) for one in product(kinds, repeat=4)]


def pairs() -> list[Case]:
    """Each pair of faults of two services: an orthogonal array, for a prime number of faults."""
    names, number = list(FAULTS), len(FAULTS)
    return [
        Case(names[one], names[other], names[(one + other) % number], names[(one + 2 * other) % number])
        for one, other in product(range(number), repeat=2)
    ]


class Told(NamedTuple):
    """The caller's result: the answer or the error, and whether it was in time."""

    answer: dict[str, Any]
    raised: str
    in_time: bool


def expected(case: Case) -> dict[str, Any] | None:
    """Return the answer, None if the event is to be sent again."""
    if case.put_events not in (*TAKEN, "refused") or case.queue != "ok":
        return None
    recorded = case.put_events in TAKEN
    recommended = recorded and case.recommend == "ok"
    return {
        "decision": "rejected",
        "rows": {"interactions": int(recorded)},
        "reasons": 1 if recorded else 2,
        "nulls": [],
        "recommendation": "fetched" if recommended else "failed" if recorded else "",
        "write_back": ("sent" if case.segment == "ok" else "failed") if recommended else "",
    }


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:

        def put_events(request: Request) -> Behavior:
            return _behavior(request.body["userId"], 0)

        def recommend(request: Request) -> Behavior:
            return _behavior(request.body["userId"], 1)

        def segment(request: Request) -> Behavior:
            return _behavior(request.body["batch"][0]["userId"], 2)

        def queue(request: Request) -> Behavior:
            return _behavior(json.loads(request.body["MessageBody"])["event"]["userId"], 3)

        one.behave("PutEvents", then=put_events)
        one.behave("GetRecommendations", then=recommend)
        one.behave("batch", then=segment)
        one.behave("SendMessage", then=queue)
        yield one


def _behavior(user: str, call: int) -> Behavior:
    return FAULTS[user.split("/")[call]]


def run(take: Function, events: list[Event]) -> list[Told]:
    def one(event: Event) -> Told:
        context = Context(LAMBDA_SECONDS)
        try:
            answer, raised = take(event, context=context), ""
        except TransientError as error:
            answer, raised = {}, str(error)
        return Told(answer, raised, context.get_remaining_time_in_millis() > 0)

    with ThreadPoolExecutor(16) as threads:
        return list(threads.map(one, events))


@pytest.mark.parametrize("cases", [pytest.param(full(), id="all of the kinds"), pytest.param(pairs(), id="all pairs")])
def test_trouble_ends_as_the_table_says_and_in_time(
    stub: Stub, cases: list[Case], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with function(stub, time_budget_milliseconds=BUDGET) as take:
        told = dict(zip(cases, run(take, [case.event for case in cases]), strict=True))
    assert [case.name for case, one in told.items() if not one.in_time] == []

    got = {case: _summary(one) for case, one in told.items()}
    assert [(case.name, got[case], expected(case)) for case in cases if got[case] != expected(case)] == []

    kept = Counter(body["event"]["userId"] for body in take.rejected())
    lost = [case.name for case in cases if not told[case].raised and kept[case.name] != 1]
    assert lost == []

    out, err = capfd.readouterr()
    said = [*out.splitlines(), *err.splitlines(), *caplog.messages, *(one.raised for one in told.values())]
    assert [line for line in said if CANARY in line] == []
    assert all(CANARY in json.dumps(body) for body in take.rejected())
    _check_counts(out, got)


def _summary(told: Told) -> dict[str, Any] | None:
    if told.raised:
        return None
    words = {name: told.answer[name].partition(":")[0] for name in ("recommendation", "write_back")}
    return {**told.answer, **words, "reasons": len(told.answer["reasons"])}


def _check_counts(out: str, got: dict[Case, dict[str, Any] | None]) -> None:
    """All events are counted as recorded, rejected or raised."""
    lines = [json.loads(line) for line in out.splitlines()]
    counted: Counter[str] = Counter()
    for line in lines:
        if "Events" in line:
            counted[line["decision"]] += int(sum(line["Events"]))
    answered = sum(one is not None for one in got.values())
    assert counted == {"rejected": answered, "raised": len(got) - answered}
    rows = sum(sum(line.get("RowsInteractions", [])) for line in lines)
    assert rows == sum(one["rows"]["interactions"] for one in got.values() if one)


@pytest.mark.parametrize("fault", [*FAULTS])
def test_users_and_items_that_are_not_queued_come_again(fault: str) -> None:
    with Stub() as stub:
        stub.behave("SendMessageBatch", then=FAULTS[fault])
        with function(stub, time_budget_milliseconds=BUDGET, personalize_campaign_arn=None) as take:
            told = run(take, [identify(), track("Product Viewed", {"product_id": "item-1", "price": 1})])
    assert [bool(one.raised) for one in told] == [fault != "ok"] * 2
    assert all(one.in_time for one in told)


@pytest.mark.parametrize("fault", [*FAULTS])
def test_users_that_are_sent_at_once_are_recorded_rejected_or_come_again(fault: str) -> None:
    with Stub() as stub:
        stub.behave("PutUsers", then=FAULTS[fault])
        with function(stub, time_budget_milliseconds=BUDGET, profile_queue_url=None) as take:
            [told] = run(take, [identify()])
        assert told.in_time
        if fault in (*TAKEN, "refused"):
            assert told.answer["rows"] == {"users": int(fault in TAKEN)}
            assert len(take.rejected()) == (fault == "refused")
        else:
            assert told.raised
            assert take.rejected() == []


MENDED = ("reset", "close", "500", "503", "429", "throttled")


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *product(("PutEvents", "GetRecommendations", "SendMessage"), MENDED),
        *product(("batch",), ("reset", "close", "truncated", "500", "503", "429")),
    ],
)
def test_one_failure_of_a_call_is_mended_by_the_second_attempt(operation: str, fault: str) -> None:
    with Stub() as stub:
        stub.behave(operation, FAULTS[fault])
        with function(stub) as take:
            answer = take(Case("ok", "ok", "ok", "ok").event)
        words = (answer["decision"], answer["rows"], answer["recommendation"], answer["write_back"])
        first, second = (_without_clock(one.body) for one in stub.calls(operation))
    assert words == ("rejected", {"interactions": 1}, "fetched", "sent")
    assert first == second


PAGE = Raw(200, b"<html>Welcome</html>")


@pytest.mark.parametrize("answer", [pytest.param(PAGE, id="a page"), pytest.param(Truncated(), id="half an answer")])
def test_a_queue_that_does_not_say_that_it_has_a_message_has_none(answer: Behavior) -> None:
    """botocore reads anything but JSON as an answer without members."""
    with Stub() as stub:
        stub.behave("SendMessage", then=answer)
        stub.behave("SendMessageBatch", then=answer)
        with function(stub) as take:
            told = run(take, [track("Product Viewed", {}), identify()])
    assert ["sent again" in one.raised for one in told] == [True, True]


def test_a_queue_that_takes_a_part_of_the_messages_gets_all_of_them_again() -> None:
    failed = {"Id": "0", "Code": "InternalError", "SenderFault": False}
    with Stub() as stub:
        stub.behave("SendMessageBatch", Ok({"Successful": [], "Failed": [failed]}))
        with function(stub) as take, pytest.raises(TransientError):
            take(identify())


@pytest.mark.parametrize("answer", [pytest.param(PAGE, id="a page"), pytest.param(Truncated(), id="half an answer")])
def test_an_answer_without_a_list_is_trouble_and_no_empty_list(answer: Behavior) -> None:
    with Stub() as stub:
        stub.behave("GetRecommendations", then=answer)
        with function(stub) as take:
            told = take(track())
    assert (told["decision"], told["recommendation"].partition(":")[0]) == ("recorded", "failed")


def test_an_empty_list_is_no_trouble_and_not_written_back() -> None:
    with Stub() as stub:
        stub.behave("GetRecommendations", then=Ok({"itemList": [], "recommendationId": "RID-0"}))
        with function(stub) as take:
            told = take(track())
        assert take.identifies() == []
    assert (told["decision"], told["recommendation"], told["write_back"]) == ("recorded", "empty", "")


def _without_clock(body: dict[str, Any]) -> dict[str, Any]:
    """Remove the time of an identify, because only its messageId matters."""
    if "batch" in body:
        return {"ids": [(one["messageId"], one["userId"], one["traits"]) for one in body["batch"]]}
    return body


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        *product(("GetParameter",), [name for name in FAULTS if name not in ("ok", "refused")]),
        *product(("GetSecretValue",), ("hang", "500", "throttled")),
    ],
)
def test_a_setting_that_cannot_be_read_costs_the_recommendation_only(service: str, fault: str) -> None:
    name = {"GetParameter": "ssm:/p/campaign", "GetSecretValue": "secretsmanager:campaign"}[service]
    with Stub() as stub:
        stub.behave(service, then=FAULTS[fault])
        # Only a hanging call uses it up. Others end at once, but their clients may be slow to create.
        budget = BUDGET if fault in ("hang", "drip") else "4000"
        with function(stub, personalize_campaign_arn=name, time_budget_milliseconds=budget) as take:
            [told] = run(take, [track()])
    assert told.in_time
    assert (told.raised, told.answer["decision"]) == ("", "recorded")
    assert told.answer["recommendation"].startswith("failed: ")


def test_trouble_without_a_queue_for_it_is_still_told() -> None:
    with Stub() as stub:
        stub.behave("PutEvents", then=FAULTS["refused"])
        with function(stub, rejected_queue_url=None) as take:
            answer = take(track())
        assert stub.messages(REJECTED) == []
    assert (answer["decision"], answer["rows"]) == ("rejected", {"interactions": 0})
    assert len(answer["reasons"]) == 1


def test_a_call_that_was_left_behind_does_not_slow_down_the_next_event() -> None:
    """Hanging threads don't exhaust a pool: after forty of them, the next event is recorded."""
    with Stub() as stub:
        stub.behave("GetRecommendations", *[Hang()] * 40)
        with function(stub, time_budget_milliseconds="100") as take:
            told = run(take, [track(messageId=f"m-{number}", userId=f"u-{number}") for number in range(40)])
        with function(stub) as take:
            assert take(track())["write_back"] == "sent"
    assert [one.raised for one in told if one.raised and "time budget" not in one.raised] == []
