"""Spark with a stage equals Spark without and DuckDB, on one machine and on several."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

import engines
from engines import glue_script, read_csv
from java import Java
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.contract.report import Report
from personalize_segment.contract.suppression import SuppressionList, empty
from personalize_segment.history.export import export
from personalize_segment.history.logs import Window
from personalize_segment.history.stage import Stage
from shop_days import Shop

MAPPING = parse(default_text())
OTHER = parse(json.dumps({name: body for name, body in json.loads(default_text()).items() if name != "items"}))
ALL = Window()

#: The job, with one file per task and one task per core in each Spark job.
ONE_BY_ONE = f"""
import sys
sys.path.insert(0, {str(Path(engines.__file__).parent)!r})
from engines import glue_script
from personalize_segment.history import logs
batches, job = logs.batches, glue_script()
logs.batches, job.JOB_TASKS = lambda files, _: batches(files, 1), 1
job.main(sys.argv[1:])
"""


def rows(out: Path) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of each dataset, sorted."""
    return {
        name: sorted(row for _, part in read_csv(out / name) for row in part)
        for name in ("interactions", "users", "items")
    }


class Nights:
    """A tree of logs that Spark and DuckDB export with one stage, and their reports.

    Fewer events than `driver_events` are folded by Spark's driver.
    """

    def __init__(self, spark: SparkSession, shop: Shop, folder: Path, driver_events: int = 0) -> None:
        self._spark, self._tree, self._folder = spark, str(shop.tree), folder
        self._run = partial(glue_script().run, driver_events=driver_events)
        self._driver_events = driver_events
        self.stage = folder / "stage"

    def spark(self, mapping: EventMapping = MAPPING, suppressed: SuppressionList | None = None) -> Report:
        """Export with Spark, and check that the output equals DuckDB's without a stage."""
        out, whole = self._folder / "spark", self._folder / "whole"
        given = self._spark, self._tree, str(out), mapping, ALL, suppressed
        report: Report = self._run(*given, stage=f"file:{self.stage}/")
        assert report == export(self._tree, str(whole), mapping, suppressed=suppressed)
        assert rows(out) == rows(whole)
        # Spark names its parts after a job, the driver after the day.
        [of_driver] = {part.name.startswith("part-2024-") for part in (out / "interactions").iterdir()}
        assert of_driver == (report.events_read < self._driver_events)
        return report

    def duckdb(self, mapping: EventMapping = MAPPING) -> None:
        """Export with DuckDB."""
        export(self._tree, str(self._folder / "duckdb"), mapping, stage=str(self.stage))


@pytest.mark.parametrize("driver_events", [0, 1_000_000], ids=["fold on Spark", "fold on the driver"])
def test_spark_and_duckdb_share_a_stage(
    driver_events: int, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(tmp_path / "logs", 5)
    for number in range(6):
        shop.day(number)
    nights = Nights(spark, shop, tmp_path, driver_events)

    def told(run: Callable[[], object]) -> str:
        capsys.readouterr()
        run()
        return capsys.readouterr().out.splitlines()[0]

    nights.duckdb()
    assert told(nights.spark) == "0 of 6 days are new to the stage"
    shop.day(6)
    shop.day(2, name="late.gz")
    assert told(nights.spark) == "2 of 7 days are new to the stage"
    nights.duckdb()
    assert told(lambda: nights.spark(OTHER)) == "7 of 7 days are new to the stage"
    gone = empty().plus(["u1", "u2"])
    assert told(lambda: nights.spark(MAPPING, gone)) == "0 of 7 days are new to the stage"
    for record in nights.stage.rglob("folds/*.json"):
        record.write_text("{}")
    nights.spark()
    # Spark's fold has no record.
    said = ["all days are combined again: the stage's record of the last export can't be read"] if driver_events else []
    who = "the driver" if driver_events else "Spark SQL"
    assert capsys.readouterr().out.splitlines() == [
        "0 of 7 days are new to the stage", f"{who} folds 480 events", *said
    ]  # fmt: skip


def test_a_job_that_is_stopped_leaves_the_days_that_it_has_read(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(tmp_path / "logs", 6)
    for number in range(6):
        shop.day(number)
    nights, keep, kept = Nights(spark, shop, tmp_path), Stage.keep, []

    def stopped(*given: object) -> object:
        kept.append(keep(*given))  # type: ignore[arg-type]
        if len(kept) == 2:
            raise TimeoutError
        return kept[-1]

    monkeypatch.setattr(Stage, "keep", stopped)
    with pytest.raises(TimeoutError):
        nights.spark()
    monkeypatch.undo()
    capsys.readouterr()
    nights.spark()
    assert capsys.readouterr().out.startswith("4 of 6 days are new to the stage\n")


@contextmanager
def running(folder: Path, java: Java) -> Iterator[subprocess.Popen[str]]:
    """Yield the job on a cluster of two workers, which are processes with one core each."""
    with java.environment() as variables:
        quick = "spark.executor.extraJavaOptions='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'"
        submitted = f"--master local-cluster[2,1,1024] --conf spark.executor.memory=512m --conf {quick} pyspark-shell"
        given = ("--S3_JSON_INPUT_PATH", folder / "logs", "--S3_CSV_OUTPUT_PATH", folder / "out")
        process = subprocess.Popen(
            [sys.executable, "-c", ONE_BY_ONE, *map(str, given), "--stage", f"{folder}/stage", "--driver_events", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | variables | {"PYSPARK_SUBMIT_ARGS": submitted},
        )
        try:
            yield process
        finally:
            for one in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()
            process.communicate()


def executors(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes of the workers that run tasks."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # or a zombie
            found += [one] if any("CoarseGrainedExecutorBackend" in word for word in one.cmdline()) else []
    return found


def staged(folder: Path) -> int:
    """Return how many days the stage has as a whole."""
    return len(list((folder / "stage").glob("*/days/*/*.json")))


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a running job does."""
    ends = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_on_several_machines_killed_jobs_and_killed_workers_change_nothing(tmp_path: Path, java: Java) -> None:
    shop = Shop(tmp_path / "logs", 7)
    for number in range(7):
        shop.day(number)
    with running(tmp_path, java) as process:
        until(lambda: staged(tmp_path) >= 2, process)
    assert not (tmp_path / "out" / "report.json").exists()
    before = staged(tmp_path)
    with running(tmp_path, java) as process:
        until(lambda: staged(tmp_path) > before, process)
        executors(process)[0].kill()
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert f"{7 - before} of 7 days are new to the stage" in said
    export(str(shop.tree), str(tmp_path / "whole"), MAPPING)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")
