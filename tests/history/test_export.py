"""An export replaces the previous one completely or not at all, and reports unreadable input."""

import gzip
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from engines import read_csv, write_log
from personalize_segment.cli import load
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.report import Report
from personalize_segment.errors import EmptyError, LogsError, OutputError, PersonalizeSegmentError
from personalize_segment.history.duckdb.engine import Engine
from personalize_segment.history.duckdb.fold import even_share
from personalize_segment.history.duckdb.streams import LogBatch
from personalize_segment.history.export import Request, export, fold
from personalize_segment.history.logs import Window
from personalize_segment.history.publish import staging
from personalize_segment.history.stage import Stage

MAPPING = parse(default_text())
WITHOUT_USERS = parse(json.dumps({name: body for name, body in json.loads(default_text()).items() if name != "users"}))
DATASETS = ("interactions", "users", "items")

Files = dict[str, bytes]


def viewed(message: str, user: str = "u", **changes: object) -> bytes:
    """Return the line of an event that gives an interaction and an item."""
    event = {"type": "track", "event": "Product Viewed", "messageId": message, "userId": user,
             "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": message}}  # fmt: skip
    return json.dumps(event | changes).encode()


def identified(user: str, plan: str) -> bytes:
    """Return the line of an event that gives a user."""
    return viewed(plan, user, type="identify", traits={"plan": plan})


def contents(folder: Path) -> Files:
    """Return the bytes of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LOGS = [viewed("1"), viewed("2", "v"), identified("u", "pro")]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder with one small log."""
    write_log(tmp_path / "logs" / "1.gz", LOGS)
    return tmp_path / "logs"


@pytest.fixture(scope="module")
def earlier_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an export of events that `logs` doesn't have. Read only."""
    folder = tmp_path_factory.mktemp("earlier")
    write_log(folder / "logs" / "1.gz", [viewed("earlier"), identified("earlier", "free")])
    export(str(folder / "logs"), str(folder / "out"), MAPPING)
    return folder / "out"


@pytest.fixture
def out(earlier_export: Path, tmp_path: Path) -> Path:
    """Return a folder with an earlier export of other events."""
    return shutil.copytree(earlier_export, tmp_path / "out")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the files of an export of `logs` to a new folder."""
    folder = tmp_path_factory.mktemp("new")
    write_log(folder / "logs" / "1.gz", LOGS)
    export(str(folder / "logs"), str(folder / "out"), MAPPING)
    return contents(folder / "out")


def test_an_export_is_a_folder_a_dataset_and_a_report(shop: Path, tmp_path: Path) -> None:
    report = export(str(shop), str(tmp_path / "new" / "out"), MAPPING)
    found = contents(tmp_path / "new" / "out")
    assert {str(Path(name).parent) for name in found} == {".", *DATASETS, "profiles/users", "profiles/items"}
    assert [name for name in found if "/" not in name] == ["report.json"]
    assert json.loads(found["report.json"]) == report.as_dict()
    for dataset in MAPPING.datasets:
        parts = read_csv(tmp_path / "new" / "out" / dataset.name)
        assert all(header == [one.name for one in dataset.columns] for header, _ in parts)
        assert sum(len(rows) for _, rows in parts) == report.datasets[dataset.name].rows > 0
    plain = [gzip.decompress(data) if name.endswith(".gz") else data for name, data in found.items()]
    assert not any(data.startswith(b"\xef\xbb\xbf") or b"\r" in data for data in plain)


def test_the_same_logs_give_the_same_bytes(shop: Path, out: Path, tmp_path: Path) -> None:
    export(str(shop), str(tmp_path / "other"), MAPPING)
    for _ in range(3):
        export(str(shop), str(out), MAPPING)
        assert contents(out) == contents(tmp_path / "other")


@pytest.mark.parametrize("name", ["out[1]", "o?t*", "it's here"])
def test_an_output_s_name_means_nothing(name: str, logs: Path, new: Files, tmp_path: Path) -> None:
    export(str(logs), str(tmp_path / name), MAPPING)
    assert contents(tmp_path / name) == new


def test_many_rows_are_split_into_parts(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(str(shop), str(tmp_path / "whole"), MAPPING)
    monkeypatch.setattr("personalize_segment.history.duckdb.fold.PART_ROWS", 999)
    export(str(shop), str(tmp_path / "split"), MAPPING)
    whole, split = (read_csv(tmp_path / name / "interactions") for name in ("whole", "split"))
    assert len(split) > len(whole)
    assert sorted(row for _, rows in split for row in rows) == sorted(row for _, rows in whole for row in rows)
    assert contents(tmp_path / "split")["report.json"] == contents(tmp_path / "whole")["report.json"]


def test_an_output_among_the_logs_is_not_read_as_a_log(logs: Path) -> None:
    first = export(str(logs), str(logs / "out"), MAPPING)
    assert export(str(logs), str(logs / "out"), MAPPING).as_dict()["lines"] == first.as_dict()["lines"]


def test_a_mapping_without_users_removes_the_earlier_users(logs: Path, out: Path) -> None:
    assert (out / "users").exists()
    export(str(logs), str(out), WITHOUT_USERS)
    assert {Path(name).parts[0] for name in contents(out)} == {"interactions", "items", "report.json"}
    assert not (out / "profiles" / "users").exists()


def test_a_window_takes_its_days_and_leaves_out_what_the_days_before_hold(tmp_path: Path) -> None:
    for day, log in {
        1: [viewed("a"), viewed("old")],
        2: [viewed("b"), identified("b", "pro")],
        3: [viewed("c")],
    }.items():
        midnight = int(datetime(2024, 3, day, tzinfo=UTC).timestamp() * 1000)
        # Delivered again a day later, by a sender whose clock has moved.
        again = [viewed("a", timestamp="2023-01-01T00:00:00Z")] if day > 1 else []
        write_log(tmp_path / "logs" / "source" / str(midnight) / "x.gz", [*log, *again])

    def ids(*window: Any) -> dict[str, list[str]]:
        export(str(tmp_path / "logs"), str(tmp_path / "out"), MAPPING, window=Window(*window))
        columns = {"interactions": 1, "users": 0, "items": 0}
        found = {name: read_csv(tmp_path / "out" / name) for name in columns}
        return {name: sorted(row[at] for _, part in found[name] for row in part) for name, at in columns.items()}

    first, second, third = (date(2024, 3, day) for day in (1, 2, 3))
    assert ids()["interactions"] == ["a", "b", "c", "old"]
    assert ids(first, second)["interactions"] == ["a", "old"]
    assert ids(second) == {"interactions": ["b", "c"], "users": ["b"], "items": ["a", "b", "c"]}
    assert ids(second, None, 0)["interactions"] == ["a", "b", "c"]
    assert ids(third, None, 1) == {"interactions": ["c"], "users": [], "items": ["a", "c"]}


CUT = gzip.compress(b"\n".join(viewed(f"{number:03}") for number in range(500)), mtime=0)
#: Contents of the log files, the error, and the file or folder it names.
UNUSABLE: dict[str, tuple[Files, type[PersonalizeSegmentError], str]] = {
    "an empty folder": ({}, LogsError, "bad"),
    "Segment's own test file": ({"dummy-object.txt": b"test"}, LogsError, "bad"),
    "files of other kinds": ({"a.csv": b"a", "b.parquet": b"PAR1"}, LogsError, "bad"),
    "empty files": ({"a.gz": b"", "b.json": b""}, LogsError, "bad"),
    "binary data": ({"a.gz": b"PAR1\0\0", "b.json": bytes(9)}, EmptyError, "bad"),
    "gzip of nothing": ({"a.gz": gzip.compress(b"")}, EmptyError, "bad"),
    "a beginning without a line": ({"a.gz": CUT[:20]}, EmptyError, "bad"),
    "malformed lines": ({"a.json": b"{\n}\nhello"}, EmptyError, "bad"),
    "events without a rule": ({"a.json": b'{"type": "group"}'}, EmptyError, "bad"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_logs_are_named_and_change_nothing(kind: str, out: Path, tmp_path: Path) -> None:
    files, error, place = UNUSABLE[kind]
    (tmp_path / "bad").mkdir()
    for name, data in files.items():
        (tmp_path / "bad" / name).write_bytes(data)
    earlier = contents(out)
    with pytest.raises(error) as raised:
        export(str(tmp_path / "bad"), str(out), MAPPING)
    assert raised.value.place == str(tmp_path / place)
    assert contents(out) == earlier
    assert not (out / ".export").exists()


def test_logs_that_do_not_exist_or_have_no_day_are_named(logs: Path, out: Path) -> None:
    earlier = contents(out)
    for tree, window, place in (
        (logs / "none", Window(), logs / "none"),
        (logs, Window(date(2024, 3, 1)), logs / "1.gz"),
    ):
        with pytest.raises(LogsError) as raised:
            export(str(tree), str(out), MAPPING, window=window)
        assert raised.value.place == str(place)
    assert contents(out) == earlier


def test_what_a_damaged_file_still_gives_is_kept_and_the_file_is_named(logs: Path, tmp_path: Path) -> None:
    flipped = bytearray(CUT)
    flipped[1000] ^= 0xFF
    for name, data in {
        "cut": CUT[:2000],
        "flipped": bytes(flipped),
        "plain": viewed("plain"),
        "binary": bytes(9),
    }.items():
        (logs / f"{name}.gz").write_bytes(data)
    report = export(str(logs), str(tmp_path / "out"), MAPPING)
    assert {Path(name).name for name, _ in report.files_damaged} >= {"cut.gz", "binary.gz"}
    items = {row[0] for _, rows in read_csv(tmp_path / "out" / "items") for row in rows}
    assert items >= {"1", "2", "plain", "000", "001", "010"}


def unwritable(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield outputs that can't be written, even by root, and the place that an error should name."""
    (tmp_path / "file").write_text("mine")
    yield tmp_path / "file", tmp_path / "file"
    yield tmp_path / "file" / "below", tmp_path / "file"
    yield Path("/proc/personalize-segment"), Path("/proc/personalize-segment")


def test_an_output_that_can_not_be_written_is_named(logs: Path, tmp_path: Path) -> None:
    for out, place in unwritable(tmp_path):
        with pytest.raises(OutputError) as raised:
            export(str(logs), str(out), MAPPING)
        assert raised.value.place.startswith(str(place))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "theirs", ["interactions/notes.txt", "users/2024/part-0.csv", "items", "profiles/users/a.gz", "profiles/part-0.gz"]
)
def test_somebody_s_file_is_not_replaced(theirs: str, logs: Path, tmp_path: Path) -> None:
    file = tmp_path / "out" / theirs
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(OutputError):
        export(str(logs), str(tmp_path / "out"), MAPPING)
    assert contents(tmp_path / "out") == {theirs: b"mine"}
    assert not (tmp_path / "out" / ".export").exists()


def test_files_beside_an_export_stay(logs: Path, out: Path) -> None:
    (out / "README.md").write_text("mine")
    export(str(logs), str(out), MAPPING)
    assert contents(out)["README.md"] == b"mine"


def test_of_two_exports_at_once_the_second_is_refused(logs: Path, out: Path) -> None:
    earlier = contents(out)
    with staging(str(out)):
        with pytest.raises(OutputError, match="another export"):
            export(str(logs), str(out), MAPPING)
        assert {name: data for name, data in contents(out).items() if not name.startswith(".export")} == earlier
    export(str(logs), str(out), MAPPING)
    assert contents(out) != earlier


def cli(logs: Path, out: Path, **options: Any) -> "subprocess.Popen[str]":
    """Start an export in a separate process."""
    command = [sys.executable, "-m", "personalize_segment", "export", str(logs), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="session")
def undisturbed(large_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the files of an undisturbed export of the large shop."""
    out = tmp_path_factory.mktemp("undisturbed")
    export(str(large_shop), str(out), MAPPING)
    return contents(out)


def visible(out: Path) -> Files:
    """Return the visible files of an output, without those in preparation."""
    return {name: data for name, data in contents(out).items() if not name.startswith(".export")}


def test_an_export_that_is_killed_leaves_the_old_or_the_new_one(
    earlier_export: Path, large_shop: Path, out: Path, undisturbed: Files
) -> None:
    earlier = contents(out)
    killed = torn = 0
    for delay in [random.Random(1).uniform(0.05, 0.3), *(random.Random(n).uniform(0.3, 1.5) for n in range(5))]:
        process = cli(large_shop, out)
        time.sleep(delay)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        found = visible(out)
        # During the moves, which take less than a millisecond, the report is absent.
        torn += "report.json" not in found
        assert found in (earlier, undisturbed) or "report.json" not in found
        if found != earlier:
            shutil.rmtree(out)
            shutil.copytree(earlier_export, out)
    assert killed
    assert torn <= 1
    export(str(large_shop), str(out), MAPPING)
    assert contents(out) == undisturbed


#: Exports in a child for each number that it reads, and kills it at this call of `Path.rename`, which makes the moves.
KILLED_AT = """
import os, pathlib, sys
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.history.export import export
calls, rename = 0, pathlib.Path.rename
def counted(*args):
    global calls
    calls += 1
    if calls == move:
        os.kill(os.getpid(), 9)
    return rename(*args)
pathlib.Path.rename = counted
for move in map(int, sys.stdin):
    if (child := os.fork()) == 0:
        export(sys.argv[1], sys.argv[2], parse(default_text()))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_an_export_that_is_killed_between_two_moves_has_no_report_and_is_mended(
    earlier_export: Path, logs: Path, out: Path, new: Files
) -> None:
    earlier = contents(out)
    command = [sys.executable, "-c", KILLED_AT, str(logs), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        for move in count(1):
            process.stdin.write(f"{move}\n")
            code = int(process.stdout.readline())
            if code == 0:
                break
            assert code == -signal.SIGKILL
            assert visible(out) in (earlier, new) or "report.json" not in visible(out)
            export(str(logs), str(out), MAPPING)
            assert contents(out) == new
            shutil.rmtree(out)
            shutil.copytree(earlier_export, out)
        process.stdin.close()
    assert move > 1


def test_long_arrays_are_taken_in_slices_if_the_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(number: int, products: str) -> bytes:
        named = f'{{"type": "track", "event": "Order Completed", "messageId": "m-{number}", "userId": "u-{number}"'
        return f'{named}, "timestamp": "2024-03-01T00:00:00Z", "properties": {{"products": [{products}]}}}}'.encode()

    zeros, bought = ",".join("0" * 15_000), '{"product_id": "p"}'
    lines = [order(number, f"{bought},{zeros}") for number in range(40)] + [b"not JSON"] * 3 + [order(40, bought)]
    write_log(tmp_path / "logs" / "1709251200000" / "1.gz", lines)
    write_log(tmp_path / "logs" / "1709337600000" / "2.gz", lines)
    begin, slices = LogBatch.begin, set()

    def begun(self: LogBatch, *given: Any, **more: Any) -> None:
        slices.add(more["slices"])
        begin(self, *given, **more)

    monkeypatch.setattr(LogBatch, "begin", begun)
    logs, short, long = (str(tmp_path / name) for name in ("logs", "short", "long"))
    report = export(logs, short, MAPPING, memory="100MB")
    assert slices == {1, 8}
    assert report == export(logs, long, MAPPING)
    assert contents(Path(short)) == contents(Path(long))
    assert (report.datasets["interactions"].rows, report.datasets["interactions"].refused) == (41, 2 * 40 * 15_000)
    assert (report.files_read, report.lines_malformed) == (2, 6)


def test_a_stopped_worker_takes_no_more_slices(tmp_path: Path) -> None:
    with closing(Engine.start(MAPPING, tmp_path, "1GB")) as engine, closing(engine.worker()) as worker:
        worker.stop()
        with pytest.raises(duckdb.InterruptException):
            worker.take([], tmp_path, {})


def test_a_fold_of_the_glue_job_names_the_job_s_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: Any) -> None:
        raise duckdb.OutOfMemoryException("full")

    monkeypatch.setattr(Engine, "start", start)
    request = Request("logs", str(tmp_path), MAPPING, Window(), None, allow_empty=False)
    stage = Stage.open(str(tmp_path / "stage"), "key", "sha256", tmp_path / "work")
    with pytest.raises(OutputError, match=r"needs more memory or disk: full.*worker type, or lower --driver_events"):
        fold(request, stage, [], {}, None, Report.of(MAPPING))


# A new exception each time: one exception would hold the connections of all its tracebacks.
@pytest.mark.parametrize("error", [lambda: OSError(5, "Input/output error"), KeyboardInterrupt], ids=["EIO", "SIGINT"])
def test_an_export_that_fails_between_two_moves_changes_nothing(
    error: Callable[[], BaseException], logs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier, rename = contents(out), Path.rename
    left = 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            raise error()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    for move in count(1):
        left = move
        try:
            export(str(logs), str(out), MAPPING)
            break
        except (OutputError, KeyboardInterrupt):
            assert contents(out) == earlier
    assert move > 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_export_that_is_interrupted_ends_quietly(
    number: signal.Signals, earlier_export: Path, large_shop: Path, out: Path, undisturbed: Files, tmp_path: Path
) -> None:
    earlier = contents(out)
    (tmp_path / "temporary").mkdir()
    interrupted = 0
    for delay in (0, 0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45):
        process = cli(large_shop, out, env=os.environ | {"TMPDIR": str(tmp_path / "temporary")})
        while not (out / ".export").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(number)
        _, messages = process.communicate(timeout=60)
        assert "Traceback" not in messages
        assert list((tmp_path / "temporary").rglob("*")) == []
        assert not (out / ".export").exists()
        if contents(out) == undisturbed:  # the signal came too late
            shutil.rmtree(out)
            shutil.copytree(earlier_export, out)
            continue
        assert process.returncode == 128 + number, messages
        assert contents(out) == earlier
        interrupted += 1
    assert interrupted


#: Interrupts its exports a moment after they have read the last log, while DuckDB sorts and writes.
INTERRUPTED_LATE = """
import os, signal, sys, threading, time
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.history.export import export
for moment in range(12):
    def late(done, total):
        if done == total:
            threading.Timer(0.006 * moment, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        export(sys.argv[1], sys.argv[2], parse(default_text()), progress=late)
        time.sleep(1)  # it was faster: the signal is still to come
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_export_that_is_interrupted_while_it_writes_says_so(shop: Path, out: Path) -> None:
    day = next(shop.rglob("*.gz"))  # one, because reading more of them would prove nothing
    command = [sys.executable, "-c", INTERRUPTED_LATE, str(day), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "interrupted" in done.stdout


def test_an_interrupt_while_a_thread_is_started_is_no_other_error(
    large_shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool then doesn't know the thread, which continues after everything is closed."""
    earlier = contents(out)
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name.startswith("reading"):
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(str(large_shop), str(out), MAPPING)
    monkeypatch.undo()
    assert contents(out) == earlier
    export(str(large_shop), str(out), MAPPING)


def test_a_full_disk_changes_nothing(large_shop: Path, out: Path) -> None:
    earlier = contents(out)
    # No file may grow beyond 200 kB: what a full disk does, for root too.
    process = cli(large_shop, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)))
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in messages
    assert str(out) in messages
    assert contents(out) == earlier


def objects(bucket: str) -> Files:
    """Return the objects of a bucket."""
    s3 = boto3.client("s3")
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


def fail(monkeypatch: pytest.MonkeyPatch, operation: str, number: int = 1) -> None:
    """Let the n-th call of one of S3's operations be refused, and all after it."""
    calls = iter(range(1, 10**6))

    def refuse(**_: Any) -> None:
        if next(calls) >= number:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not today"}}, operation)

    session = boto3.Session()
    session.events.register(f"before-call.s3.{operation}", refuse)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)


@pytest.fixture
def bucket(s3_env: str, logs: Path, out: Path) -> str:
    """Return a bucket with logs below segment-logs/ and an earlier export below out/."""
    s3 = boto3.client("s3")
    s3.upload_file(str(logs / "1.gz"), s3_env, "segment-logs/source/1709251200000/1.gz")
    s3.put_object(Bucket=s3_env, Key="segment-logs/dummy-object.txt", Body=b"test")
    for name, data in contents(out).items():
        s3.put_object(Bucket=s3_env, Key=f"out/{name}", Body=data)
    s3.put_object(Bucket=s3_env, Key="out/README.md", Body=b"mine")
    s3.put_object(Bucket=s3_env, Key="outside/users/part-0.csv", Body=b"mine")
    return s3_env


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_export_from_bucket_to_bucket_is_the_same(bucket: str, slash: str, logs: Path, tmp_path: Path) -> None:
    others = {name: data for name, data in objects(bucket).items() if data in (b"mine", b"test") or "logs/" in name}
    report = export(f"s3://{bucket}/segment-logs{slash}", f"s3://{bucket}/out{slash}", MAPPING)
    (tmp_path / "same" / "source").mkdir(parents=True)
    logs.rename(tmp_path / "same" / "source" / "1709251200000")
    assert report == export(str(tmp_path / "same"), str(tmp_path / "local"), MAPPING)
    local = {f"out/{name}": data for name, data in contents(tmp_path / "local").items()}
    assert objects(bucket) == local | others
    export(f"s3://{bucket}/segment-logs", f"s3://{bucket}/out", WITHOUT_USERS)
    assert {name for name in objects(bucket) if name.startswith("out/users/")} == set()
    assert objects(bucket).items() >= others.items()


FAULTS = [("HeadBucket", 1), ("CreateMultipartUpload", 2), ("UploadPart", 1), ("UploadPart", 3)]


@pytest.mark.parametrize(("operation", "number"), FAULTS)
def test_a_failing_upload_leaves_the_earlier_export(
    operation: str, number: int, bucket: str, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = objects(bucket)
    with monkeypatch.context() as patch:
        fail(patch, operation, number)
        with pytest.raises(OutputError) as raised:
            export(str(logs), f"s3://{bucket}/out", MAPPING)
    assert raised.value.place == f"s3://{bucket}/out"
    assert objects(bucket) == earlier
    assert not boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_failing_completion_leaves_no_report_and_nothing_pending(
    number: int, bucket: str, logs: Path, new: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, "CompleteMultipartUpload", number)
        with pytest.raises(OutputError):
            export(str(logs), f"s3://{bucket}/out", MAPPING)
    assert "out/report.json" not in objects(bucket)
    assert not boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")
    export(str(logs), f"s3://{bucket}/out", MAPPING)
    assert objects(bucket).items() >= {f"out/{name}": data for name, data in new.items()}.items()


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject", "HeadObject"])
def test_logs_in_s3_that_may_not_be_read_are_named(
    operation: str, bucket: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = contents(out)
    fail(monkeypatch, operation)
    with pytest.raises(LogsError, match="AccessDenied") as raised:
        export(f"s3://{bucket}/segment-logs/", str(out), MAPPING)
    assert raised.value.place.startswith(f"s3://{bucket}/segment-logs/")
    assert contents(out) == earlier


def test_a_bucket_or_profile_that_does_not_exist_is_named(
    bucket: str, logs: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LogsError, match="s3://no-such-bucket/x"):
        export("s3://no-such-bucket/x", str(out), MAPPING)
    with pytest.raises(LogsError, match=f"s3://{bucket}/nothing"):
        export(f"s3://{bucket}/nothing", str(out), MAPPING)
    with pytest.raises(OutputError, match="s3://no-such-bucket/x"):
        export(str(logs), "s3://no-such-bucket/x", MAPPING)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(LogsError, match="no-such-profile"):
        export(f"s3://{bucket}/segment-logs", str(out), MAPPING)
    with pytest.raises(OutputError, match="no-such-profile"):
        export(str(logs), f"s3://{bucket}/out", MAPPING)


NOBODY = viewed("n", userId=None)


def test_an_export_without_rows_of_a_dataset_does_not_replace_one_that_has_some(out: Path, tmp_path: Path) -> None:
    logs = tmp_path / "anonymous" / "1709251200000"
    logs.mkdir(parents=True)
    (logs / "a.json").write_bytes(NOBODY)
    earlier = contents(out)
    with pytest.raises(
        EmptyError, match=r"has interactions, but .* produces none.*1 x track Product Viewed: USER_ID"
    ) as raised:
        export(str(tmp_path / "anonymous"), str(out), MAPPING)
    assert raised.value.report is not None
    assert raised.value.report.datasets["items"].rows == 1
    assert contents(out) == earlier
    export(str(tmp_path / "anonymous"), str(out), MAPPING, allow_empty=True)
    assert not list((out / "interactions").iterdir())


def test_days_without_users_are_no_reason_to_keep_an_earlier_window(out: Path, tmp_path: Path) -> None:
    logs = tmp_path / "views" / "1709251200000"
    logs.mkdir(parents=True)
    (logs / "a.json").write_bytes(viewed("1"))
    assert list((out / "users").iterdir())
    with pytest.raises(EmptyError, match="has users, but"):
        export(str(tmp_path / "views"), str(out), MAPPING)
    export(str(tmp_path / "views"), str(out), MAPPING, window=Window(date(2024, 3, 1)))
    assert not list((out / "users").iterdir())


def test_without_interactions_the_command_ends_with_1_and_says_why_and_so_does_preflight(tmp_path: Path) -> None:
    (tmp_path / "logs.json").write_bytes(NOBODY)
    arguments = [
        "export",
        str(tmp_path / "logs.json"),
        str(tmp_path / "out"),
        "--report",
        str(tmp_path / "report.json"),
    ]
    done = CliRunner().invoke(load(), arguments)
    why = "1 x track Product Viewed: USER_ID missing"
    assert done.exit_code == 1
    assert "Left out" in done.stdout
    assert json.loads((tmp_path / "report.json").read_bytes())["datasets"]["items"]["rows"] == 1
    assert (
        f"produced no interactions: 1 event read, 0 without a rule, 1 refused, 0 malformed lines; most often {why}"
        in str(done.exception)
    )
    told = CliRunner().invoke(load(), [*arguments, "--json"])
    assert (told.exit_code, json.loads(told.stdout)) == (1, json.loads((tmp_path / "report.json").read_bytes()))
    looked = CliRunner().invoke(load(), ["preflight", str(tmp_path / "out")])
    assert (looked.exit_code, why in str(looked.exception)) == (1, True)
    assert CliRunner().invoke(load(), [*arguments, "--allow-empty"]).exit_code == 0


def test_of_logs_that_give_nothing_there_are_a_table_a_report_three_reasons_and_a_remedy(tmp_path: Path) -> None:
    events = [{"type": "track", "event": name, "messageId": f"{name}{i}"} for name in "ABCD" for i in range(ord(name))]
    (tmp_path / "logs.json").write_text("\n".join(map(json.dumps, events)))
    report = tmp_path / "report.json"
    done = CliRunner().invoke(
        load(), ["export", str(tmp_path / "logs.json"), str(tmp_path / "out"), "--report", str(report)]
    )
    assert (done.exit_code, json.loads(report.read_bytes())["events"]["unmapped"]) == (1, len(events))
    assert "Nothing was written" in done.stdout
    assert "Left out" in done.stdout
    why = "; ".join(f"{ord(name)} x track {name}: no rule for this event" for name in "DCB")
    assert (
        f"produced no rows: 266 events read, 266 without a rule, 0 refused, 0 malformed lines; most often {why}. "
        in str(done.exception)
    )
    assert "Run `personalize-segment check --logs` to compare the logs" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("total", "share"), [(0, 1), (1, 1), (19, 10), (20, 10), (21, 6), (40, 10), (41, 7)])
def test_work_is_shared_evenly(total: int, share: int) -> None:
    assert even_share(total, workers=2, most=10) == share
