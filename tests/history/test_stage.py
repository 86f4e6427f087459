"""An export with a stage equals one without, whatever happened to logs, stage and output."""

import errno
import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.contract.report import Report
from personalize_segment.contract.suppression import SuppressionList, empty
from personalize_segment.errors import OutputError
from personalize_segment.history import export as module
from personalize_segment.history import stage
from personalize_segment.history.duckdb import fold
from personalize_segment.history.duckdb.fold import PART_ROWS
from personalize_segment.history.duckdb.forgetting import forget
from personalize_segment.history.export import export
from personalize_segment.history.logs import Window
from programs import installed
from shop_days import FIRST, Shop

COMMAND = installed() / "personalize-segment"
MAPPING = parse(default_text())
OTHER = parse(json.dumps({name: body for name, body in json.loads(default_text()).items() if name != "items"}))

Files = dict[str, bytes]
Whole = tuple[Report, Files]


def contents(folder: Path) -> Files:
    """Return the bytes of all files below a folder, unzipped."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in files.items()}


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """Use several batches per export, several parts per day, and slices of keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL_BATCH_BYTES", 1)
        patch.setattr(fold, "PART_ROWS", 40)
        patch.setattr(fold, "SLICE_ROWS", 500)
        yield


@cache
def whole(tree: Path, mapping: EventMapping, parts: int, logs: frozenset[tuple[str, bytes]], **options: Any) -> Whole:
    """Return the report and the files of an export without a stage, in one batch. `logs` are the files in `tree`."""
    with TemporaryDirectory() as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL_BATCH_BYTES", module.BATCH_BYTES)
        report = export(str(tree), out, mapping, **options)
        return report, contents(Path(out))


class Nights:
    """An output that is exported with a stage and compared with an export without."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.tree = shop, shop.tree
        self.stage, self.out = folder / "stage", folder / "out"
        self.said: list[str] = []
        #: The parts of interactions in the output, with the time of their last change.
        self.parts: dict[str, int] = {}

    def night(self, mapping: EventMapping = MAPPING, **options: Any) -> None:
        """Export, and check that the output equals one without a stage."""
        self.said.clear()
        report = export(str(self.tree), str(self.out), mapping, stage=str(self.stage), say=self.said.append, **options)
        assert (report, contents(self.out)) == self.whole(mapping, **options)

    def whole(self, mapping: EventMapping = MAPPING, **options: Any) -> Whole:
        """Return the report and the files of an export without a stage."""
        logs = {(str(path), path.read_bytes()) for path in self.tree.rglob("*") if path.is_file()}
        return whole(self.tree, mapping, fold.PART_ROWS, frozenset(logs), **options)

    def written(self) -> set[str]:
        """Return the parts of interactions that the last export wrote again."""
        before = self.parts
        self.parts = {path.name: path.stat().st_mtime_ns for path in (self.out / "interactions").iterdir()}
        return {name for name, at in self.parts.items() if before.get(name) != at}


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Return the first night of a shop that is five days old."""
    folder = tmp_path_factory.mktemp("nights")
    nights = Nights(Shop(folder / "now" / "logs", 1), folder / "now")
    for number in range(5):
        nights.shop.day(number)
    nights.night()
    (folder / "now").rename(folder / "first")
    return nights


@pytest.fixture
def nights(first_night: Nights) -> Nights:
    """Return the nights of a shop that is five days old, after the first one. All tests use one folder."""
    now = first_night.out.parent
    shutil.rmtree(now, ignore_errors=True)
    shutil.copytree(now.with_name("first"), now)
    return Nights(deepcopy(first_night.shop), now)


@pytest.mark.parametrize("seed", [1])
def test_each_night_gives_what_all_logs_give(tmp_path: Path, seed: int) -> None:
    shop = Shop(tmp_path / "logs", seed)
    nights = Nights(shop, tmp_path)
    for number in range(10):
        shop.day(number)
        if number % 3 == 2:
            shop.day(number - 1, name="late.gz")
        if number == 7:
            shop.day(1, name="very-late.gz")
        nights.night()
        changed = {2: 2, 5: 2, 7: 2, 8: 2}.get(number, 1)
        assert nights.said == [f"{changed} of {number + 1} days are new to the stage"]


def test_sixty_days_and_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "logs", 4)
    nights = Nights(shop, tmp_path)
    for number in range(60):
        shop.day(number, 20)
    export(str(nights.tree), str(nights.out), MAPPING, stage=str(nights.stage))
    nights.written()
    shop.day(60, 20)
    nights.night()
    assert nights.said == ["1 of 61 days are new to the stage"]
    # Logins of the last days give some older visits another user; most days stay as they are.
    assert len(nights.written()) < len(nights.parts) / 2
    shop.day(2, 20, "late.gz")
    nights.night()


def test_a_login_rewrites_only_the_visits_of_older_days(nights: Nights) -> None:
    event = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1"}, "anonymousId": "new"}
    days = sorted((nights.tree / "source").iterdir())
    for day, user in ((days[1], {}), (days[3], {}), (days[4], {"userId": "u1"})):
        at = {"messageId": f"m{day.name}", "timestamp": "2024-03-01T00:00:00.000Z"}
        (day / "2.json").write_text(json.dumps(event | at | user), "utf-8")
        nights.written()
        nights.night()
    parts = {name.removesuffix(".csv")[:-5] for name in nights.written()}
    assert parts == {"part-2024-03-02-visits-", "part-2024-03-04-visits-", "part-2024-03-05-"}


def test_a_login_on_the_second_day_changes_the_first(tmp_path: Path) -> None:
    nights = Nights(Shop(tmp_path / "logs", 1), tmp_path)
    event = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1"}, "anonymousId": "new"}
    for day, user in (("1709251200000", {}), ("1709337600000", {"userId": "u1"})):
        at = {"messageId": f"m{day}", "timestamp": "2024-03-01T00:00:00.000Z"}
        folder = nights.tree / "source" / day
        folder.mkdir(parents=True)
        (folder / "1.json").write_text(json.dumps(event | at | user), "utf-8")
        nights.night(allow_empty=True)
    assert len(nights.written()) == 2


def test_orders_whose_first_copies_vanish_come_back(tmp_path: Path) -> None:
    nights = Nights(Shop(tmp_path / "logs", 1), tmp_path)
    products = [{"product_id": "p1"}, {"product_id": "p2"}]
    event = {"type": "track", "event": "Order Completed", "properties": {"products": products}, "userId": "u1"}
    orders = [event | {"messageId": one, "timestamp": "2024-03-01T00:00:00.000Z"} for one in ("m1", "m2")]
    for day in ("1709251200000", "1709337600000"):
        folder = nights.tree / "source" / day
        folder.mkdir(parents=True)
        (folder / "1.json").write_text("\n".join(map(json.dumps, orders)), "utf-8")
    nights.night()
    shutil.rmtree(nights.tree / "source" / "1709251200000")
    nights.night()


def test_a_day_without_news_is_not_written_again(nights: Nights) -> None:
    nights.written()
    nights.night()
    assert nights.said == ["0 of 5 days are new to the stage"]
    assert nights.written() == set()


def test_what_somebody_changed_in_the_output_is_written_again(nights: Nights) -> None:
    first, *others = sorted((nights.out / "interactions").iterdir())
    first.write_bytes(b"USER_ID\nsomebody\n")
    others[0].unlink()
    nights.night()
    shutil.rmtree(nights.out)
    nights.night()


def test_another_mapping_stages_all_days_again_and_says_so(nights: Nights) -> None:
    nights.night(OTHER)
    why = "the event mapping, or this package, has changed"
    assert nights.said == [f"5 of 5 days are new to the stage: {why}"]
    nights.night()
    assert nights.said == ["0 of 5 days are new to the stage"]


def test_a_window_folds_its_days(nights: Nights) -> None:
    for since, until in ((FIRST + timedelta(days=2), None), (None, FIRST + timedelta(days=3))):
        nights.night(window=Window(since, until))
        assert nights.said == [f"0 of {4 if since else 3} days are new to the stage"]
    nights.night()


def test_suppressed_users_are_left_out_of_staged_days(nights: Nights) -> None:
    some: SuppressionList = empty().plus(["u1", "u4", "a3"])
    for listed in (some, some.plus(["u2"]), None):
        nights.night(suppressed=listed)
        assert listed is None or b"u1," not in b"".join(contents(nights.out).values())


@pytest.mark.parametrize("visitors", ["stitch", "as_users", "drop"])
def test_forgotten_users_leave_the_stage_and_are_counted_as_suppressed(nights: Nights, visitors: str) -> None:
    document = json.loads(default_text())
    document["interactions"]["visitors"] = visitors
    mapping, gone = parse(json.dumps(document)), ["u1", "u4", "a3"]
    nights.night(mapping)
    assert any(b"u4" in data for name, data in contents(nights.stage).items() if name.endswith(".parquet"))
    rows = forget(str(nights.stage), gone)
    assert rows
    for name, data in contents(nights.stage).items():
        # Ids of events are random.
        assert name.endswith(".json") or not any(re.search(rb"\b%s\b" % user.encode(), data) for user in gone), name
    assert forget(str(nights.stage), gone) == 0
    nights.night(mapping, suppressed=empty().plus(gone))
    assert nights.said == ["0 of 5 days are new to the stage"]


def test_logs_in_no_day_s_folder_come_first(nights: Nights) -> None:
    (nights.tree / "undated.gz").write_bytes(next(nights.tree.rglob("1.gz")).read_bytes())
    nights.night()
    nights.night()
    assert nights.said == ["0 of 6 days are new to the stage"]


@pytest.mark.parametrize("gone", [[[1], [4]], [[4], [2]], [[3, 4]], [[4], [3], [2], [1]]], ids=str)
def test_a_log_that_vanishes_takes_its_rows_along(nights: Nights, gone: list[list[int]]) -> None:
    days = sorted((nights.tree / "source").iterdir())
    for vanishing in gone:
        for number in vanishing:
            shutil.rmtree(days[number])
        nights.night()


@pytest.mark.parametrize(
    "damage",
    ["gone", "short", "no manifest", "manifest", "fold", "cut fold", "no fold", "fold's file", "cut fold's file"],
)
def test_what_is_not_whole_is_staged_again(nights: Nights, damage: str) -> None:
    (state,) = nights.stage.rglob("folds/*.json")
    day = next(nights.stage.rglob("2024-03-03"))
    (manifest,) = day.glob("*.json")
    interactions = next(day.glob("*.interactions.parquet"))
    copies = next(nights.stage.rglob("*.copies.parquet"))
    ways: dict[str, Callable[[], object]] = {
        "gone": interactions.unlink,
        "short": lambda: interactions.write_bytes(interactions.read_bytes()[:-9]),
        "no manifest": manifest.unlink,
        "manifest": lambda: manifest.write_bytes(manifest.read_bytes()[:-9]),
        "fold": lambda: state.write_text('{"conditions": 1}'),
        "cut fold": lambda: state.write_bytes(state.read_bytes()[:-9]),
        "no fold": state.unlink,
        "fold's file": copies.unlink,
        "cut fold's file": lambda: copies.write_bytes(copies.read_bytes()[:-9]),
    }
    ways[damage]()
    nights.night()
    again = ["all days are combined again: the stage's record of the last export can't be read"]
    said = again if damage in {"fold", "cut fold", "fold's file", "cut fold's file"} else []
    assert nights.said == [f"{0 if 'fold' in damage else 1} of 5 days are new to the stage", *said]


def test_leftovers_go_after_a_day(nights: Nights) -> None:
    day = next(nights.stage.rglob("2024-03-03"))
    left = {day / f"{name}.parquet": old for name, old in (("dead.run.1.keys", True), ("busy.run.1.keys", False))}
    for path, old in left.items():
        path.write_bytes(b"left")
        os.utime(path, (1, 1) if old else None)
    nights.shop.day(2, name="late.gz")
    before = set(nights.stage.rglob("*"))
    nights.night()
    assert {path.exists() for path, old in left.items() if old} == {False}
    assert {path.exists() for path, old in left.items() if not old} == {True}
    # What the day was before stays for a day, because another run may read it.
    assert [path for path in before if not path.exists()] == [path for path, old in left.items() if old]
    for path in day.iterdir():
        os.utime(path, (1, 1))
    nights.night()
    (manifest,) = day.glob("*.json")
    assert {path.name.split(".")[0] for path in day.iterdir()} == {manifest.stem}


def test_files_of_earlier_folds_go_after_a_day(nights: Nights) -> None:
    before = set(nights.stage.rglob("folds/*.parquet"))
    for path in before:
        os.utime(path, (1, 1))
    nights.shop.day(5)
    nights.night()
    assert before.isdisjoint(nights.stage.rglob("folds/*.parquet"))
    nights.night()
    assert nights.said == ["0 of 6 days are new to the stage"]


def test_what_no_stage_wrote_is_left_alone(nights: Nights, tmp_path: Path) -> None:
    theirs = [nights.stage / name for name in ("mine.txt", "photos/days/1.json", "a/folds/x.json")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
        os.utime(path, (1, 1))
    forget(str(nights.stage), ["u1"])
    [own] = [one.name for one in stage.sizes(str(nights.stage))]
    stage.Stage.open(str(nights.stage), own, "", tmp_path / "work").prune()
    assert [path.read_bytes() for path in theirs] == [b"mine"] * 3
    assert [one.name for one in stage.sizes(str(nights.stage))] == [own]


def test_a_stage_may_be_on_another_file_system(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def far(source: str, target: str, **options: Any) -> None:
        if str(target).endswith(".parquet") and str(nights.stage) in str(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", far)
    nights.shop.day(5)
    nights.night()


def test_a_stage_is_for_its_owner(nights: Nights) -> None:
    assert nights.stage.stat().st_mode & 0o077 == 0


def test_two_at_once_harm_nothing(nights: Nights, tmp_path: Path) -> None:
    nights.stage = tmp_path / "stage"
    outs = [tmp_path / f"out{number}" for number in range(3)]

    def run(out: Path) -> None:
        export(str(nights.tree), str(out), MAPPING, stage=str(nights.stage))

    threads = [threading.Thread(target=run, args=[out]) for out in outs]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(contents(out) == nights.whole()[1] for out in outs)
    nights.night()


def test_a_killed_run_leaves_what_the_next_one_goes_on_from(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [str(COMMAND), "export", str(nights.tree), str(nights.out), "--stage", str(nights.stage)]
    chosen = random.Random(7)
    shutil.rmtree(nights.stage)
    shutil.rmtree(nights.out)
    monkeypatch.setattr(fold, "PART_ROWS", PART_ROWS)  # the commands' size, so that their last fold is used
    for number in range(5, 9):
        nights.shop.day(number, 2000)
        for _ in range(2):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chosen.uniform(0.3, 2))
            process.send_signal(signal.SIGKILL)
            process.wait()
    nights.night()
    for path in nights.stage.rglob(".*"):
        os.utime(path, (1, 1))
    nights.night()
    assert not list(nights.stage.rglob(".*"))


def objects(s3: Any, bucket: str, prefix: str) -> Files:
    """Return the bytes of the objects below a prefix, unzipped."""
    found: Files = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            data = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            name = one["Key"].removeprefix(prefix)
            found[name] = gzip.decompress(data) if name.endswith(".gz") else data
    return found


def refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not today"}}, "Call")


def test_a_stage_in_s3_works_with_pages_throttling_and_lost_connections(
    nights: Nights, s3_env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    calls = iter(range(10**6))

    def trouble(request: Any, **_: Any) -> Any:
        # Not the last of three attempts, which no one would repeat. Threads take turns at random.
        if next(calls) % 7 == 3 and b"attempt=3" not in request.headers["amz-sdk-request"]:
            raise EndpointConnectionError(endpoint_url="https://s3")

    def pages(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 7

    def note(keys: set[str], params: dict[str, Any], **_: Any) -> None:
        keys.add(params["Key"])

    session.events.register("before-send.s3", trouble)
    session.events.register("provide-client-params.s3.ListObjectsV2", pages)
    stage_, out = f"s3://{s3_env}/stage/", f"s3://{s3_env}/out"
    for number in (5, 6):
        nights.shop.day(number)
        export(str(nights.tree), out, MAPPING, stage=stage_, say=nights.said.append)
        assert objects(boto3.client("s3"), s3_env, "out/") == nights.whole()[1]
    assert nights.said == ["6 of 6 days are new to the stage", "1 of 7 days are new to the stage"]
    assert stage.sizes(stage_)[0].days[-1] == "2024-03-07"
    copied: set[str] = set()
    uploaded: set[str] = set()
    for call, keys in (("CopyObject", copied), ("CreateMultipartUpload", uploaded)):
        session.events.register(f"provide-client-params.s3.{call}", partial(note, keys))
    export(str(nights.tree), out, MAPPING, stage=stage_)
    # Otherwise a lifecycle rule would expire parts that no night has to write again.
    assert copied == {f"out/{name}" for name in nights.whole()[1] if name.startswith("interactions/")}
    assert not uploaded & copied
    before = objects(boto3.client("s3"), s3_env, "out/")
    session.events.register("before-call.s3.CopyObject", refuse)
    nights.shop.day(7)
    with pytest.raises(OutputError, match="not today"):
        export(str(nights.tree), out, MAPPING, stage=stage_)
    s3 = boto3.client("s3")
    assert objects(s3, s3_env, "out/") == before
    assert not s3.list_multipart_uploads(Bucket=s3_env).get("Uploads")


def test_a_stage_that_may_not_be_written_is_named(
    nights: Nights, s3_env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    session.events.register("before-call.s3.PutObject", refuse)
    with pytest.raises(OutputError, match="not today") as raised:
        export(str(nights.tree), str(tmp_path / "out"), MAPPING, stage=f"s3://{s3_env}/stage")
    assert raised.value.place == f"s3://{s3_env}/stage"
    assert not (tmp_path / "out").exists()


def test_a_stage_that_no_export_wrote_is_refused_and_not_created(tmp_path: Path) -> None:
    for verb in ("list", "prune"):
        done = subprocess.run([COMMAND, "stage", verb, tmp_path / "typo"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{tmp_path / 'typo'}: no such stage. Pass the folder or s3:// prefix" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_stage_inside_the_logs_is_refused(nights: Nights) -> None:
    for inside in (nights.tree, nights.tree / "stage", nights.tree / "source" / ".." / "x"):
        with pytest.raises(OutputError, match="is inside the logs"):
            export(str(nights.tree), str(nights.out), MAPPING, stage=str(inside))


def test_an_empty_prefix_is_no_stage(s3_env: str, tmp_path: Path) -> None:
    place = f"s3://{s3_env}/typo/"
    for opened in (lambda: stage.sizes(place), lambda: stage.Stage.existing(place, "0" * 16, tmp_path)):
        with pytest.raises(OutputError, match="no such stage"):
            opened()
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=s3_env)


def test_the_verbs_of_a_stage(nights: Nights, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> str:
        return subprocess.run([COMMAND, "stage", *arguments], check=True, capture_output=True, text=True).stdout

    nights.night()
    nights.night(OTHER)
    listed = json.loads(run("list", nights.stage, "--json"))
    assert {one["mapping_sha256"] for one in listed} == {MAPPING.sha256, OTHER.sha256}
    assert [one["days"][0] for one in listed] == ["2024-03-01"] * 2
    (tmp_path / "mapping.json").write_text(MAPPING.text)
    run("prune", nights.stage, "--mapping", tmp_path / "mapping.json")
    assert [one["mapping_sha256"] for one in json.loads(run("list", nights.stage, "--json"))] == [MAPPING.sha256]
    assert MAPPING.sha256[:12] in run("list", nights.stage)
    (tmp_path / "mapping.json").write_text(OTHER.text)
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run("prune", nights.stage, "--mapping", tmp_path / "mapping.json")
    assert "has no day of this event mapping and version" in raised.value.stderr
    nights.night()
    assert nights.said == ["0 of 5 days are new to the stage"]
