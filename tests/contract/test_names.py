"""Differences between names that look alike."""

import json

import pytest

from personalize_segment.contract import names
from personalize_segment.contract.mapping import parse


@pytest.mark.parametrize(
    ("name", "known", "how"),
    [
        ("Product Viewed", "Product Viewed", None),
        ("Product Viewed ", "Product Viewed", "in a trailing space"),
        (" Product Viewed", "Product Viewed", "in a leading space"),
        ("Product  Viewed", "Product Viewed", "in spaces"),
        ("ProductViewed", "Product Viewed", "in spaces"),
        ("product viewed", "Product Viewed", "in case"),
        ("productViewed", "Product Viewed", "in case and spaces"),
        ("product_viewed", "Product Viewed", "in case, spaces or punctuation"),
        ("productId", "product_id", "in case, spaces or punctuation"),
        ("messageid", "messageId", "in case"),
        ("Cafe\u0301 visited", "Café visited", "in its Unicode form"),
        ("Product Clicked", "Product Viewed", None),
        ("--", "…", None),
        ("", "Product Viewed", None),
    ],
)
def test_a_difference_is_named_only_between_near_names(name: str, known: str, how: str | None) -> None:
    assert names.difference(name, known) == how
    assert (names.difference(known, name) is None) == (how is None)
    assert how is None or names.fold(name) == names.fold(known)


@pytest.mark.parametrize(
    ("name", "known", "how"),
    [
        ("Book Opend", "Book Opened", "in a letter"),
        ("Boook Opened", "Book Opened", "in a letter"),
        ("book_openad", "Book Opened", "in a letter"),
        ("ook Opened", "Book Opened", "in a letter"),
        ("Book Openedd", "Book Opened", "in a letter"),
        ("Prodcut Viewed", "Product Viewed", "in the order of two letters"),
        ("Book Opened", "Book Opened", None),
        ("book opened", "Book Opened", None),  # how `difference` says
        ("Bok Opend", "Book Opened", None),
        ("Unsubscribed", "Subscribed", None),
        ("Step 1 Viewed", "Step 2 Viewed", None),
        ("Step 12 Viewed", "Step 1 Viewed", None),
        ("Liked", "Linked", None),
        ("Product Clicked", "Product Viewed", None),
    ],
)
def test_a_typo_is_one_slip_in_a_name_of_some_length(name: str, known: str, how: str | None) -> None:
    assert names.typo(name, known) == names.typo(known, name) == how


def test_a_near_miss_is_a_name_that_differs_in_case_before_one_with_a_typo() -> None:
    rules: dict[str, dict[str, str]] = {"Books Opened": {}, "Book Opened": {}, "Basket Filled": {}}
    fields = {key: {"from": ["userId"]} for key in ("USER_ID", "ITEM_ID", "TIMESTAMP")}
    mapping = parse(json.dumps({"version": 1, "interactions": {"fields": fields, "track": rules}}))
    assert names.near_miss(mapping, "track", "book opened") == 'differs from "Book Opened" in case'
    assert names.near_miss(mapping, "track", "Baskt Filled") == 'differs from "Basket Filled" in a letter'
    assert names.near_miss(mapping, "page", "Baskt Filled") is None
    assert names.near_miss(mapping, "track", None) is None
