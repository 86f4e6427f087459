"""The clients of one process: made once, with bounded times, shared by threads."""

import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from .settings import Reference, Settings, Value
from .writeback import segment

#: Half of the budget for a call that hangs, so that there is time for a second.
_TIMES = {"connect_timeout": 1, "read_timeout": 2, "max_pool_connections": 16, "tcp_keepalive": True}
RETRIED = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 2})  # type: ignore[arg-type]
#: The consumer keeps to a rate, and SQS retries for it.
ONCE = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 1})  # type: ignore[arg-type]


class Clients:
    """The clients of one process, each made when it is first needed."""

    def __init__(self, settings: Settings, config: Config) -> None:
        self._settings, self._config = settings, config
        self._lock = threading.Lock()
        self._made: dict[tuple[str, ...], Any] = {}

    def _once(self, make: Callable[..., Any], *key: str) -> Any:
        # Making a client is not safe in several threads at once; using it is.
        with self._lock:
            if key not in self._made:
                self._made[key] = make(*key)
            return self._made[key]

    def _personalize(self, service: str) -> Any:
        return boto3.client(service, region_name=self._settings.region, config=self._config)  # type: ignore[call-overload]

    def _here(self, service: str) -> Any:
        return self._once(lambda name: boto3.client(name, config=self._config), service)

    @property
    def events(self) -> Any:
        """boto3's `personalize-events`, where Personalize is."""
        return self._once(self._personalize, "personalize-events")

    @property
    def runtime(self) -> Any:
        """boto3's `personalize-runtime`, where Personalize is."""
        return self._once(self._personalize, "personalize-runtime")

    @property
    def sqs(self) -> Any:
        """boto3's `sqs`, in the function's own region."""
        return self._here("sqs")

    def segment(self, write_key: str) -> Any:
        """Return the client for a source of Segment's."""
        return self._once(lambda _, key: segment(key, self._settings.host), "segment", write_key)

    def value(self, value: Value) -> str | None:
        """Return a setting's value, from SSM or Secrets Manager if it stands there."""
        if not isinstance(value, Reference):
            return value
        found: str | None = self._once(self._references, "references").value(value)
        return found

    def _references(self, _: str) -> Any:
        from .references import References  # which is not needed where nothing is referred to

        return References(self._here, self._settings.refresh)
