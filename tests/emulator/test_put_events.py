"""Live events are added once each to imported data and to their users' histories."""

import json
from typing import Any

import pytest

from offline import Offline, group_of
from personalize_emulator.events import _properties
from personalize_emulator.schemas import Field

VIEW: Any = {"eventType": "View", "sentAt": 1_800_000_000}


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


@pytest.fixture
def shop(offline: Offline) -> Offline:
    offline.everything()
    return offline


def test_a_live_session_is_answered_at_once_and_becomes_its_users(shop: Offline) -> None:
    tracker = shop.tracker()
    for number in range(4):
        event = VIEW | {"itemId": f"g2-{number}"}
        shop.events.put_events(trackingId=tracker, sessionId="session", eventList=[event])
    assert group_of(shop.items(userId="session", numResults=5)) == ["g2"] * 5
    assert group_of(shop.items(userId="newcomer", numResults=20)) != ["g2"] * 20
    event = VIEW | {"itemId": "g2-5"}
    shop.events.put_events(trackingId=tracker, sessionId="session", userId="newcomer", eventList=[event])
    assert group_of(shop.items(userId="newcomer", numResults=5)) == ["g2"] * 5
    seen = shop.filter('INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("view")')
    expected = {f"g2-{number}" for number in (0, 1, 2, 3, 5)}
    assert set(shop.items(userId="newcomer", filterArn=seen)) == expected
    assert set(shop.items(userId="session", filterArn=seen)) == expected


def test_an_event_with_an_id_that_was_seen_counts_once(offline: Offline) -> None:
    offline.group()
    offline.dataset("INTERACTIONS")
    tracker = offline.tracker()
    for number in range(1200):
        event = VIEW | {"itemId": f"i{number % 5}", "eventId": f"e{number % 700}"}
        offline.emulator.call(
            "PutEvents",
            {"trackingId": tracker, "sessionId": f"s{number % 40}", "userId": f"u{number % 40}", "eventList": [event]},
            "eu-west-1",
        )
    offline.solution()
    found = offline.api.describe_solution_version(solutionVersionArn=offline.version())["solutionVersion"]
    assert found["failureReason"] == "Create failed. Dataset has fewer than 1000 interactions."
    for number in range(700, 1000):
        event = VIEW | {"itemId": f"i{number % 5}", "eventId": f"e{number}"}
        request = {"trackingId": tracker, "sessionId": f"s{number % 40}", "eventList": [event]}
        offline.emulator.call("PutEvents", request, "eu-west-1")
    found = offline.api.describe_solution_version(solutionVersionArn=offline.version())["solutionVersion"]
    assert found["status"] == "ACTIVE"


def test_one_bad_event_refuses_all_of_its_call(shop: Offline) -> None:
    tracker = shop.tracker()
    good, bad = VIEW | {"itemId": "g3-0"}, VIEW | {"itemId": "g3-1", "properties": '{"eventValue": []}'}
    seen = shop.filter('INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")')
    with pytest.raises(shop.events.exceptions.InvalidInputException, match="EVENT_VALUE is not a float"):
        shop.events.put_events(trackingId=tracker, sessionId="s", userId="u1", eventList=[good, bad])
    assert "g3-0" not in shop.items(userId="u1", filterArn=seen)
    shop.events.put_events(trackingId=tracker, sessionId="s", userId="u1", eventList=[good])
    assert "g3-0" in shop.items(userId="u1", filterArn=seen)


def test_items_that_nobody_took_can_be_recommended_too(offline: Offline) -> None:
    offline.everything()
    offline.events.put_items(datasetArn=offline.arns["ITEMS"], items=[{"itemId": "new", "properties": '{"price": 1}'}])
    assert "new" not in offline.items(userId="u1", numResults=500)
    offline.version()
    offline.arns["campaign"] = offline.campaign("second")
    assert offline.items(userId="u1", numResults=500)[-1] == "new"


@pytest.mark.parametrize("key", ["price2", "price_2", "PRICE_2"])
def test_a_property_is_found_whatever_its_underscores_are(key: str) -> None:
    field = Field("PRICE_2", "float", nullable=True, categorical=False, textual=False)
    assert _properties(json.dumps({key: 2}), {"PRICE_2": field}) == {"PRICE_2": 2}
