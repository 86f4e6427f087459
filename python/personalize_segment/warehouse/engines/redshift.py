"""Run statements through the Redshift Data API, on a serverless workgroup or a cluster.

Source: botocore's model of `redshift-data`, and the Data API's pages in the Redshift management guide.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ...errors import UnloadError
from .. import Statement
from .executor import Cell, QueryState
from .failures import REDSHIFT, one_line, remedy

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_redshift_data.type_defs import DescribeStatementResponseTypeDef, FieldTypeDef

#: Maximum bytes of a statement in the Data API. An SQL client may send 16 MB.
MAX_STATEMENT_BYTES = 100 << 10
_TOO_LONG = "Name fewer schemas, or run the output of `personalize-segment sql` in an SQL client, which takes 16 MB"

#: The number of rows of the session's last UNLOAD. Documented for both kinds of warehouse, and for every user.
_ROWS = "SELECT pg_last_unload_count()"
_CANCELS = 5


@dataclass(frozen=True, slots=True)
class RedshiftEngine:
    """A database: `target` has Database and WorkgroupName, or ClusterIdentifier with DbUser or SecretArn.

    `client` is boto3's `redshift-data`. Two runs with the same `client_token` and statements are one: the second waits
    for the queries of the first. A token that differs in each run only makes the retries of a call idempotent.
    """

    client: "RedshiftDataAPIServiceClient"
    target: dict[str, Any]
    client_token: str
    sleep: Callable[[float], None] = time.sleep

    @property
    def place(self) -> str:
        """The name of the workgroup or cluster, and the database."""
        where = self.target.get("WorkgroupName") or self.target.get("ClusterIdentifier")
        return f"Redshift {where}/{self.target['Database']}"

    def check(self, statement: Statement) -> None:
        """Raise UnloadError if the statement is too long for the Data API."""
        size = len(statement.sql.encode())
        if size > MAX_STATEMENT_BYTES:
            problem = f"the {statement.kind} statement has {size:,} bytes, larger than 100 KB, the Data API's limit"
            how = "Leave the counts out with --no-counts" if statement.kind == "counts" else _TOO_LONG
            raise UnloadError(f"{statement.dataset} in {self.place}", problem, how)

    def prepare(self, setup: Sequence[str]) -> None:
        """Do nothing, because each batch is a session with its own setup."""

    def submit(self, setup: Sequence[str], statement: Statement) -> str:
        """Start one batch, which is one session, so that its count of rows belongs to its own UNLOAD."""
        sqls = [*setup, statement.sql, *([_ROWS] if statement.kind == "unload" else [])]
        token = "\n".join([self.client_token, *self.target.values(), *sqls])
        with self._unload_errors(statement.dataset):
            answer = self.client.batch_execute_statement(
                **self.target,
                Sqls=sqls,
                StatementName=f"personalize-segment {statement.kind} {statement.dataset}",
                ClientToken=hashlib.sha256(token.encode()).hexdigest(),
            )
        return str(answer["Id"])

    def state(self, query: str) -> QueryState:
        """Return the batch's status. FINISHED, FAILED and ABORTED are final."""
        batch = self._describe(query)
        status = batch["Status"]
        if status in ("FAILED", "ABORTED"):
            errors = [batch.get("Error"), *(statement.get("Error") for statement in batch.get("SubStatements", []))]
            default = "it was canceled" if status == "ABORTED" else "no reason given"
            return QueryState(status, True, next(filter(None, errors), default))
        return QueryState(status, status == "FINISHED")

    def rows_written(self, query: str) -> int:
        """Return the result of `pg_last_unload_count` in the batch."""
        ((count,),) = (record.values() for record in self.records(query))
        return int(count or 0)

    def records(self, query: str) -> list[dict[str, Cell]]:
        """Return the rows of the batch's last statement."""
        last = self._describe(query)["SubStatements"][-1]["Id"]
        records: list[dict[str, Cell]] = []
        with self._unload_errors(f"query {last}"):
            for page in self.client.get_paginator("get_statement_result").paginate(Id=last):
                names = [(column.get("label") or column["name"]).lower() for column in page["ColumnMetadata"]]
                records += [dict(zip(names, map(_cell, record), strict=True)) for record in page["Records"]]
        return records

    def cancel(self, query: str) -> str:
        """Cancel the batch. Retry while it is only SUBMITTED, because it can't be canceled then."""
        outcome = "is in an unknown state"
        for attempt in range(_CANCELS):
            if attempt:
                self.sleep(1.0)
            try:
                if self.client.cancel_statement(Id=query)["Status"]:
                    return "was canceled"
            except (ClientError, BotoCoreError) as error:
                outcome = f"couldn't be canceled: {one_line(str(error))}"
            try:
                state = self.state(query)
            except UnloadError as error:
                return f"may still be running: {error.problem}"
            if state.ended:
                return f"is {state.name}"
            outcome = f"is still {state.name}: cancel it in the console"
        return outcome

    def remedy(self, reason: str) -> str:
        """Return the remedy for a failed batch."""
        return remedy(reason, REDSHIFT)

    def _describe(self, query: str) -> "DescribeStatementResponseTypeDef":
        with self._unload_errors(f"query {query}"):
            return self.client.describe_statement(Id=query)

    @contextmanager
    def _unload_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            reason = one_line(str(error))
            raise UnloadError(f"{what} in {self.place}", reason, _api_remedy(error)) from error


def redshift(
    client: "RedshiftDataAPIServiceClient",
    database: str,
    *,
    workgroup: str | None = None,
    cluster: str | None = None,
    db_user: str | None = None,
    secret_arn: str | None = None,
    client_token: str | None = None,
) -> RedshiftEngine:
    """Return the engine for a workgroup or a cluster. Exactly one must be given.

    Without `db_user` and `secret_arn`, the caller's IAM identity determines the database user.
    """
    target = {
        "WorkgroupName": workgroup,
        "ClusterIdentifier": cluster,
        "DbUser": db_user,
        "SecretArn": secret_arn,
        "Database": database,
    }
    return RedshiftEngine(client, {k: v for k, v in target.items() if v}, client_token or str(uuid.uuid4()))


def _cell(field: "FieldTypeDef") -> Cell:
    """Return one value of a record, without the type that the API wraps it in."""
    value: Any = next(iter(field.values()))
    return None if field.get("isNull") else value


def _api_remedy(error: ClientError | BotoCoreError) -> str:
    """Return the remedy for a call that the API refused, which is rarely about tables."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code == "AccessDeniedException":
        return (
            "Allow redshift-data:BatchExecuteStatement, DescribeStatement, GetStatementResult and CancelStatement, and"
            " redshift-serverless:GetCredentials, redshift:GetClusterCredentials or the secret"
        )
    if code in ("ActiveStatementsExceededException", "ActiveSessionsExceededException"):
        return "Wait until other statements have finished, then run it again"
    if code == "ValidationException" and "larger than 100" in str(error):
        return _TOO_LONG
    return "Check the region, the workgroup or cluster, the database and your credentials"
