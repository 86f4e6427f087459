"""The clients of one process: created once, with bounded times, shared by threads."""

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

#: Half of the budget for a call that hangs, so that there is time for a second.
_TIMES = {"connect_timeout": 1, "read_timeout": 2, "max_pool_connections": 16, "tcp_keepalive": True}
RETRIED = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 2})  # type: ignore[arg-type]
#: The consumer keeps to a rate, and SQS retries for it.
ONCE = Config(**_TIMES, retries={"mode": "standard", "total_max_attempts": 1})  # type: ignore[arg-type]


class Clients:
    """The clients of one process, each created when it is first needed."""

    def __init__(self, settings: Settings, config: Config) -> None:
        self._settings, self._config = settings, config
        self._lock = threading.Lock()
        self._created: dict[tuple[str, ...], Any] = {}

    def _once(self, create: Callable[[], T], *key: str) -> T:
        # Creating a client is not safe in several threads at once; using it is.
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
        """boto3's `personalize-events`, where Personalize is."""
        client: PersonalizeEventsClient = self._client("personalize-events", self._settings.region)
        return client

    @property
    def runtime(self) -> "PersonalizeRuntimeClient":
        """boto3's `personalize-runtime`, where Personalize is."""
        client: PersonalizeRuntimeClient = self._client("personalize-runtime", self._settings.region)
        return client

    @property
    def sqs(self) -> "SQSClient":
        """boto3's `sqs`, in the function's own region."""
        client: SQSClient = self._client("sqs")
        return client

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """boto3's `dynamodb`, in the function's own region."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    def segment(self, write_key: str) -> "Client":
        """Return the client for a source of Segment's."""
        return self._once(lambda: segment(write_key, self._settings.host), "segment", write_key)

    def suppressed(self) -> SuppressionList | None:
        """Return the suppression list; None without one. Raises TransientError if it can't be read."""
        place = self._settings.suppression_list
        if place is None:
            return None
        from .suppressed import Suppressed  # which is not needed where there is no list

        refresh = self._settings.refresh
        return self._once(lambda: Suppressed(self._new("s3"), place, refresh), "suppressed").list()

    def value(self, value: SettingValue) -> str | None:
        """Return a setting's value, from SSM or Secrets Manager if it is stored there."""
        if not isinstance(value, Reference):
            return value
        from .references import References  # which is not needed where nothing is referred to

        return self._once(lambda: References(self._client, self._settings.refresh), "references").value(value)
