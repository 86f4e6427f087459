"""Read the users to delete from a file, or from a deletion that Segment's webhooks forward."""

import csv
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from ..contract.columns import USER_ID
from ..contract.rows import any_id, instant_of, load
from ..errors import ForgetError


def listed(data: bytes, place: str) -> frozenset[str]:
    """Return the ids in a file: one per line, or in the column USER_ID of a CSV with that header.

    In a plain file, a line is an id as it is, including spaces and quotes. Blank lines are ignored. Raises ForgetError
    if an id isn't valid (rule 3), if a line looks like one of another format, or if the file has no id. The error has
    the line, never an id.
    """
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ForgetError(place, "isn't UTF-8 text", "Save it as UTF-8") from None
    header = next(csv.reader(lines[:1]), [])
    users = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and USER_ID in header):
            continue
        text = line
        if USER_ID in header:
            values = _values(line)
            text = values[header.index(USER_ID)] if len(values) == len(header) else ""
        if USER_ID not in header and _OTHER_FORMAT.search(line):
            raise ForgetError(f"{place}:{number}", "looks like a line of CSV or JSON, not like one user id", _FORMAT)
        if any_id(text) is None:
            raise ForgetError(f"{place}:{number}", "isn't a valid user id (rule 3 of docs/contract.md)", _FIX)
        users.add(text)
    if not users:
        raise ForgetError(place, "contains no user id", f"Write one per line, or a CSV with the column {USER_ID}")
    return frozenset(users)


#: Maximum age of a forwarded deletion. It limits replays, which could delete a user who has come back.
MAX_AGE = timedelta(hours=1)


def _values(line: str) -> list[str]:
    # One line at a time, so that an open quote can't swallow the users after it.
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return []


def forwarded(body: bytes, signature: str, secret: str, place: str, now: datetime | None = None) -> frozenset[str]:
    """Return the user in the body of a deletion from Segment's webhook destination.

    `signature` is the value of its X-Signature header: HMAC-SHA1 of the body with the shared secret, in hex. Source:
    "Webhooks Destination", sections "Delete" and "Authentication". Raises ForgetError for any other message, and for a
    message that is older than MAX_AGE. A body whose signature is wrong isn't parsed.
    """
    if not secret:
        raise ForgetError(place, "can't be verified with an empty secret", "Set the shared secret of the webhook")
    right = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    if not hmac.compare_digest(right.encode(), signature.strip().lower().encode("utf-8", "replace")):
        raise ForgetError(place, "doesn't match X-Signature", "Pass the exact body, its signature and the secret")
    try:
        message = load(body.decode("utf-8"))
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or message.get("type") != "delete":
        raise ForgetError(place, "isn't a deletion", 'Pass only messages with "type": "delete"')
    user = any_id(message.get("userId"))
    if user is None:
        raise ForgetError(place, "has no userId", "Segment deletes by userId. Check the message in Segment")
    instant = instant_of(message.get("timestamp"))
    age = None if instant is None else (now or datetime.now(UTC)).timestamp() - instant[0]
    if age is None or abs(age) > MAX_AGE.total_seconds():
        raise ForgetError(place, f"isn't from the last hour: {message.get('timestamp')!r}", _OLD)
    return frozenset({user})


_OLD = "It may be a replay. To delete the user anyway, pass the id with --users"
#: Without this check, the line of another format would be suppressed as an id, and its user would stay.
_OTHER_FORMAT = re.compile(r"[,;]|^\s*([{\[#]|user[ _]?id\s*$)", re.IGNORECASE)
_FORMAT = f"Write one id per line, or a CSV with commas and the column {USER_ID}, in which ids may be in quotes"
_FIX = "Fix the line: ids have 1 to 256 printable characters"
