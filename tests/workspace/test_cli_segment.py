"""The command `segment` as users run it: plan, apply, reapply, and errors without a token or permissions."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from personalize_segment.cli import main, terminal
from segment_workspace import TOKEN, Refusal, Workspace

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop-event:live"
SEGMENT = {
    "role_arn": "arn:aws:iam::123456789012:role/shop-us-east-1-segment",
    "external_ids": ["9sQx2TbZ4k"],
    "function_arn": FUNCTION,
    "region": "us-east-1",
    "destination_filter": "(type = 'track')",
}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        made.add_source("website")
        yield made
    assert made.problems == []


@pytest.fixture
def outputs(s3_env: str, tmp_path: Path) -> Path:
    values = {"segment": SEGMENT | {"write_key": f"secretsmanager:{s3_env}"}, "personalize": {"name": "shop"}}
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({name: {"type": "x", "value": value} for name, value in values.items()}))
    return path


@dataclass(frozen=True)
class Ended:
    """The command's status and output."""

    status: object
    stdout: str
    stderr: str


class Shell:
    """Runs the command in this process, in which boto3 is loaded already."""

    def __init__(self, workspace: Workspace, patch: pytest.MonkeyPatch, printed: pytest.CaptureFixture[str]) -> None:
        self._workspace, self._patch, self._printed = workspace, patch, printed
        for name, value in {"PUBLIC_API_URL": workspace.url, "PUBLIC_API_TOKEN": TOKEN}.items():
            patch.setenv(name, value)
        patch.setattr(terminal.messages, "_width", 300)

    def __call__(self, *arguments: str | Path) -> Ended:
        """Return the result, after checking that no secret was printed."""
        self._patch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the credentials of the last run
        self._patch.setattr(sys, "argv", ["personalize-segment", "segment", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._printed.readouterr()
        keys = [key for source in self._workspace.sources for key in source["writeKeys"]]
        assert not [one for one in [TOKEN, *keys] if one in out + err]
        return Ended(ended.value.code, out, err)


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(workspace, monkeypatch, capsys)


def lines(done: Ended) -> list[dict[str, Any]]:
    assert done.status == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_plan_is_shown_and_applied_and_then_there_is_nothing_to_do(
    workspace: Workspace, run: Shell, outputs: Path, s3_env: str
) -> None:
    shown = run("plan", outputs, "--source", "website")
    where = "account 123456789012, region us-east-1, stack shop\n"
    assert (shown.status, shown.stderr) == (0, where)
    assert "4 to create" in shown.stdout
    assert "shop: Amazon Personalize (website)" in shown.stdout
    assert run("plan", outputs, "--source", "website", "--check").status == 3
    dry = lines(run("apply", outputs, "--source", "website", "--dry-run", "--json"))
    assert [one["action"] for one in dry] == ["create"] * 4
    assert not workspace.asked("create")
    made = lines(run("apply", outputs, "--source", "website"))
    assert [one["kind"] for one in made] == ["Source", "Secret", "Destination", "DestinationFilter"]
    assert workspace.destinations[0]["settings"]["function"] == FUNCTION
    held = boto3.client("secretsmanager").get_secret_value(SecretId=s3_env)["SecretString"]
    assert held == workspace.sources[1]["writeKeys"][0]
    again = run("plan", outputs, "--source", "website", "--check")
    assert (again.status, again.stdout) == (0, "4 unchanged\n")


def test_what_the_plan_of_segment_has_not_ends_with_1(workspace: Workspace, run: Shell, outputs: Path) -> None:
    workspace.answer("createFilterForDestination", Refusal(403, "[red]upgrade[/red]"))
    done = run("apply", outputs, "--source", "website")
    assert (done.status, done.stdout) == (1, "")
    assert "Segment answers 403: [red]upgrade[/red]. Everything else is done." in done.stderr
    assert "--no-filter" in done.stderr
    assert len(lines(run("apply", outputs, "--source", "website", "--no-filter"))) == 3


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PUBLIC_API_TOKEN": " "}, "PUBLIC_API_TOKEN: isn't set"),
        ({"PUBLIC_API_TOKEN": "another"}, "Check the token in PUBLIC_API_TOKEN"),
        ({"PUBLIC_API_TOKEN": f"{TOKEN}\nmore"}, "PUBLIC_API_TOKEN: has characters that aren't allowed"),
        ({"PUBLIC_API_URL": "http://api.segmentapis.com"}, "Use https://"),
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"},
            "credentials",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    workspace: Workspace,
    run: Shell,
    outputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str | None],
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    done = run("apply", outputs, "--source", "website", "--json")
    assert (done.status, done.stdout) == (1, "")
    assert said in done.stderr
    assert not workspace.asked("create")


def test_no_secret_is_made_in_another_account(run: Shell, outputs: Path, s3_env: str) -> None:
    outputs.write_text(outputs.read_text().replace("123456789012", "210987654321"))
    done = run("apply", outputs, "--source", "website")
    assert done.status == 1
    here, there = (f"account {one}, region us-east-1" for one in ("123456789012", "210987654321"))
    remedy = "Set AWS_PROFILE to a profile for account 210987654321."
    assert f"Account and region: {here} instead of {there}. {remedy}" in done.stderr
    with pytest.raises(ClientError, match="ResourceNotFound"):
        boto3.client("secretsmanager").get_secret_value(SecretId=s3_env)


def test_outputs_of_no_stack_are_refused(run: Shell, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text('{"segment": {"type": "x", "value": {}}}')
    done = run("plan", file, "--source", "website")
    assert done.status == 1
    assert f"{file}: has no outputs of a stack" in done.stderr
    assert run("plan", file).status == 2


def test_a_stack_that_writes_nothing_back_has_a_destination_only(
    workspace: Workspace, run: Shell, outputs: Path
) -> None:
    document = json.loads(outputs.read_text())
    document["segment"]["value"]["write_key"] = None
    outputs.write_text(json.dumps(document))
    done = run("apply", outputs, "--source", "website")
    assert [one["kind"] for one in lines(done)] == ["Destination", "DestinationFilter"]
    assert "`write_key_secret`" in done.stderr
