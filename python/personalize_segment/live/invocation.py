"""Segment's event, wherever it is in the payload that a function was invoked with."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from ..contract.rows import load


def records(payload: Any) -> list[dict[str, Any]] | None:
    """Return the records of a batch of SQS or Kinesis; None if `payload` isn't a batch."""
    batch = payload.get("Records") if isinstance(payload, dict) and "type" not in payload else None
    return batch if isinstance(batch, list) else None


def record_id(record: dict[str, Any]) -> str:
    """Return what names a record in `batchItemFailures`."""
    kinesis = record.get("kinesis")
    return str(kinesis["sequenceNumber"] if kinesis else record["messageId"])


def event_in(record: dict[str, Any]) -> Any:
    """Return the event in a record of SQS or Kinesis; its text, if that isn't JSON."""
    kinesis = record.get("kinesis")
    try:
        body = base64.b64decode(kinesis["data"], validate=True).decode() if kinesis else record["body"]
    except (binascii.Error, UnicodeDecodeError):
        return kinesis["data"] if kinesis else None
    try:
        return unwrapped(load(body))
    except (ValueError, RecursionError):
        return body


def unwrapped(payload: Any) -> Any:
    """Return the event itself, or the one that EventBridge put in `detail`."""
    if isinstance(payload, dict) and "type" not in payload and "detail-type" in payload:
        return payload.get("detail")
    return payload


def failures(record_ids: Iterable[str]) -> dict[str, Any]:
    """Return the answer that makes SQS or Kinesis deliver these records again, and no others."""
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in record_ids]}
