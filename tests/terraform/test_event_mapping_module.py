"""The module event-mapping gives the text and the digest that the Python package gives, and refuses what it refuses."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from documents import refused
from golden_cases import TESTS, valid_mappings
from personalize_segment.contract.mapping import parse
from personalize_segment.errors import MappingError
from programs import needs

MODULE = TESTS.parent / "modules" / "event-mapping"
INVALID = refused(TESTS / "mappings" / "refused.json")
VALID = valid_mappings()
REFUSED = {
    "an-array": "not one JSON object",
    "empty-file": "not one JSON object",
    "not-json": "not one JSON object",
    "not-json-but-with-comments": "not one JSON object",
    "version-missing": "the version is missing or unknown",
    "version-as-text": "the version is missing or unknown",
    "version-true": "the version is missing or unknown",
    "version-two": "the version is missing or unknown",
    "interactions-missing": "there are no interactions",
    "interactions-null": "there are no interactions",
    "unknown-key-at-the-top": "unknown key at the top",
}
# Terraform reads 1.0 as the number 1, and writes that: nothing behind it sees the difference.
TAKEN_BY_TERRAFORM = "version-with-a-fraction"

ROOT = """
variable "paths" {
  type = map(string)
}

module "mapping" {
  source   = %s
  for_each = var.paths

  path = each.value
}

output "mappings" {
  value = module.mapping
}
"""


class Terraform:
    """Runs terraform in a folder whose root calls the module once for each path."""

    def __init__(self, folder: Path) -> None:
        needs("terraform", "comparing the module event-mapping with the Python package")
        self.folder = folder
        (folder / "main.tf").write_text(ROOT % json.dumps(str(MODULE)), "utf-8")
        made = self("init", {})
        assert made.returncode == 0, made.stdout

    def __call__(self, command: str, paths: dict[str, Path], *options: str) -> "subprocess.CompletedProcess[str]":
        """Return how a command ended whose output is JSON; it may fail."""
        variables = {"TF_VAR_paths": json.dumps({name: str(path) for name, path in paths.items()})}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        return subprocess.run(
            ["terraform", command, "-json", *options],
            cwd=self.folder,
            env=kept | variables | {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


def _written(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Write texts to files of their names, and return the paths by name."""
    paths = {name: folder / f"{name}.json" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text, "utf-8")
    return paths


@pytest.fixture(scope="module")
def mappings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the module puts out, by the name of the mapping."""
    folder = tmp_path_factory.mktemp("valid")
    paths = _written(folder, VALID | {TAKEN_BY_TERRAFORM: INVALID[TAKEN_BY_TERRAFORM].text})
    terraform = Terraform(folder)
    done = terraform("apply", paths, "-auto-approve")
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(terraform("output", paths).stdout)["mappings"]["value"]
    return found


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what Terraform says of all mappings that it has to refuse, each message in one line."""
    folder = tmp_path_factory.mktemp("invalid")
    done = Terraform(folder)("plan", _written(folder, {name: INVALID[name].text for name in REFUSED}))
    assert done.returncode == 1, done.stdout
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [one["diagnostic"]["detail"] for one in events if one["@level"] == "error"]


@pytest.mark.parametrize("name", list(VALID))
def test_text_and_digest_are_those_of_the_python_package(mappings: dict[str, Any], name: str) -> None:
    mapping = parse(VALID[name])
    assert (mappings[name]["text"], mappings[name]["sha256"]) == (mapping.text, mapping.sha256)


@pytest.mark.parametrize("name", list(VALID))
def test_datasets_and_events_are_those_of_the_python_package(mappings: dict[str, Any], name: str) -> None:
    mapping = parse(VALID[name])
    assert mappings[name]["datasets"] == [one.name for one in mapping.datasets]
    events = mappings[name]["events"]
    named = {(call, event) for call in ("track", "page", "screen") for event in events[call]}
    unnamed = {"identify": "identify", "any_page": "page", "any_screen": "screen"}
    assert named | {(call, None) for key, call in unnamed.items() if events[key]} == set(mapping.by_event)
    assert all(events[call] == sorted(set(events[call])) for call in ("track", "page", "screen"))


def lets_through(destination_filter: str, call: str, name: str | None) -> bool:
    """Return what a filter of the module says of an event."""
    for condition in re.split(r" or (?=\(? ?type = )", destination_filter):
        found = re.fullmatch(r"(?:\( )?type = '(\w+)'(?: and (?:event|name) in \[(.+)\] \))?", condition)
        assert found, condition
        literals = re.findall(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", found[2] or "")
        names = {re.sub(r"\\(.)", r"\1", single or double) for single, double in literals}
        if found[1] == call and (found[2] is None or name in names):
            return True
    return False


@pytest.mark.parametrize("name", list(VALID))
def test_the_destination_filter_lets_through_the_events_that_have_a_rule(mappings: dict[str, Any], name: str) -> None:
    mapping, destination_filter = parse(VALID[name]), mappings[name]["destination_filter"]
    names = {event for _, event in mapping.by_event} | {"Without a Rule"}
    for call in ("track", "page", "screen", "identify"):
        for event in names if call != "identify" else {None}:
            ruled = mapping.rules(call, event) is not None
            assert lets_through(destination_filter, call, event) == ruled, (call, event)


def test_a_version_with_a_fraction_is_one_that_python_takes_when_terraform_has_read_it(
    mappings: dict[str, Any],
) -> None:
    with pytest.raises(MappingError):
        parse(INVALID[TAKEN_BY_TERRAFORM].text)
    assert parse(mappings[TAKEN_BY_TERRAFORM]["text"]).sha256 == mappings[TAKEN_BY_TERRAFORM]["sha256"]


@pytest.mark.parametrize(("name", "problem"), REFUSED.items())
def test_what_python_refuses_at_the_top_terraform_refuses_with_path_and_remedy(
    refusals: list[str], name: str, problem: str
) -> None:
    with pytest.raises(MappingError):
        parse(INVALID[name].text)
    (said,) = (one for one in refusals if f"/{name}.json: " in one)
    assert problem in said
    assert any(remedy in said for remedy in ("Write ", "Add ", "Use "))
