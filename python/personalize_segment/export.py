"""Segment logs -> CSV for Amazon Personalize on one machine, with DuckDB.

Files go through in batches: each is scanned once into a narrow table, from which every
dataset takes its rows and its reasons. What must be known of all batches (repeats, the latest
row of an id) is settled at the end, on disk where it doesn't fit into memory.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from itertools import count, islice, pairwise
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from . import logs, sql
from .errors import EmptyError, LogsError
from .logs import LogFile, Window
from .mapping import Dataset, EventMapping
from .output import publish, staging
from .report import REPORT_NAME, Report
from .rows import UNMAPPED
from .sql import identifier, literal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Bytes on disk that go through DuckDB at a time: the export's memory follows from it.
BATCH_BYTES = 16 << 20
#: Rows of one CSV part, sorted at a time: about 60 MB.
PART_ROWS = 1_000_000
#: Rows whose repeats are looked for at a time.
SLICE_ROWS = 2_000_000

#: A file, and where it can be read.
Fetched = tuple[LogFile, Path]
#: Called with bytes done and bytes in all.
Progress = Callable[[int, int], None]


def export(
    tree: str,
    out: str,
    mapping: EventMapping,
    *,
    window: Window = Window(),
    memory: str = "512MB",
    progress: Progress = lambda done, total: None,
) -> Report:
    """Write the rows of the logs in `tree` to `out`, replacing an earlier export there.

    Both are a folder or an S3 URI. `memory` bounds what DuckDB keeps before it spills to disk
    (docs/benchmarks.md has the process's peak). Returns the report that `out` then holds too.
    Raises LogsError, OutputError, or EmptyError when not one row came out; nothing is then
    changed in `out`.
    """
    s3 = boto3.client("s3") if tree.startswith("s3://") else None
    with _log_errors(tree):
        found = logs.list_bucket(s3, tree) if s3 else logs.list_folder(Path(tree))
    files = logs.sort_out(found, window, root=tree)
    report = Report.of(mapping)
    report.files_skipped += files.skipped
    with staging(out) as work, closing(_connect(work, memory)) as engine:
        for dataset in mapping.datasets:
            engine.execute(_table(dataset))
        _read(engine, mapping, s3, files, work, report, progress)
        for dataset in mapping.datasets:
            _write(engine, dataset, work, report)
        if not any(one.rows for one in report.datasets.values()):
            raise EmptyError(tree, _why_empty(report), "Compare its events with the event mapping: try `personalize-segment explain`")
        (work / REPORT_NAME).write_text(report.as_json(), "utf-8")
        publish(work, out)
    return report


def _connect(work: Path, memory: str) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(str(work / "rows.duckdb"))
    engine.execute(f"SET memory_limit = {literal(memory)}")
    engine.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
    # Rows are sorted in the end: files are read side by side, in no order to rely on.
    engine.execute("SET preserve_insertion_order = false")
    return engine


def _table(dataset: Dataset) -> str:
    columns = ", ".join(f"{identifier(one.name)} {sql.SQL_TYPES[one.type]}" for one in dataset.columns)
    order = "message VARCHAR, element BIGINT, old BOOLEAN, twin UBIGINT"
    if dataset.name != "interactions":
        order = "seconds BIGINT, fraction VARCHAR"
    return f"CREATE TABLE {dataset.name} ({columns}, {order})"


def _read(
    engine: duckdb.DuckDBPyConnection,
    mapping: EventMapping,
    s3: "S3Client | None",
    files: logs.Tree,
    work: Path,
    report: Report,
    progress: Progress,
) -> None:
    """Take all files into the tables, a batch a core at a time, and count into `report`."""
    workers = os.cpu_count() or 1
    total = sum(one.bytes for one in files.overlap + files.inside)
    size = min(BATCH_BYTES, total // (2 * workers) + 1)
    batches = [(True, one) for one in _batches(files.overlap, size)] + [(False, one) for one in _batches(files.inside, size)]
    # Every worker is one thread of DuckDB's; more would only wait for each other.
    engine.execute("SET threads = 1")
    cursors: Queue[duckdb.DuckDBPyConnection] = Queue()
    for _ in range(workers):
        cursors.put(engine.cursor())
        cursors.queue[-1].execute(sql.MACROS)
    waiting = iter(batches)
    done = 0
    with ThreadPoolExecutor(workers) as pool, _fetcher(s3, work) as fetch:

        def take(old: bool, coming: "list[Future[Fetched]]") -> dict[str, Any]:
            part = Report.of(mapping)
            cursor = cursors.get()
            try:
                _take(cursor, mapping, [one.result() for one in coming], work, part, old=old)
            finally:
                cursors.put(cursor)
            return part.as_dict()

        def submit(old: bool, batch: list[LogFile]) -> "Future[dict[str, Any]]":
            return pool.submit(take, old, [fetch(file) for file in batch])

        # One batch more than workers, so that the next one's files are on their way meanwhile.
        running = {submit(*one): one for one in islice(waiting, workers + 1)}
        try:
            while running:
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    report.add(finished.result())
                    _, batch = running.pop(finished)
                    done += sum(file.bytes for file in batch)
                    progress(done, total)
                    running |= {submit(*one): one for one in islice(waiting, 1)}
        finally:
            pool.shutdown(cancel_futures=True)
    engine.execute(f"SET threads = {workers}")


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
            if s3 is None:
                return file, Path(file.name)
            path = folder / str(next(numbers))
            bucket, key = logs.split_uri(file.name)
            with _log_errors(file.name):
                s3.download_file(bucket, key, str(path))
            return file, path

        yield lambda file: pool.submit(fetch, file)
        pool.shutdown(cancel_futures=True)


def _take(
    engine: duckdb.DuckDBPyConnection,
    mapping: EventMapping,
    batch: Sequence[Fetched],
    work: Path,
    report: Report,
    *,
    old: bool,
) -> None:
    """Add one batch of files to the tables and the report."""
    readable: list[tuple[LogFile, Path, str]] = []
    for file, path in batch:
        with _log_errors(file.name), path.open("rb") as opened:
            kind = logs.compression(opened.read(logs.HEAD_BYTES))
        if kind is None:
            report.files_damaged.append((file.name, logs.BINARY))
        else:
            readable.append((file, path, kind))
    report.files_read += len(readable)
    try:
        _scan(engine, mapping, readable)
    except duckdb.IOException:
        with TemporaryDirectory(dir=work) as folder:
            _scan(engine, mapping, [_repaired(one, Path(folder), report) for one in readable])
    lines, events, mapped = _one(engine, "SELECT count(*), count(call), count(*) FILTER (mapped) FROM events")
    if old:
        report.events_overlap += events
    else:
        report.events_read += events
        report.lines_malformed += lines - events
        report.events_unmapped += events - mapped
        unmapped = "events WHERE call IS NOT NULL AND NOT mapped"
        _count(engine, report, f"call, name, NULL, NULL, {literal(UNMAPPED)}, message", unmapped)
    for dataset in mapping.datasets:
        if not old or dataset.name == "interactions":
            _candidates(engine, mapping, dataset, report, old=old)
    for file, path in batch:
        if str(path) != file.name:
            path.unlink()


def _scan(engine: duckdb.DuckDBPyConnection, mapping: EventMapping, files: Sequence[tuple[LogFile, Path, str]]) -> None:
    selects = []
    for compression in ("gzip", "none"):
        paths = [str(path) for _, path, kind in files if kind == compression]
        if paths:
            selects.append("(" + sql.scan(mapping, paths, compression) + ")")
    empty = [] if selects else ["(" + sql.scan(mapping, [os.devnull], "none") + ")"]
    engine.execute("CREATE OR REPLACE TEMP TABLE events AS " + "\nUNION ALL\n".join(selects + empty))


def _repaired(file: tuple[LogFile, Path, str], folder: Path, report: Report) -> tuple[LogFile, Path, str]:
    """Return `file`, or a plain copy of what stands before its damage."""
    source, path, kind = file
    if kind != "gzip":
        return file
    damage: list[str] = []
    copy = folder / str(len(report.files_damaged))
    with path.open("rb") as opened, copy.open("wb") as kept:
        kept.writelines(logs.unzip(iter(lambda: opened.read(logs.CHUNK_BYTES), b""), damage))
    if not damage:
        copy.unlink()
        return file
    report.files_damaged.append((source.name, damage[0]))
    return source, copy, "none"


def _candidates(
    engine: duckdb.DuckDBPyConnection, mapping: EventMapping, dataset: Dataset, report: Report, *, old: bool
) -> None:
    candidates = f"({sql.candidates(mapping, dataset, 'events')})"
    names = ", ".join(identifier(one.name) for one in dataset.columns)
    if dataset.name == "interactions":
        engine.execute(
            f"INSERT INTO interactions SELECT {names}, message, element, {old}, hash(message, element)"
            f" FROM {candidates} WHERE field IS NULL"
        )
    else:
        engine.execute(
            f"INSERT INTO {dataset.name} SELECT {names}, seconds, fraction FROM {candidates}"
            f" WHERE field IS NULL QUALIFY {_latest(dataset)} = 1"
        )
    if not old:
        _count(engine, report, f"call, name, {literal(dataset.name)}, field, reason, message", candidates)


def _latest(dataset: Dataset) -> str:
    """Rule 9 for users and items: number the rows of each id, the latest first."""
    texts = ", ".join(f"{one} DESC" for one in sql.sort_text(dataset.columns))
    return (
        f"row_number() OVER (PARTITION BY {identifier(dataset.key)}"
        f" ORDER BY seconds DESC NULLS LAST, fraction DESC NULLS LAST, {texts})"
    )


def _count(engine: duckdb.DuckDBPyConnection, report: Report, kind: str, rows: str) -> None:
    """Add the reasons of `rows` to the report; a kind without a reason counts good rows."""
    kinds = "call, name, dataset, field, reason"
    for call, name, dataset, field, reason, number, example in engine.execute(
        f"SELECT {kinds}, count(*), min(message) FROM (SELECT {kind} FROM {rows}) AS kinds({kinds}, message) GROUP BY ALL"
    ).fetchall():
        if reason is None:
            # What of these is not written in the end repeats or precedes another row.
            report.datasets[dataset].deduplicated += number
            continue
        report.reasons.add((json.loads(call), name and json.loads(name), dataset, field, reason), number, example)
        if dataset is not None:
            report.datasets[dataset].refused += number


def _write(engine: duckdb.DuckDBPyConnection, dataset: Dataset, work: Path, report: Report) -> None:
    """Write the CSV parts of one dataset and count its rows."""
    folder = work / dataset.name
    folder.mkdir()
    names = ", ".join(identifier(one.name) for one in dataset.columns)
    if dataset.name == "interactions":
        _find_repeats(engine, dataset)
        order = ", ".join(['"TIMESTAMP"', *sql.sort_text(dataset.columns)])
        selects = [
            f"SELECT {names} FROM interactions WHERE {part} AND NOT old AND rowid NOT IN (SELECT id FROM repeats) ORDER BY {order}"
            for part in _parts(engine)
        ]
    else:
        selects = [
            f"SELECT {names} FROM {dataset.name} QUALIFY {_latest(dataset)} = 1 ORDER BY {identifier(dataset.key)}"
        ]
    count = report.datasets[dataset.name]
    for number, select in enumerate(selects):
        part = folder / f"part-{number:05}.csv"
        (written,) = _one(engine, f"COPY ({select}) TO {literal(str(part))} (FORMAT csv, HEADER)")
        if not written:
            part.unlink()
        count.rows += written
    count.deduplicated -= count.rows


def _parts(engine: duckdb.DuckDBPyConnection) -> list[str]:
    """Return conditions that split the interactions by time into parts of about PART_ROWS rows."""
    (rows,) = _one(engine, "SELECT count(*) FROM interactions")
    cuts = [one / (rows // PART_ROWS + 1) for one in range(1, rows // PART_ROWS + 1)]
    times = _one(engine, f'SELECT quantile_disc("TIMESTAMP", {cuts}) FROM interactions')[0] if cuts else []
    edges = [None, *times, None]
    return [
        " AND ".join(
            ["true"]
            + ([f'"TIMESTAMP" >= {low}'] if low is not None else [])
            + ([f'"TIMESTAMP" < {high}'] if high is not None else [])
        )
        for low, high in pairwise(edges)
    ]


def _find_repeats(engine: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Rule 9: collect the ids of interactions that repeat another, or one of the overlap.

    Only rows that share a hash are compared, and hashes are counted in slices, so that memory
    holds a part of the hashes instead of every messageId.
    """
    (rows,) = _one(engine, "SELECT count(*) FROM interactions")
    engine.execute("CREATE TABLE twins (twin UBIGINT)")
    slices = rows // SLICE_ROWS + 1
    for slice_ in range(slices):
        engine.execute(
            f"INSERT INTO twins SELECT twin FROM interactions WHERE twin % {slices} = {slice_}"
            " GROUP BY twin HAVING count(*) > 1"
        )
    texts = ", ".join(sql.sort_text(dataset.columns))
    engine.execute(
        "CREATE TABLE repeats AS SELECT id FROM (SELECT rowid AS id, row_number() OVER"
        f" (PARTITION BY message, element ORDER BY old DESC, {texts}) AS place"
        " FROM interactions SEMI JOIN twins USING (twin)) WHERE place > 1"
    )


def _why_empty(report: Report) -> str:
    return (
        f"gave no row: {report.events_read:,} events read, {report.events_unmapped:,} without a rule,"
        f" {sum(one.refused for one in report.datasets.values()):,} refused, {report.lines_malformed:,} malformed lines"
    )


def _one(engine: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = engine.execute(query).fetchone()
    assert row is not None
    return row


@contextmanager
def _log_errors(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogsError(str(error.filename or place), error.strerror or str(error), _READ) from error
    except (ClientError, BotoCoreError) as error:
        raise LogsError(place, str(error), _READ) from error


_READ = "Check the path, the credentials and the right to read it"
