"""Filters let through what their expressions say."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from offline import Offline, interactions, schema
from personalize_emulator import filtering, filters


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


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("EXCLUDE ItemID WHERE Items.CATEGORY IN ($C)", lambda g, n: True, id="EXCLUDE isn't used"),
        pytest.param('EXCLUDE ItemID WHERE Items.CATEGORY IN ($C) | INCLUDE ItemID WHERE Items.CATEGORY IN ("A")',
                     lambda g, n: g == 0, id="another part is"),
    ],
)  # fmt: skip
def test_an_exclude_filter_may_go_without_values(shop: Offline, expression: str, expected: Any) -> None:
    found = shop.items(userId="u1", filterArn=shop.filter(expression), numResults=500)
    every = {(group, number) for group in range(4) for number in range(20)}
    assert set(found) == {f"g{group}-{number}" for group, number in every if expected(group, number)}


def test_an_include_filter_needs_its_values(shop: Offline) -> None:
    found = shop.filter("INCLUDE ItemID WHERE Items.CATEGORY IN ($C)")
    with pytest.raises(ClientError, match="Filter values are missing"):
        shop.items(userId="u1", filterArn=found)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("INCLUDE ItemID WHERE Items.CATEGORY IN CurrentItem.CATEGORY", lambda g, n: g == 1, id="IN"),
        pytest.param("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.CATEGORY IN CurrentItem.CATEGORY",
                     lambda g, n: g == 1 and n < 5, id="as in the guide"),
        pytest.param("EXCLUDE ItemID WHERE Items.CATEGORY NOT IN CurrentItem.CATEGORY", lambda g, n: g == 1,
                     id="NOT IN"),
    ],
)  # fmt: skip
def test_related_items_are_compared_with_the_current_item(shop: Offline, expression: str, expected: Any) -> None:
    parsed = filters.parse(expression)
    records = {
        f"g{group}-{number}": {"CATEGORY": "ABCD"[group], "PRICE": number} for group in range(4) for number in range(20)
    }
    subjects = filtering.Subjects(records.get, None, {}, records["g1-5"])
    (one,) = parsed.expressions
    kept = {name for name in records if filtering._matches(one, name, {}, subjects) is one.include}
    assert kept == {f"g{group}-{number}" for group in range(4) for number in range(20) if expected(group, number)}
    with pytest.raises(ClientError, match="which only recipes of related items have"):
        shop.items(userId="u1", filterArn=shop.filter(expression))


def test_the_filters_of_a_group_have_twenty_fields_at_most(s3_env: str) -> None:
    offline = Offline(s3_env)
    offline.group()
    fields: Any = [("ITEM_ID", "string"), *((f"N{number}", "int") for number in range(21))]
    arn = offline.api.create_schema(name="wide-items", schema=schema("Items", fields))["schemaArn"]
    group = offline.arns["group"]
    offline.api.create_dataset(name="items", datasetGroupArn=group, datasetType="ITEMS", schemaArn=arn)
    offline.clock.advance(60)

    def made(*numbers: int) -> str:
        tests = " AND ".join(f"Items.N{number} > 1" for number in numbers)
        return offline.filter(f"INCLUDE ItemID WHERE {tests}", f"f{numbers[0]}-{len(numbers)}")

    made(*range(10))
    made(*range(10, 20))
    made(3, 15)
    with pytest.raises(ClientError, match="a dataset group have at most 20 fields"):
        made(20)
    with pytest.raises(ClientError, match="a filter has at most 10 distinct fields"):
        made(*range(11))


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
def test_what_is_null_fulfills_only_negations(shop: Offline, condition: str, stays: bool) -> None:
    shop.events.put_items(datasetArn=shop.arns["ITEMS"], items=[{"itemId": "g0-0"}])
    found = shop.filter(f"INCLUDE ItemID WHERE {condition}")
    assert ("g0-0" in shop.items(userId="u1", filterArn=found, numResults=500)) is stays
