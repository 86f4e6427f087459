"""Layers import only what the table in CONTRIBUTING.md allows, for every pair of layers."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "personalize_segment"
EMULATOR = "personalize_emulator"
FOLDERS = {PACKAGE: ROOT / "python" / PACKAGE, EMULATOR: ROOT / "python" / EMULATOR, "glue": ROOT / "glue"}
#: Modules with only a version and the entry point of the command.
DOORS = {"__init__", "__main__"}


class Layer(NamedTuple):
    """The layers and packages that a layer may import, in addition to the standard library."""

    layers: set[str]
    packages: set[str]


def _table() -> dict[str, Layer]:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    lines = text.partition("<!-- layers -->")[2].partition("<!-- /layers -->")[0].split("\n| `")[1:]
    found = {}
    for line in lines:
        name, _, layers, packages, _ = line.split("|")
        found[name.strip("` ")] = Layer(set(re.findall(r"`(\w+)`", layers)), set(re.findall(r"\w+", packages)))
    return found


TABLE = _table()


def _layer(parts: list[str]) -> str | None:
    """Return the layer of a module given the parts of its name, or None for other packages."""
    if parts[0] == PACKAGE:
        return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else "__init__"
    return parts[0] if parts[0] in (EMULATOR, "glue") else None


def imported(source: str, module: list[str]) -> Iterator[tuple[str | None, str]]:
    """Yield (layer, package) for each import in `module`: one of our layers, or None and another package.

    Imports in functions count. Those under `if TYPE_CHECKING` don't, because they never run.
    """
    for node in _running(ast.parse(source)):
        names: list[list[str]] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = module[: -node.level] if node.level else []
            start += (node.module or "").split(".") if node.module else []
            names = [[*start, alias.name] for alias in node.names]
        for name in names:
            yield _layer(name), name[0]


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield from (other, *_running(other))
        else:
            yield from (child, *_running(child))


def wrong(source: str, module: list[str]) -> set[str]:
    """Return the layers and packages that `module` imports against the table."""
    layer = _layer(module)
    assert layer is not None
    allowed = TABLE[layer]
    found = set()
    for other, package in imported(source, module):
        if other is None and package not in allowed.packages | sys.stdlib_module_names:
            found.add(package)
        elif other is not None and other not in allowed.layers | {layer, "__init__"}:
            found.add(other)
    return found


def _modules() -> dict[str, tuple[Path, list[str]]]:
    found = {}
    for package, folder in FOLDERS.items():
        for file in folder.rglob("*.py"):
            module = [package, *file.relative_to(folder).with_suffix("").parts]
            if module[:2] not in [[PACKAGE, door] for door in DOORS]:
                found[".".join(module)] = file, module
    return found


MODULES = _modules()


def test_every_layer_is_in_the_table_and_the_other_way_round() -> None:
    assert {_layer(module) for _, module in MODULES.values()} == set(TABLE)


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_imports_only_what_its_layer_may(name: str) -> None:
    file, module = MODULES[name]
    assert wrong(file.read_text("utf-8"), module) == set()


@pytest.mark.parametrize(
    ("layer", "other"), [(one, other) for one, other in permutations(TABLE, 2) if other not in TABLE[one].layers]
)
def test_an_import_that_no_row_allows_is_found(layer: str, other: str) -> None:
    inside = [layer, "any"] if layer in (EMULATOR, "glue") else [PACKAGE, layer, "any"]
    name = other if other in (EMULATOR, "glue") else f"{PACKAGE}.{other}"
    for source in (
        f"import {name}.some",
        f"from {name} import some",
        f"def f():\n    from {name}.some import thing",
        f"try:\n    import {name}\nexcept E:\n    pass",
        *([f"from ..{other} import some"] if inside[0] == PACKAGE and name != other else []),
        *([f"from .. import {other}"] if inside[0] == PACKAGE and name != other else []),
    ):
        assert wrong(source, inside) == {other}, source


def test_other_packages_are_found_and_what_is_for_types_is_not() -> None:
    assert wrong("import json, duckdb", [PACKAGE, "contract", "rows"]) == {"duckdb"}
    source = "if TYPE_CHECKING:\n    import boto3\nelse:\n    import rich"
    assert wrong(source, [PACKAGE, "contract", "rows"]) == {"rich"}
    assert wrong("from .mapping import a\nfrom ..errors import b", [PACKAGE, "contract", "rows"]) == set()


def test_layers_lead_to_each_other_in_no_circle() -> None:
    left = {name: set(layer.layers) for name, layer in TABLE.items()}
    while ready := [name for name, needed in left.items() if not needed & set(left)]:
        for name in ready:
            del left[name]
    assert not left


def test_no_name_of_a_class_means_two_things() -> None:
    seen: dict[str, str] = {}
    for name, (file, _) in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert seen.setdefault(node.name, name) == name, (
                    f"{node.name} is a class of {name} and {seen[node.name]}"
                )
    assert len(seen) > 50


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        pytest.param(
            ("contract.rows", "contract.avro", "contract.report", "history.logs", "live.payloads", "live.settings"),
            {"duckdb", "boto3", "botocore", "typer", "rich", "pyspark", "click", "numpy"},
            id="what is the standard library only",
        ),
        pytest.param(
            ("live.handler",), {"duckdb", "typer", "rich", "pyspark", "click", "numpy"}, id="the Lambda functions"
        ),
    ],
)
def test_what_lambda_and_glue_load_brings_no_other_package_along(modules: tuple[str, ...], absent: set[str]) -> None:
    code = f"import {', '.join(f'{PACKAGE}.{one}' for one in modules)}, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert PACKAGE in loaded
    assert not loaded & absent
