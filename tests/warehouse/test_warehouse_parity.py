"""A warehouse produces the rows and counts of `rows()` for the same events.

Events are loaded like by Segment (warehouse_loader.py), and unmodified statements run (warehouse_engine.py).
test_warehouse_golden.py has the values that a warehouse loses.
"""

import gzip
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engines import write_log
from golden_cases import EXAMPLES
from personalize_segment import warehouse
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import TOO_LONG
from personalize_segment.history.logs import Window
from personalize_segment.history.sample import sample
from profiles import SEQUENCES, expected
from visits import SEQUENCES as VISITS
from visits import expected as expected_visits
from visits import visitors
from warehouse_alike import assert_alike
from warehouse_engine import ACCESS, connect, outcome, plan, unloaded
from warehouse_loader import Event, columns_file, load, stored

DEFAULT = parse(default_text())

dialects = pytest.mark.parametrize("dialect", list(ACCESS))


@dialects
def test_the_examples_of_segment_s_spec_are_alike(dialect: str, tmp_path: Path) -> None:
    events = [example["event"] for example in EXAMPLES]
    log = [json.dumps(event).encode() for event in events if stored(event) and event.get("messageId")]
    write_log(tmp_path / "1.json", log)
    assert len(assert_alike(dialect, WITHOUT_ID, tmp_path).rows["interactions"]) > 10


#: The default mapping without properties.id, which a warehouse discards.
WITHOUT_ID = parse(default_text().replace('"properties.id", ', ""))


@dialects
def test_sample_logs_are_alike(dialect: str, tmp_path: Path) -> None:
    logs = sample(tmp_path, 3000, days=3, seed=7)
    for file in logs.rglob("*.gz"):  # a column of numbers has no room for the texts that some prices are
        lines = gzip.decompress(file.read_bytes()).splitlines()
        write_log(file, [re.sub(rb'"price": ?"[^"]*"', b'"price": null', line) for line in lines])
    assert len(assert_alike(dialect, DEFAULT, logs).rows["interactions"]) > 1000


@dialects
@pytest.mark.parametrize(
    "window",
    [
        pytest.param(Window(date(2024, 3, 2), date(2024, 3, 3)), id="a day and its overlap"),
        pytest.param(Window(date(2024, 3, 2), None, 0), id="no overlap"),
        pytest.param(Window(None, date(2024, 3, 2)), id="until"),
        pytest.param(Window(date(2024, 3, 3), date(2024, 3, 4), 5), id="an overlap beyond the beginning"),
    ],
)
def test_windows_are_alike(dialect: str, window: Window, tmp_path: Path) -> None:
    # Copies of one message in several days, around midnight: folders and received_at name the same day.
    for number, day in enumerate([date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)]):
        midnight = (day - date(1970, 1, 1)) // timedelta(days=1) * 86_400_000
        log = [
            viewed(messageId=message, receivedAt=f"{day}T{clock}Z", properties={"product_id": f"p{item}"})
            for message, clock, item in (
                ("same", "00:00:00", number),
                ("same too", "00:00:00", 9 - number),
                (f"{number}-a", "23:59:59.999", number),
                (f"{number}-b", "12:00:00", number),
            )
        ]
        log.append(
            {
                "type": "identify", "userId": "u", "messageId": f"i{number}", "timestamp": "2024-03-01T00:00:00Z",
                "receivedAt": f"{day}T00:00:00Z", "traits": {"plan": f"{9 - number}"},
            }
        )  # fmt: skip
        write_log(tmp_path / "segment-logs" / "source" / str(midnight) / "1.gz", [json.dumps(e).encode() for e in log])
    found = assert_alike(dialect, DEFAULT, tmp_path / "segment-logs", window)
    assert found.rows["interactions"]
    assert len(found.rows["users"]) == 1


def viewed(**members: Any) -> Event:
    """Return a Product Viewed with other members."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": "m",
        "userId": "u1",
        "timestamp": "2024-03-01T12:00:00.250+01:00",
        "receivedAt": "2024-03-01T12:00:00Z",
        "properties": {"product_id": "p1"},
    } | members


@dialects
def test_several_sources_are_one_and_a_message_of_both_is_one_row(dialect: str) -> None:
    web = [viewed(messageId="1"), viewed(messageId="2")]
    app = [viewed(messageId="2"), viewed(messageId="3", userId="u2")]
    found, counts = unloaded(dialect, DEFAULT, {"web": web, "app": app})
    assert [row[0] for row in found["interactions"]] == ["u1", "u1", "u2"]
    written_by = {source: n for (d, source, *_, r), n in counts.items() if (d, r) == ("interactions", "written")}
    assert written_by == {"web": 2, "app": 1} or written_by == {"web": 1, "app": 2}


@dialects
def test_two_events_with_one_slug_are_told_apart_by_their_names(dialect: str) -> None:
    log = [
        viewed(messageId="1"),
        viewed(messageId="2", event="product viewed"),
        viewed(messageId="3", event="Product-Viewed"),
    ]
    found, counts = unloaded(dialect, DEFAULT, {"prod": log})
    assert [row[3] for row in found["interactions"]] == ["View"]
    unmapped = {event: n for (d, _, _, event, _, _), n in counts.items() if d is None}
    assert unmapped == {"product viewed": 1, "Product-Viewed": 1}


@dialects
def test_profiles_keep_the_latest_value_of_each_column(dialect: str) -> None:
    log = [event for sequence in SEQUENCES for event in sequence.log() if isinstance(event["timestamp"], str | None)]
    stored = [event | {"timestamp": None} if event["timestamp"] == "yesterday" else event for event in log]
    found, _ = unloaded(dialect, DEFAULT, {"prod": stored})
    assert (found["users"], found["items"]) == (expected("users"), expected("items"))


@dialects
@pytest.mark.parametrize("value", ["stitch", "as_users"])
def test_visits_are_of_the_user_who_logs_in(dialect: str, value: str, tmp_path: Path) -> None:
    log = [json.dumps(event).encode() for sequence in VISITS for event in sequence.log()]
    write_log(tmp_path / "1.json", log)
    found = assert_alike(dialect, visitors(value), tmp_path)
    assert [row[:2] for row in found.rows["interactions"]] == expected_visits(value)


@dialects
def test_our_own_write_backs_are_no_users_but_are_counted(dialect: str) -> None:
    log = [
        {"type": "identify", "messageId": "personalize-segment-1", "userId": "u", "traits": {"recommended": ["p"]}},
        {"type": "identify", "messageId": "personalize_segment-2", "userId": "v", "traits": {"plan": "pro"}},
    ]
    found, counts = unloaded(dialect, DEFAULT, {"prod": log})
    assert [row[0] for row in found["users"]] == ["v"]
    assert counts[None, "prod", "identify", "write-back", None, "no rule for this event"] == 1


@dialects
def test_an_array_that_is_cut_off_is_counted_and_breaks_nothing(dialect: str) -> None:
    connection = connect()
    bought = {"event": "Order Completed", "properties": {"products": [{"product_id": "p1"}]}}
    load(connection, dialect, "prod", [viewed(messageId="1", **bought), viewed(messageId="2", **bought)])
    connection.execute("UPDATE prod.order_completed SET products = products[:10] WHERE id = '2'")
    columns = warehouse.parse_columns(columns_file(connection, dialect), "columns.csv")
    found, counts = outcome(connection, plan(dialect, DEFAULT, columns=columns).statements, dialect, DEFAULT)
    assert [row[1] for row in found["interactions"]] == ["p1"]
    reason = "an array that the warehouse cut off"
    assert counts["interactions", "prod", "track", "Order Completed", "properties.products", reason] == 1


@dialects
def test_of_a_long_array_the_first_500_elements_are_rows(dialect: str) -> None:
    products = [{"product_id": f"p{number}"} for number in range(503)]
    log = [
        viewed(messageId=str(number), event="Order Completed", properties={"products": products[:number]})
        for number in (500, 503)
    ]
    found, counts = unloaded(dialect, DEFAULT, {"prod": log})
    assert len(found["interactions"]) == 1000
    assert {key: n for key, n in counts.items() if key[5] == TOO_LONG} == {
        ("interactions", "prod", "track", "Order Completed", "properties.products", TOO_LONG): 3
    }


@dialects
def test_without_the_columns_the_same_rows_come_out_where_nothing_is_missing(dialect: str) -> None:
    mapping = parse(json.dumps(ONE_RULE))
    log = [
        viewed(messageId=str(number), properties={"product_id": number, "price": number + 0.5}) for number in range(9)
    ]
    assert unloaded(dialect, mapping, {"prod": log}, known=False) == unloaded(dialect, mapping, {"prod": log})


ONE_RULE = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product_id"]},
            "TIMESTAMP": {"from": ["timestamp"]},
            "EVENT_VALUE": {"from": ["properties.price"], "optional": True},
        },
        "track": {"Product Viewed": {}},
    },
}
