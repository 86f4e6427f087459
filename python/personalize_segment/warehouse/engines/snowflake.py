"""Run statements through Snowflake's own connector, which finds its connection automatically.

Source: the connector's guide and its typed signatures. No password passes through this code.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from snowflake.connector import connect
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import Error, ProgrammingError

from ...errors import UnloadError
from .. import Statement
from .executor import Cell, QueryState
from .failures import SNOWFLAKE, one_line, remedy

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

#: The tag of our queries in Snowflake's history.
QUERY_TAG = "personalize-segment"

#: Polls in a row without data before a query counts as lost. A new query takes a moment to appear.
_POLLS_WITHOUT_DATA = 30
_FAILED = {"ABORTED", "FAILED_WITH_ERROR", "FAILED_WITH_INCIDENT", "DISCONNECTED"}


class SnowflakeEngine:
    """An open connection to Snowflake."""

    def __init__(self, connection: "SnowflakeConnection") -> None:
        self._connection = connection
        self._prepared: list[str] = []
        self._without_data = 0

    @property
    def place(self) -> str:
        """The account and the database."""
        return f"Snowflake {self._connection.account}/{self._connection.database or ''}".rstrip("/")

    def check(self, statement: Statement) -> None:
        """Accept every statement. Snowflake checks its limit of 1 MB itself."""

    def prepare(self, setup: Sequence[str]) -> None:
        """Run the statements of `setup` that this session hasn't run yet, and wait for them."""
        with self._unload_errors("setup"), self._connection.cursor() as cursor:
            for sql in setup:
                if sql not in self._prepared:
                    cursor.execute(sql)
                    self._prepared.append(sql)

    def submit(self, setup: Sequence[str], statement: Statement) -> str:  # noqa: ARG002 - `prepare` has run it
        """Start `statement` in the session that `prepare` has set up, without waiting for it."""
        with self._unload_errors(statement.dataset), self._connection.cursor() as cursor:
            answer = cursor.execute_async(statement.sql)
        return str(answer["queryId"])

    def state(self, query: str) -> QueryState:
        """Return the query's status. A success, a failure and an abort are final."""
        with self._unload_errors(f"query {query}"):
            status = self._connection.get_query_status(query)
            self._without_data = self._without_data + 1 if status is QueryStatus.NO_DATA else 0
            if self._without_data > _POLLS_WITHOUT_DATA:
                return QueryState(status.name, True, "Snowflake doesn't know the query")
            if status.name not in _FAILED:
                return QueryState(status.name, status.name == "SUCCESS")
            try:
                self._connection.get_query_status_throw_if_error(query)
            except ProgrammingError as error:  # it has the cause, or only "Query … failed"
                if query not in error.raw_msg:
                    return QueryState(status.name, True, error.raw_msg)
            return QueryState(status.name, True, f"{status.name}, no reason given")

    def rows_written(self, query: str) -> int:
        """Return the sum of `rows_unloaded` in the result of COPY INTO."""
        return sum(int(record["rows_unloaded"] or 0) for record in self.records(query))

    def records(self, query: str) -> list[dict[str, Cell]]:
        """Return the rows of a query that has succeeded."""
        with self._unload_errors(f"query {query}"), self._connection.cursor() as cursor:
            cursor.get_results_from_sfqid(query)
            rows = cursor.fetchall()
            names = [column.name.lower() for column in cursor.description or []]
        return [dict(zip(names, map(_cell, row), strict=True)) for row in rows]

    def cancel(self, query: str) -> str:
        """Abort the query. Return the outcome in words."""
        try:
            with self._connection.cursor() as cursor:
                aborted = cursor.abort_query(query)
        except Error as error:
            return f"may still be running: {one_line(error.raw_msg or str(error))}"
        return "was canceled" if aborted else "couldn't be canceled: it may have finished. Check the query history"

    def remedy(self, reason: str) -> str:
        """Return the remedy for a failed query."""
        return remedy(reason, SNOWFLAKE)

    @contextmanager
    def _unload_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Error as error:
            reason = one_line(error.raw_msg or str(error))
            raise UnloadError(f"{what} in {self.place}", reason, self.remedy(reason)) from error


@contextmanager
def snowflake(connection_name: str | None = None) -> Iterator[SnowflakeEngine]:
    """Open a connection with the connector's own configuration, and close it at the end.

    This is the connection of this name in connections.toml or config.toml, or the default one there or in the
    environment. Raises UnloadError if it can't be opened.
    """
    try:
        with warnings.catch_warnings():
            # It warns of a future default, which doesn't matter because we close the session.
            warnings.filterwarnings("ignore", "enable_server_session_keep_alive", FutureWarning)
            connection = connect(connection_name=connection_name) if connection_name else connect()
    except Error as error:
        place = f"Snowflake connection {connection_name or 'by default'}"
        how = "Fix the connection in connections.toml, and pass it with --connection"
        raise UnloadError(place, one_line(error.raw_msg or str(error)), how) from error
    try:
        engine = SnowflakeEngine(connection)
        with engine._unload_errors("session"), connection.cursor() as cursor:
            cursor.execute(f"ALTER SESSION SET QUERY_TAG = '{QUERY_TAG}'")
        yield engine
    finally:
        connection.close()


def _cell(value: object) -> Cell:
    """Return a value as JSON would have it. Snowflake returns numbers as int or Decimal."""
    return value if value is None or isinstance(value, str | int | float) else str(value)
