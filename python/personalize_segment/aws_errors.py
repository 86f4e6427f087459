"""Failures of AWS calls: permanent, or worth a retry. docs/operations.md has the table.

A permanent failure is acknowledged, and the event is kept with its reason. A transient failure is raised, so that the
function's caller resends the event.
"""

from collections.abc import Callable
from concurrent.futures import TimeoutError as LateError
from typing import NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

T = TypeVar("T")

#: Error codes of throttling.
THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
        "OverLimit",
        "KmsThrottled",
    }
)
#: Codes of transient 4xx: throttling, skewed clocks, expired keys, a resource that is being modified.
PASSING = THROTTLED | frozenset(
    {
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestExpired",
        "ExpiredToken",
        "ExpiredTokenException",
        "ResourceInUseException",
        "TransactionInProgressException",
        "RequestTimeTooSkewed",
        "RequestInTheFuture",
    }
)
#: Codes about the records, not the caller or the resource: a single one of several may be the cause.
OF_RECORDS = frozenset({"InvalidInputException", "ValidationException", "SerializationException"})

#: Exceptions of failed AWS calls. Anything else is a bug.
FAILURES = (ClientError, BotoCoreError, ResponseParserError, LateError)


def answered(call: Callable[[], T]) -> T:
    """Return the result of `call`, which asks AWS and reads the answer. Raises `FAILURES` only.

    botocore assumes that a JSON answer is an object with the members of its model. A proxy may answer `[]`, or deeply
    nested brackets.
    """
    try:
        return call()
    except FAILURES:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ResponseParserError(f"the answer isn't from AWS: {type(error).__name__}: {error}") from error


class Trouble(NamedTuple):
    """A failure. `code` is short, for metrics and logs; `message` may hold values of the event."""

    permanent: bool
    code: str
    message: str

    def __str__(self) -> str:
        """Return the code and the message."""
        return f"{self.code}: {self.message}"


def of(error: Exception) -> Trouble:
    """Return the meaning of `error` for the event."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code") or "Unknown"
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        permanent = 400 <= status < 500 and status not in (408, 429) and code not in PASSING
        return Trouble(permanent, code, error.response.get("Error", {}).get("Message") or str(error))
    # Requests should always pass botocore's own check. If one doesn't, a retry fails, too.
    code = "Late" if isinstance(error, LateError) else type(error).__name__
    return Trouble(isinstance(error, ParamValidationError), code, str(error))
