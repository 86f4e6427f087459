"""The command line: data on stdout, messages on stderr, exit 0 (done), 1 (failed), 2 (misused), 3 (--check)."""

import io
import os
import signal
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.models import CommandInfo

from .. import __version__
from ..errors import PersonalizeSegmentError, sentence
from .terminal import PANELS, app, fail, messages

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
    """Return the application with the verbs of one module. Loading all of them takes longer than many verbs run.

    Without `verb`, or with an unknown one, it has all verbs.
    """
    for module in [one for one, verbs in VERBS.items() if verb in verbs] or VERBS:
        import_module(f".{module}", __name__)
    # The order doesn't depend on the module that was imported first.
    order = [name for verbs in VERBS.values() for name in verbs]

    def place(command: CommandInfo) -> tuple[int, int]:
        name = str(command.name or getattr(command.callback, "__name__", None))
        return PANELS.index(str(command.rich_help_panel)), order.index(name)

    app.registered_commands.sort(key=place)
    app.registered_groups.sort(key=lambda group: order.index(str(group.name)))
    return app


#: typer's usage error: click's exception, or its own copy of it, depending on the version.
_Misused: type[Exception] = typer.BadParameter.__mro__[2]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line. Known errors end with one line, without a traceback.

    SIGTERM and SIGHUP interrupt like Ctrl-C, so that temporary files are deleted. Only the owner can read the files
    that are written, because they may hold user ids.
    """
    os.umask(0o077)
    # boto3 reads only AWS_DEFAULT_REGION; other AWS tools read AWS_REGION.
    if (region := os.environ.get("AWS_REGION")) and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region
    interrupted = _Interrupted()
    signal.signal(signal.SIGTERM, interrupted.terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, interrupted.terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        for argument in sys.argv[1:]:
            if argument != argument.encode(errors="replace").decode():
                fail(f"{argument}: isn't UTF-8 text. Rename it")
            if not argument or (argument.startswith("--") and argument.endswith("=")):
                fail(f"{argument or 'an argument'} is empty. A variable of the shell may be unset", 2)
        status = load(*sys.argv[1:2])(prog_name=app.info.name, standalone_mode=False)
    except _Misused as error:
        _explain_usage(error)
    except typer.Abort:
        fail("Nothing was done")
    except PersonalizeSegmentError as error:
        from .stack import explained

        fail(explained(error))
    except KeyboardInterrupt:
        interrupted.end()
    except OSError as error:
        of_path = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError)
        fail(f"{error.filename or 'output'}: {error.strerror}" + (". Check the path" if of_path else ""))
    if status == 130:  # typer's status for Ctrl-C
        interrupted.end()
    sys.exit(status or 0)


def _explain_usage(error: Any) -> NoReturn:
    """Print the usage error in one line and exit with 2. Without arguments, print the help."""
    path = error.ctx.command_path if error.ctx else app.info.name
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    # typer puts choices on separate lines.
    fail(f"{sentence(' '.join(error.format_message().split()))} Run `{path} --help`", 2)


class _Interrupted:
    """Ends an interrupted run with the exit status that shells use for the signal."""

    _by = signal.SIGINT

    def terminate(self, number: int, _: object) -> None:
        """Call the handler of Ctrl-C, which a verb may have replaced."""
        self._by = signal.Signals(number)
        if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):
            raise KeyboardInterrupt  # as in a shell's background, where Ctrl-C is ignored
        signal.raise_signal(signal.SIGINT)

    def end(self) -> NoReturn:
        """Print a message and exit."""
        messages.print("Interrupted.")
        sys.exit(128 + self._by)
