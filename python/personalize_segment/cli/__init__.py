"""The command line: data on stdout, messages on stderr, exit 0 (done), 1 (failed), 2 (misused)."""

import io
import sys
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..errors import PersonalizeSegmentError
from .terminal import app, fail, messages

#: Module -> its verbs.
VERBS = {
    "mapping": ("init", "check", "schema"),
    "history": ("explain", "export", "sample"),
    "stage": ("stage",),
    "warehouse": ("sql",),
    "unload": ("unload",),
    "preflight": ("preflight",),
    "provision": ("plan", "apply", "status", "destroy", "import", "train", "recommend"),
    "verify": ("verify",),
    "segment": ("segment",),
    "live": ("settings", "redrive"),
    "profiles": ("profiles",),
    "privacy": ("forget",),
    "emulator": ("emulator",),
}


def load(verb: str | None = None) -> typer.Typer:
    """Return the application with the verbs of one module: to load all takes longer than many a verb.

    Without `verb`, or with one that there isn't, it has them all.
    """
    for module in [one for one, verbs in VERBS.items() if verb in verbs] or VERBS:
        import_module(f".{module}", __name__)
    return app


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
        load(*sys.argv[1:2])()
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
