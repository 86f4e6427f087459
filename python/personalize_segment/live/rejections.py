"""The messages of the queue of rejected events, which `record` writes and `redrive` reads.

A message has the `event` or the `profile`, and the reasons. If that is too large, it has `event_gzip` instead. If even
that is too large, it has `event_cut`: the beginning, the ids and the folder of Segment's log that holds the whole.
"""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..contract.rows import Reason, grouped, instant_of

#: Maximum bytes per message. SQS takes 1 MiB, but version 5.100 of the AWS provider can't create such a queue.
MAX_BYTES = 262_144
#: Maximum reasons per message, and characters per reason.
MAX_REASONS, MAX_REASON = 50, 1000
KINDS = ("event", "profile")
GZIP, CUT = "_gzip", "_cut"
_CUT_BYTES = MAX_BYTES // 4
_IDS = ("type", "event", "name", "messageId", "userId", "anonymousId", "projectId", "timestamp", "receivedAt")
_MAX_ID = 256
_DAY_SECONDS = 86_400
#: Characters that SQS refuses. JSON has them in texts only, where escapes have the same meaning.
_REFUSED = re.compile("[\ud800-\udfff\ufffe\uffff]")


def message(kind: str, value: Any, reasons: Iterable[Reason], mapping_sha256: str) -> str:
    """Return the message for a refused value, which may be any JSON value, with the reasons."""
    about = {
        "reasons": _told(grouped(reasons)),
        "rejected_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "mapping_sha256": mapping_sha256,
    }
    try:
        text = as_json(value)
    except RecursionError:
        return as_json({kind + CUT: None, **_ids(value)} | about)
    whole = as_json(about)[:-1] + f',"{kind}":{text}}}'
    if len(whole.encode()) <= MAX_BYTES:
        return whole
    packed = as_json({kind + GZIP: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()} | about)
    if len(packed) <= MAX_BYTES:
        return packed
    return as_json({kind + CUT: text.encode()[:_CUT_BYTES].decode(errors="ignore"), **_ids(value)} | about)


def body(text: str) -> dict[str, Any]:
    """Return the content of a message, with a compressed event or profile unpacked. {} if it isn't our message."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            return {}
        for kind in KINDS:
            if isinstance(packed := found.pop(kind + GZIP, None), str):
                found[kind] = json.loads(gzip.decompress(base64.b64decode(packed)))
    except (ValueError, RecursionError, OSError, EOFError, zlib.error):
        return {}
    return found


def as_json(value: Any) -> str:
    """Return the JSON text of a value, without the characters that SQS and UTF-8 refuse. Raises RecursionError."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _told(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = [group | {"reason": group["reason"][:MAX_REASON]} for group in groups[:MAX_REASONS]]
    if others := sum(group["count"] for group in groups[MAX_REASONS:]):
        told.append({"dataset": None, "field": None, "reason": "other reasons", "count": others, "elements": []})
    return told


def _ids(value: Any) -> dict[str, Any]:
    """Return the ids of an event that isn't kept whole, and the folder of Segment's log that holds it."""
    if not isinstance(value, Mapping):
        return {}
    ids = {name: value[name][:_MAX_ID] for name in _IDS if isinstance(value.get(name), str)}
    received = instant_of(value.get("receivedAt")) or instant_of(value.get("timestamp"))
    day = "*" if received is None else str(received[0] // _DAY_SECONDS * _DAY_SECONDS * 1000)
    return {"ids": ids, "log": f"segment-logs/{ids.get('projectId', '*')}/{day}/"}
