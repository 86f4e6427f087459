"""The house stands on its layers: a module imports its own layer or a lower one, and few import more than Python."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import personalize_segment

PACKAGE = "personalize_segment"
FOLDER = Path(personalize_segment.__file__).parent
STANDARD_LIBRARY = sys.stdlib_module_names

#: Module or folder -> layer, and what it may import beside the standard library. A folder is one room.
LAYERS: dict[str, tuple[int, set[str]]] = {
    "__init__": (0, set()),
    "errors": (0, set()),
    "columns": (0, set()),
    "deadline": (0, set()),
    "strict_json": (1, set()),
    "mapping": (1, set()),
    "rows": (2, set()),
    "avro": (2, set()),
    "logs": (2, set()),
    "settings": (2, set()),
    "outputs": (2, set()),
    "suppression": (2, set()),
    "envelopes": (2, set()),
    "duckdb_json": (3, set()),
    "sql": (3, set()),
    "report": (3, set()),
    "warehouse": (3, set()),
    "payloads": (3, set()),
    "log_stream": (4, {"fsspec", "isal"}),
    "duckdb_rows": (4, {"duckdb"}),
    "duckdb_worker": (4, {"duckdb", "botocore"}),
    "duckdb_engine": (4, {"duckdb"}),
    "export": (4, {"duckdb", "boto3", "botocore"}),
    "output": (4, {"boto3", "botocore"}),
    "sample": (4, set()),
    "trouble": (4, {"botocore"}),
    "record": (4, set()),
    "recommend": (4, set()),
    "writeback": (4, {"requests", "segment"}),
    "references": (4, {"aws_lambda_powertools", "botocore"}),
    "clients": (4, {"boto3", "botocore"}),
    "live": (4, set()),
    "profiles": (4, set()),
    "redrive": (4, {"boto3", "botocore"}),
    "handler": (5, {"aws_lambda_powertools"}),
    "forget": (4, {"boto3", "botocore"}),
    "verify": (4, {"botocore"}),
    "preflight": (4, {"duckdb", "botocore"}),
    "unload": (4, {"botocore", "snowflake"}),
    "provision": (4, {"botocore"}),
    "emulator": (4, {"boto3", "botocore", "moto", "pytest", "werkzeug"}),
    "cli": (5, {"boto3", "botocore", "typer", "rich"}),
}


def imports(tree: ast.AST, room: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Yield (package, module) of each import: None and a room of ours, or another package and itself.

    `room` is the folder that the file is in. Imports in functions count, those under
    `if TYPE_CHECKING` don't: they never run.
    """
    for node in _running(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _sorted_in(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            here = [PACKAGE, room] if room and node.level == 1 else [PACKAGE]
            start = [*here, *module] if node.level else module
            if start == [PACKAGE]:
                for alias in node.names:
                    name = alias.name if alias.name in LAYERS else "__init__"
                    yield None, name
            else:
                yield _sorted_in(start)


def _sorted_in(parts: list[str]) -> tuple[str | None, str]:
    if parts[0] == PACKAGE:
        return None, parts[1] if len(parts) > 1 else "__init__"
    return parts[0], parts[0]


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield from (other, *_running(other))
        else:
            yield from (child, *_running(child))


def _imports_of(module: str) -> set[tuple[str | None, str]]:
    folder = FOLDER / module
    if not folder.is_dir():
        return set(imports(ast.parse((FOLDER / f"{module}.py").read_text("utf-8"))))
    files = (ast.parse(file.read_text("utf-8")) for file in folder.glob("*.py"))
    return {one for file in files for one in imports(file, module)}


def test_every_module_is_in_the_table_and_the_other_way_round() -> None:
    assert {file.relative_to(FOLDER).with_suffix("").parts[0] for file in FOLDER.rglob("*.py")} == set(LAYERS)


@pytest.mark.parametrize("module", list(LAYERS))
def test_a_module_imports_no_higher_layer(module: str) -> None:
    ours = {name for package, name in _imports_of(module) if package is None}
    assert not {name for name in ours if name not in LAYERS or LAYERS[name][0] > LAYERS[module][0]}


@pytest.mark.parametrize("module", list(LAYERS))
def test_a_module_imports_only_the_packages_it_may(module: str) -> None:
    packages = {package for package, _ in _imports_of(module) if package is not None}
    assert packages - STANDARD_LIBRARY <= LAYERS[module][1]


def test_the_layers_that_lambda_and_glue_load_may_import_the_standard_library_only() -> None:
    assert not [name for name, (layer, packages) in LAYERS.items() if layer <= 3 and packages]


def test_modules_import_each_other_in_no_circle() -> None:
    left = {module: {name for package, name in _imports_of(module) if package is None} - {module} for module in LAYERS}
    while ready := [module for module, needed in left.items() if not needed & set(left)]:
        for module in ready:
            del left[module]
    assert not left


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("import json, os.path", {("json", "json"), ("os", "os")}, id="plain"),
        pytest.param("from . import logs, __version__", {(None, "logs"), (None, "__init__")}, id="from the package"),
        pytest.param("from .rows import text", {(None, "rows")}, id="relative"),
        pytest.param("from personalize_segment.rows import text", {(None, "rows")}, id="absolute"),
        pytest.param("import personalize_segment.cli", {(None, "cli")}, id="a module by its full name"),
        pytest.param("def f():\n    import duckdb", {("duckdb", "duckdb")}, id="in a function"),
        pytest.param("if TYPE_CHECKING:\n    import boto3\nelse:\n    import rich", {("rich", "rich")}, id="for types"),
        pytest.param(
            "try:\n    import rich\nexcept E:\n    import typer", {("rich", "rich"), ("typer", "typer")}, id="try"
        ),
    ],
)
def test_imports_are_found_wherever_they_stand(text: str, found: set[tuple[str | None, str]]) -> None:
    assert set(imports(ast.parse(text))) == found


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        pytest.param(
            ("rows", "avro", "sql", "logs", "report", "payloads", "settings"),
            {"duckdb", "boto3", "botocore", "typer", "rich", "pyspark", "click", "numpy"},
            id="the layers of the standard library",
        ),
        pytest.param(("handler",), {"duckdb", "typer", "rich", "pyspark", "click", "numpy"}, id="the Lambda functions"),
    ],
)
def test_what_lambda_and_glue_load_brings_no_other_package_along(modules: tuple[str, ...], absent: set[str]) -> None:
    code = f"import {', '.join(f'{PACKAGE}.{one}' for one in modules)}, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert PACKAGE in loaded
    assert not loaded & absent
