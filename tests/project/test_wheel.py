"""The installed wheel has every file of the package, and works with only the extras that it names."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from golden_cases import TESTS
from personalize_segment import __version__
from personalize_segment.cli import VERBS
from programs import installed
from words import tracked

ROOT = TESTS.parent
FOLDERS = ("personalize_segment",)
CERTIFICATE = {"sensitive": True, "type": "string", "value": "-----BEGIN CERTIFICATE-----\nMII\n"}


def _run(*command: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    return subprocess.run(command, cwd=cwd, env=kept | {"COLUMNS": "300"}, capture_output=True, text=True, check=False)


def _environment(folder: Path, *requirements: str) -> Path:
    """Return the folder of commands of a new environment in which these are installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = str(folder / "bin" / "python")
    # Compiling all installed modules takes longer than those that are imported.
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, *requirements], check=True, capture_output=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel() -> Path:
    (found,) = installed().parent.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the folder of commands of the wheel in an environment that has no other package."""
    return _environment(tmp_path_factory.mktemp("bare"), "--no-deps", str(wheel))


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    shared = f"{wheel.name.split('-py3')[0]}.data/data/share/personalize-segment/glue/segment_to_personalize.py"
    assert packed == {name.removeprefix("python/") for name in tracked("python")} | {shared}


def test_the_address_of_the_project_is_the_one_in_the_documents() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository = project["urls"]["Repository"]
    assert all(url.startswith(repository) for url in project["urls"].values())
    assert f" link: {repository}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")
    for document in ("terraform/README.md", "docs/terraform.md"):
        assert f"git::{repository}.git//terraform?ref=" in (ROOT / document).read_text("utf-8")
    for url in project["urls"].values():
        _, found, path = url.partition("/blob/main/")
        assert not found or (ROOT / path).is_file()


def test_without_its_packages_the_command_names_the_extra_that_brings_them(bare: Path) -> None:
    done = _run(bare / "personalize-segment", "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert "typer isn't installed. Install personalize-segment[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_its_packages_the_command_prints_its_version(bare: Path) -> None:
    done = _run(bare / "personalize-segment", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


#: Commands that need more than `cli`, and their extra.
NEEDY = {
    "init": (["--logs", "logs"], "export"),
    "export": (["logs", "out"], "export"),
    "stage": (["list", "stage"], "export"),
    "unload": (["snowflake", "--schema", "x", "--to", "s3://bucket/x/", "--integration", "i"], "snowflake"),
    "preflight": (["out"], "export"),
    **{verb: (["spec.json"], "provision") for verb in ("plan", "status", "destroy", "import", "train")},
    "apply": (["--yes", "spec.json"], "provision"),
    "recommend": (["spec.json", "u-1"], "provision"),
    **{verb: (["outputs.json"], "provision") for verb in ("doctor", "verify")},
    "segment": (["plan", "outputs.json", "--source", "x"], "provision"),
    "redrive": (["https://queue"], "live"),
    "profiles": (["load", "out"], "live"),
    "forget": (["spec.json", "--users", "users.csv", "--suppression", "list.csv"], "provision"),
    "emulator": ([], "emulator"),
}
#: Commands that need only `cli`.
ENOUGH = {
    "check": [],
    "schema": [],
    "explain": ["event.json"],
    "sample": ["logs", "--events", "1"],
    "sql": ["snowflake", "--schema", "x", "--to", "s3://bucket/x/", "--integration", "i"],
    "settings": [],
}


def test_every_verb_names_the_extra_that_brings_what_it_lacks(tmp_path: Path, wheel: Path) -> None:
    assert NEEDY.keys() | ENOUGH.keys() == {verb for verbs in VERBS.values() for verb in verbs}
    commands = _environment(tmp_path / "cli", f"{wheel}[cli]")
    (tmp_path / "spec.json").write_text('{"version": 1, "name": "shop", "datasets": {"interactions": {}}}')
    (tmp_path / "users.csv").write_text("USER_ID\nu-1\n")
    (tmp_path / "event.json").write_text('{"type": "page"}')
    for verb, arguments in ENOUGH.items():
        done = _run(commands / "personalize-segment", verb, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for verb, (arguments, extra) in NEEDY.items():
        done = _run(commands / "personalize-segment", verb, *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert done.stderr.endswith(f"isn't installed. Install personalize-segment[{extra}].\n"), verb


def test_every_verb_is_there() -> None:
    done = _run(installed() / "personalize-segment", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.findall(r"^│ ([a-z]+) ", done.stdout, re.MULTILINE)
    assert sorted(shown) == sorted(verb for verbs in VERBS.values() for verb in verbs)


def test_the_extra_of_the_readme_is_enough_for_its_commands(tmp_path: Path, bare: Path, wheel: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(bare / "python"), "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, f"{wheel}[export]"], check=True, capture_output=True)
    command = bare / "personalize-segment"
    for arguments in (
        ("sample", tmp_path, "--events", "20000"),
        ("export", tmp_path / "segment-logs", tmp_path / "out"),
        ("preflight", tmp_path / "out", "--html", tmp_path / "page.html"),
    ):
        done = _run(command, *arguments)
        assert done.returncode == 0, done.stderr
    # It reaches AWS, after the table of prices and other stack outputs.
    outputs = json.loads((TESTS / "specs" / "valid" / "terraform-output.json").read_text("utf-8"))
    (tmp_path / "outputs.json").write_text(json.dumps(outputs | {"tls_cert": CERTIFICATE}))
    done = _run(command, "plan", tmp_path / "outputs.json")
    assert (done.returncode, "no other credentials were found" in done.stderr) == (1, True), done.stderr
