"""A queue, a table and Personalize in memory, whose calls can fail at any moment."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from personalize_emulator import Emulator
from personalize_segment.contract import avro
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import text
from personalize_segment.live.deadline import Deadline
from personalize_segment.live.payloads import Known, ProfileRecord, properties
from personalize_segment.live.profile_batch import BatchResult, RateLimiter, Sender
from personalize_segment.live.profile_table import ProfileTable
from personalize_segment.live.record import message

MAPPING = parse(default_text())
USERS = "arn:aws:personalize:us-east-1:123456789012:dataset/shop/USERS"
ARNS = {"users": USERS, "items": USERS.replace("USERS", "ITEMS")}
NO_LIMITS = {dataset: RateLimiter(1_000_000) for dataset in ARNS}

#: Called before and after each call with its number, from 1, and its operation.
Hook = Callable[[int, str], None]


class KilledError(BaseException):
    """Nothing catches it: the process is gone, and its requests have been processed."""


def refusal(code: str, status: int = 400, operation: str = "Call") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class World:
    """A queue, a table and Personalize in memory. Table and Personalize record their history."""

    def __init__(self, *observations: ProfileRecord) -> None:
        self.items: dict[str, Any] = {}
        self.versions: dict[str, list[str]] = {}
        self.earlier: dict[str, Any] = {}
        self.told: dict[str, str] = {}
        self.puts: list[tuple[str, str]] = []
        self.now = 1_700_000_000.0
        self.observations = list(observations)
        self.queue = {f"m{number}": message(one) for number, one in enumerate(observations)}
        self.refused: set[str] = set()
        self.sent: list[str] = []
        self.history: list[ProfileRecord] = []

    def consumer(
        self, before: Hook = lambda number, name: None, after: Hook = lambda number, name: None, **more: Any
    ) -> Sender:
        """Return a consumer as a new process has it, with hooks around its calls."""
        client: Any = Client(self, before, after)
        limiters, table = NO_LIMITS, ProfileTable(client, "profiles")
        return Sender(client, ARNS, MAPPING, table, limiters, clock=lambda: self.now, **more)

    def deliver(self, consumer: Sender, *names: str) -> BatchResult:
        """Give a consumer messages, by default all, and delete the processed ones."""
        chosen = {name: self.queue[name] for name in (names or tuple(self.queue)) if name in self.queue}
        result = consumer.send(chosen, Deadline(60))
        for name in chosen:
            if name not in result.failed:
                self.queue.pop(name, None)
        ends = [*result.recorded, *result.failed, *result.suppressed, *(one for one, _, _ in result.rejected)]
        assert sorted(ends) == sorted(chosen), "a message has no end, or two"
        return result

    def settle(self) -> None:
        """Deliver messages until none are left."""
        for _ in range(50):
            if not self.queue:
                return
            self.deliver(self.consumer())
        raise AssertionError("messages are left")

    def check(self) -> None:
        """Check that table and Personalize match a fold of all observations and of history."""
        expected: dict[str, Known] = {}
        for one in [*self.observations, *self.history]:
            known = expected.setdefault(f"{one.dataset}#{one.id}", {})
            for name, value in one.columns.items():
                cell = (value, *one.instant)
                if name not in known or (known[name][1:], text(known[name][0])) < (cell[1:], text(value)):
                    known[name] = cell
        stored = {key: json.loads(item["columns"]["S"]) for key, item in self.items.items()}
        assert stored == {key: {name: list(cell) for name, cell in one.items()} for key, one in expected.items()}
        # Users who are only in history reach Personalize with an import.
        live = self.told.keys() | {f"{one.dataset}#{one.id}" for one in self.observations}
        assert self.told == {key: properties(one) for key, one in expected.items() if key in live}
        self.check_told()

    def check_told(self) -> None:
        """Check that every row for Personalize was in the table first, and that none was empty."""
        assert "{}" not in [row for _, row in self.puts]


class Client:
    """The calls of DynamoDB, of Personalize and of SQS, one at a time."""

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
        """Answer as DynamoDB."""
        [(name, request)] = given["RequestItems"].items()
        keys = [one["id"]["S"] for one in request["Keys"]]
        assert len(set(keys)) == len(keys) <= 100
        # An inconsistent read returns the state before the last write.
        items = self._world.items if request["ConsistentRead"] else self._world.earlier
        return self._call("BatchGetItem", lambda: {
            "Responses": {name: [items[key] for key in keys if key in items]},
            "UnprocessedKeys": {},
        })  # fmt: skip

    def put_item(self, **given: Any) -> None:
        """Write an item if its condition holds."""
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
            if known is not None:
                self._world.earlier[key] = known
            self._world.items[key] = item
            columns = {name: tuple(cell) for name, cell in json.loads(item["columns"]["S"]).items()}
            self._world.versions.setdefault(key, []).append(properties(columns))

        self._call("PutItem", put)

    def send_message_batch(self, **given: Any) -> Any:
        """Put messages on the queue."""

        def send() -> Any:
            for one in given["Entries"]:
                self._world.queue[f"sent{len(self._world.sent)}"] = one["MessageBody"]
                self._world.sent.append(one["MessageBody"])
            return {"Successful": [{"Id": one["Id"]} for one in given["Entries"]]}

        return self._call("SendMessageBatch", send)

    def put_users(self, **given: Any) -> None:
        """Take users."""
        self._put("users", "userId", given["users"])

    def put_items(self, **given: Any) -> None:
        """Take items."""
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


def at(wanted: int, error: BaseException) -> Hook:
    """Return a hook that fails the call of this number."""

    def hook(number: int, name: str) -> None:
        if number == wanted:
            raise error

    return hook


FAULTS: dict[str, Callable[[], BaseException]] = {
    "killed": KilledError,
    "throttled": lambda: refusal("ProvisionedThroughputExceededException"),
    "an error of the service": lambda: refusal("InternalServerError", 500),
    "too late": lambda: ConnectTimeoutError(endpoint_url="http://127.0.0.1"),
}


@contextmanager
def live_shop(personalize: Emulator) -> Iterator[None]:
    """Give an emulator the datasets of the default mapping, next to a table of profiles, until the end."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }.items():
            patch.setenv(name, value)
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
            yield
