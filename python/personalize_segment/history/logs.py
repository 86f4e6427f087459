"""Segment's logs: which files a tree holds, which of them a window needs, and reading them.

Segment's S3 destination writes `segment-logs/{source id}/{day}/*.gz`, where day is the UTC
midnight of the day an event was *received*, in milliseconds. A tree is a folder, one file, or
`s3://bucket/prefix` with the credentials, region and endpoint that boto3 finds.
"""

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from ..contract.layout import REPORT_NAME, are_profiles
from ..errors import LogsError

if TYPE_CHECKING:
    from ..places import Place, S3Place

DAY_MS = 86_400_000
#: The number of the files that lie in no day's folder: they come before all days.
NO_DAY = -1
ENDINGS = (".gz", ".json", ".ndjson", ".jsonl")
HEAD_BYTES = 4096
CHUNK_BYTES = 1 << 16
BINARY = "binary data: nothing was read"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a tree: its path or S3 URI, size in bytes, and the day its folder names.

    `inner` is its path below the tree; a name that starts with . or _ there hides it. `version` changes with the
    content: an ETag, or the nanosecond of the last change.
    """

    name: str
    bytes: int
    day: date | None
    inner: str = ""
    version: str = ""

    @property
    def number(self) -> int:
        """The day as days since 1970; -1 without one."""
        return NO_DAY if self.day is None else (self.day - date(1970, 1, 1)).days

    @property
    def present(self) -> int | None:
        """The last second of the day: when its events were received at the latest (rule 4)."""
        return None if self.day is None else self.number * 86_400 + 86_399


@dataclass(frozen=True, slots=True)
class Window:
    """Received days: `since` (first, None: from the beginning) up to and without `until`.

    The `overlap` days before `since` are read too, only to recognize events that an earlier
    export already holds: Segment may deliver an event again about a day later (rule 9).
    """

    since: date | None = None
    until: date | None = None
    overlap: int = 1

    @property
    def bounded(self) -> bool:
        """Whether there is a first or a last day at all."""
        return self.since is not None or self.until is not None

    def place(self, day: date) -> Literal["in", "overlap", "out"]:
        """Return what becomes of the files of one day."""
        if self.until is not None and day >= self.until:
            return "out"
        if self.since is None or day >= self.since:
            return "in"
        return "overlap" if day >= self.since - timedelta(days=self.overlap) else "out"


@dataclass(slots=True)
class Tree:
    """The files of a tree by what an export does with them, in the order of their names."""

    inside: list[LogFile] = field(default_factory=list)
    overlap: list[LogFile] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def day_of(name: str) -> date | None:
    """Return the received day that a file's folder names, or None."""
    for part in reversed(PurePosixPath(name).parts[:-1]):
        if part.isascii() and part.isdigit() and len(part) <= 14 and int(part) % DAY_MS == 0 and int(part) > 0:
            return datetime.fromtimestamp(int(part) / 1000, UTC).date()
    return None


def sort_out(files: Sequence[LogFile], window: Window, *, root: str) -> Tree:
    """Return the files that `window` needs; nothing is opened.

    Raises LogsError when there is no log file, or one that the window can't place.
    """
    tree = Tree()
    for file in sorted(files, key=lambda file: file.name):
        name = PurePosixPath(file.name).name
        if name == "dummy-object.txt":
            continue  # Segment's own test of its write permission
        if any(part.startswith((".", "_")) for part in PurePosixPath(file.inner or name).parts):
            tree.skipped.append((file.name, "not a log: its name or a folder's starts with . or _"))
        elif name == REPORT_NAME:
            tree.skipped.append((file.name, "not a log: the report of an export"))
        elif are_profiles(file.name):
            tree.skipped.append((file.name, "not a log: profiles of an export"))
        elif not name.endswith(ENDINGS):
            tree.skipped.append((file.name, f"not a log: its name ends with none of {', '.join(ENDINGS)}"))
        elif not file.bytes:
            tree.skipped.append((file.name, "empty file"))
        elif not window.bounded:
            tree.inside.append(file)
        elif file.day is None:
            raise LogsError(
                file.name,
                "lies in no folder of a received day, so --since and --until can't place it",
                "Point to a tree with Segment's layout, …/{source id}/{midnight in ms}/*.gz, or leave the window out",
            )
        else:
            place = window.place(file.day)
            if place != "out":
                (tree.inside if place == "in" else tree.overlap).append(file)
    if not tree.inside:
        held = f"{len(files)} files, none of them a log in the window" if files else "no file"
        raise LogsError(
            root, f"holds {held}", f"Point to a folder of {', '.join(ENDINGS)} files, such as segment-logs/"
        )
    return tree


def batches(files: Sequence[LogFile], size: int) -> Iterator[list[LogFile]]:
    """Yield the files in groups of about `size` bytes."""
    batch: list[LogFile] = []
    held = 0
    for file in files:
        batch.append(file)
        held += file.bytes
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def list_files(root: "Place", tree: str) -> list[LogFile]:
    """Return the files below a place, or the one that it is. Raises LogsError, at `tree`, if it can't be read."""
    from ..places import LocalPlace, errors_at  # botocore, without which `explain` and `sample` work

    with errors_at(tree, LogsError):
        return list_folder(root.path) if isinstance(root, LocalPlace) else list_bucket(root)


def list_folder(root: Path) -> list[LogFile]:
    """Return the files below a folder, or the one file that `root` is."""
    if root.is_file():
        return [_listed(root, root.name)]
    if not root.is_dir():
        raise LogsError(str(root), "no such file or folder", "Check the path")

    def fail(error: OSError) -> None:
        raise LogsError(str(error.filename), error.strerror or str(error), "Give this user the right to read it")

    found = []
    for folder, _, names in os.walk(root, onerror=fail, followlinks=True):
        for name in names:
            path = Path(folder, name)
            found.append(_listed(path, path.relative_to(root).as_posix()))
    return found


def _listed(path: Path, inner: str) -> LogFile:
    status = path.stat()
    return LogFile(str(path), status.st_size, day_of(str(path.absolute())), inner, str(status.st_mtime_ns))


def list_bucket(root: "S3Place") -> list[LogFile]:
    """Return the objects below a prefix, or the one object that `root` is by the ending of its name."""
    files = root.files() or (root.files("") if root.key.endswith(ENDINGS) else [])
    return [
        LogFile(file.name, file.bytes, day_of(f"{root.key}/{file.inner}"), file.inner, file.version) for file in files
    ]


def compression(head: bytes) -> Literal["gzip", "none"] | None:
    """Return what the first bytes of a file say, whatever its name is; None: not a log at all."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    return None if b"\0" in head else "none"


def unzip(chunks: Iterable[bytes], damage: list[str]) -> Iterator[bytes]:
    """Yield what gzip members hold, up to the end or the first damage, which is told in `damage`."""
    member = zlib.decompressobj(31)
    fresh = True
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(31)
            before, fresh = member.copy(), False
            try:
                yield member.decompress(rest)
            except zlib.error as error:
                yield _before_damage(before, rest)
                damage.append(f"damaged gzip ({error}): what stands before the damage was kept")
                return
            rest = member.unused_data
    if not member.eof and not fresh:
        damage.append("gzip ends too early: what stands before the end was kept")


def _before_damage(member: "zlib._Decompress", chunk: bytes) -> bytes:
    """Return what zlib withholds of a chunk when an error stands further on in it."""
    kept = b""
    with suppress(zlib.error):
        for position in range(len(chunk)):
            kept += member.decompress(chunk[position : position + 1])
    return kept
