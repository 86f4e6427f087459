"""The pytest fixture `personalize`: an emulator that answers all Personalize clients of a test.

Enable it with `pytest_plugins = ["personalize_emulator.pytest_plugin"]` in conftest.py.
"""

import os
from typing import Any

import pytest
from botocore.session import Session

from . import Clock, Emulator, install

#: The minimum that a client needs to sign a request, for tests without any configuration.
_NEEDED = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def personalize(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Return an empty emulator with a stopped clock: `personalize.clock.advance(3600)`.

    It answers all Personalize clients that boto3 or botocore create during the test. Calls to other services aren't
    affected. Import jobs read from S3 with boto3's own client.
    """
    for name, value in _NEEDED.items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)
    emulator = Emulator(Clock(speed=0))
    make: Any = Session.create_client

    def create_client(self: Session, service_name: str, *args: Any, **options: Any) -> Any:
        client = make(self, service_name, *args, **options)
        if service_name.startswith("personalize"):
            install(emulator, client)
        return client

    monkeypatch.setattr(Session, "create_client", create_client)
    return emulator
