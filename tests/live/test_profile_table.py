"""Profiles end whole, in the table and in Personalize alike, whatever happens to consumers on the way."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from personalize_emulator import Emulator
from personalize_segment.contract import avro
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import rows, text
from personalize_segment.contract.suppression import SuppressionList
from personalize_segment.errors import TransientError
from personalize_segment.live import profile_table
from personalize_segment.live.deadline import Deadline
from personalize_segment.live.payloads import Known, ProfileRecord, profile, properties
from personalize_segment.live.profile_batch import CONTENTION, DEAD_SECONDS, BatchResult, RateLimiter, Sender
from personalize_segment.live.profile_table import ABSENT, ProfileTable, TableItem
from personalize_segment.live.record import message

MAPPING = parse(default_text())
USERS = "arn:aws:personalize:us-east-1:123456789012:dataset/shop/USERS"
ARNS = {"users": USERS, "items": USERS.replace("USERS", "ITEMS")}
NO_LIMITS = {dataset: RateLimiter(1_000_000) for dataset in ARNS}

#: Called before and after each call with its number, from 1, and its operation.
Hook = Callable[[int, str], None]


class KilledError(BaseException):
    """What nothing catches: the process is gone, and what was sent has been done."""


def refusal(code: str, status: int = 400, operation: str = "Call") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class World:
    """A queue, a table and Personalize in memory; both of them remember all that they ever had."""

    def __init__(self, *observations: ProfileRecord) -> None:
        self.items: dict[str, Any] = {}
        self.versions: dict[str, list[str]] = {}
        self.told: dict[str, str] = {}
        self.puts: list[tuple[str, str]] = []
        self.now = 1_700_000_000.0
        self.observations = list(observations)
        self.queue = {f"m{number}": message(one) for number, one in enumerate(observations)}
        self.refused: set[str] = set()

    def consumer(
        self, before: Hook = lambda number, name: None, after: Hook = lambda number, name: None, **more: Any
    ) -> Sender:
        """Return a consumer as a new process has it, with hooks around its calls."""
        client: Any = _Client(self, before, after)
        limiters, table = NO_LIMITS, ProfileTable(client, "profiles")
        return Sender(client, ARNS, MAPPING, table, limiters, clock=lambda: self.now, **more)

    def deliver(self, consumer: Sender, *names: str) -> BatchResult:
        """Let a consumer have messages, by default all, and delete those that it is done with."""
        chosen = {name: self.queue[name] for name in (names or tuple(self.queue)) if name in self.queue}
        result = consumer.send(chosen, Deadline(60))
        for name in chosen:
            if name not in result.failed:
                self.queue.pop(name, None)
        ends = [*result.recorded, *result.failed, *result.suppressed, *(one for one, _, _ in result.rejected)]
        assert sorted(ends) == sorted(chosen), "a message has no end, or two"
        return result

    def settle(self) -> None:
        """Deliver what is left until nothing is."""
        for _ in range(50):
            if not self.queue:
                return
            self.deliver(self.consumer())
        raise AssertionError("messages are left")

    def check(self) -> None:
        """Table and Personalize have what a fold of all observations has."""
        expected: dict[str, Known] = {}
        for one in self.observations:
            known = expected.setdefault(f"{one.dataset}#{one.id}", {})
            for name, value in one.columns.items():
                cell = (value, *one.instant)
                if name not in known or (known[name][1:], text(known[name][0])) < (cell[1:], text(value)):
                    known[name] = cell
        stored = {key: json.loads(item["columns"]["S"]) for key, item in self.items.items()}
        assert stored == {key: {name: list(cell) for name, cell in one.items()} for key, one in expected.items()}
        assert self.told == {key: properties(one) for key, one in expected.items()}
        self.check_told()

    def check_told(self) -> None:
        """Personalize was told nothing that the table didn't have before, and never nothing at all."""
        assert "{}" not in [row for _, row in self.puts]


class _Client:
    """The calls of DynamoDB and of Personalize, one at a time."""

    def __init__(self, world: World, before: Hook, after: Hook) -> None:
        self._world, self._before, self._after = world, before, after
        self._number, self._dead = 0, False

    def _call(self, name: str, work: Callable[[], Any]) -> Any:
        if self._dead:
            raise KilledError
        self._number += 1
        number = self._number
        try:
            self._before(number, name)
            answer = work()
            self._after(number, name)
        except KilledError:
            self._dead = True
            raise
        return answer

    def batch_get_item(self, **given: Any) -> Any:
        [(name, request)] = given["RequestItems"].items()
        keys = [one["id"]["S"] for one in request["Keys"]]
        assert request["ConsistentRead"]
        assert len(set(keys)) == len(keys) <= 100
        return self._call("BatchGetItem", lambda: {
            "Responses": {name: [self._world.items[key] for key in keys if key in self._world.items]},
            "UnprocessedKeys": {},
        })  # fmt: skip

    def put_item(self, **given: Any) -> None:
        item, condition = given["Item"], given["ConditionExpression"]

        def put() -> None:
            key = item["id"]["S"]
            known = self._world.items.get(key)
            if condition == "attribute_not_exists(id)":
                holds = known is None
            else:
                assert condition == "#version = :before"
                holds = known is not None and known["version"] == given["ExpressionAttributeValues"][":before"]
            if not holds:
                raise refusal("ConditionalCheckFailedException")
            self._world.items[key] = item
            columns = {name: tuple(cell) for name, cell in json.loads(item["columns"]["S"]).items()}
            self._world.versions.setdefault(key, []).append(properties(columns))

        self._call("PutItem", put)

    def put_users(self, **given: Any) -> None:
        self._put("users", "userId", given["users"])

    def put_items(self, **given: Any) -> None:
        self._put("items", "itemId", given["items"])

    def _put(self, dataset: str, key: str, records: Any) -> None:
        def put() -> None:
            assert 1 <= len(records) <= 10
            if any(word in one["properties"] for word in self._world.refused for one in records):
                raise refusal("InvalidInputException")
            for one in records:
                name = f"{dataset}#{one[key]}"
                knows = [json.loads(row).items() for row in self._world.versions[name]]
                told = json.loads(one["properties"]).items()
                assert any(told <= row for row in knows), "told what the table doesn't know"
                self._world.told[name] = one["properties"]
                self._world.puts.append((name, one["properties"]))

        self._call("PutUsers" if dataset == "users" else "PutItems", put)


def seen(name: str, second: int | None, /, **columns: Any) -> ProfileRecord:
    return ProfileRecord("users", name, columns, (-(10**12), "") if second is None else (second, "5"))


def drawn(chance: random.Random, number: int) -> list[ProfileRecord]:
    """Return observations of a few users and items, partial, at few instants so that there are ties."""
    made = []
    for _ in range(number):
        at = chance.choice([(-(10**12), ""), (1, ""), (1, "5"), (1, "45"), (2, ""), (3, "")])
        values: dict[str, list[Any]] = {"PRICE": [1, 1.5, 10], "CATEGORY": [["Tea", "Gifts"], ["Tea"]], "BRAND": ["b"]}
        dataset, name = "items", f"i{chance.randrange(2)}"
        if chance.random() < 0.7:
            values = {"PLAN": ["a", "b", "é|😀"], "COUNTRY": ["DE", "FR"], "GENDER": ["x", "y"]}
            dataset, name = "users", f"u{chance.randrange(3)}"
        chosen = chance.sample(sorted(values), chance.randint(1, 3))
        made.append(ProfileRecord(dataset, name, {one: chance.choice(values[one]) for one in chosen}, at))
    return made


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
    """Return a world whose messages have something of everything: two columns, a tie, an old one, a repeat, an item."""
    return World(
        seen("u", 1, PLAN="free", COUNTRY="DE"),
        seen("u", 2, PLAN="pro"),
        seen("u", 1, PLAN="old", GENDER="f"),
        seen("u", 2, PLAN="pro"),
        seen("v", 2, PLAN="pro"),
        ProfileRecord("items", "i", {"PRICE": 1.5}, (1, "")),
    )


def at(wanted: int, error: BaseException) -> Hook:
    """Return a hook that fails the call of this number."""

    def hook(number: int, name: str) -> None:
        if number == wanted:
            raise error

    return hook


def calls(world: World, *names: str) -> int:
    """Return how many calls a consumer makes for these messages."""
    made: list[str] = []
    world.deliver(world.consumer(after=lambda number, name: made.append(name)), *names)
    return len(made)


FAULTS: dict[str, Callable[[], BaseException]] = {
    "killed": KilledError,
    "throttled": lambda: refusal("ProvisionedThroughputExceededException"),
    "an error of the service": lambda: refusal("InternalServerError", 500),
    "too late": lambda: ConnectTimeoutError(endpoint_url="http://127.0.0.1"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_consumer_that_fails_at_any_call_loses_nothing(fault: str, when: str) -> None:
    total = calls(story())
    assert total >= 8
    for number in range(1, total + 1):
        world = story()
        # A call that fails after it was done is an answer that got lost.
        with suppress(KilledError):
            result = world.deliver(world.consumer(**{when: at(number, FAULTS[fault]())}))
            assert result.failed or when == "after"
        world.settle()
        world.check()
        assert "{}" not in world.told.values()


@pytest.mark.parametrize("first", ["the older", "the newer", "another column", "the same"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_two_consumers_of_one_user_end_alike(first: str, when: str) -> None:
    """The second one runs during each call of the first, to its end or until it is killed; so may be the first."""
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
        world.now += chance.choice([1, DEAD_SECONDS])  # nobody is running
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
    lost = world.queue.pop("m0")  # not even SQS remembers it
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
    """Two versions of the function may run side by side while one is deployed."""
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
            ["the JSON of its own columns is longer than 24000 characters"] if name == "m1" else []
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
def shop(personalize: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Yield an emulator with the datasets of the default mapping, next to a table of profiles."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws(config={"core": {"passthrough": {"services": ["personalize"]}}}):
        api = boto3.client("personalize")
        group = api.create_dataset_group(name="shop")["datasetGroupArn"]
        personalize.clock.advance(60)
        for dataset in MAPPING.datasets:
            schema = api.create_schema(name=dataset.name, schema=json.dumps(avro.schema(dataset)))["schemaArn"]
            api.create_dataset(
                name=dataset.name, datasetGroupArn=group, datasetType=dataset.name.upper(), schemaArn=schema
            )
            personalize.clock.advance(60)
        boto3.client("dynamodb").create_table(
            TableName="profiles", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
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
        stored = table.read("users", [f"{turn}-5", "nobody"])
        assert {name: value for name, (value, *_) in stored[f"{turn}-5"].columns.items()} == {
            "PLAN": "pro", "GENDER": "female", "COUNTRY": "DE",
        }  # fmt: skip
        assert (stored[f"{turn}-5"].telling, stored["nobody"]) == ({}, ABSENT)
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
