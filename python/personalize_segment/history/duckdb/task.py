"""A task of a distributed export: log files -> rows in Parquet files that all tasks share, and the counts."""

import itertools
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import duckdb

from ...contract.mapping import EventMapping
from ...contract.quoting import literal
from ...contract.report import Report
from ...contract.suppression import SuppressionList
from ...errors import LogsError, OutputError
from ...places import LocalPlace, errors_at, place, temporary
from ..logs import LogFile
from . import selects
from .compiler import VISIT
from .counts import count
from .engine import Engine
from .selects import parquet
from .streams import Fetched
from .worker import LOGINS

#: What DuckDB keeps in a task before it spills to disk: several tasks share a machine.
MEMORY = "512MB"
#: Objects that a task fetches at the same time.
_FETCHES = 8


def stage(
    files: Sequence[LogFile], mapping: EventMapping, suppressed: SuppressionList | None, out: str, *, old: bool
) -> tuple[list[str], Report]:
    """Return the names of the Parquet files in `out` that hold the rows of some files, and the counts.

    Names of Parquet files begin with their dataset, or LOGINS, and differ in each call: whoever runs a task twice reads
    the files of one run. Counts are without visits, whose users other tasks may know. Of `old` files (the overlap of a
    window) only what can be repeated later is kept. Raises LogsError, and OutputError if `out` can't be written.
    """
    with temporary() as folder:
        numbers = itertools.count()

        def fetch(file: LogFile) -> Fetched:
            with errors_at(file.name, LogsError):
                return file, place(shared(file.name)).fetch(folder / f"log-{next(numbers)}")

        with ThreadPoolExecutor(_FETCHES) as pool:
            fetched = list(pool.map(fetch, files))
        with closing(Engine.start(mapping, folder, MEMORY)) as engine, closing(engine.worker()) as worker:
            days = folder / "days"
            days.mkdir()
            reports = {file.number: Report.of(mapping) for file in files}
            worker.take(fetched, days, reports)
            rows = folder / "rows"
            rows.mkdir()
            _rewrite(engine, days, rows, suppressed, reports, old=old)
        report = Report.of(mapping)
        for counted in reports.values():
            if old:
                report.files_read += counted.files_read
                report.files_damaged += counted.files_damaged
                report.events_overlap += counted.events_read
            else:
                report.merge(counted)
        names = sorted(path.name for path in rows.iterdir())
        with errors_at(out, OutputError):
            for name in names:
                target = place(shared(out)) / name
                if isinstance(target, LocalPlace):
                    shutil.move(rows / name, target.path)
                else:
                    target.s3.upload_file(str(rows / name), target.bucket, target.key)
    return names, report


def _rewrite(
    engine: Engine,
    days: Path,
    rows: Path,
    suppressed: SuppressionList | None,
    reports: Mapping[int, Report],
    *,
    old: bool,
) -> None:
    """Write what a fold in Spark needs of the `days` to `rows`, a file of each kind, and count what isn't a visit's.

    Rows of suppressed users are left out. Numbers are such as Spark has: of a float the text in the CSV, since Java has
    another, and of a hash 63 bits.
    """
    connection, compiler = engine.connection, engine.compiler
    connection.execute("CREATE TABLE banned (name VARCHAR)")
    wanted: list[tuple[str, str]] = []
    for dataset in compiler.datasets:
        files = parquet(sorted(days.glob(f"*/{dataset.name}-*.parquet")))
        if old and dataset.name != "interactions":
            continue
        if dataset.user_column is None:
            wanted.append((dataset.name, f"SELECT * EXCLUDE (day) FROM {files}"))
            continue
        known = selects.known(dataset, files)
        if suppressed and suppressed.hashes:
            _ban(connection, f"SELECT c{dataset.user_column} AS name FROM {files}", suppressed)
        if not old:
            _, refusals = compiler.candidates(dataset, "events")
            count(connection, compiler, dataset, refusals, f"({known})", reports)
        if dataset.name != "interactions":
            latest = selects.latest(dataset, f"({known}) WHERE refusal = 0")
            wanted.append((dataset.name, f"SELECT * EXCLUDE (day) FROM ({latest})"))
            continue
        texts = [
            f"CAST(c{at} AS VARCHAR) AS c{at}"
            for at, column in enumerate(dataset.columns)
            if column.type in ("float", "double")
        ]
        replaced = ", ".join([*texts, "CAST(copy_hash >> 1 AS BIGINT) AS copy_hash"])
        visits = f"SELECT * FROM {files} WHERE refusal = {VISIT}"
        all_of = f"SELECT * FROM ({known}) WHERE refusal = 0 UNION ALL BY NAME {visits}"
        wanted.append((dataset.name, f"SELECT * REPLACE ({replaced}), {old} AS old FROM ({all_of})"))
    if compiler.stitches:
        logins = parquet(sorted(days.glob(f"*/{LOGINS}-*.parquet")))
        wanted.append((LOGINS, f"SELECT session, login, second FROM {logins}"))
    for kind, select in wanted:
        file = literal(str(rows / f"{kind}-{uuid4().hex}.parquet"))
        connection.execute(f"COPY ({select}) TO {file} (FORMAT parquet, COMPRESSION uncompressed)")


def _ban(connection: duckdb.DuckDBPyConnection, users: str, suppressed: SuppressionList) -> None:
    hashed = f"sha256(concat({literal(suppressed.salt)}, name))"
    connection.execute(
        f"INSERT INTO banned SELECT DISTINCT name FROM ({users}) WHERE {hashed} IN (SELECT unnest($hashes))",
        {"hashes": sorted(suppressed.hashes)},
    )


def shared(uri: str) -> str:
    """Return the place that one of Hadoop's URIs names. Raises ValueError if it's neither in S3 nor a path."""
    scheme, _, rest = uri.partition(":")
    if scheme == "file":
        return f"/{rest.lstrip('/')}"
    if scheme in ("s3", "s3a", "s3n"):
        return f"s3:{rest}"
    raise ValueError(scheme)
