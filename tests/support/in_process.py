"""The command as a user runs it, but in this process: quick, and with whatever stands in for AWS here."""

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
    """The command line; `capsys` takes what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Return how the command ends, and what it prints."""
        with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open() as nothing:
            patch.setattr(sys, "argv", ["personalize-segment", *arguments])
            patch.setattr(sys, "stdin", nothing)  # not a terminal
            with pytest.raises(SystemExit) as end:
                main()
        return (int(end.value.code or 0), *self._capsys.readouterr())


@contextmanager
def command(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Yield the command, and undo what it does to the process."""
    before, mask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    yield Command(capsys)
    signal.signal(signal.SIGTERM, before)
    os.umask(mask)
