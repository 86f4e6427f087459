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
    """Return the folder of commands installed from the built wheel, in an environment without the sources."""
    (ROOT / ".build").mkdir(exist_ok=True)
    with (ROOT / ".build" / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "--silent", "installed"], cwd=ROOT, check=True)
    return ROOT / ".build" / "installed" / "bin"


def python_without_ours(folder: Path) -> Path:
    """Return a Python that imports the packages of this one, but not this project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (here,) = site.getsitepackages()
    (there,) = folder.glob("lib/python*/site-packages")
    # As plain lines, so that .pth files in there, such as that of the editable install, aren't read.
    (there / "packages.pth").write_text(here)
    return folder / "bin" / "python"


def needs(program: str, left_out: str) -> None:
    """Skip the test if a program is missing, or fail it if CI is set."""
    if shutil.which(program) is None:
        said = f"{left_out} is left out: {program} is not on the path"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
