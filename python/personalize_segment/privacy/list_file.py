"""Where a suppression list is kept: a local file or an S3 object, changed as a whole or not at all.

Two commands that add at the same time both succeed: losing one's users would let them come back.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.suppression import SuppressionList, empty, parse
from ..errors import ForgetError
from ..history.logs import split_uri
from ..history.publish import s3_client

#: How often another command may be faster before it is an error.
ATTEMPTS = 20


def read(place: str) -> SuppressionList:
    """Return the list in a file or an S3 object. Raises ForgetError if there is none."""
    with _said(place):
        if place.startswith("s3://"):
            found, _ = _fetch(place)
            if found is None:
                raise ForgetError(place, "no such suppression list", _CHECK)
            return found
        return parse(Path(place).read_bytes(), place)


def add(place: str, users: Iterable[str]) -> SuppressionList:
    """Add users to the list, made if there is none, and return it. Raises ForgetError if it can't be written.

    A list that holds them already is left untouched.
    """
    wanted = list(users)
    with _said(place):
        if place.startswith("s3://"):
            return _add_in_bucket(place, wanted)
        return _add_in_folder(Path(place), wanted)


def _add_in_folder(path: Path, users: list[str]) -> SuppressionList:
    # The folder is locked, because the file itself is another one afterwards.
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        there = path.exists()
        before = parse(path.read_bytes(), str(path)) if there else empty()
        after = before.plus(users)
        if after == before and there and path.stat().st_size:
            return before
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(after.text().encode())
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(path.stat().st_mode & 0o777 if there else 0o600)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        os.fsync(folder)
        return after
    finally:
        os.close(folder)


def _add_in_bucket(place: str, users: list[str]) -> SuppressionList:
    bucket, key = split_uri(place)
    for _ in range(ATTEMPTS):
        before, etag = _fetch(place)
        after = (before or empty()).plus(users)
        if etag is not None and before == after:
            return after
        try:
            if etag is None:
                s3_client().put_object(Bucket=bucket, Key=key, Body=after.text().encode(), IfNoneMatch="*")
            else:
                s3_client().put_object(Bucket=bucket, Key=key, Body=after.text().encode(), IfMatch=etag)
        except ClientError as error:
            # Somebody else wrote in between: theirs is read, and ours added to it.
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                raise
        else:
            return after
    raise ForgetError(place, "is changed all the time by others", "Run the command again")


def _fetch(place: str) -> tuple[SuppressionList | None, str | None]:
    """Return the list and its ETag; neither if there is none."""
    bucket, key = split_uri(place)
    try:
        answer = s3_client().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None, None
    return parse(answer["Body"].read(), place), answer["ETag"]


@contextmanager
def _said(place: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ForgetError(place, str(error), _CHECK) from error
    except OSError as error:
        raise ForgetError(place, error.strerror or str(error), _CHECK) from error


_CHECK = "Check where it is, and the rights to it"
