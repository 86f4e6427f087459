"""Run statements through Snowflake's own connector, which finds its connection by itself.

Source: the connector's guide and its typed signatures. No password passes through here.
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

#: How Snowflake's history tells our queries from others.
QUERY_TAG = "personalize-segment"

#: Polls in a row that may find nothing of a query before it counts as lost; a new one takes a moment to appear.
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
        """Name the account and the database."""
        return f"Snowflake {self._connection.account}/{self._connection.database or ''}".rstrip("/")

    def check(self, statement: Statement) -> None:
        """Take every statement: Snowflake's limit of 1 MB is its own to tell."""

    def prepare(self, setup: Sequence[str]) -> None:
        """Run what this session has not yet run of `setup`, and wait for it."""
        with self._unload_errors("set-up"), self._connection.cursor() as cursor:
            for sql in setup:
                if sql not in self._prepared:
                    cursor.execute(sql)
                    self._prepared.append(sql)

    def submit(self, setup: Sequence[str], statement: Statement) -> str:  # noqa: ARG002 - `prepare` ran it
        """Start `statement` without waiting for it, in the session that `prepare` has set up."""
        with self._unload_errors(statement.dataset), self._connection.cursor() as cursor:
            answer = cursor.execute_async(statement.sql)
        return str(answer["queryId"])

    def state(self, query: str) -> QueryState:
        """Return the query's status; it has ended when it has succeeded, failed or was aborted."""
        with self._unload_errors(f"query {query}"):
            status = self._connection.get_query_status(query)
            self._without_data = self._without_data + 1 if status is QueryStatus.NO_DATA else 0
            if self._without_data > _POLLS_WITHOUT_DATA:
                return QueryState(status.name, True, "Snowflake knows nothing of it")
            if status.name not in _FAILED:
                return QueryState(status.name, status.name == "SUCCESS")
            try:
                self._connection.get_query_status_throw_if_error(query)
            except ProgrammingError as error:  # which alone tells why, or "Query … failed"
                if query not in error.raw_msg:
                    return QueryState(status.name, True, error.raw_msg)
            return QueryState(status.name, True, f"{status.name}, no reason given")

    def rows_written(self, query: str) -> int:
        """Return the sum of `rows_unloaded` that COPY INTO gives."""
        return sum(int(record["rows_unloaded"] or 0) for record in self.records(query))

    def records(self, query: str) -> list[dict[str, Cell]]:
        """Return the rows of a query that has succeeded."""
        with self._unload_errors(f"query {query}"), self._connection.cursor() as cursor:
            cursor.get_results_from_sfqid(query)
            rows = cursor.fetchall()
            names = [column.name.lower() for column in cursor.description or []]
        return [dict(zip(names, map(_cell, row), strict=True)) for row in rows]

    def cancel(self, query: str) -> str:
        """Abort the query."""
        try:
            with self._connection.cursor() as cursor:
                aborted = cursor.abort_query(query)
        except Error as error:
            return f"may still be running: {one_line(error.raw_msg or str(error))}"
        return "was canceled" if aborted else "could not be canceled: it may be done, look into the query history"

    def remedy(self, reason: str) -> str:
        """Return what to do about a query that failed."""
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
    """Open a connection by the connector's own means, and close it in the end.

    That is the one of this name in connections.toml or config.toml, or the default one there or in
    the environment. Raises UnloadError when none can be opened.
    """
    try:
        with warnings.catch_warnings():
            # Of a default that will change: nothing runs on when we close the session, so either will do.
            warnings.filterwarnings("ignore", "enable_server_session_keep_alive", FutureWarning)
            connection = connect(connection_name=connection_name) if connection_name else connect()
    except Error as error:
        place = f"Snowflake connection {connection_name or 'by default'}"
        how = "Mend the connection in connections.toml, and name it with --connection"
        raise UnloadError(place, one_line(error.raw_msg or str(error)), how) from error
    try:
        engine = SnowflakeEngine(connection)
        with engine._unload_errors("session"), connection.cursor() as cursor:
            cursor.execute(f"ALTER SESSION SET QUERY_TAG = '{QUERY_TAG}'")
        yield engine
    finally:
        connection.close()


def _cell(value: object) -> Cell:
    """Return a value as JSON has it; Snowflake gives numbers as int or Decimal."""
    return value if value is None or isinstance(value, str | int | float) else str(value)
