"""Polling and retries: while AWS throttles or fails, and after conflicts with concurrent changes."""

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
#: Called with the resource that is waited for, and its status.
StepProgress = Callable[[str, str], None]

#: Codes of conflicts with concurrent changes. The remedy is to read the state again.
CONTESTED = frozenset({"ResourceAlreadyExistsException", "ResourceInUseException", "TooManyUpdates"})
#: The same for operations with a limit of concurrent runs per account: the others wait.
QUEUED = CONTESTED | {"LimitExceededException"}
#: Operations whose limit is on concurrent runs. For all others, it is on the account's resources.
QUEUED_OPERATIONS = ("CreateDatasetImportJob", "CreateSolutionVersion")
#: Refused for a training that has finished in the meantime.
STOP_TRAINING = "StopSolutionVersionCreation"
#: Attempts per call while AWS throttles or fails: about five minutes at the default interval.
ATTEMPTS = 30
#: Maximum retries of a step after a conflict. A resource in use may stay so for long.
MAX_RETRIES = 5
MAX_RETRIES_IN_USE = 90
#: Maximum retries of a step that is queued behind others of the account.
MAX_RETRIES_QUEUED = 1000


@dataclass
class Polling:
    """The polling interval in seconds. Tests may replace `sleep` by a faster clock."""

    poll_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    dice: random.Random = field(default_factory=random.Random)

    def backoff(self, attempt: int) -> float:
        """Return the seconds to wait after `attempt` failures: exponential backoff with jitter."""
        return self.dice.uniform(0, min(self.poll_seconds, 0.05 * self.poll_seconds * 2**attempt))


def retry(call: Callable[[], Answer], place: str, polling: Polling) -> Answer:
    """Return the result of `call`, retried while AWS throttles or fails.

    Raises ClientError if AWS refuses the call, and ProvisionError if AWS keeps failing or can't be reached.
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
            problem = f"AWS keeps failing ({error.response['Error']['Code']})"
        except BotoCoreError as error:
            raise ProvisionError(place, str(error), "Check the region, the credentials and the connection") from error
        pause = polling.backoff(attempt)
        attempt += 1
        if attempt == ATTEMPTS:
            raise ProvisionError(place, problem, "Rerun the command later. It continues where it stopped")
        polling.sleep(pause)


def call(client: object, operation: str, request: Mapping[str, Any], place: str, polling: Polling) -> dict[str, Any]:
    """Return the answer of an operation, given by its API name such as `CreateSchema`. Raises the errors of `retry`."""
    method: Callable[..., dict[str, Any]] = getattr(client, xform_name(operation))
    return retry(partial(method, **request), place, polling)


def retrying(client: Client, polling: Polling) -> Client:
    """Return a client that makes all calls through `retry`."""
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
    """Counts the retries of each step, so that impossible steps end with an error."""

    def __init__(self) -> None:
        self._retries: Counter[tuple[str, str]] = Counter()

    def spend(self, operation: str, place: str, error: ClientError) -> None:
        """Count a retry of the step. Raises ProvisionError if a retry after reading the state again is pointless."""
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
            remedy = "Check your permissions, and that you may pass the role (iam:PassRole)"
        elif code == "ResourceAlreadyExistsException":
            remedy = "A resource outside this stack has the same name. Rename one of them"
        elif code == "ResourceNotFoundException":
            remedy = "Check the names in the spec, such as the recipe's"
        elif in_use:
            remedy = "If resources outside this stack use it, delete them. Then rerun the command"
        raise ProvisionError(place, f"{operation} was refused ({code}: {message})", remedy) from error
