"""A task of a distributed export: write the rows of some log files to a stage that all tasks share."""

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

from ...contract.mapping import EventMapping
from ...contract.report import Report
from ...errors import LogsError
from ...places import errors_at, place, temporary
from ..logs import LogFile
from ..stage import Named, Stage
from .engine import Engine
from .streams import Fetched

#: DuckDB memory limit of a task before spilling to disk. Several tasks share a machine.
MEMORY = "512MB"
#: Concurrent downloads per task.
_FETCHES = 8


class TaskDay(NamedTuple):
    """The output of some files of a day: the files of the stage by kind, and the report as a dict."""

    number: int
    files: dict[str, list[Named]]
    report: dict[str, Any]


def take(files: Sequence[LogFile], mapping: EventMapping, stage: Stage, starts: Mapping[int, str]) -> list[TaskDay]:
    """Stage some files, ordered by day, and return the output of each day.

    `starts` has `Day.start` by number. Each call gives its files in the stage new names: if a task runs twice, use the
    names of one run only. Raises LogsError, and OutputError if the stage can't be written.
    """
    with temporary() as folder:
        numbers = itertools.count()

        def fetch(file: LogFile) -> Fetched:
            with errors_at(file.name, LogsError):
                return file, place(file.name).fetch(folder / f"log-{next(numbers)}")

        with ThreadPoolExecutor(_FETCHES) as pool:
            fetched = list(pool.map(fetch, files))
        days, stage.work = folder / "days", folder
        days.mkdir()
        reports = {file.number: Report.of(mapping) for file in files}
        with closing(Engine.start(mapping, folder, MEMORY)) as engine, closing(engine.worker()) as worker:
            worker.take(fetched, days, reports)
        return [
            TaskDay(number, stage.put(starts[number], days / str(number)), report.as_dict(limit=None))
            for number, report in reports.items()
        ]


def shared(uri: str) -> str:
    """Return the place that a Hadoop URI names. Raises ValueError if it is neither in S3 nor a path."""
    scheme, colon, rest = uri.partition(":")
    if not colon or "/" in scheme:
        return uri
    if scheme == "file":
        return f"/{rest.lstrip('/')}"
    if scheme in ("s3", "s3a", "s3n"):
        return f"s3:{rest}"
    raise ValueError(scheme)
