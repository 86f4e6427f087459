"""`personalize-segment preflight`: each check on an export that fails only that check, and the command's output."""

import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from personalize_segment.cli import load
from personalize_segment.cli import preflight as command
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.visitors import NEVER_LOGGED_IN
from personalize_segment.history.export import export
from personalize_segment.preflight import PreflightError, preflight
from personalize_segment.preflight.figures import Activity, TrainingEvents
from personalize_segment.preflight.tables import MAX_ERRORS
from personalize_segment.preflight.verdict import Check, percent, size, visible

DAY = 86_400
#: Noon of 2024-03-21 UTC.
NOW = 1_711_022_400
MAPPING = parse(
    json.dumps(
        {
            "version": 1,
            "interactions": {
                "fields": {
                    "USER_ID": {"from": ["userId"]},
                    "ITEM_ID": {"from": ["properties.sku"]},
                    "TIMESTAMP": {"from": ["timestamp"]},
                    "DEVICE": {
                        "from": ["context.device.type"],
                        "type": "string",
                        "categorical": True,
                        "optional": True,
                    },
                },
                "track": {"Viewed": {"event_type": "View"}, "Bought": {"event_type": "Purchase"}},
            },
            "users": {
                "fields": {
                    "USER_ID": {"from": ["userId"]},
                    "PLAN": {"from": ["traits.plan"], "type": "string", "categorical": True, "optional": True},
                }
            },
            "items": {
                "fields": {
                    "ITEM_ID": {"from": ["properties.sku"]},
                    "PRICE": {"from": ["properties.price"], "type": "float", "optional": True},
                },
                "track": {"Viewed": {}},
            },
        }
    )
)
COLUMNS = {one.name: [column.name for column in one.columns] for one in MAPPING.datasets}
USER, ITEM, TIME, TYPE, DEVICE = range(5)


@dataclass
class Data:
    """The rows of a valid but small export, for tests to change."""

    interactions: list[list[str]] = field(default_factory=list)
    users: list[list[str]] = field(default_factory=list)
    items: list[list[str]] = field(default_factory=list)
    headers: dict[str, list[str]] = field(default_factory=lambda: {name: list(one) for name, one in COLUMNS.items()})
    report: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def sound(cls, interactions: int = 1200, users: int = 60, items: int = 40, days: int = 20) -> "Data":
        """Return data over so many days until NOW, every user with every item in turn."""
        data = cls()
        for n in range(interactions):
            time = NOW - n * days * DAY // interactions
            data.interactions.append(
                [
                    f"u{n % users}",
                    f"i{n * 7 % items}",
                    str(time),
                    "View" if n % 7 else "Purchase",
                    ("ios", "web")[n % 2],
                ]
            )
        data.users = [[f"u{n}", ("free", "pro")[n % 2]] for n in range(users)]
        data.items = [[f"i{n}", f"{n}.5"] for n in range(items)]
        data.report = {
            "mapping_sha256": MAPPING.sha256,
            "files": {"read": 1, "skipped": [], "damaged": []},
            "events": {"read": interactions, "unmapped": 0, "overlap": 0},
            "lines": {"malformed": 0},
            "datasets": {},
            "reasons": [],
        }
        return data

    def each(self, column: int, text: str, every: int = 1) -> None:
        """Give a column of interactions this text in every so many rows."""
        for row in self.interactions[::every]:
            row[column] = text

    def refused(self, count: int, field_: str, reason: str) -> None:
        """Set these values in the report's interactions."""
        self.report["datasets"]["interactions"] = {"rows": 1200, "deduplicated": 0, "refused": count}
        one = {"call": "track", "event": "Viewed", "dataset": "interactions", "field": field_, "reason": reason}
        self.report["reasons"] = [one | {"count": count, "example": None}]

    def write(self, folder: Path) -> str:
        """Write the export, with a matching report unless the test sets one, and return its place."""
        for name in COLUMNS:
            rows = getattr(self, name)
            if self.report:
                self.report["datasets"].setdefault(name, {"rows": len(rows), "deduplicated": 0, "refused": 0})
            (folder / name).mkdir(parents=True, exist_ok=True)
            with (folder / name / "part-00000.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([self.headers[name], *rows])
        if self.report:
            (folder / "report.json").write_text(json.dumps(self.report))
        return str(folder)


def checks(out: str) -> dict[str, Check]:
    """Return the checks of an export by their ids."""
    return {one.id: one for one in preflight(out, MAPPING, now=NOW).checks}


def test_an_export_with_nothing_wrong_is_green_in_every_check(tmp_path: Path) -> None:
    result = preflight(Data.sound(50_000, 1000, 400).write(tmp_path), MAPPING, now=NOW)
    assert [(one.id, one.said) for one in result.checks if one.verdict != "green" or one.remedy] == []
    assert result.verdict == "green"
    assert result.counted == {"green": len(result.checks), "yellow": 0, "red": 0}


def test_a_small_one_is_yellow_for_its_size_alone(tmp_path: Path) -> None:
    found = checks(Data.sound().write(tmp_path))
    assert {name: one.value for name, one in found.items() if one.verdict == "yellow"} == {
        "interactions": 1200,
        "returning-users": 60,
    }
    assert not [one for one in found.values() if one.verdict == "red"]


def few_interactions(data: Data) -> None:
    del data.interactions[999:]
    data.report["datasets"]["interactions"] = {"rows": 999, "deduplicated": 0, "refused": 0}


def identical_rows(data: Data) -> None:
    data.interactions[1000:] = data.interactions[:200]


def few_users_return(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[USER] = f"u{n % 24}" if n < 1100 else f"one-{n}"


def one_of_hundred_returns(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[USER] = "u0" if n < 2 else f"one-{n}"


def one_item(data: Data) -> None:
    data.each(ITEM, "i0")


def nine_types_and_a_column(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[TYPE] = f"Type {n % 9}"


def ten_types_and_a_column(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[TYPE] = f"Type {n % 10}"


def two_spellings(data: Data) -> None:
    data.each(TYPE, "view", 9)


def a_lost_row(data: Data) -> None:
    data.report["datasets"]["items"] = {"rows": 41, "deduplicated": 0, "refused": 0}


def no_report(data: Data) -> None:
    data.report = {}


def another_column(data: Data) -> None:
    data.headers["users"] = ["USER_ID", "TIER"]


def another_order(data: Data) -> None:
    data.headers["users"] = ["PLAN", "USER_ID"]


def a_byte_order_mark(data: Data) -> None:
    data.headers["users"][0] = "\ufeffUSER_ID"


def a_short_line(data: Data) -> None:
    data.interactions.append(["u1", "i1"])


def a_price_in_words(data: Data) -> None:
    data.items[3][1] = "cheap"


def a_price_of_infinity(data: Data) -> None:
    data.items[3][1] = "1e999"


def a_user_without_id(data: Data) -> None:
    data.interactions[5][USER] = ""


def a_long_category(data: Data) -> None:
    data.users[0][1] = "x" * 1001


def a_text_for_a_time(data: Data) -> None:
    data.interactions[5][TIME] = "2024-03-01T00:00:00Z"


def milliseconds(data: Data) -> None:
    data.interactions[5][TIME] += "000"


def before_1970(data: Data) -> None:
    data.interactions[5][TIME] = "-1"


def before_2000(data: Data) -> None:
    data.interactions[5][TIME] = "946684799"


def the_day_after_tomorrow(data: Data) -> None:
    data.interactions[5][TIME] = str(NOW + DAY + 1)


def within_a_day(data: Data) -> None:
    data.interactions[5][TIME] = str(NOW + DAY)


def user_id(text: str) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        data.interactions[5][USER] = text

    return change


def views_beside_clicks(data: Data) -> None:
    for before, after in zip(data.interactions[::10], data.interactions[1::10], strict=True):
        before[TYPE] = "View"
        after[:] = [*before[:TYPE], "Purchase", before[DEVICE]]


def a_user_twice(data: Data) -> None:
    data.users.append(["u0", "pro"])


def few_plans(data: Data) -> None:
    for row in data.users[:19]:
        row[1] = ""


def no_plan(data: Data) -> None:
    for row in data.users:
        row[1] = ""


def unusable(count: int, filled: int = 1200) -> Callable[[Data], None]:
    """Set the number of unusable devices in the report."""

    def change(data: Data) -> None:
        columns = {"DEVICE": {"filled": filled, "absent": 0, "unusable": count}}
        counts = {"rows": 1200, "deduplicated": 0, "refused": 0, "ahead": 0, "columns": columns}
        data.report["datasets"]["interactions"] = counts
        kind = {"call": "track", "event": "Viewed", "dataset": "interactions", "field": "DEVICE", "reason": "why"}
        data.report["unusable"] = [
            kind | {"count": count - 1, "example": "m2"},
            kind | {"event": "Bought", "count": 1, "example": "m1"},
        ]

    return change


def one_device(data: Data) -> None:
    data.each(DEVICE, "ios")


def a_device_each(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[DEVICE] = f"device {n}"


def another_mapping(data: Data) -> None:
    data.report["mapping_sha256"] = "0" * 64


def a_strange_type(data: Data) -> None:
    data.interactions[5][TYPE] = "Share"


def no_purchase(data: Data) -> None:
    data.each(TYPE, "View")


def unknown_items(data: Data) -> None:
    del data.items[:5]


def idle_users(data: Data) -> None:
    data.users += [[f"idle{n}", "pro"] for n in range(61)]


def anonymous(data: Data) -> None:
    data.refused(1201, "USER_ID", "missing")


#: The report's entry for an interaction without a user.
VISITOR = ("interactions", "USER_ID", NEVER_LOGGED_IN)


def never_logged_in(data: Data) -> None:
    data.refused(1201, "USER_ID", NEVER_LOGGED_IN)


def stitched(data: Data) -> None:
    data.report["datasets"]["interactions"] = {"rows": 1200, "deduplicated": 0, "refused": 0, "stitched": 300}


def refused(data: Data) -> None:
    data.refused(64, "ITEM_ID", "missing")


def unmapped(data: Data) -> None:
    data.report["events"] |= {"read": 100, "unmapped": 91}
    nothing = {"call": "page", "event": "Home", "dataset": None, "field": None, "reason": "no rule for this event"}
    data.report["reasons"] = [nothing | {"count": 91, "example": "m"}]


def unmapped_tracks(*named: tuple[str, int]) -> Callable[[Data], None]:
    """Set the number of events, of 1,000, that are tracked under a name without a rule."""

    def change(data: Data) -> None:
        data.report["events"] |= {"read": 1000, "unmapped": sum(count for _, count in named)}
        data.report["reasons"] = [
            {"call": "track", "event": name, "dataset": None, "field": None, "reason": "no rule for this event",
             "count": count, "example": "m"}
            for name, count in named
        ]  # fmt: skip

    return change


def a_damaged_log(data: Data) -> None:
    data.report["files"]["damaged"] = [{"file": "a.gz", "reason": "cut off"}]


def malformed_lines(data: Data) -> None:
    data.report["lines"]["malformed"] = 13


def two_weeks_less_a_day(data: Data) -> None:
    data.interactions = Data.sound(days=12).interactions


def a_month_ago(data: Data) -> None:
    for row in data.interactions:
        row[TIME] = str(int(row[TIME]) - 31 * DAY)


def days_without(count: int) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        for row in data.interactions:
            if int(row[TIME]) // DAY < NOW // DAY - 10:
                row[TIME] = str(int(row[TIME]) - count * DAY)

    return change


def a_wrong_clock(data: Data) -> None:
    data.interactions[5][TIME] = str(NOW - 300 * DAY)


def a_star(data: Data) -> None:
    for n, row in enumerate(data.interactions):
        row[ITEM] = "i0" if n % 8 else f"i{n}"


def items_seen_once(data: Data) -> None:
    for n, row in enumerate(data.interactions[:50]):
        row[ITEM] = f"once{n}"


def purchases_of_variants(data: Data) -> None:
    for row in data.interactions:
        if row[TYPE] == "Purchase":
            row[ITEM] += "-blue"


def few_purchases_of_variants(data: Data) -> None:
    purchases_of_variants(data)
    for n, row in enumerate(data.interactions):
        if row[TYPE] == "Purchase":
            row[ITEM] = f"blue-{n % 19}"


def a_robot(data: Data) -> None:
    data.interactions += [["robot", f"i{n % 40}", str(NOW - n), "View", "web"] for n in range(1000)]


def a_patient_robot(data: Data) -> None:
    sound = Data.sound(10_000, 2000)
    data.interactions, data.users = sound.interactions, sound.users
    data.interactions += [["robot", f"i{n % 40}", str(NOW - n * 1700), "View", "web"] for n in range(1000)]


@pytest.mark.parametrize(
    ("change", "check", "verdict", "value"),
    [
        (few_interactions, "interactions", "red", 999),
        (identical_rows, "interactions", "yellow", 1000),
        (few_users_return, "returning-users", "red", 24),
        (one_of_hundred_returns, "returning-share", "red", pytest.approx(1 / 1199, abs=1e-6)),
        (one_item, "items", "red", 40),
        (nine_types_and_a_column, "event-types", "green", 10),
        (ten_types_and_a_column, "event-types", "red", 11),
        (two_spellings, "event-types", "yellow", 4),
        (a_lost_row, "whole", "red", 1),
        (no_report, "whole", "yellow", None),
        (another_column, "headers", "red", 1),
        (another_order, "headers", "yellow", 1),
        (a_byte_order_mark, "headers", "yellow", 1),
        (a_short_line, "lines", "red", 1),
        (a_price_in_words, "types", "red", 1),
        (a_price_of_infinity, "types", "red", 1),
        (a_user_without_id, "types", "red", 1),
        (a_long_category, "types", "red", 1),
        (a_text_for_a_time, "types", "red", 1),
        (milliseconds, "timestamps", "red", 1),
        (before_1970, "timestamps", "red", 1),
        (before_2000, "timestamps", "yellow", 1),
        (the_day_after_tomorrow, "timestamps", "yellow", 1),
        (within_a_day, "timestamps", "green", 0),
        (user_id("x" * 257), "ids", "red", 1),
        (user_id("é" * 256), "ids", "green", 0),
        (user_id('say "a"'), "ids", "yellow", 1),
        (user_id("back\\slash"), "ids", "yellow", 1),
        (user_id(" u1"), "ids", "yellow", 1),
        (user_id("Undefined"), "ids", "yellow", 1),
        (user_id("zoe@example.com"), "ids", "yellow", 1),
        (identical_rows, "duplicates", "yellow", 200),
        (views_beside_clicks, "same-second", "yellow", 120),
        (a_user_twice, "repeated-ids", "yellow", 1),
        (few_plans, "nulls", "yellow", 1),
        (no_plan, "nulls", "yellow", 1),
        (unusable(63), "unusable", "green", 63),
        (unusable(64), "unusable", "yellow", 64),
        (one_device, "categories", "yellow", 1),
        (a_device_each, "categories", "yellow", 1),
        (another_mapping, "mapping", "yellow", "0" * 64),
        (a_strange_type, "gaps", "yellow", 1),
        (no_purchase, "gaps", "yellow", 1),
        (unknown_items, "known-items", "yellow", 0.875),
        (idle_users, "idle-users", "yellow", pytest.approx(61 / 121, abs=1e-6)),
        (anonymous, "anonymous", "yellow", 1201),
        (never_logged_in, "anonymous", "yellow", 1201),
        (never_logged_in, "refused", "green", 0),
        (stitched, "stitched", "green", 300),
        (refused, "refused", "yellow", 64),
        (refused, "anonymous", "green", 0),
        (anonymous, "refused", "green", 0),
        (unmapped, "unmapped", "yellow", 91),
        (unmapped_tracks(("Basket Add", 150), ("Checkout Done", 50)), "unmapped", "green", 200),
        (unmapped_tracks(("Basket Add", 150), ("Checkout Done", 51)), "unmapped", "yellow", 201),
        (unmapped_tracks(*((f"Rare {chr(65 + n)}", 49) for n in range(10))), "unmapped", "green", 490),
        (unmapped_tracks(("Viewedd", 1)), "unmapped", "yellow", 1),
        (a_damaged_log, "malformed", "yellow", 1),
        (malformed_lines, "malformed", "yellow", 13),
        (two_weeks_less_a_day, "span", "yellow", 13),
        (a_month_ago, "age", "yellow", 31),
        (days_without(2), "activity", "green", 2),
        (days_without(3), "activity", "yellow", 3),
        (a_wrong_clock, "clocks", "yellow", 1),
        (a_star, "long-tail", "yellow", 0.876667),
        (items_seen_once, "items-once", "yellow", 50),
        (purchases_of_variants, "viewed", "yellow", 0.0),
        (few_purchases_of_variants, "viewed", "green", 0.0),
        (a_robot, "crowds", "yellow", 1),
        (a_patient_robot, "crowds", "yellow", 0),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_check_finds_what_it_is_for(
    change: Callable[[Data], None], check: str, verdict: str, value: object, tmp_path: Path
) -> None:
    data = Data.sound()
    change(data)
    found = checks(data.write(tmp_path))[check]
    assert (found.verdict, found.value) == (verdict, value)
    assert bool(found.remedy) is (verdict != "green")


def test_an_unmapped_event_with_a_typo_is_told_before_frequent_ones(tmp_path: Path) -> None:
    data = Data.sound()
    unmapped_tracks(*((f"Rare {chr(65 + n)}", 49) for n in range(10)), ("viewd", 1), ("Viewedd", 2))(data)
    details = checks(data.write(tmp_path))["unmapped"].details
    assert details[0] == ("track Viewedd", '2, differs from "Viewed" in a letter')
    assert len(details) == 5


def test_values_that_are_no_numbers_come_with_how_to_send_one(tmp_path: Path) -> None:
    data = Data.sound()
    unusable(64)(data)
    other = checks(data.write(tmp_path / "other"))["unusable"].remedy
    data.report["unusable"][0]["reason"] = "not a finite number of 32 bits"
    told = checks(data.write(tmp_path / "number"))["unusable"].remedy
    assert told == f"{other} A number has no comma, currency or spaces: 12.50, not 12,50 €."


def test_unusable_values_are_told_with_column_reason_and_example(tmp_path: Path) -> None:
    data = Data.sound()
    unusable(2)(data)
    found = checks(data.write(tmp_path))
    assert found["unusable"].details == (("interactions.DEVICE", "2 values: why, such as in message m1"),)
    assert ("interactions.DEVICE", "100% filled, 2 values can't be used") in found["nulls"].details
    assert found["nulls"].verdict == "green"


def test_without_a_report_no_one_knows_which_values_can_not_be_used(tmp_path: Path) -> None:
    data = Data.sound()
    no_report(data)
    assert "unusable" not in checks(data.write(tmp_path))


@pytest.mark.parametrize(("bad", "verdict"), [(500, "yellow"), (250, "yellow"), (0, "green")])
def test_prices_that_are_no_numbers_are_not_ready_for_a_threshold(bad: int, verdict: str, tmp_path: Path) -> None:
    event = {"type": "track", "event": "Order Completed", "timestamp": "2024-03-20T12:00:00Z"}
    lines = [
        event
        | {"messageId": f"m{n:03}", "userId": f"u{n % 30}"}
        | {"properties": {"product_id": f"i{n}", "price": "1,299.00" if n < bad else "1299.00"}}
        for n in range(500)
    ]
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, lines)))
    mapping = parse(default_text())
    export(str(tmp_path / "a.json"), str(tmp_path / "out"), mapping)
    found = {one.id: one for one in preflight(str(tmp_path / "out"), mapping, now=NOW).checks}
    check = found["unusable"]
    assert (check.verdict, check.value) == (verdict, bad)
    if bad:
        assert "EVENT_VALUE threshold" in check.remedy
        said = f"{bad} values: not a finite number of 32 bits, such as in message m000"
        assert check.details == (("interactions.EVENT_VALUE", said),)
        blocked = 'See "Usable values"' in found["nulls"].remedy
        assert blocked is (bad == 500)


def test_a_column_that_no_header_has_is_told_and_nothing_else_falls_over(tmp_path: Path) -> None:
    data = Data.sound()
    data.headers["interactions"] = ["USER_ID", "ITEM_ID", "WHEN", "EVENT_TYPE", "DEVICE"]
    found = checks(data.write(tmp_path))
    assert found["headers"].details == (
        (str(tmp_path / "interactions" / "part-00000.csv"), "lacks TIMESTAMP; also has WHEN"),
    )
    assert (found["age"].verdict, found["age"].value) == ("yellow", None)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param('"USER_ID","PLAN"', "the header is in quotes", id="quotes"),
        pytest.param("USER_ID,PLAN,USER_ID", "has a duplicate column", id="a column twice"),
        pytest.param("USER_ID", "lacks PLAN", id="a column too few"),
        pytest.param("", "no header", id="an empty file"),
    ],
)
def test_a_header_that_an_import_refuses_is_red(header: str, said: str, tmp_path: Path) -> None:
    out = Data.sound().write(tmp_path)
    (tmp_path / "users" / "part-00001.csv").write_text(header)
    found = checks(out)["headers"]
    assert (found.verdict, found.details) == ("red", ((str(tmp_path / "users" / "part-00001.csv"), said),))


def test_an_empty_number_that_the_schema_requires_is_yellow_and_an_empty_text_is_red(tmp_path: Path) -> None:
    document = json.loads(MAPPING.text)
    document["items"]["fields"]["PRICE"]["optional"] = False
    document["users"]["fields"]["PLAN"]["optional"] = False
    data = Data.sound()
    data.items[0][1] = ""
    out = data.write(tmp_path)
    found = {one.id: one for one in preflight(out, parse(json.dumps(document)), now=NOW).checks}["types"]
    assert (found.verdict, found.details) == ("yellow", (("items.PRICE", "1 without a value"),))
    data.users[0][1] = ""
    data.write(tmp_path)
    found = {one.id: one for one in preflight(out, parse(json.dumps(document)), now=NOW).checks}["types"]
    assert (found.verdict, len(found.details)) == ("red", 2)


def test_where_there_is_too_little_nothing_false_is_said(tmp_path: Path) -> None:
    data = Data.sound(5, 5, 5)
    data.each(TIME, str(NOW))
    data.users = data.users[:2]
    found = checks(data.write(tmp_path))
    assert found["categories"].said == "Not enough rows to tell: no categorical column has 100 values."
    assert found["activity"].said == found["clocks"].said == "Not enough days to tell."


@pytest.mark.parametrize(
    ("events", "left", "returning"),
    [
        pytest.param((), 1201, 60, id="all"),
        pytest.param((("Purchase", None),), 173, 60, id="a type"),
        pytest.param((("View", None), ("Purchase", None)), 1201, 60, id="two types"),
        pytest.param((("Purchase", 5.0),), 86, 30, id="a threshold, which a value may be and nothing may not"),
        pytest.param((("Purchase", 5.0), ("View", 1.0)), 86, 30, id="a threshold of a type without values"),
        pytest.param((("Purchase", 5.5),), 0, 0, id="a threshold that is too high"),
    ],
)
def test_interactions_are_counted_behind_a_solution_s_events(
    events: tuple[tuple[str, float | None], ...], left: int, returning: int, tmp_path: Path
) -> None:
    document = json.loads(MAPPING.text)
    document["interactions"]["fields"]["EVENT_VALUE"] = {"from": ["properties.price"], "optional": True}
    data = Data.sound()
    data.headers["interactions"].insert(TYPE + 1, "EVENT_VALUE")
    bought = 0
    for row in data.interactions:
        bought += row[TYPE] == "Purchase"
        row.insert(TYPE + 1, "" if row[TYPE] == "View" else ("5.0", "4.99")[bought % 2])
    data.interactions.append(["", "i0", str(NOW), "Purchase", "", "ios"])
    training = TrainingEvents("for-you", events)
    found = preflight(data.write(tmp_path), parse(json.dumps(document)), now=NOW, trainings=[training])
    assert found.figures.trainings == (("for-you", left, returning),)
    (check,) = [one for one in found.checks if one.id == "training-for-you"]
    assert check.verdict == ("green" if left > 1000 else "red")
    assert check.value == left


def test_parts_are_read_by_their_own_headers(tmp_path: Path) -> None:
    out = Data.sound().write(tmp_path)
    (tmp_path / "interactions" / "part-00001.csv").write_text(f"ITEM_ID,TIMESTAMP,USER_ID\nnew item,{NOW},u0\n")
    figures = preflight(out, MAPPING, now=NOW).figures
    assert (figures.rows, figures.users, figures.items) == (1201, 60, 41)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        pytest.param(b"u1,i1,1,View,\n", 0, id="a row"),
        pytest.param(b"u1,i1,1,View\n", 1, id="too few values"),
        pytest.param(b"u1,i1,1,View,ios,x\n", 1, id="too many values"),
        pytest.param(b"\xff,i1,1,View,\n", 1, id="not UTF-8"),
        pytest.param(b'"u1,i1,1,View,\n', 1, id="a quote that stays open"),
        pytest.param(b"u1,i1,1,View\n" * (MAX_ERRORS + 5), MAX_ERRORS, id="no CSV at all"),
    ],
)
def test_lines_that_are_no_rows_are_counted(lines: bytes, count: int, tmp_path: Path) -> None:
    out = Data.sound().write(tmp_path)
    header = ",".join(COLUMNS["interactions"]).encode()
    (tmp_path / "interactions" / "part-00001.csv").write_bytes(header + b"\n" + lines)
    found = checks(out)["lines"]
    assert (found.value, "At least" in found.said) == (count, count == MAX_ERRORS)


def test_files_beside_the_parts_are_told_and_those_of_spark_are_not(tmp_path: Path) -> None:
    out = Data.sound().write(tmp_path)
    (tmp_path / "users" / "part-00001.csv.gz").write_bytes(gzip.compress(b"USER_ID,PLAN\n"))
    for name in ("_SUCCESS", ".part-00000.csv.crc"):
        (tmp_path / "users" / name).write_bytes(b"")
    assert checks(out)["files"].details == ((str(tmp_path / "users" / "part-00001.csv.gz"), ""),)


def test_a_dataset_that_was_not_exported_is_not_asked_for(tmp_path: Path) -> None:
    out = Data.sound().write(tmp_path)
    (tmp_path / "users" / "part-00000.csv").unlink()
    found = checks(out)
    assert not {"known-users", "idle-users", "size-users"} & set(found)
    assert found["whole"].details == (("users", "60 in the report, 0 found"),)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param(None, None, "no such folder", id="no folder"),
        pytest.param("users/part-0.csv", "USER_ID\n", "has no interactions/*.csv", id="no interactions"),
        pytest.param("report.json", "{", "isn't the report of an export", id="a report that isn't JSON"),
        pytest.param("report.json", "[]", "isn't the report of an export", id="a report that is an array"),
        pytest.param("report.json", '{"datasets": {}}', "isn't the report of an export", id="a report without keys"),
    ],
)
def test_what_is_no_export_is_an_error(name: str | None, text: str | None, problem: str, tmp_path: Path) -> None:
    if name == "report.json":
        Data.sound().write(tmp_path)
    if name and text:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(PreflightError) as raised:
        preflight(str(tmp_path if name else tmp_path / "none"), MAPPING)
    assert raised.value.problem == problem


def test_too_little_memory_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="Raise --memory"):
        preflight(Data.sound(20_000).write(tmp_path), MAPPING, memory="1MB")


@pytest.mark.parametrize("name", ["out[1]", "o?t1", "*", "it's out"])
def test_an_export_s_name_means_nothing(name: str, tmp_path: Path) -> None:
    Data.sound(1300).write(tmp_path / "out1")  # which the names would match
    assert preflight(Data.sound().write(tmp_path / name), MAPPING, now=NOW).figures.rows == 1200


def test_an_export_in_s3_gives_the_same_as_in_a_folder(tmp_path: Path, s3_env: str) -> None:
    out = Data.sound().write(tmp_path)
    for number in range(5):  # more parts than are fetched ahead
        (tmp_path / "users" / f"part-1000{number}.csv").write_text(f"USER_ID,PLAN\nmore{number},pro\n")
    local = preflight(out, MAPPING, now=NOW)
    s3 = boto3.client("s3")
    for file in (one for one in tmp_path.rglob("*") if one.is_file()):
        s3.upload_file(str(file), s3_env, f"a/b/{file.relative_to(tmp_path).as_posix()}")
    for place in (f"s3://{s3_env}/a/b", f"s3://{s3_env}/a/b/"):
        assert preflight(place, MAPPING, now=NOW).figures == local.figures


def test_a_bucket_that_is_not_there_is_an_error(s3_env: str) -> None:
    with pytest.raises(PreflightError, match="no such bucket"):
        preflight(f"s3://{s3_env}-not/a", MAPPING)


def test_what_an_export_writes_is_read_whole(shop: Path, tmp_path: Path) -> None:
    mapping = parse(default_text())
    report = export(str(shop), str(tmp_path / "out"), mapping)
    result = preflight(str(tmp_path / "out"), mapping)
    assert {name: one.rows for name, one in result.figures.datasets.items()} == {
        name: one.rows for name, one in report.datasets.items()
    }
    found = {one.id: one for one in result.checks}
    assert {one.verdict for one in found.values() if one.group == "Importable files"} == {"green"}
    assert found["mapping"].verdict == "green"
    anonymous = [number for kind, number, _ in report.reasons.sorted() if kind[2:] == VISITOR]
    assert found["anonymous"].value == sum(anonymous)
    assert found["stitched"].value == report.datasets["interactions"].stitched > 0


@pytest.mark.parametrize(
    ("days", "kept", "apart"),
    [
        pytest.param([], [], 0, id="nothing"),
        pytest.param([(5, 1)], [(5, 1)], 0, id="one day"),
        pytest.param([(1, 1), (30, 999)], [(30, 999)], 1, id="an early tail"),
        pytest.param([(1, 999), (30, 1)], [(1, 999)], 1, id="a late tail"),
        pytest.param([(1, 1), (30, 998), (60, 1)], [(30, 998)], 2, id="both"),
        pytest.param([(1, 1), (2, 1), (30, 998)], [(30, 998)], 2, id="a tail of two days"),
        pytest.param([(1, 1), (9, 1), (30, 998)], [(30, 998)], 2, id="two holes"),
        pytest.param([(1, 1), (8, 999)], [(1, 1), (8, 999)], 0, id="a hole too short"),
        pytest.param([(1, 1), (9, 999)], [(9, 999)], 1, id="a hole just long enough"),
        pytest.param([(1, 5), (30, 995)], [(30, 995)], 5, id="a tail just thin enough"),
        pytest.param([(1, 6), (30, 994)], [(1, 6), (30, 994)], 0, id="a tail too thick"),
    ],
)
def test_a_thin_tail_behind_a_hole_is_cut(days: list[Any], kept: list[Any], apart: int) -> None:
    assert Activity(tuple(days)).apart() == (Activity(tuple(kept)), apart)


@pytest.mark.parametrize(
    ("most", "width", "bins"),
    [
        pytest.param(9, 1, ((1, 1), (2, 2), (3, 0), (4, 0), (5, 5)), id="a day each"),
        pytest.param(4, 2, ((1, 3), (3, 0), (5, 5)), id="two days each"),
        pytest.param(1, 5, ((1, 8),), id="one bin"),
    ],
)
def test_days_are_put_into_so_many_bins(most: int, width: int, bins: Any) -> None:
    assert Activity(((1, 1), (2, 2), (5, 5))).binned(most) == (width, bins)
    assert Activity(()).binned(most) == (1, ())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 本 😀", "plain é 本 😀"),
        ("a\nb\x1b[31m", "a\\u{a}b\\u{1b}[31m"),
        ("\u202eabc", "\\u{202e}abc"),
        ("a\u2028b\ufeff", "a\\u{2028}b\\u{feff}"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("\x00" * 80, ("\\u{0}" * 80)[:79] + "…"),
    ],
)
def test_what_could_hide_or_steer_is_shown_as_what_it_is(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_numbers_are_said_as_people_say_them() -> None:
    shares = [percent(one) for one in (0, 0.0001, 0.25, 0.333, 0.9999, 1)]
    assert shares == ["0%", "under 0.1%", "25%", "33.3%", "over 99.9%", "100%"]
    assert [size(one) for one in (0, 999, 1500, 123_456_789, 5 * 10**12)] == [
        "0 bytes", "999 bytes", "1.5 kB", "123 MB", "5,000 GB",
    ]  # fmt: skip


def run(*arguments: str, **environment: str) -> Result:
    """Run the command. The clock is today's, so the newest interactions are old."""
    return CliRunner().invoke(load(), ["preflight", *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"} | environment)


@pytest.fixture
def mapping(tmp_path: Path) -> str:
    """Return the mapping's file."""
    (tmp_path / "mapping.json").write_text(MAPPING.text)
    return str(tmp_path / "mapping.json")


@pytest.mark.parametrize(("change", "status"), [(None, 0), (few_interactions, 1)], ids=["yellow", "red"])
def test_the_status_is_1_if_something_stops_the_training(
    change: Callable[[Data], None] | None, status: int, mapping: str, tmp_path: Path
) -> None:
    data = Data.sound()
    if change:
        change(data)
    done = run(data.write(tmp_path / "out"), "--mapping", mapping)
    assert (done.exit_code, done.stderr) == (status, "")
    assert (
        "Not ready: 1 problem prevents the import or the training" if change else "Ready to train, with"
    ) in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param([], 2, "OUT", id="no export"),
        pytest.param(["out", "--nothing"], 2, "--nothing", id="an option that isn't there"),
        pytest.param(["out", "--html", "no/such/page.html"], 1, "no such folder for the page", id="no folder"),
    ],
)
def test_misuse_is_told(arguments: list[str], status: int, said: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, said in done.stderr) == (status, True)


def test_the_verb_counts_what_each_solution_of_a_spec_trains_on(mapping: str, tmp_path: Path) -> None:
    solutions = {
        "all": {"recipe": "aws-user-personalization-v2"},
        "bought": {"recipe": "aws-user-personalization-v2", "events": [{"event_type": "Purchase"}]},
    }
    spec = {"version": 1, "name": "shop", "event_mapping": "mapping.json", "solutions": solutions}
    spec["datasets"] = {"interactions": {}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    out = Data.sound().write(tmp_path / "out")
    done = run(out, "--json", "--spec", str(tmp_path / "spec.json"))
    found = {one["id"]: (one["verdict"], one["value"]) for one in json.loads(done.stdout)["checks"]}
    assert (found["training-all"], found["training-bought"]) == (("green", 1200), ("red", 172))
    assert found["mapping"][0] == "green"
    assert done.exit_code == 1


def test_the_terminal_shows_what_to_do_and_no_escape_sequence_of_the_data(mapping: str, tmp_path: Path) -> None:
    data = Data.sound()
    data.each(TYPE, "\x1b[31mred[bold]", 50)
    said = run(data.write(tmp_path / "out"), "-m", mapping).stdout
    assert "\x1b" not in said
    said = " ".join(said.replace("│", " ").split())  # lines break where the terminal ends
    assert "\\u{1b}[31mred[bold] 24 interactions, but no rule" in said
    assert "→ Live events will never have these types" in said
    assert "activity" in said


def test_json_has_every_check_and_the_figures_behind_the_plots(mapping: str, tmp_path: Path) -> None:
    data = Data.sound()
    data.each(TYPE, "本", 50)
    out = data.write(tmp_path / "out")
    done = run(out, "--json", "-m", mapping)
    found = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert list(found) == [
        "version", "export", "mapping_sha256", "now", "verdict", "counted", "checks", "figures",
    ]  # fmt: skip
    assert (found["version"], found["export"], found["mapping_sha256"]) == (1, out, MAPPING.sha256)
    assert sum(found["counted"].values()) == len(found["checks"]) == len({one["id"] for one in found["checks"]})
    first = found["checks"][0]
    assert first == {
        "id": "interactions",
        "group": "Enough data",
        "title": "Interactions",
        "verdict": "yellow",
        "value": 1200,
        "unit": "interactions",
        "said": "1,200 unique interactions.",
        "limit": {
            "text": "at least 1,000 (recommended: 50,000)",
            "source": {
                "name": "Endpoints and quotas",
                "url": "https://docs.aws.amazon.com/personalize/latest/dg/limits.html",
            },
        },
        "remedy": first["remedy"],
        "details": [],
    }
    figures = found["figures"]
    assert figures["rows"] == {"interactions": 1200, "users": 60, "items": 40}
    assert {"name": "本", "interactions": 24} in figures["event_types"]
    assert sum(one["interactions"] for one in figures["activity"]["bins"]) == 1200
    assert figures["users_by_interactions"][-1] == {"from": 20, "to": 49, "users": 60}
    assert [one["percent"] for one in figures["top_items"]] == [1, 2, 5, 10, 20, 50]


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([0], " "), ([1], "█"), ([0, 1, 50, 100], " ▁▄█"), ([8, 7, 1], "█▇▁")],
)
def test_a_sparkline_shows_what_is_not_nothing(values: list[int], line: str) -> None:
    assert command.sparkline(values) == line
