"""A task of a distributed export: log files -> what their days give, in files of a stage that all tasks share."""

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

#: What DuckDB keeps in a task before it spills to disk: several tasks share a machine.
MEMORY = "512MB"
#: Objects that a task fetches at the same time.
_FETCHES = 8


class TaskDay(NamedTuple):
    """What some files of a day gave: the files of the stage by kind, and a report as a dict, as tasks return it."""

    number: int
    files: dict[str, list[Named]]
    report: dict[str, Any]


def take(files: Sequence[LogFile], mapping: EventMapping, stage: Stage, starts: Mapping[int, str]) -> list[TaskDay]:
    """Return what some files, ordered by day, give for each day.

    `starts` has `Day.start` by number. Names of files in the stage differ in each call: whoever runs a task twice names
    those of one run. Raises LogsError, and OutputError if the stage can't be written.
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
    """Return the place that one of Hadoop's URIs names. Raises ValueError if it's neither in S3 nor a path."""
    scheme, colon, rest = uri.partition(":")
    if not colon or "/" in scheme:
        return uri
    if scheme == "file":
        return f"/{rest.lstrip('/')}"
    if scheme in ("s3", "s3a", "s3n"):
        return f"s3:{rest}"
    raise ValueError(scheme)
