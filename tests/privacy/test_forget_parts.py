"""Rows of deleted users are removed from an export part by part. Everything else is unchanged."""

import csv
import gzip
import json
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import Texts, read_csv, write_log
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.suppression import empty
from personalize_segment.errors import OutputError
from personalize_segment.history.export import export
from personalize_segment.history.publish import staging
from personalize_segment.places import S3Place
from personalize_segment.privacy import parts

MAPPING = parse(default_text())
DATASETS = ("interactions", "users", "items")
#: Ids that a CSV has to quote, and ids that look like parts of others.
AWKWARD = [
    "a",
    "ab",
    'say "a"',
    '"',
    '"a"',
    "a,b",
    ",",
    "a\\",
    "\\",
    " a",
    "a ",
    "é",
    "e\u0301",
    "😀",
    "\u2028",
    "USER_ID",
]

Files = dict[str, bytes]


def contents(folder: Path) -> Files:
    """Return the bytes of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plain(folder: Path) -> Files:
    """Return the contents of all files below a folder, unzipped."""
    return {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in contents(folder).items()}


def rows(folder: Path) -> dict[str, list[Texts]]:
    """Return the rows of an export."""
    return {name: sorted(row for _, part in read_csv(folder / name) for row in part) for name in DATASETS}


@pytest.fixture(scope="module")
def exported(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export in several parts. Read only."""
    out = tmp_path_factory.mktemp("exported") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("personalize_segment.history.duckdb.fold.PART_ROWS", 2000)
        export(str(shop), str(out), MAPPING)
    assert len(read_csv(out / "interactions")) > 2
    return out


@pytest.fixture
def out(exported: Path, tmp_path: Path) -> Path:
    """Return an export in several parts."""
    return shutil.copytree(exported, tmp_path / "out")


def suppressed(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a report's entries for omitted or removed rows."""
    return [one for one in report["reasons"] if one["reason"] == "suppressed"]


def some(out: Path) -> frozenset[str]:
    """Return some of the users of an export."""
    return frozenset(sorted({row[0] for row in rows(out)["interactions"]})[::7])


def test_what_is_left_is_what_an_export_with_the_list_writes(shop: Path, tmp_path: Path) -> None:
    # With stitching, an export attributes a deleted user's visits to the device's other user.
    document = json.loads(default_text())
    document["interactions"]["visitors"] = "drop"
    mapping, out = parse(json.dumps(document)), tmp_path / "out"
    export(str(shop), str(out), mapping)
    users = some(out)
    before = rows(out)
    removed = parts.remove(str(out), users)
    export(str(shop), str(tmp_path / "again"), mapping, suppressed=empty().plus(users))
    assert rows(out) == rows(tmp_path / "again")
    assert removed.rows == {name: sum(row[0] in users for row in before[name]) for name in ("interactions", "users")}
    assert all(removed.rows.values())


def test_the_report_counts_what_is_there_and_what_was_taken_out(out: Path) -> None:
    before = json.loads((out / "report.json").read_bytes())
    removed = parts.remove(str(out), some(out))
    after = json.loads((out / "report.json").read_bytes())
    assert {one["dataset"]: one["count"] for one in suppressed(after)} == removed.rows
    for name, found in rows(out).items():
        one, other = before["datasets"][name], after["datasets"][name]
        assert other["rows"] == len(found) == one["rows"] - removed.rows.get(name, 0)
        assert other["refused"] == one["refused"] + removed.rows.get(name, 0)
        assert other["deduplicated"] == one["deduplicated"]
    told = [one for one in after["reasons"] if one["reason"] != "suppressed"]
    assert told == [one | {"example": None} for one in before["reasons"]]


SECRET = "secret-message"
_SEEN = {"type": "track", "event": "Product Viewed", "userId": "gone", "timestamp": "2024-03-01T12:00:00Z"}
#: Events of a user, each of which a report counts with its messageId as an example.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "an optional value": _SEEN | {"properties": {"product_id": "p", "price": "1,299.00"}},
    "an optional value of the user": {"type": "identify", "userId": "gone", "traits": {"plan": ["a", "b"]}},
    "no item": _SEEN | {"properties": {}},
    "no time": _SEEN | {"properties": {"product_id": "p"}, "timestamp": "yesterday"},
    "an element": _SEEN | {"event": "Order Completed", "properties": {"products": [{"product_id": "p"}, {}]}},
    "no rule": _SEEN | {"event": "Product viewed"},
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_no_message_of_a_forgotten_user_stays_in_the_report(case: str, tmp_path: Path) -> None:
    other = _SEEN | {"userId": "stays", "messageId": "other", "properties": {"product_id": "p"}}
    log = [json.dumps(event).encode() for event in (LEFT_OUT[case] | {"messageId": SECRET}, other)]
    write_log(tmp_path / "logs" / "a.json", log)
    out = tmp_path / "out"
    export(str(tmp_path / "logs"), str(out), MAPPING)
    before = json.loads((out / "report.json").read_bytes())
    assert SECRET.encode() in contents(out)["report.json"]
    parts.remove(str(out), frozenset({"gone"}))
    assert [name for name, data in plain(out).items() if SECRET.encode() in data or b"gone" in data] == []
    after = json.loads((out / "report.json").read_bytes())
    # Their number is still reported.
    for key in ("reasons", "unusable"):
        counted = [one for one in after[key] if one["reason"] != "suppressed"]
        assert counted == [one | {"example": None} for one in before[key]]
    done = contents(out)
    parts.remove(str(out), frozenset({"gone"}))
    assert contents(out) == done


def test_a_second_time_nothing_is_changed_and_others_are_counted_with_the_first(out: Path) -> None:
    first, second = sorted(some(out))[:2]
    parts.remove(str(out), frozenset({first}))
    before = contents(out)
    assert parts.remove(str(out), frozenset({first})).rows == {"interactions": 0, "users": 0}
    assert contents(out) == before
    removed = parts.remove(str(out), frozenset({second}))
    reasons = [
        one for one in json.loads((out / "report.json").read_bytes())["reasons"] if one["reason"] == "suppressed"
    ]
    assert len(reasons) == len({one["dataset"] for one in reasons})
    assert sum(one["count"] for one in reasons) > sum(removed.rows.values()) > 0


def test_a_part_without_rows_of_theirs_is_left_alone(out: Path) -> None:
    # Whoever is seen in one part only.
    seen = [{row[0] for row in part} for _, part in read_csv(out / "interactions")]
    user = min(user for part in seen for user in part if sum(user in other for other in seen) == 1)
    names = sorted(name for name in contents(out) if name.startswith("interactions/"))
    holding = {name for name, part in zip(names, seen, strict=True) if user in part}
    before = {name: (out / name).stat().st_ino for name in contents(out)}
    parts.remove(str(out), frozenset({user}))
    changed = {name for name, inode in before.items() if (out / name).stat().st_ino != inode}
    assert {name for name in changed if name.startswith("interactions")} == holding
    assert not any(name.startswith("items") for name in changed)


def small(out: Path, users: list[str]) -> Path:
    """Write an export by hand, as DuckDB and Spark quote it."""
    for number, some_ in enumerate((users[: len(users) // 2], users[len(users) // 2 :])):
        path = out / "interactions" / f"part-0000{number}-x.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"])
            writer.writerows([user, "a,b", "1", user] for user in some_)
    return out


@given(st.sets(st.sampled_from(AWKWARD), min_size=1), st.sets(st.sampled_from(AWKWARD)))
def test_ids_are_compared_as_they_are_however_the_csv_quotes_them(
    tmp_path_factory: pytest.TempPathFactory, users: set[str], gone: set[str]
) -> None:
    out = small(tmp_path_factory.mktemp("small"), sorted(users))
    before = [path.read_text("utf-8").split("\n")[1:-1] for path in sorted(out.rglob("*.csv"))]
    lines = [line for part in before for line in part]
    removed = parts.remove(str(out), frozenset(gone))
    left = [line for path in sorted(out.rglob("*.csv")) for line in path.read_text("utf-8").split("\n")[1:-1]]
    assert left == [line for line in lines if next(csv.reader([line]))[0] not in gone]
    assert removed.rows["interactions"] == len(users & gone)
    assert sorted(out.rglob("*")) == sorted([*out.rglob("*.csv"), out / "interactions"])


def test_a_user_column_need_not_be_the_first(tmp_path: Path) -> None:
    write_log(tmp_path / "users" / "part-0.csv", [b"PLAN,USER_ID", b'"a,b",u1', b"u1,u2"])
    parts.remove(str(tmp_path), frozenset({"u1"}))
    assert contents(tmp_path) == {"users/part-0.csv": b"PLAN,USER_ID\nu1,u2\n"}


def test_a_part_of_nobody_else_is_removed(tmp_path: Path) -> None:
    write_log(tmp_path / "users" / "part-0.csv", [b"USER_ID,PLAN", b"u1,x"])
    write_log(tmp_path / "users" / "part-1.csv", [b"USER_ID,PLAN"])
    parts.remove(str(tmp_path), frozenset({"u1"}))
    assert contents(tmp_path) == {"users/part-1.csv": b"USER_ID,PLAN\n"}


def test_no_byte_of_a_forgotten_user_stays_in_the_profiles(out: Path) -> None:
    part = out / "profiles" / "users" / "part-00000.jsonl.gz"
    gone = frozenset([name for name, _ in map(json.loads, plain(out)[str(part.relative_to(out))].splitlines())][::3])
    part.chmod(0o640)
    before = plain(out)
    parts.remove(str(out), gone)
    after = plain(out)
    ids = [json.dumps(user).encode() for user in gone]
    assert ids
    assert [name for name, data in after.items() if any(one in data for one in ids)] == []
    name = str(part.relative_to(out))
    # What is left is left as it was.
    assert after[name].splitlines() == [line for line in before[name].splitlines() if json.loads(line)[0] not in gone]
    assert after["profiles/items/part-00000.jsonl.gz"] == before["profiles/items/part-00000.jsonl.gz"]
    assert part.stat().st_mode & 0o777 == 0o640
    done = contents(out)
    parts.remove(str(out), gone)
    assert contents(out) == done


def test_profiles_of_nobody_else_are_removed_whoever_wrote_them(tmp_path: Path) -> None:
    for number, line in enumerate([b'["u1", {"PLAN": ["u2", 1, ""]}]', b'["\\u0075\\u0031",{"PLAN":["a",1,""]}]']):
        write_log(tmp_path / "profiles" / "users" / f"part-{number}.txt.gz", [line])
    write_log(tmp_path / "profiles" / "items" / "part-0.gz", [b'["u1",{"PRICE":[1.5,1,""]}]'])
    removed = parts.remove(str(tmp_path), frozenset({"u1"}))
    assert (removed.parts, sorted(contents(tmp_path))) == (2, ["profiles/items/part-0.gz"])


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param({"profiles/users/part-0.gz": b"PAR1"}, "isn't a file of an export", id="no gzip"),
        pytest.param({"profiles/users/part-0.gz": gzip.compress(b'["u1",{}]\n')[:-9]}, "isn't a file of", id="cut off"),
        pytest.param({"profiles/users/part-0.gz": gzip.compress(b"u1\n")}, "isn't a file of", id="no JSON"),
        pytest.param({"profiles/notes.txt": b"mine"}, "which no export wrote", id="somebody's note"),
        pytest.param({"interactions/notes.txt": b"mine"}, "which no export wrote", id="somebody's file"),
        pytest.param({"users/part-0.csv": b"ITEM_ID,X\nu1,1\n"}, "has no column USER_ID", id="another CSV"),
        pytest.param({"users/part-0.csv": b"USER_ID,X\n\xff,1\n"}, "isn't UTF-8", id="bytes"),
    ],
)
def test_what_no_export_wrote_is_not_touched(files: Files, problem: str, tmp_path: Path) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(OutputError, match=problem):
        parts.remove(str(tmp_path), frozenset({"u1"}))
    assert contents(tmp_path) == files


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such export"):
        parts.remove(str(tmp_path / "none"), frozenset({"u1"}))
    assert not (tmp_path / "none").exists()


def test_while_an_export_is_writing_nothing_is_taken_out(out: Path) -> None:
    with staging(str(out)), pytest.raises(OutputError, match="another export is writing"):
        parts.remove(str(out), some(out))
    assert parts.remove(str(out), some(out)).rows["interactions"]


#: Kills the process at the n-th change of a file in the export.
KILLED_AT = """
import os, pathlib, sys
from personalize_segment.privacy import parts
calls = 0
def counting(plain):
    def call(self, *args, **more):
        global calls
        if ".export" in str(self) and not args:
            return plain(self, *args, **more)
        calls += 1
        if calls * 2 - 1 == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        made = plain(self, *args, **more)
        if calls * 2 == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        return made
    return call
pathlib.Path.replace = counting(pathlib.Path.replace)
pathlib.Path.unlink = counting(pathlib.Path.unlink)
parts.remove(sys.argv[1], frozenset(sys.argv[3:]))
"""


def test_a_command_that_is_killed_at_any_change_is_finished_by_the_next(out: Path, tmp_path: Path) -> None:
    users = some(out)
    write_log(out / "users" / "part-00001.csv", [(out / "users" / "part-00000.csv").read_bytes().split(b"\n")[0],
                                                 next(iter(users)).encode() + b",,,"])  # fmt: skip
    report = json.loads((out / "report.json").read_bytes())
    report["datasets"]["users"]["rows"] += 1
    (out / "report.json").write_text(json.dumps(report), "utf-8")
    shutil.copytree(out, tmp_path / "copy")
    parts.remove(str(out), users)
    undisturbed = contents(out)
    assert "users/part-00001.csv" not in undisturbed
    for change in count(1):
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "copy", out)
        done = subprocess.run([sys.executable, "-c", KILLED_AT, str(out), str(change), *users], check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -9
        # Readers see a complete export at every moment.
        assert all(
            data.endswith(b"\n")
            for name, data in contents(out).items()
            if name.endswith(".csv") and ".export" not in name
        )
        parts.remove(str(out), users)
        assert contents(out) == undisturbed
    assert change > 2 * len([name for name in undisturbed if "items" not in name])


def test_an_export_in_s3_loses_the_same_rows(out: Path, s3_env: str, tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    for name, data in contents(out).items():
        s3.put_object(Bucket=s3_env, Key=f"a/transformed/{name}", Body=data)
    users = some(out)
    assert parts.remove(f"s3://{s3_env}/a/transformed/", users) == parts.remove(str(out), users)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=s3_env)["Contents"]]
    found = {key.removeprefix("a/transformed/"): s3.get_object(Bucket=s3_env, Key=key)["Body"].read() for key in keys}
    assert found == contents(out)


def test_a_part_that_an_export_replaced_meanwhile_is_not_put_back(
    out: Path, s3_env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = boto3.client("s3")
    for name, data in contents(out).items():
        s3.put_object(Bucket=s3_env, Key=f"t/{name}", Body=data)
    replace = S3Place.replace

    def late(part: S3Place, *made: Any) -> None:
        s3.put_object(Bucket=s3_env, Key=part.key, Body=b"USER_ID\nnew\n")
        replace(part, *made)

    monkeypatch.setattr(S3Place, "replace", late)
    first = min(name for name in contents(out) if name.startswith("interactions/"))
    with pytest.raises(OutputError, match="is being written by another"):
        parts.remove(f"s3://{s3_env}/t", some(out))
    assert s3.get_object(Bucket=s3_env, Key=f"t/{first}")["Body"].read() == b"USER_ID\nnew\n"


def test_an_empty_prefix_holds_nothing_to_remove(s3_env: str) -> None:
    assert parts.remove(f"s3://{s3_env}/none/", frozenset({"u"})).parts == 0


def test_a_bucket_that_is_not_there_is_named(s3_env: str) -> None:
    with pytest.raises(OutputError, match="s3://no-such-bucket-9/t"):
        parts.remove("s3://no-such-bucket-9/t", frozenset({"u"}))
