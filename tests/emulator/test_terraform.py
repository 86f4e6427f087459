"""A real `terraform apply` against the server settles, what it made really works, and destroy leaves nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import client, eventually, zipped

from personalize_segment.emulator.server import Server

HERE = Path(__file__).parent
MIRROR = HERE.parents[1] / "tools" / "tfmirror.py"

CODE = """
import os, boto3
def handler(event, context):
    greeting = boto3.client("ssm").get_parameter(Name=os.environ["PARAMETER"])["Parameter"]["Value"]
    for record in event.get("Records", []):
        boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=record["body"], Body=greeting)
    return {"greeting": greeting, "by": event.get("by")}
"""


class Terraform:
    """Runs terraform in a folder, against a server."""

    def __init__(self, folder: Path, server: Server, package: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = kept | server.environment() | {"TF_VAR_package_path": str(package), "TF_IN_AUTOMATION": "1"}
        for line in self._run(sys.executable, str(MIRROR), str(folder / "terraform.tfrc")).splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.environment[name] = value

    def __call__(self, *arguments: str) -> str:
        """Return what a command prints; one that fails fails the test."""
        return self._run("terraform", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def changes(self) -> dict[str, Any]:
        """Return what a plan would change, by address: the actions, and the attributes that differ."""
        self("plan", "-input=false", "-out=second")
        plan = json.loads(self("show", "-json", "second"))
        found = {}
        for one in plan.get("resource_changes", []):
            change = one["change"]
            if one["mode"] == "managed" and change["actions"] != ["no-op"]:
                before, after = change["before"] or {}, change["after"] or {}
                names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
                found[one["address"]] = (change["actions"], names)
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        yield found


@pytest.fixture(scope="module")
def applied(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Yield a stack that was applied; it is destroyed at the end, and that nothing is left is looked at here."""
    folder = tmp_path_factory.mktemp("terraform")
    shutil.copy(HERE / "terraform" / "main.tf", folder)
    package = folder / "package.zip"
    package.write_bytes(zipped({"app.py": CODE}))
    terraform = Terraform(folder, server, package)
    terraform("init", "-input=false")
    terraform("apply", "-input=false", "-auto-approve")
    yield terraform
    terraform("destroy", "-input=false", "-auto-approve")
    assert json.loads((folder / "terraform.tfstate").read_text())["resources"] == []
    assert "emulated-data" not in [one["Name"] for one in client(server, "s3").list_buckets()["Buckets"]]
    assert "emulated" not in [one["FunctionName"] for one in client(server, "lambda").list_functions()["Functions"]]


def test_a_second_plan_is_empty(applied: Terraform) -> None:
    assert applied.changes() == {}


def test_a_message_reaches_the_function_through_the_mapping_of_its_alias(applied: Terraform, server: Server) -> None:
    url = json.loads(applied("output", "-json", "queue_url"))
    client(server, "sqs").send_message(QueueUrl=url, MessageBody="key-of-the-message")
    s3 = client(server, "s3")
    eventually(
        lambda: [one["Key"] for one in s3.list_objects_v2(Bucket="emulated-data").get("Contents", [])],
        lambda keys: "key-of-the-message" in keys,
    )
    assert s3.get_object(Bucket="emulated-data", Key="key-of-the-message")["Body"].read() == b"hello"


def test_the_state_machine_runs_the_job_and_then_the_function(applied: Terraform, server: Server) -> None:
    states = client(server, "stepfunctions")
    machine = json.loads(applied("output", "-json", "state_machine_arn"))
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    done = eventually(lambda: states.describe_execution(executionArn=arn), lambda found: found["status"] != "RUNNING")
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"]) == {"greeting": "hello", "by": "states"}
    runs = client(server, "glue").get_job_runs(JobName="emulated")["JobRuns"]
    assert [run["JobRunState"] for run in runs] == ["SUCCEEDED"]
