"""Waiting for AWS, and calling it again: while it is busy or in trouble, and where someone else was faster."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from ..aws_errors import THROTTLED
from ..errors import ProvisionError
from . import failures

Client = TypeVar("Client")
Answer = TypeVar("Answer")
#: Gets what is waited for, and its status.
StepProgress = Callable[[str, str], None]

#: Codes after which reading the state again is the answer: someone was faster, or is slower.
CONTESTED = frozenset({"ResourceAlreadyExistsException", "ResourceInUseException", "TooManyUpdates"})
#: The same for what runs as many at a time as the account may have; the others wait.
QUEUED = CONTESTED | {"LimitExceededException"}
#: Operations for which a limit means: as many at a time. For all others it is the account's.
QUEUED_OPERATIONS = ("CreateDatasetImportJob", "CreateSolutionVersion")
#: Refused for a training that has ended meanwhile.
STOP_TRAINING = "StopSolutionVersionCreation"
#: How often a call is made while AWS is busy or has trouble of its own: about five minutes at the usual interval.
ATTEMPTS = 30
#: How often a step is put off before it is an error: others need a moment, what is in use may be so for long.
MAX_RETRIES = 5
MAX_RETRIES_IN_USE = 90
#: For what waits in line behind others of the account.
MAX_RETRIES_QUEUED = 1000


@dataclass
class Polling:
    """How long to wait before the state is read again, in seconds; a clock of tests may be faster than the world's."""

    poll_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    dice: random.Random = field(default_factory=random.Random)

    def backoff(self, attempt: int) -> float:
        """Return seconds to wait after a call failed `attempt` times: longer each time, not in step with others."""
        return self.dice.uniform(0, min(self.poll_seconds, 0.05 * self.poll_seconds * 2**attempt))


def retry(call: Callable[[], Answer], place: str, polling: Polling) -> Answer:
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
        pause = polling.backoff(attempt)
        attempt += 1
        if attempt == ATTEMPTS:
            raise ProvisionError(place, problem, "Run the command again later; it goes on where it stopped")
        polling.sleep(pause)


def call(client: object, operation: str, request: Mapping[str, Any], place: str, polling: Polling) -> dict[str, Any]:
    """Return the answer of an operation, by its name in AWS's API such as `CreateSchema`. Raises like `retry`."""
    method: Callable[..., dict[str, Any]] = getattr(client, xform_name(operation))
    return retry(partial(method, **request), place, polling)


def retrying(client: Client, polling: Polling) -> Client:
    """Return a client whose every call is made by `retry`."""
    return cast("Client", _RetryingClient(client, polling))


class _RetryingClient:
    def __init__(self, client: object, polling: Polling) -> None:
        self._client, self._polling = client, polling

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return (
            method if name == "exceptions" else lambda **request: retry(partial(method, **request), name, self._polling)
        )


class RetryBudget:
    """Counts how often each step was put off, so that what will never be possible ends in an error."""

    def __init__(self) -> None:
        self._retries: Counter[tuple[str, str]] = Counter()

    def spend(self, operation: str, place: str, error: ClientError) -> None:
        """Return if the call may be made again after the state was read again; raise ProvisionError if not."""
        code, message = failures.code_and_message(error)
        self._retries[operation, place] += 1
        queued = code == "LimitExceededException" and operation in QUEUED_OPERATIONS
        in_use = code == "ResourceInUseException"
        most = MAX_RETRIES_QUEUED if queued else MAX_RETRIES_IN_USE if in_use else MAX_RETRIES
        again = queued or code in CONTESTED or code == "ResourceNotFoundException"
        again = again or (operation, code) == (STOP_TRAINING, "InvalidInputException")
        if again and self._retries[operation, place] <= most:
            return
        remedy = failures.remedy(f"{code} {message}")
        if "AccessDenied" in code:
            remedy = "Check your rights, and that you may pass the role (iam:PassRole)"
        elif code == "ResourceAlreadyExistsException":
            remedy = "Something outside this stack has its name: rename one of them"
        elif code == "ResourceNotFoundException":
            remedy = "Check the names in the spec, such as the recipe's"
        elif in_use:
            remedy = "Delete what uses it, if that is not of this stack, and run the command again"
        raise ProvisionError(place, f"{operation} was refused ({code}: {message})", remedy) from error
