"""What `pip install` gives: a wheel with every file of the package, that works with just the extras that it names."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from golden_cases import TESTS
from personalize_segment.cli import VERBS
from programs import installed

ROOT = TESTS.parent
FOLDERS = ("personalize_segment",)
CERTIFICATE = {"sensitive": True, "type": "string", "value": "-----BEGIN CERTIFICATE-----\nMII\n"}


def _run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    return subprocess.run(command, env=kept | {"COLUMNS": "300"}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel() -> Path:
    (found,) = installed().parent.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the folder of commands of the wheel in an environment that has no other package."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    return folder / "bin"


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", "python"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert packed == {name.removeprefix("python/") for name in tracked.stdout.splitlines()}


def test_without_its_packages_the_command_names_the_extra_that_brings_them(bare: Path) -> None:
    done = _run(bare / "personalize-segment", "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert "typer is missing: install personalize-segment[cli]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [verb for verbs in VERBS.values() for verb in verbs])
def test_every_verb_is_there(verb: str) -> None:
    done = _run(installed() / "personalize-segment", verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert verb in done.stdout


def test_the_extra_of_the_readme_is_enough_for_its_commands(tmp_path: Path, bare: Path, wheel: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(bare / "python"), "install", "--quiet"]
    subprocess.run([*pip, f"{wheel}[export]"], check=True, capture_output=True)
    command = bare / "personalize-segment"
    for arguments in (
        ("sample", tmp_path, "--events", "20000"),
        ("export", tmp_path / "segment-logs", tmp_path / "out"),
        ("preflight", tmp_path / "out", "--html", tmp_path / "page.html"),
    ):
        done = _run(command, *arguments)
        assert done.returncode == 0, done.stderr
    # It gets as far as AWS, past the table of prices and other outputs of a stack.
    outputs = json.loads((TESTS / "specs" / "valid" / "terraform-output.json").read_text("utf-8"))
    (tmp_path / "outputs.json").write_text(json.dumps(outputs | {"tls_cert": CERTIFICATE}))
    done = _run(command, "plan", tmp_path / "outputs.json")
    assert (done.returncode, "Unable to locate credentials" in done.stderr) == (1, True), done.stderr
