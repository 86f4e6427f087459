"""The steps of `make demo` and `make acceptance` have the right results, and destroy everything.

Both run the same steps, so the tests run them once: with `acceptance.py` on the emulator, after a killed demo.
"""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import acceptance
import demo
from personalize_emulator.server import Server
from programs import installed, needs
from served import client

ROOT = Path(__file__).parents[2]
PYTHON = str(installed() / "python")
TOOLS = ROOT / "tools"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results and output of the steps, the report, and leftovers."""
    needs("terraform", "the demo")
    killed = subprocess.Popen([PYTHON, TOOLS / "demo.py"], stdout=subprocess.DEVNULL, env=environment())
    state = demo.FOLDER / str(killed.pid) / "terraform" / "terraform" / "terraform.tfstate"
    until = time.monotonic() + 60
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert state.exists()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    demo.own_folder().rmdir()
    assert not state.exists(), "what the killed run left is still there"
    folder = tmp_path_factory.mktemp("acceptance")
    before = set(acceptance.FOLDER.glob("*"))
    facts, report = folder / "facts.json", folder / "acceptance.md"
    with Server(region=demo.REGION, speed=demo.SPEED) as server:
        done = subprocess.run(
            [PYTHON, TOOLS / "acceptance.py", "--facts", facts, "--report", report],
            env=environment() | server.environment() | {"YES": "1", "TRAIN": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        left = [
            *client(server, "personalize").list_dataset_groups()["datasetGroups"],
            *client(server, "s3").list_buckets()["Buckets"],
            *client(server, "lambda").list_functions()["Functions"],
            *client(server, "secretsmanager").list_secrets()["SecretList"],
            *client(server, "ssm").describe_parameters()["Parameters"],
            *(set(acceptance.FOLDER.glob("*")) - before),
        ]
    found: dict[str, Any] = {"printed": done.stdout, "markdown": report.read_text("utf-8"), "left": left}
    found |= json.loads(facts.read_text("utf-8"))
    return found


def test_terraform_hands_over_what_segment_and_personalize_need(shown: dict[str, Any]) -> None:
    segment, personalize = shown["outputs"]["segment"], shown["outputs"]["personalize"]
    name = personalize["name"]
    assert re.fullmatch("accept-[0-9a-f]{6}", name)
    assert segment["role_arn"] == f"arn:aws:iam::123456789012:role/{name}-us-west-2-segment"
    assert segment["function_arn"] == f"arn:aws:lambda:us-west-2:123456789012:function:{name}-event:live"
    assert segment["external_ids"][0].startswith("acceptance-")
    assert segment["write_key"] == f"secretsmanager:segment/{name}"
    assert personalize["role_arn"] == f"arn:aws:iam::123456789012:role/{name}-us-west-2-personalize"
    assert "Order Completed" in segment["destination_filter"]


def test_the_export_reads_the_logs_that_lie_in_the_bucket(shown: dict[str, Any]) -> None:
    report = shown["report"]
    assert shown["logs"] == 8  # ten thousand events by the day they are received, four times, and a dummy object
    assert report["events"]["read"] > 39_000
    assert all(one["rows"] > 100 for one in report["datasets"].values())


def test_personalize_has_what_the_spec_names(shown: dict[str, Any]) -> None:
    results = shown["results"]
    assert results["tracking_id"]
    name = shown["outputs"]["personalize"]["name"]
    assert next(iter(results["campaigns"])).startswith(f"{name}-main-")
    assert set(results["datasets"]) == {"interactions", "users", "items"}
    assert results["parameters"][f"/{name}/personalize/tracking_id"] == results["tracking_id"]


def test_a_partial_identify_changes_one_column_and_keeps_what_history_knew(shown: dict[str, Any]) -> None:
    loaded, found = shown["loaded"], shown["one trait"]
    assert loaded["written"] > 1000
    assert found["table"] == found["personalize"] == found["history"] | {"PLAN": "enterprise"}
    assert found["history"]["COUNTRY"]
    assert found["history"].get("PLAN") != "enterprise"


def test_the_visit_before_the_login_is_the_users_in_history(shown: dict[str, Any]) -> None:
    assert (shown["stitch"], shown["drop"]) == (5, 4)


def test_recommendations_follow_the_order(shown: dict[str, Any]) -> None:
    assert shown["after"] > shown["before"]
    last = shown["identifies"][-1]["traits"]["recommendations"]
    assert len(last) == 25


def test_every_identify_is_marked_as_ours_and_the_replay_repeats_one(shown: dict[str, Any]) -> None:
    identifies = shown["identifies"]
    assert len(identifies) == 3
    for one in identifies:
        assert one["type"] == "identify"
        assert one["messageId"].startswith("personalize-segment-")
        assert False in one["integrations"].values()
    assert identifies[-1]["messageId"] == identifies[-2]["messageId"]
    assert [one.get("userId") for one in identifies] == ["shopper-1"] * 3


def test_every_event_and_row_is_counted(shown: dict[str, Any]) -> None:
    metrics = shown["metrics"]
    assert metrics["Events"] == 7
    assert metrics["RowsInteractions"] == 8
    assert metrics["ProfilesRecorded"] == metrics["RowsUsers"] + metrics["RowsItems"]
    assert metrics["WriteBackSent"] == 3


def test_what_was_rejected_is_shown_with_its_reason(shown: dict[str, Any]) -> None:
    assert "properties.products" in shown["printed"]
    assert "not an array" in shown["printed"]


def test_nothing_is_left(shown: dict[str, Any]) -> None:
    assert "Destroy complete!" in shown["printed"]
    assert shown["left"] == []


def test_the_report_has_every_step_and_no_account(shown: dict[str, Any]) -> None:
    steps = re.findall(r"^\| (.+) \| passed \| \d+ \|$", shown["markdown"], re.MULTILINE)
    assert steps == list(shown["seconds"])
    assert {demo.INFRASTRUCTURE, demo.PERSONALIZE, demo.LIVE} < set(steps)
    assert "the emulator, which verifies nothing about AWS. TRAIN=1, SOURCE_CONDITIONS=0." in shown["markdown"]
    assert f"| {demo.LIVE} | works on the emulator |" in shown["markdown"]
    assert "| not in this run: needs SOURCE_CONDITIONS=1 |" in shown["markdown"]
    assert "123456789012" in shown["printed"]
    assert "123456789012" not in shown["markdown"]
