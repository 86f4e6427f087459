"""The verb `emulator`: Personalize and moto's AWS services on one port."""

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import TRY, fail, messages, requires, verb

if TYPE_CHECKING:
    from personalize_emulator.server import Server

#: Variables that would override the printed ones.
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


@verb("emulator --port 5555 > aws.env & sleep 5; source aws.env", TRY)
def emulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")] = 5555,
    speed: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Speed of Personalize's clock: an hour takes 3,600/SPEED seconds.")
    ] = 1000,
    region: Annotated[str, typer.Option(help="Region in the printed variables.")] = "us-east-1",
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
        # In one write, because scripts wait until the file isn't empty.
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        said = f"AWS is at {server.endpoint}. Personalize's clock runs {speed:,} times faster. Ctrl-C stops it."
        messages.print(said, soft_wrap=True)
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
    """Ignore the user's AWS settings: moto doesn't start with a profile that doesn't exist."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _close_stdout() -> None:
    """Close the pipe, so that the shell's `$(… &)` returns while the server keeps running."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a file descriptor is wanted
        os.dup2(nothing.fileno(), sys.stdout.fileno())
