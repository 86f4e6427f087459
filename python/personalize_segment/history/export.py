"""Export Segment logs to CSV for Amazon Personalize, on one machine.

DuckDB reads the files of a day in batches, one per core at a time. S3 objects are fetched while other batches are read.
`fold` merges all days into an export, and `publish` moves it to the output.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import cache
from itertools import count, islice
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, NamedTuple

from ..contract.layout import REPORT_NAME
from ..contract.mapping import EventMapping
from ..contract.report import Report
from ..contract.suppression import SuppressionList
from ..duckdb_errors import duckdb_errors
from ..errors import LogsError, OutputError
from ..places import errors_at, is_inside, place
from . import logs
from .duckdb.days import StagedDay
from .duckdb.engine import Engine, stage_key
from .duckdb.fold import Fold, even_share
from .duckdb.streams import Fetched
from .duckdb.worker import KEYS, Worker
from .last_fold import LastFold
from .logs import LogFile, Window
from .publish import publish, staging, standing
from .stage import Day, Stage, Staged, days_of, settled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes on disk per core at a time. They determine the memory of the export.
BATCH_BYTES = 32 << 20
#: Minimum bytes of a batch. Planning its statements takes as long as reading twice as many.
SMALL_BATCH_BYTES = 1 << 20
#: DuckDB memory limit before spilling to disk.
MEMORY = "1GB"

#: Called with the bytes done and the total bytes.
Progress = Callable[[int, int], None]


class Request(NamedTuple):
    """What to export: the parameters of `export` that a fold needs."""

    tree: str
    out: str
    mapping: EventMapping
    window: Window
    suppressed: SuppressionList | None
    allow_empty: bool


def export(
    tree: str,
    out: str,
    mapping: EventMapping,
    *,
    window: Window | None = None,
    suppressed: SuppressionList | None = None,
    allow_empty: bool = False,
    memory: str = MEMORY,
    stage: str | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda message: None,
) -> Report:
    """Write the rows of the logs in `tree` to `out`, replacing an earlier export there, and return its report.

    `tree`, `out` and `stage` are folders or S3 URIs. Days in `stage` aren't read again, and all other days are added to
    it. Rows of `suppressed` users are left out and counted as refused. `memory` limits DuckDB before it spills to disk
    (docs/benchmarks.md has the process's peak). `progress` gets the bytes done and in total, `say` messages for people.

    `out` also holds the report, as `report.json`. Raises LogsError and OutputError. Unless `allow_empty`, raises
    EmptyError if the export has no rows, or none of a dataset that has rows in `out`. An error leaves `out` unchanged.

        report = export("segment-logs", "training-data", parse(default_text()))
        print(report.datasets["interactions"].rows)
    """
    root = place(tree)
    if stage and is_inside(place(stage), root):
        raise OutputError(stage, "is inside the logs, where the next export would read it", "Choose another folder")
    request = Request(tree, out, mapping, window or Window(), suppressed, allow_empty)
    files = logs.sort_out(logs.list_files(root, tree), request.window, root=tree)
    report = Report.of(mapping)
    report.files_skipped += files.skipped
    days = days_of(files)
    with (
        staging(out) as work,
        duckdb_errors(out, OutputError),
        closing(Engine.start(mapping, work, memory)) as engine,
    ):
        store = Stage.open(stage, stage_key(engine.compiler), mapping.sha256, work / "staged") if stage else None
        staged = _stage(engine, store, days, root.s3, work, progress, say)
        last = LastFold.of(store, out, days, request.window, suppressed, say) if store else None
        _fold(request, engine, work, store, days, staged, last, report)
    return report


def fold(
    request: Request,
    store: Stage,
    days: Sequence[Day],
    staged: Mapping[Day, Staged],
    last: LastFold | None,
    report: Report,
) -> None:
    """Write the rows of days that are all staged, and count them in `report`, as `export` does.

    With the `last` fold, record this one in the stage, so that the next one reads less.
    """
    out = request.out
    with (
        staging(out) as work,
        duckdb_errors(out, OutputError, "Use a larger worker type, or lower --driver_events"),
        closing(Engine.start(request.mapping, work, MEMORY)) as engine,
    ):
        _fold(request, engine, work, store, days, staged, last, report)


def _fold(
    request: Request,
    engine: Engine,
    work: Path,
    store: Stage | None,
    days: Sequence[Day],
    staged: Mapping[Day, Staged],
    last: LastFold | None,
    report: Report,
) -> None:
    out, suppressed = request.out, request.suppressed
    before = last.before if last else None
    fetch = store.fetch if store else _local
    known = before.settled if before else ()
    # All at once, because S3 serves requests in parallel. Of settled days, only a few are needed in full.
    fetch([name for day in days for kind, names in staged[day].files.items()
           if kind == KEYS or day.number not in known for name in names])  # fmt: skip
    folded = Fold(
        engine.connection,
        engine.compiler,
        work,
        [_staged_day(day, staged[day], fetch) for day in days],
        suppressed,
        before,
        settled(days) if last else None,
        os.cpu_count() or 1,
    )
    folded.run(report)
    if suppressed is not None and suppressed.hashes:
        report.withhold()
    if not request.allow_empty:
        report.refuse_empty(request.tree, out, standing(out), window=request.window.bounded)
    (work / REPORT_NAME).write_text(report.as_json(), "utf-8")
    publish(work, out, last.unchanged(folded.days, work) if last else ())
    if store and last:
        last.remember(store, out, folded, days)
        store.sweep(staged)


def _stage(
    engine: Engine,
    store: Stage | None,
    days: Sequence[Day],
    s3: "S3Client | None",
    work: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> dict[Day, Staged]:
    """Return the staged rows of all days. Days that the stage doesn't have are read first."""
    staged = store.find(days) if store else {}
    missing = [day for day in days if day not in staged]
    if store:
        why = ": the event mapping, or this package, has changed" if store.others else ""
        say(f"{len(missing):,} of {len(days):,} days are new to the stage{why}")
    workers = os.cpu_count() or 1
    total = sum(file.bytes for day in missing for file in day.files)
    size = min(BATCH_BYTES, max(SMALL_BATCH_BYTES, even_share(total, workers, BATCH_BYTES)))
    batches = list(logs.batches([file for day in missing for file in day.files], size))
    by_number = {day.number: day for day in missing}
    left = Counter(number for batch in batches for number in _numbers(batch))
    reports = {number: Report.of(engine.compiler.mapping) for number in by_number}
    free: Queue[Worker] = Queue()
    readers = [engine.worker() for _ in range(workers)]
    for reader in readers:
        free.put(reader)
    folder = work / "days"
    folder.mkdir()
    waiting = iter(batches)
    done = 0
    with ThreadPoolExecutor(workers, "reading") as pool, _fetcher(s3, work) as fetch:

        def take(coming: "list[Future[Fetched]]") -> dict[int, Report]:
            batch = [fetched.result() for fetched in coming]
            parts = {file.number: Report.of(engine.compiler.mapping) for file, _ in batch}
            worker = free.get()
            try:
                worker.take(batch, folder, parts)
            finally:
                free.put(worker)
            for file, path in batch:
                if str(path) != file.name:
                    path.unlink()
            return parts

        def submit(batch: list[LogFile]) -> "Future[dict[int, Report]]":
            return pool.submit(take, [fetch(file) for file in batch])

        try:
            # One batch more than workers, so that the files of the next one are fetched in the meantime.
            running = {submit(batch): batch for batch in islice(waiting, workers + 1)}
            while running:
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    batch = running.pop(finished)
                    for number, part in finished.result().items():
                        reports[number].merge(part)
                        left[number] -= 1
                        if not left[number]:
                            # Immediately, so that a killed run leaves complete days.
                            day = by_number[number]
                            staged[day] = _kept(store, day, folder / str(number), reports[number])
                    done += sum(file.bytes for file in batch)
                    progress(done, total)
                    running |= {submit(batch): batch for batch in islice(waiting, 1)}
        except BaseException:
            # If the memory is short, a batch may take minutes.
            for reader in readers:
                reader.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            for worker in list(free.queue):
                worker.close()
    return staged


def _numbers(batch: Iterable[LogFile]) -> list[int]:
    """Return the numbers of the days in a batch."""
    return list(dict.fromkeys(file.number for file in batch))


def _kept(store: Stage | None, day: Day, folder: Path, report: Report) -> Staged:
    if store:
        return store.keep(day, store.put(day.start, folder), report)
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("*")):
        files[path.name.partition("-")[0]].append(str(path))
    return Staged(report, files)


def _staged_day(day: Day, staged: Staged, fetch: Callable[[Sequence[str]], list[Path]]) -> StagedDay:
    name = "" if day.day is None else f"{day.name}-"
    return StagedDay(day.number, name, day.old, staged.report, cache(lambda kind: fetch(staged.files.get(kind, []))))


def _local(names: Sequence[str]) -> list[Path]:
    return [Path(name) for name in names]


@contextmanager
def _fetcher(s3: "S3Client | None", work: Path) -> "Iterator[Callable[[LogFile], Future[Fetched]]]":
    """Yield a function that returns the future local copy of a file: the file itself, or a download."""
    folder = work / "fetched"
    folder.mkdir()
    numbers = count()
    with ThreadPoolExecutor(8) as pool:

        def fetch(file: LogFile) -> Fetched:
            with errors_at(file.name, LogsError):
                return file, place(file.name, s3).fetch(folder / str(next(numbers)))

        yield lambda file: pool.submit(fetch, file)
        pool.shutdown(cancel_futures=True)
