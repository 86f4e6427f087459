"""Run statements one after the other, and keep track of the datasets that are complete."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from ...errors import UnloadError, number
from .. import Columns, Statement, parse_columns
from .failures import one_line

#: A value in a query result.
Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class QueryState:
    """The state of a query: the engine's own name for it, whether the query has ended, and the cause if it failed."""

    name: str
    ended: bool
    failure: str | None = None


class WarehouseEngine(Protocol):
    """A warehouse that runs one statement at a time. All methods raise UnloadError with one line and a remedy."""

    @property
    def place(self) -> str:
        """The name of the warehouse in messages."""

    def check(self, statement: Statement) -> None:
        """Raise UnloadError if the engine would refuse the statement."""

    def prepare(self, setup: Sequence[str]) -> None:
        """Run the statements of `setup` that the session hasn't run yet, if the engine has a session."""

    def submit(self, setup: Sequence[str], statement: Statement) -> str:
        """Start `statement` in a session that has run `setup`. Return the query's id."""

    def state(self, query: str) -> QueryState:
        """Return the query's current state."""

    def rows_written(self, query: str) -> int:
        """Return the number of rows that a finished unload has written."""

    def records(self, query: str) -> list[dict[str, Cell]]:
        """Return the rows of a query, with column names in lower case."""

    def cancel(self, query: str) -> str:
        """Cancel the query. Return the outcome in words."""

    def remedy(self, reason: str) -> str:
        """Return the remedy for a failed query."""


@dataclass(frozen=True, slots=True)
class WrittenDataset:
    """A complete dataset: its rows, and the id of the query in the warehouse's history."""

    dataset: str
    rows: int
    query: str


@dataclass(slots=True)
class UnloadResult:
    """The written datasets, and the rows of the counts: see `warehouse.COUNTS`."""

    written: list[WrittenDataset] = field(default_factory=list)
    counts: list[dict[str, Cell]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Waiter:
    """How to wait for a query: the maximum polling interval, and a function that gets the query and its state."""

    poll_seconds: float = 5.0
    progress: Callable[[str, str], None] = lambda what, state: None
    sleep: Callable[[float], None] = time.sleep


def unload(engine: WarehouseEngine, statements: Sequence[Statement], waiter: Waiter) -> UnloadResult:
    """Run the unloads, then the counts, each after its setup. Return the results.

    If a dataset isn't complete, raises UnloadError, which lists the complete ones. If the wait ends early, also by
    Ctrl-C, the running query is canceled.
    """
    work = [statement for kind in ("unload", "counts") for statement in statements if statement.kind == kind]
    for statement in work:
        engine.check(statement)
    result = UnloadResult()
    for index, statement in enumerate(work):
        needed = ("", statement.dataset) if statement.kind == "unload" else ("",)
        setup = [other.sql for other in statements if other.kind == "setup" and other.dataset in needed]
        try:
            if statement.kind == "unload":
                query = _run(engine, setup, statement, statement.dataset, waiter)
                result.written.append(WrittenDataset(statement.dataset, engine.rows_written(query), query))
            else:
                query = _run(engine, setup, statement, f"counts of {statement.dataset}", waiter)
                result.counts += engine.records(query)
        except UnloadError as error:
            problem = f"{error.problem}; {_so_far(result, work[index:])}"
            raise UnloadError(error.place, problem, error.remedy) from error
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(_so_far(result, work[index:]))
            raise
    return result


def columns(engine: WarehouseEngine, query: str, waiter: Waiter) -> Columns:
    """Return the tables and columns of the warehouse. `query` is `warehouse.columns_query`.

    Raises UnloadError if the user can't see any.
    """
    records = engine.records(_run(engine, [], Statement("columns", "counts", query), "columns", waiter))
    if not records:
        how = "Check the names of the schemas, and grant this user USAGE on them and SELECT on their tables"
        raise UnloadError(engine.place, "has none of the schemas, or doesn't show them to this user", how)
    texts = [{name: None if cell is None else str(cell) for name, cell in record.items()} for record in records]
    return parse_columns(json.dumps(texts), engine.place)


def _run(engine: WarehouseEngine, setup: Sequence[str], statement: Statement, what: str, waiter: Waiter) -> str:
    waiter.progress(what, "starting")
    query = ""
    try:
        engine.prepare(setup)
        with _interrupts_later():
            query = engine.submit(setup, statement)
        pause = min(0.5, waiter.poll_seconds)
        while not (state := engine.state(query)).ended:
            waiter.progress(what, state.name)
            waiter.sleep(pause)
            pause = min(2 * pause, waiter.poll_seconds)
    except BaseException as error:
        if not query:
            raise
        became = engine.cancel(query)
        if isinstance(error, UnloadError):
            raise UnloadError(error.place, f"{error.problem}; query {query} {became}", error.remedy) from error
        error.add_note(f"{what}: query {query} {became}")
        raise
    waiter.progress(what, state.name)
    if state.failure is not None:
        problem = f"query {query}: {one_line(state.failure)}"
        raise UnloadError(f"{what} in {engine.place}", problem, engine.remedy(state.failure))
    return query


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Delay Ctrl-C until a query has its id, without which it can't be canceled."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    interrupts: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        interrupts.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _so_far(result: UnloadResult, left: Sequence[Statement]) -> str:
    """Return the complete and the incomplete datasets, in words."""
    whole = ", ".join(f"{dataset.dataset} ({number(dataset.rows, 'row')})" for dataset in result.written) or "nothing"
    broken = [statement.dataset for statement in left if statement.kind == "unload"]
    text = f"complete: {whole}"
    return f"{text}; incomplete: {', '.join(broken)}, which must not be imported" if broken else text
