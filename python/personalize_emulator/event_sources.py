"""SQS event source mappings: a thread that polls queues for functions, as Lambda's pollers do.

moto invokes a function within SendMessage, with one message per call, and ignores `batchItemFailures`. Here, messages
wait for their batch. Failed messages stay in the queue until their visibility timeout ends, and the queue's redrive
policy moves them after too many failures. Filter criteria, and the order of FIFO groups after a failure, aren't
implemented.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .lambda_service import LambdaService, report

POLL_SECONDS = 0.05


class EventSources:
    """Polls the queues of all enabled mappings while it is open, one batch per mapping at a time."""

    def __init__(self, service: LambdaService) -> None:
        self._service = service
        self._stop = threading.Event()
        self._busy: set[str] = set()
        self._waiting_since: dict[str, float] = {}
        self._batches = ThreadPoolExecutor(max_workers=10, thread_name_prefix="lambda-sqs")
        self._thread = threading.Thread(target=self._poll, name="event-sources", daemon=True)

    def open(self) -> None:
        """Start polling."""
        self._thread.start()

    def close(self) -> None:
        """Stop polling. Return when the running batches have finished."""
        self._stop.set()
        self._thread.join()
        self._batches.shutdown(wait=True, cancel_futures=True)

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            for backend, mapping in _mappings():
                queue = _queue(mapping)
                if queue is not None and mapping.uuid not in self._busy and self._due(mapping, queue):
                    self._busy.add(mapping.uuid)
                    self._batches.submit(self._batch, backend, mapping, queue).add_done_callback(report)

    def _due(self, mapping: Any, queue: Any) -> bool:
        """Return whether a batch is full, or its first message has waited for the whole batching window."""
        waiting = len(queue.messages)
        if not waiting:
            self._waiting_since.pop(mapping.uuid, None)
            return False
        since = self._waiting_since.setdefault(mapping.uuid, time.monotonic())
        window = mapping.max_batch_window or 0
        return waiting >= mapping.batch_size or time.monotonic() - since >= window

    def _batch(self, backend: Any, mapping: Any, queue: Any) -> None:
        try:
            self._waiting_since.pop(mapping.uuid, None)
            sqs = _sqs(mapping)
            messages = sqs.receive_message(queue.name, mapping.batch_size, 0, queue.visibility_timeout, ["All"])
            if not messages:
                return
            event = {"Records": [_record(message, queue) for message in messages]}
            moto_function = backend.get_function(mapping.function_arn)
            result = self._service.run(moto_function, mapping.function_arn, json.dumps(event))
            failed = {message.id for message in messages}
            if not result.failed:
                partial = "ReportBatchItemFailures" in (mapping.function_response_types or ())
                failed = failures(result.payload, failed) if partial else set()
            for message in messages:
                if message.id not in failed:
                    sqs.delete_message(queue.name, message.receipt_handle)
        finally:
            self._busy.discard(mapping.uuid)


def failures(payload: str, ids: set[str]) -> set[str]:
    """Return the ids of the messages that a function reports as failed, by Lambda's rules.

    An empty result, null, and a missing or empty `batchItemFailures` are a complete success. An unreadable result, or
    one that names a message outside the batch, is a complete failure.
    """
    try:
        answer = json.loads(payload or "null")
        reported = (answer or {}).get("batchItemFailures") or []
        failed = {item["itemIdentifier"] for item in reported}
    except (ValueError, TypeError, KeyError, AttributeError):
        return ids
    return failed if failed <= ids else ids


def _mappings() -> Iterator[tuple[Any, Any]]:
    from moto.awslambda.models import lambda_backends

    # Copies, because requests modify these dictionaries concurrently.
    for regions in list(lambda_backends.values()):
        for backend in list(regions.values()):
            for mapping in list(backend._event_source_mappings.values()):
                if mapping.enabled and mapping.event_source_arn.split(":")[2] == "sqs":
                    yield backend, mapping


def _sqs(mapping: Any) -> Any:
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, _ = mapping.event_source_arn.split(":")
    return sqs_backends[account][region]


def _queue(mapping: Any) -> Any:
    return _sqs(mapping).queues.get(mapping.event_source_arn.split(":")[5])


def _record(message: Any, queue: Any) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if queue.fifo_queue:
        attributes |= {"MessageGroupId": message.group_id, "MessageDeduplicationId": message.deduplication_id}
        attributes |= {"SequenceNumber": message.sequence_number}
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    for name in ("StringValue", "BinaryValue"):
        if value.get(name) is not None:
            text = value[name]
            attribute[name[0].lower() + name[1:]] = text.decode() if isinstance(text, bytes) else text
    return attribute
