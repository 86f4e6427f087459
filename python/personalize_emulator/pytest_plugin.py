"""The pytest fixture `personalize`: an emulator that all Personalize clients of a test talk to."""

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from . import Emulator

#: What a client needs to sign a request, for tests without any configuration.
_NEEDED = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def personalize(monkeypatch: pytest.MonkeyPatch) -> "Emulator":
    """Return an empty emulator whose clock stands still: `personalize.clock.advance(3600)`.

    All Personalize clients that boto3 or botocore make during the test reach it; other services go
    where they always go. Import jobs read from S3 with boto3's own client.
    """
    import botocore.session  # what costs time is loaded by the tests that use it

    from . import Clock, Emulator, install

    for name, value in _NEEDED.items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)
    emulator = Emulator(Clock(speed=0))
    make: Any = botocore.session.Session.create_client

    def create_client(self: Any, service_name: str, *args: Any, **options: Any) -> Any:
        client = make(self, service_name, *args, **options)
        if service_name.startswith("personalize"):
            install(emulator, client)
        return client

    monkeypatch.setattr(botocore.session.Session, "create_client", create_client)
    return emulator
