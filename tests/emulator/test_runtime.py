"""Recommendations are items of similar users."""

import pytest

from offline import RECIPE, Offline, group_of, interactions


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


@pytest.fixture
def shop(offline: Offline) -> Offline:
    offline.everything()
    return offline


def test_a_user_is_recommended_what_similar_users_took(shop: Offline) -> None:
    for user in range(8):
        found = shop.items(userId=f"u{user}", numResults=10)
        assert group_of(found) == [f"g{user % 4}"] * 10
        taken = {line.split(",")[1] for line in interactions() if line.startswith(f"u{user},")}
        assert not taken & set(found)


def test_answers_have_scores_that_fall_and_are_the_same_each_time(shop: Offline) -> None:
    answer = shop.runtime.get_recommendations(campaignArn=shop.arns["campaign"], userId="u1")
    assert len(answer["itemList"]) == 25
    assert 0 < len(answer["recommendationId"]) <= 40
    scores = [one["score"] for one in answer["itemList"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    again = shop.runtime.get_recommendations(campaignArn=shop.arns["campaign"], userId="u1")
    assert again["itemList"] == answer["itemList"]
    assert again["recommendationId"] != answer["recommendationId"]
    assert len(shop.items(userId="u1", numResults=500)) == 80
    assert len(shop.items(userId="u1", numResults=3)) == 3


def test_a_stranger_gets_what_is_popular(shop: Offline) -> None:
    counts: dict[str, int] = {}
    for line in interactions()[1:]:
        item = line.split(",")[1]
        counts[item] = counts.get(item, 0) + 1
    found = shop.items(userId="stranger", numResults=5)
    assert sorted((counts[item] for item in found), reverse=True) == sorted(counts.values(), reverse=True)[:5]


def test_similar_items_are_those_that_the_same_users_took(offline: Offline) -> None:
    offline.everything("arn:aws:personalize:::recipe/aws-similar-items")
    found = offline.items(itemId="g3-1", numResults=10)
    assert group_of(found) == ["g3"] * 10
    assert "g3-1" not in offline.items(itemId="g3-1", numResults=500)


def test_a_list_is_ranked_by_what_the_user_would_take(offline: Offline) -> None:
    offline.everything("arn:aws:personalize:::recipe/aws-personalized-ranking-v2")
    answer = offline.runtime.get_personalized_ranking(
        campaignArn=offline.arns["campaign"], userId="u2", inputList=["unknown", "g0-1", "g2-1", "g1-1", "g2-2"]
    )
    ranked = [one["itemId"] for one in answer["personalizedRanking"]]
    assert group_of(ranked)[:2] == ["g2", "g2"]
    assert ranked[-1] == "unknown"
    assert sum(one["score"] for one in answer["personalizedRanking"]) == pytest.approx(1)


def test_items_come_with_their_columns_and_promotions_in_their_places(shop: Offline) -> None:
    config = {"enableMetadataWithRecommendations": True}
    shop.arns["campaign"] = shop.campaign("rich", campaignConfig=config)
    cheap = shop.filter("INCLUDE ItemID WHERE Items.PRICE = 0")
    answer = shop.runtime.get_recommendations(
        campaignArn=shop.arns["campaign"],
        userId="u1",
        numResults=10,
        metadataColumns={"ITEMS": ["CATEGORY"]},
        promotions=[{"name": "sale", "percentPromotedItems": 20, "filterArn": cheap}],
    )
    promoted = [one["itemId"] for one in answer["itemList"] if one.get("promotionName") == "sale"]
    assert len(answer["itemList"]) == 10
    assert len(promoted) == 2
    assert all(item.endswith("-0") for item in promoted)
    for one in answer["itemList"]:
        assert one["metadata"] == {"CATEGORY": "ABCD"[int(one["itemId"][1])]}


def test_a_use_case_hides_what_was_bought(offline: Offline) -> None:
    offline.group("ECOMMERCE")
    offline.dataset("INTERACTIONS", domain="ECOMMERCE")
    offline.load("INTERACTIONS", [*interactions(), *interactions(1, 5, event_type="Purchase")[1:]])
    bought = {line.split(",")[1] for line in interactions(1, 5)[1:]}
    made = offline.api.create_recommender(
        name="r",
        datasetGroupArn=offline.arns["group"],
        recipeArn=RECIPE.replace("user-personalization-v2", "ecomm-recommended-for-you"),
    )["recommenderArn"]
    offline.clock.advance(2 * 3600)
    for user, hidden in (("u0", bought), ("u4", set[str]())):
        answer = offline.runtime.get_recommendations(recommenderArn=made, userId=user, numResults=500)
        assert bought - {one["itemId"] for one in answer["itemList"]} == hidden
