"""A batch of log files as DuckDB reads it equals `logs.unzip` of each file, for any access pattern."""

import gzip
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personalize_segment.history import lines
from personalize_segment.history.duckdb import streams
from personalize_segment.history.duckdb.streams import LogStreams
from personalize_segment.history.lines import MAX_LINE_BYTES, LogLine
from personalize_segment.history.logs import BINARY, NO_DAY, LogFile, unzip

PARTS = [b'{"a": 1}\n' * 50, b"", bytes(range(256)) * 20, b'{"b": "last"}']
MEMBERS = [gzip.compress(part, 1, mtime=0) for part in PARTS]
WHOLE, DATA = b"".join(MEMBERS), b"".join(PARTS)
TRAILER = 8


def _unzipped(data: bytes, size: int) -> tuple[bytes, list[str]]:
    damage: list[str] = []
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(unzip(chunks, damage)), damage


def _batched(data: bytes, size: int) -> tuple[bytes, list[str]]:
    """The contents of a batch of one file, reread if it may be damaged, like a worker."""
    with TemporaryDirectory() as folder, patch.object(streams, "CHUNK_BYTES", size):
        path = Path(folder, "a.gz")
        path.write_bytes(data)
        batch = LogStreams().batch([(LogFile("a.gz", len(data), None), path)])
        try:
            found = _held(batch)
        except streams.IsalError:
            batch.careful = True
            with patch.object(lines, "read", lambda blocks, _: [LogLine(1, b"".join(blocks), {})]):
                found = _held(batch).removesuffix(b"\n")
        return found, [why for *_, why in batch.damaged]


def _held(batch: streams.LogBatch) -> bytes:
    """The contents of a batch of one file, without its prefix."""
    found = b"".join(batch.blocks(NO_DAY))
    assert found.startswith(b"\n")
    return found.removeprefix(b"\n")


def _same(data: bytes, size: int = streams.CHUNK_BYTES) -> None:
    """Both decompressors return the same contents and the same damage."""
    expected = _unzipped(data, size)
    if data[:2] == b"\x1f\x8b":
        assert _batched(data, size) == expected


@pytest.mark.parametrize("size", [1, 13, streams.CHUNK_BYTES])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(WHOLE, id="members"),
        pytest.param(WHOLE + b"garbage", id="garbage"),
        pytest.param(WHOLE + b"\0" * 512, id="padding"),
        pytest.param(WHOLE + b"\x1f\x8b\x08garbage", id="half a header"),
        pytest.param(MEMBERS[0][:-TRAILER] + b"\0" * TRAILER, id="no checksum"),
        pytest.param(MEMBERS[0][:-4] + b"\0" * 4, id="no length"),
        pytest.param(b"\x1f\x8b\x08\x18" + b"\0" * 6 + b"name\0comment\0" + MEMBERS[0][10:], id="name and comment"),
        pytest.param(b"\x1f\x8b\x08\x04" + b"\0" * 6 + b"\x02\0ab" + MEMBERS[0][10:], id="an extra field"),
        pytest.param(b"\x1f\x8b\x08\x02" + b"\0" * 8 + MEMBERS[0][10:], id="a header's wrong checksum"),
        pytest.param(b"\x1f\x8b\x08\x20" + b"\0" * 6 + MEMBERS[0][10:], id="a reserved flag"),
        pytest.param(MEMBERS[0] + b"\x1f\x8b\x08\x40" + MEMBERS[3][4:], id="a reserved flag further on"),
        pytest.param(b"\x1f\x8b\x07" + MEMBERS[0][3:], id="another method"),
    ],
)
def test_a_file_is_the_same_however_it_is_decompressed(data: bytes, size: int) -> None:
    _same(data, size)


def test_a_file_cut_off_anywhere_is_the_same_however_it_is_decompressed() -> None:
    for cut in range(len(WHOLE)):
        _same(WHOLE[:cut])


@settings(max_examples=300)
@example(bit=8 * (len(MEMBERS[0]) - TRAILER))
@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_a_flipped_bit_is_the_same_however_it_is_decompressed(bit: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    _same(bytes(flipped))


@pytest.mark.parametrize("named", [False, True])
def test_an_intact_file_is_not_read_twice(tmp_path: Path, *, named: bool) -> None:
    data = b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"1709251200000.json\0" + MEMBERS[0][10:] if named else WHOLE
    (tmp_path / "a.gz").write_bytes(data)
    batch = LogStreams().batch([(LogFile("a.gz", len(data), None), tmp_path / "a.gz")])
    assert _held(batch) == gzip.decompress(data)


@pytest.mark.parametrize("size", [1, 13, 100])
def test_a_header_that_comes_in_pieces_is_no_reason_to_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", size)
    (tmp_path / "a.gz").write_bytes(WHOLE)
    batch = LogStreams().batch([(LogFile("a.gz", len(WHOLE), None), tmp_path / "a.gz")])
    assert _held(batch) == DATA


def _connection(streams: LogStreams) -> duckdb.DuckDBPyConnection:
    # With more threads for a statement DuckDB reads a file in several places at a time.
    connection = duckdb.connect(config={"threads": 1})
    connection.register_filesystem(streams)
    return connection


def _reader(path: str) -> str:
    options = f"format = 'newline_delimited', ignore_errors = true, maximum_object_size = {MAX_LINE_BYTES}"
    return f"read_json_objects('{path}', compression = 'none', {options})"


def _lines(files: dict[str, bytes], folder: Path) -> tuple[list[str], streams.LogBatch]:
    made = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        made.append((LogFile(name, len(data), None), folder / name))
    streams = LogStreams()
    batch = streams.batch(made)
    with _connection(streams) as connection:
        scan = connection.sql(f"SELECT json FROM {_reader(batch.path)}")
        try:
            found = scan.fetchall()
        except duckdb.Error:
            batch.careful = True
            found = scan.fetchall()
    return sorted(str(line) for (line,) in found), batch


def test_the_files_of_a_batch_are_one_and_each_is_read_as_it_is(tmp_path: Path) -> None:
    lines, batch = _lines(
        {
            "a.gz": gzip.compress(b'{"n":1,"type":""}\n{"n":2,"type":""}'),
            "plain.gz": b'{"n":3,"type":""}',
            "binary.gz": b"PK\0\0",
            "cut.gz": gzip.compress(b'{"n":4,"type":""}\n' + bytes(range(256)) * 64)[:200],
            "mark.json": b'\xef\xbb\xbf{"n":5,"type":""}\n{"n":6,"type":""}\n',
            "[*]?.json": b'{"n":7,"type":""}\n',
        },
        tmp_path,
    )
    assert [line for line in lines if line != "None"] == [f'{{"n":{n},"type":""}}' for n in (1, 2, 3, 4, 6, 7)]
    assert batch.read == {-1: 5}
    assert [name for _, name, _ in batch.damaged] == ["binary.gz", "cut.gz"]
    assert batch.damaged[0] == (-1, "binary.gz", BINARY)


EVENT, CUT, BLANK = b'{"type":"track"}', b'{"type":', b" \t"


@given(
    st.lists(st.lists(st.sampled_from([EVENT, EVENT, EVENT, CUT, BLANK]), max_size=30), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([1, 7, 40, streams.CHUNK_BYTES]),
)
def test_malformed_lines_are_found_in_their_files(files: list[list[bytes]], ended: bool, size: int) -> None:
    with TemporaryDirectory() as folder, patch.object(streams, "CHUNK_BYTES", size):
        made = []
        for number, texts in enumerate(files):
            path = Path(folder, f"{number}.gz")
            path.write_bytes(gzip.compress(b"\n".join(texts) + b"\n" * ended))
            made.append((LogFile(path.name, 1, None), path))
        batch = LogStreams().batch(made)
        for _ in range(2):  # DuckDB may begin more than once
            assert b"".join(batch.blocks(NO_DAY))
        there = [text for texts in files for text in texts if text != BLANK]
        blank = len(there) < sum(len(texts) or ended for texts in files)
        located = batch.locate([at for at, text in enumerate(there) if text == CUT], len(there))
    assert located is not blank
    expected = [
        (f"{number}.gz", line)
        for number, texts in enumerate(files)
        for line, text in enumerate(texts, start=1)
        if text == CUT
    ]
    assert blank or [(one.file, one.line) for _, one in batch.malformed] == expected


def test_a_line_longer_than_what_duckdb_asks_for_comes_whole(tmp_path: Path) -> None:
    text = "x" * 3_000_000
    lines, _ = _lines({"long.gz": gzip.compress(f'{{"n":"{text}"}}\n'.encode() * 20)}, tmp_path)
    assert {zlib.crc32(line.encode()) for line in lines} == {zlib.crc32(f'{{"n":"{text}"}}'.encode())}
    assert len(lines) == 20


def test_a_file_that_is_gone_is_remembered_with_its_error(tmp_path: Path) -> None:
    streams = LogStreams()
    gone = [(LogFile("gone", 1, None), tmp_path / "gone")]
    batch = streams.batch(gone)
    with _connection(streams) as connection, pytest.raises(duckdb.Error):
        connection.execute(f"SELECT json FROM {_reader(batch.path)}").fetchall()
    assert batch.error is not None
    assert batch.error[0] == "gone"
    assert isinstance(batch.error[1], FileNotFoundError)
