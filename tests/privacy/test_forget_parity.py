"""Both engines omit and count the same rows of suppressed users, for any logs."""

import json
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import awkward
import engines
from engines import Outcome, python_rows, write_log
from personalize_segment.contract.columns import VISITORS
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.contract.suppression import SuppressionList, empty
from personalize_segment.contract.visitors import NEVER_LOGGED_IN
from personalize_segment.history.export import export
from personalize_segment.history.logs import Window
from visits import visitors

#: Folder, mapping, window and list -> outcome.
Engine = Callable[[Path, EventMapping, Window | None, SuppressionList | None], Outcome]
MAPPING = parse(default_text())
#: A mapping whose ids can be any string that `awkward` makes.
ANY_ID = parse(
    json.dumps(
        {
            "version": 1,
            "interactions": {
                "fields": {
                    "USER_ID": {"from": ["properties.user", "properties.value", "userId"]},
                    "ITEM_ID": {"from": ["properties.sku"]},
                    "TIMESTAMP": {"from": ["timestamp"]},
                },
                "track": {
                    "Viewed": {},
                    "Bought": {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku", "."]}}},
                },
            },
            "users": {
                "fields": {
                    "USER_ID": {"from": ["properties.user", "userId"]},
                    "PLAN": {"from": ["traits.sku"], "type": "string", "optional": True},
                },
                "track": {"Viewed": {}},
            },
            "items": {
                "fields": {
                    "ITEM_ID": {"from": ["properties.sku"]},
                    "USER_ID": {"from": ["userId"], "type": "string", "optional": True},
                },
                "track": {"Viewed": {}},
            },
        }
    )
)  # fmt: skip


def duckdb_rows(
    folder: Path, mapping: EventMapping, window: Window | None, suppressed: SuppressionList | None
) -> Outcome:
    """Return the local engine's outcome."""
    return engines._written(
        lambda out: export(str(folder), out, mapping, window=window, suppressed=suppressed), folder, mapping
    )


@pytest.fixture(params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return an engine to compare with the reference, including Spark where it decides itself."""
    if request.param == "duckdb":
        return duckdb_rows
    spark: SparkSession = request.getfixturevalue("spark")
    run = partial(engines.glue_script().run, driver_events=0)

    def spark_rows(
        folder: Path, mapping: EventMapping, window: Window | None, suppressed: SuppressionList | None
    ) -> Outcome:
        return engines._written(
            lambda out: run(spark, str(folder), out, mapping, window or Window(), suppressed), folder, mapping
        )

    return spark_rows


def users_of(found: Outcome) -> set[str]:
    """Return all users with a row."""
    return {row[0] for name in ("interactions", "users") for row in found.rows[name]}


@cache
def reference(shop: Path, window: Window | None) -> tuple[Outcome, set[str], SuppressionList, Outcome]:
    """Return the reference's outcome, a third of its users, a list of them, and the outcome with the list."""
    everybody = python_rows(shop, MAPPING, window, None)
    some = set(sorted(users_of(everybody))[::3])
    suppressed = empty().plus(some)
    return everybody, some, suppressed, python_rows(shop, MAPPING, window, suppressed)


@pytest.mark.parametrize("window", [None, Window(date(2024, 3, 3), None, overlap=2)], ids=["all", "overlap"])
def test_the_rows_of_suppressed_users_are_left_out_and_counted(
    engine: Engine, window: Window | None, shop: Path
) -> None:
    everybody, some, suppressed, expected = reference(shop, window)
    found = engine(shop, MAPPING, window, suppressed)
    assert found == expected
    assert not users_of(found) & some
    assert found.rows["items"] == everybody.rows["items"]
    assert found.report
    assert everybody.report
    for name in ("interactions", "users"):
        here, before = found.report["datasets"][name], everybody.report["datasets"][name]
        reasons = [one for one in found.report["reasons"] if one["dataset"] == name]
        assert here["refused"] == sum(one["count"] for one in reasons)
        # Other reasons decrease, except for visits of a suppressed user, which have no user again.
        others = ("suppressed", NEVER_LOGGED_IN)
        assert (
            sum(one["count"] for one in reasons if one["reason"] not in others) <= before["refused"] < here["refused"]
        )
        kinds = ("rows", "deduplicated", "refused")
        assert sum(here[kind] for kind in kinds) == sum(before[kind] for kind in kinds)


def test_without_a_dataset_of_users_each_event_of_a_suppressed_user_counts_once(engine: Engine, tmp_path: Path) -> None:
    mapping = parse(json.dumps({key: value for key, value in json.loads(MAPPING.text).items() if key != "users"}))
    write_log(tmp_path / "1.json", [*(event(str(number), "a") for number in range(5)), event("6", "b")])
    found = engine(tmp_path, mapping, None, empty().plus(["a"]))
    assert found == python_rows(tmp_path, mapping, None, empty().plus(["a"]))
    assert found.report
    assert found.report["datasets"]["interactions"]["refused"] == 5


def test_a_list_of_nobody_changes_nothing(engine: Engine, shop: Path) -> None:
    assert engine(shop, MAPPING, None, empty()) == reference(shop, None)[0]


def event(message: str, user: object, **changes: object) -> bytes:
    """Return the line of a view."""
    body = {"type": "track", "event": "Product Viewed", "messageId": message, "userId": user,
            "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": "p"}}  # fmt: skip
    return json.dumps(body | changes).encode()


@pytest.mark.parametrize(
    ("user", "written"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param(42, "42", id="an integer is its decimal text"),
        pytest.param(" a ", " a ", id="spaces count"),
        pytest.param('say "a", b\\', 'say "a", b\\', id="quotes, commas and backslashes"),
        pytest.param("e\u0301 😀", "e\u0301 😀", id="beyond ASCII"),
        pytest.param("😀" * 256, "😀" * 256, id="as long as can be"),
    ],
)
def test_whoever_is_meant_is_found_by_the_text_of_the_id(user: object, written: str, tmp_path: Path) -> None:
    write_log(tmp_path / "1.json", [event("1", user), event("2", "other"), event("3", "Plain")])
    found = duckdb_rows(tmp_path, MAPPING, None, empty().plus([written]))
    assert users_of(found) == {"other", "Plain"}


def test_a_copy_of_an_event_by_another_user_stays(tmp_path: Path) -> None:
    # The copy that sorts first is suppressed; it must not take the other with it.
    write_log(tmp_path / "1.json", [event("1", "a"), event("1", "b")])
    assert users_of(duckdb_rows(tmp_path, MAPPING, None, empty().plus(["a"]))) == {"b"}


def test_a_suppressed_copy_in_the_overlap_takes_nobody_with_it(tmp_path: Path) -> None:
    write_log(tmp_path / "source" / "1709251200000" / "1.gz", [event("1", "a")])
    write_log(tmp_path / "source" / "1709337600000" / "1.gz", [event("1", "b"), event("2", "a")])
    found = duckdb_rows(tmp_path, MAPPING, Window(date(2024, 3, 2)), empty().plus(["a"]))
    assert users_of(found) == {"b"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [("stitch", [("b", "2"), ("b", "4"), ("b", "5")]), ("as_users", [("b", "2"), ("b", "4"), ("b", "5"), ("d", "6")])],
)
def test_the_visits_of_a_suppressed_user_are_not_theirs_again(
    engine: Engine, value: str, kept: list[tuple[str, str]], tmp_path: Path
) -> None:
    def at(second: int, session: str, user: str | None) -> bytes:
        properties = {"product_id": str(second)}
        timestamp = f"2024-03-01T00:00:0{second}Z"
        return event(f"m{second}", user, anonymousId=session, timestamp=timestamp, properties=properties)

    # User a has a device shared with b and two others. The session of one is on the list, too.
    log = [at(1, "c", None), at(3, "c", "a"), at(2, "s", None), at(7, "s", "a"), at(4, "s", "b"), at(5, "s", None)]
    write_log(tmp_path / "1.json", [*log, at(6, "d", None), at(8, "d", "a")])
    suppressed = empty().plus(["a", "c"])
    found = engine(tmp_path, visitors(value), None, suppressed)
    assert found == python_rows(tmp_path, visitors(value), None, suppressed)
    assert [row[:2] for row in found.rows["interactions"]] == kept


def test_an_item_with_the_id_of_a_suppressed_user_stays(tmp_path: Path) -> None:
    write_log(tmp_path / "1.json", [event(one, one, event="Viewed", properties={"sku": one}) for one in ("a", "b")])
    found = duckdb_rows(tmp_path, ANY_ID, None, empty().plus(["a"]))
    assert users_of(found) == {"b"}
    assert [row[0] for row in found.rows["items"]] == ["a", "b"]


def test_where_all_are_suppressed_nothing_is_written(engine: Engine, tmp_path: Path) -> None:
    write_log(tmp_path / "1.json", [event("1", "a", type="identify", traits={})])
    assert engine(tmp_path, MAPPING, None, empty().plus(["a"])).report is None


def test_no_message_of_a_suppressed_user_is_an_example(engine: Engine, tmp_path: Path) -> None:
    def bought(message: str, products: object) -> bytes:
        return event(message, "gone", event="Order Completed", properties={"products": products})

    of_theirs = [
        event("0-item", "gone", properties={}),
        event("0-time", "gone", timestamp=None),
        event("0-rule", "gone", event="Unknown"),
        bought("0-none", None),
        bought("0-some", [{"product_id": "p"}, {}, 7]),
        bought("0-many", [{"product_id": "p"}] * 501),
        event("0-visit", None, anonymousId="phone", timestamp="2024-03-01T00:00:00Z"),
        event("0-login", "gone", anonymousId="phone"),
        event("0-null", "gone", event="Product Viewed", properties={"product_id": "p", "price": "dear"}),
    ]
    write_log(tmp_path / "1.json", [*of_theirs, event("1", "a", properties={}), event("2", "a")])
    suppressed = empty().plus(["gone"])
    found = engine(tmp_path, MAPPING, None, suppressed)
    assert found == python_rows(tmp_path, MAPPING, None, suppressed)
    assert found.report
    told = {
        (one["event"], one["dataset"], one["field"], one["reason"]): (one["count"], one["example"])
        for one in (*found.report["reasons"], *found.report["unusable"])
    }
    assert {key: value for key, value in told.items() if key[1] == "interactions"} == {
        ("Order Completed", "interactions", "USER_ID", "suppressed"): (1 + 3 + 501, None),
        ("Product Viewed", "interactions", "USER_ID", "suppressed"): (4, None),
        ("Product Viewed", "interactions", "USER_ID", NEVER_LOGGED_IN): (1, None),
        ("Product Viewed", "interactions", "ITEM_ID", "missing"): (1, "1"),
    }
    assert told["Unknown", None, None, "no rule for this event"] == (1, None)
    assert {value[1] for key, value in told.items() if key[1] == "items"} == {None}


identities = st.sampled_from(["u1", "u2", "u3", "a1", "s1", "s2", "0", "2147483647", *awkward.STRINGS])


def test_random_events_and_lists_are_alike(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=15 if engine is duckdb_rows else 2)
    @given(awkward.logs, awkward.logs, st.sets(identities, max_size=12), st.sampled_from(VISITORS))
    def check(log: list[bytes], old: list[bytes], users: set[str], value: str) -> None:
        folder = tmp_path_factory.mktemp("random")
        write_log(folder / "source" / "1709251200000" / "1.gz", old)
        write_log(folder / "source" / "1709337600000" / "1.gz", log)
        suppressed = empty().plus(users)
        window = Window(date(2024, 3, 2), None)
        mapping = visitors(value, ANY_ID.text)
        expected = python_rows(folder, mapping, window, suppressed)
        assert engine(folder, mapping, window, suppressed) == expected
        assert not users_of(expected) & users

    check()
