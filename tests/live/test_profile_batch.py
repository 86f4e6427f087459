"""Users and items in bursts: queued by `segment_event`, sent by `profile_batch`, ten per call, ten calls per second."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from live_function import ARN, PROFILES, REJECTED, Context, Event, Function, function, identify, track
from personalize_segment.contract.mapping import default_text
from personalize_segment.contract.mapping import parse as parse_mapping
from personalize_segment.live import handler
from personalize_segment.live.payloads import ProfileRecord
from personalize_segment.live.profile_batch import RateLimiter, parse
from personalize_segment.live.record import message
from personalize_segment.live.redrive import Lease, messages, send
from stub import Behavior, Error, Hang, Ok, Request, Stub

USERS = {"userId": "users", "itemId": "items"}
MAPPING = parse_mapping(default_text())


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


def batch(bodies: list[str], seconds: float = 10) -> tuple[list[int], dict[str, Any]]:
    """Pass these messages to `profile_batch`. Return the positions of failed ones, and the answer."""
    payload = {"Records": [{"messageId": f"sqs-{number}", "body": body} for number, body in enumerate(bodies)]}
    answer = handler.profile_batch(payload, Context(seconds))
    return [int(one["itemIdentifier"].removeprefix("sqs-")) for one in answer["batchItemFailures"]], answer


def user(name: str, second: int = 0, plan: str = "pro") -> str:
    """Return a message as `segment_event` writes it."""
    return message(ProfileRecord("users", name, {"PLAN": plan}, (second, "")))


def item(name: str) -> str:
    return message(ProfileRecord("items", name, {"PRICE": 1.5}, (0, "")))


def sent(take: Function) -> dict[str, list[str]]:
    """Return the properties that PutUsers got for each user, in the order of their arrival."""
    found: dict[str, list[str]] = {}
    for body in take.bodies("PutUsers"):
        for one in body["users"]:
            found.setdefault(one["userId"], []).append(one["properties"])
    return found


def refusing(operation: str, *names: str) -> Callable[[Request], Behavior]:
    key = {"PutUsers": "userId", "PutItems": "itemId"}[operation]

    def step(request: Request) -> Behavior:
        records = request.body[USERS[key]]
        return Error(400, "InvalidInputException", "bad") if any(one[key] in names for one in records) else Ok()

    return step


def test_of_a_burst_the_latest_traits_of_each_user_are_sent_ten_a_call(stub: Stub) -> None:
    events: list[Event] = [
        identify(
            userId=f"u-{number}",
            messageId=f"m-{number}-{turn}",
            timestamp=f"2024-03-01T12:00:{turn:02}.{number % 10}Z",
            traits={"plan": f"plan-{turn}"},
        )
        for number in range(120)
        for turn in range(3)
    ]
    random.Random(4).shuffle(events)
    with function(stub, profile_calls_per_second="1000") as take:
        for event in events:
            assert take(event)["rows"] == {"users": 1}
        messages = stub.messages(PROFILES)
        assert len(messages) == 360
        assert batch(messages) == ([], {"batchItemFailures": []})
    assert sent(take) == {f"u-{number}": ['{"plan":"plan-2"}'] for number in range(120)}
    assert {len(body["users"]) for body in take.bodies("PutUsers")} == {10}
    assert {body["datasetArn"] for body in take.bodies("PutUsers")} == {f"{ARN}:dataset/shop/USERS"}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param("2024-03-01T12:00:00Z", "2024-03-01T12:00:01Z", id="seconds"),
        pytest.param("2024-03-01T12:00:00.45Z", "2024-03-01T12:00:00.5Z", id="fractions of another length"),
        pytest.param("2024-03-01T12:00:00.999Z", "2024-03-01T12:00:01Z", id="a second and a fraction"),
        pytest.param("2024-03-01T12:00:00+02:00", "2024-03-01T11:00:00Z", id="offsets"),
        pytest.param("yesterday", "1970-01-01T00:00:00Z", id="no instant"),
    ],
)
@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "out of order"])
def test_the_later_traits_win(stub: Stub, earlier: str, later: str, turn: int) -> None:
    with function(stub) as take:
        for plan, timestamp in [("old", earlier), ("new", later)][::turn]:
            take(identify(timestamp=timestamp, traits={"plan": plan}))
        batch(stub.messages(PROFILES))
    assert sent(take) == {"u-1": ['{"plan":"new"}']}


def test_calls_keep_to_ten_a_second_whatever_the_clock_says() -> None:
    late = random.Random(7)
    now, calls = 1000.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + late.choice([0, 0, 0.004, 0.05, 0.3])  # a sleep may take longer than requested

    pace = RateLimiter(10, lambda: now, sleep)
    for _ in range(300):
        pace()
        calls.append(now)
        now += late.choice([0, 0.001, 0.02, 0.15])
    assert _crowded(calls) == []
    assert calls[-1] - calls[0] < 300  # and it isn't ten times too slow


def test_calls_keep_to_ten_a_second_with_a_clock_that_is_exact() -> None:
    now, calls = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = RateLimiter(10, lambda: now, sleep)
    for _ in range(300):
        pace()
        calls.append(now)
    assert _crowded(calls) == []


def test_calls_keep_to_ten_a_second_as_the_service_sees_them(stub: Stub) -> None:
    with function(stub) as take:
        failed, _ = batch([user(f"u-{number}") for number in range(250)])
    assert failed == []
    calls = [one.received for one in stub.calls("PutUsers")]
    assert len(calls) == 25
    assert _crowded(calls) == []
    assert len(sent(take)) == 250


def test_batches_one_after_the_other_keep_to_the_same_ten_a_second(stub: Stub) -> None:
    with function(stub):
        for turn in range(14):
            batch([user(f"u-{turn}"), item(f"i-{turn}")])
    for operation in ("PutUsers", "PutItems"):
        calls = [one.received for one in stub.calls(operation)]
        assert len(calls) == 14
        assert _crowded(calls) == []


def _crowded(calls: list[float]) -> list[tuple[float, float]]:
    """Return the eleven calls that began within one second, as first and last of them."""
    pairs = zip(calls, calls[10:], strict=False)
    return [(first, last) for first, last in pairs if last - first < 1]


@pytest.mark.parametrize(
    "bad", [[0], [9], [5, 6], [24], [0, 12, 24], list(range(25))], ids=lambda bad: f"{len(bad)} from {bad[0]}"
)
def test_a_user_that_is_refused_takes_no_other_with_it(stub: Stub, bad: list[int]) -> None:
    names = [f"u-{number}" for number in bad]
    stub.behave("PutUsers", then=refusing("PutUsers", *names))
    with function(stub, profile_calls_per_second="1000") as take:
        failed, _ = batch([user(f"u-{number}") for number in range(25)])
    assert failed == []
    taken = [
        one["userId"]
        for body in take.bodies("PutUsers")
        if not {one["userId"] for one in body["users"]} & set(names)
        for one in body["users"]
    ]
    assert sorted(taken) == sorted(f"u-{number}" for number in range(25) if number not in bad)
    kept = take.rejected()
    assert {one["reasons"][0]["reason"] for one in kept} == {"InvalidInputException: bad"}
    assert sorted(json.dumps(one["profile"]).count("u-") > 0 for one in kept) == [True] * len(bad)
    assert len(kept) == len(bad)


def test_all_messages_of_a_refused_user_are_kept(stub: Stub) -> None:
    stub.behave("PutUsers", then=refusing("PutUsers", "u-1"))
    with function(stub, profile_calls_per_second="1000") as take:
        failed, _ = batch([user("u-1", 1), user("u-2", 1), user("u-1", 2), user("u-1", 0)])
    assert failed == []
    assert len(take.rejected()) == 3


def test_a_profile_that_was_refused_can_be_sent_again(stub: Stub) -> None:
    """`redrive` puts it back on the queue of profiles, and there it is a profile."""
    stub.behave("PutUsers", then=refusing("PutUsers", "u-1"))
    with function(stub, profile_calls_per_second="1000") as take:
        batch([user("u-1"), user("u-2")])
        sqs = handler._consumer()[1].sqs
        stub.behave("PutUsers")
        with Lease(sqs, REJECTED) as lease:
            done = send(lease, list(messages(lease, 10)), lambda event: {"decision": "recorded"}, PROFILES, rate=50)
        assert done.recorded == 1
        before = len(take.bodies("PutUsers"))
        assert batch(stub.messages(PROFILES))[0] == []
    assert [one["users"] for one in take.bodies("PutUsers")[before:]] == [
        [{"userId": "u-1", "properties": '{"plan":"pro"}'}]
    ]
    assert take.rejected() == []


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Error(429, "ThrottlingException"), id="throttled"),
        pytest.param(Error(500, "InternalServerException"), id="an error of the service"),
    ],
)
def test_of_a_batch_only_what_was_not_taken_comes_back(stub: Stub, trouble: Error) -> None:
    stub.behave("PutUsers", Ok(), trouble)
    with function(stub, profile_calls_per_second="1000") as take:
        failed, _ = batch([user(f"u-{number}") for number in range(30)] + [user("u-12", 5), item("i-1")])
    assert sorted(failed) == [*range(10, 20), 30]
    assert [len(body["items"]) for body in take.bodies("PutItems")] == [1]
    assert take.rejected() == []


def test_users_that_cannot_be_sent_keep_no_items_back(stub: Stub) -> None:
    stub.behave("PutUsers", then=Error(429, "ThrottlingException"))
    with function(stub):
        failed, _ = batch([user("u-1"), item("i-1"), user("u-2")])
    assert sorted(failed) == [0, 2]


#: Creates the clients, which on a busy machine takes longer than the rest.
WARM_UP = {"Records": [{"messageId": "0", "body": item("i-0")}, {"messageId": "1", "body": "junk"}]}


def test_when_the_time_is_up_the_rest_comes_back(stub: Stub) -> None:
    stub.behave("PutUsers", Ok(), then=Hang())
    bodies = [user(f"u-{number}") for number in range(40)] + [item("i-1")]
    payload = {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}
    with function(stub) as take:
        handler.profile_batch(WARM_UP, Context(60))
        context = Context(1.5)
        answer = handler.profile_batch(payload, context)
        assert context.get_remaining_time_in_millis() > 0
    failed = [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]
    assert sorted(failed) == list(range(10, 41))
    assert len(take.bodies("PutUsers")) == 2


def test_a_queue_of_rejected_profiles_that_hangs_does_not_use_up_lambdas_time(stub: Stub) -> None:
    with function(stub):
        handler.profile_batch(WARM_UP, Context(60))
        stub.behave("SendMessage", then=Hang())
        context = Context(1.2)
        payload = {"Records": [{"messageId": name, "body": "junk"} for name in "abc"]}
        payload["Records"].append({"messageId": "d", "body": user("u-1")})
        answer = handler.profile_batch(payload, context)
        assert context.get_remaining_time_in_millis() > 0
    assert sorted(one["itemIdentifier"] for one in answer["batchItemFailures"]) == ["a", "b", "c"]


JUNK = [
    pytest.param("", id="nothing"),
    pytest.param("hello", id="no JSON"),
    pytest.param("{}", id="an object"),
    pytest.param("[1, 2, 3]", id="too few"),
    pytest.param('["users", "u", "{}", [0, "", []], 5]', id="too many"),
    pytest.param('["carts", "u", "{}", [0, "", []]]', id="another dataset"),
    pytest.param('[["users"], "u", "{}", [0, "", []]]', id="a dataset that is an array"),
    pytest.param('["users", 5, "{}", [0, "", []]]', id="an id that isn't text"),
    pytest.param('["users", "", "{}", [0, "", []]]', id="an empty id"),
    pytest.param('["users", "u", {}, [0, "", []]]', id="properties that aren't text"),
    pytest.param('["users", "u-1", "{}", ["0", "", []]]', id="seconds that are a text"),
    pytest.param('["users", "u-1", "{}", [null, "", []]]', id="seconds that are null"),
    pytest.param('["users", "u", "{}", [0, "", 5]]', id="texts that are a number"),
    pytest.param('["users", "u", "{}", [0, "", "abc"]]', id="texts that are one"),
    pytest.param('["users", "u", "{}", [0, "", {"a": 1}]]', id="texts that are an object"),
    pytest.param('[2, "users", "u", {"PLAN": "a"}, [0]]', id="no fraction"),
    pytest.param('[2, "users", "u", {"PLAN": "a"}, ["0", ""]]', id="an instant that is a text"),
    pytest.param('[2, "users", "u", {"PLAN": null}, [0, ""]]', id="a column that is null"),
    pytest.param('[2, "users", "u", {"PLAN": {}}, [0, ""]]', id="a column that is an object"),
    pytest.param('[2, "users", "u", {"PLAN": [1]}, [0, ""]]', id="a column that is a list of numbers"),
    pytest.param('[2, "users", "u", [], [0, ""]]', id="columns that are a list"),
    pytest.param('[2, "users", 5, {"PLAN": "a"}, [0, ""]]', id="a number as the id"),
    pytest.param('[3, "users", "u", {"PLAN": "a"}, [0, ""]]', id="a later version"),
    pytest.param('[true, "users", "u", {"PLAN": "a"}, [0, ""]]', id="no version"),
    pytest.param("[" * 100_000, id="too deep"),
]


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_rejected_and_takes_no_other_with_it(stub: Stub, junk: str) -> None:
    with function(stub, profile_calls_per_second="1000") as take:
        failed, _ = batch([user("u-1"), junk, user("u-2")])
    assert failed == []
    assert set(sent(take)) == {"u-1", "u-2"}
    [kept] = take.rejected()
    assert kept["reasons"][0]["reason"] == "not a profile message of this project"
    assert kept["profile"] == junk


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_no_profile(junk: str) -> None:
    assert parse(junk, MAPPING) is None


def test_what_the_handler_queues_is_a_profile(stub: Stub) -> None:
    with function(stub) as take:
        take(identify(traits={"plan": "é\U0001fad6"}))
        take(track("Product Viewed", {"product_id": "item-1", "price": 1}))
    first, second = (parse(body, MAPPING) for body in stub.messages(PROFILES))
    assert first is not None
    assert second is not None
    assert (first.dataset, first.id, second.dataset, second.id) == ("users", "u-1", "items", "item-1")


def test_messages_of_the_first_version_are_understood(stub: Stub) -> None:
    """Messages of the former version have whole rows, and may wait in the queue during an upgrade."""
    old = [
        ["users", "u-1", '{"plan":"pro","country":"DE"}', [7, "5", ["u-1", "DE", "", "pro"]]],
        ["users", "u-2", "{}", [7, "5", ["u-2", "", "", ""]]],
        ["items", "i-1", '{"category":"Tea|Gifts","price":1.5}', [7, "5", ["i-1", "", "Tea|Gifts", "", "1.5"]]],
    ]
    assert parse(json.dumps(old[2]), MAPPING) == ProfileRecord(
        "items", "i-1", {"CATEGORY": "Tea|Gifts", "PRICE": 1.5}, (7, "5")
    )
    with function(stub, profile_calls_per_second="1000") as take:
        failed, _ = batch([*map(json.dumps, old), user("u-1", 8, "free")])
    assert failed == []
    # Nothing about the user without values.
    assert sent(take) == {"u-1": ['{"country":"DE","plan":"free"}']}
    assert [body["items"] for body in take.bodies("PutItems")] == [
        [{"itemId": "i-1", "properties": '{"category":"Tea|Gifts","price":1.5}'}]
    ]
    assert take.rejected() == []


def test_columns_that_left_the_mapping_are_not_sent(stub: Stub) -> None:
    gone = message(ProfileRecord("users", "u-1", {"SHOE_SIZE": 42}, (0, "")))
    mixed = message(ProfileRecord("users", "u-2", {"SHOE_SIZE": 42, "PLAN": "pro"}, (0, "")))
    with function(stub, profile_calls_per_second="1000") as take:
        assert batch([gone, mixed])[0] == []
    assert sent(take) == {"u-2": ['{"plan":"pro"}']}
    [kept] = take.rejected()
    reason = "none of its columns is in the event mapping"
    assert (kept["profile"], kept["reasons"][0]["reason"]) == (json.loads(gone), reason)


def test_profiles_wait_until_their_dataset_is_there(stub: Stub) -> None:
    with function(stub, personalize_users_dataset_arn=None):
        failed, _ = batch([user("u-1"), item("i-1"), user("u-2")])
    assert sorted(failed) == [0, 2]
    assert len(stub.calls("PutItems")) == 1


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        pytest.param(Ok(), {"Recorded": 10, "Failed": 10, "Rejected": 2}, id="the queue takes them"),
        pytest.param(
            Error(500, "InternalFailure"), {"Recorded": 10, "Failed": 12, "Rejected": 0}, id="the queue does not"
        ),
    ],
)
def test_every_message_is_counted_once(
    stub: Stub, capsys: pytest.CaptureFixture[str], queue: Behavior, expected: dict[str, int]
) -> None:
    stub.behave("PutUsers", Ok(), then=Error(429, "ThrottlingException"))
    stub.behave("SendMessage", then=queue)
    with function(stub, profile_calls_per_second="1000"):
        failed, _ = batch([user(f"u-{number}") for number in range(20)] + ["junk", "junk"])
    assert len(failed) == expected["Failed"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [counts] = [line for line in lines if "ProfilesRecorded" in line]
    assert {name: counts[f"Profiles{name}"] for name in expected} == {
        name: [number] for name, number in expected.items()
    }
    told = [line["causes"] for line in lines if "causes" in line]
    assert sum(sum(causes.values()) for causes in told) == expected["Failed"]
