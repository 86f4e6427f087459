"""The line that shows, without an id, that users were forgotten: when, how many, from where and by whom."""

import json
import os
from typing import Any

from ..errors import ForgetError
from ..places import S3Place, errors_at, place

_CHECK = "Check where it is and the rights to it, then run the command again"


def write(text: str, line: dict[str, Any]) -> None:
    """Append the line to a local file, or put it into a folder in S3 as an object of its own.

    Raises ForgetError if it can't be kept.
    """
    data = (json.dumps(line) + "\n").encode()
    where = place(text)
    with errors_at(text, ForgetError, _CHECK):
        if isinstance(where, S3Place):
            name = f"{line['at'].replace(':', '')}-{line['job'].rpartition('/')[2]}.json"
            (where / name).put(data, "application/json")
            return
        file = os.open(where.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
