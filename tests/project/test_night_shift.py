"""The night shift: a replaced event tracker, 1,100 rejected events, and docs/operations.md alone."""

import io
import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws

from documents import changed
from in_process import run
from live_function import Context, forget, track
from personalize_emulator import Clock, Emulator, install, moto_patches
from personalize_emulator.moto_patches import applied
from personalize_segment.live import handler
from stack import SHOP

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
REJECTED = 1_100
#: The operator's time budget.
NIGHT_SECONDS = 300
#: The page's five minutes, in which the function reads a parameter again.
REFRESH_SECONDS = 1
SPEC = changed(SHOP, {f"datasets/{one}/import": ... for one in SHOP["datasets"]} | {"solutions": {}, "campaigns": {}})
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-rejected"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield SQS, which has the queue, of the emulator in this process, and a function that stays warm."""
    variables = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    variables |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    variables |= {
        "PERSONALIZE_SEGMENT_POLL": "0.05",
        "personalize_tracking_id": "ssm:/shop/personalize/tracking_id",
        "reference_refresh_seconds": str(REFRESH_SECONDS),
        "rejected_queue_url": QUEUE,
        # Sixteen run in this process at once. On a busy machine, one may wait for longer than Segment would.
        "time_budget_milliseconds": "50000",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        mock_aws(config={"core": {"passthrough": {"services": ["personalize"]}}}),
        applied(moto_patches.PATCHES),
    ):
        session = boto3.Session()
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        install(Emulator(Clock(400_000)), session)
        events: Any = session.events
        events.register("before-call.lambda.Invoke", _invoke)
        forget()
        sqs = boto3.client("sqs")
        assert sqs.create_queue(QueueName="shop-rejected")["QueueUrl"] == QUEUE
        yield sqs
        forget()


def _invoke(params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    payload = json.dumps(handler.segment_event(json.loads(params["body"]), Context(60))).encode()
    return AWSResponse("", 200, HTTPHeaders(), None), {"StatusCode": 200, "Payload": io.BytesIO(payload)}


def _commands(row: str) -> list[list[str]]:
    """Return the commands in a row of the page's tables, as arguments."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    return [shlex.split(one) for one in re.findall(r"`personalize-segment ([^`]+)`", line)]


def _replace_the_tracker() -> None:
    """Delete the event tracker and create another by hand, so that the function has the id of none."""
    api = boto3.client("personalize")
    [tracker] = api.list_event_trackers()["eventTrackers"]
    [group] = api.list_dataset_groups()["datasetGroups"]
    api.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
    while api.list_event_trackers()["eventTrackers"]:
        time.sleep(0.01)
    api.create_event_tracker(name="by-hand", datasetGroupArn=group["datasetGroupArn"])


def test_the_night_shift_needs_nothing_but_the_page(
    queue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = {"queues": {"rejected": QUEUE}, "functions": {"event": "shop-event"}}
    outputs = {"personalize": {"value": SPEC, "type": "x"}, "operations": {"value": operations, "type": "x"}}
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    monkeypatch.chdir(tmp_path)
    assert run("apply", "--yes", "outputs.json").returncode == 0
    assert handler.segment_event(track(messageId="m"), Context(60))["decision"] == "recorded"
    _replace_the_tracker()
    assert handler.segment_event(track(messageId="m-0"), Context(60))["decision"] == "rejected"
    [message] = queue.receive_message(QueueUrl=QUEUE, VisibilityTimeout=0)["Messages"]
    bodies = [message["Body"].replace('"m-0"', f'"m-{n}"') for n in range(1, REJECTED)]
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
        assert not queue.send_message_batch(QueueUrl=QUEUE, Entries=entries).get("Failed")

    began = time.monotonic()
    look, send = _commands("events are rejected")
    looked = run(*look)
    assert (looked.returncode, f"{REJECTED:,} of about {REJECTED:,} messages" in looked.stderr) == (0, True)
    [why] = [[cell.strip() for cell in line.split("│")[1:-1]] for line in looked.stdout.splitlines() if "│" in line]
    assert why[:4] == [f"{REJECTED:,}", "track Product Clicked", "interactions", "PutEvents"]
    assert "no active event tracker" in why[4]
    [apply] = _commands("`ResourceNotFoundException`, or `no active event tracker`")
    assert run(*apply, "--yes").returncode == 0
    time.sleep(REFRESH_SECONDS)
    sent = run(*send, "--rate", "1000")
    assert (sent.returncode, f"{REJECTED:,} accepted, 0 rejected again" in sent.stderr) == (0, True), sent.stderr
    depths = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queue.get_queue_attributes(QueueUrl=QUEUE, AttributeNames=depths)["Attributes"]
    assert found == dict.fromkeys(depths, "0")
    assert time.monotonic() - began < NIGHT_SECONDS
