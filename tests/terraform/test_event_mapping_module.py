"""The module event-mapping has the Python package's text and digest, and refuses the same mappings."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest

from documents import refused
from golden_cases import TESTS, valid_mappings
from personalize_segment.contract.columns import (
    ALLOWED_MAX_ELEMENTS,
    FORMATS,
    IDS,
    LISTS,
    MAX_FLOAT,
    MAX_ID,
    MAX_STRING,
    NAME,
    REQUIRED,
    RESERVED,
    TYPES,
    VISITORS,
)
from personalize_segment.contract.mapping import parse
from personalize_segment.errors import MappingError
from programs import needs

MODULE = TESTS.parent / "modules" / "event-mapping"
INVALID = refused(TESTS / "mappings" / "refused.json")
VALID = valid_mappings()
TAKEN = {name: case for name, case in INVALID.items() if case.only_check}
REFUSED = {name: case for name, case in INVALID.items() if not case.only_check}
NOT_READ = ("an-array", "empty-file", "letters-not-composed", "not-json", "not-json-but-with-comments")
# Terraform reads 1.0 as the number 1, and writes 1, so later steps see no difference.
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
        """Run a command with JSON output and return its result. It may fail."""
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
    """Return the module's outputs by name of the mapping, including mappings that only Python refuses."""
    folder = tmp_path_factory.mktemp("valid")
    paths = _written(folder, VALID | {name: case.text for name, case in TAKEN.items()})
    terraform = Terraform(folder)
    done = terraform("apply", paths, "-auto-approve")
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(terraform("output", paths).stdout)["mappings"]["value"]
    return found


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return Terraform's errors for the invalid mappings, by name."""
    folder = tmp_path_factory.mktemp("invalid")
    terraform, found = Terraform(folder), {}
    # A mapping that can't be read ends the plan before the others are checked.
    for names in (NOT_READ, REFUSED.keys() - set(NOT_READ)):
        done = terraform("plan", _written(folder, {name: REFUSED[name].text for name in names}))
        assert done.returncode == 1, done.stdout
        events = [json.loads(line) for line in done.stdout.splitlines()]
        said = [one["diagnostic"]["detail"] for one in events if one["@level"] == "error"]
        for name in names:
            (found[name],) = (one for one in said if f"/{name}.json: " in one)
    return found


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
    """Return whether a filter of the module matches an event."""
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


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - set(NOT_READ)))
def test_terraform_refuses_what_python_refuses_with_place_problem_and_remedy(
    refusals: dict[str, str], name: str
) -> None:
    case = REFUSED[name]
    lines = [line for line in refusals[name].splitlines() if line.startswith(f"{case.place}: ")]
    assert any(case.problem in line and case.remedy in line for line in lines), refusals[name]
    assert "personalize-segment check" in refusals[name]


@pytest.mark.parametrize("name", NOT_READ)
def test_a_file_that_terraform_cant_read_is_refused_with_a_remedy(refusals: dict[str, str], name: str) -> None:
    assert "isn't a JSON object. Write {…}, with composed letters" in refusals[name]


@pytest.mark.parametrize("name", TAKEN)
def test_what_only_check_refuses_is_taken_by_terraform(mappings: dict[str, Any], name: str) -> None:
    with pytest.raises(MappingError):
        parse(TAKEN[name].text)
    assert mappings[name]["sha256"]


def test_columns_and_limits_are_those_of_the_python_package() -> None:
    (found,) = hcl2.loads((MODULE / "problems.tf").read_text("utf-8"))["locals"]
    words = {"types": TYPES, "formats": FORMATS, "ids": IDS, "lists": LISTS, "visitors": VISITORS}
    names = words | {"required": REQUIRED, "reserved": RESERVED}
    for name, ours in names.items():
        assert json.loads(json.dumps(found[name]).replace('\\"', "")) == json.loads(json.dumps(ours)), name
    assert found["column"].strip('"') == f"^{NAME.pattern}$"
    assert (found["max_id"], found["max_string"]) == (MAX_ID, MAX_STRING)
    assert found["max_elements"] == {"least": ALLOWED_MAX_ELEMENTS[0], "most": ALLOWED_MAX_ELEMENTS[-1]}
    written = {
        kind: re.sub(r"[^\d.e]", "", found["ranges"][kind]["most"].split("(")[1]) for kind in ("float", "double")
    }
    greatest = {kind: float(text) for kind, text in written.items()}
    assert greatest == {"float": MAX_FLOAT, "double": sys.float_info.max}
