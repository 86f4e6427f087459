"""Write the tables of inputs and outputs into the READMEs of the Terraform modules; `--check` only compares.

They stand between `<!-- inputs and outputs -->` and `<!-- /inputs and outputs -->`, and come from
`variables.tf` and `outputs.tf`: a description is written once.
"""

import re
import sys
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "terraform", *sorted((ROOT / "modules").glob("*/")))
PLACE = re.compile(r"(?<=<!-- inputs and outputs -->\n).*?(?=<!-- /inputs and outputs -->)", re.DOTALL)


def main(arguments: list[str]) -> None:
    """Bring every README up to date, or with `--check` exit with 1 and the names of those that aren't."""
    stale = []
    for folder in FOLDERS:
        readme = folder / "README.md"
        text = readme.read_text("utf-8")
        if not PLACE.search(text):
            sys.exit(f"{readme}: has no place for the tables. Add the lines <!-- inputs and outputs --> and its end.")
        tables = f"\n{table(folder)}\n"
        current = PLACE.sub(lambda _, tables=tables: tables, text)  # type: ignore[misc]
        if current != text:
            stale.append(readme)
            if "--check" not in arguments:
                readme.write_text(current, "utf-8")
    for readme in stale:
        print(readme.relative_to(ROOT))
    if stale and "--check" in arguments:
        sys.exit("The tables above are not current. Run `make generate`.")


def table(folder: Path) -> str:
    """Return the two tables of a module in Markdown; what must be given comes first."""
    found = {kind: _blocks(folder / f"{kind}s.tf", kind) for kind in ("variable", "output")}
    given = sorted(found["variable"].items(), key=lambda item: "default" in item[1])
    lines = ["| input | type | default | |", "|---|---|---|---|"]
    objects = []
    for name, body in given:
        text = body["type"].removeprefix("${").removesuffix("}")
        if "object(" in text:
            objects.append(f"{name} = {_source(folder, name)}")
            text = re.sub(r"object\(.*\)", lambda found: "object" + ")" * _unopened(found[0]), text, flags=re.DOTALL)
        kind = _code(text)
        default = _code(_value(body["default"])) if "default" in body else "*required*"
        lines.append(f"| `{name}` | {kind} | {default} | {_cell(body['description'])} |")
    lines += ["", "| output | |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(body['description'])} |" for name, body in found["output"].items()]
    if objects:
        shown = "\n\n".join(objects)
        lines += ["", f"<details><summary>What is in the objects</summary>\n\n```hcl\n{shown}\n```\n\n</details>"]
    return "\n".join(lines) + "\n"


def _source(folder: Path, variable: str) -> str:
    """Return a variable's type as it is written in variables.tf, with its lines moved to the left."""
    text = (folder / "variables.tf").read_text("utf-8")
    start = text.index("type", text.index(f'variable "{variable}"'))
    start = text.index("=", start) + 2
    end, depth = start, 0
    while True:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
        if not depth and text[end] == "\n":
            return text[start:end].replace("\n  ", "\n")


def _unopened(text: str) -> int:
    """Return how many parentheses `text` closes beyond those it opens."""
    return text.count(")") - text.count("(")


def _blocks(file: Path, kind: str) -> dict[str, dict[str, Any]]:
    blocks: list[dict[str, Any]] = hcl2.loads(file.read_text("utf-8")).get(kind, []) if file.exists() else []
    return {name.strip('"'): body for block in blocks for name, body in block.items()}


def _value(value: Any) -> str:
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return value.removeprefix("${").removesuffix("}") if value.startswith("${") else value
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            inner = ", ".join(f"{key} = {_value(one)}" for key, one in value.items() if key != "__is_block__")
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return str(value)


def _cell(description: str) -> str:
    text = description
    if text.startswith('"<<'):
        text = text.strip('"').partition("\n")[2].rpartition("\n")[0]
    text = text.strip('"').replace('\\"', '"')
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _code(text: str) -> str:
    one_line = re.sub(r"\s+", " ", text).replace("|", "\\|")
    return f"`{one_line}`"


if __name__ == "__main__":
    main(sys.argv[1:])
