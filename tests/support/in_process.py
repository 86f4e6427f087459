"""The command in this process: fast, and with this process's substitute for AWS."""

import io
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import boto3
import pytest

from personalize_segment.cli import main


def run(*arguments: str | Path, text: str = "", environment: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """Return the command's status and output, with `text` on stdin. Undo its changes to the process.

    The default environment is this process's, with the session of boto3 that this process has.
    """
    command = ["personalize-segment", *map(str, arguments)]
    stdin, stdout, stderr = (io.TextIOWrapper(io.BytesIO(one), "utf-8") for one in (text.encode(), b"", b""))
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    mask = os.umask(0o022)
    try:
        with (
            patch.dict(os.environ, os.environ if environment is None else environment, clear=True),
            # It caches the environment of the last command.
            patch.object(boto3, "DEFAULT_SESSION", boto3.DEFAULT_SESSION if environment is None else None),
            patch.multiple(sys, argv=command, stdin=stdin, stdout=stdout, stderr=stderr),
            pytest.raises(SystemExit) as end,
        ):
            main()
    finally:
        os.umask(mask)
        for one, handler in handlers.items():
            signal.signal(one, handler)
    printed = []
    for stream in (stdout, stderr):
        stream.flush()
        stream.seek(0)
        printed.append(stream.read())
    return CompletedProcess(command, int(end.value.code or 0), *printed)
