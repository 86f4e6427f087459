"""Training enforces the minimums; metrics are computed from the data."""

from typing import Any

import pytest

from offline import Offline, interactions
from personalize_emulator.training import Interaction, Model


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


@pytest.fixture
def shop(offline: Offline) -> Offline:
    offline.everything()
    return offline


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param(
            [*interactions()[:1], *(f"u{one},i,{one},View," for one in range(1000))],
            "Create failed. Dataset has fewer than 25 users with at least 2 interactions each.",
            id="a thousand users with one",
        ),
        pytest.param(
            [*interactions(24, 20)[:1], *(f"u{one % 24},i{one % 7},{one},View," for one in range(1000))],
            "Create failed. Dataset has fewer than 25 users with at least 2 interactions each.",
            id="24 users",
        ),
    ],
)
def test_training_fails_on_too_little(offline: Offline, lines: list[str], reason: str) -> None:
    offline.group()
    offline.dataset("INTERACTIONS")
    assert offline.load("INTERACTIONS", lines)["status"] == "ACTIVE"
    offline.solution()
    version = offline.version()
    found = offline.api.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
    assert (found["status"], found["failureReason"]) == ("CREATE FAILED", reason)
    with pytest.raises(offline.api.exceptions.InvalidInputException, match="CREATE FAILED state"):
        offline.api.create_campaign(name="c", solutionVersionArn=version)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        pytest.param({}, "Create failed. Dataset has fewer than 1000 interactions.", id="without data"),
        pytest.param(
            {"solutionConfig": {"eventsConfig": {"eventParametersList": [{"eventType": "Purchase", "weight": 1.0}]}}},
            "Dataset has fewer than 1000 interactions after filtering by event type: Purchase",
            id="of an event type",
        ),
    ],
)
def test_training_needs_a_thousand_interactions(offline: Offline, config: Any, reason: str) -> None:
    offline.group()
    offline.dataset("INTERACTIONS")
    if config:
        offline.load("INTERACTIONS", interactions())
    offline.solution(**config)
    found = offline.api.describe_solution_version(solutionVersionArn=offline.version())["solutionVersion"]
    assert found["failureReason"] == reason


def test_a_solution_trains_on_the_events_that_it_names(offline: Offline) -> None:
    offline.group()
    offline.dataset("INTERACTIONS")
    other = interactions(10, event_type="Refund")[1:]
    offline.load("INTERACTIONS", interactions() + [line.replace(",g", ",refunded-g") for line in other])
    event = {"eventType": "View"}
    offline.solution(solutionConfig={"eventsConfig": {"eventParametersList": [event]}})
    offline.version()
    offline.campaign()
    assert not [item for item in offline.items(userId="u1", numResults=500) if item.startswith("refunded")]


def test_metrics_are_computed_from_the_data(shop: Offline) -> None:
    good = shop.api.get_solution_metrics(solutionVersionArn=shop.arns["version"])["metrics"]
    assert set(good) == {"coverage", "mean_reciprocal_rank_at_25"} | {
        f"{name}_at_{number}"
        for name in ("precision", "normalized_discounted_cumulative_gain")
        for number in (5, 10, 25)
    }
    assert all(0 < value <= 1 for value in good.values())
    chance = interactions(seed=3)
    items = [line.split(",")[1] for line in chance[1:]]
    mixed = [",".join([line.split(",")[0], items[(7919 * place) % len(items)], *line.split(",")[2:]])
             for place, line in enumerate(chance[1:])]  # fmt: skip
    shop.load("INTERACTIONS", [chance[0], *mixed], name="mixed")
    bad = shop.api.get_solution_metrics(solutionVersionArn=shop.version())["metrics"]
    assert bad["precision_at_5"] < good["precision_at_5"]
    assert bad["mean_reciprocal_rank_at_25"] < good["mean_reciprocal_rank_at_25"]


def test_a_perfect_model_has_perfect_ranks() -> None:
    # All users take b after a, and a user isn't their own neighbor.
    model = Model([Interaction(f"u{user}", item, time) for user in range(30) for time, item in enumerate("ab")])
    assert model.metrics() == {
        "coverage": 1.0,
        "mean_reciprocal_rank_at_25": 1.0,
        **{f"normalized_discounted_cumulative_gain_at_{number}": 1.0 for number in (5, 10, 25)},
        "precision_at_5": 0.2,
        "precision_at_10": 0.1,
        "precision_at_25": 0.04,
    }


def test_of_items_shared_as_often_the_rarer_one_is_more_alike() -> None:
    baskets = ["abc"] * 5 + ["b"] * 20
    model = Model([Interaction(f"u{user}", item, 1) for user, items in enumerate(baskets) for item in items])
    assert [item for item, _ in model.for_item("a")] == ["c", "b"]
    assert [item for item, _ in model.by_popularity()] == ["b", "a", "c"]


def test_a_history_has_each_item_once_and_the_latest_last() -> None:
    model = Model([Interaction("u", item, time) for time, item in enumerate("abab" + "c" * 40 + "a")])
    assert model.histories == {"u": ["b", "c", "a"]}
    assert model.takers == {"a": ["u"], "b": ["u"], "c": ["u"]}
