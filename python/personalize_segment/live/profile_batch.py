"""Users and items from the queue -> PutUsers and PutItems: the latest of each id, ten per call, at a limited rate.

Personalize takes ten calls per second for each of the two operations, while Segment sends one
event at a time.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..aws_errors import Trouble
from ..contract.rows import Reason, any_id
from ..errors import TransientError
from .deadline import Deadline, start
from .payloads import MAX_PROPERTIES, OPERATIONS, ProfileRecord, Request, put_profiles
from .record import send_profiles

if TYPE_CHECKING:
    from mypy_boto3_personalize_events import PersonalizeEventsClient


@dataclass
class BatchResult:
    """The messages of one batch by outcome: their ids, and of rejected ones also what they hold and the reason.

    SQS delivers `failed` messages again.
    """

    recorded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rejected: list[tuple[str, Any, Reason]] = field(default_factory=list)


class RateLimiter:
    """At most `rate` calls in any second, for all threads together.

    The gap is a little wider than the rate asks for, because the way to Personalize is not equally
    long for each call.
    """

    def __init__(
        self, rate: int, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = 1.05 / rate
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def __call__(self) -> None:
        """Wait for the turn of one call."""
        with self._lock:
            while (wait := self._next - self._clock()) > 0:
                self._sleep(wait)
            self._next = self._clock() + self._gap


def parse(body: str) -> ProfileRecord | None:
    """Return the profile in a message, None if it holds none."""
    try:
        dataset, key, properties, (seconds, fraction, texts) = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(texts, list) or type(seconds) is not int:
        return None
    if not all(isinstance(text, str) for text in (dataset, key, properties, fraction, *texts)):
        return None
    good = dataset in OPERATIONS and any_id(key) is not None and 0 < len(properties) <= MAX_PROPERTIES[dataset]
    return ProfileRecord(dataset, key, properties, (seconds, fraction, tuple(texts))) if good else None


def send_batch(
    client: "PersonalizeEventsClient",
    arns: dict[str, str | None],
    messages: dict[str, str],
    limiters: dict[str, RateLimiter],
    deadline: Deadline,
) -> BatchResult:
    """Send the profiles in `messages` (message id -> body) and return what became of each message.

    Of several messages for one user or item the latest is sent, and the others share its fate.
    Whatever is not sent when the deadline comes has failed.
    """
    result = BatchResult()
    profiles: dict[str, ProfileRecord] = {}
    ids: dict[tuple[str, str], list[str]] = {}
    for message_id, body in messages.items():
        profile = parse(body)
        if profile is None:
            result.rejected.append((message_id, body, Reason(None, None, "no profile of this project")))
        elif arns.get(profile.dataset) is None:
            result.failed.append(message_id)
        else:
            profiles[message_id] = profile
            ids.setdefault((profile.dataset, profile.id), []).append(message_id)
    for dataset, (_, key) in OPERATIONS.items():
        of_dataset = [profile for profile in profiles.values() if profile.dataset == dataset]
        for request in put_profiles(dataset, arns.get(dataset) or "", of_dataset):
            sent = [message_id for record in request[dataset] for message_id in ids[dataset, record[key]]]
            refused = _refused(client, dataset, request, limiters[dataset], deadline)
            if refused is None:
                result.failed += sent
                continue
            for message_id in sent:
                profile = profiles[message_id]
                if why := refused.get(profile.id):
                    result.rejected.append((message_id, profile, Reason(dataset, None, str(why))))
                else:
                    result.recorded.append(message_id)
    return result


def _refused(
    client: "PersonalizeEventsClient", dataset: str, request: Request, limiter: RateLimiter, deadline: Deadline
) -> dict[str, Trouble] | None:
    """Send a request and return why each refused id was refused; None if the request did not succeed in time."""
    if not deadline.left():
        return None
    call = start(lambda: dict(send_profiles(client, dataset, request, limiter)))
    try:
        return deadline.wait(call)
    except (TransientError, TimeoutError):
        return None
