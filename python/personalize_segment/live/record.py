"""Send an event's rows to Personalize or to the queues in front of it, without losing any."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .. import aws_errors
from ..contract.rows import Reason
from ..errors import TransientError
from . import rejections
from .deadline import start
from .payloads import OPERATIONS, ProfileRecord, Request, properties, put_profiles

if TYPE_CHECKING:
    from mypy_boto3_personalize_events import PersonalizeEventsClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

#: Maximum messages and bytes per SendMessageBatch. SQS has raised the limit in bytes since.
MAX_MESSAGES = 10
MAX_BATCH_BYTES = 256 * 1024
#: Concurrent requests per event.
LANES = 8
#: The first element of a profile message. The first version had whole rows, and no version number.
MESSAGE_VERSION = 2


def record_events(client: "PersonalizeEventsClient", requests: list[Request]) -> list[Reason]:
    """Send PutEvents requests, several in parallel, and return the reasons of refused events. Raises TransientError."""

    def record(some: list[Request]) -> list[Reason]:
        return [
            Reason("interactions", "PutEvents", str(why))
            for request in some
            for _, why in _refused("PutEvents", client.put_events, request, "eventList")
        ]

    others = [start(partial(record, requests[lane::LANES])) for lane in range(1, min(LANES, len(requests)))]
    return sum((lane.result() for lane in others), record(requests[::LANES]))


def record_profiles(
    client: "PersonalizeEventsClient", dataset: str, arn: str, profiles: list[ProfileRecord]
) -> list[Reason]:
    """Send users or items directly, ten per call, and return the reasons of refused ones. Raises TransientError."""
    return [
        Reason(dataset, OPERATIONS[dataset][0], str(why))
        for request in put_profiles(dataset, arn, {one.id: properties(one.known) for one in profiles})
        for _, why in send_profiles(client, dataset, request)
    ]


def send_profiles(
    client: "PersonalizeEventsClient", dataset: str, request: Request, wait: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, aws_errors.Trouble]]:
    """Send one PutUsers or PutItems request and yield the id of each refused record with the cause.

    Calls `wait` before each call to Personalize. Raises TransientError.
    """
    operation, key = OPERATIONS[dataset]
    send = client.put_users if dataset == "users" else client.put_items
    for record, why in _refused(operation, send, request, dataset, wait):
        yield record[key], why


def _refused(
    operation: str, send: Callable[..., object], request: Request, member: str, wait: Callable[[], None] = lambda: None
) -> Iterator[tuple[Request, aws_errors.Trouble]]:
    """Send a request and yield each refused record of its `member` with the cause. Raises TransientError.

    One bad record makes Personalize refuse the whole request. So a refused request is halved until the bad record is
    alone.
    """
    left = [request]
    while left:
        request = left.pop()
        records = request[member]
        wait()
        try:
            aws_errors.answered(partial(send, **request))
        except aws_errors.FAILURES as error:
            why = aws_errors.of(error)
            if not why.permanent:
                raise _again(operation, why.code) from error
            if len(records) > 1 and why.code in aws_errors.OF_RECORDS:
                half = len(records) // 2
                left += [request | {member: records[half:]}, request | {member: records[:half]}]
            else:
                yield from ((record, why) for record in records)


def message(profile: ProfileRecord) -> str:
    """Return the queue message for a profile. `profile_batch.parse` reads it."""
    return json.dumps([MESSAGE_VERSION, *profile], separators=(",", ":"))


def queue_profiles(sqs: "SQSClient", url: str, profiles: list[ProfileRecord]) -> None:
    """Put users and items on the queue that `profile_batch` reads. Raises TransientError."""
    batch: list[str] = []
    for body in map(message, profiles):
        if len(batch) == MAX_MESSAGES or sum(map(len, batch)) + len(body) > MAX_BATCH_BYTES:
            _send_batch(sqs, url, batch)
            batch = []
        batch.append(body)
    if batch:
        _send_batch(sqs, url, batch)


def _send_batch(sqs: "SQSClient", url: str, bodies: list[str]) -> None:
    entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]

    def send() -> tuple[int, str]:
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        failed = answer.get("Failed")
        return len(answer.get("Successful", [])), failed[0]["Code"] if failed else _NO_ANSWER

    taken, code = _queued("SendMessageBatch", send)
    if taken != len(entries):
        raise _again("SendMessageBatch", code)


def reject(sqs: "SQSClient", url: str, reasons: list[Reason], mapping_sha256: str, **rejected: Any) -> None:
    """Put an `event` or a `profile` on the rejected queue, with the reasons why it, or a part of it, was refused.

    `redrive` reads these messages. Raises TransientError.
    """
    ((kind, value),) = rejected.items()
    body = rejections.message(kind, value, reasons, mapping_sha256)
    answer = _queued("SendMessage", lambda: sqs.send_message(QueueUrl=url, MessageBody=body))
    if "MessageId" not in answer:
        raise _again("SendMessage", _NO_ANSWER)


#: botocore parses a proxy's page as an answer without members.
_NO_ANSWER = "not an answer of SQS"


def _queued(operation: str, call: Callable[[], T]) -> T:
    """Return the answer of SQS. Every failure is raised, because the message is stored nowhere else."""
    try:
        return aws_errors.answered(call)
    except aws_errors.FAILURES as error:
        raise _again(operation, aws_errors.of(error).code) from error


def _again(operation: str, code: str) -> TransientError:
    return TransientError(operation, f"failed ({code})", "The event will be sent again")
