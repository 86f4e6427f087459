"""Runs the statements one after the other, so that at any time it is plain which dataset is whole."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from ...errors import UnloadError
from .. import Columns, Statement, parse_columns
from .failures import one_line

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Look:
    """What became of a query: the engine's own word, whether it is over, and why it failed."""

    state: str
    over: bool
    failure: str | None = None


class Engine(Protocol):
    """A warehouse that runs one statement at a time. All of it raises UnloadError with one line and a remedy."""

    @property
    def place(self) -> str:
        """Name the warehouse, for messages."""

    def check(self, statement: Statement) -> None:
        """Raise UnloadError if the engine would not take the statement."""

    def prepare(self, setup: Sequence[str]) -> None:
        """Run what the session has not yet run of `setup`, if the engine has a session of its own."""

    def submit(self, setup: Sequence[str], statement: Statement) -> str:
        """Start `statement` in a session that ran `setup`, and return the query's id."""

    def look(self, query: str) -> Look:
        """Return what the query is doing."""

    def rows_written(self, query: str) -> int:
        """Return how many rows an unload that is over has written."""

    def records(self, query: str) -> list[dict[str, Value]]:
        """Return the rows that a query gave, with the columns' names in lower case."""

    def cancel(self, query: str) -> str:
        """Stop the query, and return what became of it in words."""

    def remedy(self, reason: str) -> str:
        """Return what to do about a query that failed."""


@dataclass(frozen=True, slots=True)
class Written:
    """A dataset that is whole: its rows, and the id of the query in the warehouse's history."""

    dataset: str
    rows: int
    query: str


@dataclass(slots=True)
class Outcome:
    """What was written, and the rows of the counts: see `warehouse.COUNTS`."""

    written: list[Written] = field(default_factory=list)
    counts: list[dict[str, Value]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between two looks, at most, and how to; and who is told what is waited for, and its state."""

    poll_seconds: float = 5.0
    progress: Callable[[str, str], None] = lambda what, state: None
    sleep: Callable[[float], None] = time.sleep


def unload(engine: Engine, statements: Sequence[Statement], pace: Pace) -> Outcome:
    """Run the unloads, then the counts, each behind its set-up, and return what came of them.

    Raises UnloadError that tells which datasets are whole when one is not. Whatever ends the waiting,
    Ctrl-C as well, cancels the query that is running.
    """
    work = [one for kind in ("unload", "counts") for one in statements if one.kind == kind]
    for statement in work:
        engine.check(statement)
    outcome = Outcome()
    for number, statement in enumerate(work):
        behind = ("", statement.dataset) if statement.kind == "unload" else ("",)
        setup = [one.sql for one in statements if one.kind == "setup" and one.dataset in behind]
        try:
            if statement.kind == "unload":
                query = _run(engine, setup, statement, statement.dataset, pace)
                outcome.written.append(Written(statement.dataset, engine.rows_written(query), query))
            else:
                query = _run(engine, setup, statement, f"counts of {statement.dataset}", pace)
                outcome.counts += engine.records(query)
        except UnloadError as error:
            problem = f"{error.problem}; {_so_far(outcome, work[number:])}"
            raise UnloadError(error.place, problem, error.remedy) from error
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(_so_far(outcome, work[number:]))
            raise
    return outcome


def columns(engine: Engine, query: str, pace: Pace) -> Columns:
    """Return the tables and columns that the warehouse has; `query` is `warehouse.columns_query`.

    Raises UnloadError if there are none that the user may see.
    """
    records = engine.records(_run(engine, [], Statement("columns", "counts", query), "columns", pace))
    if not records:
        how = "Check the names of the schemas, and grant their usage and select on their tables to this user"
        raise UnloadError(engine.place, "has none of the schemas, or doesn't show them to this user", how)
    texts = [{name: None if value is None else str(value) for name, value in one.items()} for one in records]
    return parse_columns(json.dumps(texts), engine.place)


def _run(engine: Engine, setup: Sequence[str], statement: Statement, what: str, pace: Pace) -> str:
    pace.progress(what, "starting")
    query = ""
    try:
        engine.prepare(setup)
        with _interrupts_later():
            query = engine.submit(setup, statement)
        pause = min(0.5, pace.poll_seconds)
        while not (look := engine.look(query)).over:
            pace.progress(what, look.state)
            pace.sleep(pause)
            pause = min(2 * pause, pace.poll_seconds)
    except BaseException as error:
        if not query:
            raise
        became = engine.cancel(query)
        if isinstance(error, UnloadError):
            raise UnloadError(error.place, f"{error.problem}; query {query} {became}", error.remedy) from error
        error.add_note(f"{what}: query {query} {became}")
        raise
    pace.progress(what, look.state)
    if look.failure is not None:
        problem = f"query {query}: {one_line(look.failure)}"
        raise UnloadError(f"{what} in {engine.place}", problem, engine.remedy(look.failure))
    return query


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back while a query gets its id, without which nobody can cancel it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    came: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _so_far(outcome: Outcome, left: Sequence[Statement]) -> str:
    """Return which datasets are whole and which are not, in words."""
    whole = ", ".join(f"{one.dataset} ({one.rows:,} rows)" for one in outcome.written) or "nothing"
    broken = [one.dataset for one in left if one.kind == "unload"]
    said = f"written in whole: {whole}"
    return f"{said}; not: {', '.join(broken)}, which must not be imported" if broken else said
