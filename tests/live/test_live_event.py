"""One live event in `segment_event`: what is sent, kept, recommended and written back.

tests/support/stub.py plays AWS and Segment. Everything else is real.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from live_function import (
    ALL,
    ARN,
    CAMPAIGN,
    PROFILES,
    Event,
    function,
    identify,
    order,
    refusing,
    track,
)
from personalize_segment.contract.mapping import default_text
from personalize_segment.errors import TransientError
from personalize_segment.live import references
from personalize_segment.live.writeback import Identity, Memory
from stub import Behavior, Error, Ok, Request, Stub, recommendations
from visits import visitors


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


def test_an_event_is_recorded_recommended_for_and_written_back(stub: Stub) -> None:
    with function(stub, recommendation_count="3") as take:
        answer = take(track("Product Viewed", {"product_id": "item-1", "categories": ["Tea", "Gifts"]}))
    assert answer == {
        "decision": "recorded",
        "rows": {"interactions": 1, "items": 1},
        "reasons": [],
        "nulls": [],
        "recommendation": "fetched",
        "write_back": "sent",
    }
    assert take.bodies("PutEvents") == [
        {
            "trackingId": "tracker",
            "sessionId": "a-1",
            "userId": "u-1",
            "eventList": [{"eventId": "m-1", "sentAt": 1709296496, "eventType": "View", "itemId": "item-1"}],
        }
    ]
    assert take.bodies("GetRecommendations") == [{"campaignArn": CAMPAIGN, "userId": "u-1", "numResults": 3}]
    [sent] = take.identifies()
    assert (sent["type"], sent["userId"], sent.get("anonymousId")) == ("identify", "u-1", None)
    assert sent["traits"] == {"recommendations": ["item-1", "item-2", "item-3"]}
    assert sent["integrations"] == {"Amazon Personalize": False, "Personalize": False}
    [profile] = stub.messages(PROFILES)
    assert json.loads(profile) == [2, "items", "item-1", {"CATEGORY": ["Tea", "Gifts"]}, [1709296496, "789"]]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([13], id="one in the middle"),
        pytest.param([0], id="the first"),
        pytest.param([22], id="the last"),
        pytest.param([9, 10], id="on both sides of a request's end"),
        pytest.param([20, 21, 22], id="a whole request"),
        pytest.param(list(range(23)), id="all"),
    ],
)
@pytest.mark.parametrize("code", ["InvalidInputException", "ValidationException"])
def test_an_item_that_is_refused_takes_no_other_with_it(stub: Stub, bad: list[int], code: str) -> None:
    names = {f"item-{number}" for number in bad}
    stub.behave("PutEvents", then=refusing(*names, code=code))
    with function(stub) as take:
        answer = take(order(23))
    accepted = [
        one["eventId"]
        for body in take.bodies("PutEvents")
        if not names & {one["itemId"] for one in body["eventList"]}
        for one in body["eventList"]
    ]
    assert sorted(accepted) == sorted(f"m-1-{number}" for number in range(23) if number not in bad)
    assert (answer["decision"], answer["rows"]) == ("rejected", {"interactions": 23 - len(bad)})
    [kept] = take.rejected()
    assert kept["event"] == order(23)
    assert kept["reasons"] == [
        {"dataset": "interactions", "field": "PutEvents", "reason": f"{code}: bad item", "count": len(bad)}
        | {"elements": []}
    ]


def test_what_is_refused_for_another_reason_is_not_cut_in_halves(stub: Stub) -> None:
    stub.behave("PutEvents", then=Error(403, "AccessDeniedException"))
    with function(stub) as take:
        answer = take(order(23))
    assert answer["rows"] == {"interactions": 0}
    assert [one["count"] for one in answer["reasons"]] == [23]
    assert len(take.bodies("PutEvents")) == 3
    assert len(take.rejected()) == 1


def test_an_event_that_is_sent_again_repeats_its_ids(stub: Stub) -> None:
    event = order(12)

    def second_fails(request: Request) -> Behavior:
        return Error(500, "InternalServerException") if len(request.body["eventList"]) == 2 else Ok()

    stub.behave("PutEvents", then=second_fails)
    with function(stub) as take, pytest.raises(TransientError):
        take(event)
    first = take.bodies("PutEvents")
    stub.behave("PutEvents", then=Ok())
    with function(stub) as take:
        assert take(event)["decision"] == "recorded"
    whole, half = sorted(first, key=lambda body: -len(body["eventList"]))[:2]
    assert sorted(map(json.dumps, first)) == sorted(map(json.dumps, [whole, half, half]))
    assert sorted(map(json.dumps, take.bodies("PutEvents")[3:])) == sorted(map(json.dumps, [whole, half]))


def test_a_write_back_that_is_repeated_has_the_same_id(stub: Stub) -> None:
    # The rejected queue fails, so the event is resent after its recommendations were written.
    stub.behave("SendMessage", then=Error(403, "AccessDeniedException"))
    lists = count(1)
    stub.behave("GetRecommendations", then=lambda request: Ok(recommendations(request.body, next(lists))))
    event = order(2)
    event["properties"]["products"][1]["product_id"] = None
    with function(stub) as take, pytest.raises(TransientError):
        take(event)
    stub.behave("SendMessage")
    with function(stub) as take:
        take(event)
        take(event | {"messageId": "m-2"})
    first, again, other = (one["messageId"] for one in take.identifies())
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("missing", "decision", "called"),
    [
        pytest.param("personalize_tracking_id", "unprovisioned", {"GetRecommendations", "batch"}, id="no tracker"),
        pytest.param("personalize_campaign_arn", "recorded", {"PutEvents"}, id="no campaign"),
        pytest.param("connections_source_api_key", "recorded", {"PutEvents"}, id="no write key"),
    ],
)
def test_what_can_be_done_without_a_setting_is_done(stub: Stub, missing: str, decision: str, called: set[str]) -> None:
    with function(stub, **{missing: None}) as take:
        answer = take(track())
    assert answer["decision"] == decision
    assert {one.operation for one in stub.calls()} == called


def test_nothing_at_all_is_called_without_settings(stub: Stub) -> None:
    with function(stub, **dict.fromkeys(ALL)) as take:
        answers = [take(one) for one in (track(), identify(), track("Unknown"))]
    assert [one["decision"] for one in answers] == ["unprovisioned", "unprovisioned", "unmapped"]
    assert stub.calls() == []


def test_a_parameter_is_found_once_it_exists(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "PAUSE_SECONDS", 0)
    names = {"personalize_tracking_id": "/p/tracker", "personalize_campaign_arn": "/p/campaign"}
    with function(stub, **{name: f"ssm:{value}" for name, value in names.items()}) as take:
        before = take(track())
        assert (before["decision"], before["recommendation"]) == ("unprovisioned", "unprovisioned")
        assert take.bodies("PutEvents") == []
        stub.parameters |= {"/p/tracker": "made-later", "/p/campaign": CAMPAIGN}
        after = take(track())
    assert (after["decision"], after["recommendation"], after["write_back"]) == ("recorded", "fetched", "sent")
    assert [one["trackingId"] for one in take.bodies("PutEvents")] == ["made-later"]


def test_a_parameter_that_does_not_exist_is_not_asked_for_with_every_event(stub: Stub) -> None:
    with function(stub, personalize_tracking_id="ssm:/p/tracker") as take:
        for number in range(3):
            take(track(messageId=f"m-{number}"))
    assert len(take.bodies("GetParameter")) == 1


def test_a_value_that_cannot_be_read_again_stays(stub: Stub) -> None:
    stub.parameters["/p/tracker"] = "the-first"
    with function(stub, personalize_tracking_id="ssm:/p/tracker", reference_refresh_seconds="1") as take:
        take(track())
        stub.behave("GetParameter", then=Error(400, "ThrottlingException"))
        time.sleep(1.1)  # the minimum time to cache a value
        assert take(track())["decision"] == "recorded"
    assert len(take.bodies("GetParameter")) > 1
    assert [one["trackingId"] for one in take.bodies("PutEvents")] == ["the-first", "the-first"]


def test_an_event_is_sent_again_if_its_tracker_was_never_read(stub: Stub) -> None:
    stub.parameters["/p/tracker"] = "tracker"
    stub.behave("GetParameter", then=Error(400, "ThrottlingException"))
    with function(stub, personalize_tracking_id="ssm:/p/tracker") as take, pytest.raises(TransientError):
        take(track())
    assert take.bodies("PutEvents") == []


def test_a_write_key_may_be_a_key_of_a_secret(stub: Stub) -> None:
    stub.secrets["segment"] = json.dumps({"other": "no", "write_key": "from-the-secret"})
    with function(stub, connections_source_api_key="secretsmanager:segment#write_key") as take:
        assert take(track())["write_back"] == "sent"
    assert [one["writeKey"] for one in take.bodies("batch")] == ["from-the-secret"]


@pytest.mark.parametrize("secret", ["no JSON", "[]", '{"other": "x"}', '{"write_key": 5}'])
def test_a_secret_without_the_write_key_keeps_no_event_from_being_recorded(stub: Stub, secret: str) -> None:
    stub.secrets["segment"] = secret
    with function(stub, connections_source_api_key="secretsmanager:segment#write_key") as take:
        answer = take(track())
    assert answer["decision"] == "recorded"
    assert answer["recommendation"] in ("failed: has no key write_key", "failed: isn't text")
    assert len(take.bodies("PutEvents")) == 1


def test_a_parameter_of_recommending_that_hangs_keeps_no_event_from_being_settled(stub: Stub) -> None:
    """Failed recommendations never fail an event, not even a partially rejected one."""
    stub.behave("GetParameter", then=Ok(after_seconds=30))
    stub.behave("SendMessage", then=Ok(after_seconds=0.1))
    event = order(2)
    event["properties"]["products"][1]["product_id"] = None
    with function(stub, personalize_campaign_arn="ssm:/p/campaign", time_budget_milliseconds="2000") as take:
        answer = take(event)
    assert (answer["decision"], answer["rows"]) == ("rejected", {"interactions": 1})
    assert len(take.rejected()) == 1


def test_our_own_write_back_is_ignored_when_it_comes_back(stub: Stub) -> None:
    with function(stub) as take:
        take(track())
        [sent] = take.identifies()
        before = len(stub.calls())
        answer = take(sent)
    assert answer == {
        "decision": "ignored",
        "rows": {},
        "reasons": [],
        "nulls": [],
        "recommendation": "",
        "write_back": "",
    }
    assert len(stub.calls()) == before
    assert stub.messages(PROFILES) == []
    assert take.rejected() == []


def test_the_same_list_is_written_once(stub: Stub) -> None:
    with function(stub) as take:
        said = [take(track(messageId=f"m-{number}"))["write_back"] for number in range(3)]
        stub.behave("GetRecommendations", then=lambda request: Ok(recommendations(request.body, 2)))
        said.append(take(track(messageId="m-4"))["write_back"])
        said.append(take(track(messageId="m-5", userId="u-2"))["write_back"])
    assert said == ["sent", "unchanged", "unchanged", "sent", "sent"]
    assert len(take.identifies()) == 3


def test_a_list_that_did_not_arrive_is_written_with_the_next_event(stub: Stub) -> None:
    stub.behave("batch", Error(400, "bad"))
    with function(stub) as take:
        said = [take(track(messageId=f"m-{number}"))["write_back"] for number in range(2)]
    assert said == ["failed: HTTP 400", "sent"]


def test_a_user_is_not_written_to_twice_within_the_interval(stub: Stub) -> None:
    with function(stub, write_back_interval_seconds="60") as take:
        said = [take(track(messageId=f"m-{number}", userId=user))["write_back"] for number, user in enumerate("aab")]
    assert said == ["sent", "too soon", "sent"]
    assert len(take.bodies("GetRecommendations")) == 2
    assert len(take.bodies("PutEvents")) == 3


def test_the_interval_ends() -> None:
    now = [100.0]
    memory, who = Memory(lambda: now[0]), Identity("u", None)
    assert not memory.too_soon(who, 60)
    memory.remember(who, ["a"])
    now[0] = 159.9
    assert memory.too_soon(who, 60)
    now[0] = 160.0
    assert not memory.too_soon(who, 60)
    assert memory.unchanged(who, ["a"])
    assert not memory.unchanged(who, ["b"])
    assert not memory.too_soon(Identity(None, "u"), 60)


def test_a_copy_of_the_function_asks_for_so_many_per_minute_whoever_they_are_for(stub: Stub) -> None:
    with function(stub, recommendations_per_minute="2") as take:
        said = [take(track(messageId=f"m-{number}", userId=f"u-{number}"))["write_back"] for number in range(4)]
    assert said == ["sent", "sent", "too many", "too many"]
    assert len(take.bodies("GetRecommendations")) == 2
    assert len(take.bodies("PutEvents")) == 4


@pytest.mark.parametrize(
    ("event", "write_back"),
    [
        pytest.param(track("Product Viewed"), "", id="a view"),
        pytest.param(track("Product Clicked"), "", id="a click"),
        pytest.param(identify(), "", id="a user"),
        pytest.param(track("Product Added"), "sent", id="a cart"),
        pytest.param(track("Product Added to Wishlist"), "sent", id="a wishlist"),
        pytest.param(order(2), "sent", id="a purchase of two lines"),
        pytest.param(track("Completed Order"), "sent", id="a purchase by another name"),
        pytest.param(track("Video Content Started", {"asset_id": "v-1"}), "sent", id="a video"),
    ],
)
def test_by_default_it_is_written_back_after_what_tells_much(stub: Stub, event: Event, write_back: str) -> None:
    with function(stub, write_back_events="") as take:
        assert take(event)["write_back"] == write_back
    assert len(take.bodies("GetRecommendations")) == (write_back == "sent")


@pytest.mark.parametrize(
    ("triggers", "event", "decision", "write_back"),
    [
        pytest.param("*", track(), "recorded", "sent", id="all, and an interaction"),
        pytest.param("*", identify(), "recorded", "", id="all, and a user"),
        pytest.param("*", track("Unknown"), "unmapped", "", id="all, and no rule"),
        pytest.param('["Product Clicked"]', track(), "recorded", "sent", id="in the list"),
        pytest.param('["Order Completed"]', track(), "recorded", "", id="not in the list"),
        pytest.param("", track("Purchase"), "unmapped", "", id="by type, and no rule"),
        pytest.param("", track("Product Added", {}), "rejected", "", id="by type, and nothing to record"),
        pytest.param("[]", track(), "recorded", "", id="an empty list"),
        pytest.param('["Cart Viewed"]', track("Cart Viewed"), "ignored", "sent", id="a trigger without a rule"),
        pytest.param(
            '["Home"]',
            {**track(), "type": "page", "name": "Home"},
            "ignored",
            "sent",
            id="a page without a rule",
        ),
        pytest.param('["Product Clicked"]', track(properties={}), "rejected", "sent", id="a trigger without its item"),
        pytest.param("*", track(properties={}), "rejected", "", id="all, and nothing to record"),
        pytest.param(
            '["Cart Viewed"]',
            track("Cart Viewed", userId=None, anonymousId=None),
            "ignored",
            "no identity",
            id="without a user",
        ),
    ],
)
def test_triggers_say_after_which_events_it_is_written_back(
    stub: Stub, triggers: str, event: Event, decision: str, write_back: str
) -> None:
    with function(stub, write_back_events=triggers) as take:
        answer = take(event)
    assert (answer["decision"], answer["write_back"]) == (decision, write_back)
    assert len(take.identifies()) == (write_back == "sent")
    assert len(take.rejected()) == (decision == "rejected")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(order(1, messageId="m" * 256), id="its id is too long with the line's number"),
        pytest.param(order(0), id="it has no lines"),
    ],
)
def test_after_an_event_of_which_nothing_was_recorded_nothing_is_written_back(stub: Stub, event: Event) -> None:
    with function(stub) as take:
        answer = take(event)
    assert (answer["decision"], answer["rows"].get("interactions", 0)) == ("rejected", 0)
    assert take.identifies() == []
    assert answer["write_back"] == ""


def test_an_event_that_was_refused_is_not_written_back_for(stub: Stub) -> None:
    stub.behave("PutEvents", then=Error(400, "InvalidInputException"))
    with function(stub) as take:
        assert take(track())["write_back"] == ""
    assert take.identifies() == []


def test_a_visitor_gets_no_recommendations_unless_the_setting_says_so(stub: Stub) -> None:
    event = track(anonymousId="u-1", userId=None)
    with function(stub) as take:
        answer = take(event)
    assert (answer["decision"], answer["recommendation"], answer["write_back"]) == ("recorded", "", "visitor")
    assert (take.bodies("GetRecommendations"), take.identifies()) == ([], [])


def test_nobody_gets_recommendations_for_another_user(stub: Stub) -> None:
    mapping = json.loads(default_text())
    mapping["interactions"]["fields"]["USER_ID"] = {"from": ["properties.customer", "userId"]}
    event = track("Order Completed", {"products": [{"product_id": "item-1"}], "customer": "u-2"}, userId="u-1")
    with function(stub, event_mapping=json.dumps(mapping)) as take:
        answer = take(event)
        own = take(event | {"userId": "u-2", "messageId": "m-2"})
    assert (answer["decision"], answer["recommendation"], answer["write_back"]) == ("recorded", "", "another user")
    assert own["write_back"] == "sent"
    assert [one["userId"] for one in take.bodies("GetRecommendations")] == ["u-2"]


def test_a_profile_of_another_user_asks_for_nobody(stub: Stub) -> None:
    mapping = json.loads(default_text())
    mapping["users"]["fields"]["USER_ID"] = {"from": ["properties.customer", "userId"]}
    mapping["users"]["track"] = {"Plan Changed": {"fields": {"PLAN": {"from": ["properties.plan"], "type": "string"}}}}
    event = track("Plan Changed", {"customer": "u-2", "plan": "pro"}, userId="u-1")
    with function(stub, event_mapping=json.dumps(mapping), write_back_events='["Plan Changed"]') as take:
        answer = take(event)
        own = take(event | {"userId": "u-2", "messageId": "m-2"})
    assert (answer["decision"], answer["write_back"], own["write_back"]) == ("recorded", "another user", "sent")
    assert [one["userId"] for one in take.bodies("GetRecommendations")] == ["u-2"]


def test_an_event_without_a_row_asks_for_nobody_but_the_user_whom_the_mapping_knows(stub: Stub) -> None:
    mapping = json.loads(default_text())
    mapping["interactions"]["fields"]["USER_ID"] = {"from": ["properties.customer"]}
    named, unnamed = track("Cart Viewed", {"customer": "u-1"}), track("Cart Viewed", {}, messageId="m-2")
    with function(stub, event_mapping=json.dumps(mapping), write_back_events='["Cart Viewed"]') as take:
        assert take(unnamed)["write_back"] == "another user"
        assert take(unnamed | {"properties": {"customer": "u-2"}})["write_back"] == "another user"
        assert take(named)["write_back"] == "sent"
    assert [one["userId"] for one in take.bodies("GetRecommendations")] == ["u-1"]


def test_ids_that_could_be_markup_are_not_written_back(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ["item-1", "<script>", "a&b", "it's", '"', "`", "a > b", "ü/1"]
    stub.behave("GetRecommendations", Ok({"itemList": [{"itemId": one} for one in ids], "recommendationId": "r"}))
    with function(stub) as take:
        take(track())
    [sent] = take.identifies()
    assert sent["traits"]["recommendations"] == ["item-1", "ü/1"]
    assert '"RecommendationMarkup":[6.0]' in capsys.readouterr().out


def test_a_visitor_without_a_user_is_written_to_by_the_anonymous_id(stub: Stub) -> None:
    event = track()
    del event["userId"]
    with function(stub, recommend_to_visitors="true") as take:
        answer = take(event)
    assert (answer["decision"], answer["write_back"]) == ("recorded", "sent")
    [body] = take.bodies("PutEvents")
    assert (body["sessionId"], "userId" in body) == ("a-1", False)
    assert [one["userId"] for one in take.bodies("GetRecommendations")] == ["a-1"]
    [sent] = take.identifies()
    assert (sent.get("userId"), sent["anonymousId"]) == (None, "a-1")


@pytest.mark.parametrize("user", ["", " ", "\t\u000b", "undefined", "null", "NaN", "None", "[object Object]", None])
def test_a_user_of_nothing_is_a_visitor(stub: Stub, user: str | None) -> None:
    with function(stub) as take:
        view = take(track("Product Viewed", {"product_id": "item-1", "price": 1}, userId=user))
        traits = take(identify(userId=user))
    assert (view["decision"], view["rows"], view["reasons"]) == ("recorded", {"interactions": 1, "items": 1}, [])
    assert (traits["decision"], traits["rows"], traits["reasons"]) == ("ignored", {}, [])
    assert [(body["sessionId"], "userId" in body) for body in take.bodies("PutEvents")] == [("a-1", False)]
    assert [json.loads(profile)[1] for profile in stub.messages(PROFILES)] == ["items"]
    assert take.rejected() == []


@pytest.mark.parametrize(("value", "decision"), [("stitch", "recorded"), ("as_users", "recorded"), ("drop", "ignored")])
def test_a_mapping_that_drops_visitors_drops_them_live_too(stub: Stub, value: str, decision: str) -> None:
    with function(stub, event_mapping=visitors(value).text) as take:
        clicked = take(track("Product Clicked", {"product_id": "item-1"}, userId=None))
        unknown = take(track("Product Clicked", {"product_id": "item-1"}, userId=None, anonymousId=None))
    assert (clicked["decision"], clicked["reasons"]) == (decision, [])
    assert unknown["decision"] == "rejected"
    assert [body["sessionId"] for body in take.bodies("PutEvents")] == ["a-1"] * (decision == "recorded")


@pytest.mark.parametrize(("anonymous", "decision"), [("a-1", "ignored"), (" ", "rejected"), (None, "rejected")])
def test_an_identify_of_nobody_at_all_is_kept(stub: Stub, anonymous: str | None, decision: str) -> None:
    with function(stub) as take:
        assert take(identify(userId="", anonymousId=anonymous))["decision"] == decision
    assert len(take.rejected()) == (decision == "rejected")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_time_that_would_fail_an_import_is_rejected(stub: Stub, at: str) -> None:
    with function(stub) as take:
        answer = take(track(timestamp=at))
    why = "not an ISO-8601 instant with an offset, from 1970-01-01 to 2286-11-20"
    assert (answer["decision"], answer["rows"]) == ("rejected", {})
    assert [(one["field"], one["reason"]) for one in answer["reasons"]] == [("TIMESTAMP", why)]
    assert [one["reasons"] for one in take.rejected()] == [answer["reasons"]]


@pytest.mark.parametrize("received", [{}, {"receivedAt": "9999-12-31T00:00:00Z"}, {"receivedAt": 7}])
def test_a_forged_clock_is_the_present(stub: Stub, received: Event) -> None:
    began = int(time.time())
    with function(stub) as take:
        take(
            track("Product Viewed", {"product_id": "item-1", "price": 1}, timestamp="9998-01-01T00:00:00Z", **received)
        )
    [body] = take.bodies("PutEvents")
    assert began <= body["eventList"][0]["sentAt"] <= time.time()
    [profile] = stub.messages(PROFILES)
    assert began <= json.loads(profile)[-1][0] <= time.time()


def test_an_optional_value_that_cannot_be_used_is_listed_and_counted(
    stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    received = "2024-03-01T12:34:56Z"
    with function(stub) as take:
        answer = take(
            track(
                "Product Viewed",
                {"product_id": "item-1", "price": "1,299.00", "brand": {"name": "b"}, "genre": "g"},
                timestamp="2038-01-19T03:14:08Z",
                receivedAt=received,
            )
        )
    assert (answer["decision"], answer["rows"]) == ("recorded", {"interactions": 1, "items": 1})
    assert [(one["dataset"], one["field"]) for one in answer["nulls"]] == [("items", "BRAND"), ("items", "PRICE")]
    assert [one["sentAt"] for body in take.bodies("PutEvents") for one in body["eventList"]] == [1709296496]
    measured = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["ValuesUnusable"], one["RowsAhead"]) for one in measured if "ValuesUnusable" in one] == [
        ([2.0], [2.0])
    ]
    assert take.rejected() == []


def test_a_write_back_may_be_an_object(stub: Stub) -> None:
    settings = {"write_back_shape": "object", "write_back_trait": "picks", "recommendation_count": "2"}
    with function(stub, **settings) as take:
        take(track())
    [sent] = take.identifies()
    value = sent["traits"]["picks"]
    assert set(value) == {"items", "recommendation_id", "generated_at"}
    assert (value["items"], value["recommendation_id"]) == (["item-1", "item-2"], "RID-1")
    assert value["generated_at"].endswith("Z")


@pytest.mark.parametrize("shape", ["ids", "object"])
@pytest.mark.parametrize("user", ["u", "🫖" * 256], ids=["short user", "longest user"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("x" * 253, id="ASCII"),
        pytest.param("é" * 253, id="six bytes a letter"),
        pytest.param("🫖" * 253, id="twelve bytes a letter"),
        pytest.param("x" * 248 + "é" * 4, id="nothing to spare"),
    ],
)
def test_a_write_back_fits_into_what_segment_takes(stub: Stub, shape: str, user: str, name: str) -> None:
    items = [f"{number:03}{name}" for number in range(500)]
    stub.behave("GetRecommendations", then=Ok({"itemList": [{"itemId": one} for one in items]}))
    with function(stub, write_back_shape=shape, recommendation_count="500") as take:
        answer = take(track(userId=user))
    assert answer["write_back"] == "sent"
    [sent] = take.identifies()
    assert len(json.dumps(sent).encode()) <= 32 * 1024
    value = sent["traits"]["recommendations"]
    kept = value if shape == "ids" else value["items"]
    assert kept == items[: len(kept)]
    assert len(json.dumps(kept)) > 20_000


def test_a_workspace_in_the_eu_is_written_to_there(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def serve() -> None:
            for _ in range(2):  # a write-back is tried twice
                connection, _ = proxy.accept()
                with connection:
                    asked.append(connection.recv(1 << 16).split(b"\r\n")[0])

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with function(stub, segment_host="https://events.eu1.segmentapis.com") as take:
            answer = take(track())
        thread.join()
    assert {line.rpartition(b" ")[0] for line in asked} == {b"CONNECT events.eu1.segmentapis.com:443"}
    assert answer["decision"] == "recorded"
    assert answer["write_back"].startswith("failed: ")


FILTER = {
    "recommendation_filter_arn": f"{ARN}:filter/by-category",
    "recommendation_filter_values": '{"CATEGORY": "properties.category", "MOST": "properties.most"}',
}


@pytest.mark.parametrize(
    ("properties", "values"),
    [
        pytest.param({"category": "Tea", "most": 5}, {"CATEGORY": '"Tea"', "MOST": "5"}, id="a text and a number"),
        pytest.param(
            {"category": ["Tea", "Cups"], "most": 1.5}, {"CATEGORY": '"Tea","Cups"', "MOST": "1.5"}, id="several"
        ),
        pytest.param({"category": "Té", "most": 0}, {"CATEGORY": '"Té"', "MOST": "0"}, id="other letters"),
        pytest.param({"category": 'x" OR "y', "most": 5}, {"MOST": "5"}, id="a quote"),
        pytest.param({"category": [], "most": 5}, {"MOST": "5"}, id="none of several"),
        pytest.param({"category": "Tea"}, {"CATEGORY": '"Tea"'}, id="one is missing"),
        pytest.param({"category": "Tea", "most": {"a": 1}}, {"CATEGORY": '"Tea"'}, id="an object"),
    ],
)
def test_values_of_the_filter_come_from_the_event(stub: Stub, properties: Event, values: dict[str, str]) -> None:
    with function(stub, **FILTER) as take:
        answer = take(track(properties={"product_id": "item-1"} | properties))
    assert answer["decision"] == "recorded"
    [body] = take.bodies("GetRecommendations")
    assert (body["filterArn"], body["filterValues"]) == (FILTER["recommendation_filter_arn"], values)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        pytest.param({"category": "Tea"}, "no filter value", id="for want of a value"),
        pytest.param({"category": "Tea", "most": 5}, "failed: InvalidInputException", id="with all values"),
    ],
)
def test_a_filter_that_needs_all_values_is_not_a_failure_without_them(stub: Stub, properties: Event, said: str) -> None:
    stub.behave("GetRecommendations", then=Error(400, "InvalidInputException", "Filter values are missing"))
    with function(stub, **FILTER) as take:
        answer = take(track(properties={"product_id": "item-1"} | properties))
    assert (answer["decision"], answer["recommendation"]) == ("recorded", said)


def test_the_context_comes_from_the_event(stub: Stub) -> None:
    paths = {"DEVICE": "context.device.type", "HOUR": "properties.hour", "NEW": "properties.new", "NO": "context.no"}
    with function(stub, recommendation_context=json.dumps(paths)) as take:
        take(track(properties={"product_id": "item-1", "hour": 7, "new": True}, context={"device": {"type": "phone"}}))
    assert [one["context"] for one in take.bodies("GetRecommendations")] == [
        {"DEVICE": "phone", "HOUR": "7", "NEW": "true"}
    ]


def test_a_recommender_is_asked_as_one(stub: Stub) -> None:
    arn = f"{ARN}:recommender/shop"
    with function(stub, personalize_campaign_arn=arn) as take:
        take(track())
    assert [one.get("recommenderArn") for one in take.bodies("GetRecommendations")] == [arn]


def test_without_a_queue_users_and_items_are_sent_at_once(stub: Stub) -> None:
    with function(stub, profile_queue_url=None) as take:
        answers = [take(identify()), take(track("Product Viewed", {"product_id": "item-1", "price": 2.5}))]
    assert [one["rows"] for one in answers] == [{"users": 1}, {"interactions": 1, "items": 1}]
    assert take.bodies("PutUsers") == [
        {"datasetArn": f"{ARN}:dataset/shop/USERS", "users": [{"userId": "u-1", "properties": '{"plan":"pro"}'}]}
    ]
    assert [one["items"] for one in take.bodies("PutItems")] == [[{"itemId": "item-1", "properties": '{"price":2.5}'}]]


ITEMS_OF_ORDERS = {
    "version": 1,
    "items": {
        "fields": {
            "ITEM_ID": {"from": ["properties.product_id"]},
            "PRICE": {"from": ["properties.price"], "type": "float", "optional": True},
        },
        "track": {
            "Order Completed": {
                "each": "properties.products",
                "fields": {"ITEM_ID": {"from": [".product_id"]}, "PRICE": {"from": [".price"], "optional": True}},
            }
        },
    },
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product_id"]},
            "TIMESTAMP": {"from": ["timestamp"]},
        },
        "track": {"Product Viewed": {}},
    },
}


@pytest.mark.parametrize(("refuse", "recorded"), [pytest.param(False, 1, id="taken"), pytest.param(True, 0, id="not")])
def test_two_lines_of_one_item_are_one_row(stub: Stub, refuse: bool, recorded: int) -> None:
    if refuse:
        stub.behave("PutItems", then=Error(400, "InvalidInputException"))
    event = order(2)
    event["properties"]["products"][1]["product_id"] = "item-0"
    with function(stub, event_mapping=json.dumps(ITEMS_OF_ORDERS), profile_queue_url=None) as take:
        answer = take(event)
    assert [len(one["items"]) for one in take.bodies("PutItems")] == [1]
    assert answer["rows"] == {"items": recorded}
