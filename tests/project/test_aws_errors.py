"""Every failure of an AWS call is transient or permanent (docs/operations.md)."""

from collections.abc import Iterator
from concurrent.futures import TimeoutError as LateError
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.retries import standard

from personalize_segment import aws_errors
from personalize_segment.aws_errors import Trouble

# botocore's stubs omit these.
_retries: Any = standard
THROTTLED = _retries.ThrottledRetryableChecker._THROTTLED_ERROR_CODES
AGAIN = _retries.TransientRetryableChecker._TRANSIENT_ERROR_CODES
STATUSES = [
    *_retries.ThrottlingStatusCodeChecker._THROTTLING_STATUS_CODES,
    *_retries.TransientRetryableChecker._TRANSIENT_STATUS_CODES,
]

#: code -> status of permanent errors.
PERMANENT = {
    **{"InvalidInputException": 400, "ValidationException": 400, "ValidationError": 400, "SerializationException": 400},
    **{"ResourceNotFoundException": 404, "AccessDeniedException": 403, "AccessDenied": 403, "NotAuthorized": 400},
    **{"UnrecognizedClientException": 403, "InvalidClientTokenId": 403, "InvalidAccessKeyId": 403},
    **{"InvalidSignatureException": 403, "SignatureDoesNotMatch": 403, "IncompleteSignature": 400},
    **{"OptInRequired": 403, "MissingAuthenticationToken": 403},
    **{ "MissingAuthenticationTokenException": 403, "UnauthorizedOperation": 403},
    **{"UnknownOperationException": 404, "InvalidAction": 400, "InvalidParameterValue": 400, "MissingParameter": 400},
    **{"RequestEntityTooLarge": 413, "InvalidMessageContents": 400, "UnsupportedOperation": 400},
    **{"QueueDoesNotExist": 400, "InvalidSecurity": 403, "InvalidAddress": 404, "KmsDisabled": 400},
    **{"KmsInvalidState": 400, "KmsNotFound": 400, "KmsOptInRequired": 403, "KmsAccessDenied": 400},
    **{"KmsInvalidKeyUsage": 400, "TooManyEntriesInBatchRequest": 400, "EmptyBatchRequest": 400},
    **{"BatchEntryIdsNotDistinct": 400, "BatchRequestTooLong": 400, "InvalidBatchEntryId": 400},
    **{"400": 400, "401": 401, "403": 403, "404": 404, "413": 413},  # pages: botocore uses the status as code
}  # fmt: skip
#: code -> status of transient errors.
TRANSIENT = {
    **{"ResourceInUseException": 409, "LimitExceededException": 400, "OverLimit": 403, "KmsThrottled": 400},
    **{"ExpiredToken": 403, "ExpiredTokenException": 403, "RequestExpired": 400},
    **{"InternalServerException": 500, "InternalFailure": 500, "InternalError": 500, "InternalServerError": 500},
    **{"ServiceUnavailable": 503, "ServiceUnavailableException": 503},
    **{"500": 500, "502": 502, "503": 503, "504": 504, "408": 408, "429": 429, "301": 301, "Unknown": 200},
    **dict.fromkeys(THROTTLED, 400),
    **dict.fromkeys(AGAIN, 400),
}
CALLS = {
    "personalize-events": ("PutEvents", "PutUsers", "PutItems"),
    "personalize-runtime": ("GetRecommendations",),
    "sqs": ("SendMessage", "SendMessageBatch"),
}


def _refused(code: str | None, status: int | None, message: str = "why") -> ClientError:
    response: dict[str, Any] = {"Error": {"Message": message} | ({} if code is None else {"Code": code})}
    if status is not None:
        response["ResponseMetadata"] = {"HTTPStatusCode": status}
    return ClientError(response, "PutEvents")  # type: ignore[arg-type]


TABLE = [pytest.param(code, status, True, id=f"{code} is permanent") for code, status in PERMANENT.items()] + [
    pytest.param(code, status, False, id=f"{code} is transient") for code, status in TRANSIENT.items()
]


@pytest.mark.parametrize(("code", "status", "permanent"), TABLE)
def test_an_error_code_says_whether_to_try_again(code: str, status: int, permanent: bool) -> None:
    assert aws_errors.of(_refused(code, status)) == Trouble(permanent, code, "why")


def _modeled() -> Iterator[tuple[str, int | None]]:
    session = botocore.session.Session()
    for service, operations in CALLS.items():
        model = session.get_service_model(service)
        for operation in operations:
            for shape in model.operation_model(operation).error_shapes:
                yield shape.name, shape.metadata.get("error", {}).get("httpStatusCode")


def test_the_table_has_every_error_that_the_models_of_our_calls_have() -> None:
    table = PERMANENT | TRANSIENT
    assert len(table) == len(PERMANENT) + len(TRANSIENT)
    assert not {(code, status) for code, status in _modeled() if status not in (None, table.get(code))}
    assert not {code for code, _ in _modeled()} - set(table)


def test_whatever_botocore_tries_again_is_transient_here() -> None:
    assert not {*THROTTLED, *AGAIN} - aws_errors.PASSING
    assert not [status for status in STATUSES if aws_errors.of(_refused("Another", status)).permanent]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 414, 422, 451])
def test_any_other_code_of_4xx_is_permanent(status: int) -> None:
    assert aws_errors.of(_refused("Another", status)).permanent


@pytest.mark.parametrize("status", [None, 200, 301, 307, 408, 429, 500, 501, 502, 503, 504, 529])
def test_any_other_status_is_transient(status: int | None) -> None:
    assert not aws_errors.of(_refused("Another", status)).permanent


def test_codes_of_records_are_permanent() -> None:
    assert set(aws_errors.OF_RECORDS) <= set(PERMANENT)
    assert not aws_errors.OF_RECORDS & aws_errors.PASSING


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param({}, Trouble(False, "Unknown", ""), id="nothing"),
        pytest.param({"Error": {"Code": ""}}, Trouble(False, "Unknown", ""), id="an empty code"),
        pytest.param({"Error": {"Code": "X"}}, Trouble(False, "X", ""), id="no status"),
    ],
)
def test_an_answer_that_says_little_is_transient(response: Any, expected: Trouble) -> None:
    found = aws_errors.of(ClientError(response, "PutEvents"))
    assert (found.permanent, found.code) == (expected.permanent, expected.code)
    assert "PutEvents" in found.message, "a message is never empty"


def _below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        if one.__module__ == "botocore.exceptions":
            yield one
            yield from _below(one)


class _Anything(dict[str, str]):
    """Fills the `fmt` of any of botocore's exceptions."""

    def __missing__(self, key: str) -> str:
        """Return a text for any field."""
        return key


def _made(kind: type[BaseException]) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, getattr(kind, "fmt", "").format_map(_Anything()))
    assert isinstance(error, Exception)
    return error


EXCEPTIONS = sorted(set(_below(BotoCoreError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_an_exception_of_botocore_is_transient_unless_our_request_is_wrong(kind: type[BaseException]) -> None:
    found = aws_errors.of(_made(kind))
    assert (found.permanent, found.code) == (kind.__name__ == "ParamValidationError", kind.__name__)
    assert issubclass(kind, aws_errors.FAILURES)


#: Errors of the HTTP client, credentials and endpoint rules in a call. None may be missing above.
RAISED_BY_CALLS = {
    *("ConnectionError", "EndpointConnectionError", "SSLError", "ConnectTimeoutError", "ProxyConnectionError"),
    *("HTTPClientError", "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError", "IncompleteReadError"),
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "MetadataRetrievalError"),
    *("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "LoginRefreshRequired"),
    *("NoRegionError", "EndpointResolutionError", "InvalidEndpointConfigurationError", "ParamValidationError"),
    *("ChecksumError", "FlexibleChecksumError", "UnseekableStreamError"),
}


def test_the_exceptions_that_calls_raise_are_among_those() -> None:
    assert not RAISED_BY_CALLS - {kind.__name__ for kind in EXCEPTIONS}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ResponseParserError("no JSON"), "ResponseParserError", id="an answer that isn't JSON"),
        pytest.param(TimeoutError("late"), "Late", id="the time budget"),
        pytest.param(LateError("late"), "Late", id="a future's time-out"),
    ],
)
def test_what_else_a_call_raises_is_transient(error: Exception, code: str) -> None:
    assert isinstance(error, aws_errors.FAILURES)
    assert aws_errors.of(error) == Trouble(False, code, str(error))


@pytest.mark.parametrize("error", [ValueError("v"), KeyError("k"), AttributeError("a"), RuntimeError("r")], ids=repr)
def test_a_bug_is_no_failed_call(error: Exception) -> None:
    assert not isinstance(error, aws_errors.FAILURES)
