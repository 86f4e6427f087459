"""Copies of the function never exceed their shared rate, whatever DynamoDB does, and report the reason."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from moto import mock_aws

from live_function import ALL, function, track
from personalize_segment.errors import TransientError
from personalize_segment.live import allowance
from personalize_segment.live.allowance import Allowance, SharedAllowance
from personalize_segment.privacy.profiles import ProfileItems
from profile_world import FAULTS, KilledError
from stub import Behavior, Error, Hang, Ok, Raw, Reset, Stub

TABLE = "shop-profiles"
#: A minute begins then.
NOW = 1_700_000_040.0
MINUTE = int(NOW // 60)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("dynamodb", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        yield client


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


class Faulty:
    """A client of DynamoDB, with a hook before and after each call, which is counted."""

    def __init__(self, client: Any, before: Callable[[], None], after: Callable[[], None] = lambda: None) -> None:
        self._client, self._before, self._after = client, before, after
        self.calls = 0
        self._lock = threading.Lock()

    def update_item(self, **given: Any) -> Any:
        """Update an item."""
        self.calls += 1
        self._before()
        with self._lock:  # DynamoDB compares and writes atomically, moto doesn't
            answer = self._client.update_item(**given)
        self._after()
        return answer


class Copies:
    """Running copies of the function with one table and one clock."""

    def __init__(self, client: Any, per_minute: int, number: int = 2) -> None:
        self.now = NOW
        self.client: Any = None
        self._per_minute, self._number = per_minute, number
        self.use(Faulty(client, lambda: None))

    def use(self, client: Any) -> None:
        """Restart all copies with this client."""
        self.client = client
        self.all = [self.started() for _ in range(self._number)]

    def started(self) -> SharedAllowance:
        """Return another copy."""
        return SharedAllowance(self.client, TABLE, self._per_minute, lambda: self.now)

    def taken(self, attempts: int, *of: int) -> int:
        """Return how many of these attempts, by these copies in turn, succeed."""
        return sum(self.all[of[one % len(of)]].take() for one in range(attempts))


def test_an_allowance_comes_back_with_time_and_no_more_than_a_minute_s() -> None:
    now = [100.0]
    copy = Allowance(60, lambda: now[0])

    def taken(number: int) -> int:
        return sum(copy.take() for _ in range(number))

    assert taken(100) == 60
    now[0] += 0.9
    assert taken(1) == 0
    now[0] += 10.1
    assert taken(100) == 11
    now[0] += 3600
    assert taken(100) == 60


def test_copies_share_what_a_minute_has(dynamodb: Any) -> None:
    copies = Copies(dynamodb, 5)
    assert (copies.taken(4, 0, 1), copies.taken(9, 0), copies.taken(9, 1)) == (4, 1, 0)
    # A copy that was refused once doesn't ask again in this minute.
    assert copies.client.calls == 4 + 2 + 1
    copies.now += 59.9
    assert copies.taken(9, 0, 1) == 0
    copies.now += 0.1
    assert copies.taken(9, 1, 0) == 5
    items = dynamodb.scan(TableName=TABLE)["Items"]
    assert sorted(items, key=lambda item: item["id"]["S"]) == [
        {"id": {"S": f"recommendations#{MINUTE + one}"}, "taken": {"N": "5"}, "expires": {"N": str(int(NOW) + at)}}
        for one, at in ((0, 86_400), (1, 86_460))
    ]


@pytest.mark.parametrize("per_minute", [1, 2, 59, 60, 61, 1000, 10_000])
def test_many_are_leased_at_once_so_that_one_item_takes_the_writes(
    dynamodb: Any, per_minute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partial lease is lost."""
    monkeypatch.setattr(allowance, "MAX_LEASES", 60)
    copies = Copies(dynamodb, per_minute, number=1)
    lease = -(-per_minute // 60)
    assert copies.taken(per_minute + 1, 0) == per_minute // lease * lease
    assert copies.client.calls <= 61


def test_what_is_left_of_a_lease_ends_with_its_minute(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "MAX_LEASES", 10)
    copies = Copies(dynamodb, 100)
    assert (copies.taken(1, 0), copies.client.calls) == (1, 1)
    copies.now += 60
    assert copies.taken(101, 1) == 100
    assert copies.taken(20, 0) == 0


def test_a_user_and_a_minute_of_one_name_are_two_items(dynamodb: Any) -> None:
    """Users are deleted by their keys, so a user with such a name can't raise the rate."""
    copies, user = Copies(dynamodb, 1), f"recommendations#{MINUTE}"
    dynamodb.put_item(TableName=TABLE, Item={"id": {"S": f"users#{user}"}, "version": {"N": "1"}})
    assert copies.taken(1, 0) == 1
    ProfileItems(dynamodb, TABLE).remove(frozenset([user, str(MINUTE)]), None)  # type: ignore[arg-type]
    assert [item["id"]["S"] for item in dynamodb.scan(TableName=TABLE)["Items"]] == [user]
    assert copies.taken(9, 1) == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(5))
def test_a_call_that_fails_gives_nobody_more(dynamodb: Any, fault: str, when: str, seed: int) -> None:
    """A lost answer costs one recommendation of the minute."""
    chance, failed = random.Random(seed), 0

    def maybe() -> None:
        if chance.random() < 0.3:
            raise FAULTS[fault]()

    copies, got = Copies(dynamodb, 20, 3), 0
    copies.use(Faulty(dynamodb, maybe) if when == "before" else Faulty(dynamodb, lambda: None, maybe))
    for number in range(60):
        try:
            got += copies.all[number % 3].take()
        except TransientError:
            failed += 1
        except KilledError:  # and another copy is started
            failed += 1
            copies.all[number % 3] = copies.started()
    assert failed
    assert got == 20 if when == "before" else 0 < got < 20


@pytest.mark.parametrize("most_leases", [60, 10])
def test_threads_of_two_copies_take_exactly_what_there_is(
    dynamodb: Any, most_leases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "MAX_LEASES", most_leases)
    copies = Copies(dynamodb, 60)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda number: copies.all[number % 2].take(), range(400)))
    assert sum(got) == 60


COUNTED: dict[str, str | None] = {"profile_table": TABLE, "recommendations_per_minute": "3"}


def test_two_copies_of_the_function_ask_for_so_many_per_minute_together(stub: Stub) -> None:
    said = []
    for copy in range(2):
        with function(stub, **COUNTED) as take:
            users = [track(messageId=f"m-{copy}-{number}", userId=f"u-{copy}-{number}") for number in range(4)]
            said += [take(one)["write_back"] for one in users]
    minutes = len({one.body["Key"]["id"]["S"] for one in stub.calls("UpdateItem")})
    assert 3 <= said.count("sent") == len(take.bodies("GetRecommendations")) <= 3 * minutes
    assert set(said) == {"sent", "too many"}
    assert len(take.bodies("PutEvents")) == 8


@pytest.mark.parametrize("missing", ["personalize_campaign_arn", "connections_source_api_key", "profile_table"])
def test_without_a_table_or_without_what_is_asked_nothing_is_counted_there(stub: Stub, missing: str) -> None:
    settings = ALL | COUNTED | {missing: None}
    with function(stub, **settings) as take:
        take(track())
    assert stub.calls("UpdateItem") == []
    assert len(take.bodies("GetRecommendations")) == (missing == "profile_table")


REFUSALS = (
    "AccessDeniedException",
    "ProvisionedThroughputExceededException",
    "ResourceNotFoundException",
    "ThrottlingException",
)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        *((Error(400, code), f"profile table ({code})") for code in REFUSALS),
        (Error(500, "InternalServerError"), "profile table (InternalServerError)"),
        (Raw(200, b"[]"), "profile table (ResponseParserError)"),
        (Reset(), "profile table (ConnectionClosedError)"),
        (Hang(), "Late"),
    ],
    ids=lambda one: "" if isinstance(one, str) else getattr(one, "code", type(one).__name__),
)
def test_an_event_is_recorded_and_nothing_asked_for_while_the_table_fails(
    stub: Stub, fault: Behavior, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise each copy would use the shared rate alone. Skips are counted, and logged with the reason."""
    stub.behave("UpdateItem", then=fault)
    with function(stub, **COUNTED, time_budget_milliseconds="1500") as take:
        answer = take(track())
        assert (answer["decision"], answer["rows"]) == ("recorded", {"interactions": 1})
        assert (answer["recommendation"], answer["write_back"]) == (f"failed: {why}", "")
        assert take.bodies("GetRecommendations") == []
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["recommendation"] for line in lines if "recommendation" in line] == [f"failed: {why}"]
        assert sum(line.get("RecommendationFailed", [0])[0] for line in lines) == 1
        stub.behave("UpdateItem", then=Ok())
        assert take(track(messageId="m-2"))["write_back"] == "sent"
