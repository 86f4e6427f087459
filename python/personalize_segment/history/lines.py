"""Parse the lines of a file into events, and find the cause of malformed lines (rule 11 of docs/contract.md).

Usually a line is one event. Firehose writes several events per line, or a whole file on one line.
"""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from ..contract.rows import load, parse_line

#: A longer line is split into its events. Segment's limit for an event is 32 KB.
MAX_LINE_BYTES = 1 << 22
BLANK = b" \t\r"
_BOM = codecs.BOM_UTF8

TOO_LONG = f"longer than {MAX_LINE_BYTES >> 20} MiB"
NO_TYPE = "a JSON object without a type"


class LogLine(NamedTuple):
    """An event with its JSON text and its line number, counted from 1. A malformed line has a cause and no event."""

    number: int
    text: bytes
    event: dict[str, Any] | None
    cause: str = ""


def read(blocks: Iterable[bytes], loads: Callable[[bytes], Any] | None = None) -> Iterator[LogLine]:
    """Yield the events and malformed lines of a file that is read in blocks, without blank lines.

    `loads` is passed to `parse_line`.
    """
    number = 1
    objects: _Objects | None = None
    for part, ends in _parts(blocks):
        if objects is None and not ends:
            objects = _Objects(number)
        if objects is not None:
            yield from objects.of(part, ends)
            objects = None if ends else objects
        elif part.strip(BLANK):
            event = parse_line(part, loads)
            yield from [LogLine(number, part, event)] if event is not None else _several(part, number)
        number += ends


def malformed(text: bytes) -> str | None:
    """Return the cause of a malformed line, None if it has one or several events."""
    if parse_line(text) is not None:
        return None
    found = _several(text, 1)
    return found[0].cause if len(found) == 1 else None


def read_pretty(blocks: Iterable[bytes]) -> Iterator[LogLine]:
    """Yield the events of a file. Their JSON may span several lines, as in Segment's debugger, or be an array."""
    rest = iter(blocks)
    start = b""
    for block in rest:
        start += block
        line, ended, _ = start.lstrip(BLANK + b"\n").partition(b"\n")
        if (ended and parse_line(line) is not None) or len(start) > MAX_LINE_BYTES:
            yield from read(chain([start], rest))
            return
    lines = list(read([start]))
    if any(line.event is None for line in lines):
        text = start.strip(BLANK + b"\n")
        if text.startswith(b"[") and text.endswith(b"]") and isinstance(array := _json(text), list):
            text = b"".join(json.dumps(one).encode() for one in array)
        whole = _several(text.replace(b"\r", b" ").replace(b"\n", b" "), 1, least=1)
        # Of malformed lines and a malformed whole, the lines that are events count.
        lines = min(lines, whole, key=lambda some: (_no_event(some), sum(line.event is None for line in some)))
    yield from lines


def _no_event(lines: list[LogLine]) -> bool:
    return all(line.event is None for line in lines)


def _json(text: bytes) -> Any:
    try:
        return load(text.decode())
    except (ValueError, RecursionError):
        return None


def _parts(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield lines without their line feeds, long ones in parts, each with whether it ends its line."""
    tail, long = b"", False
    for block in blocks:
        *whole, tail = (tail + block).split(b"\n")
        yield from ((line, True) for line in whole)
        long = (long and not whole) or len(tail) > MAX_LINE_BYTES
        if long:
            yield tail, False
            tail = b""
    yield tail, True


def _several(text: bytes, number: int, least: int = 2) -> list[LogLine]:
    """Return the objects of a text that consists of objects only, otherwise one malformed line."""
    objects = _Objects(number)
    found = list(objects.of(text, ends=True))
    return found if objects.whole and len(found) >= least else [LogLine(number, text, None, cause_of(text))]


class _Objects:
    """Extracts the objects of a line that arrives in parts, and keeps one object in memory at a time."""

    def __init__(self, number: int) -> None:
        self._number = number
        #: Whether the line has had nothing but objects so far.
        self.whole = True
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""

    def of(self, part: bytes, ends: bool) -> Iterator[LogLine]:
        """Yield the objects that this part completes."""
        if not self.whole:
            return
        try:
            self._text += self._decode(part, ends)
        except UnicodeDecodeError:
            yield self._end("not UTF-8")
            return
        at, start = 0, _not_blank(self._text, 0)
        while start < len(self._text):
            try:
                if self._text[start] != "{":
                    raise json.JSONDecodeError("", self._text, start)
                _, at = _raw_decode(self._text, start)
            except (ValueError, RecursionError):
                rest = self._text[start:]
                if ends:
                    yield self._end(cause_of(rest.encode()))
                elif rest[0] != "{" or len(rest) > MAX_LINE_BYTES:
                    yield self._end(TOO_LONG)
                break
            text = self._text[start:at].encode()
            event = parse_line(text)
            yield LogLine(self._number, text, event, "" if event else cause_of(text))
            start = _not_blank(self._text, at)
        self._text = self._text[start:] if self.whole else ""

    def _end(self, cause: str) -> LogLine:
        self.whole = False
        return LogLine(self._number, b"", None, cause)


_raw_decode = json.JSONDecoder().raw_decode


def _not_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r":
        at += 1
    return at


def cause_of(line: bytes) -> str:
    """Return the cause of a malformed line."""
    if line.startswith(_BOM):
        return "begins with a byte order mark"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if text.lstrip(" \t\r").startswith("["):
        return "a JSON array: write one object per line"
    try:
        value = load(text)
    except RecursionError:
        return "nested too deeply"
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return f"something after the JSON object, at character {error.pos + 1}"
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            return "cut off: a JSON object that doesn't end on its line"
        return f"not JSON at character {error.pos + 1}"
    if not isinstance(value, dict):
        return "not a JSON object"
    return "half of a surrogate pair" if isinstance(value.get("type"), str) else NO_TYPE
