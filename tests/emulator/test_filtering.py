"""Filters let through what their expressions say."""

from typing import Any

import pytest

from offline import Offline, interactions


@pytest.fixture
def shop(s3_env: str) -> Offline:
    offline = Offline(s3_env)
    offline.everything()
    return offline


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        pytest.param('INCLUDE ItemID WHERE Items.CATEGORY IN ("B")', {}, lambda g, n: g == 1, id="a value"),
        pytest.param("INCLUDE ItemID WHERE Items.CATEGORY IN ($C)",
                     {"C": '"A","D"'}, lambda g, n: g in (0, 3), id="two"),
        pytest.param('INCLUDE ItemID WHERE Items.CATEGORY NOT IN ("A", "B")', {}, lambda g, n: g > 1, id="NOT IN"),
        pytest.param('exclude itemid where items.category = "A"', {}, lambda g, n: g != 0, id="any case"),
        pytest.param("INCLUDE ItemID WHERE Items.PRICE < $P", {"P": "3"}, lambda g, n: n < 3, id="less"),
        pytest.param("INCLUDE ItemID WHERE Items.PRICE >= 18.5", {}, lambda g, n: n > 18, id="at least"),
        pytest.param("EXCLUDE ItemID WHERE Items.PRICE != 4", {}, lambda g, n: n == 4, id="not equal"),
        pytest.param('INCLUDE ItemID WHERE Items.PRICE < 3 AND Items.CATEGORY IN ("A")', {},
                     lambda g, n: n < 3 and g == 0, id="AND"),
        pytest.param('INCLUDE ItemID WHERE Items.PRICE = 3 OR Items.PRICE = 4 AND Items.CATEGORY IN ("A")', {},
                     lambda g, n: n == 3 or (n == 4 and g == 0), id="AND binds more than OR"),
        pytest.param('INCLUDE ItemID WHERE Items.CATEGORY IN ("A") | INCLUDE ItemID WHERE Items.PRICE = 1', {},
                     lambda g, n: g == 0 or n == 1, id="two includes"),
        pytest.param('INCLUDE ItemID WHERE Items.CATEGORY IN ("A") | EXCLUDE ItemID WHERE Items.PRICE = 1', {},
                     lambda g, n: g == 0 and n != 1, id="include and exclude"),
        pytest.param('EXCLUDE ItemID WHERE Items.CATEGORY IN ("A") IF CurrentUser.AGE > 20', {},
                     lambda g, n: g != 0, id="IF that holds"),
        pytest.param('EXCLUDE ItemID WHERE Items.CATEGORY IN ("A") IF CurrentUser.AGE > $AGE', {"AGE": "30"},
                     lambda g, n: True, id="IF that doesn't"),
        pytest.param('INCLUDE ItemID WHERE Items.CATEGORY IN ("A") IF CurrentUser.AGE > 9 AND CurrentUser.PLAN = "x"',
                     {}, lambda g, n: True, id="IF of which half holds"),
    ],
)  # fmt: skip
def test_a_filter_lets_through_what_it_says(shop: Offline, expression: str, values: Any, expected: Any) -> None:
    found = shop.items(userId="u1", filterArn=shop.filter(expression), filterValues=values, numResults=500)
    every = {(group, number) for group in range(4) for number in range(20)}
    assert set(found) == {f"g{group}-{number}" for group, number in every if expected(group, number)}


def test_what_a_user_took_can_be_left_out(shop: Offline) -> None:
    taken = {line.split(",")[1] for line in interactions() if line.startswith("u1,")}
    assert taken < set(shop.items(userId="u1", numResults=500))
    found = shop.filter('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("VIEW", "Purchase")')
    assert (
        set(shop.items(userId="u1", numResults=500)) - set(shop.items(userId="u1", numResults=500, filterArn=found))
        == taken
    )


@pytest.mark.parametrize(
    ("condition", "stays"),
    [
        pytest.param("Items.PRICE < 100", False, id="less"),
        pytest.param('Items.CATEGORY IN ("A")', False, id="IN"),
        pytest.param('Items.CATEGORY NOT IN ("A")', True, id="NOT IN"),
        pytest.param("Items.PRICE != 5", True, id="not equal"),
    ],
)
def test_what_is_null_fulfils_only_negations(shop: Offline, condition: str, stays: bool) -> None:
    shop.events.put_items(datasetArn=shop.arns["ITEMS"], items=[{"itemId": "g0-0"}])
    found = shop.filter(f"INCLUDE ItemID WHERE {condition}")
    assert ("g0-0" in shop.items(userId="u1", filterArn=found, numResults=500)) is stays
