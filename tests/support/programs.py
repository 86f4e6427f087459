"""Programs that tests run: the installed command, and those that pip can't install."""

import fcntl
import os
import shutil
import site
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@cache
def installed() -> Path:
    """Return the folder of the commands that the built wheel installs, in an environment without our sources."""
    (ROOT / ".build").mkdir(exist_ok=True)
    with (ROOT / ".build" / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "--silent", "installed"], cwd=ROOT, check=True)
    return ROOT / ".build" / "installed" / "bin"


def python_without_ours(folder: Path) -> Path:
    """Return a Python that imports the packages of this one, but none of this project's."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (here,) = site.getsitepackages()
    (there,) = folder.glob("lib/python*/site-packages")
    # As plain lines: the .pth files in there, such as the one of our own editable install, are not read.
    (there / "packages.pth").write_text(here)
    return folder / "bin" / "python"


def needs(program: str, left_out: str) -> None:
    """Skip the test if a program is missing; where CI is set, fail it."""
    if shutil.which(program) is None:
        said = f"{left_out} is left out: {program} is not on the path"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
