"""Documents derived from others, and invalid documents: mappings/refused.json and specs/refused.json.

A table is a list of groups: a base document, and cases that differ from it by `change` (values by their
paths) and `without` (paths). A case that isn't a change of a document has a `text`. Terraform takes those with
`only_check`, which `personalize-segment check` alone refuses.
"""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Refused:
    """A document's text, and the place, problem and remedy (parts of both) of its error."""

    text: str
    place: str
    problem: str
    remedy: str
    only_check: bool


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a document with values at paths like a/b/c replaced; `...` takes one away."""
    made = copy.deepcopy(document)
    for path, value in changes.items():
        *way, last = path.split("/")
        inner = made
        for key in way:
            inner = inner.setdefault(key, {})
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return made


def refused(table: Path) -> dict[str, Refused]:
    """Return the cases of a table by name."""
    found: dict[str, Refused] = {}
    for group in json.loads(table.read_text("utf-8")):
        for case in group["cases"]:
            assert case["name"] not in found, f"{table} has two cases {case['name']}"
            changes = case.get("change", {}) | dict.fromkeys(case.get("without", []), ...)
            text = case["text"] if "text" in case else json.dumps(changed(group["base"], changes))
            only_check = case.get("only_check", False)
            found[case["name"]] = Refused(text, case["place"], case["problem"], case["remedy"], only_check)
    return found
