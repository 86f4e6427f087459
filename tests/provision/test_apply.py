"""A stack's life on an account without AWS: applied, reapplied, changed, next to others, in a domain."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from documents import changed
from personalize_segment.errors import ProvisionError
from stack import COLOR, DOMAIN, MAPPING, ROLE, SHOP, Cloud, cloud, lines, read

OTHER = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase", "View")'


@pytest.fixture
def account() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


def test_an_empty_account_is_planned_applied_changed_and_empty_again(account: Cloud) -> None:
    planned = account.plan(SHOP)
    assert {one.action for one in planned} == {"create"}
    account.apply(SHOP)
    assert account.plan(SHOP) == []
    assert Counter(kind for kind, _, _ in account.everything()) == {
        "DatasetGroup": 1, "Schema": 3, "Dataset": 3, "DatasetImportJob": 3, "EventTracker": 1, "Solution": 1,
        "SolutionVersion": 1, "Campaign": 1, "Filter": 1, "Parameter": 6,
    }  # fmt: skip
    assert {status for _, _, status in account.everything()} == {"ACTIVE", ""}
    other = changed(
        SHOP,
        {
            "event_mapping": changed(MAPPING, {"items/fields/COLOR": COLOR}),
            "solutions/for-you/automatic_training": {"every_days": 3},
            "filters/bought": OTHER,
            "campaigns/home/minimum_tps": 3,
        },
    )
    planned = account.plan(other)
    assert sorted(lines(planned)) == [
        ("create", "Schema", "shop-items"),
        ("delete", "Filter", "shop-bought"),
        ("replace", "Filter", "shop-bought"),
        ("update", "Campaign", "shop-home"),
        ("update", "Dataset", "shop-items"),
        ("update", "Parameter", "/shop/personalize/filters/bought"),
        ("update", "Solution", "shop-for-you"),
    ]
    why = {one.kind: one.why for one in planned if one.action == "update"}
    assert why["Campaign"] == "minimum TPS: 1 → 3"
    assert why["Solution"] == "automatic training: rate(7 days) → rate(3 days)"
    account.apply(other)
    assert account.plan(other) == []
    assert account.one("Campaign")["minProvisionedTPS"] == 3
    assert account.one("Solution")["solutionConfig"]["autoTrainingConfig"] == {"schedulingExpression": "rate(3 days)"}
    assert account.one("Filter")["filterExpression"] == OTHER
    schema = next(
        one for one in account.each("Schema") if one["schemaArn"] == account.one("Dataset", "shop-items")["schemaArn"]
    )
    assert "COLOR" in {field["name"] for field in json.loads(schema["schema"])["fields"]}
    account.destroy(other)
    assert account.everything() == []


def test_a_plan_calls_nothing_that_changes(account: Cloud) -> None:
    account.plan(SHOP)
    assert account.calls
    assert account.made() == {}


def test_what_an_apply_leaves_is_what_the_plan_said(account: Cloud) -> None:
    planned = {(one.kind, one.name) for one in account.plan(SHOP)}
    left = {(one.kind, one.name) for one in account.apply(SHOP)}
    ungrouped = {"DatasetImportJob", "SolutionVersion"}
    assert {one for one in planned if one[0] not in ungrouped} == {one for one in left if one[0] not in ungrouped}


def test_every_line_that_costs_says_so(account: Cloud) -> None:
    costs = {one.kind for one in account.plan(SHOP) if one.cost}
    assert costs == {"DatasetImportJob", "Solution", "Campaign"}
    (campaign,) = [
        one for one in account.plan(changed(SHOP, {"campaigns/home/minimum_tps": 2})) if one.kind == "Campaign"
    ]
    assert "788 USD per month" in campaign.cost


def test_parameters_name_what_is_there(account: Cloud) -> None:
    account.apply(SHOP)
    found = {
        one["Name"].removeprefix("/shop/personalize/"): one["Value"]
        for one in account.ssm.get_parameters_by_path(Path="/shop/personalize", Recursive=True)["Parameters"]
    }
    assert found == {
        "tracking_id": account.one("EventTracker")["trackingId"],
        "campaigns/home": account.one("Campaign")["campaignArn"],
        "filters/bought": account.one("Filter")["filterArn"],
        **{f"datasets/{one}": account.one("Dataset", f"shop-{one}")["datasetArn"] for one in SHOP["datasets"]},
    }


def test_a_campaign_follows_its_solution_or_not(account: Cloud) -> None:
    account.apply(SHOP)
    account.clock.advance(8 * 86_400)
    newest = list(account.each("SolutionVersion"))[-1]["solutionVersionArn"]
    account.clock.advance(86_400)
    assert account.one("Campaign")["solutionVersionArn"] == newest
    fixed = changed(SHOP, {"campaigns/home/follow_latest": False})
    assert [one.why for one in account.plan(fixed)] == ["follow latest: true → false"]
    account.apply(fixed)
    account.clock.advance(9 * 86_400)
    assert len(list(account.each("SolutionVersion"))) > 2
    assert account.one("Campaign")["solutionVersionArn"] == newest
    assert account.plan(fixed) == []


def test_a_campaign_that_begins_to_follow_is_sent_the_latest_version(account: Cloud) -> None:
    account.apply(changed(SHOP, {"campaigns/home/follow_latest": False}))
    account.calls.clear()
    account.apply(changed(SHOP, {"solutions/for-you/automatic_training": {"every_days": 3}}))
    requests = [request for name, request in account.calls if name == "UpdateCampaign"]
    # Personalize refuses syncWithLatestSolutionVersion without $LATEST.
    assert [str(one.get("solutionVersionArn"))[-8:] for one in requests] == ["/$LATEST"]


def test_another_recipe_makes_another_solution_and_campaign(account: Cloud) -> None:
    account.apply(SHOP)
    other = changed(SHOP, {"solutions/for-you/recipe": "aws-similar-items"})
    assert {("replace", "Solution"), ("replace", "Campaign"), ("delete", "Solution"), ("delete", "Campaign")} <= {
        (one.action, one.kind) for one in account.plan(other)
    }
    account.apply(other)
    assert account.one("Solution")["recipeArn"].endswith("/aws-similar-items")
    value = account.ssm.get_parameter(Name="/shop/personalize/campaigns/home")["Parameter"]["Value"]
    assert value == account.one("Campaign")["campaignArn"]
    assert account.plan(other) == []


def test_events_and_columns_reach_the_solution(account: Cloud) -> None:
    wanted = {
        "recipe": "aws-user-personalization-v2",
        "events": [{"event_type": "View", "weight": 0.5}, {"event_type": "Purchase", "value_threshold": 1}],
        "columns": {"items": ["PRICE", "CATEGORY_L1"]},
    }
    document = changed(SHOP, {"solutions": {"for-you": wanted}})
    with pytest.raises(ProvisionError, match="fewer than 1000 interactions"):
        account.apply(document)
    config = account.one("Solution")["solutionConfig"]
    assert config["trainingDataConfig"] == {"includedDatasetColumns": {"ITEMS": ["CATEGORY_L1", "PRICE"]}}
    assert config["eventsConfig"]["eventParametersList"] == [
        {"eventType": "View", "weight": 0.5},
        {"eventType": "Purchase", "eventValueThreshold": 1.0},
    ]
    both = [{"event_type": "View", "weight": 0.5}, {"event_type": "Purchase"}]
    document = changed(document, {"solutions/for-you/events": both})
    account.apply(document)
    config = account.one("Solution")["solutionConfig"]
    assert config["eventsConfig"]["eventParametersList"][1] == {"eventType": "Purchase"}
    assert account.plan(document) == []
    assert len(list(account.each("Solution"))) == 1


def test_a_domain_group_gets_all_of_its_parts(account: Cloud) -> None:
    account.apply(DOMAIN)
    assert account.plan(DOMAIN) == []
    assert account.one("DatasetGroup")["domain"] == "ECOMMERCE"
    assert account.one("Recommender")["recommenderConfig"]["minRecommendationRequestsPerSecond"] == 2
    assert account.one("MetricAttribution")["metricsOutputConfig"]["roleArn"] == ROLE
    assert account.one("Solution")["performAutoTraining"] is False
    assert account.one("Campaign")["solutionVersionArn"] == account.one("SolutionVersion")["solutionVersionArn"]
    other = changed(
        DOMAIN,
        {
            "recommenders/top/minimum_tps": 3,
            "metric_attribution/metrics/bought": {"event_type": "Purchase", "expression": "SAMPLECOUNT()"},
        },
    )
    assert sorted(lines(account.plan(other))) == [
        ("update", "MetricAttribution", "mall-metrics"),
        ("update", "Recommender", "mall-top"),
    ]
    account.apply(other)
    assert account.plan(other) == []
    account.api.stop_recommender(recommenderArn=account.one("Recommender")["recommenderArn"])
    account.clock.advance(7200)
    assert lines(account.plan(other)) == [
        ("update", "Recommender", "mall-top"),
        ("update", "Parameter", "/mall/recommenders/top"),
    ]
    account.apply(other)
    assert account.one("Recommender")["status"] == "ACTIVE"
    account.destroy(other)
    assert account.everything() == []


def test_a_first_import_is_full_also_where_the_spec_has_incremental(account: Cloud) -> None:
    account.apply(changed(SHOP, {"datasets/items/import/mode": "INCREMENTAL"}))
    modes = {one["jobName"].split("-")[1]: one["importMode"] for one in account.each("DatasetImportJob")}
    assert modes["items"] == "FULL"


def test_tags_reach_everything_that_takes_them(account: Cloud) -> None:
    account.apply(SHOP)
    tagged = [
        name for name, request in account.calls if request.get("tags") == [{"tagKey": "team", "tagValue": "shop"}]
    ]
    assert Counter(tagged) == {
        "CreateDatasetGroup": 1, "CreateDataset": 3, "CreateDatasetImportJob": 3, "CreateEventTracker": 1,
        "CreateFilter": 1, "CreateSolution": 1, "CreateCampaign": 1,
    }  # fmt: skip


def test_a_spec_without_a_tracker_prefix_tags_or_imports_makes_what_is_left(account: Cloud) -> None:
    bare = {"version": 1, "name": "bare", "datasets": {"interactions": {}}, "event_tracker": False}
    account.apply(bare)
    assert account.made() == {"CreateDatasetGroup": 1, "CreateSchema": 1, "CreateDataset": 1}
    account.destroy(bare)
    assert account.everything() == []
    assert read(bare).ssm_prefix is None
