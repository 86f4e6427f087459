"""The AWS and Segment clients of one process: created once, with timeouts, shared by threads."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config

from ..contract.suppression import SuppressionList
from .settings import Reference, Settings, SettingValue
from .writeback import segment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_personalize_events import PersonalizeEventsClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_sqs import SQSClient
    from segment.analytics.client import Client

T = TypeVar("T")

#: Half of the time budget for a call that hangs, which leaves time for a second attempt.
_TIMES = {"connect_timeout": 1, "read_timeout": 2, "max_pool_connections": 16, "tcp_keepalive": True}
RETRIED = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 2})  # type: ignore[arg-type]
#: `profile_batch` limits its rate, and SQS does the retries.
ONCE = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 1})  # type: ignore[arg-type]


class Clients:
    """The clients of one process, each created on first use. Thread-safe."""

    def __init__(self, settings: Settings, config: Config) -> None:
        self._settings, self._config = settings, config
        self._lock = threading.Lock()
        self._created: dict[tuple[str, ...], Any] = {}

    def _once(self, create: Callable[[], T], *key: str) -> T:
        # Clients are thread-safe, but creating them isn't.
        with self._lock:
            if key not in self._created:
                self._created[key] = create()
            client: T = self._created[key]
            return client

    def _client(self, service: str, region: str | None = None) -> Any:
        return self._once(lambda: self._new(service, region), service)

    def _new(self, service: str, region: str | None = None) -> Any:
        create: Any = boto3.client
        return create(service, region_name=region, config=self._config)

    @property
    def events(self) -> "PersonalizeEventsClient":
        """The boto3 client `personalize-events`, in Personalize's region."""
        client: PersonalizeEventsClient = self._client("personalize-events", self._settings.region)
        return client

    @property
    def runtime(self) -> "PersonalizeRuntimeClient":
        """The boto3 client `personalize-runtime`, in Personalize's region."""
        client: PersonalizeRuntimeClient = self._client("personalize-runtime", self._settings.region)
        return client

    @property
    def sqs(self) -> "SQSClient":
        """The boto3 client `sqs`, in the function's own region."""
        client: SQSClient = self._client("sqs")
        return client

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """The boto3 client `dynamodb`, in the function's own region."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    def segment(self, write_key: str) -> "Client":
        """Return the client for a Segment source."""
        return self._once(lambda: segment(write_key, self._settings.host), "segment", write_key)

    def suppressed(self) -> SuppressionList | None:
        """Return the suppression list, or None if none is configured. Raises TransientError if it can't be read."""
        place = self._settings.suppression_list
        if place is None:
            return None
        from .suppressed import Suppressed  # loaded only with a suppression list

        refresh = self._settings.refresh
        return self._once(lambda: Suppressed(self._new("s3"), place, refresh), "suppressed").list()

    def value(self, value: SettingValue) -> str | None:
        """Return a setting's value, read from SSM or Secrets Manager if it is stored there."""
        if not isinstance(value, Reference):
            return value
        from .references import References  # loaded only with references

        return self._once(lambda: References(self._client, self._settings.refresh), "references").value(value)
