"""Segment logs -> CSV for Amazon Personalize on one machine.

The files of a window go through DuckDB in batches, one per core at a time. S3 objects are
fetched while others are worked on. `publish` puts the result in place.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from itertools import count, islice
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import duckdb

from ..contract.layout import REPORT_NAME
from ..contract.mapping import EventMapping
from ..contract.report import Report
from ..contract.suppression import SuppressionList
from ..errors import LogsError, OutputError
from ..places import LocalPlace, errors_at, place
from . import logs
from .duckdb.engine import Engine
from .duckdb.streams import Fetched
from .duckdb.worker import Worker
from .logs import LogFile, Window
from .publish import publish, staging, standing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes on disk that a core works on at a time: the export's memory follows from it.
BATCH_BYTES = 32 << 20
#: What DuckDB keeps before it spills to disk.
MEMORY = "1GB"

#: Called with bytes done and bytes in all.
Progress = Callable[[int, int], None]


def export(
    tree: str,
    out: str,
    mapping: EventMapping,
    *,
    window: Window | None = None,
    suppressed: SuppressionList | None = None,
    allow_empty: bool = False,
    memory: str = MEMORY,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Write the rows of the logs in `tree` to `out`, replacing an earlier export there.

    Both are a folder or an S3 URI. Rows of `suppressed` users are left out and counted as refused.
    `memory` bounds what DuckDB keeps before it spills to disk (docs/benchmarks.md has the process's
    peak). Returns the report that `out` then holds too. Raises LogsError, OutputError, or, unless
    `allow_empty`, EmptyError when not one row came out, or none of a dataset of which `out` has some;
    nothing is then changed in `out`.
    """
    root = place(tree)
    with errors_at(tree, LogsError):
        found = logs.list_folder(root.path) if isinstance(root, LocalPlace) else logs.list_bucket(root)
    files = logs.sort_out(found, window or Window(), root=tree)
    report = Report.of(mapping)
    report.files_skipped += files.skipped
    with (
        staging(out) as work,
        _engine_errors(out),
        closing(Engine.start(mapping, work, memory, suppressed)) as engine,
    ):
        _read(engine, mapping, root.s3, files, report, progress)
        engine.write(report, os.cpu_count() or 1)
        if not allow_empty:
            report.refuse_empty(tree, out, standing(out), window=window is not None and window.bounded)
        (work / REPORT_NAME).write_text(report.as_json(), "utf-8")
        publish(work, out)
    return report


def _read(
    engine: Engine,
    mapping: EventMapping,
    s3: "S3Client | None",
    files: logs.Tree,
    report: Report,
    progress: Progress,
) -> None:
    """Let the engine take all files, and count into `report`."""
    workers = os.cpu_count() or 1
    total = sum(file.bytes for file in files.overlap + files.inside)
    size = min(BATCH_BYTES, total // (2 * workers) + 1)
    batches = [(True, batch) for batch in _batches(files.overlap, size)]
    batches += [(False, batch) for batch in _batches(files.inside, size)]
    free: Queue[Worker] = Queue()
    for _ in range(workers):
        free.put(engine.worker())
    waiting = iter(batches)
    done = 0
    with ThreadPoolExecutor(workers, "reading") as pool, _fetcher(s3, engine.folder) as fetch:

        def take(old: bool, coming: "list[Future[Fetched]]") -> Report:
            part = Report.of(mapping)
            worker = free.get()
            try:
                batch = [fetched.result() for fetched in coming]
                worker.take(batch, part, old=old)
            finally:
                free.put(worker)
            for file, path in batch:
                if str(path) != file.name:
                    path.unlink()
            return part

        def submit(old: bool, batch: list[LogFile]) -> "Future[Report]":
            return pool.submit(take, old, [fetch(file) for file in batch])

        try:
            # One batch more than workers, so that the next one's files are on their way meanwhile.
            running = {submit(old, batch): batch for old, batch in islice(waiting, workers + 1)}
            while running:
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    report.merge(finished.result())
                    done += sum(file.bytes for file in running.pop(finished))
                    progress(done, total)
                    running |= {submit(old, batch): batch for old, batch in islice(waiting, 1)}
        finally:
            pool.shutdown(cancel_futures=True)
            for worker in list(free.queue):
                worker.close()


def _batches(files: Sequence[LogFile], size: int) -> Iterator[list[LogFile]]:
    """Yield the files in groups of about `size` bytes."""
    batch: list[LogFile] = []
    held = 0
    for file in files:
        batch.append(file)
        held += file.bytes
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


@contextmanager
def _fetcher(s3: "S3Client | None", work: Path) -> "Iterator[Callable[[LogFile], Future[Fetched]]]":
    """Yield what promises a local copy of a file: the file itself, or a download."""
    folder = work / "fetched"
    folder.mkdir()
    numbers = count()
    with ThreadPoolExecutor(8) as pool:

        def fetch(file: LogFile) -> Fetched:
            with errors_at(file.name, LogsError):
                return file, place(file.name, s3).fetch(folder / str(next(numbers)))

        yield lambda file: pool.submit(fetch, file)
        pool.shutdown(cancel_futures=True)


@contextmanager
def _engine_errors(out: str) -> Iterator[None]:
    """Turn what DuckDB may say for want of memory, disk or sense of a setting into our errors."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        problem = f"needs more memory or disk: {_first_line(error)}"
        raise OutputError(out, problem, "Raise --memory, or free disk space") from error
    except duckdb.Error as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            # It broke into the start of a thread, which the pool then doesn't wait for, and DuckDB refuses to close.
            raise KeyboardInterrupt from error
        raise OutputError(out, f"DuckDB failed: {_first_line(error)}", "Check --memory and the disk") from error
    except RuntimeError as error:
        if "interrupted" not in str(error):  # DuckDB's way to say Ctrl-C in the main thread
            raise
        raise KeyboardInterrupt from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
