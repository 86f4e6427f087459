"""Recommendations are written back on time, cut to Segment's limits, and retried if that helps."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from segment.analytics.consumer import MAX_MSG_SIZE
from segment.analytics.request import APIError

from personalize_segment.errors import WriteBackError
from personalize_segment.live import writeback
from personalize_segment.live.deadline import Deadline
from personalize_segment.live.recommend import Recommendation
from personalize_segment.live.writeback import ATTEMPTS, Identity, Memory, segment, traits, write_back
from stub import Behavior, Close, Error, Ok, Raw, Reset, Stub

AT = datetime(2026, 11, 24, 8, 0, 0, 999_999, UTC)
ANNA, BEN = Identity("anna", None), Identity(None, "anna")


class Clock:
    """Seconds as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param({"userId": "u", "anonymousId": "a"}, Identity("u", None), id="a user before a visitor"),
        pytest.param({"anonymousId": "a"}, Identity(None, "a"), id="a visitor"),
        pytest.param({"userId": "", "anonymousId": "a"}, Identity(None, "a"), id="an empty user"),
        pytest.param({"userId": 0}, Identity("0", None), id="a number"),
        pytest.param({"userId": None}, None, id="no user"),
        pytest.param({"userId": ["u"], "anonymousId": {}}, None, id="no ids"),
    ],
)
def test_an_identity_is_the_user_or_else_the_visitor(event: dict[str, Any], expected: Identity | None) -> None:
    assert Identity.of(event) == expected


@pytest.mark.parametrize(
    ("later", "interval", "expected"), [(0, 60, True), (59.9, 60, True), (60, 60, False), (0, 0, False)]
)
def test_a_write_back_is_too_soon_until_the_interval_is_over(later: float, interval: int, expected: bool) -> None:
    clock = Clock()
    memory = Memory(clock)
    assert not memory.too_soon(ANNA, interval)
    memory.remember(ANNA, ["a"])
    clock.now += later
    assert memory.too_soon(ANNA, interval) is expected
    assert not memory.too_soon(BEN, interval), "a visitor of the same name is somebody else"


def test_a_list_is_unchanged_if_it_has_the_same_items_in_the_same_order() -> None:
    memory = Memory(Clock())
    assert not memory.unchanged(ANNA, [])
    memory.remember(ANNA, ["a", "b"])
    assert memory.unchanged(ANNA, ["a", "b"])
    assert not memory.unchanged(ANNA, ["b", "a"])
    assert not memory.unchanged(BEN, ["a", "b"])
    memory.remember(ANNA, ["c"])
    assert not memory.unchanged(ANNA, ["a", "b"])


def test_memory_forgets_whoever_was_written_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writeback, "MAX_REMEMBERED", 3)
    memory = Memory(Clock())
    people = [Identity(f"u{number}", None) for number in range(4)]
    for who in (*people[:3], people[0], people[3]):
        memory.remember(who, ["a"])
    assert [memory.unchanged(who, ["a"]) for who in people] == [True, False, True, True]


def test_the_trait_has_the_ids_or_an_object() -> None:
    recommendation = Recommendation(["b", "a"], "RID-1", AT)
    assert traits(recommendation, "for_you", "ids") == {"for_you": ["b", "a"]}
    assert traits(recommendation, "for_you", "object") == {
        "for_you": {"items": ["b", "a"], "recommendation_id": "RID-1", "generated_at": "2026-11-24T08:00:00Z"}
    }


USERS = [pytest.param("u", id="short"), pytest.param("é" * 256, id="letters"), pytest.param("😀" * 256, id="emoji")]


@pytest.mark.parametrize("shape", ["ids", "object"])
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("letter", ["i", "é", "😀", '"'])
def test_an_identify_has_as_many_of_the_best_items_as_segment_takes(shape: str, user: str, letter: str) -> None:
    client = segment("key", "http://127.0.0.1:9")
    client.send = False
    for length in range(1, 254, 9):
        items = [letter * length + f"{number:03}" for number in range(500)]
        made = traits(Recommendation(items, "r" * 40, AT), "recommendations", shape)
        value = made["recommendations"]
        kept = value if shape == "ids" else value["items"]
        assert kept == items[: len(kept)]
        # At least half the limit, because an empty list would always be within it.
        assert len(kept) == 500 or len(json.dumps(kept)) > MAX_MSG_SIZE / 2
        write_back(client, Identity(user, None), made, "m1", Deadline(60))


def test_a_short_list_is_not_cut() -> None:
    items = [f"item-{number}" for number in range(500)]
    assert traits(Recommendation(items, None, AT), "t", "ids") == {"t": items}


class Once(Deadline):
    """A deadline that is over after the first try."""

    def left(self) -> float:
        """Return nothing."""
        return 0.0


def _send(stub: Stub, deadline: Deadline | None = None, who: Identity = ANNA, message_id: str = "m1") -> None:
    write_back(segment("key", stub.url), who, {"t": ["a"]}, message_id, deadline or Deadline(60))


@pytest.mark.parametrize("who", [ANNA, BEN])
def test_the_identify_opts_out_and_bears_our_mark(who: Identity) -> None:
    with Stub() as stub:
        _send(stub, who=who)
        [call] = stub.calls()
    [message] = call.body["batch"]
    assert call.headers["authorization"] == "Basic a2V5Og=="
    assert message["type"] == "identify"
    assert (message.get("userId"), message.get("anonymousId")) == tuple(who)
    assert message["traits"] == {"t": ["a"]}
    assert message["integrations"] == {"Amazon Personalize": False, "Personalize": False}
    assert message["messageId"].startswith("personalize-segment-")
    assert len(message["messageId"]) <= 100


def test_the_mark_follows_from_the_event_and_the_user() -> None:
    with Stub() as stub:
        for who, message_id in ((ANNA, "m1"), (ANNA, "m1"), (ANNA, "m2"), (BEN, "m1")):
            _send(stub, who=who, message_id=message_id)
        marks = [call.body["batch"][0]["messageId"] for call in stub.calls()]
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


@pytest.mark.parametrize(
    ("behavior", "code", "again"),
    [
        pytest.param(Error(400, "invalid"), "HTTP 400", False, id="400"),
        pytest.param(Error(401, "unauthorized"), "HTTP 401", False, id="401"),
        pytest.param(Error(403, "forbidden"), "HTTP 403", False, id="403"),
        pytest.param(Error(404, "unknown"), "HTTP 404", False, id="404"),
        pytest.param(Error(413, "too large"), "HTTP 413", False, id="413"),
        pytest.param(Error(429, "slow down"), "HTTP 429", True, id="429"),
        pytest.param(Error(500, "broken"), "HTTP 500", True, id="500"),
        pytest.param(Raw(502), "HTTP 502", True, id="502, a page"),
        pytest.param(Raw(503, b"[1]"), "HTTP 503", True, id="503, an array"),
        pytest.param(Raw(504, b""), "HTTP 504", True, id="504, nothing"),
        pytest.param(Raw(304, b""), "HTTP 304", False, id="a redirect to nowhere"),
        pytest.param(Reset(), "ConnectionError", True, id="reset"),
        pytest.param(Close(), "ConnectionError", True, id="closed"),
    ],
)
def test_trouble_is_said_and_tried_again_if_that_can_help(behavior: Behavior, code: str, again: bool) -> None:
    with Stub() as stub:
        stub.behave("batch", then=behavior)
        with pytest.raises(WriteBackError) as caught:
            _send(stub)
        tries = [call.body["batch"][0]["messageId"] for call in stub.calls()]
        assert (caught.value.place, caught.value.problem) == (stub.url, code)
        assert len(tries) == (ATTEMPTS if again else 1)
        assert len(set(tries)) == 1, "a second try must not count twice"
        if again:
            stub.behave("batch", behavior, Ok())
            _send(stub)
            stub.behave("batch", then=behavior)
            with pytest.raises(WriteBackError, match=code):
                _send(stub, Once(60))
            assert len(stub.calls()) == ATTEMPTS + 2 + 1


def _raise(error: Exception) -> Callable[..., None]:
    def identify(**_: Any) -> None:
        raise error

    return identify


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectTimeout(),
        requests.ReadTimeout(),
        requests.exceptions.SSLError(),
        requests.exceptions.ProxyError(),
        requests.exceptions.ChunkedEncodingError(),
        requests.TooManyRedirects(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    client = segment("key", "https://segment.invalid")
    tries = 0

    def identify(**_: Any) -> None:
        nonlocal tries
        tries += 1
        raise error

    monkeypatch.setattr(client, "identify", identify)
    with pytest.raises(WriteBackError) as caught:
        write_back(client, ANNA, {}, "m1", Deadline(60))
    assert (tries, caught.value.problem) == (ATTEMPTS, type(error).__name__)


def test_no_error_of_ours_shows_the_write_key(monkeypatch: pytest.MonkeyPatch) -> None:
    client = segment("s3cr3t", "https://segment.invalid")
    monkeypatch.setattr(client, "identify", _raise(APIError(401, "unauthorized", "no")))
    with pytest.raises(WriteBackError) as caught:
        write_back(client, ANNA, {}, "m1", Deadline(60))
    assert "s3cr3t" not in f"{caught.value} {caught.value!r}"


def test_the_client_has_no_thread_and_no_time_out_beyond_seconds() -> None:
    client = segment("key", "https://segment.invalid")
    assert client.consumers is None
    assert client.timeout == (1, 2)
