"""The audit line of a deletion: when, how many users, from which places and by whom, without an id."""

import json
import os
from datetime import datetime
from typing import Any

from ..errors import ForgetError
from ..places import S3Place, errors_at, place
from .deletion import COMPLETED

_CHECK = "Check the location and your permissions, then run the command again"


def seen(text: str, webhook: str, since: datetime) -> dict[str, Any] | None:
    """Return the line of the completed deletion with the digest `webhook`, None if there is none.

    In S3, reads only objects written after `since`. Raises ForgetError if the place can't be read.
    """
    where = place(text)
    with errors_at(text, ForgetError, _CHECK):
        if isinstance(where, S3Place):
            first = _name(since.isoformat(timespec="milliseconds"))
            names = [file.inner for file in where.files() if file.inner >= first]
            found = [(where / name).read() for name in names]
        else:
            found = [where.read()]
    lines = [json.loads(line) for data in found if data is not None for line in data[0].splitlines()]
    done = (one for one in lines if one.get("webhook") == webhook and one["status"] == COMPLETED)
    return next(done, None)


def write(text: str, line: dict[str, Any]) -> None:
    """Append the line to a local file, or write it as a separate object to a folder in S3.

    Raises ForgetError if the place can't be written.
    """
    data = (json.dumps(line) + "\n").encode()
    where = place(text)
    with errors_at(text, ForgetError, _CHECK):
        if isinstance(where, S3Place):
            name = f"{_name(line['at'])}-{line['job'].rpartition('/')[2]}.json"
            (where / name).put(data, "application/json")
            return
        file = os.open(where.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
            os.fsync(file)
        finally:
            os.close(file)


def _name(at: str) -> str:
    return at.replace(":", "")
