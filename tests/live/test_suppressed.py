"""Live events of deleted users are refused: no rows, no recommendations, nothing kept."""

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from live_function import PROFILES, REJECTED, Context, function, identify, track
from personalize_segment.contract.mapping import default_text
from personalize_segment.contract.rows import Reason
from personalize_segment.contract.suppression import SuppressionList, empty
from personalize_segment.errors import TransientError
from personalize_segment.live import clients, handler
from personalize_segment.live.payloads import ProfileRecord
from personalize_segment.live.record import message, reject
from personalize_segment.live.redrive import Lease, messages, send
from personalize_segment.live.suppressed import PAUSE_SECONDS, Suppressed
from stub import Stub

LIST = "s3://shop/privacy/suppressed.csv"
KNOWN = SuppressionList("0" * 32).plus(["u-1"])


class Bucket:
    """S3 with one object, or with none (None)."""

    def __init__(self, data: bytes | None) -> None:
        self.data, self.asked = data, 0

    def get_object(self, **request: str) -> dict[str, Any]:
        """Return the object."""
        assert request == {"Bucket": "shop", "Key": "privacy/suppressed.csv"}
        self.asked += 1
        if self.data is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(self.data)}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as one:
        yield one


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return the bucket from which the functions read their list."""
    made, new = Bucket(KNOWN.text().encode()), clients.Clients._new

    def client(self: clients.Clients, service: str, region: str | None = None) -> Any:
        return made if service == "s3" else new(self, service, region)

    monkeypatch.setattr(clients.Clients, "_new", client)
    return made


def test_without_a_list_everybody_is_recorded(stub: Stub, bucket: Bucket) -> None:
    with function(stub) as take:
        assert take(track())["decision"] == "recorded"
    assert bucket.asked == 0


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(track(), id="an interaction"),
        pytest.param(identify(), id="traits"),
        pytest.param(track("Unknown"), id="an event without a rule"),
        pytest.param(track(properties={}), id="an event that is refused"),
    ],
)
def test_nothing_of_a_user_on_the_list_is_recorded_recommended_or_kept(
    stub: Stub, bucket: Bucket, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with function(stub, suppression_list=LIST, keep_unmapped="true", write_back_events="*") as take:
        answer = take(event)
        other = take(track(userId="u-2", messageId="m-2"))
    assert (answer["decision"], answer["reasons"], any(answer["rows"].values())) == ("suppressed", [], False)
    assert other["decision"] == "recorded"
    assert take.recorded() == ["m-2"]
    assert {body["userId"] for body in take.bodies("GetRecommendations")} == {"u-2"}
    assert {one["userId"] for one in take.identifies()} == {"u-2"}
    assert stub.messages(PROFILES) == []
    assert take.rejected() == []
    assert '"decision":"suppressed"' in capsys.readouterr().out
    assert bucket.asked == 1


def test_what_their_events_say_of_items_stays(stub: Stub, bucket: Bucket) -> None:
    with function(stub, suppression_list=LIST) as take:
        answer = take(track("Product Viewed", {"product_id": "item-1", "price": 2}))
    assert (answer["decision"], answer["rows"]) == ("suppressed", {"items": 1})
    assert [json.loads(body)[1:3] for body in stub.messages(PROFILES)] == [["items", "item-1"]]
    assert take.recorded() == []


def test_profiles_of_theirs_that_wait_in_the_queue_are_dropped(
    stub: Stub, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [message(ProfileRecord("users", name, {"PLAN": "pro"}, (0, ""))) for name in ("u-1", "u-2")]
    payload = {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}
    with function(stub, suppression_list=LIST, profile_calls_per_second="1000") as take:
        assert handler.profile_batch(payload, Context(10)) == {"batchItemFailures": []}
    assert [one["userId"] for body in take.bodies("PutUsers") for one in body["users"]] == ["u-2"]
    assert take.rejected() == []
    [counts] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ProfilesRecorded" in line]
    assert (counts["ProfilesRecorded"], counts["ProfilesSuppressed"]) == ([1], [1])


def test_a_user_whom_the_mapping_reads_elsewhere_is_not_kept_either(stub: Stub, bucket: Bucket) -> None:
    document = json.loads(default_text())
    document["interactions"]["fields"]["USER_ID"]["from"] = ["properties.user"]
    with function(stub, suppression_list=LIST, event_mapping=json.dumps(document)) as take:
        answer = take(track(properties={"user": "u-1"}, userId="u-3"))
    assert (answer["decision"], take.rejected(), take.recorded()) == ("suppressed", [], [])


def test_no_redrive_brings_a_forgotten_user_back(stub: Stub, bucket: Bucket) -> None:
    profile = [2, "users", "u-1", {"PLAN": "pro"}, [0, ""]]
    with function(stub) as take:
        take(track(properties={}))
        reject(boto3.client("sqs"), REJECTED, [Reason("users", "PutUsers", "refused")], "digest", profile=profile)
    with function(stub, suppression_list=LIST, profile_calls_per_second="1000") as take:
        with Lease(boto3.client("sqs"), REJECTED) as lease:
            done = send(lease, list(messages(lease, 10)), take, PROFILES, rate=50)
        assert (done.recorded, dict(done.failed)) == (2, {})
        [body] = stub.messages(PROFILES)
        assert json.loads(body) == profile
        handler.profile_batch({"Records": [{"messageId": "1", "body": body}]}, Context(10))
        assert take.bodies("PutUsers") == take.bodies("PutEvents") == []


@pytest.mark.parametrize("data", [None, b"nonsense", KNOWN.text().encode()[:-1]], ids=["none", "nonsense", "cut off"])
def test_no_list_is_not_a_list_of_nobody(stub: Stub, bucket: Bucket, data: bytes | None) -> None:
    bucket.data = data
    with function(stub, suppression_list=LIST) as take:
        with pytest.raises(TransientError, match=r"suppressed\.csv"):
            take(track())
        with pytest.raises(TransientError):
            handler.profile_batch({"Records": [{"messageId": "1", "body": "junk"}]}, Context(10))
        bucket.data = b""
        assert take(track())["decision"] == "recorded"


def test_the_list_is_read_again_and_stays_if_it_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    now, bucket = [0.0], Bucket(empty().text().encode())
    client: Any = bucket
    known = Suppressed(client, LIST, 300, lambda: now[0])
    assert not known.list().holds("u-1")
    bucket.data = KNOWN.text().encode()
    assert not known.list().holds("u-1")
    now[0] = 300.0
    assert known.list().holds("u-1")
    bucket.data = None
    now[0] = 600.0
    assert known.list().holds("u-1")
    assert bucket.asked == 3
    [said] = caplog.messages
    assert "keeping the cached suppression list" in said
    now[0] += PAUSE_SECONDS - 1
    assert known.list().holds("u-1")
    assert bucket.asked == 3
    bucket.data = b""
    now[0] += 1
    assert not known.list().holds("u-1")
