"""`make demo` does what it says, hand-over by hand-over, also after one that was killed."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from programs import installed, needs

ROOT = Path(__file__).parents[2]
DEMO = [str(installed() / "python"), str(ROOT / "tools" / "demo.py")]
FOLDER = ROOT / ".build" / "demo"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the demo handed over, and what it printed, after another run was killed while Terraform applied."""
    needs("terraform", "the demo")
    killed = subprocess.Popen(DEMO, stdout=subprocess.DEVNULL, env=environment())
    state = FOLDER / str(killed.pid) / "terraform" / "terraform" / "terraform.tfstate"
    until = time.monotonic() + 60
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert state.exists()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    report = tmp_path_factory.mktemp("demo") / "report.json"
    done = subprocess.run([*DEMO, "--report", report], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not state.exists(), "what the killed run left is still there"
    return {"printed": done.stdout, "left": list(FOLDER.iterdir()), **json.loads(report.read_text("utf-8"))}


def test_terraform_hands_over_what_segment_and_personalize_need(shown: dict[str, Any]) -> None:
    segment = shown["outputs"]["segment"]
    assert segment["role_arn"] == "arn:aws:iam::123456789012:role/shop-us-west-2-segment"
    assert segment["function_arn"] == "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live"
    assert segment["external_ids"] == ["9sQx2TbZ4k"]
    assert shown["outputs"]["personalize"]["role_arn"] == "arn:aws:iam::123456789012:role/shop-us-west-2-personalize"
    assert "Order Completed" in segment["destination_filter"]


def test_the_export_reads_the_logs_that_lie_in_the_bucket(shown: dict[str, Any]) -> None:
    report = shown["report"]
    assert shown["logs"] == 5  # four files of ten thousand events, and Segment's dummy object
    assert report["events"]["read"] > 39_000
    assert all(one["rows"] > 100 for one in report["datasets"].values())


def test_personalize_has_what_the_spec_names(shown: dict[str, Any]) -> None:
    results = shown["results"]
    assert results["tracking_id"]
    assert next(iter(results["campaigns"])).startswith("shop-main-")
    assert set(results["datasets"]) == {"interactions", "users", "items"}
    assert results["parameters"]["/shop/personalize/tracking_id"] == results["tracking_id"]


def test_recommendations_follow_the_order(shown: dict[str, Any]) -> None:
    assert shown["after"] > shown["before"]
    last = shown["identifies"][-1]["traits"]["recommendations"]
    assert len(last) == 25


def test_every_identify_is_marked_as_ours_and_the_replay_repeats_one(shown: dict[str, Any]) -> None:
    identifies = shown["identifies"]
    assert len(identifies) == 4
    for one in identifies:
        assert one["type"] == "identify"
        assert one["messageId"].startswith("personalize-segment-")
        assert False in one["integrations"].values()
    assert identifies[-1]["messageId"] == identifies[-2]["messageId"]
    assert [one.get("userId") for one in identifies] == [None, "shopper-1", "shopper-1", "shopper-1"]


def test_every_event_and_row_is_counted(shown: dict[str, Any]) -> None:
    metrics = shown["metrics"]
    assert metrics["Events"] == 6
    assert metrics["RowsInteractions"] == 8
    assert metrics["ProfilesRecorded"] == metrics["RowsUsers"] + metrics["RowsItems"]
    assert metrics["WriteBackSent"] == 4


def test_what_was_rejected_is_shown_with_its_reason(shown: dict[str, Any]) -> None:
    assert "properties.products" in shown["printed"]
    assert "not an array" in shown["printed"]


def test_nothing_is_left(shown: dict[str, Any]) -> None:
    assert "Destroy complete!" in shown["printed"]
    assert shown["left"] == []
