"""Write recommendations to Segment as a trait of the user, and decide when to.

The identify opts out of this destination, and its messageId marks it as ours (rule 1 of docs/contract.md). So it
returns neither as an event nor as a user without traits. The id is derived from the event that triggered it, so a retry
repeats it.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import requests
from segment.analytics.client import Client
from segment.analytics.request import APIError

from ..contract.rows import WRITE_BACK_ID, id_text
from ..errors import WriteBackError
from .deadline import Deadline
from .recommend import Recommendation

#: Number of users whose last write-back this process remembers.
MAX_REMEMBERED = 10_000
#: Maximum bytes of a Segment event, less a reserve for everything but the traits.
MAX_TRAITS_BYTES = 32 * 1024 - 4096
CONNECT_AND_READ_SECONDS = (1, 2)
ATTEMPTS = 2

#: The names of this destination in Segment's `integrations`.
OPT_OUT = {"Amazon Personalize": False, "Personalize": False}


class Identity(NamedTuple):
    """The owner of the trait: the `userId`, or the `anonymousId` of a visitor without one."""

    user_id: str | None
    anonymous_id: str | None

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Identity | None":
        """Return the identity in an event, None if it has none."""
        user = id_text(event.get("userId"))
        anonymous = id_text(event.get("anonymousId"))
        return None if user is None and anonymous is None else cls(user, None if user else anonymous)


class Memory:
    """The last write-back of each user, as far as this process knows. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: OrderedDict[Identity, tuple[float, list[str]]] = OrderedDict()

    def too_soon(self, who: Identity, interval: int) -> bool:
        """Return whether the last write-back was less than `interval` seconds ago."""
        with self._lock:
            last = self._last.get(who)
        return last is not None and self._clock() - last[0] < interval

    def unchanged(self, who: Identity, items: list[str]) -> bool:
        """Return whether the last write-back had the same items."""
        with self._lock:
            last = self._last.get(who)
        return last is not None and last[1] == items

    def remember(self, who: Identity, items: list[str]) -> None:
        """Record a successful write-back."""
        with self._lock:
            self._last[who] = (self._clock(), items)
            self._last.move_to_end(who)
            while len(self._last) > MAX_REMEMBERED:
                self._last.popitem(last=False)


def traits(recommendation: Recommendation, trait: str, shape: str) -> dict[str, Any]:
    """Return the traits of the identify, with as many of the best items as fit into Segment's 32 KB."""
    items = recommendation.items
    while True:
        value: Any = items
        if shape == "object":
            value = {
                "items": items,
                "recommendation_id": recommendation.id,
                "generated_at": recommendation.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
        if not items or len(json.dumps({trait: value}).encode()) <= MAX_TRAITS_BYTES:
            return {trait: value}
        items = items[: len(items) * 9 // 10]


def write_back(client: Client, who: Identity, what: dict[str, Any], message_id: str, deadline: Deadline) -> None:
    """Send one identify, and retry once if that can help. Raises WriteBackError if Segment doesn't accept it.

    In `sync_mode` the library sends immediately and raises errors. Its `on_error` and its retries apply to its queue
    only, and neither keeps to a limit of five seconds.
    """
    marker = WRITE_BACK_ID + hashlib.sha256(f"{message_id}\n{who}".encode()).hexdigest()[:32]
    for attempt in range(ATTEMPTS):
        try:
            client.identify(
                user_id=who.user_id,
                anonymous_id=who.anonymous_id,
                traits=what,
                integrations=dict(OPT_OUT),
                message_id=marker,
            )
            return
        except APIError as error:
            code = f"HTTP {error.status}"
            again = error.status == 429 or error.status >= 500
        except requests.RequestException as error:
            code, again = type(error).__name__, True
        if not again or attempt == ATTEMPTS - 1 or not deadline.left():
            raise WriteBackError(client.host, code, "Check segment_host and the write key")


def segment(write_key: str, host: str) -> Client:
    """Return a client that sends in the calling thread, within seconds, and raises errors."""
    return Client(write_key, host=host, sync_mode=True, timeout=CONNECT_AND_READ_SECONDS)
