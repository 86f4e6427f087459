"""Segment's logs: the files of a window, and the readable part of damaged gzip."""

import gzip
import zlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize_segment.errors import LogsError
from personalize_segment.history.logs import LogFile, Window, compression, day_of, list_folder, sort_out, unzip

DAY = date(2024, 3, 1)
MS = "1709251200000"


@pytest.mark.parametrize(
    ("name", "day"),
    [
        pytest.param(f"segment-logs/src/{MS}/a.gz", DAY, id="Segment's layout"),
        pytest.param(f"s3://bucket/segment-logs/src/{MS}/a.gz", DAY, id="an S3 URI"),
        pytest.param(f"/data/{MS}/a.gz", DAY, id="no source folder"),
        pytest.param(f"/data/{MS}/hour/a.gz", DAY, id="a folder in between"),
        pytest.param(f"/1709164800000/{MS}/a.gz", DAY, id="the innermost of two days"),
        pytest.param("src/86400000/a.gz", date(1970, 1, 2), id="the second day of all"),
        pytest.param(f"src/{MS}.gz", None, id="a day as the file's name"),
        pytest.param(MS, None, id="a file called like a day"),
        pytest.param("src/1709251200001/a.gz", None, id="no midnight"),
        pytest.param("src/1709251200/a.gz", None, id="seconds"),
        pytest.param("src/0/a.gz", None, id="zero"),
        pytest.param("src/-86400000/a.gz", None, id="negative"),
        pytest.param("src/2024-03-01/a.gz", None, id="an ISO date"),
        pytest.param("src/١٧٠٩٢٥١٢٠٠٠٠٠/a.gz", None, id="Arabic digits"),
        pytest.param("src/" + "8640000000000000000/a.gz", None, id="more digits than a day has"),
        pytest.param("src/99999964800000/a.gz", date(5138, 11, 16), id="the last day of 14 digits"),
        pytest.param("a.gz", None, id="no folder"),
        pytest.param("", None, id="no name"),
    ],
)
def test_the_day_is_what_the_folder_names(name: str, day: date | None) -> None:
    assert day_of(name) == day


@pytest.mark.parametrize(
    ("window", "places"),
    [
        pytest.param(Window(), "in in in in in", id="no window"),
        pytest.param(Window(since=date(2024, 3, 3)), "out overlap in in in", id="since, with a day before"),
        pytest.param(Window(until=date(2024, 3, 3)), "in in out out out", id="until is not in"),
        pytest.param(Window(date(2024, 3, 3), date(2024, 3, 5)), "out overlap in in out", id="since and until"),
        pytest.param(Window(date(2024, 3, 3), date(2024, 3, 5), 0), "out out in in out", id="no overlap"),
        pytest.param(Window(date(2024, 3, 3), None, 2), "overlap overlap in in in", id="two days of overlap"),
        pytest.param(Window(None, date(2024, 3, 3), 2), "in in out out out", id="no overlap without since"),
        pytest.param(Window(date(2024, 3, 3), date(2024, 3, 3)), "out overlap out out out", id="an empty window"),
        pytest.param(Window(date(2024, 3, 4), date(2024, 3, 2)), "out out out out out", id="the wrong way round"),
    ],
)
def test_a_window_places_days(window: Window, places: str) -> None:
    assert [window.place(date(2024, 3, day)) for day in range(1, 6)] == places.split()


def _file(name: str, size: int = 10) -> LogFile:
    return LogFile(name, size, day_of(name))


def _ms(day: int) -> str:
    return str(int(datetime(2024, 3, day, tzinfo=UTC).timestamp()) * 1000)


def test_files_are_sorted_by_name_and_by_what_the_window_does_with_them() -> None:
    names = [f"logs/{_ms(day)}/{name}.gz" for day in (4, 2, 1, 3) for name in "ba"]
    tree = sort_out([_file(name) for name in names], Window(date(2024, 3, 3), date(2024, 3, 4)), root="logs")
    assert [one.name for one in tree.inside] == [f"logs/{_ms(3)}/a.gz", f"logs/{_ms(3)}/b.gz"]
    assert [one.name for one in tree.overlap] == [f"logs/{_ms(2)}/a.gz", f"logs/{_ms(2)}/b.gz"]
    assert tree.skipped == []


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        pytest.param("logs/dummy-object.txt", 10, None, id="Segment's test object is not worth a word"),
        pytest.param("logs/notes.txt", 10, "ends with none of .gz, .json, .ndjson, .jsonl", id="another ending"),
        pytest.param("logs/a.gz.tmp", 10, "ends with none of", id="an ending behind the ending"),
        pytest.param("logs/_SUCCESS", 10, "not a log", id="Spark's mark"),
        pytest.param("logs/.a.gz.crc", 10, "not a log", id="a checksum of Hadoop"),
        pytest.param("logs/.hidden.gz", 10, "not a log", id="a hidden file"),
        pytest.param("logs/_part.json", 10, "not a log", id="a file of Hadoop's"),
        pytest.param("logs/b.gz", 0, "empty file", id="an empty file"),
    ],
)
def test_a_file_that_is_no_log_is_skipped_and_told(name: str, size: int, reason: str | None) -> None:
    tree = sort_out([_file("logs/a.gz"), _file(name, size)], Window(), root="logs")
    assert [one.name for one in tree.inside] == ["logs/a.gz"]
    assert [skipped for skipped, _ in tree.skipped] == ([] if reason is None else [name])
    assert all(reason is not None and reason in why for _, why in tree.skipped)


def test_the_reason_for_a_hidden_file_does_not_deny_its_ending() -> None:
    tree = sort_out([_file("logs/a.gz"), _file("logs/.b.gz")], Window(), root="logs")
    assert "ends with none of" not in tree.skipped[0][1]


@pytest.mark.parametrize("name", ["a.gz", "a.json", "a.ndjson", "a.jsonl"])
def test_logs_end_like_this(name: str) -> None:
    assert sort_out([_file(name)], Window(), root=".").inside == [_file(name)]


def test_a_file_without_a_day_is_read_only_without_a_window() -> None:
    files = [_file(f"logs/{MS}/a.gz"), _file("logs/b.gz")]
    assert sort_out(files, Window(), root="logs").inside == [files[0], files[1]]
    for window in (Window(since=DAY), Window(until=date(2024, 3, 2))):
        with pytest.raises(LogsError, match=r"^logs/b\.gz: isn't in the folder of a received day"):
            sort_out(files, window, root="logs")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param([], "contains no log files", id="nothing"),
        pytest.param([_file("logs/dummy-object.txt")], "contains no log files", id="only Segment's test object"),
        pytest.param([_file(f"logs/{MS}/a.gz", 0)], "contains no log files", id="only an empty file"),
        pytest.param([_file(f"logs/{_ms(9)}/a.gz")], "has 1 log file, but none in the window", id="later days"),
        pytest.param([_file(f"logs/{_ms(1)}/a.gz")], "has 1 log file, but none in the window", id="the overlap"),
    ],
)
def test_a_tree_without_a_log_in_the_window_is_an_error(files: list[LogFile], problem: str) -> None:
    with pytest.raises(LogsError) as caught:
        sort_out(files, Window(date(2024, 3, 2), date(2024, 3, 4)), root="here")
    assert caught.value.place == "here"
    assert problem in caught.value.problem


def test_a_folder_is_listed_to_its_leaves_and_a_file_is_itself(tmp_path: Path) -> None:
    leaf = tmp_path / "src" / MS / "a.gz"
    leaf.parent.mkdir(parents=True)
    leaf.write_bytes(b"12345")
    (tmp_path / "dummy-object.txt").touch()
    dummy = tmp_path / "dummy-object.txt"
    changed, created = (str(path.stat().st_mtime_ns) for path in (leaf, dummy))
    assert sorted(list_folder(tmp_path), key=lambda one: -one.bytes) == [
        LogFile(str(leaf), 5, DAY, f"src/{MS}/a.gz", changed),
        LogFile(str(dummy), 0, None, "dummy-object.txt", created),
    ]
    assert list_folder(leaf) == [LogFile(str(leaf), 5, DAY, "a.gz", changed)]
    with pytest.raises(LogsError, match="no such file or folder"):
        list_folder(tmp_path / "elsewhere")


def test_a_relative_path_below_a_day_s_folder_has_its_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / MS).mkdir()
    (tmp_path / MS / "a.gz").write_bytes(b"1")
    monkeypatch.chdir(tmp_path / MS)
    assert [one.day for one in list_folder(Path())] == [DAY]
    assert [one.day for one in list_folder(Path("a.gz"))] == [DAY]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(gzip.compress(b""), "gzip", id="gzip of nothing"),  # it contains the time
        (b"\x1f\x8b", "gzip"),
        (b'{"type":', "none"),
        (b"\x1f", "none"),
        ("{\ufeff".encode(), "none"),
        (b"PK\x03\x04\0\0", None),
        ("{}".encode("utf-16"), None),
        (b"", "none"),
    ],
)
def test_the_beginning_of_a_file_tells_its_compression(head: bytes, kind: str | None) -> None:
    assert compression(head) == kind


PARTS = [b'{"a": 1}\n' * 50, b"", bytes(range(256)) * 20, b'{"b": "last"}']
MEMBERS = [gzip.compress(part, 1, mtime=0) for part in PARTS]
WHOLE, DATA = b"".join(MEMBERS), b"".join(PARTS)


def _unzipped(data: bytes, size: int) -> tuple[bytes, list[str]]:
    damage: list[str] = []
    chunks: Iterable[bytes] = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(unzip(chunks, damage)), damage


@pytest.mark.parametrize("size", [1, 2, 7, 100, 65536])
def test_several_members_are_one_file_however_it_is_read(size: int) -> None:
    assert _unzipped(WHOLE, size) == (DATA, [])
    assert _unzipped(b"", size) == (b"", [])


@pytest.mark.parametrize("size", [1, 13, 65536])
def test_a_file_cut_off_anywhere_keeps_all_that_stands_before(size: int) -> None:
    ends = [sum(map(len, MEMBERS[:count])) for count in range(len(MEMBERS) + 1)]
    for cut in range(len(WHOLE)):
        found, damage = _unzipped(WHOLE[:cut], size)
        complete = b"".join(part for part, end in zip(PARTS, ends[1:], strict=True) if end <= cut)
        inner = zlib.decompressobj(31).decompress(WHOLE[max(end for end in ends if end <= cut) : cut])
        assert found == complete + inner, cut
        # A cut between two members looks like a complete file, which gzip can't detect.
        assert bool(damage) is (cut not in ends), cut


@pytest.mark.parametrize("size", [1, 13, 65536])
@pytest.mark.parametrize("rest", [b"garbage", b"\0" * 512, b"\x1f\x8b\x08garbage", b"\n", b"{"], ids=repr)
def test_garbage_after_the_last_member_keeps_the_members(rest: bytes, size: int) -> None:
    found, damage = _unzipped(WHOLE + rest, size)
    assert found == DATA
    assert len(damage) == 1


@settings(max_examples=200)
@given(st.integers(0, len(WHOLE) * 8 - 1), st.sampled_from([1, 13, 65536]))
def test_a_flipped_bit_never_raises_and_keeps_the_members_before_it(bit: int, size: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    found, damage = _unzipped(bytes(flipped), size)
    untouched = 0
    while sum(map(len, MEMBERS[: untouched + 1])) <= bit // 8:
        untouched += 1
    assert found.startswith(b"".join(PARTS[:untouched]))
    assert damage or found == DATA  # some bits of a header mean nothing


@settings(max_examples=200)
@given(st.integers(0, len(WHOLE) * 8 - 1), st.integers(1, 2000))
def test_what_is_kept_of_a_damaged_file_does_not_depend_on_how_it_is_read(bit: int, size: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert _unzipped(bytes(flipped), size)[0] == _unzipped(bytes(flipped), 1)[0]
