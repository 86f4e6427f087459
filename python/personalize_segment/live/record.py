"""Rows -> Personalize, or the queues in front of it: what of an event has to be kept safe."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from .. import aws_errors
from ..contract.rows import Reason
from ..errors import TransientError
from .payloads import OPERATIONS, Profile, Request, put_profiles

#: Messages, and bytes of them, that one SendMessageBatch takes; the service's limit is greater now, but was this.
MAX_MESSAGES = 10
MAX_BATCH_BYTES = 256 * 1024


def record_events(client: Any, requests: list[Request]) -> list[Reason]:
    """Send PutEvents requests and return why events were refused.

    PutEvents refuses all events of a request for one bad one, so a refused request is cut in
    halves until the bad one stands alone. Raises TransientError.
    """
    reasons: list[Reason] = []
    left = list(reversed(requests))
    while left:
        request = left.pop()
        why = _call("PutEvents", lambda request=request: client.put_events(**request))  # type: ignore[misc]
        events = request["eventList"]
        if why is not None and len(events) > 1 and why.code in aws_errors.OF_RECORDS:
            half = len(events) // 2
            left += [request | {"eventList": events[half:]}, request | {"eventList": events[:half]}]
        elif why is not None:
            reasons += [_refused("interactions", "PutEvents", why)] * len(events)
    return reasons


def record_profiles(client: Any, dataset: str, arn: str, profiles: list[Profile]) -> list[Reason]:
    """Send users or items directly, ten a call, and return why they were refused. Raises TransientError."""
    reasons: list[Reason] = []
    for request in put_profiles(dataset, arn, profiles):
        for _, why in send_profiles(client, dataset, request):
            reasons.append(_refused(dataset, _operation(dataset), why))
    return reasons


def send_profiles(
    client: Any, dataset: str, request: Request, pace: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, aws_errors.Trouble]]:
    """Send one PutUsers or PutItems request, after `pace`, and yield the id of each refused record and why.

    A refused request is cut in halves, as in `record_events`. Raises TransientError.
    """
    method, several, key = OPERATIONS[dataset]
    left = [request]
    while left:
        one = left.pop()
        pace()
        why = _call(_operation(dataset), lambda one=one: getattr(client, method)(**one))  # type: ignore[misc]
        records = one[several]
        if why is not None and len(records) > 1 and why.code in aws_errors.OF_RECORDS:
            half = len(records) // 2
            left += [one | {several: records[half:]}, one | {several: records[:half]}]
        elif why is not None:
            yield from ((record[key], why) for record in records)


def queue_profiles(sqs: Any, url: str, profiles: list[Profile]) -> None:
    """Put users and items on the queue that `profile_batch` empties. Raises TransientError."""
    batch: list[str] = []
    for body in [json.dumps(one) for one in profiles]:
        if len(batch) == MAX_MESSAGES or sum(map(len, batch)) + len(body) > MAX_BATCH_BYTES:
            _send_batch(sqs, url, batch)
            batch = []
        batch.append(body)
    if batch:
        _send_batch(sqs, url, batch)


def _send_batch(sqs: Any, url: str, bodies: list[str]) -> None:
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    answer = _kept("SendMessageBatch", lambda: sqs.send_message_batch(QueueUrl=url, Entries=entries))
    if len(answer.get("Successful", [])) != len(entries):
        # Also an answer that isn't the queue's: botocore reads a page of a proxy as one without members.
        code = answer.get("Failed", [{}])[0].get("Code", "no answer of a queue")
        raise TransientError("SendMessageBatch", f"failed ({code})", _AGAIN)


def reject(sqs: Any, url: str, reasons: list[Reason], mapping_sha256: str, **what: Any) -> None:
    """Keep an `event`, or a `profile`, with the reasons why it, or a part of it, was not recorded.

    Raises TransientError. `redrive` reads these messages.
    """
    body = json.dumps(
        what
        | {
            "reasons": [reason._asdict() for reason in reasons],
            "rejected_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "mapping_sha256": mapping_sha256,
        }
    )
    answer = _kept("SendMessage", lambda: sqs.send_message(QueueUrl=url, MessageBody=body))
    if "MessageId" not in answer:
        raise TransientError("SendMessage", "failed (no answer of a queue)", _AGAIN)


_AGAIN = "The event will be sent again"


def _call(operation: str, call: Callable[[], Any]) -> aws_errors.Trouble | None:
    """Return why the call was refused, None if it wasn't."""
    try:
        call()
    except aws_errors.FAILURES as error:
        why = aws_errors.of(error)
        if why.permanent:
            return why
        raise TransientError(operation, f"failed ({why.code})", _AGAIN) from error
    return None


def _kept(operation: str, call: Callable[[], Any]) -> Any:
    """Like `_call`, but whatever fails is raised: what no queue takes is in no other place."""
    try:
        return call()
    except aws_errors.FAILURES as error:
        raise TransientError(operation, f"failed ({aws_errors.of(error).code})", _AGAIN) from error


def _operation(dataset: str) -> str:
    return "PutUsers" if dataset == "users" else "PutItems"


def _refused(dataset: str, operation: str, why: aws_errors.Trouble) -> Reason:
    return Reason(dataset, operation, f"{why.code}: {why.message}")
