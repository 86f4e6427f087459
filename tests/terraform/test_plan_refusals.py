"""What is wrong is refused when Terraform plans, with a text that says what to write."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attached import attached
from personalize_emulator.server import Server
from personalize_segment.contract.mapping import default_text
from programs import needs
from stacks import Stack

GOOD: dict[str, Any] = {
    "name": "shop",
    "segment_external_ids": ["9sQx2TbZ4k"],
    "write_key_secret": {"name": "segment/shop"},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Stack]:
    needs("terraform", "planning what is wrong")
    with Server(region="us-west-2") as server:
        stack = Stack(tmp_path_factory.mktemp("refusals"), server.environment(), package)
        with attached(stack):
            yield stack


def plan(stack: Stack, variables: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    (stack.folder / "stack.auto.tfvars.json").write_text(json.dumps(variables))
    command = ["terraform", "plan", "-no-color", "-input=false"]
    done = subprocess.run(command, cwd=stack.folder, env=stack.environment, capture_output=True, text=True, check=False)
    # Terraform breaks lines and draws a frame around its errors.
    done.stderr = " ".join(done.stderr.replace("│", " ").split())
    return done


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            {
                "name": "Shop!",
                "personalize": {"import_mode": "ALL"},
                "recommend": {"campaign": "a", "recommender": "b"},
                "segment_external_ids": ["YOUR_SEGMENT_SOURCE_ID"],
                "functions": {"timeout_seconds": 6},
            },
            [
                "lower-case letters",
                "FULL or INCREMENTAL",
                "not both",
                "external",
                "workspace",
                "Segment stops waiting after 5 seconds",
            ],
            id="a name, an import mode, two to ask, a placeholder, and a time-out of six seconds",
        ),
        pytest.param(
            {
                "segment_external_ids": [],
                "event_mapping_path": "missing.json",
            },
            ["external", "missing.json"],
            id="no external id, and a mapping that isn't there",
        ),
        pytest.param({"name": "ssmith"}, ["begin with aws or ssm"], id="a name that Parameter Store refuses"),
        pytest.param(
            {"bucket": {"existing": {"name": "no-bucket-of-anybody"}}},
            ["no-bucket-of-anybody", "Write in existing_bucket the name of a bucket that is there"],
            id="a bucket that doesn't exist",
        ),
        pytest.param({"package": {"path": "nowhere.zip"}}, ["nowhere.zip", "make package"], id="no package"),
        pytest.param(
            {"event_mapping_path": "other.json", "warehouse": {"redshift": {"schema": "shop"}}},
            ["redshift_unload.sql", "another event mapping", "personalize-segment sql redshift"],
            id="statements of another mapping",
        ),
    ],
)
def test_it_is_refused_at_plan(stack: Stack, wrong: dict[str, Any], said: list[str]) -> None:
    other = {dataset: rules for dataset, rules in json.loads(default_text()).items() if dataset != "items"}
    (stack.folder / "other.json").write_text(json.dumps(other))
    done = plan(stack, GOOD | wrong)
    assert done.returncode == 1
    for one in said:
        assert one in done.stderr


def test_the_least_is_planned(stack: Stack) -> None:
    done = plan(stack, GOOD)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stdout


def test_there_are_three_variables_without_a_default(stack: Stack) -> None:
    done = plan(stack, {})
    assert done.returncode == 1
    assert done.stderr.count("No value for required variable") == len(GOOD)


@pytest.mark.parametrize(
    ("doubtful", "said"),
    [
        pytest.param(
            {"functions": {"segment_regions": ["eu-west-1"]}, "recommend": {"campaign": "other"}},
            ["If Segment does call it", "Use one of its names"],
            id="a region that Segment doesn't call, and a campaign that there is not",
        ),
        pytest.param({"recommend": {"filter": "other"}}, ["Use one of its names"], id="a filter that there is not"),
    ],
)
def test_it_is_planned_with_a_warning(stack: Stack, doubtful: dict[str, Any], said: list[str]) -> None:
    done = plan(stack, GOOD | doubtful)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Warning: Check block assertion failed") == len(said)
    for one in said:
        assert one in done.stdout
