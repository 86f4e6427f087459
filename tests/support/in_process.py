"""The command in this process: fast, and with this process's substitute for AWS."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from personalize_segment.cli import main

#: Status, stdout and stderr.
Ended = tuple[int, str, str]


class Command:
    """The command line. `capsys` captures its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Return the command's status and output."""
        with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open() as nothing:
            patch.setattr(sys, "argv", ["personalize-segment", *arguments])
            patch.setattr(sys, "stdin", nothing)  # not a terminal
            with pytest.raises(SystemExit) as end:
                main()
        return (int(end.value.code or 0), *self._capsys.readouterr())


@contextmanager
def command(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Yield the command, and undo its changes to the process."""
    before, mask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    yield Command(capsys)
    signal.signal(signal.SIGTERM, before)
    os.umask(mask)
