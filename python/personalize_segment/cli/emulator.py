"""The verb that stands in for AWS: Personalize and what moto has, on one port."""

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import TRY, fail, messages, requires, verb

if TYPE_CHECKING:
    from personalize_emulator.server import Server

#: What stands against the variables that are printed.
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


@verb("emulator --port 5555 > aws.env & sleep 5; source aws.env", TRY)
def emulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 5555,
    speed: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Speed of Personalize's clock: an hour takes 3,600/SPEED seconds.")
    ] = 1000,
    region: Annotated[str, typer.Option(help="Region that the printed variables name.")] = "us-east-1",
) -> None:
    """Run AWS with Amazon Personalize on this machine. State is kept in memory and lost on exit.

    When it is ready, it prints `export` lines. Run them in another shell to point AWS clients at it.
    """
    ready = False

    def announce(server: "Server") -> None:
        nonlocal ready
        lines = [f"export {name}={shlex.quote(value)}" for name, value in server.environment().items()]
        lines += [f"unset {' '.join(_UNSET)}", f"export EMULATOR_PID={os.getpid()}"]
        ready = True
        # In one piece: who waits for a file that isn't empty any more finds all of it.
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        messages.print(f"AWS is at {server.endpoint}, {speed:,} times as fast. Ctrl-C ends it.", soft_wrap=True)
        _close_stdout()

    _forget_aws()

    with requires("emulator"):
        from personalize_emulator.server import ServerError, serve

        try:
            serve(port, announce, region=region, speed=speed)
        except ServerError as error:
            fail(str(error))
    if not ready:
        raise KeyboardInterrupt


def _forget_aws() -> None:
    """Leave the settings of whoever starts it to them: a profile that isn't there would keep moto from starting."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _close_stdout() -> None:
    """Let go of the pipe, so that the shell's `$(… &)` has all of it while the server runs on."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a file descriptor is wanted
        os.dup2(nothing.fileno(), sys.stdout.fileno())
