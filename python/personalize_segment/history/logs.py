"""Find and read Segment's logs: the files of a tree, and those that a window needs.

Segment's S3 destination writes `segment-logs/{source id}/{day}/*.gz`. The day is the midnight (UTC, in milliseconds) of
the day on which an event was *received*. A tree is a folder, one file, or `s3://bucket/prefix`, with the credentials,
region and endpoint that boto3 finds.
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
from ..errors import LogsError, number

if TYPE_CHECKING:
    from ..places import Place, S3Place

DAY_MS = 86_400_000
#: The number of files that aren't in a day's folder. They precede all days.
NO_DAY = -1
ENDINGS = (".gz", ".json", ".ndjson", ".jsonl")
HEAD_BYTES = 4096
CHUNK_BYTES = 1 << 16
BINARY = "binary data: nothing was read"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a tree: its path or S3 URI, size in bytes, and the day of its folder.

    `inner` is its path below the tree. A name in it that starts with . or _ hides the file. `version` changes with the
    content: an ETag, or the time of the last change in nanoseconds.
    """

    name: str
    bytes: int
    day: date | None
    inner: str = ""
    version: str = ""

    @property
    def number(self) -> int:
        """The day as days since 1970, -1 without a day."""
        return NO_DAY if self.day is None else (self.day - date(1970, 1, 1)).days

    @property
    def present(self) -> int | None:
        """The last second of the day, by which all its events were received (rule 4)."""
        return None if self.day is None else self.number * 86_400 + 86_399


@dataclass(frozen=True, slots=True)
class Window:
    """Received days: from `since` (None: from the beginning) up to `until`, which is excluded.

    The `overlap` days before `since` are read only to recognize events that an earlier export holds, because Segment
    may deliver an event again about a day later (rule 9).
    """

    since: date | None = None
    until: date | None = None
    overlap: int = 1

    @property
    def bounded(self) -> bool:
        """Whether the window has a first or a last day."""
        return self.since is not None or self.until is not None

    def place(self, day: date) -> Literal["in", "overlap", "out"]:
        """Return how the files of a day are used."""
        if self.until is not None and day >= self.until:
            return "out"
        if self.since is None or day >= self.since:
            return "in"
        return "overlap" if day >= self.since - timedelta(days=self.overlap) else "out"


@dataclass(slots=True)
class Tree:
    """The files of a tree by their use in an export, in the order of their names."""

    inside: list[LogFile] = field(default_factory=list)
    overlap: list[LogFile] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def day_of(name: str) -> date | None:
    """Return the received day in the path of a file, None without one."""
    for part in reversed(PurePosixPath(name).parts[:-1]):
        if part.isascii() and part.isdigit() and len(part) <= 14 and int(part) % DAY_MS == 0 and int(part) > 0:
            return datetime.fromtimestamp(int(part) / 1000, UTC).date()
    return None


def sort_out(files: Sequence[LogFile], window: Window, *, root: str) -> Tree:
    """Return the files that `window` needs, without opening any.

    Raises LogsError if no log file is found, or if a file has no day although the window needs one.
    """
    tree, outside = Tree(), 0
    for file in sorted(files, key=lambda file: file.name):
        name = PurePosixPath(file.name).name
        if name == "dummy-object.txt":
            continue  # Segment's test of its write permission
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
                "isn't in the folder of a received day, so --since and --until can't apply to it",
                "Point to a tree with Segment's layout, …/{source id}/{midnight in ms}/*.gz, or omit the window",
            )
        else:
            place = window.place(file.day)
            outside += place != "in"
            if place != "out":
                (tree.inside if place == "in" else tree.overlap).append(file)
    if not tree.inside:
        if outside:
            raise LogsError(
                root, f"has {number(outside, 'log file')}, but none in the window", "Widen --since and --until"
            )
        raise LogsError(
            root, "contains no log files", f"Pass a folder of {', '.join(ENDINGS)} files, such as segment-logs/"
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
    """Return the files below a place, or the one file that it is. Raises LogsError, at `tree`, if it can't be read."""
    from ..places import LocalPlace, errors_at  # needs botocore, unlike `explain` and `sample`

    with errors_at(tree, LogsError):
        return list_folder(root.path) if isinstance(root, LocalPlace) else list_bucket(root)


def list_folder(root: Path) -> list[LogFile]:
    """Return the files below a folder, or the one file that `root` is."""
    if root.is_file():
        return [_listed(root, root.name)]
    if not root.is_dir():
        raise LogsError(str(root), "no such file or folder", "Check the path")

    def fail(error: OSError) -> None:
        raise LogsError(str(error.filename), error.strerror or str(error), "Grant this user read permission")

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
    """Return the objects below a prefix, or the one object that `root` is, judged by its suffix."""
    files = root.files() or (root.files("") if root.key.endswith(ENDINGS) else [])
    return [
        LogFile(file.name, file.bytes, day_of(f"{root.key}/{file.inner}"), file.inner, file.version) for file in files
    ]


def compression(head: bytes) -> Literal["gzip", "none"] | None:
    """Return the compression in the first bytes of a file, whatever its name. None if it isn't a log."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    return None if b"\0" in head else "none"


def unzip(chunks: Iterable[bytes], damage: list[str]) -> Iterator[bytes]:
    """Yield the content of gzip members up to the end or the first damage, which is added to `damage`."""
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
                damage.append(f"damaged gzip ({error}): the data before the damage was kept")
                return
            rest = member.unused_data
    if not member.eof and not fresh:
        damage.append("gzip ends too early: the data before the end was kept")


def _before_damage(member: "zlib._Decompress", chunk: bytes) -> bytes:
    """Return the data of a chunk that zlib withholds because an error follows in it."""
    kept = b""
    with suppress(zlib.error):
        for position in range(len(chunk)):
            kept += member.decompress(chunk[position : position + 1])
    return kept
