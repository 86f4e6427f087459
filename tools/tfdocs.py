"""Write the tables of inputs and outputs into the READMEs of the Terraform modules, and docs/modules.md from both.

    tfdocs.py [--check]

With --check nothing is written: exits with 1 if one of them isn't current.

The tables match `terraform-docs` with .terraform-docs.yml, which no Python package index has.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "terraform", *sorted((ROOT / "modules").glob("*/")))
BEGIN, END = "<!-- BEGIN_TF_DOCS -->", "<!-- END_TF_DOCS -->"
PAGE = ROOT / "docs" / "modules.md"
HEADER = """# Terraform modules

The stack in [terraform/](../terraform/README.md) composes the modules. Each can also be used alone, and has a README
with an example, types and outputs. How to deploy them: [terraform.md](terraform.md). `make generate` writes this page
from the modules: edit those.
"""


def main(arguments: list[str]) -> None:
    """Update every README, or with `--check` exit with 1 and print the names of stale ones."""
    stale = []
    for folder in FOLDERS:
        readme = folder / "README.md"
        text = readme.read_text("utf-8")
        before, begin, rest = text.partition(f"{BEGIN}\n")
        _, end, after = rest.partition(END)
        if not begin or not end:
            sys.exit(f"{readme}: has no place for the tables. Add the lines {BEGIN} and {END}.")
        current = before + begin + tables(folder) + end + after
        if current != text:
            stale.append(readme)
            if "--check" not in arguments:
                readme.write_text(current, "utf-8")
    current = "\n".join([HEADER, *map(section, FOLDERS)])
    if not PAGE.exists() or PAGE.read_text("utf-8") != current:
        stale.append(PAGE)
        if "--check" not in arguments:
            PAGE.write_text(current, "utf-8")
    for readme in stale:
        print(readme.relative_to(ROOT))
    if stale and "--check" in arguments:
        sys.exit("The tables above aren't current. Run `make generate`.")


def section(folder: Path) -> str:
    """Return the section of a module in docs/modules.md: its purpose, from its README, and its inputs."""
    title, purpose = re.split(r"\n{2,}", (folder / "README.md").read_text("utf-8"))[:2]
    purpose = re.sub(r"\]\(([^):#]+)", lambda link: f"]({_from_docs(folder / link[1])}", purpose)
    lines = [f"\n#{title}\n", f"{purpose} [README]({_from_docs(folder / 'README.md')}).\n"]
    lines += ["| input | description | default |", "|---|---|---|"]
    for name, body in _inputs(folder):
        default = f"`{json.dumps(_value(body['default']))}`" if "default" in body else "required"
        lines.append(f"| `{name}` | {_text(body['description'])} | {default} |")
    return "\n".join(lines) + "\n"


def _from_docs(path: Path) -> str:
    return os.path.relpath(path, PAGE.parent)


def _inputs(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the inputs of a module, required ones first."""
    return sorted(_blocks(folder, "variable").items(), key=lambda item: ("default" in item[1], item[0]))


def tables(folder: Path) -> str:
    """Return the two tables of a module in Markdown, with required inputs first."""
    inputs = _inputs(folder)
    lines = ["## Inputs", "", "| Name | Description | Type | Default | Required |", "|---|---|---|---|:---:|"]
    for name, body in inputs:
        default = _code(json.dumps(_value(body["default"]), indent=2)) if "default" in body else "n/a"
        cells = (name, _text(body["description"]), _code(_type(folder, name)), default)
        lines.append(f"| {' | '.join(cells)} | {'no' if 'default' in body else 'yes'} |")
    lines += ["", "## Outputs", "", "| Name | Description |", "|---|---|"]
    lines += [f"| {name} | {_text(body['description'])} |" for name, body in sorted(_blocks(folder, "output").items())]
    return "\n".join(lines) + "\n"


def _blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    file = folder / f"{kind}s.tf"
    blocks: list[dict[str, Any]] = hcl2.loads(file.read_text("utf-8")).get(kind, []) if file.exists() else []
    return {name.strip('"'): body for block in blocks for name, body in block.items()}


def _type(folder: Path, variable: str) -> str:
    """Return a variable's type as in variables.tf."""
    text = (folder / "variables.tf").read_text("utf-8")
    start = text.index("=", text.index("type", text.index(f'variable "{variable}"'))) + 2
    end, depth = start, 0
    while depth or text[end] != "\n":
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return text[start:end]


def _value(value: Any) -> Any:
    """Return a default as a JSON value."""
    match value:
        case str():
            return json.loads(value) if value.startswith('"') else value
        case list():
            return [_value(element) for element in value]
        case dict():
            return {key.strip('"'): _value(element) for key, element in value.items() if key != "__is_block__"}
        case _:
            return value


def _text(description: str) -> str:
    text = description
    if text.startswith('"<<'):
        text = text.strip('"').partition("\n")[2].rpartition("\n")[0]
    return " ".join(text.strip('"').replace('\\"', '"').split()).replace("|", "\\|")


def _code(text: str) -> str:
    """Return a type or a default for a cell, with its line breaks."""
    escaped = text.replace("|", "\\|")
    return f"<pre>{escaped.replace(chr(10), '<br/>')}</pre>" if "\n" in text else f"`{escaped}`"


if __name__ == "__main__":
    main(sys.argv[1:])
