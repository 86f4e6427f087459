"""Shared by tests of the command line: a server in place of AWS, and the command in a process."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

import in_process
from personalize_emulator import Clock, Emulator, wsgi
from personalize_emulator.server import Server
from programs import installed
from stack import csv, policy

COMMAND = installed() / "personalize-segment"
SECONDS = 60
#: A stack's longest operation, some hours, takes a few hundredths of a second.
SPEED = 400_000


class Counting(Emulator):
    """An emulator that records the called operations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.called: list[str] = []

    def call(self, operation: str, request: dict[str, Any], region: str = "us-east-1") -> dict[str, Any]:
        """Answer one operation."""
        self.called.append(operation)
        return super().call(operation, request, region)


class Aws:
    """A server, its emulator, and the environment in which commands find it."""

    def __init__(self, server: Server, emulator: Counting) -> None:
        self.emulator = emulator
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = kept | server.environment() | {"COLUMNS": "300", "NO_COLOR": "1"}
        self.s3 = _client(server, "s3")
        self.ssm = _client(server, "ssm")
        self.personalize = _client(server, "personalize")

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a command line of ours."""
        return [str(COMMAND), *map(str, arguments)]

    def run(self, *arguments: str | Path, text: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one of our verbs in this process with `text` on stdin; an empty value takes a variable away."""
        found = {name: value for name, value in (self.environment | environment).items() if value}
        return in_process.run(*arguments, text=text, environment=found)

    def bucket(self, name: str) -> None:
        """Make a bucket that Personalize may read, with a CSV for each dataset."""
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_policy(Bucket=name, Policy=policy(name))
        for kind in ("interactions", "users", "items"):
            self.s3.put_object(Bucket=name, Key=f"t/{kind}/part-0.csv", Body=csv(kind))


@contextmanager
def aws() -> Iterator[Aws]:
    """Yield a server with an emulator that can be looked into."""
    made: list[Server] = []
    emulator = Counting(clock=Clock(SPEED), s3=lambda: _client(made[0], "s3"))
    with Server(personalize=lambda moto: wsgi(emulator, moto)) as server:
        made.append(server)
        yield Aws(server, emulator)


def write(folder: Path, document: dict[str, Any]) -> Path:
    """Write a spec and return its path."""
    path = folder / "personalize.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def _client(server: Server, service: str) -> Any:
    found = server.environment()
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=server.endpoint,
        region_name=found["AWS_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )
