"""Shared by the verbs of a stack: its spec, boto3 clients, polling, and AWS errors in one line."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, ParamSpec

import typer

from ..errors import PersonalizeSegmentError, ProvisionError, SpecError, VerifyError
from .terminal import fail, messages, naming, plain, read_bytes, requires, utf8

if TYPE_CHECKING:
    from ..provision.retries import Polling
    from ..provision.spec import Spec
    from ..provision.state import ProvisionClients
    from ..provision.terraform_outputs import Home

P = ParamSpec("P")
SpecFile = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC", help="The spec, or the output of `terraform output -json`; - is stdin.", allow_dash=True
    ),
]
StackName = Annotated[
    str | None, typer.Option("--stack", help="Stack to use, if the outputs hold several.", show_default=False)
]
Poll = Annotated[
    float,
    typer.Option("--poll", min=0.05, envvar="PERSONALIZE_SEGMENT_POLL", help="Polling interval in seconds."),
]


def explain_refusals(verb: Callable[P, None], extra: str = "provision") -> Callable[P, None]:
    """Return a verb that prints AWS errors, missing AWS settings and missing packages in one line."""

    @wraps(verb)
    def explaining(*args: P.args, **kwargs: P.kwargs) -> None:
        with requires(extra):
            from botocore.exceptions import BotoCoreError, ClientError
        try:
            verb(*args, **kwargs)
        except ClientError as error:
            fail(f"{error}. Check your credentials, their permissions and the names in the spec")
        except BotoCoreError as error:
            fail(_setting(error) or str(error))

    return explaining


def explained(error: PersonalizeSegmentError) -> str:
    """Return an error in one line. It names the missing AWS setting, or the account that S3 refuses."""
    if (setting := _setting(error.__cause__)) is not None:
        return setting
    # Verbs of a stack have already printed the account.
    if isinstance(error, ProvisionError) or not error.place.startswith("s3://"):
        return str(error)
    if not hasattr(error.__cause__, "response"):
        return str(error)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return f"{error} Your credentials belong to account {caller().split(':')[4]}"
    except (BotoCoreError, ClientError) as refused:
        return f"{error} {_setting(refused) or refused}"


def _setting(error: BaseException | None) -> str | None:
    """Return the AWS setting that is missing or wrong, with a remedy; None for other errors."""
    profile = os.environ.get("AWS_PROFILE", "")
    return {
        "NoRegionError": "AWS_DEFAULT_REGION: isn't set, and no profile sets a region. Set it to the stack's region",
        "NoCredentialsError": "AWS_PROFILE: isn't set, and no other credentials were found. Set it to a profile in"
        " ~/.aws/config, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "ProfileNotFound": f"AWS_PROFILE: {profile!r} isn't a profile in ~/.aws/config."
        " Run `aws configure list-profiles`",
        "EndpointConnectionError": f"{error}. Check the connection, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL",
    }.get(type(error).__name__)


def make_clients() -> "ProvisionClients":
    """Return boto3 clients with the environment's settings."""
    with requires("provision"):
        from ..provision.state import ProvisionClients
    return ProvisionClients(client("personalize"), client("ssm"), client("s3"))


def client(service: str, region: str | None = None) -> Any:
    """Return a boto3 client with the environment's settings. `region` overrides the environment's region."""
    with requires("provision"):
        import boto3
        from botocore.config import Config
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]


def caller() -> str:
    """Return the ARN that the credentials belong to."""
    return str(client("sts").get_caller_identity()["Arn"])


def announce(what: str, wanted: "Home | None" = None, region: str | None = None) -> "Home":
    """Return the account and region, after printing them and `what` to stderr. Call this before reading any resource.

    `wanted` is the account and region in the stack's outputs, if any. `region` overrides the environment's region.
    Raises the errors of `here`.
    """
    found = here(wanted, region)
    messages.print(plain(f"{found}, {what}"), soft_wrap=True)
    return found


def here(wanted: "Home | None" = None, region: str | None = None) -> "Home":
    """Return the account of the credentials and the region. Raises VerifyError if they differ from `wanted`."""
    from ..provision.terraform_outputs import HOME, Home

    found = Home(caller().split(":")[4], region or str(client("sts").meta.region_name))
    if found.region == "aws-global":
        from botocore.exceptions import NoRegionError

        raise NoRegionError
    if wanted is not None and (other := wanted.other(found)):
        raise VerifyError(HOME, *other)
    return found


class Opened(NamedTuple):
    """A stack: its spec, the whole text of the spec's file, and its account and region."""

    spec: "Spec"
    text: str
    home: "Home"


def read_spec(file: Path, stack: str | None = None) -> "Spec":
    """Return the spec in a file. Its paths are relative to the file's folder. Raises SpecError."""
    return _read_spec(file, stack)[0]


def open_stack(file: Path, stack: str | None = None) -> Opened:
    """Return the stack in a file, after announcing it. Raises the errors of `read_spec` and `here`."""
    from ..provision import terraform_outputs

    parsed, text = _read_spec(file, stack)
    return Opened(parsed, text, announce(f"stack {parsed.name}", terraform_outputs.home(text, stack)))


def _read_spec(file: Path, stack: str | None) -> "tuple[Spec, str]":
    from ..provision.spec import read

    text = utf8(read_bytes(file), file, SpecError)
    with naming(file):
        return read(text, None if str(file) == "-" else file.parent, stack), text


def polling_every(seconds: float = 20.0) -> "Polling":
    """Return the polling settings for an interval in seconds."""
    from ..provision.retries import Polling

    return Polling(poll_seconds=seconds)
