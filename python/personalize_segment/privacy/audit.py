"""The line that shows, without an id, that users were forgotten: when, how many, from where and by whom."""

import json
import os
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import ForgetError
from ..history.logs import split_uri
from ..history.publish import s3_client

_CHECK = "Check where it is and the rights to it, then run the command again"


def write(place: str, line: dict[str, Any]) -> None:
    """Append the line to a local file, or put it into a folder in S3 as an object of its own.

    Raises ForgetError if it can't be kept.
    """
    text = (json.dumps(line) + "\n").encode()
    if place.startswith("s3://"):
        bucket, folder = split_uri(place.rstrip("/") + "/")
        key = f"{folder}{line['at'].replace(':', '')}-{line['job'].rpartition('/')[2]}.json"
        try:
            s3_client().put_object(Bucket=bucket, Key=key, Body=text, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise ForgetError(place, str(error), _CHECK) from error
        return
    try:
        file = os.open(Path(place), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, text)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise ForgetError(place, error.strerror or str(error), _CHECK) from error
