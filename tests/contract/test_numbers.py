"""Advice on texts that look like numbers."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.numbers import advice, advice_on
from personalize_segment.contract.rows import rows


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("12,50", "has a comma: send 12.50"),
        ("-0,5", "has a comma: send -0.5"),
        ("1,299.00", "has a comma: send 1299.00"),
        ("1,299", "has a comma: send 1299 or 1.299"),
        ("1,299,000", "has a comma: send 1299000"),
        ("1.299,00", "has a comma and dots between thousands: send 1299.00"),
        ("1 299,00", "has a comma and spaces: send 1299.00"),
        ("1'299.00", "has an apostrophe: send 1299.00"),
        ("€12.50", "has a currency: send 12.50"),
        ("-$5", "has a currency: send -5"),
        ("12,50 €", "has a comma and spaces and a currency: send 12.50"),
        ("EUR 12", "has spaces and a currency: send 12"),
        (" 12.50", "has spaces: send 12.50"),
        ("1,2345", "has a comma: send 1.2345"),
    ],
)
def test_a_text_that_looks_like_a_number_is_told_with_the_number(text: str, told: str) -> None:
    assert advice(text) == f"{text} {told}"


@pytest.mark.parametrize(
    "value",
    ["12.50", "7", "1e3", "", " ", "M", "007", "10.100.200", "10.100.200.100", "1,299,00", "2024-03-01", "12:30",
     "12,", ",5", "12 50", "Vol. 1", "1,2,3", 12.5, True, None, ["12,50"], "1" * 50],
)  # fmt: skip
def test_all_else_gets_no_advice(value: Any) -> None:
    assert advice(value) is None


@given(st.integers(-(10**9), 10**9), st.integers(0, 99), st.sampled_from(["{:,}.{:02}", "{},{:02}", "€ {}.{:02}"]))
def test_what_is_to_be_sent_is_the_number_that_was_meant(whole: int, cents: int, form: str) -> None:
    text = form.format(whole, cents)
    told = advice(text)
    if told is not None:
        sent = told.rpartition(": send ")[2]
        assert math.isclose(json.loads(sent), (abs(whole) + cents / 100) * (-1 if whole < 0 else 1))
    else:
        assert json.loads(text) is not None


def test_the_advice_on_a_reason_is_about_the_value_that_it_is_about() -> None:
    mapping = parse(default_text())
    event: dict[str, Any] = {
        "type": "track", "event": "Order Completed", "messageId": "m", "userId": "u",
        "timestamp": "2026-11-01T10:00:00Z",
        "properties": {"products": [{"product_id": 1, "price": 3}, {"product_id": 2, "price": "3,50"}, 7]},
    }  # fmt: skip
    found, reasons = rows(mapping, event)
    (null,) = (why for row in found for why in row.unusable)
    assert advice_on(mapping, event, null) == "3,50 has a comma: send 3.50"
    assert reasons
    assert {advice_on(mapping, event, why) for why in reasons} == {None}
