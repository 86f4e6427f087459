"""Values in SSM and Secrets Manager are read, cached, refreshed, and survive failures in between."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import base
from botocore.config import Config
from moto import mock_aws

from personalize_segment.errors import SettingsError, TransientError
from personalize_segment.live.references import PAUSE_SECONDS, References
from personalize_segment.live.settings import Reference
from stub import Behavior, Error, Ok, Reset, Stub

PARAMETER = Reference("ssm", "/shop/tracking_id", None)
SECRET = Reference("secretsmanager", "shop/segment", None)
KEY = Reference("secretsmanager", "shop/segment", "write_key")
REFRESH = 300
KEYS: dict[str, Any] = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}


class Time:
    """The time of day, which Powertools keeps values by, and the seconds of ours: one moves with the other."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        """Stand in for `datetime.now`."""
        return datetime(2026, 11, 24) + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        """Stand in for `time.monotonic`."""
        return 1000 + self.passed


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(base, "datetime", made)
    return made


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as made:
        made.parameters["/shop/tracking_id"] = "tracker"
        made.secrets["shop/segment"] = "key"
        yield made


@pytest.fixture
def references(stub: Stub, time: Time) -> References:
    config = Config(retries={"total_max_attempts": 1})
    return References(
        lambda service: boto3.client(service, endpoint_url=stub.url, config=config, **KEYS),  # type: ignore[call-overload]
        REFRESH,
        time.seconds,
    )


@pytest.mark.parametrize("value", [None, "tracker"])
def test_what_is_no_reference_is_its_own_value(references: References, stub: Stub, value: str | None) -> None:
    assert references.value(value) == value
    assert not stub.calls()


@pytest.mark.parametrize(
    ("reference", "operation", "body", "expected"),
    [
        pytest.param(
            PARAMETER, "GetParameter", {"Name": "/shop/tracking_id", "WithDecryption": True}, "tracker", id="ssm"
        ),
        pytest.param(SECRET, "GetSecretValue", {"SecretId": "shop/segment"}, "key", id="secretsmanager"),
    ],
)
def test_a_value_is_read_once_until_its_time_is_over(
    references: References, stub: Stub, time: Time, reference: Reference, operation: str, body: Any, expected: str
) -> None:
    assert [references.value(reference) for _ in range(3)] == [expected] * 3
    assert [(call.operation, call.body) for call in stub.calls()] == [(operation, body)]
    stub.parameters["/shop/tracking_id"] = stub.secrets["shop/segment"] = "new"
    time.passed = REFRESH - 1
    assert references.value(reference) == expected
    time.passed = REFRESH + 1
    assert references.value(reference) == "new"
    assert len(stub.calls()) == 2


@pytest.mark.parametrize("reference", [PARAMETER, SECRET, KEY])
def test_what_is_not_there_is_none_and_found_some_seconds_after_it_was_made(
    references: References, stub: Stub, time: Time, reference: Reference
) -> None:
    stub.parameters.clear()
    stub.secrets.clear()
    assert [references.value(reference) for _ in range(3)] == [None] * 3
    assert len(stub.calls()) == 1, "it is not asked for with every event"
    stub.parameters["/shop/tracking_id"] = "made"
    stub.secrets["shop/segment"] = json.dumps({"write_key": "made"}) if reference.key else "made"
    time.passed = PAUSE_SECONDS - 1
    assert references.value(reference) is None
    time.passed = PAUSE_SECONDS
    assert references.value(reference) == "made"


FAULTS = [
    pytest.param(Error(400, "AccessDeniedException"), "AccessDeniedException", id="denied"),
    pytest.param(Error(400, "ThrottlingException"), "ThrottlingException", id="throttled"),
    pytest.param(Error(500, "InternalServerError"), "InternalServerError", id="broken"),
    pytest.param(Reset(), "ConnectionClosedError", id="reset"),
]


@pytest.mark.parametrize("operation", ["GetParameter", "GetSecretValue"])
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_a_value_that_was_never_read_is_transient_trouble(
    references: References, stub: Stub, operation: str, fault: Behavior, code: str
) -> None:
    reference = PARAMETER if operation == "GetParameter" else SECRET
    stub.behave(operation, fault)
    with pytest.raises(TransientError) as caught:
        references.value(reference)
    assert (caught.value.place, code in caught.value.problem) == (f"{reference.service}:{reference.name}", True)
    assert references.value(reference) is not None, "the next event asks again"


@pytest.mark.parametrize("operation", ["GetParameter", "GetSecretValue"])
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_a_value_that_can_not_be_read_again_stays(
    references: References, stub: Stub, time: Time, operation: str, fault: Behavior, code: str
) -> None:
    reference = PARAMETER if operation == "GetParameter" else SECRET
    before = references.value(reference)
    stub.behave(operation, fault)
    stub.parameters["/shop/tracking_id"] = stub.secrets["shop/segment"] = "new"
    time.passed = REFRESH + 1
    assert [references.value(reference) for _ in range(3)] == [before] * 3
    assert len(stub.calls()) == 2, "a service in trouble is not asked with every event"
    time.passed += PAUSE_SECONDS
    assert references.value(reference) == "new"


def test_keys_of_one_secret_are_read_together(references: References, stub: Stub) -> None:
    stub.secrets["shop/segment"] = json.dumps({"write_key": "k", "other": " o\n"})
    assert references.value(KEY) == "k"
    assert references.value(replace(KEY, key="other")) == "o"
    assert len(stub.calls()) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("s3cr3t", "has no key write_key", id="no JSON"),
        pytest.param('"s3cr3t"', "has no key write_key", id="a text"),
        pytest.param('["s3cr3t"]', "has no key write_key", id="an array"),
        pytest.param("null", "has no key write_key", id="null"),
        pytest.param('{"other": "s3cr3t"}', "has no key write_key", id="another key"),
        pytest.param('{"write_key": 31337}', "isn't text", id="a number"),
        pytest.param('{"write_key": ["s3cr3t"]}', "isn't text", id="an array in it"),
        pytest.param('{"write_key": null}', "isn't text", id="null in it"),
        pytest.param('{"write_key": "  "}', "isn't text", id="blank"),
    ],
)
def test_a_secret_without_the_key_is_refused_and_not_shown(
    references: References, stub: Stub, text: str, problem: str
) -> None:
    stub.secrets["shop/segment"] = text
    with pytest.raises(SettingsError) as caught:
        references.value(KEY)
    assert (caught.value.place, caught.value.problem) == ("secretsmanager:shop/segment", problem)
    assert "s3cr3t" not in f"{caught.value} {caught.value!r}"


def test_a_secret_of_bytes_is_refused(references: References, stub: Stub) -> None:
    stub.behave("GetSecretValue", then=Ok({"Name": "shop/segment", "SecretBinary": "c2VjcmV0"}))
    for reference, problem in ((SECRET, "isn't text"), (KEY, "has no key write_key")):
        with pytest.raises(SettingsError, match=problem):
            references.value(reference)


def test_a_client_is_made_once_a_service(stub: Stub, time: Time) -> None:
    made: list[str] = []

    def client(service: str) -> Any:
        made.append(service)
        return boto3.client(service, endpoint_url=stub.url, **KEYS)  # type: ignore[call-overload]

    references = References(client, REFRESH, time.seconds)
    for reference in (PARAMETER, SECRET, PARAMETER, Reference("ssm", "/other", None)):
        references.value(reference)
    assert made == ["ssm", "secretsmanager"]


@pytest.mark.parametrize("environment", [{}, {"POWERTOOLS_PARAMETERS_SSM_DECRYPT": "false"}])
def test_a_secure_string_is_decrypted(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    with mock_aws():
        client = boto3.client("ssm", **KEYS)
        client.put_parameter(Name="/shop/key", Value="plain", Type="SecureString")
        assert client.get_parameter(Name="/shop/key")["Parameter"]["Value"] != "plain"
        assert References(lambda _: client, REFRESH).value(Reference("ssm", "/shop/key", None)) == "plain"
