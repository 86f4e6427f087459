"""What went wrong with a call, and whether trying again can help: the table of docs/operations.md.

Permanent trouble is acknowledged and kept with its reason; transient trouble is raised, so
that whoever invoked the function sends the event again.
"""

from collections.abc import Callable
from concurrent.futures import TimeoutError as LateError
from typing import NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

T = TypeVar("T")

#: Throttling by its many names.
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
#: Codes of 4xx that pass: throttling, clocks and keys that are renewed, a resource in change.
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
#: Codes that speak of the records, not of the caller or the resource: one of several may be to blame.
OF_RECORDS = frozenset({"InvalidInputException", "ValidationException", "SerializationException"})

#: What calls to AWS raise when they fail, beside bugs.
FAILURES = (ClientError, BotoCoreError, ResponseParserError, LateError)


def answered(call: Callable[[], T]) -> T:
    """Return what `call` returns, which asks AWS and reads the answer; raise nothing but `FAILURES`.

    botocore takes for granted that an answer in JSON is an object with the members of its model. A proxy may answer
    `[]`, or brackets without end.
    """
    try:
        return call()
    except FAILURES:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ResponseParserError(f"no answer of AWS: {type(error).__name__}: {error}") from error


class Trouble(NamedTuple):
    """`code` is a short word for metrics and logs; `message` may hold values of the event."""

    permanent: bool
    code: str
    message: str

    def __str__(self) -> str:
        """Return the code and the message."""
        return f"{self.code}: {self.message}"


def of(error: Exception) -> Trouble:
    """Return what `error` means for the event."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code") or "Unknown"
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        permanent = 400 <= status < 500 and status not in (408, 429) and code not in PASSING
        return Trouble(permanent, code, error.response.get("Error", {}).get("Message") or str(error))
    # Not one of our requests should fail botocore's own check; if one does, it will do so again.
    code = "Late" if isinstance(error, LateError) else type(error).__name__
    return Trouble(isinstance(error, ParamValidationError), code, str(error))
