"""Shared by tests of the served AWS: clients of a server, and packages for Lambda."""

import io
import time
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from personalize_emulator.server import Server

Value = TypeVar("Value")
NO_RETRY = Config(retries={"total_max_attempts": 1}, read_timeout=30)


@cache
def session() -> Any:
    """Return the session of all clients, so that each service's models are read once."""
    return boto3.session.Session()


def client(server: Server, service: str) -> Any:
    """Return a client of the server, independent of the environment and without retries."""
    found = server.environment()
    return session().client(
        service,
        endpoint_url=server.endpoint,
        region_name=found["AWS_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        config=NO_RETRY,
    )


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip of text files, the same at any time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def create_function(server: Server, name: str, code: str, **settings: Any) -> str:
    """Create a function whose module `app` is `code`, and return its ARN."""
    role = "arn:aws:iam::123456789012:role/function"
    iam = client(server, "iam")
    if not any(one["Arn"] == role for one in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="function", AssumeRolePolicyDocument="{}")
    answer = client(server, "lambda").create_function(
        **{
            "FunctionName": name,
            "Runtime": "python3.13",
            "Role": role,
            "Handler": "app.handler",
            "Timeout": 20,
            "Code": {"ZipFile": zipped({"app.py": code})},
            **settings,
        }
    )
    return str(answer["FunctionArn"])


def eventually(read: Callable[[], Value], wanted: Callable[[Value], object]) -> Value:
    """Return the value of `read` once it is as `wanted`. After a timeout, fail with the last value."""
    deadline = time.monotonic() + 30
    while True:
        value = read()
        if wanted(value):
            return value
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
