"""What the verbs of a stack share: its spec, boto3's clients, polling, and what AWS refuses in one line."""

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
    """Return a verb that says in one line what AWS refuses, which of its settings is missing, or what to install."""

    @wraps(verb)
    def explaining(*args: P.args, **kwargs: P.kwargs) -> None:
        with requires(extra):
            from botocore.exceptions import BotoCoreError, ClientError
        try:
            verb(*args, **kwargs)
        except ClientError as error:
            fail(f"{error}. Check your credentials, their rights and the names in the spec")
        except BotoCoreError as error:
            fail(_setting(error) or str(error))

    return explaining


def explained(error: PersonalizeSegmentError) -> str:
    """Return an error in one line: the setting of AWS that is missing, or the account of whom S3 refuses something."""
    if (setting := _setting(error.__cause__)) is not None:
        return setting
    # A verb of a stack has said the account already.
    if isinstance(error, ProvisionError) or not error.place.startswith("s3://"):
        return str(error)
    if not hasattr(error.__cause__, "response"):
        return str(error)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return f"{error} Your credentials are of account {caller().split(':')[4]}"
    except (BotoCoreError, ClientError) as refused:
        return f"{error} {_setting(refused) or refused}"


def _setting(error: BaseException | None) -> str | None:
    """Return which setting of AWS is missing or wrong, and what to do; None for other errors."""
    profile = os.environ.get("AWS_PROFILE", "")
    return {
        "NoRegionError": "AWS_DEFAULT_REGION: isn't set, nor the region of a profile. Set it to the stack's region",
        "NoCredentialsError": "AWS_PROFILE: isn't set, and no other credentials were found. Set it to a profile of"
        " ~/.aws/config, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "ProfileNotFound": f"AWS_PROFILE: {profile!r} isn't a profile of ~/.aws/config."
        " Run `aws configure list-profiles`",
        "EndpointConnectionError": f"{error}. Check the connection, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL",
    }.get(type(error).__name__)


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
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]


def caller() -> str:
    """Return the ARN of whoever's credentials these are."""
    return str(client("sts").get_caller_identity()["Arn"])


def announce(what: str, wanted: "Home | None" = None, region: str | None = None) -> "Home":
    """Print account, region and what is there to stderr before anything is read or changed; return account and region.

    `wanted` is where the stack is, if its outputs say it. `region` goes before the environment's. Raises as `here`.
    """
    found = here(wanted, region)
    messages.print(plain(f"{found}, {what}"), soft_wrap=True)
    return found


def here(wanted: "Home | None" = None, region: str | None = None) -> "Home":
    """Return the account of the credentials and the region. Raises VerifyError for others than `wanted`."""
    from ..provision.terraform_outputs import HOME, Home

    found = Home(caller().split(":")[4], region or str(client("sts").meta.region_name))
    if found.region == "aws-global":
        from botocore.exceptions import NoRegionError

        raise NoRegionError
    if wanted is not None and (other := wanted.other(found)):
        raise VerifyError(HOME, *other)
    return found


class Opened(NamedTuple):
    """A stack: its spec, the text of its file, which may be more than the spec, and the account and region."""

    spec: "Spec"
    text: str
    home: "Home"


def read_spec(file: Path, stack: str | None = None) -> "Spec":
    """Return the spec in a file; a path in it starts from the file's folder. Raises SpecError."""
    return _read_spec(file, stack)[0]


def open_stack(file: Path, stack: str | None = None) -> Opened:
    """Announce the stack in a file, and return it with the file's text. Raises as `read_spec` and `here`."""
    from ..provision import terraform_outputs

    parsed, text = _read_spec(file, stack)
    return Opened(parsed, text, announce(f"stack {parsed.name}", terraform_outputs.home(text, stack)))


def _read_spec(file: Path, stack: str | None) -> "tuple[Spec, str]":
    from ..provision.spec import read

    text = utf8(read_bytes(file), file, SpecError)
    with naming(file):
        return read(text, None if str(file) == "-" else file.parent, stack), text


def polling_every(seconds: float = 20.0) -> "Polling":
    """Return how to wait."""
    from ..provision.retries import Polling

    return Polling(poll_seconds=seconds)
