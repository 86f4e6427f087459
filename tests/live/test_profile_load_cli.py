"""The command `profiles load`: counts, messages, and interruptions."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import in_process
from engines import write_log
from personalize_segment.contract.suppression import empty
from personalize_segment.live.profile_table import ProfileTable, TableItem
from programs import installed

COMMAND = [str(installed() / "personalize-segment"), "profiles", "load"]
USERS = 250


@pytest.fixture
def table(s3_env: str) -> Iterator[ProfileTable]:
    """Yield the table of a stack; its queue is there, too."""
    dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
    dynamodb.create_table(
        TableName="cli-profiles", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    queue = sqs.create_queue(QueueName="cli-profiles")["QueueUrl"]
    yield ProfileTable(dynamodb, "cli-profiles")
    sqs.delete_queue(QueueUrl=queue)
    dynamodb.delete_table(TableName="cli-profiles")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the profiles of an export."""
    lines = [json.dumps([f"u{number}", {"PLAN": ["pro", number, ""]}]).encode() for number in range(USERS)]
    write_log(tmp_path / "out" / "profiles" / "users" / "part-00000.jsonl.gz", lines)
    write_log(tmp_path / "out" / "profiles" / "items" / "part-00000.jsonl.gz", [b'["i",{"PRICE":[1.5,1,""]}]'])
    return tmp_path / "out"


def outputs(tmp_path: Path, table: str | None = "cli-profiles", suppression_list: str | None = None) -> Path:
    """Write the relevant part of the output of `terraform output -json`."""
    url = boto3.client("sqs").get_queue_url(QueueName="cli-profiles")["QueueUrl"]
    values: dict[str, Any] = {
        "operations": {"profile_table": table, "queues": {"profiles": url}},
        "data": {"suppression_list": suppression_list},
    }
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({name: {"value": value, "type": "object"} for name, value in values.items()}))
    return path


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"COLUMNS": "500", "NO_COLOR": "1"}
    return in_process.run("profiles", "load", *arguments, environment=environment)


def test_it_says_where_it_writes_and_what_became_of_it(table: ProfileTable, out: Path, tmp_path: Path) -> None:
    table.write("users", "u5", TableItem({"COUNTRY": ("DE", 1, "")}, 1, {}, "digest"))
    table.write("users", "u6", TableItem({"PLAN": ("new", 7, "")}, 1, {}, "digest"))
    where = outputs(tmp_path)
    dry = run(out, where, "--dry-run", "--json")
    place = f"{out} into cli-profiles of account 123456789012 in us-east-1"
    assert (dry.returncode, dry.stderr.splitlines()[0]) == (0, f"Comparing {place}")
    counts = {"written": 249, "queued": 1, "unchanged": 1, "suppressed": 0, "too_long": 0}
    there = {"account": "123456789012", "region": "us-east-1", "table": "cli-profiles"}
    assert json.loads(dry.stdout) == there | {"dry_run": True} | counts
    assert "249 profiles would be written" in run(out, where, "--dry-run").stdout
    assert table.read("users", ["u1"])["u1"].version == 0
    done = run(out, where)
    assert (done.returncode, done.stderr) == (0, f"Loading {place}\n")
    assert done.stdout.splitlines() == [
        "249 profiles written",
        "1 profile sent to the profile queue, because Personalize has an older row from an event",
        "1 profile already in the table",
    ]
    assert table.read("users", ["u1"])["u1"].columns == {"PLAN": ("pro", 1, "")}
    assert table.read("users", ["u6"])["u6"].columns == {"PLAN": ("new", 7, "")}
    # What waits in the queue for its consumer is sent again.
    assert json.loads(run(out, where, "--json").stdout) == there | {"dry_run": False} | counts | {
        "written": 0, "unchanged": 250,
    }  # fmt: skip


def test_a_load_that_is_killed_goes_on(table: ProfileTable, out: Path, tmp_path: Path) -> None:
    where = outputs(tmp_path)
    running = subprocess.Popen([*COMMAND, str(out), str(where), "--rate", "25"], stderr=subprocess.DEVNULL)
    ids = [f"u{number}" for number in range(100)]
    for _ in range(200):
        if any(item.version for item in table.read("users", ids).values()):
            break
        time.sleep(0.05)
    running.kill()
    assert running.wait() == -9
    counts = json.loads(run(out, where, "--json").stdout)
    assert counts["unchanged"] > 0
    assert counts["written"] > 0
    assert counts["written"] + counts["unchanged"] == USERS + 1
    assert json.loads(run(out, where, "--json").stdout)["unchanged"] == USERS + 1


def test_the_suppression_list_of_the_stack_is_honored(
    table: ProfileTable, s3_env: str, out: Path, tmp_path: Path
) -> None:
    listed = empty().plus([f"u{number}" for number in range(10)])
    boto3.client("s3").put_object(Bucket=s3_env, Key="suppressed.csv", Body=listed.text().encode())
    done = run(out, outputs(tmp_path, suppression_list=f"s3://{s3_env}/suppressed.csv"))
    assert done.returncode == 0
    assert "10 profiles left out, because their users are on the suppression list" in done.stdout
    assert [item.version for item in table.read("users", ["u0", "u9", "u10"]).values()] == [0, 0, 1]
    missing = run(out, outputs(tmp_path, suppression_list=f"s3://{s3_env}/none.csv"))
    assert (missing.returncode, "no such suppression list" in missing.stderr) == (1, True)


@pytest.mark.parametrize("change", ["no table", "no outputs", "no export", "a broken line", "another table"])
def test_what_stops_it_is_said_in_one_line(change: str, table: ProfileTable, out: Path, tmp_path: Path) -> None:
    where: list[str | Path] = [outputs(tmp_path, "none" if change == "another table" else "cli-profiles")]
    if change == "no table":
        where = [outputs(tmp_path, None)]
    elif change == "no outputs":
        where = []
    elif change == "no export":
        out = tmp_path
    elif change == "a broken line":
        write_log(out / "profiles" / "users" / "part-00001.gz", [b'["u",{"PLAN":["pro",1,""]}]', b"oops"])
    done = run(out, *where)
    said = {
        "no table": "has no profile table or no profile queue. Pass the output of `terraform output -json` for a",
        "no outputs": "OUTPUTS: has no profile table",
        "no export": f"{tmp_path}/profiles: has no users and no items. Pass the output",
        "a broken line": f"{out}/profiles/users/part-00001.gz:2: isn't a profile. Export again.",
        "another table": "none: BatchGetItem failed (ResourceNotFoundException). Check its name",
    }[change]
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("personalize-segment:")]) == 1


@pytest.mark.parametrize("misused", [[], ["out", "--rate", "0"], ["out", "outputs", "more"]])
def test_misuse_is_another_status(misused: list[str]) -> None:
    assert run(*misused).returncode == 2
