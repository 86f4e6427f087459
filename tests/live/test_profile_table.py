"""Profiles end complete and equal in the table and in Personalize, whatever happens to consumers."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from personalize_emulator import Emulator
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import rows
from personalize_segment.contract.suppression import SuppressionList
from personalize_segment.errors import TransientError
from personalize_segment.live import profile_table
from personalize_segment.live.deadline import Deadline
from personalize_segment.live.payloads import ProfileRecord, profile
from personalize_segment.live.profile_batch import CONTENTION, DEAD_SECONDS, Sender
from personalize_segment.live.profile_table import ABSENT, ProfileTable, TableItem
from personalize_segment.live.record import message
from profile_world import ARNS, FAULTS, MAPPING, NO_LIMITS, KilledError, World, at, drawn, live_shop, refusal, seen


def test_what_an_event_does_not_say_stays() -> None:
    world = World(seen("u", 1, PLAN="free", COUNTRY="DE"), seen("u", 2, PLAN="pro"))
    world.deliver(world.consumer(), "m0")
    world.deliver(world.consumer(), "m1")
    world.check()
    assert world.told == {"users#u": '{"country":"DE","plan":"pro"}'}
    assert json.loads(world.items["users#u"]["columns"]["S"]) == {"COUNTRY": ["DE", 1, "5"], "PLAN": ["pro", 2, "5"]}


@pytest.mark.parametrize("seed", range(30))
def test_any_order_of_messages_in_any_batches_ends_with_the_same_profiles(seed: int) -> None:
    chance = random.Random(seed)
    world = World(*drawn(chance, 25))
    bodies = chance.sample(sorted(world.queue.values()), 25) + chance.sample(sorted(world.queue.values()), 10)
    chance.shuffle(bodies)
    while bodies:
        size = chance.randint(1, 6)
        world.queue = {f"again{number}": body for number, body in enumerate(bodies[:size])}
        world.deliver(world.consumer())
        bodies = bodies[size:]
    world.check()


def test_a_row_that_stays_the_same_is_not_told_again() -> None:
    world = World(
        seen("u", 5, PLAN="pro"), seen("u", 7, PLAN="pro"), seen("u", 6, PLAN="free"), seen("u", 6, PLAN="free")
    )
    for name in sorted(world.queue):
        world.deliver(world.consumer(), name)
    world.check()
    # The second raised the instant, or the third would have won.
    assert world.puts == [("users#u", '{"plan":"pro"}')]


def story() -> World:
    """Return a world with varied messages: two columns, a tie, an old one, a duplicate, an item."""
    return World(
        seen("u", 1, PLAN="free", COUNTRY="DE"),
        seen("u", 2, PLAN="pro"),
        seen("u", 1, PLAN="old", GENDER="f"),
        seen("u", 2, PLAN="pro"),
        seen("v", 2, PLAN="pro"),
        ProfileRecord("items", "i", {"PRICE": 1.5}, (1, "")),
    )


def calls(world: World, *names: str) -> int:
    """Return how many calls a consumer makes for these messages."""
    made: list[str] = []
    world.deliver(world.consumer(after=lambda number, name: made.append(name)), *names)
    return len(made)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_consumer_that_fails_at_any_call_loses_nothing(fault: str, when: str) -> None:
    total = calls(story())
    assert total >= 8
    for number in range(1, total + 1):
        world = story()
        # A call that fails after it was processed is a lost answer.
        with suppress(KilledError):
            result = world.deliver(world.consumer(**{when: at(number, FAULTS[fault]())}))
            assert result.failed or when == "after"
        world.settle()
        world.check()
        assert "{}" not in world.told.values()


@pytest.mark.parametrize("first", ["the older", "the newer", "another column", "the same"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_two_consumers_of_one_user_end_alike(first: str, when: str) -> None:
    """The second runs during each call of the first, to its end or until it is killed. The first may be killed, too."""
    mine, other = {
        "the older": (seen("u", 1, PLAN="a", COUNTRY="DE"), seen("u", 2, PLAN="b")),
        "the newer": (seen("u", 2, PLAN="b"), seen("u", 1, PLAN="a", COUNTRY="DE")),
        "another column": (seen("u", 1, COUNTRY="DE"), seen("u", 1, PLAN="b")),
        "the same": (seen("u", 1, PLAN="a"), seen("u", 1, PLAN="a")),
    }[first]
    for during in range(1, 6):
        for other_dies in range(0, 7):
            for first_dies in (0, *range(during, 9)):
                world = World(seen("u", 0, GENDER="f"), mine, other)
                world.deliver(world.consumer(), "m0")

                def hook(number: int, name: str) -> None:
                    if number == during:  # noqa: B023
                        with suppress(KilledError):
                            world.deliver(world.consumer(after=at(other_dies, KilledError())), "m2")  # noqa: B023
                    if number == first_dies:  # noqa: B023
                        raise KilledError

                with suppress(KilledError):
                    world.deliver(world.consumer(**{when: hook}), "m1")
                world.settle()
                world.check()


@pytest.mark.parametrize("seed", range(40))
def test_consumers_that_fail_at_random_end_with_what_was_said(seed: int) -> None:
    chance = random.Random(seed)
    world = World(*drawn(chance, 20))
    running: set[str] = set()

    def batch(depth: int) -> None:
        free = sorted(world.queue.keys() - running)
        names = chance.sample(free, min(len(free), chance.randint(1, 5)))
        if not names:
            return

        def hook(number: int, name: str) -> None:
            if depth < 3 and chance.random() < 0.15:
                batch(depth + 1)
            if chance.random() < 0.08:
                raise chance.choice([*FAULTS.values()])()

        running.update(names)
        with suppress(KilledError):
            world.deliver(world.consumer(hook, hook), *names)
        running.difference_update(names)

    for _ in range(12):
        world.now += chance.choice([1, DEAD_SECONDS])  # no consumer is running
        batch(0)
    world.settle()
    world.check()


def test_a_token_that_stayed_makes_everybody_tell_for_an_hour() -> None:
    world = World(seen("u", 1, PLAN="a"), *(seen("u", at, PLAN="a") for at in (2, 3, 4)))
    with suppress(KilledError):
        world.deliver(
            world.consumer(
                before=lambda number, name: at(number, KilledError())(number, name) if name == "PutUsers" else None
            ),
            "m0",
        )
    assert (world.puts, list(world.items)) == ([], ["users#u"])
    lost = world.queue.pop("m0")  # SQS lost it, too
    world.deliver(world.consumer(), "m1")
    world.deliver(world.consumer(), "m2")
    assert len(world.puts) == 2
    world.now += DEAD_SECONDS
    world.deliver(world.consumer(), "m3")
    assert "telling" not in world.items["users#u"]
    world.queue["m4"] = lost
    world.deliver(world.consumer())
    assert len(world.puts) == 3
    world.check()


def test_a_column_that_comes_back_into_the_mapping_is_told() -> None:
    """Two versions of the function may run concurrently during a deployment."""
    document = json.loads(default_text())
    del document["users"]["fields"]["PLAN"]
    world = World(seen("u", 1, PLAN="a", COUNTRY="DE"), seen("u", 2, COUNTRY="FR"), seen("u", 3, COUNTRY="FR"))
    world.deliver(world.consumer(), "m0")
    without = world.consumer()
    without.mapping = parse(json.dumps(document))
    world.deliver(without, "m1")
    assert world.told == {"users#u": '{"country":"FR"}'}
    world.deliver(world.consumer(), "m2")
    world.check()


def test_a_row_that_was_taken_is_not_taken_back() -> None:
    """While the consumer of a row that was taken asks whether it's still the row, a column is added and refused."""
    world = World(seen("u", 1, PLAN="a"), seen("u", 1, COUNTRY="poison"))

    def hook(number: int, name: str) -> None:
        if number == 4:
            world.refused = {"poison"}
            with suppress(KilledError):
                world.deliver(world.consumer(before=at(3, KilledError())), "m1")

    result = world.deliver(world.consumer(before=hook), "m0")
    assert [why.reason for _, _, why in result.rejected] == ["InvalidInputException: InvalidInputException"]
    assert (world.told, list(world.queue)) == ({"users#u": '{"plan":"a"}'}, ["m1"])
    assert json.loads(world.items["users#u"]["columns"]["S"])["PLAN"] == ["a", 1, "5"]


def test_a_row_that_is_refused_is_taken_back() -> None:
    world = World(
        seen("u", 1, PLAN="a"),
        seen("u", 2, PLAN="poison", COUNTRY="DE"),
        seen("v", 1, PLAN="poison"),
        seen("u", 3, GENDER="f"),
    )
    world.refused = {"poison"}
    world.deliver(world.consumer(), "m0")
    result = world.deliver(world.consumer(), "m1", "m2")
    assert [(name, why.reason.partition(":")[0]) for name, _, why in result.rejected] == [
        ("m1", "InvalidInputException"),
        ("m2", "InvalidInputException"),
    ]
    assert result.rejected[0][1] == json.loads(message(world.observations[1]))
    world.deliver(world.consumer())
    assert world.told == {"users#u": '{"gender":"f","plan":"a"}'}
    assert json.loads(world.items["users#v"]["columns"]["S"]) == {}
    # Sent again when Personalize takes it.
    world.refused = set()
    world.queue = {"again1": message(world.observations[1]), "again2": message(world.observations[2])}
    world.settle()
    world.check()


def test_a_row_that_is_refused_stays_if_another_has_told_it() -> None:
    world = World(seen("u", 1, PLAN="a"), seen("u", 1, COUNTRY="DE"))

    def hook(number: int, name: str) -> None:
        if name == "PutUsers":
            world.deliver(world.consumer(), "m1")
            raise refusal("AccessDeniedException")

    result = world.deliver(world.consumer(before=hook), "m0")
    assert len(result.rejected) == 1
    world.check()


def test_a_merged_row_that_is_too_long_is_neither_stored_nor_told() -> None:
    long = "x" * 13_000
    world = World(seen("u", 1, PLAN=long), seen("u", 2, COUNTRY=long), seen("u", 3, GENDER="f"))
    for name in ("m0", "m1", "m2"):
        result = world.deliver(world.consumer(), name)
        assert [why.reason for _, _, why in result.rejected] == (
            ["longer than 24000 characters as JSON"] if name == "m1" else []
        )
    world.observations.pop(1)
    world.check()


def test_who_was_forgotten_is_neither_stored_nor_told() -> None:
    gone = SuppressionList("0" * 32).plus(["u"])
    world = World(seen("u", 1, PLAN="a"), seen("v", 1, PLAN="a"), ProfileRecord("items", "u", {"PRICE": 1.0}, (1, "")))
    result = world.deliver(world.consumer(suppressed=gone))
    assert (result.suppressed, sorted(result.recorded), world.queue) == (["m0"], ["m1", "m2"], {})
    assert sorted(world.items) == sorted(world.told) == ["items#u", "users#v"]


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        pytest.param(refusal("ResourceNotFoundException"), "failed", id="no table"),
        pytest.param(refusal("AccessDeniedException"), "failed", id="no right"),
        pytest.param(refusal("ValidationException"), "rejected", id="an item that is too large"),
    ],
)
def test_what_the_table_refuses_waits_or_is_kept(error: ClientError, ends: str) -> None:
    world = World(seen("u", 1, PLAN="a"))

    def hook(number: int, name: str) -> None:
        if name == "PutItem":
            raise error

    result = world.deliver(world.consumer(before=hook))
    assert len(getattr(result, ends)) == 1
    assert world.puts == []


def test_a_batch_of_many_users_is_read_a_hundred_at_a_time_and_told_ten_a_call() -> None:
    world = World(*(seen(f"u{number}", 1, PLAN="a") for number in range(250)))
    made = Counter[str]()
    world.deliver(world.consumer(after=lambda number, name: made.update([name])))
    assert made == {"BatchGetItem": 3, "PutItem": 500, "PutUsers": 25}
    world.check()


def test_keys_that_were_not_read_are_asked_for_again_and_then_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_table, "PAUSE_SECONDS", 0.0)
    world = World(*(seen(f"u{number}", 1, PLAN="a") for number in range(4)))
    consumer = world.consumer()
    client: Any = consumer.client
    whole, asked = client.batch_get_item, []

    def busy(**given: Any) -> Any:
        keys = given["RequestItems"]["profiles"]["Keys"]
        asked.append(len(keys))
        most = 1 if len(asked) < 3 else 0
        answer = (
            whole(RequestItems={"profiles": {"Keys": keys[:most], "ConsistentRead": True}})
            if most
            else {"Responses": {}}
        )
        return answer | {"UnprocessedKeys": {"profiles": {"Keys": keys[most:], "ConsistentRead": True}}}

    monkeypatch.setattr(client, "batch_get_item", busy)
    result = world.deliver(consumer)
    assert asked == [4, 3, 2, 2, 2]
    assert (len(result.recorded), len(result.failed)) == (2, 2)
    world.settle()
    world.check()


def test_an_item_that_others_write_all_the_time_waits() -> None:
    world = World(seen("u", 1, PLAN="a"))

    def hook(number: int, name: str) -> None:
        if name == "PutItem":
            item = world.items.setdefault(
                "users#u", {"id": {"S": "users#u"}, "columns": {"S": "{}"}, "version": {"N": "1"}}
            )
            world.items["users#u"] = item | {"version": {"N": str(int(item["version"]["N"]) + 1)}}

    result = world.deliver(world.consumer(before=hook))
    assert (result.failed, result.causes) == (["m0"], {CONTENTION: 1})
    assert world.puts == []


def test_a_call_that_was_left_behind_tells_nothing_later() -> None:
    world = World(seen("u", 1, PLAN="a"))
    consumer = world.consumer()
    deadline = Deadline(60)

    class Slow:
        def __call__(self) -> None:
            deadline._at = 0.0  # the time is up while it waits for its turn

    consumer.limiters = {"users": Slow(), "items": Slow()}  # type: ignore[dict-item]
    result = consumer.send(dict(world.queue), deadline)
    assert (result.failed, result.causes) == (["m0"], {"time budget: is used up": 1})
    assert world.puts == []


EVENTS: list[dict[str, Any]] = [
    {"type": "identify", "userId": "5", "traits": {"gender": "female", "country": "DE", "plan": "free"}},
    {"type": "identify", "userId": "5", "traits": {"plan": "pro"}},
    {"type": "identify", "userId": "6", "traits": {"plan": "pro"}},
    {"type": "identify", "userId": "6", "traits": {"email": "a@b"}},
    {"type": "identify", "userId": "5", "traits": {"plan": None, "country": ""}},
    {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1", "brand": "Hasbro", "price": 18.99}},
    {"type": "track", "event": "Product Added", "properties": {"product_id": "p1", "category": "Games"}},
    {"type": "track", "event": "Product Added", "properties": {"product_id": "p1", "price": "19.5"}},
    {"type": "identify", "userId": "6", "traits": {"plan": "future"}, "timestamp": "2038-01-19T03:14:08Z"},
    {"type": "identify", "userId": "6", "traits": {"plan": "latest"}, "timestamp": "2024-03-02T00:00:00Z"},
]  # fmt: skip


@pytest.fixture
def shop(personalize: Emulator) -> Iterator[Emulator]:
    """Yield an emulator with the datasets of the default mapping, next to a table of profiles."""
    with live_shop(personalize):
        yield personalize


def test_events_in_any_order_end_with_the_same_datasets(shop: Emulator) -> None:
    """Against the emulator of Personalize, and DynamoDB as moto has it."""
    table, client = ProfileTable(boto3.client("dynamodb"), "profiles"), boto3.client("personalize-events")
    chance, ends = random.Random(1), []
    for turn in range(3):
        bodies = []
        for number, event in enumerate(EVENTS):
            at = {
                "timestamp": f"2024-03-01T00:00:{number:02}.{number}Z",
                "receivedAt": f"2024-03-01T00:01:{number:02}Z",
            }
            for row in rows(MAPPING, at | {"messageId": str(number)} | event)[0]:
                if row.dataset.name != "interactions" and isinstance(record := profile(row), ProfileRecord):
                    bodies.append(message(record._replace(id=f"{turn}-{record.id}")))
        bodies += chance.sample(bodies, 3)
        chance.shuffle(bodies)
        while bodies:
            sender = Sender(client, ARNS, MAPPING, table, NO_LIMITS)
            size = chance.randint(1, 4)
            assert sender.send({str(n): body for n, body in enumerate(bodies[:size])}, Deadline(60)).failed == []
            bodies = bodies[size:]
        held = {name: shop._stores["us-east-1"].profiles[arn] for name, arn in ARNS.items()}
        ends.append(
            [held["users"].get(f"{turn}-{one}") or {} for one in "56"] + [held["items"].get(f"{turn}-p1") or {}]
        )
        stored = table.read("users", [f"{turn}-5", "unknown"])
        assert {name: value for name, (value, *_) in stored[f"{turn}-5"].columns.items()} == {
            "PLAN": "pro", "GENDER": "female", "COUNTRY": "DE",
        }  # fmt: skip
        assert (stored[f"{turn}-5"].telling, stored["unknown"]) == ({}, ABSENT)
        assert table.write("users", f"{turn}-5", TableItem({}, 1, {})) is False
    assert [[{**record, next(iter(record)): ""} for record in end] for end in ends] == [
        [
            {"USER_ID": "", "COUNTRY": "DE", "GENDER": "female", "PLAN": "pro"},
            {"USER_ID": "", "COUNTRY": None, "GENDER": None, "PLAN": "latest"},
            {"ITEM_ID": "", "BRAND": "Hasbro", "CATEGORY": "Games", "GENRE": None, "PRICE": 19.5},
        ]
    ] * 3


def test_a_table_that_is_not_there_makes_messages_wait(shop: Emulator) -> None:
    table = ProfileTable(boto3.client("dynamodb"), "none")
    with pytest.raises(TransientError, match="ResourceNotFoundException"):
        table.read("users", ["u"])
    sender = Sender(boto3.client("personalize-events"), ARNS, MAPPING, table, NO_LIMITS)
    result = sender.send({"m": message(seen("u", 1, PLAN="a"))}, Deadline(60))
    assert (result.failed, result.causes) == (["m"], {"BatchGetItem: failed (ResourceNotFoundException)": 1})
