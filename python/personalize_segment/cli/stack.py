"""What the verbs of a stack share: its spec, boto3's clients, polling, and what AWS refuses in one line."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from ..errors import SpecError
from .terminal import fail, messages, plain, read_bytes, requires, utf8

if TYPE_CHECKING:
    from ..provision.retries import Polling
    from ..provision.spec import Spec
    from ..provision.state import ProvisionClients

P = ParamSpec("P")
SpecFile = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The spec, or - for `terraform output -json` on stdin.", allow_dash=True)
]
StackName = Annotated[
    str | None, typer.Option("--stack", help="Stack to use, if the outputs hold several.", show_default=False)
]
Poll = Annotated[
    float,
    typer.Option(
        "--poll", min=0.05, envvar="PERSONALIZE_SEGMENT_POLL", help="Seconds between two looks at what is going on."
    ),
]


def explain_refusals(verb: Callable[P, None], extra: str = "provision") -> Callable[P, None]:
    """Return a verb that says in one line what AWS refuses it to read, or which extra isn't installed."""

    @wraps(verb)
    def explained(*args: P.args, **kwargs: P.kwargs) -> None:
        with requires(extra):
            from botocore.exceptions import ClientError
        try:
            verb(*args, **kwargs)
        except ClientError as error:
            fail(f"{error}. Check your credentials and their rights, and the buckets in the spec.")

    return explained


def make_clients() -> "ProvisionClients":
    """Return boto3's clients, with the settings of the environment."""
    with requires("provision"):
        from ..provision.state import ProvisionClients
    return ProvisionClients(client("personalize"), client("ssm"), client("s3"))


def client(service: str, region: str | None = None) -> Any:
    """Return boto3's client of a service, with the settings of the environment; `region` goes before its region."""
    with requires("provision"):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    try:
        return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]
    except BotoCoreError as error:
        fail(str(error))


def caller() -> str:
    """Return the ARN of whoever's credentials these are."""
    with requires("provision"):
        from botocore.exceptions import BotoCoreError
    try:
        return str(client("sts").get_caller_identity()["Arn"])
    except BotoCoreError as error:
        fail(str(error))


def announce(stack: str, region: str | None = None) -> tuple[str, str]:
    """Print account, region and stack to stderr before anything is read or changed; return account and region."""
    account, region = caller().split(":")[4], region or str(client("sts").meta.region_name)
    messages.print(plain(f"account {account}, region {region}, {stack}"), soft_wrap=True)
    return account, region


def read_spec(file: Path, stack: str | None = None) -> "Spec":
    """Return the spec in a file; a path in it starts from the file's folder. Raises SpecError."""
    return read_spec_and_text(file, stack)[0]


def read_spec_and_text(file: Path, stack: str | None = None) -> "tuple[Spec, str]":
    """Return the spec in a file, and the text of the file, which may be more than the spec. Raises SpecError."""
    from ..provision.spec import read

    text = utf8(read_bytes(file), file, SpecError)
    return read(text, None if str(file) == "-" else file.parent, stack), text


def polling_every(seconds: float = 20.0) -> "Polling":
    """Return how to wait."""
    from ..provision.retries import Polling

    return Polling(poll_seconds=seconds)
