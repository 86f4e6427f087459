"""History is loaded into the profile table without overwriting newer values, whatever fails."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import read_csv, write_log
from personalize_emulator import Emulator
from personalize_segment.contract.rows import rows, text
from personalize_segment.contract.suppression import SuppressionList
from personalize_segment.errors import ProfilesError
from personalize_segment.history.export import export
from personalize_segment.history.profiles import SeedFiles
from personalize_segment.live import profile_load
from personalize_segment.live.deadline import Deadline
from personalize_segment.live.payloads import Known, ProfileRecord, merged, profile
from personalize_segment.live.profile_batch import Sender
from personalize_segment.live.profile_load import ATTEMPTS, Loader, load_all
from personalize_segment.live.profile_table import ProfileTable
from personalize_segment.live.record import message
from profile_world import (
    ARNS,
    FAULTS,
    MAPPING,
    NO_LIMITS,
    Client,
    Hook,
    KilledError,
    World,
    at,
    drawn,
    live_shop,
    refusal,
    seen,
)
from profiles import EARLY, LATE, NOON, SEQUENCES


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait."""
    monkeypatch.setattr(profile_load, "PAUSE_SECONDS", 0.0)


def nothing(number: int, name: str) -> None:
    """Do nothing."""


def loader(world: World, before: Hook = nothing, after: Hook = nothing, **more: Any) -> Loader:
    """Return a loader as a new process has it, with hooks around its calls."""
    client: Any = Client(world, before, after)
    return Loader(ProfileTable(client, "profiles"), client, "queue", lambda: None, **more)


def exported(*observations: ProfileRecord) -> list[tuple[str, dict[str, Known]]]:
    """Return an export's profiles of all users and of all items."""
    found: dict[str, dict[str, Known]] = {"users": {}, "items": {}}
    for one in observations:
        found[one.dataset][one.id] = merged(found[one.dataset].get(one.id, {}), one.known)
    return [(dataset, known) for dataset, known in found.items() if known]


def load(world: World, *observations: ProfileRecord, **more: Any) -> dict[str, int]:
    """Load an export of these observations and return the counts that aren't 0."""
    world.history += observations
    found = load_all(loader(world, **more), ((batch, 0) for batch in exported(*observations)))
    return {outcome: number for outcome, number in found.items() if number}


def test_the_first_partial_event_keeps_what_history_knew() -> None:
    world = World(seen("u", 3, PLAN="pro"))
    assert load(world, seen("u", 1, PLAN="free", COUNTRY="DE"), seen("u", 2, GENDER="f")) == {"written": 1}
    assert "told" not in world.items["users#u"]
    assert world.told == {}
    world.settle()
    assert world.told == {"users#u": '{"country":"DE","gender":"f","plan":"pro"}'}
    world.check()


def test_older_history_takes_nothing_newer_away() -> None:
    world = World(seen("u", 5, PLAN="pro"), seen("u", 7, COUNTRY="DE"))
    world.settle()
    assert load(world, seen("u", 5, PLAN="free", COUNTRY="FR")) == {"unchanged": 1}
    # The same instant: the greater text, as everywhere.
    assert load(world, seen("u", 5, PLAN="qro")) == {"queued": 1}
    world.settle()
    assert world.told == {"users#u": '{"country":"DE","plan":"qro"}'}
    world.check()


def test_what_personalize_was_sent_is_sent_again_with_what_history_adds() -> None:
    """A row of PutUsers outlives each import: without this Personalize would never know the country."""
    world = World(seen("u", 5, PLAN="pro"))
    world.settle()
    assert load(world, seen("u", 1, COUNTRY="DE"), seen("u", 2, GENDER="f")) == {"queued": 1}
    assert [json.loads(body)[3:] for body in world.sent] == [[{"COUNTRY": "DE"}, [1, "5"]], [{"GENDER": "f"}, [2, "5"]]]
    world.settle()
    assert world.told == {"users#u": '{"country":"DE","gender":"f","plan":"pro"}'}
    world.check()


def test_newer_instants_alone_are_written_and_not_sent() -> None:
    world = World(seen("u", 5, PLAN="pro"))
    world.settle()
    world.earlier.clear()  # in the version before, it was on its way
    assert load(world, seen("u", 9, PLAN="pro")) == {"written": 1}
    assert (world.sent, len(world.puts)) == ([], 1)
    world.observations.append(seen("u", 8, PLAN="old"))
    world.queue["late"] = message(world.observations[-1])
    world.settle()
    assert len(world.puts) == 1
    world.check()


def test_while_a_row_may_be_on_its_way_the_loader_writes_nothing() -> None:
    world = World(seen("u", 5, PLAN="pro"))
    with suppress(KilledError):
        world.deliver(world.consumer(after=at(3, KilledError())))
    assert "telling" in world.items["users#u"]
    assert load(world, seen("u", 1, COUNTRY="DE")) == {"queued": 1}
    world.settle()
    world.check()


def test_a_second_time_nothing_is_written() -> None:
    observations = drawn(random.Random(3), 40)
    world = World()
    first = load(world, *observations)
    calls: list[str] = []
    again = load(world, *observations, after=lambda number, name: calls.append(name))
    assert again == {"unchanged": sum(first.values())}
    assert set(calls) == {"BatchGetItem"}


def test_a_dry_run_counts_and_changes_nothing() -> None:
    world = World(seen("u", 5, PLAN="pro"))
    world.settle()
    items = dict(world.items)
    calls: list[str] = []
    counts = load(
        world, seen("u", 1, COUNTRY="DE"), seen("v", 1, COUNTRY="DE"), dry_run=True,
        after=lambda number, name: calls.append(name),
    )  # fmt: skip
    assert (counts, calls, world.items) == ({"queued": 1, "written": 1}, ["BatchGetItem"], items)


def test_who_is_on_the_suppression_list_is_not_loaded() -> None:
    gone = SuppressionList("0" * 32).plus(["u"])
    world = World()
    counts = load(
        world, seen("u", 1, PLAN="a"), seen("v", 1, PLAN="a"), ProfileRecord("items", "u", {"PRICE": 1.0}, (1, "")),
        suppressed=lambda: gone,
    )  # fmt: skip
    assert (counts, sorted(world.items)) == ({"written": 2, "suppressed": 1}, ["items#u", "users#v"])


def test_a_row_that_no_call_takes_is_left_out() -> None:
    """It would let every later event of the user be rejected."""
    world = World(seen("u", 3, GENDER="f"))
    assert load(world, seen("u", 1, PLAN="x" * 13_000, COUNTRY="y" * 13_000)) == {"too_long": 1}
    assert world.items == {}
    world.settle()
    assert world.told == {"users#u": '{"gender":"f"}'}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_load_that_fails_at_any_call_is_finished_by_the_next(fault: str, when: str) -> None:
    history = [seen("u", 1, COUNTRY="DE"), seen("v", 1, PLAN="a"), ProfileRecord("items", "i", {"PRICE": 1.5}, (1, ""))]
    for number in range(1, 7):
        world = World(seen("u", 5, PLAN="pro"))
        world.settle()
        with suppress(KilledError, ProfilesError):
            load(world, *history, **{when: at(number, FAULTS[fault]())})
        world.history.clear()
        load(world, *history)
        world.settle()
        world.check()


def test_throttled_writes_are_tried_again_and_then_told() -> None:
    world = World()
    refused: list[int] = []

    def busy(number: int, name: str) -> None:
        if name == "PutItem" and len(refused) < 3:
            refused.append(number)
            raise refusal("ProvisionedThroughputExceededException")

    assert load(world, seen("u", 1, PLAN="a"), seen("v", 1, PLAN="a"), before=busy) == {"written": 2}
    assert len(refused) == 3

    def always(number: int, name: str) -> None:
        if name == "PutItem":
            refused.append(number)
            raise refusal("ThrottlingException")

    with pytest.raises(ProfilesError, match="profiles: is throttled or modified concurrently"):
        load(world, seen("w", 1, PLAN="a"), before=always)
    assert len(refused) == 3 + ATTEMPTS


@pytest.mark.parametrize(
    ("operation", "place"),
    [("BatchGetItem", "profiles"), ("PutItem", "profiles"), ("SendMessageBatch", "queue")],
)
def test_what_aws_refuses_is_said_with_its_operation(operation: str, place: str) -> None:
    world = World(seen("u", 5, PLAN="pro"))
    world.settle()

    def refuse(number: int, name: str) -> None:
        if name == operation:
            raise refusal("AccessDeniedException")

    said = rf"{place}: {operation} failed \(AccessDeniedException\)\. Check"
    with pytest.raises(ProfilesError, match=said) as caught:
        load(world, seen("u", 1, COUNTRY="DE"), seen("v", 1, PLAN="a"), before=refuse)
    assert "permissions" in caught.value.remedy


@pytest.mark.parametrize("seed", range(40))
def test_loads_and_consumers_that_fail_at_random_end_with_what_was_said(seed: int) -> None:
    chance = random.Random(seed)
    observations = drawn(chance, 24)
    world = World(*observations[:12])
    known = exported(*observations[12:], *chance.sample(observations[:12], 4))
    world.history = observations[12:]
    running: set[str] = set()

    def work(depth: int) -> None:
        def hook(number: int, name: str) -> None:
            if depth < 3 and chance.random() < 0.15:
                work(depth + 1)
            if chance.random() < 0.08:
                raise chance.choice([*FAULTS.values()])()

        names = chance.sample(sorted(world.queue.keys() - running), min(len(world.queue.keys() - running), 3))
        running.update(names)
        with suppress(KilledError, ProfilesError):
            if not names or chance.random() < 0.4:
                loader(world, hook, hook).load(chance.choice(known))
            else:
                world.deliver(world.consumer(hook, hook), *names)
        running.difference_update(names)

    for _ in range(12):
        work(0)
    for batch in known:
        loader(world).load(batch)
    world.settle()
    world.check()


TRAITS = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["a", "b", "é|😀", "", None, ["a"]]),
        "country": st.sampled_from(["DE", "FR", 5, None]),
        "gender": st.sampled_from(["f", 'say "x"', "\\"]),
    },
)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "price": st.sampled_from([1, 1.5, "19.99", 1e20, "1,299", None]),
        "category": st.sampled_from(["Tea", ["Tea", "Gifts"], []]),
        "brand": st.sampled_from(["Hasbro", None]),
    },
)
INSTANTS = st.sampled_from([EARLY, NOON, LATE, "2024-03-01T12:00:00.50Z", "2038-01-19T03:14:08Z", None, "yesterday"])
DRAWN = st.lists(
    st.one_of(
        st.tuples(st.just("identify"), st.sampled_from(["u", "v"]), TRAITS, INSTANTS),
        st.tuples(st.just("track"), st.sampled_from(["i", "j"]), PROPERTIES, INSTANTS),
    ),
    min_size=1,
    max_size=12,
)


#: Without an interaction nothing is exported.
ITEM = next(one for one in SEQUENCES if one.dataset == "items")


def logged(log: list[Any]) -> list[dict[str, Any]]:
    """Return drawn events as Segment sends them."""
    made = []
    for number, (call, name, values, timestamp) in enumerate(log):
        body = {"userId": name, "traits": values}
        if call == "track":
            body = {"event": "Product Viewed", "properties": {"product_id": name, **values}}
        common = {"type": call, "messageId": str(number), "receivedAt": "2024-03-02T00:00:00Z"}
        made.append(common | body | ({} if timestamp is None else {"timestamp": timestamp}))
    return made


def agree(shop: Emulator, log: list[dict[str, Any]], chance: random.Random, folder: Path) -> None:
    """Play the events in any order, and see that table, datasets and export have the same profiles."""
    bodies = [
        message(record)
        for one in log
        for row in rows(MAPPING, one)[0]
        if row.dataset.name != "interactions" and isinstance(record := profile(row), ProfileRecord) and record.columns
    ]
    bodies += chance.sample(bodies, len(bodies) // 3)
    chance.shuffle(bodies)
    dynamodb = boto3.client("dynamodb")
    table = ProfileTable(dynamodb, "profiles")
    while bodies:
        sender = Sender(boto3.client("personalize-events"), ARNS, MAPPING, table, NO_LIMITS)
        size = chance.randint(1, 4)
        assert sender.send({str(number): body for number, body in enumerate(bodies[:size])}, Deadline(60)).failed == []
        bodies = bodies[size:]
    write_log(folder / "logs" / "1.json", [json.dumps(one).encode() for one in log])
    export(str(folder / "logs"), str(folder / "out"), MAPPING)
    seeds = [(dataset, known) for dataset, known, _ in SeedFiles(str(folder / "out")).batches(100)]
    # The export knows of nothing that the table doesn't have, with the same instant, and the other way round.
    held = Loader(table, boto3.client("sqs"), "none", lambda: None)
    counts = load_all(held, ((one, 0) for one in seeds))
    total = sum(len(known) for _, known in seeds)
    assert (counts["unchanged"], sum(counts.values())) == (total, total)
    for dataset, known in seeds:
        stored = table.read(dataset, list(known))
        for name, columns in known.items():
            assert stored[name].columns.keys() == columns.keys()
            assert [text(cell[0]) for cell in stored[name].columns.values()] == [
                text(columns[column][0]) for column in stored[name].columns
            ]
    assert len(dynamodb.scan(TableName="profiles")["Items"]) == total
    for dataset, arn in ARNS.items():
        told = shop._stores["us-east-1"].profiles[arn]
        for header, lines in read_csv(folder / "out" / dataset):
            for line in lines:
                found = told.get(line[0]) or {}
                assert [text(found.get(column)) for column in header[1:]] == list(line[1:])


@pytest.fixture
def shop(personalize: Emulator) -> Iterator[Emulator]:
    """Yield an emulator with the datasets of the default mapping, next to a table of profiles."""
    with live_shop(personalize):
        yield personalize


def test_table_personalize_and_export_end_with_equal_profiles(shop: Emulator, tmp_path: Path) -> None:
    log = [one for sequence in SEQUENCES for one in sequence.log()]
    agree(shop, log, random.Random(1), tmp_path)


def forgetting(shop: Emulator) -> None:
    """Empty the table and the datasets."""
    dynamodb = boto3.client("dynamodb")
    for item in dynamodb.scan(TableName="profiles")["Items"]:
        dynamodb.delete_item(TableName="profiles", Key={"id": item["id"]})
    for arn in ARNS.values():
        shop._stores["us-east-1"].profiles[arn].streamed.clear()


def test_drawn_events_end_with_equal_profiles(shop: Emulator, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=12)
    @given(DRAWN, st.randoms(use_true_random=False))
    def play(log: list[Any], chance: random.Random) -> None:
        forgetting(shop)
        agree(shop, [*logged(log), *ITEM.log()], chance, tmp_path_factory.mktemp("drawn"))

    play()
