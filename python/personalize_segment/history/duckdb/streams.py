"""Log files as DuckDB reads them: each day of a batch is one plain file, decompressed on the way.

ISA-L takes about half the time of DuckDB's own decompression. It doesn't say what to keep of a damaged file as every
engine must, so a batch with one is read again, carefully, as is one with several events on a line. Of other malformed
lines only the places are looked for.
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

#: Compressed bytes at a time: what comes of them still lies in the processor's cache when it is parsed.
CHUNK_BYTES = 1 << 14

#: What ISA-L raises; its stub takes the class for an instance.
IsalError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

#: How a gzip member begins, up to its flags, and how long this header is at least.
_MAGIC, _HEADER_BYTES = b"\x1f\x8b\x08", 10
#: The flag of the one thing that often stands in a header: the file's name, up to a zero byte.
_NAMED = 8

#: A file, and where it can be read.
Fetched = tuple[LogFile, Path]


@dataclass(slots=True)
class LogBatch:
    """Some log files under one pattern, `path`, for DuckDB, by day, and what was found in them once they are read.

    The name that DuckDB finds for a day ends as `reader.day_name` says. `error` is what the file system said of a file
    that can't be read: DuckDB makes a text of it. Where `careful`, lines are only those that are events, and of a
    damaged file there is what `logs.unzip` keeps; `malformed` has the places of the others. It takes longer.
    """

    files: Sequence[Fetched]
    path: str
    read: Counter[int] = field(default_factory=Counter)
    damaged: list[tuple[int, str, str]] = field(default_factory=list)
    malformed: list[tuple[int, Malformed]] = field(default_factory=list)
    error: tuple[str, OSError] | None = None
    careful: bool = False

    def begin(self, files: Sequence[Fetched], *, careful: bool = False) -> None:
        """Have some files, and nothing found in them yet."""
        self.files, self.careful = files, careful
        for found in (self.read, self.damaged, self.malformed):
            found.clear()

    def days(self) -> list[str]:
        """Return the names of the days for DuckDB, in order."""
        days = dict.fromkeys((file.number, file.day) for file, _ in self.files)
        return [f"{self.path.removesuffix('*')}{day_name(number, day)}" for number, day in days]

    def blocks(self, number: int) -> Iterator[bytes]:
        """Yield the lines of a day's files, in blocks. DuckDB may begin more than once; the last time counts."""
        self.read[number] = 0
        self.damaged = [damaged for damaged in self.damaged if damaged[0] != number]
        self.malformed = [malformed for malformed in self.malformed if malformed[0] != number]
        for file, path in self.files:
            if file.number != number:
                continue
            # A line feed before each file, so that the last line of one ends, and no byte order mark is the first.
            yield b"\n"
            try:
                with path.open("rb", buffering=0) as opened:
                    yield from self._of(file, opened)
            except OSError as error:
                self.error = file.name, error
                raise

    def locate(self, wanted: Sequence[int], rows: int) -> bool:
        """Note the places of lines that aren't events, given by their numbers among the `rows` of all files.

        Return False if the batch must be read carefully: a line is blank, so it has no row, or has several events.
        """
        places, seen = iter(wanted), 0
        place = next(places, None)
        for file, path in self.files:
            with errors_at(file.name, LogsError), path.open("rb", buffering=0) as opened:
                first, rest = seen, b""
                for block in chain(self._of(file, opened, again=True), (None,)):
                    ended = bool(rest) if block is None else block.count(b"\n")
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
            self.damaged += [] if again else [(file.number, file.name, logs.BINARY)]
            return
        self.read[file.number] += not again
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
        for line in lines.read(logs.unzip(chunks, damage) if kind == "gzip" else chunks, orjson.loads):
            if line.event is None:
                self.malformed.append((file.number, Malformed(file.name, line.number, line.cause)))
            else:
                yield line.text + b"\n"
        self.damaged += [(file.number, file.name, reason) for reason in damage]


def _unzip_intact(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what gzip members hold; raise IsalError where `logs.unzip` might find damage.

    ISA-L checks what members hold as zlib does, but not their headers, and goes wrong in one that comes in pieces.
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
                    raise IsalError("a header to look at closely")
                member = isal_zlib.decompressobj(31)
            yield member.decompress(rest)
            rest = member.unused_data
    if held or (member is not None and not member.eof):
        raise IsalError("ends too early")


def _is_plain(start: bytes) -> bool:
    """Return whether a member begins with a whole header that holds nothing, or a name alone."""
    flags = start[len(_MAGIC)]
    return start.startswith(_MAGIC) and (flags == 0 or (flags == _NAMED and b"\0" in start[_HEADER_BYTES:]))


class LogStreams(AbstractFileSystem):  # type: ignore[misc]
    """The file system that DuckDB opens batches from, to read each from the beginning to the end."""

    cacheable = False

    def __init__(self) -> None:
        super().__init__()
        # A name of its own, since DuckDB's file systems are those of the process.
        self.protocol = f"logs-{uuid4().hex}"
        self._batches: dict[str, LogBatch] = {}
        self._numbers = count()

    def batch(self, files: Sequence[Fetched] = ()) -> LogBatch:
        """Return a batch of `files`, which may become others; DuckDB finds those it has at its `path`."""
        path = f"{self.protocol}://{next(self._numbers)}/*"
        self._batches[path] = LogBatch(files, path)
        return self._batches[path]

    def open(self, path: str, *arguments: Any, **options: Any) -> "_Stream":  # noqa: ARG002
        """Return the lines of a day of a batch."""
        batch, number = path.rsplit("/", 3)[:2]
        return _Stream(self._batches[f"{batch}/*"].blocks(int(number)))

    def glob(self, path: str, **options: Any) -> list[str]:  # noqa: ARG002
        """Return the days of a batch, or the one that a name says."""
        return self._batches[path].days() if path in self._batches else [path]

    def exists(self, path: str, **options: Any) -> bool:  # noqa: ARG002
        """Whatever is asked for is there."""
        return True

    def size(self, path: str) -> int:  # noqa: ARG002
        """Not known: larger than anything, and DuckDB reads up to the end."""
        return 1 << 62


class _Stream(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        # DuckDB does so before it reads, and never goes elsewhere.
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
