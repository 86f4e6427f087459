"""Installed packages are pinned by hashes, and the files name no registry."""

import re
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_requirement_has_a_hash(file: Path) -> None:
    text = file.read_text("utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert pins
    assert [line for line in pins if "==" not in line or "--hash=sha256:" not in line] == []
    assert "://" not in text


def test_files_that_share_an_environment_pin_the_same_versions() -> None:
    found: dict[str, set[str]] = {}
    for file in FILES:
        if file.stem not in {"checkov", "provider"}:
            for name, version in re.findall(r"^([\w.-]+)==(\S+)", file.read_text("utf-8"), re.MULTILINE):
                found.setdefault(name, set()).add(version)
    assert found["click"]
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}
