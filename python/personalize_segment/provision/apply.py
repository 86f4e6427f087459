"""Carrying a plan out: look, plan, do what can be done now, wait, and again until nothing is left."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import ProvisionError
from . import failures
from . import plan as planning
from .account import Account, observe
from .draft import Step
from .prices import Prices
from .spec import Spec

#: Codes after which looking again is the answer: someone was faster, is slower, or asks us to be.
AGAIN = frozenset(
    {
        "ResourceAlreadyExistsException",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TooManyUpdates",
    }
)
#: Kinds for which a limit means: as many at a time. For all others it is the account's.
QUEUED = ("CreateDatasetImportJob", "CreateSolutionVersion")
#: The longest a call is tried for while AWS has trouble of its own, in seconds.
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Clients:
    """boto3's clients of `personalize`, `ssm` and `s3`."""

    personalize: Any
    ssm: Any
    s3: Any


@dataclass
class Pace:
    """How long to wait between two looks, in seconds; a clock of tests may be faster than the world's."""

    poll_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    dice: random.Random = field(default_factory=random.Random)

    def backoff(self, attempt: int) -> float:
        """Return seconds to wait after a call failed `attempt` times: longer each time, not in step with others."""
        return self.dice.uniform(0, min(self.poll_seconds, 0.05 * self.poll_seconds * 2**attempt))


def look(clients: Clients, spec: Spec, pace: Pace) -> tuple[Account, dict[str, str]]:
    """Return what there is, and the digest of what lies at each import's location."""
    account = patiently(lambda: observe(clients.personalize, clients.ssm, spec), "account", pace)
    places = {one.key: one.load.location for one in spec.datasets if one.load is not None}
    contents = {key: patiently(partial(content, clients.s3, at), at, pace) for key, at in places.items()}
    return account, contents


def content(s3: Any, location: str) -> str:
    """Return a digest of the names, sizes and tags of the objects at a location."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    found = hashlib.sha256()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            found.update(f"{one['Key']}\n{one['Size']}\n{one['ETag']}\n".encode())
    return found.hexdigest()


def plan(clients: Clients, spec: Spec, prices: Prices, pace: Pace | None = None) -> list[Step]:
    """Return what `apply` would do now, failures of the past tried again."""
    account, contents = look(clients, spec, pace or Pace())
    return planning.plan(spec, account, prices, contents, past_failures(account))


def past_failures(account: Account) -> set[str]:
    """Return the ids of all failures that there are."""
    return {one.failure_id for one in account.all() if one.failure is not None}


def apply(
    clients: Clients,
    spec: Spec,
    prices: Prices,
    pace: Pace,
    progress: Callable[[list[Step]], None] = lambda steps: None,
) -> list[Step]:
    """Make everything be as the spec has it, and return the plan that is left: nothing to do.

    Raises ProvisionError when Personalize fails or refuses something; what is done stays done,
    and another run goes on from there. `progress` gets every plan on the way.
    """
    accepted: set[str] | None = None
    while True:
        account, contents = look(clients, spec, pace)
        accepted = past_failures(account) if accepted is None else accepted
        steps = planning.plan(spec, account, prices, contents, accepted)
        progress(steps)
        now = [step for step in steps if step.call is not None]
        for step in now:
            _do(clients, step, pace)
        if now:
            pace.sleep(pace.backoff(0))
            continue
        blocked = [step for step in steps if step.action == "blocked"]
        if any(step.action == "wait" for step in steps):
            pace.sleep(pace.poll_seconds)
        elif blocked:
            raise ProvisionError(blocked[0].place, blocked[0].why, blocked[0].remedy)
        elif any(step.action != "nothing" for step in steps):
            pace.sleep(pace.poll_seconds)
        else:
            return steps


def _do(clients: Clients, step: Step, pace: Pace) -> None:
    if step.call is None:
        return
    operation, request = step.call
    client = clients.ssm if step.kind == "Parameter" else clients.personalize
    try:
        patiently(lambda: getattr(client, xform_name(operation))(**request), step.place, pace)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in AGAIN or (code == "LimitExceededException" and operation in QUEUED):
            pace.sleep(pace.backoff(3))
            return
        remedy = "Check your rights, and that you may pass the role (iam:PassRole)" if "AccessDenied" in code else ""
        raise ProvisionError(
            step.place, f"{operation} was refused ({code}: {message})", remedy or failures.remedy(message)
        ) from error


def patiently(call: Callable[[], Any], place: str, pace: Pace) -> Any:
    """Return what `call` returns, tried again while AWS is busy or in trouble.

    Raises ClientError for what AWS refuses, ProvisionError when it stays in trouble, or can't be reached.
    """
    waited = 0.0
    attempt = 0
    while True:
        try:
            return call()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            busy = status >= 500 or status == 429 or "Throttl" in error.response["Error"]["Code"]
            if not busy:
                raise
            problem = f"AWS is in trouble ({error.response['Error']['Code']})"
        except BotoCoreError as error:
            raise ProvisionError(place, str(error), "Check the region, the credentials and the connection") from error
        pause = pace.backoff(attempt)
        waited, attempt = waited + pause, attempt + 1
        if waited > PATIENCE_SECONDS or attempt > 60:
            raise ProvisionError(place, problem, "Run the command again later; it goes on where it stopped")
        pace.sleep(pause)
