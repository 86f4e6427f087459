"""Rules for all Terraform code of this project, checked in its text without terraform."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from personalize_segment import __version__

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "terraform", *sorted((ROOT / "modules").iterdir())]
FILES = sorted(file for folder in ("terraform", "modules") for file in (ROOT / folder).rglob("*.tf"))
HCL = sorted(
    file
    for folder in ("terraform", "modules", "tests")
    for file in (ROOT / folder).rglob("*")
    if file.suffix in (".tf", ".hcl")
)
MODULES = [folder for folder in FOLDERS if folder.name != "event-mapping"]


#: Inputs that mean the same wherever they are.
ALIKE = {
    "alarm_topic_arns",
    "iam_path",
    "kms_key_arn",
    "log_retention_days",
    "name",
    "name_prefix",
    "operations_url",
    "permissions_boundary_arn",
    "suppression_list",
}


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_there_is_no_provider_and_no_backend_block(file: Path) -> None:
    assert not re.search(r'^\s*(provider\s+"|backend\s+"|cloud\s*\{)', file.read_text("utf-8"), re.MULTILINE)


def test_modules_call_no_module_but_the_function() -> None:
    files = [file for file in FILES if file.is_relative_to(ROOT / "modules")]
    calls = {
        (ids(file.parent), *re.findall(r'^  source *= "(\.\./.*)"$', file.read_text("utf-8"), re.MULTILINE))
        for file in files
    }
    assert {call for call in calls if len(call) > 1} == {
        ("modules/event-function", "../function"),
        ("modules/profile-queue", "../function"),
    }


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_no_statement_allows_a_wildcard_action(file: Path) -> None:
    """Exceptions: a Deny of `s3:*`, and the key policy statement that delegates to the account."""
    for statement in _blocks(file.read_text("utf-8"), "statement"):
        actions = re.search(r"actions\s*=\s*\[(.*?)\]", statement, re.DOTALL)
        starred = re.findall(r'"[^"]*\*[^"]*"', actions[1]) if actions else []
        allowed = 'effect  = "Deny"' in re.sub(r"effect\s+=", "effect  =", statement)
        allowed |= "LetThisAccountDecideByItsOwnPolicies" in statement
        assert not starred or allowed, f"{starred} in {statement}"


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_a_resource_of_all_resources_has_its_reason_on_the_line_above(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.search(r'resources\s*=\s*\[\s*"\*"\s*\]', line) and "examples" not in file.parts:
            assert lines[number - 1].strip().startswith("#"), f"{file}:{number + 1}"


@pytest.mark.parametrize("file", HCL, ids=ids)
def test_lines_have_120_characters_at_most(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    assert [f"{number}: {line}" for number, line in enumerate(lines, 1) if len(line) > 120] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_every_input_and_output_is_described_in_a_sentence(folder: Path) -> None:
    for name in ("variables.tf", "outputs.tf"):
        blocks = _blocks((folder / name).read_text("utf-8"), "variable|output")
        assert blocks
        for block in blocks:
            described = re.search(r'^  description = "(.*)"$', block, re.MULTILINE)
            assert described, block
            assert re.fullmatch(r"[^.;]*([.;]\S[^.;]*)*\.", described[1]), described[1]


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_no_input_takes_anything(folder: Path) -> None:
    # An input without a type accepts anything, too.
    text = re.sub(r'"[^"]*"|#.*', "", (folder / "variables.tf").read_text("utf-8"))
    for block in _blocks(text, "variable"):
        assert re.search(r"^  type +=", block, re.MULTILINE), block
        assert not re.search(r"\bany\b", block), block


def test_an_input_that_several_modules_have_is_checked_alike() -> None:
    """The stack, which comes last, may check more. A module may leave it to the function."""
    checks: dict[str, set[str]] = {}
    for folder in [*FOLDERS[1:], FOLDERS[0]]:
        for block in _blocks((folder / "variables.tf").read_text("utf-8"), "variable"):
            name = re.findall(r'"(\w+)"', block)[0]
            found = _blocks(block, "validation")
            if found and name in ALIKE:
                checks.setdefault(name, set()).add("".join(found[:1] if folder.name == "terraform" else found))
    assert checks.keys() == ALIKE
    assert {name: texts for name, texts in checks.items() if len(texts) > 1} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_every_input_and_each_of_its_attributes_is_set_by_a_test(folder: Path) -> None:
    """Or by an example, which tests apply. Removed attributes that are kept to be refused don't count."""
    recorded = ROOT / "tests" / "terraform" / "recorded" / folder.name
    files = [*(folder / "tests").rglob("*.hcl"), *recorded.rglob("*.tf"), *(folder / "examples").rglob("*.tf")]
    if folder.name == "terraform":
        files += (ROOT / "tests" / "terraform").glob("*.py")
    elif folder.name in ("event-function", "profile-queue"):
        files.append(ROOT / "tests" / "terraform" / "test_function_settings.py")
    tests, unset = "".join(file.read_text("utf-8") for file in files), []
    for block in _blocks((folder / "variables.tf").read_text("utf-8"), "variable"):
        kept = re.sub(r" *# Removed.*?\n *\}", "}", block, flags=re.DOTALL)
        kind = re.search(r"^  type += (.*?)(?=^  \w|\Z)", kept, re.DOTALL | re.MULTILINE)
        assert kind, block
        names = [re.findall(r'"(\w+)"', block)[0], *re.findall(r"(?:^ +|[{,] )(\w+) += ", kind[1], re.MULTILINE)]
        unset += [(names[0], name) for name in names if not re.search(rf'(?<![\w.])"?{name}"? *[=:](?!=)', tests)]
    assert unset == []


def test_alarms_lead_by_default_to_the_document_of_the_repository_that_the_readme_names() -> None:
    [repository] = re.findall(r'"git::(https://\S+)\.git//terraform', (ROOT / "docs/terraform.md").read_text("utf-8"))
    for module in ("monitoring", "refresh"):
        text = (ROOT / "modules" / module / "variables.tf").read_text("utf-8")
        [block] = [one for one in _blocks(text, "variable") if one.startswith('variable "operations_url"')]
        assert re.findall(r'default += "(.+)"', block) == [f"{repository}/blob/v{__version__}/docs/operations.md"]


def test_versions_are_constrained_alike_everywhere() -> None:
    assert len({(folder / "versions.tf").read_text("utf-8") for folder in MODULES}) == 1


def test_the_tables_of_inputs_and_outputs_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "tfdocs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_a_readme_begins_with_an_example(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    assert 0 < text.index("```hcl") < text.index("<!-- BEGIN_TF_DOCS -->")
    assert text.index("```hcl") < (text.index("\n## ") if "\n## " in text else len(text))


def test_every_alarm_leads_to_a_section_of_the_operations_document() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    there = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    # Of headings that had other words before: alarms of older stacks lead to them.
    there |= set(re.findall(r'^<a id="([a-z-]+)"></a>$', text, re.MULTILINE))
    written = "".join(file.read_text("utf-8") for file in FILES)
    named = set(re.findall(r'section\s*=\s*"([^"]+)"|operations(?:\.md|_url\})#([a-z-]+)', written))
    assert len(named) > 5
    assert {one or other for one, other in named} - {"top"} <= there


@pytest.mark.parametrize("file", sorted((ROOT / "modules").rglob("*.asl.json")), ids=ids)
def test_a_state_machine_is_whole_before_terraform_fills_it_in(file: Path) -> None:
    """As Workflow Studio requires: JSON in which all states lead to existing states."""
    machines = [json.loads(file.read_text("utf-8"))]
    for machine in machines:
        states = machine["States"]
        machines += [state["ItemProcessor"] for state in states.values() if "ItemProcessor" in state]
        found, left = set[str](), [machine["StartAt"]]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                after = [states[name], *states[name].get("Choices", []), *states[name].get("Catch", [])]
                targets = [one[key] for one in after for key in ("Next", "Default") if key in one]
                assert targets or states[name].get("End") or states[name]["Type"] in ("Fail", "Succeed"), name
                left += targets
        assert found == set(states)


def _blocks(text: str, kind: str) -> list[str]:
    """Return the blocks of a kind, from their first line to the brace with the same indentation."""
    found = []
    for match in re.finditer(rf"^( *)(?:{kind})\b[^\n]*\{{\n", text, re.MULTILINE):
        end = re.compile(rf"^{match[1]}\}}", re.MULTILINE).search(text, match.end())
        assert end, match[0]
        found.append(text[match.start() : end.end()])
    return found
