"""Two warehouses on 127.0.0.1 that run nothing: the Redshift Data API, and Snowflake for its connector.

A query goes through `states`, one per poll, and then has the result or failure that `results` or `failures` list for
a part of its SQL. `sqls` records submitted statements, and `canceled` the canceled queries.
"""

import gzip
import json
import threading
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import unquote, urlsplit

import botocore.session
from botocore.model import ServiceModel

from personalize_emulator.constraints import check

#: The columns and rows of a result.
Table = tuple[Sequence[str], Sequence[Sequence[Any]]]


@dataclass(slots=True)
class Query:
    """A submitted query: its remaining states and its statements."""

    sqls: list[str]
    states: deque[str]
    state: str = "SUBMITTED"


@dataclass
class Warehouse(AbstractContextManager["Warehouse"]):
    """The common part of both. `errors` are (operation, status, body), each returned once, in order."""

    states: tuple[str, ...] = ()
    #: Other states for queries with a part of SQL.
    states_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    results: dict[str, Table] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    errors: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    sqls: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    queries: dict[str, Query] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Serve in a thread until the end of the `with`."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def answer(self, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Return status and JSON for one call."""
        raise NotImplementedError

    def submit(self, sqls: list[str]) -> str:
        """Take a query and return its id."""
        self.sqls += sqls
        query = str(uuid.uuid4())
        own = (states for part, states in self.states_of.items() if any(part in sql for sql in sqls))
        self.queries[query] = Query(sqls, deque(next(own, self.states)))
        return query

    def look(self, query: str) -> str:
        """Return the query's next state."""
        found = self.queries[query]
        if query in self.canceled or not found.states:
            return found.state
        found.state = found.states.popleft()
        return found.state

    def failure(self, query: str) -> str | None:
        """Return why the query fails."""
        texts = [said for part, said in self.failures.items() for sql in self.queries[query].sqls if part in sql]
        return next(iter(texts), None)

    def result(self, sql: str) -> Table:
        """Return the result of a statement."""
        return next((table for part, table in self.results.items() if part in sql), (("status",), [["done"]]))

    def error(self, operation: str) -> tuple[int, dict[str, Any]] | None:
        """Record the call, and return its scripted error."""
        self.calls.append(operation)
        for one in self.errors:
            if one[0] == operation:
                self.errors.remove(one)
                return one[1:]
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        warehouse, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer in one piece, or Nagle waits for the acknowledgment of the first

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                target = self.headers.get("x-amz-target") or self.path
                with lock:
                    status, answer = warehouse.answer(target, json.loads(data or b"{}"))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Print nothing."""

        return Handler


@dataclass
class RedshiftData(Warehouse):
    """The Redshift Data API; every request must be what botocore's model allows."""

    MODEL: ClassVar[ServiceModel] = botocore.session.get_session().get_service_model("redshift-data")

    states: tuple[str, ...] = ("SUBMITTED", "PICKED", "STARTED", "FINISHED")
    requests: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    page_rows: int = 1000
    #: How many batches are taken whose answer gets lost.
    lost: int = 0

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer an operation of the JSON protocol."""
        operation = target.rpartition(".")[2]
        shape = self.MODEL.operation_model(operation).input_shape
        assert shape is not None
        check(shape, body)
        if error := self.error(operation):
            return error
        match operation:
            case "BatchExecuteStatement":
                self.requests.append(body)
                query = self.tokens.get(body["ClientToken"]) or self.submit(body["Sqls"])
                self.tokens[body["ClientToken"]] = query
                if self.lost:
                    self.lost -= 1
                    return 500, {"__type": "InternalServerException", "message": "lost"}
                return 200, {"Id": query}
            case "DescribeStatement":
                return 200, self._describe(body["Id"])
            case "CancelStatement":
                return self._cancel(body["Id"])
        query, _, number = body["Id"].partition(":")
        columns, rows = self.result(self.queries[query].sqls[int(number) - 1])
        start = int(body.get("NextToken", 0))
        page = {
            "ColumnMetadata": [{"name": one, "label": one} for one in columns],
            "Records": [[_field(value) for value in row] for row in rows[start : start + self.page_rows]],
        }
        more = {"NextToken": str(start + self.page_rows)} if start + self.page_rows < len(rows) else {}
        return 200, page | more

    def _describe(self, query: str) -> dict[str, Any]:
        state, failure = self.look(query), self.failure(query)
        if failure and state == "FINISHED":
            state = self.queries[query].state = "FAILED"
        numbers = range(1, len(self.queries[query].sqls) + 1)
        detail = {"Id": query, "Status": state, "SubStatements": [{"Id": f"{query}:{one}"} for one in numbers]}
        return detail | ({"Error": failure} if state == "FAILED" else {})

    def _cancel(self, query: str) -> tuple[int, dict[str, Any]]:
        state = self.queries[query].state
        if state != "STARTED":
            message = f"Could not cancel a query that is already in {state} state with ID: {query}"
            return 400, {"__type": "ValidationException", "message": message}
        self.canceled.append(query)
        self.queries[query].state = "ABORTED"
        return 200, {"Status": True}


def _field(value: Any) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    return {"longValue": value} if isinstance(value, int) else {"stringValue": value}


@dataclass
class SnowflakeServer(Warehouse):
    """The part of Snowflake's protocol that the connector uses. `password` is the valid one."""

    states: tuple[str, ...] = ("RESUMING_WAREHOUSE", "QUEUED", "RUNNING", "SUCCESS")
    password: str = "right"
    logged_in: int = 0

    def answer(self, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer a call by its path."""
        route = [unquote(one) for one in urlsplit(target).path.split("/") if one]
        if error := self.error(route[-1] if route[0] != "monitoring" else "monitoring"):
            return error
        match route:
            case ["session", "v1", "login-request"]:
                return 200, self._login(body["data"])
            case ["queries", "v1", "query-request"]:
                return 200, self._query(body)
            case ["monitoring", "queries", query]:
                return 200, self._monitor(query)
            case ["queries", query, "result"]:
                return 200, self._rows(query)
            case ["queries", query, "abort-request"]:
                self.canceled.append(query)
                self.queries[query].state = "ABORTED"
        return 200, {"success": True, "data": None}

    def _login(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["PASSWORD"] != self.password:
            return {"success": False, "code": "390100", "message": "Incorrect username or password was specified."}
        self.logged_in += 1
        session = {"databaseName": "SEGMENT", "schemaName": None, "warehouseName": "SMALL", "roleName": "LOADER"}
        data = {"token": "t", "masterToken": "m", "parameters": [], "sessionInfo": session, "sessionId": 1}
        return {"success": True, "data": data | {"serverVersion": "9.40.0"}}

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        query = self.submit([body["sqlText"]])
        if body.get("asyncExec"):
            data = {"queryId": query, "getResultUrl": f"/queries/{query}/result", "queryAbortsAfterSecs": 300}
            return {"success": True, "code": "333334", "message": "in progress", "data": data}
        if failure := self.failure(query):
            return {"success": False, "code": "002003", "message": failure, "data": {"sqlState": "02000"}}
        return self._rows(query)

    def _monitor(self, query: str) -> dict[str, Any]:
        state, failure = self.look(query), self.failure(query)
        if failure and state == "SUCCESS":
            state = self.queries[query].state = "FAILED_WITH_ERROR"
        said = {"errorCode": "2003", "errorMessage": failure} if state == "FAILED_WITH_ERROR" else {}
        return {"success": True, "data": {"queries": [{"id": query, "status": state} | said]}}

    def _rows(self, query: str) -> dict[str, Any]:
        columns, rows = self.result(self.queries[query].sqls[0])
        kinds = ["fixed" if rows and isinstance(rows[0][one], int) else "text" for one in range(len(columns))]
        types = [
            {"name": name, "type": kind, "nullable": True, "precision": 38, "scale": 0, "length": 9, "byteLength": 9}
            for name, kind in zip(columns, kinds, strict=True)
        ]
        rowset = [[None if value is None else str(value) for value in row] for row in rows]
        data = {"rowtype": types, "rowset": rowset, "total": len(rows), "returned": len(rows)}
        return {"success": True, "data": data | {"queryId": query, "queryResultFormat": "json"}}


def connections(home: Path, server: SnowflakeServer, password: str) -> dict[str, str]:
    """Write connections.toml with the connection `shop`, and return the variables that lead to it."""
    file = home / "connections.toml"
    lines = {"account": "acme", "user": "loader", "password": password, "host": "127.0.0.1", "protocol": "http"}
    text = "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    file.write_text(f'[shop]\n{text}port = {server.port}\ndatabase = "SEGMENT"\n', "utf-8")
    file.chmod(0o600)  # or the connector warns
    return {"SNOWFLAKE_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
