"""Find Segment's event in the payload of an invocation."""

import base64
from collections.abc import Iterable
from typing import Any

from ..contract.rows import load


def records(payload: Any) -> list[Any] | None:
    """Return the records of an SQS or Kinesis batch, which may be any values. None if `payload` isn't a batch."""
    batch = payload.get("Records") if isinstance(payload, dict) and "type" not in payload else None
    return batch if isinstance(batch, list) else None


def record_id(record: Any) -> str | None:
    """Return the id of a record for `batchItemFailures`. None if it isn't a record of SQS or Kinesis."""
    if not isinstance(record, dict):
        return None
    kinesis = record.get("kinesis")
    found = kinesis.get("sequenceNumber") if isinstance(kinesis, dict) else record.get("messageId")
    return found if isinstance(found, str) else None


def event_in(record: Any) -> Any:
    """Return the event in an SQS or Kinesis record, its text if that isn't JSON, or the record if it has no text."""
    if not isinstance(record, dict):
        return record
    kinesis = record.get("kinesis")
    body = kinesis.get("data") if isinstance(kinesis, dict) else record.get("body")
    if not isinstance(body, str):
        return record
    try:
        if kinesis:
            body = base64.b64decode(body, validate=True).decode()
        return unwrapped(load(body))
    except (ValueError, RecursionError):  # binascii's error is a ValueError
        return body


def unwrapped(payload: Any) -> Any:
    """Return the event, from `detail` if it comes through EventBridge."""
    if isinstance(payload, dict) and "type" not in payload and "detail-type" in payload:
        return payload.get("detail")
    return payload


def failures(record_ids: Iterable[str]) -> dict[str, Any]:
    """Return the response that makes SQS or Kinesis redeliver these records and no others."""
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in record_ids]}
