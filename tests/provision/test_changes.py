"""Changes after the first apply: parts removed, created by hand, adopted, or unchangeable."""

from collections.abc import Iterator
from typing import Any

import pytest

from documents import changed
from personalize_segment.errors import ProvisionError
from stack import COLOR, DOMAIN, MAPPING, SHOP, Cloud, cloud, read


@pytest.fixture
def account() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


@pytest.mark.parametrize(
    ("gone", "kind", "parameter"),
    [
        pytest.param("filters", "Filter", "filters/bought", id="filters"),
        pytest.param("campaigns", "Campaign", "campaigns/rank", id="campaigns"),
        pytest.param("metric_attribution", "MetricAttribution", None, id="metric attribution"),
        pytest.param("recommenders", "Recommender", "recommenders/top", id="recommenders"),
    ],
)
def test_what_the_spec_no_longer_has_goes_with_its_parameter(
    account: Cloud, gone: str, kind: str, parameter: str | None
) -> None:
    account.apply(DOMAIN)
    less = changed(DOMAIN, {gone: ...})
    assert ("delete", kind) in {(one.action, one.kind) for one in account.plan(less)}
    account.apply(less)
    assert list(account.each(kind)) == []
    assert account.plan(less) == []
    assert ("Parameter", f"/mall/{parameter}", "") not in account.everything()


def test_a_tracker_that_the_spec_no_longer_has_goes(account: Cloud) -> None:
    account.apply(SHOP)
    less = changed(SHOP, {"event_tracker": False})
    assert ("delete", "EventTracker") in {(one.action, one.kind) for one in account.plan(less)}
    account.apply(less)
    assert list(account.each("EventTracker")) == []


@pytest.mark.parametrize("name", ["summer", "shop-summer"])
def test_a_campaign_made_by_hand_is_left_alone(account: Cloud, name: str) -> None:
    account.apply(SHOP)
    version = account.one("SolutionVersion")["solutionVersionArn"]
    account.api.create_campaign(name=name, solutionVersionArn=version)
    account.clock.advance(3600)
    account.apply(changed(SHOP, {"campaigns/home/minimum_tps": 2}))
    assert account.one("Campaign", name)["status"] == "ACTIVE"


def test_a_solution_that_a_campaign_made_by_hand_needs_does_not_keep_apply_for_ever(account: Cloud) -> None:
    account.apply(SHOP)
    version = account.one("SolutionVersion")["solutionVersionArn"]
    arn = account.api.create_campaign(name="summer", solutionVersionArn=version)["campaignArn"]
    account.clock.advance(3600)
    other = changed(SHOP, {"solutions/for-you/recipe": "aws-similar-items"})
    with pytest.raises(ProvisionError, match=arn):
        account.apply(other)
    assert account.one("Campaign", "summer")["status"] == "ACTIVE"


def test_what_was_made_with_the_names_of_the_stack_is_adopted(account: Cloud) -> None:
    account.api.create_dataset_group(name="shop")
    account.clock.advance(60)
    group = account.one("DatasetGroup")["datasetGroupArn"]
    tracking = account.api.create_event_tracker(name="by-hand", datasetGroupArn=group)["trackingId"]
    account.apply(SHOP)
    assert account.made()["CreateDatasetGroup"] == account.made()["CreateEventTracker"] == 0
    assert account.ssm.get_parameter(Name="/shop/personalize/tracking_id")["Parameter"]["Value"] == tracking


def test_a_group_of_another_domain_blocks(account: Cloud) -> None:
    account.api.create_dataset_group(name="shop", domain="ECOMMERCE")
    account.clock.advance(60)
    with pytest.raises(ProvisionError) as caught:
        account.apply(SHOP)
    assert caught.value.place == "DatasetGroup shop"
    assert "domain is ECOMMERCE" in caught.value.problem
    assert "another name" in caught.value.remedy


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        pytest.param("items/fields/PRICE", ..., "PRICE would be removed", id="column away"),
        pytest.param("items/fields/PRICE/type", "int", "PRICE would be removed or changed", id="other type"),
        pytest.param(
            "items/fields/COLOR", {"from": ["properties.color"], "type": "string"}, "not optional", id="not optional"
        ),
        pytest.param("interactions/fields/COLOR", COLOR, "can't be replaced", id="interactions"),
    ],
)
def test_a_schema_that_can_not_change_blocks(account: Cloud, path: str, value: Any, problem: str) -> None:
    account.apply(SHOP)
    before = account.everything()
    other = changed(SHOP, {"event_mapping": changed(MAPPING, {path: value})})
    (blocked,) = [one for one in account.plan(other) if one.action == "blocked"]
    assert problem in blocked.why
    with pytest.raises(ProvisionError) as caught:
        account.apply(other)
    assert caught.value.remedy == blocked.remedy
    assert blocked.remedy.startswith(("Give the spec another name", "Make the new field optional"))
    assert account.everything() == before


def test_a_dataset_with_the_right_columns_is_adopted_whatever_its_schema_is_called(account: Cloud) -> None:
    client = account.client()
    arn = client.create_dataset_group(name="shop")["datasetGroupArn"]
    spec = {"version": 1, "name": "shop", "datasets": {"interactions": {}}}
    schema = read(spec).datasets[0].schema
    by_hand = client.create_schema(name="by-hand", schema=schema)["schemaArn"]
    account.emulator.clock.advance(3600)
    client.create_dataset(name="by-hand", datasetGroupArn=arn, datasetType="Interactions", schemaArn=by_hand)
    account.emulator.clock.advance(3600)
    assert [one for one in account.plan(spec) if one.action == "blocked"] == []
    account.apply(spec)
    assert account.plan(spec) == []
    with pytest.raises(ProvisionError, match="not part of the stack"):
        account.destroy(spec)
    assert [one["schemaArn"] for one in client.list_schemas()["schemas"]] == [by_hand]
