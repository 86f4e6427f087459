"""Requests for recommendations, and the used part of the answers."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from personalize_segment.live.recommend import Recommendation, UnreadableError, recommend, request
from personalize_segment.live.settings import Settings, load
from stub import Ok, Stub

ARN = "arn:aws:personalize:eu-west-1:123456789012"
CAMPAIGN = f"{ARN}:campaign/shop"
FILTER = f"{ARN}:filter/f"


def _settings(**environment: str) -> Settings:
    return load({"recommendation_filter_arn": FILTER} | environment)


@pytest.mark.parametrize(
    ("arn", "member"),
    [
        pytest.param(CAMPAIGN, "campaignArn", id="a campaign"),
        pytest.param(f"{ARN}:campaign/recommender", "campaignArn", id="a campaign called recommender"),
        pytest.param(f"{ARN}:recommender/shop", "recommenderArn", id="a recommender"),
    ],
)
def test_the_request_names_a_campaign_or_a_recommender(arn: str, member: str) -> None:
    made = request(_settings(recommendation_count="7"), arn, None, {}, "u1")
    assert made == {member: arn, "userId": "u1", "numResults": 7}


CONTEXT = [
    pytest.param("mobile", "mobile", id="a text"),
    pytest.param(42, "42", id="an integer"),
    pytest.param(1.5, "1.5", id="a fraction"),
    pytest.param(True, "true", id="true"),
    pytest.param("x" * 256, "x" * 256, id="a text of 256"),
    pytest.param("x" * 257, None, id="a longer text"),
    pytest.param("", None, id="an empty text"),
    pytest.param("a\nb", None, id="a control character"),
    pytest.param(float("inf"), None, id="a number that is none in JSON"),
    pytest.param(["a"], None, id="an array"),
    pytest.param({"a": 1}, None, id="an object"),
    pytest.param(None, None, id="null"),
]


@pytest.mark.parametrize(("value", "expected"), CONTEXT)
def test_context_is_taken_from_the_event_or_left_out(value: Any, expected: str | None) -> None:
    settings = _settings(recommendation_context='{"DEVICE": "context.device", "PLACE": "context.place"}')
    made = request(settings, CAMPAIGN, None, {"context": {"device": value, "place": "here"}}, "u1")
    assert made["context"] == {"PLACE": "here"} | ({} if expected is None else {"DEVICE": expected})
    alone = request(settings, CAMPAIGN, None, {"context": {"device": value}}, "u1")
    assert alone.get("context") == (None if expected is None else {"DEVICE": expected})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("shoes", '"shoes"', id="a text in quotes"),
        pytest.param("a,b 'c'", "\"a,b 'c'\"", id="a text with a comma"),
        pytest.param(["shoes", "hats"], '"shoes","hats"', id="several"),
        pytest.param(42, "42", id="an integer bare"),
        pytest.param([1, 2.5], "1,2.5", id="numbers"),
        pytest.param(["x" * 256] * 3, ",".join(['"' + "x" * 256 + '"'] * 3), id="no more than 1000 characters"),
        pytest.param(["x" * 256] * 4, None, id="more than 1000 characters"),
        pytest.param('say "hi"', None, id="a quote, which would end the text"),
        pytest.param(["a", 'b" OR "c'], None, id="a quote in one of several"),
        pytest.param([], None, id="none of several"),
        pytest.param(["a", None], None, id="null among several"),
        pytest.param([["a"]], None, id="an array in an array"),
        pytest.param(True, None, id="a boolean"),
        pytest.param(float("inf"), None, id="a number that is none in JSON"),
        pytest.param("", None, id="an empty text"),
        pytest.param({}, None, id="an object"),
        pytest.param(None, None, id="null"),
    ],
)
def test_a_filters_value_is_written_as_filters_want_it_or_left_out(value: Any, expected: str | None) -> None:
    settings = _settings(recommendation_filter_values='{"CATEGORY": "properties.category"}')
    event = {"properties": {"category": value}}
    made = request(settings, CAMPAIGN, FILTER, event, "u1")
    values = None if expected is None else {"CATEGORY": expected}
    assert (made["filterArn"], made.get("filterValues")) == (FILTER, values)


def test_a_value_of_a_filter_that_is_missing_leaves_the_others() -> None:
    settings = _settings(recommendation_filter_values='{"A": "properties.a", "B": "properties.b"}')
    assert request(settings, CAMPAIGN, FILTER, {"properties": {"a": "x"}}, "u1")["filterValues"] == {"A": '"x"'}


def test_a_filter_without_parameters_is_named_alone() -> None:
    assert request(_settings(), CAMPAIGN, FILTER, {}, "u1")["filterArn"] == FILTER
    assert "filterValues" not in request(_settings(), CAMPAIGN, FILTER, {}, "u1")


@pytest.mark.parametrize(
    ("answer", "items", "number"),
    [
        pytest.param(
            {"itemList": [{"itemId": "b", "score": 0.5}, {"itemId": "a"}], "recommendationId": "RID-1"},
            ["b", "a"],
            "RID-1",
            id="best first",
        ),
        pytest.param({"itemList": [], "recommendationId": "RID-1"}, [], "RID-1", id="nothing left by a filter"),
        pytest.param({"itemList": [{"score": 0.5}, {"itemId": "a"}]}, ["a"], None, id="an item without id"),
    ],
)
def test_an_answer_gives_its_items_and_its_id(answer: dict[str, Any], items: list[str], number: str | None) -> None:
    made = request(_settings(recommendation_context='{"A": "a"}'), CAMPAIGN, FILTER, {"a": "é"}, "u1")
    with Stub() as stub:
        stub.behave("GetRecommendations", Ok(answer))
        keys: dict[str, Any] = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        client = boto3.client("personalize-runtime", region_name="eu-west-1", endpoint_url=stub.url, **keys)
        before = datetime.now(UTC)
        found = recommend(client, made)
        [call] = stub.calls()
    assert found == Recommendation(items, number, found.at)
    assert before <= found.at <= datetime.now(UTC)
    assert call.body == json.loads(json.dumps(made))


def test_an_answer_without_a_list_is_not_taken_for_an_empty_one() -> None:
    """A proxy's page with status 200, as botocore reads it."""
    with Stub() as stub:
        stub.behave("GetRecommendations", Ok({}))
        keys: dict[str, Any] = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        client = boto3.client("personalize-runtime", region_name="eu-west-1", endpoint_url=stub.url, **keys)
        with pytest.raises(UnreadableError):
            recommend(client, {"campaignArn": CAMPAIGN, "userId": "u1"})
