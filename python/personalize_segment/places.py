"""Files and folders in a file system or in S3: list, read, fetch, replace and delete.

A place is a local path, or `s3://bucket/key` with the credentials, region and endpoint that boto3 finds.
Trailing slashes don't matter. Methods raise OSError or botocore's errors; `errors_at` translates both.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from .errors import PersonalizeSegmentError, PlaceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The remedy for most failed reads.
READ = "Check the path, the credentials and their permission to read it"
#: The beginning of a URI. Without a check, `S3://…` would be a folder named `S3:`.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class OvertakenError(Exception):
    """An object wasn't replaced, because another command changed it after it was read."""


#: Prefix of the names of temporary folders.
TEMPORARY = "personalize-segment-work-"


@contextmanager
def temporary() -> Iterator[Path]:
    """Yield an empty folder that only this user can read, and delete it at the end. Also delete those of killed runs.

    A run holds a lock on its folder as long as it lives.
    """
    root = Path(tempfile.gettempdir())
    for folder in root.glob(f"{TEMPORARY}*"):
        with suppress(OSError), _locking(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        try:
            with _locking(folder, fcntl.LOCK_EX):
                if folder.exists():  # else another run deleted it before the lock
                    yield folder
                    return
        except FileNotFoundError:
            if folder.exists():
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locking(folder: Path, how: int) -> Iterator[None]:
    """Hold a lock on a folder of this user. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(opened).st_uid != os.getuid():
            raise PermissionError(folder)
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)


#: Maximum bytes of a file that a person wrote.
MAX_DOCUMENT = 16 << 20


def bounded(file: Path) -> str:
    """Return the text of a file. Raises OSError, and ValueError if it isn't UTF-8 or longer than MAX_DOCUMENT."""
    with file.open("rb") as opened:
        data = opened.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise ValueError(f"longer than {MAX_DOCUMENT >> 20} MiB")
    return data.decode()


@dataclass(frozen=True, slots=True)
class File:
    """A listed file or object: its path or URI, its path relative to the place, and its size.

    `version` changes with the content: the ETag in S3, else the nanosecond of the last change. `modified` is the time
    of the last change in epoch seconds.
    """

    name: str
    inner: str
    bytes: int
    version: str
    modified: float


@dataclass(frozen=True)
class LocalPlace:
    """A local path. Versions aren't compared here: a writer holds a lock instead."""

    path: Path
    s3: None = None

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> "LocalPlace":
        return LocalPlace(self.path / name)

    def is_folder(self) -> bool:
        """Return whether the folder exists."""
        return self.path.is_dir()

    def files(self) -> list[File]:
        """Return the files directly in a folder, sorted by name; none if the folder doesn't exist."""
        paths = sorted(self.path.iterdir()) if self.path.is_dir() else []
        return [self._listed(path) for path in paths if path.is_file()]

    def tree(self) -> list[File]:
        """Return all files below a folder, sorted by name; none if the folder doesn't exist."""
        return [self._listed(path) for path in sorted(self.path.rglob("*")) if path.is_file()]

    def _listed(self, path: Path) -> File:
        status = path.stat()
        inner = path.relative_to(self.path).as_posix()
        return File(str(path), inner, status.st_size, str(status.st_mtime_ns), status.st_mtime)

    def read(self) -> tuple[bytes, str] | None:
        """Return the bytes and version of a file, or None if it doesn't exist."""
        try:
            with self.path.open("rb") as file:
                return file.read(), str(os.fstat(file.fileno()).st_mtime_ns)
        except FileNotFoundError:
            return None

    def fetch(self, copy: Path) -> Path:  # noqa: ARG002
        """Return the file's own path. Nothing is copied."""
        return self.path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, because `swap` replaces the file itself. Sync the folder at the end."""
        folder = os.open(self.path.absolute().parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
            os.fsync(folder)
        finally:
            os.close(folder)

    def swap(self, data: bytes, version: str | None) -> None:
        """Replace the file durably and atomically. Only the owner can read a new file (no `version`)."""
        with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False) as file:
            made = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                made.chmod(0o600 if version is None else self.path.stat().st_mode & 0o777)
                made.replace(self.path)
            except BaseException:
                made.unlink(missing_ok=True)
                raise

    def replace(self, made: Path, kind: str, version: str) -> None:  # noqa: ARG002
        """Move a file of the same file system into the place. Keeps the permissions of the replaced file."""
        made.chmod(self.path.stat().st_mode & 0o777)
        made.replace(self.path)

    def delete(self) -> None:
        """Delete the file."""
        self.path.unlink()


@dataclass(frozen=True)
class S3Place:
    """An object or a prefix. The first call creates the client, which places below share."""

    bucket: str
    key: str
    client: "S3Client | None" = None

    @classmethod
    def of(cls, uri: str, client: "S3Client | None" = None) -> "S3Place":
        """Return the place of an S3 URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key.rstrip("/"), client)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")

    def __truediv__(self, name: str) -> "S3Place":
        return S3Place(self.bucket, f"{self.key}/{name}" if self.key else name, self.s3)

    @cached_property
    def s3(self) -> "S3Client":
        """The client."""
        import boto3  # takes a seventh of a second, which local exports save

        return self.client or boto3.client("s3")

    def is_folder(self) -> bool:
        """Return True: every prefix exists."""
        return True

    def objects(self, end: str = "/") -> list[File]:
        """Return the objects whose keys begin with the place's key and `end`, with folder markers, sorted by key."""
        prefix = self.key + end if self.key else end[1:]
        found: list[File] = []
        more: Any = {}
        # Without a paginator, because `provision` passes a client that retries each call.
        while True:
            page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **more)
            for entry in page.get("Contents", []):
                key = entry["Key"]
                inner, modified = key.removeprefix(prefix), entry["LastModified"].timestamp()
                found.append(File(f"s3://{self.bucket}/{key}", inner, entry["Size"], entry["ETag"], modified))
            if not page.get("NextContinuationToken"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def files(self, end: str = "/") -> list[File]:
        """Return `objects` without folder markers."""
        return [file for file in self.objects(end) if not file.name.endswith("/")]

    def tree(self) -> list[File]:
        """Return all objects below the prefix."""
        return self.files()

    def read(self) -> tuple[bytes, str] | None:
        """Return the bytes and version of an object, or None if it doesn't exist."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None
        return answer["Body"].read(), answer["ETag"]

    def fetch(self, copy: Path) -> Path:
        """Return `copy`, after downloading the object to it."""
        self.s3.download_file(self.bucket, self.key, str(copy))
        return copy

    def locked(self) -> AbstractContextManager[None]:
        """Return a context that locks nothing: `swap` compares versions."""
        return nullcontext()

    def put(self, data: bytes | BinaryIO, kind: str, **condition: Any) -> None:
        """Write the object. `kind` is its Content-Type. Raises OvertakenError if the condition isn't met."""
        try:
            self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=data, ContentType=kind, **condition)
        except ClientError as error:
            if condition and error.response["Error"]["Code"] in _OVERTAKEN:
                raise OvertakenError(str(self)) from error
            raise

    def swap(self, data: bytes, version: str | None) -> None:
        """Replace `version` of the object, or create the object (None). Raises OvertakenError on any other version."""
        self.put(data, "binary/octet-stream", **({"IfMatch": version} if version else {"IfNoneMatch": "*"}))

    def replace(self, made: Path, kind: str, version: str) -> None:
        """Upload a file in place of `version`. Raises OvertakenError if the object has another one."""
        with made.open("rb") as body:
            self.put(body, kind, IfMatch=version)

    def delete(self) -> None:
        """Delete the object."""
        self.s3.delete_object(Bucket=self.bucket, Key=self.key)


Place = LocalPlace | S3Place


def place(text: str, s3: "S3Client | None" = None) -> Place:
    """Return the place of a path or an S3 URI. `s3` is a client to share. Raises PlaceError for any other URI."""
    if _SCHEME.match(text) and not text.startswith("s3://"):
        raise PlaceError(text, "isn't a path or an S3 URI", "Write s3://BUCKET/PREFIX")
    return S3Place.of(text, s3) if text.startswith("s3://") else LocalPlace(Path(text))


def is_inside(inner: Place, outer: Place) -> bool:
    """Return whether a place is another one, or below it."""
    if isinstance(inner, S3Place) and isinstance(outer, S3Place):
        below = not outer.key or f"{inner.key}/".startswith(f"{outer.key}/")
        return inner.bucket == outer.bucket and below
    if isinstance(inner, LocalPlace) and isinstance(outer, LocalPlace):
        return inner.path.resolve().is_relative_to(outer.path.resolve())
    return False


@contextmanager
def errors_at(text: str, error: type[PersonalizeSegmentError], remedy: str = READ) -> Iterator[None]:
    """Turn errors of a file system or S3 into `error`. It names the file if that is below `text`, else `text`."""
    try:
        yield
    except OSError as problem:
        named = str(problem.filename or "")
        where = named if Path(named).is_relative_to(text) else text
        raise error(where, problem.strerror or str(problem), remedy) from problem
    except ParamValidationError as problem:
        raise error(text, "isn't a valid S3 URI", "Write s3://BUCKET/PREFIX") from problem
    except (ClientError, BotoCoreError) as problem:
        if isinstance(problem, ClientError) and _no_bucket(problem):
            raise error(text, "no such bucket", "Check its name, or create it") from problem
        raise error(text, str(problem), remedy) from problem


def _no_bucket(error: ClientError) -> bool:
    code = error.response["Error"]["Code"]
    return code == "NoSuchBucket" or (code, error.operation_name) == ("404", "HeadBucket")
