"""Carrying a plan out: look, plan, do what can be done now, wait, and again until nothing is left."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from ..aws_errors import THROTTLED
from ..errors import ProvisionError
from . import failures
from . import plan as planning
from .account import Account, observe
from .draft import Step
from .prices import Prices
from .spec import Spec

#: Codes after which looking again is the answer: someone was faster, or is slower.
AGAIN = frozenset(
    {
        "ResourceAlreadyExistsException",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "TooManyUpdates",
    }
)
#: Kinds for which a limit means: as many at a time. For all others it is the account's.
QUEUED = ("CreateDatasetImportJob", "CreateSolutionVersion")
#: How often a call is made while AWS is busy or has trouble of its own: about five minutes at the usual pace.
ATTEMPTS = 30


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


class Patient:
    """A client whose every call is tried again while AWS is busy or in trouble."""

    def __init__(self, client: Any, pace: Pace) -> None:
        self._client, self._pace = client, pace

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return call if name == "exceptions" else lambda **request: patiently(partial(call, **request), name, self._pace)


def account_of(clients: Clients, spec: Spec, pace: Pace) -> Account:
    """Return what there is of the stack; raise ProvisionError if it may not be seen."""
    with _said("the account"):
        return observe(Patient(clients.personalize, pace), Patient(clients.ssm, pace), spec)


def look(clients: Clients, spec: Spec, pace: Pace) -> tuple[Account, dict[str, str]]:
    """Return what there is, and the digest of what lies at each import's location. Raises ProvisionError."""
    contents = {}
    for one in spec.datasets:
        if one.load is not None:
            with _said(one.load.location):
                contents[one.key] = content(Patient(clients.s3, pace), one.load.location)
    return account_of(clients, spec, pace), contents


@contextmanager
def _said(place: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        remedy = "Make the bucket" if code == "NoSuchBucket" else "Check your rights: docs/provisioning.md names them"
        raise ProvisionError(place, f"can't be looked at ({code}: {message})", remedy) from error


def content(s3: Any, location: str) -> str:
    """Return a digest of the names, sizes and tags of the objects at a location."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    found = hashlib.sha256()
    more: dict[str, str] = {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        for one in page.get("Contents", []):
            found.update(f"{one['Key']}\n{one['Size']}\n{one['ETag']}\n".encode())
        if not page.get("NextContinuationToken"):
            return found.hexdigest()
        more = {"ContinuationToken": page["NextContinuationToken"]}


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
    again = Again()
    while True:
        account, contents = look(clients, spec, pace)
        accepted = past_failures(account) if accepted is None else accepted
        steps = planning.plan(spec, account, prices, contents, accepted)
        progress(steps)
        now = [step for step in steps if step.call is not None]
        for step in now:
            do(clients, step, pace, again)
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


#: How often one call is put off before it is an error: others need a moment, what is in use may be so for long.
MOST = {"ResourceInUseException": 90}
MOST_OTHERS = 5
#: For what waits in line behind others of the account.
MOST_QUEUED = 1000


class Again:
    """Counts how often each call was put off, so that what will never be possible ends in an error."""

    def __init__(self) -> None:
        self._times: Counter[tuple[str, str]] = Counter()

    def allow(self, operation: str, step: Step, error: ClientError) -> None:
        """Return if the call may be made again after the next look; raise ProvisionError if not."""
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        self._times[operation, step.name] += 1
        queued = code == "LimitExceededException" and operation in QUEUED
        most = MOST_QUEUED if queued else MOST.get(code, MOST_OTHERS)
        if (code in AGAIN or queued) and self._times[operation, step.name] <= most:
            return
        remedy = failures.remedy(f"{code} {message}")
        if "AccessDenied" in code:
            remedy = "Check your rights, and that you may pass the role (iam:PassRole)"
        elif code == "ResourceAlreadyExistsException":
            remedy = "Something outside this stack has its name: rename one of them"
        elif code == "ResourceNotFoundException":
            remedy = "Check the names in the spec, such as the recipe's"
        elif code == "ResourceInUseException":
            remedy = "Delete what uses it, if that is not of this stack, and run the command again"
        raise ProvisionError(step.place, f"{operation} was refused ({code}: {message})", remedy) from error


def do(clients: Clients, step: Step, pace: Pace, again: Again) -> None:
    """Make a step's call; one that may succeed later is left to the next look. Raises ProvisionError."""
    if step.call is None:
        return
    operation, request = step.call
    client = clients.ssm if step.kind == "Parameter" else clients.personalize
    try:
        patiently(lambda: getattr(client, xform_name(operation))(**request), step.place, pace)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return
        again.allow(operation, step, error)
        pace.sleep(pace.backoff(3))


def patiently(call: Callable[[], Any], place: str, pace: Pace) -> Any:
    """Return what `call` returns, tried again while AWS is busy or in trouble.

    Raises ClientError for what AWS refuses, ProvisionError when it stays in trouble, or can't be reached.
    """
    attempt = 0
    while True:
        try:
            return call()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            busy = status >= 500 or status == 429 or error.response["Error"]["Code"] in THROTTLED
            if not busy:
                raise
            problem = f"AWS is in trouble ({error.response['Error']['Code']})"
        except BotoCoreError as error:
            raise ProvisionError(place, str(error), "Check the region, the credentials and the connection") from error
        pause = pace.backoff(attempt)
        attempt += 1
        if attempt == ATTEMPTS:
            raise ProvisionError(place, problem, "Run the command again later; it goes on where it stopped")
        pace.sleep(pause)
