"""Serve log files to DuckDB: each day of a batch is one plain file, decompressed on the fly.

ISA-L takes about half the time of DuckDB's own decompression, but can't keep the same part of a damaged file as every
other engine. So a batch with a damaged file, or with several events on a line, is read again carefully. For other
malformed lines, only their places are searched.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import orjson
from fsspec import AbstractFileSystem
from isal import isal_zlib

from ...contract.report import Malformed
from ...errors import LogsError
from ...places import errors_at
from .. import lines, logs
from ..logs import LogFile
from .reader import day_name

#: Compressed bytes per chunk. The decompressed bytes are still in the processor's cache when they are parsed.
CHUNK_BYTES = 1 << 14

#: ISA-L's exception. Its stub declares an instance instead of a class.
IsalError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

#: The beginning of a gzip member up to its flags, and the minimum length of its header.
_MAGIC, _HEADER_BYTES = b"\x1f\x8b\x08", 10
#: The flag of the one field that headers often have: the file's name, up to a zero byte.
_NAMED = 8

#: A log file and its local copy.
Fetched = tuple[LogFile, Path]


@dataclass(slots=True)
class LogBatch:
    """Log files for DuckDB under the pattern `path`, one name per day, and the findings once they are read.

    A day's name ends as in `reader.day_name`. `error` is the exception for a file that can't be read, which DuckDB
    converts to text. A `careful` batch has only the lines that are events, keeps the part of a damaged file that
    `logs.unzip` keeps, and lists the other lines in `malformed`. It takes longer.
    """

    files: Sequence[Fetched]
    path: str
    read: Counter[int] = field(default_factory=Counter)
    damaged: list[tuple[int, str, str]] = field(default_factory=list)
    malformed: list[tuple[int, Malformed]] = field(default_factory=list)
    error: tuple[str, OSError] | None = None
    careful: bool = False
    slices: int = 1
    slice_: int = 0

    def begin(self, files: Sequence[Fetched], *, careful: bool = False, slices: int = 1, slice_: int = 0) -> None:
        """Set the files and clear the findings. Of several `slices`, only careful ones, the first one has findings."""
        self.files, self.careful, self.slices, self.slice_ = files, careful, slices, slice_
        for found in (self.read, self.damaged, self.malformed):
            found.clear()

    def days(self) -> list[str]:
        """Return the names of the days for DuckDB, in order."""
        days = dict.fromkeys((file.number, file.day) for file, _ in self.files)
        return [f"{self.path.removesuffix('*')}{day_name(number, day)}" for number, day in days]

    def blocks(self, number: int) -> Iterator[bytes]:
        """Yield the lines of a day's files, in blocks. DuckDB may start several times: the last time counts."""
        self.read[number] = 0
        self.damaged = [damaged for damaged in self.damaged if damaged[0] != number]
        self.malformed = [malformed for malformed in self.malformed if malformed[0] != number]
        for file, path in self.files:
            if file.number != number:
                continue
            # A line feed before each file ends the last line of the one before, and no byte order mark comes first.
            yield b"\n"
            try:
                with path.open("rb", buffering=0) as opened:
                    yield from self._of(file, opened)
            except OSError as error:
                self.error = file.name, error
                raise

    def locate(self, wanted: Sequence[int], rows: int) -> bool:
        """Record the places of lines that aren't events, given by their numbers among the `rows` of all files.

        Return False if the batch must be read carefully: a line is blank and has no row, or it has several events.
        """
        places, seen = iter(wanted), 0
        place = next(places, None)
        for file, path in self.files:
            with errors_at(file.name, LogsError), path.open("rb", buffering=0) as opened:
                first, rest = seen, b""
                for block in chain(self._of(file, opened, again=True), (None,)):
                    ended = bool(rest) if block is None else _count_lines(block)
                    # Most blocks have no place. Counting their lines takes half as long as splitting them.
                    if place is None or seen + ended <= place:
                        seen += ended
                        if block is not None:
                            rest = block[block.rindex(b"\n") + 1 :] if ended else rest + block
                        continue
                    *whole, rest = (rest + (block or b"\n")).split(b"\n")
                    for number, text in enumerate(whole, start=seen):
                        if number == place:
                            cause = lines.malformed(text)
                            if cause is None:
                                return False
                            self.malformed.append((file.number, Malformed(file.name, number - first + 1, cause)))
                            place = next(places, None)
                    seen += ended
        return place is None and seen == rows

    def _of(self, file: LogFile, opened: BinaryIO, *, again: bool = False) -> Iterator[bytes]:
        kind = logs.compression(opened.read(logs.HEAD_BYTES))
        if kind is None:
            self.damaged += [] if again or self.slice_ else [(file.number, file.name, logs.BINARY)]
            return
        self.read[file.number] += not (again or self.slice_)
        opened.seek(0)
        chunks = iter(lambda: opened.read(CHUNK_BYTES), b"")
        if self.careful:
            yield from self._events_of(file, kind, chunks)
        elif kind == "none":
            yield from chunks
        else:
            yield from _unzip_intact(chunks)

    def _events_of(self, file: LogFile, kind: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        damage: list[str] = []
        content = logs.unzip(chunks, damage) if kind == "gzip" else chunks
        for place, line in enumerate(lines.read(content, orjson.loads)):
            if line.event is None:
                malformed = (file.number, Malformed(file.name, line.number, line.cause))
                self.malformed += [] if self.slice_ else [malformed]
            elif place % self.slices == self.slice_:
                yield line.text + b"\n"
        self.damaged += [] if self.slice_ else [(file.number, file.name, reason) for reason in damage]


def _count_lines(block: bytes) -> int:
    # bytes.count compares byte by byte, and takes half as long again.
    number, at = 0, block.find(b"\n")
    while at >= 0:
        number, at = number + 1, block.find(b"\n", at + 1)
    return number


def _unzip_intact(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of gzip members. Raise IsalError wherever `logs.unzip` might find damage.

    ISA-L checks the content of members as zlib does, but not their headers, and fails on a header in several pieces.
    """
    member = None
    held = b""
    for chunk in chunks:
        rest, held = held + chunk, b""
        while rest:
            if member is None or member.eof:
                if len(rest) < _HEADER_BYTES:
                    held = rest
                    break
                if not _is_plain(rest):
                    raise IsalError("a header to check")
                member = isal_zlib.decompressobj(31)
            yield member.decompress(rest)
            rest = member.unused_data
    if held or (member is not None and not member.eof):
        raise IsalError("ends too early")


def _is_plain(start: bytes) -> bool:
    """Return whether a member begins with a complete header that has no fields, or only a name."""
    flags = start[len(_MAGIC)]
    return start.startswith(_MAGIC) and (flags == 0 or (flags == _NAMED and b"\0" in start[_HEADER_BYTES:]))


class LogStreams(AbstractFileSystem):  # type: ignore[misc]
    """The file system from which DuckDB reads batches, sequentially."""

    cacheable = False

    def __init__(self) -> None:
        super().__init__()
        # A separate name, because DuckDB's file systems are global to the process.
        self.protocol = f"logs-{uuid4().hex}"
        self._batches: dict[str, LogBatch] = {}
        self._numbers = count()

    def batch(self, files: Sequence[Fetched] = ()) -> LogBatch:
        """Return a batch of `files`, which can be replaced. DuckDB finds the current ones at its `path`."""
        path = f"{self.protocol}://{next(self._numbers)}/*"
        self._batches[path] = LogBatch(files, path)
        return self._batches[path]

    def open(self, path: str, *arguments: Any, **options: Any) -> "_Stream":  # noqa: ARG002
        """Return the lines of one day of a batch."""
        batch, number = path.rsplit("/", 3)[:2]
        return _Stream(self._batches[f"{batch}/*"].blocks(int(number)))

    def glob(self, path: str, **options: Any) -> list[str]:  # noqa: ARG002
        """Return the names of a batch's days, or the one name given."""
        return self._batches[path].days() if path in self._batches else [path]

    def exists(self, path: str, **options: Any) -> bool:  # noqa: ARG002
        """Return True: every name that DuckDB asks for exists."""
        return True

    def size(self, path: str) -> int:  # noqa: ARG002
        """Return more than any size, because it isn't known. DuckDB reads up to the end."""
        return 1 << 62


class _Stream(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        # DuckDB seeks to the beginning before it reads, and nowhere else.
        if offset or whence:
            raise io.UnsupportedOperation("a batch is read from the beginning")
        return 0

    def read(self, size: int = -1) -> bytes:
        block = self._rest or next(filter(None, self._blocks), b"")
        if size < 0 or len(block) <= size:
            self._rest = b""
            return block
        self._rest = block[size:]
        return block[:size]
