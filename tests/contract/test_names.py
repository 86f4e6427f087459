"""How names differ that people take for one."""

import pytest

from personalize_segment.contract import names


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
