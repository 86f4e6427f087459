"""The profiles of an export are read back, and foreign lines are reported with their number."""

import json
from pathlib import Path

import boto3
import pytest

from engines import write_log
from personalize_segment.errors import ProfilesError
from personalize_segment.history.profiles import SeedFiles

GOOD = b'["u1",{"PLAN":["pro",1709296496,"789"],"AGE":[5,-1000000000000,""]}]'


def part(folder: Path, *lines: bytes, name: str = "users/part-00000.jsonl.gz") -> Path:
    return write_log(folder / "profiles" / name, lines)


def test_parts_of_users_and_items_come_in_batches(tmp_path: Path) -> None:
    part(tmp_path, GOOD, GOOD.replace(b"u1", b"u2"), GOOD.replace(b"u1", b"u3"))
    part(tmp_path, GOOD, GOOD, name="users/part-00001-x.c000.txt.gz")
    part(tmp_path, b'["i",{"PRICE":[1.5,1,""],"NEW":[true,1,""]}]', name="items/part-00000.jsonl.gz")
    files = SeedFiles(str(tmp_path))
    found = list(files.batches(2))
    # The same id twice is two batches: one after the other, or both at once, but never one instead of the other.
    assert [(dataset, list(batch)) for dataset, batch, _ in found] == [
        ("users", ["u1", "u2"]), ("users", ["u3"]), ("users", ["u1"]), ("users", ["u1"]), ("items", ["i"]),
    ]  # fmt: skip
    assert found[0][1]["u1"] == {"PLAN": ("pro", 1709296496, "789"), "AGE": (5, -(10**12), "")}
    assert found[-1][1] == {"i": {"PRICE": (1.5, 1, ""), "NEW": (True, 1, "")}}
    sizes = [path.stat().st_size for path in (tmp_path / "profiles").rglob("*.gz")]
    assert [read for *_, read in found] == sorted(read for *_, read in found)
    assert found[-1][2] == files.bytes == sum(sizes)


def test_an_export_in_s3_is_read_like_a_folder(s3_env: str, tmp_path: Path) -> None:
    path = part(tmp_path, GOOD)
    boto3.client("s3").upload_file(str(path), s3_env, "t/profiles/users/part-00000.jsonl.gz")
    for out in (f"s3://{s3_env}/t", f"s3://{s3_env}/t/"):
        assert list(SeedFiles(out).batches(9)) == list(SeedFiles(str(tmp_path)).batches(9))


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"5", b'"u1"', b"\xff", b"[" * 100_000, GOOD[:-1], GOOD + GOOD, GOOD.replace(b'"u1"', b"5"),
        b'["u1",{}]', b'["u1",[]]', b'["u1",null]', b'["u1",{"PLAN":["pro",1]}]', b'["u1",{"PLAN":["pro",1.5,""]}]',
        b'["u1",{"PLAN":["pro",true,""]}]', b'["u1",{"PLAN":["pro",1,5]}]', b'["u1",{"PLAN":[null,1,""]}]',
        b'["u1",{"PLAN":[["a"],1,""]}]', b'["u1",{"PLAN":[NaN,1,""]}]', b'["u1",{"PLAN":5}]',
        json.dumps(["u" * 257, {"PLAN": ["pro", 1, ""]}]).encode(), b'["",{"PLAN":["pro",1,""]}]',
    ],
)  # fmt: skip
def test_a_line_that_no_export_wrote_is_named(line: bytes, tmp_path: Path) -> None:
    path = part(tmp_path, GOOD, line, GOOD.replace(b"u1", b"u2"))
    batches = SeedFiles(str(tmp_path)).batches(1)
    with pytest.raises(ProfilesError) as caught:
        list(batches)
    assert str(caught.value) == f"{path}:2: isn't a profile. Export again."


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:40] + b"x" * 20, lambda data: b"PAR1"])
def test_a_file_that_is_cut_off_is_named(damage: object, tmp_path: Path) -> None:
    lines = [json.dumps([f"user {number}", {"PLAN": ["pro", number, ""]}]).encode() for number in range(50)]
    path = part(tmp_path, *lines)
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ProfilesError, match="is cut off or damaged") as caught:
        list(SeedFiles(str(tmp_path)).batches(10))
    assert caught.value.place.startswith(f"{path}:")


def test_an_export_without_profiles_is_named(s3_env: str, tmp_path: Path) -> None:
    (tmp_path / "users").mkdir()
    for out in (str(tmp_path), str(tmp_path / "none"), f"s3://{s3_env}/none"):
        with pytest.raises(ProfilesError, match="profiles: has no users and no items"):
            SeedFiles(out)
    with pytest.raises(ProfilesError, match="no such bucket"):
        SeedFiles("s3://no-such-bucket-9/t")
