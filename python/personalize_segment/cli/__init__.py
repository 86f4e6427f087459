"""The command line: data on stdout, messages on stderr, exit 0 (done), 1 (failed), 2 (misused)."""

import io
import os
import signal
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
    "doctor": ("doctor", "verify"),
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
    """Run the command line; no error that we know of ends in a traceback.

    SIGTERM interrupts like Ctrl-C, so that nothing is left behind. What is written may have user ids: it is for its
    owner only.
    """
    os.umask(0o077)
    interrupted = _Interrupted()
    signal.signal(signal.SIGTERM, interrupted.terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        for argument in sys.argv[1:]:
            if argument != argument.encode(errors="replace").decode():
                fail(f"{argument}: isn't UTF-8 text. Rename it")
        load(*sys.argv[1:2])()
    except PersonalizeSegmentError as error:
        fail(str(error))
    except SystemExit as ended:  # typer's word for Ctrl-C is the status alone
        if ended.code == 130:
            interrupted.end()
        raise
    except KeyboardInterrupt:
        interrupted.end()
    except OSError as error:
        fail(f"{error.filename or 'output'}: {error.strerror}")
    sys.exit(0)


class _Interrupted:
    """How a run ends that was interrupted: with the status of the signal, as shells have it."""

    _by = signal.SIGINT

    def terminate(self, *_: object) -> None:
        """Do as on Ctrl-C, whose handler may be a verb's own."""
        self._by = signal.SIGTERM
        if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):
            raise KeyboardInterrupt  # as in a shell's background, where Ctrl-C is ignored
        signal.raise_signal(signal.SIGINT)

    def end(self) -> NoReturn:
        """Say so, and end."""
        messages.print("Interrupted.")
        sys.exit(128 + self._by)
