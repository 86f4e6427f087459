"""Statements in sequence: their order, and reports and cancellations after failures."""

import signal
import threading
from collections.abc import Callable, Sequence

import pytest

from personalize_segment.errors import UnloadError
from personalize_segment.warehouse import Statement
from personalize_segment.warehouse.engines.executor import (
    Cell,
    QueryState,
    UnloadResult,
    Waiter,
    WrittenDataset,
    columns,
    unload,
)
from personalize_segment.warehouse.engines.failures import REDSHIFT, SNOWFLAKE, one_line, remedy

USERS = Statement("users", "unload", "UNLOAD users")
ITEMS = Statement("items", "unload", "UNLOAD items")
COUNTS = Statement("users", "counts", "SELECT users")


class Scripted:
    """An engine that gives `states`, and does `on_prepare` and `on_submit` before and while a query starts."""

    place = "Test"

    def __init__(
        self,
        *states: QueryState,
        on_submit: Callable[[], object] = lambda: None,
        on_prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.states = list(states) or [QueryState("DONE", True)]
        self.on_submit, self.on_prepare = on_submit, on_prepare
        self.ran: list[str] = []
        self.canceled: list[str] = []
        self.rows: list[dict[str, Cell]] | None = None

    def check(self, statement: Statement) -> None:
        """Take all but `TOO LONG`."""
        if "TOO LONG" in statement.sql:
            raise UnloadError(statement.dataset, "too long", "Shorten it")

    def prepare(self, setup: Sequence[str]) -> None:  # noqa: ARG002 - each query has its own
        """Do `on_prepare`."""
        self.on_prepare()

    def submit(self, setup: Sequence[str], statement: Statement) -> str:
        """Record the statement, and return its number as the name."""
        self.ran += [*setup, statement.sql]
        self.on_submit()
        return str(len(self.ran))

    def state(self, query: str) -> QueryState:
        """Return the next state, or the last again."""
        assert query == str(len(self.ran))
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def rows_written(self, query: str) -> int:
        """Return the query's number."""
        return int(query)

    def records(self, query: str) -> list[dict[str, Cell]]:
        """Return the rows, or one."""
        return self.rows if self.rows is not None else [{"reason": "missing", "count": int(query)}]

    def cancel(self, query: str) -> str:
        """Note it."""
        self.canceled.append(query)
        return "was canceled"

    def remedy(self, reason: str) -> str:
        """Return a plan for Redshift."""
        return remedy(reason, REDSHIFT)


def test_unloads_run_before_counts_and_each_is_told() -> None:
    engine = Scripted()
    result = unload(engine, [COUNTS, USERS, ITEMS], Waiter())
    assert engine.ran == [USERS.sql, ITEMS.sql, COUNTS.sql]
    written = [WrittenDataset("users", 1, "1"), WrittenDataset("items", 2, "2")]
    assert result == UnloadResult(written, [{"reason": "missing", "count": 3}])


def test_nothing_runs_when_one_statement_would_be_refused() -> None:
    engine = Scripted()
    with pytest.raises(UnloadError, match="items: too long"):
        unload(engine, [USERS, Statement("items", "counts", "TOO LONG")], Waiter())
    assert engine.ran == []


def test_looks_become_rarer_up_to_the_pace_that_was_asked_for() -> None:
    pauses: list[float] = []
    waiting = [QueryState("RUNS", False)] * 5
    unload(Scripted(*waiting, QueryState("DONE", True)), [USERS], Waiter(3, sleep=pauses.append))
    assert pauses == [0.5, 1, 2, 3, 3]


def test_set_up_runs_in_front_of_what_it_is_for() -> None:
    session, users, items = (Statement(one, "setup", f"SETUP {one}") for one in ("", "users", "items"))
    engine = Scripted()
    unload(engine, [session, users, USERS, items, ITEMS, COUNTS], Waiter())
    assert engine.ran == [session.sql, users.sql, USERS.sql, session.sql, items.sql, ITEMS.sql, session.sql, COUNTS.sql]


def test_the_warehouse_is_asked_for_its_columns() -> None:
    engine = Scripted()
    names = ("table_schema", "table_name", "column_name", "data_type", "numeric_scale")
    engine.rows = [
        dict(zip(names, row, strict=True))
        for row in [
            ("shop", "orders", "total", "numeric", 0),
            ("shop", "orders", "id", "character varying", None),
        ]
    ]
    found = columns(engine, "SELECT columns", Waiter())
    assert engine.ran == ["SELECT columns"]
    assert found.table("shop", "orders") == {"total": "numeric(38,0)", "id": "character varying"}


def test_a_warehouse_that_shows_no_columns_has_a_remedy() -> None:
    engine = Scripted()
    engine.rows = []
    with pytest.raises(UnloadError, match=r"Test: has none of the schemas, .* Check the names of the schemas"):
        columns(engine, "SELECT columns", Waiter())


def test_a_failed_count_tells_that_all_datasets_are_whole() -> None:
    engine = Scripted(
        QueryState("DONE", True), QueryState("DONE", True), QueryState("FAILED", True, "no\n such  table.")
    )
    with pytest.raises(UnloadError) as caught:
        unload(engine, [USERS, ITEMS, COUNTS], Waiter())
    assert caught.value.place == "counts of users in Test"
    assert caught.value.problem == "query 3: no such table; complete: users (1 row), items (2 rows)"
    assert engine.canceled == []


def test_ctrl_c_while_a_query_starts_waits_for_its_id_and_cancels_it() -> None:
    engine = Scripted(on_submit=lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        unload(engine, [USERS, ITEMS], Waiter())
    assert engine.canceled == ["1"]
    assert engine.ran == [USERS.sql]
    assert caught.value.__notes__[0] == "users: query 1 was canceled"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_a_session_is_set_up_is_not_held_back() -> None:
    def press() -> None:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the set-up went on")

    engine = Scripted(on_prepare=press)
    with pytest.raises(KeyboardInterrupt):
        unload(engine, [USERS], Waiter())
    assert engine.ran == engine.canceled == []


def test_a_query_that_did_not_start_is_not_canceled() -> None:
    def refuse() -> None:
        raise UnloadError("Test", "refused", "Ask again")

    engine = Scripted(on_submit=refuse)
    with pytest.raises(UnloadError, match="refused; complete: nothing; incomplete: users, which must not be imported"):
        unload(engine, [USERS], Waiter())
    assert engine.canceled == []


def test_whatever_else_ends_the_waiting_cancels_the_query_too() -> None:
    def fall_over(seconds: float) -> None:
        raise MemoryError

    engine = Scripted(QueryState("RUNS", False))
    with pytest.raises(MemoryError) as caught:
        unload(engine, [USERS], Waiter(sleep=fall_over))
    assert engine.canceled == ["1"]
    assert caught.value.__notes__ == ["users: query 1 was canceled"]


def test_it_runs_in_any_thread() -> None:
    found: list[UnloadResult] = []
    thread = threading.Thread(target=lambda: found.append(unload(Scripted(), [USERS], Waiter())))
    thread.start()
    thread.join()
    assert found == [UnloadResult([WrittenDataset("users", 1, "1")], [])]


def test_remedies_are_instructions_and_reasons_one_line() -> None:
    assert one_line("ERROR: no\n  Detail:  x. ") == "ERROR: no Detail: x"
    assert remedy("something else", REDSHIFT).startswith("Look the query up")


DENIED = "S3ServiceException:Access Denied,Status 403,Error AccessDenied"
PLACE = "s3://training/warehouse/integration/stage/region/"


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        pytest.param(f"{DENIED} {PLACE}", "Give the role s3:PutObject", id="denied"),
        pytest.param(
            f"S3ServiceException:The S3 bucket addressed by the query is in a different region from this cluster.,"
            f"Status 301,Error PermanentRedirect {PLACE}",
            "Name the bucket's region with --bucket-region",
            id="another region",
        ),
        pytest.param(
            "S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint",
            "Name the bucket's region with --bucket-region",
            id="another region, as S3 says it",
        ),
        pytest.param(f"out of memory, {PLACE}", "Look the query up", id="anything else"),
    ],
)
def test_redshift_s_failures_are_told_by_whole_phrases(said: str, begins: str) -> None:
    assert remedy(said, REDSHIFT).startswith(begins)


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        pytest.param(f"Failure using stage area {PLACE}. Cause: [Access Denied]", "Give the role", id="denied"),
        pytest.param("Integration 'A' does not exist or not authorized.", "Run the setup", id="no integration"),
        pytest.param("Integration 'A' associated with the stage 'B' cannot be found.", "Run the setup", id="gone"),
        pytest.param("Insufficient privileges to operate on integration 'A'", "Run the setup", id="not granted"),
        pytest.param("Stage 'A.B.C' does not exist or not authorized.", "Give your role a schema", id="no stage"),
        pytest.param("Cannot perform CREATE STAGE. This session does not have a current database.", "Give", id="none"),
        pytest.param("Warehouse 'W' cannot be resumed because of a monitor", "Name a running warehouse", id="off"),
        pytest.param("Object 'SHOP.WAREHOUSE' does not exist or not authorized.", "Leave --columns out", id="table"),
        pytest.param(f"Numeric value 'x' is not recognized, {PLACE}", "Look the query up", id="anything else"),
    ],
)
def test_snowflake_s_failures_are_told_by_whole_phrases(said: str, begins: str) -> None:
    assert remedy(said, SNOWFLAKE).startswith(begins)
