"""Programs that tests need and pip can't install: where one is missing, what is left out is said, and CI fails."""

import os
import shutil

import pytest


def needs(program: str, left_out: str) -> None:
    """Skip the test if a program is missing; where CI is set, fail it."""
    if shutil.which(program) is None:
        said = f"{left_out} is left out: {program} is not on the path"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
