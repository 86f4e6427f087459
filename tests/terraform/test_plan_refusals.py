"""Terraform's plan refuses invalid inputs, with a remedy."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
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

REDSHIFT = {"schema": "shop", "role_arn": "arn:aws:iam::123456789012:role/unload"}
REFRESH = {"schedule": {"expression": "rate(7 days)"}}
#: Types with account-wide names, and their name attribute, plus buckets, whose names are global.
GLOBAL = {"aws_iam_role": "name", "aws_cloudwatch_dashboard": "dashboard_name", "aws_s3_bucket": "bucket"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Stack]:
    needs("terraform", "planning what is wrong")
    with Server(region="us-west-2") as server:
        stack = Stack(tmp_path_factory.mktemp("refusals"), server.environment(), package)
        with attached(stack):
            yield stack


def s3_of(environment: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        region_name="us-west-2",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


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
                "monitoring": {"thresholds": {"errors_percent": 10}},
                "warehouse": {"redshift": REDSHIFT},
                "training_job": {"kms_key_arn": "arn:aws:kms:us-west-2:123456789012:key/k"},
            },
            [
                "lowercase letters",
                "FULL or INCREMENTAL",
                "not both",
                "This is a placeholder",
                "Segment stops waiting after 5 seconds",
                "Remove all thresholds except `silent_hours`",
                "Use `role = { arn = … }` instead of `role_arn`",
                "Use `kms_key = { arn = … }` instead of `kms_key_arn`",
            ],
            id="values that are out of range, placeholders or gone",
        ),
        pytest.param(
            {"name": "ssmith", "segment_external_ids": []},
            ["begin with aws or ssm", "Set at least one external ID"],
            id="a name that Parameter Store refuses, and no external id",
        ),
        pytest.param(
            {"bucket": {"existing": {"name": "no-bucket-of-anybody"}}, "event_mapping_path": "missing.json"},
            ["no-bucket-of-anybody", "Use the name of a bucket that exists", "missing.json"],
            id="a bucket and a mapping that don't exist",
        ),
        pytest.param(
            {
                "package": {"path": "nowhere.zip"},
                "event_mapping_path": "other.json",
                "warehouse": {"redshift": {"schema": "shop"}},
            },
            [
                "nowhere.zip",
                "make package",
                "redshift_unload.sql",
                "another event mapping",
                "personalize-segment sql redshift",
            ],
            id="no package, and statements of another mapping",
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
            ["If Segment does call functions", "so nothing would be"],
            id="a region that Segment doesn't call, and a campaign that there is not",
        ),
        pytest.param({"recommend": {"filter": "other"}}, ["so nothing would be"], id="a filter that there is not"),
    ],
)
def test_it_is_planned_with_a_warning(stack: Stack, doubtful: dict[str, Any], said: list[str]) -> None:
    done = plan(stack, GOOD | doubtful)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Warning: Check block assertion failed") == len(said)
    for one in said:
        assert one in done.stdout


def test_two_stacks_that_would_write_to_one_folder_are_refused(stack: Stack, tmp_path: Path, package: Path) -> None:
    two = Stack(tmp_path / "two", {}, package, root="terraform/examples/two-stacks-on-one-bucket")
    two.environment = stack.environment  # with its provider
    two("init", "-no-color")
    s3 = s3_of(two.environment)
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    text = (two.folder / "main.tf").read_text("utf-8")
    assert "{ existing = { name = var.bucket } }" in text
    same = text.replace("{ name = var.bucket } }", '{ name = var.bucket }, prefixes = { batch = "batch/" } }')
    (two.folder / "main.tf").write_text(same)
    done = plan(two, {"bucket": "lake"})
    assert done.returncode == 1
    assert "Two stacks would write to one folder" in done.stderr


def test_a_folder_of_another_stack_on_an_existing_bucket_is_refused(stack: Stack) -> None:
    """Regardless of who created that stack: its name is in the bucket."""
    s3 = s3_of(stack.environment)
    s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    shared = GOOD | {"bucket": {"existing": {"name": "shared"}, "prefixes": {"batch": "web/batch/shop/"}}}
    folders = "!".join(f"web/{one}/" for one in ("transformed", "reports", "batch", "deletions", "artifacts", "stage"))
    s3.put_object(Bucket="shared", Key=f"personalize-segment-stacks/web!123456789012!eu-west-1!{folders}")
    done = plan(stack, shared)
    assert done.returncode == 1
    assert "The stack web, 123456789012, eu-west-1 (name, account, region) already writes to the same" in done.stderr
    del shared["bucket"]["prefixes"]
    assert plan(stack, shared).returncode == 0


def test_stacks_of_one_name_in_two_regions_share_no_name_that_is_global(stack: Stack) -> None:
    override = stack.folder / "zz_override.tf"
    usual = override.read_text("utf-8")
    names = []
    for region in ("us-west-2", "eu-west-1"):
        override.write_text(usual.replace("{", f'{{\n  region = "{region}"', 1))
        blocks = plan(stack, GOOD | {"refresh": REFRESH}).stdout.split(' + resource "')[1:]
        planned = [(kind, block) for block in blocks if (kind := block.partition('"')[0]) in GLOBAL]
        names.append({re.findall(rf'^ +\+ {GLOBAL[kind]} += "(.+)"$', block, re.M)[0] for kind, block in planned})
    override.write_text(usual)
    here, there = names
    assert len(here) == len(there) == 9
    assert not here & there
