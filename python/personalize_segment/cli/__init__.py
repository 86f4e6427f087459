"""The command line: data on stdout, messages on stderr, exit 0 (done), 1 (failed), 2 (misused)."""

import io
import sys
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..errors import PersonalizeSegmentError
from . import emulator, history, live, personalize, preflight, privacy, unload, verify, warehouse
from .terminal import app, fail, messages

__all__ = [
    "app",
    "emulator",
    "history",
    "live",
    "main",
    "personalize",
    "preflight",
    "privacy",
    "unload",
    "verify",
    "warehouse",
]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; no error that we know of ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        app()
    except PersonalizeSegmentError as error:
        fail(str(error))
    except SystemExit as ended:  # typer's word for Ctrl-C is the status alone
        if ended.code == 130:
            messages.print("Interrupted.")
        raise
    except KeyboardInterrupt:
        messages.print("Interrupted.")
        sys.exit(130)
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")
    sys.exit(0)
