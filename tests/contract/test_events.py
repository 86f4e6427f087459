"""The examples of Segment's Spec under the default mapping: each produces a row or a reason (tests/events).

Each page of the Spec has one file. An example has the page's members, nesting and JSON types, with other values.
`completed` lists the top-level members that the page omits and every message has.
`expected` is what `personalize-segment explain` prints.

Source: "Spec" in Segment's documentation, the pages Track, Identify, Page, Screen, Group, Alias, Common Fields,
V1 and V2 Ecommerce Events, and Video.
"""

import json
from typing import Any

import pytest

from golden_cases import EXAMPLES
from personalize_segment.contract.mapping import Dataset, Rule, default_text, parse
from personalize_segment.contract.rows import describe, parse_line, rows, string

DEFAULT = parse(default_text())

#: page of the Spec -> its events, with or without a rule.
TRACKED = {
    "V2 Ecommerce Events": (
        *("Products Searched", "Product List Viewed", "Product List Filtered"),
        *("Promotion Viewed", "Promotion Clicked"),
        *("Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed"),
        *("Checkout Started", "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered"),
        *("Order Completed", "Order Updated", "Order Refunded", "Order Cancelled"),
        *("Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed"),
        *("Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart"),
        *("Product Shared", "Cart Shared", "Product Reviewed"),
    ),
    "V1 Ecommerce Events": (
        *("Viewed Product Category", "Viewed Product", "Added Product", "Removed Product"),
        *("Completed Order", "Order Completed"),
    ),
    "Video Spec": (
        *("Video Playback Started", "Video Playback Paused", "Video Playback Interrupted"),
        *("Video Playback Buffer Started", "Video Playback Buffer Completed"),
        *("Video Playback Seek Started", "Video Playback Seek Completed"),
        *("Video Playback Resumed", "Video Playback Completed", "Video Playback Exited"),
        *("Video Content Started", "Video Content Playing", "Video Content Completed"),
        *("Video Ad Started", "Video Ad Playing", "Video Ad Completed"),
        "Video Quality Updated",
    ),
}
CALLS = {
    "Track": "track",
    "Identify": "identify",
    "Page": "page",
    "Screen": "screen",
    "Group": "group",
    "Alias": "alias",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["source"])
def test_an_example_of_the_spec_has_its_rows_and_reasons(example: dict[str, Any]) -> None:
    event = parse_line(json.dumps(example["event"]).encode())
    assert event is not None
    found, reasons = rows(DEFAULT, event)
    answer = {
        "messageId": string(event.get("messageId")),
        "rows": [
            {
                "dataset": row.dataset.name,
                "values": dict(zip((column.name for column in row.dataset.columns), row.values, strict=True)),
            }
            | ({} if row.visitor is None else {"visitor": row.visitor})
            for row in found
        ],
        "reasons": [dict(zip(("dataset", "field", "reason"), why[:3], strict=True)) for why in reasons],
    }
    assert _text(answer) == _text(example["expected"])


def _text(answer: dict[str, Any]) -> list[str]:
    """Compared as text, because 1, 1.0 and true are equal in Python, and by lines, to show the difference."""
    return json.dumps(answer, indent=1).splitlines()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["source"])
def test_an_example_is_a_full_message(example: dict[str, Any]) -> None:
    event = example["event"]
    assert {"type", "messageId", "timestamp"} <= event.keys()
    assert {"userId", "anonymousId"} & event.keys()
    assert set(example["completed"]) <= event.keys()


@pytest.mark.parametrize("key", ["source", "messageId"])
def test_no_two_examples_share_what_tells_them_apart(key: str) -> None:
    texts = [{**example["event"], **example}[key] for example in EXAMPLES]
    assert sorted(texts) == sorted(set(texts))


@pytest.mark.parametrize(
    ("page", "name"),
    [pytest.param(page, name, id=f"{name} ({page})") for page, names in TRACKED.items() for name in names],
)
def test_every_event_of_the_spec_has_an_example(page: str, name: str) -> None:
    assert ("track", name) in _described(page)


@pytest.mark.parametrize(("page", "call"), [pytest.param(*one, id=one[1]) for one in CALLS.items()])
def test_every_call_of_the_spec_has_an_example(page: str, call: str) -> None:
    assert {one for one, _ in _described(page)} == {call}


def _described(page: str) -> set[tuple[str, str | None]]:
    return {describe(example["event"]) for example in EXAMPLES if example["source"].startswith(f"{page}: ")}


@pytest.mark.parametrize(
    ("dataset", "rule"),
    [
        pytest.param(dataset, rule, id=f"{dataset.name}: {rule.name or rule.call}")
        for dataset in DEFAULT.datasets
        for rule in dataset.rules
    ],
)
def test_every_rule_of_the_default_mapping_gives_a_row_of_an_example(dataset: Dataset, rule: Rule) -> None:
    given = [
        row["dataset"]
        for example in EXAMPLES
        if describe(example["event"]) == (rule.call, rule.name)
        for row in example["expected"]["rows"]
    ]
    assert dataset.name in given
