"""Users and items from the queue -> PutUsers and PutItems: the latest of each id, ten a call, not too fast.

Personalize takes ten calls a second for each of the two operations, while Segment sends one
event at a time.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..aws_errors import Trouble
from ..contract.rows import Reason, string
from ..errors import TransientError
from . import record
from .deadline import Deadline, start
from .payloads import MAX_PROPERTIES, OPERATIONS, Profile, Request, put_profiles


@dataclass
class Batch:
    """What became of the messages of one batch: their ids by outcome, and rejected messages with the reason.

    `failed` come back: SQS delivers them again.
    """

    recorded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rejected: list[tuple[str, Any, Reason]] = field(default_factory=list)


class Pace:
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


def parse(body: str) -> Profile | None:
    """Return the profile in a message, None if it holds none."""
    try:
        dataset, key, properties, (seconds, fraction, texts) = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(texts, list) or type(seconds) is not int:
        return None
    if not all(isinstance(one, str) for one in (dataset, key, properties, fraction, *texts)):
        return None
    good = dataset in OPERATIONS and string(key) is not None and 0 < len(properties) <= MAX_PROPERTIES[dataset]
    return Profile(dataset, key, properties, (seconds, fraction, tuple(texts))) if good else None


def put(
    client: Any, arns: dict[str, str | None], messages: dict[str, str], paces: dict[str, Pace], deadline: Deadline
) -> Batch:
    """Send the profiles in `messages` (message id -> body) and return what became of each message.

    Of several messages for one user or item the latest is sent, and the others share its fate.
    Whatever is not sent when the deadline comes has failed.
    """
    batch = Batch()
    found: dict[str, dict[str, Profile]] = {dataset: {} for dataset in OPERATIONS}
    for message_id, body in messages.items():
        profile = parse(body)
        if profile is None:
            batch.rejected.append((message_id, body, Reason(None, None, "no profile of this project")))
        elif arns.get(profile.dataset) is None:
            batch.failed.append(message_id)
        else:
            found[profile.dataset][message_id] = profile
    for dataset, profiles in found.items():
        _put(client, dataset, arns.get(dataset) or "", profiles, paces[dataset], deadline, batch)
    return batch


def _put(
    client: Any,
    dataset: str,
    arn: str,
    profiles: dict[str, Profile],
    pace: Pace,
    deadline: Deadline,
    batch: Batch,
) -> None:
    of_id: dict[str, list[str]] = {}
    for message_id, profile in profiles.items():
        of_id.setdefault(profile.id, []).append(message_id)
    _, several, key = OPERATIONS[dataset]
    for request in put_profiles(dataset, arn, profiles.values()):
        messages = [message for one in request[several] for message in of_id[one[key]]]
        if not deadline.left():
            batch.failed += messages
            continue
        call = start(partial(_sent, client, dataset, request, pace))
        try:
            refused = deadline.wait(call)
        except (TransientError, TimeoutError):
            batch.failed += messages
            continue
        for message in messages:
            profile = profiles[message]
            if profile.id in refused:
                why = refused[profile.id]
                batch.rejected.append((message, profile, Reason(dataset, None, f"{why.code}: {why.message}")))
            else:
                batch.recorded.append(message)


def _sent(client: Any, dataset: str, request: Request, pace: Pace) -> dict[str, Trouble]:
    return dict(record.send_profiles(client, dataset, request, pace))
