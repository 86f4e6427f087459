"""What the verbs of a stack share: its spec, boto3's clients, polling, and what AWS refuses in one line."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from ..errors import SpecError
from .terminal import fail, read_bytes, requires, utf8

if TYPE_CHECKING:
    from ..provision.retries import Polling
    from ..provision.spec import Spec
    from ..provision.state import ProvisionClients

P = ParamSpec("P")
SpecFile = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The spec, or - for `terraform output -json` on stdin.", allow_dash=True)
]
Poll = Annotated[
    float,
    typer.Option(
        "--poll", min=0.05, envvar="PERSONALIZE_SEGMENT_POLL", help="Seconds between two looks at what is going on."
    ),
]


def explain_refusals(verb: Callable[P, None]) -> Callable[P, None]:
    """Return a verb that says in one line what AWS refuses it to read, or what is not installed."""

    @wraps(verb)
    def explained(*args: P.args, **kwargs: P.kwargs) -> None:
        with requires("provision"):
            from botocore.exceptions import ClientError
        try:
            verb(*args, **kwargs)
        except ClientError as error:
            fail(f"{error}. Check your credentials and their rights, and the buckets in the spec.")

    return explained


def make_clients() -> "ProvisionClients":
    """Return boto3's clients, with the settings of the environment."""
    with requires("provision"):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from ..provision.state import ProvisionClients
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    try:
        personalize, ssm = boto3.client("personalize", config=config), boto3.client("ssm", config=config)
        return ProvisionClients(personalize, ssm, boto3.client("s3", config=config))
    except BotoCoreError as error:
        fail(str(error))


def caller() -> str:
    """Return the ARN of whoever's credentials these are."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return str(boto3.client("sts").get_caller_identity()["Arn"])
    except BotoCoreError as error:
        fail(str(error))


def read_spec(file: Path) -> "Spec":
    """Return the spec in a file; a path in it starts from the file's folder. Raises SpecError."""
    return read_spec_and_text(file)[0]


def read_spec_and_text(file: Path) -> "tuple[Spec, str]":
    """Return the spec in a file, and the text of the file, which may be more than the spec. Raises SpecError."""
    from ..provision.spec import read

    text = utf8(read_bytes(file), file, SpecError)
    return read(text, None if str(file) == "-" else file.parent), text


def polling_every(seconds: float = 20.0) -> "Polling":
    """Return how to wait."""
    from ..provision.retries import Polling

    return Polling(poll_seconds=seconds)
