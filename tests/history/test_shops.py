"""Events of shops and video services produce the rows that a shop owner expects."""

import json
from pathlib import Path
from typing import Any

import pytest

from engines import read_csv, write_log
from personalize_segment.contract.columns import RESERVED
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.contract.report import Report
from personalize_segment.contract.rows import parse_line, rows
from personalize_segment.history.export import export

MAPPING = parse(default_text())
AT, SECONDS = "2024-05-01T10:00:00.123Z", "1714557600"
VIEW, ADD, BUY, CLICK, WATCH = "View", "AddToCart", "Purchase", "Click", "Watch"
Row = tuple[str, ...]


def track(event: str, properties: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an event of user 7."""
    body = {"type": "track", "event": event, "messageId": "m-1", "userId": 7, "timestamp": AT, "receivedAt": AT}
    return body | {"properties": properties} | changes


def shopify(product: dict[str, Any]) -> dict[str, Any]:
    """Return a product as Shopify apps send it: junk for missing values, prices as numbers or text."""
    return {"product_id": "undefined", "sku": None, "shopify_product_id": "4169037119550"} | product


#: An event -> item, event type and value of its interactions.
INTERACTIONS: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "Segment's v2: a view": (track("Product Viewed", {"product_id": "507f1f77bcf86cd7", "sku": "G-32"}), [
        ("507f1f77bcf86cd7", VIEW, "")]),
    "an order": (track("Order Completed", {"order_id": "50314b8e", "products": [
        {"product_id": "507f1f77bcf86cd7", "sku": "45790-32", "price": 19, "quantity": 1},
        {"product_id": "505bd76785ebb509", "sku": "46493-32", "price": 3.5, "quantity": 2}]}), [
        ("505bd76785ebb509", BUY, "3.5"), ("507f1f77bcf86cd7", BUY, "19.0")]),
    "Segment's v1: a view": (track("Viewed Product", {"id": "v1-7", "sku": "G-32", "price": "18.99"}), [
        ("v1-7", VIEW, "")]),
    "an order of v1": (track("Completed Order", {"products": [{"id": "v1-7", "price": "18.99"}]}), [
        ("v1-7", BUY, "18.99")]),
    "a video": (track("Video Content Started", {"asset_id": "0129370"}), [("0129370", WATCH, "")]),
    "a playlist": (track("Video Playback Started", {"content_asset_ids": ["0129370", None, "undefined", 12]}), [
        ("0129370", CLICK, ""), ("12", CLICK, "")]),
    "WooCommerce: ids are numbers, prices text, a sku is empty": (
        track("Order Completed", {"products": [
            {"product_id": 2341, "sku": "", "price": "149.00"}, {"id": 2342, "sku": "", "price": "0"},
            {"product_id": "", "sku": "W-3", "price": ""}, {"product_id": 2343, "price": "1.299,00"}]}), [
        ("2341", BUY, "149.0"), ("2342", BUY, "0.0"), ("2343", BUY, ""), ("W-3", BUY, "")]),
    "Shopify: no id, so no item": (track("Product Viewed", shopify({})), []),
    "Shopify: the sku has its turn": (track("Product Viewed", shopify({"sku": "VN-01"})), [("VN-01", VIEW, "")]),
    "Shopify: ids of nothing": (track("Product Viewed", {"product_id": "NaN", "sku": "[object Object]"}), []),
    "Shopify: a blank id": (track("Product Added", {"product_id": " ", "sku": "VN-02"}), [("VN-02", ADD, "")]),
    "a visitor whose userId is blank": (track("Product Viewed", {"sku": "s"}, userId=" ", anonymousId="a"), []),
    "a user of None": (track("Product Viewed", {"sku": "s"}, userId="None"), []),
    "an order without products": (track("Order Completed", {"products": []}), []),
    "Go's zero time": (track("Product Viewed", {"sku": "s"}, timestamp="0001-01-01T00:00:00Z"), []),
    "a phone in 2038 counts as received": (
        track("Product Viewed", {"sku": "s"}, timestamp="2038-01-19T03:14:08Z"), [("s", VIEW, "")]),
}  # fmt: skip


def exported(
    folder: Path, log: list[dict[str, Any]], mapping: str = MAPPING.text
) -> tuple[dict[str, list[Row]], Report]:
    """Return the sorted rows of each dataset, and the report, of an export of the events and a good one."""
    good = track("Product Viewed", {"product_id": "good"}, messageId="good", userId="good")
    write_log(folder / "logs" / "a.json", [json.dumps(event).encode() for event in [*log, good]])
    report = export(str(folder / "logs"), str(folder / "out"), parse(mapping))
    parts = {name: read_csv(folder / "out" / name) for name in report.datasets}
    return {name: sorted(row for _, part in several for row in part) for name, several in parts.items()}, report


@pytest.mark.parametrize("case", INTERACTIONS)
def test_an_event_gives_the_interactions_that_a_shopkeeper_expects(case: str, tmp_path: Path) -> None:
    event, expected = INTERACTIONS[case]
    found, report = exported(tmp_path, [event])
    # Up to EVENT_VALUE: the default mapping may get more columns.
    interactions = [row[:5] for row in found["interactions"] if row[0] != "good"]
    assert interactions == [("7", item, SECONDS, kind, value) for item, kind, value in expected]
    assert report.datasets["interactions"].refused > 0 or expected


def test_a_catalog_has_prices_that_were_text(tmp_path: Path) -> None:
    log = [
        track("Product Viewed", {"product_id": 1, "price": "149.00", "brand": "Edx", "category": "Seat"}),
        track("Product Added", {"sku": "two", "price": 0, "variants": [{"sku": "two-a", "price": "1"}]}),
        track("Product Viewed", {"product_id": "three", "price": "$5", "brand": {"name": "nested"}}),
    ]
    found, _ = exported(tmp_path, [event | {"messageId": str(number)} for number, event in enumerate(log)])
    assert [row for row in found["items"] if row[0] != "good"] == [
        ("1", "Edx", "Seat", "", "149.0"),
        ("three", "", "", "", ""),
        ("two", "", "", "", "0.0"),
    ]


NESTED = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product.id", "properties.product.variants"]},
            "TIMESTAMP": {"from": ["timestamp"]},
            "IMPRESSION": {"from": ["properties.related[].id"], "optional": True},
        },
        "any_page": {"event_type": "View", "when": {"properties.template": {"is": "product"}}},
        "track": {
            "Checkout": [
                {"event_type": "Purchase", "when": {"properties.total": {"above": 0}}, "each": "properties.lines",
                 "fields": {"ITEM_ID": {"from": [".variant.product_id"]}}},
                {"event_type": "Gift", "each": "properties.lines",
                 "fields": {"ITEM_ID": {"from": [".variant.product_id"]}}},
            ]
        },
    },
    "items": {
        "fields": {
            "ITEM_ID": {"from": ["properties.product.id"]},
            "TAGS": {"from": ["properties.product.variants[].color", "properties.product.tag"], "type": "categories",
                     "optional": True},
        },
        "any_page": {"when": {"properties.template": {"is": "product"}}},
    },
}  # fmt: skip


def test_nested_variants_pages_of_any_name_and_conditions(tmp_path: Path) -> None:
    product = {"id": 41, "variants": [{"color": "red"}, {"size": 3}, {"color": "blue"}], "tag": "shirts"}
    page = {"type": "page", "userId": "u", "timestamp": AT}
    lines = [{"variant": {"product_id": 41}}, {"variant": None}]
    log = [
        page | {"messageId": "1", "name": "Shirt", "properties": {
            "template": "product", "product": product, "related": [{"id": 1}, {}, {"id": "b"}]}},
        page | {"messageId": "2", "properties": {
            "template": "product", "product": {"id": "42", "tag": "hats"}, "related": "none"}},
        page | {"messageId": "3", "name": "Blog", "properties": {"template": "article"}},
        page | {"messageId": "4", "name": "Broken", "properties": {"template": "product"}},
        track("Checkout", {"total": "12.50", "lines": lines}, messageId="5"),
        track("Checkout", {"total": "free", "lines": lines[:1]}, messageId="6"),
    ]  # fmt: skip
    found, report = exported(tmp_path, log, json.dumps(NESTED))
    assert found["interactions"] == [
        ("7", "41", SECONDS, "Gift", ""),
        ("7", "41", SECONDS, "Purchase", ""),
        ("u", "41", SECONDS, "View", "1|b"),
        ("u", "42", SECONDS, "View", ""),
    ]
    assert found["items"] == [("41", "red|blue"), ("42", "hats")]
    assert {key: example for key, (_, example) in report.reasons.counts.items()} == {
        ("page", "Blog", None, None, "no rule whose conditions hold"): "3",
        ("page", "Broken", "interactions", "ITEM_ID", "missing"): "4",
        ("page", "Broken", "items", "ITEM_ID", "missing"): "4",
        ("track", "Checkout", "interactions", "ITEM_ID", "missing"): "5",
        ("track", "Product Viewed", None, None, "no rule for this event"): "good",
    }


NUMBER, STRING = (
    "not a finite number of 32 bits",
    "not a string of 1-1,000 printable characters, an integer or a boolean",
)
INSTANT = "not an ISO-8601 instant with an offset"
LIST = "not a list of strings, together of 1-1,000 characters"
OPTIONAL = {
    "PRICE": "float", "TITLE": "string", "AGE": "int", "STOCK": "long", "CONSENT": "boolean", "TAGS": "categories",
    "SINCE": "timestamp", "CREATION_TIMESTAMP": "timestamp",
}  # fmt: skip
#: Column, and what is there -> its text in the CSV; or, after an exclamation mark, why it is null.
VALUES: list[tuple[str, Any, str]] = [
    ("PRICE", "19.99", "19.99"), ("PRICE", 3, "3.0"), ("PRICE", None, ""), ("PRICE", "1,299.00", f"!{NUMBER}"),
    ("PRICE", "19,99", f"!{NUMBER}"), ("PRICE", " 5", f"!{NUMBER}"), ("PRICE", "3.4abc", f"!{NUMBER}"),
    ("PRICE", "$5", f"!{NUMBER}"), ("PRICE", {"amount": "29.00"}, f"!{NUMBER}"), ("PRICE", 1e39, f"!{NUMBER}"),
    ("PRICE", True, f"!{NUMBER}"), ("PRICE", "", f"!{NUMBER}"),
    ("TITLE", "x" * 1000, "x" * 1000), ("TITLE", True, "true"), ("TITLE", 42, "42"),
    ("TITLE", "x" * 1001, f"!{STRING}"), ("TITLE", "A shirt\nblue", f"!{STRING}"), ("TITLE", ["Shirt"], f"!{STRING}"),
    ("TITLE", 12.5, f"!{STRING}"),
    ("AGE", "42", "42"), ("AGE", 42.0, "42"), ("AGE", "42 years", "!not an integer of 32 bits"),
    ("STOCK", "1e3", "1000"), ("STOCK", 4.5, "!not an integer of 64 bits"),
    ("CONSENT", "True", "true"), ("CONSENT", False, "false"), ("CONSENT", 1, "!neither true nor false"),
    ("TAGS", ["a", None, "b"], "a|b"), ("TAGS", "a", "a"), ("TAGS", [], ""), ("TAGS", [["a"]], f"!{LIST}"),
    ("SINCE", "2020-04-17T10:22:17Z", "1587118937"), ("SINCE", "0001-01-01T00:00:00Z", "-62135596800"),
    ("SINCE", 1587118937, f"!{INSTANT}"), ("SINCE", "2020-04-17T10:22:17.457", f"!{INSTANT}"),
    ("CREATION_TIMESTAMP", "2012-08-24T14:01:46-04:00", "1345831306"),
    *(("CREATION_TIMESTAMP", at, f"!{INSTANT}, from 1970-01-01 to 2286-11-20") for at in (
        1587118937, "2012-08-24", "2012-08-24 14:01:46", "1587118937457", "0001-01-01T00:00:00Z")),
]  # fmt: skip


def optional_columns() -> EventMapping:
    """Return the mapping NESTED with a column of items for each of OPTIONAL, read from the property of its name."""
    columns = {
        name: {"from": [f"properties.{name}"], "optional": True} | ({} if name in RESERVED["items"] else {"type": kind})
        for name, kind in OPTIONAL.items()
    }
    items = {"fields": {"ITEM_ID": {"from": ["properties.sku"]}} | columns, "track": {"Seen": {}}}
    return parse(json.dumps(NESTED | {"items": items}))


def test_values_that_are_there_but_unusable_are_counted_with_an_example(tmp_path: Path) -> None:
    mapping = optional_columns()
    log = [
        track("Seen", {"sku": f"{number:02}", column: value}, messageId=f"m{number:02}")
        for number, (column, value, _) in enumerate(VALUES)
    ]
    page = {"type": "page", "userId": "u", "timestamp": AT, "messageId": "p", "properties": {
        "template": "product", "product": {"id": "1"}}}  # fmt: skip
    found, report = exported(tmp_path, [*log, page, log[-1]], mapping.text)
    names = [column.name for column in mapping.datasets[-1].columns]
    counted = report.as_dict()
    columns = counted["datasets"]["items"]["columns"]
    kinds: dict[tuple[str, str], list[str]] = {}
    for row, event, (column, value, expected) in zip(found["items"], [*log], VALUES, strict=True):
        why = expected[1:] if expected.startswith("!") else None
        assert row[names.index(column)] == ("" if why else expected), (column, value)
        line = parse_line(json.dumps(event).encode())
        assert line is not None
        nulls = [null[:3] for row_ in rows(mapping, line)[0] for null in row_.unusable]
        assert nulls == ([("items", column, why)] if why else []), (column, value)
        if why:
            kinds.setdefault((column, why), []).append(event["messageId"])
    kinds[VALUES[-1][0], VALUES[-1][2][1:]].append(log[-1]["messageId"])  # which came twice
    assert {(one["field"], one["reason"]): (one["count"], one["example"]) for one in counted["unusable"]} == {
        kind: (len(messages), messages[0]) for kind, messages in kinds.items()
    }
    for name in OPTIONAL:
        unusable = sum(len(messages) for (column, _), messages in kinds.items() if column == name)
        filled = sum(column == name and bool(text) and text[0] != "!" for column, _, text in VALUES)
        absent = len(VALUES) + 1 - unusable - filled
        assert columns[name] == {"filled": filled, "absent": absent, "unusable": unusable}


def test_wrong_clocks_are_counted_and_no_such_profile_is_the_latest(tmp_path: Path) -> None:
    identify = {"type": "identify", "userId": "u", "receivedAt": "2024-05-21T00:08:55Z"}
    log = [
        identify | {"messageId": "1", "timestamp": "2038-01-19T03:14:08Z", "traits": {"plan": "free"}},
        identify | {"messageId": "2", "timestamp": "2024-06-30T10:00:00Z", "receivedAt": "2024-06-30T10:00:00Z",
                    "traits": {"plan": "pro"}},
        track("Product Viewed", {"sku": "s"}, timestamp="2038-01-19T03:14:08Z", messageId="3"),
    ]  # fmt: skip
    found, report = exported(tmp_path, log)
    assert [row[-1] for row in found["users"]] == ["pro"]
    assert {name: count.ahead for name, count in report.datasets.items()} == {"interactions": 1, "users": 1, "items": 1}
