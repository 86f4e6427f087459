"""Recommenders and metric attributions are created, stopped, started, updated and deleted."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from offline import ROLE, Offline, interactions, walk

CREATED = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]


DELETED = ["DELETE PENDING", "DELETE IN_PROGRESS", "ResourceNotFoundException"]


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


def test_a_recommender_is_made_stopped_started_and_updated(offline: Offline) -> None:
    offline.group("ECOMMERCE")
    offline.dataset("INTERACTIONS", domain="ECOMMERCE")
    offline.load("INTERACTIONS", interactions(event_type="View"))
    recipe = "arn:aws:personalize:::recipe/aws-ecomm-recommended-for-you"
    api = offline.api
    arn = api.create_recommender(name="r", datasetGroupArn=offline.arns["group"], recipeArn=recipe)["recommenderArn"]
    assert walk(offline, "Recommender", arn, 30) == CREATED
    assert offline.runtime.get_recommendations(recommenderArn=arn, userId="u1")["itemList"]
    api.stop_recommender(recommenderArn=arn)
    assert walk(offline, "Recommender", arn, 30) == ["STOP PENDING", "STOP IN_PROGRESS", "INACTIVE"]
    with pytest.raises(ClientError, match="INACTIVE state"):
        offline.runtime.get_recommendations(recommenderArn=arn, userId="u1")
    api.start_recommender(recommenderArn=arn)
    assert walk(offline, "Recommender", arn, 30) == ["START PENDING", "START IN_PROGRESS", "ACTIVE"]
    api.update_recommender(recommenderArn=arn, recommenderConfig={"minRecommendationRequestsPerSecond": 2})
    assert walk(offline, "Recommender", arn, 30) == ["ACTIVE"]
    found = api.describe_recommender(recommenderArn=arn)["recommender"]
    assert found["recommenderConfig"]["minRecommendationRequestsPerSecond"] == 2
    assert found["latestRecommenderUpdate"]["status"] == "ACTIVE"
    api.delete_recommender(recommenderArn=arn)
    assert walk(offline, "Recommender", arn, 1, times=100) == DELETED


def test_a_use_case_needs_enough_of_its_events(offline: Offline) -> None:
    offline.group("ECOMMERCE")
    offline.dataset("INTERACTIONS", domain="ECOMMERCE")
    offline.load("INTERACTIONS", interactions(event_type="View"))
    recipe = "arn:aws:personalize:::recipe/aws-ecomm-popular-items-by-purchases"
    arn = offline.api.create_recommender(name="r", datasetGroupArn=offline.arns["group"], recipeArn=recipe)
    offline.clock.advance(2 * 3600)
    found = offline.api.describe_recommender(recommenderArn=arn["recommenderArn"])["recommender"]
    assert found["status"] == "CREATE FAILED"
    assert found["failureReason"] == "Dataset has fewer than 1000 interactions after filtering by event type: Purchase"


def test_a_metric_attribution_takes_other_metrics(offline: Offline) -> None:
    offline.group()
    api = offline.api
    clicks: Any = {"eventType": "click", "metricName": "clicks", "expression": "SAMPLECOUNT()"}
    sales: Any = {"eventType": "buy", "metricName": "sales", "expression": "SUM(Items.PRICE)"}
    arn = api.create_metric_attribution(
        name="m", datasetGroupArn=offline.arns["group"], metrics=[clicks], metricsOutputConfig={"roleArn": ROLE}
    )["metricAttributionArn"]
    offline.clock.advance(60)
    api.update_metric_attribution(metricAttributionArn=arn, addMetrics=[sales], removeMetrics=["clicks"])
    assert walk(offline, "MetricAttribution", arn, 1) == ["UPDATE PENDING", "UPDATE IN_PROGRESS", "ACTIVE"]
    assert api.list_metric_attribution_metrics(metricAttributionArn=arn)["metrics"] == [sales]
    with pytest.raises(api.exceptions.InvalidInputException, match="not 0"):
        api.update_metric_attribution(metricAttributionArn=arn, removeMetrics=["sales"])
