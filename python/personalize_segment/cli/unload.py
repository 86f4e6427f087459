"""The verb that runs the statements of `sql` in Redshift or Snowflake."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .. import warehouse
from ..errors import EmptyError
from ..warehouse import TimeWindow, UnloadRequest
from .plans import waiting
from .stack import explain_refusals
from .terminal import (
    HISTORY,
    AsJson,
    MappingFile,
    Overlap,
    Since,
    Until,
    console,
    messages,
    plain,
    read_mapping,
    requires,
    show_left_out,
    verb,
    verbs,
)
from .warehouse import BucketRegion, Integration, Schema, To, read_columns

if TYPE_CHECKING:
    from ..warehouse.engines.executor import UnloadResult, WarehouseEngine

unload = verbs("unload", HISTORY, "Unload training data from a warehouse to S3, and wait for it.")

Columns = Annotated[
    Path | None,
    typer.Option(
        "--columns", help="File with the warehouse's columns (default: query the warehouse).", show_default=False
    ),
]
Counts = Annotated[
    bool, typer.Option("--counts/--no-counts", help="Also count the events and rows that are left out, by reason.")
]
Poll = Annotated[float, typer.Option("--poll", min=0.05, help="Maximum polling interval in seconds.")]


@verb(
    "unload redshift --schema web --to s3://bucket/transformed/ --role ARN --database dev --workgroup main", to=unload
)
@explain_refusals
def redshift(
    schema: Schema,
    to: To,
    role: Annotated[str, typer.Option("--role", help="ARN of the role that Redshift uses to write to the bucket.")],
    database: Annotated[str, typer.Option("--database", help="Database that Segment loads into.")],
    bucket_region: BucketRegion = None,
    workgroup: Annotated[str | None, typer.Option(help="Serverless workgroup.", show_default=False)] = None,
    cluster: Annotated[str | None, typer.Option(help="Provisioned cluster.", show_default=False)] = None,
    db_user: Annotated[
        str | None,
        typer.Option(
            "--db-user", help="Database user on the cluster (default: your IAM identity's).", show_default=False
        ),
    ] = None,
    secret_arn: Annotated[
        str | None, typer.Option("--secret-arn", help="ARN of the secret with the database user.", show_default=False)
    ] = None,
    client_token: Annotated[
        str | None,
        typer.Option(
            "--client-token",
            help="Name of this run. Rerun with the same name to wait for its queries instead of starting new ones.",
            show_default=False,
        ),
    ] = None,
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = True,
    poll: Poll = 5.0,
    as_json: AsJson = False,
) -> None:
    """Unload from Redshift through its Data API. Needs no connection and no password."""
    if (workgroup is None) == (cluster is None):
        raise typer.BadParameter("Set exactly one of them", param_hint="--workgroup / --cluster")
    if db_user is not None and (cluster is None or secret_arn is not None):
        raise typer.BadParameter("needs --cluster, and can't be combined with --secret-arn", param_hint="--db-user")
    parsed, known, received = read_mapping(mapping), read_columns(columns), TimeWindow.of_days(since, until, overlap)
    request = UnloadRequest(parsed, "redshift", schema, to, role, bucket_region, known, received)
    warehouse.plan(request)  # refuses invalid requests before logging in
    with requires("provision"):
        import boto3
        from botocore.config import Config

        from ..warehouse.engines.redshift import redshift as engine
    # Enough attempts to outlast throttling. A retried call doesn't run a query twice.
    config = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 8})
    client = boto3.client("redshift-data", config=config)
    _run(
        engine(
            client,
            database,
            workgroup=workgroup,
            cluster=cluster,
            db_user=db_user,
            secret_arn=secret_arn,
            client_token=client_token,
        ),
        request,
        counts,
        poll,
        as_json,
    )


@verb("unload snowflake --schema WEB --to s3://bucket/transformed/ --integration S3", to=unload)
def snowflake(
    schema: Schema,
    to: To,
    integration: Integration,
    connection: Annotated[
        str | None,
        typer.Option(
            "--connection", help="Connection in connections.toml (default: Snowflake's default).", show_default=False
        ),
    ] = None,
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = True,
    poll: Poll = 5.0,
    as_json: AsJson = False,
) -> None:
    """Unload from Snowflake through its connector."""
    parsed, known, received = read_mapping(mapping), read_columns(columns), TimeWindow.of_days(since, until, overlap)
    request = UnloadRequest(parsed, "snowflake", schema, to, integration, None, known, received)
    warehouse.plan(request)  # refuses invalid requests before logging in
    with requires("snowflake"):
        from ..warehouse.engines.snowflake import snowflake as engine
    with engine(connection) as opened:
        _run(opened, request, counts, poll, as_json)


def _run(engine: "WarehouseEngine", request: UnloadRequest, counts: bool, poll: float, as_json: bool) -> None:
    from ..warehouse.engines import executor

    with _interrupt_explained(), waiting() as show:
        waiter = executor.Waiter(poll, show)
        if request.columns is None:
            query = warehouse.columns_query(request.dialect, request.schemas)
            request = replace(request, columns=executor.columns(engine, query, waiter))
        plan = warehouse.plan(request)
        for line in plan.left_out:
            messages.print(plain(line), soft_wrap=True)
        statements = [statement for statement in plan.statements if counts or statement.kind != "counts"]
        result = executor.unload(engine, statements, waiter)
    if as_json:
        print(json.dumps({"to": request.to, "not_there": plan.left_out} | asdict(result), indent=2))
    else:
        _show(result, request.to)
    if not any(dataset.rows for dataset in result.written):
        remedy = "Check the schemas, the mapping, the window and the reasons above"
        raise EmptyError(engine.place, "the queries produced no rows", remedy)


@contextmanager
def _interrupt_explained() -> Iterator[None]:
    """When Ctrl-C ends the wait, print the state of the query and the datasets."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", []):
            messages.print(plain(note), soft_wrap=True)
        raise


def _show(result: "UnloadResult", to: str) -> None:
    """Print the result for people."""
    counts: list[dict[str, Any]] = list(result.counts)
    became: Counter[tuple[str, str]] = Counter()
    refused: list[tuple[int, *tuple[str | None, ...]]] = []
    remarks: list[tuple[int, *tuple[str | None, ...]]] = []  # about rows that are written
    for count in sorted(counts, key=lambda count: -count["count"]):
        number, call, event, dataset, reason = (count[name] for name in ("count", "call", "event", "dataset", "reason"))
        if reason in (warehouse.WRITTEN, warehouse.DEDUPLICATED):
            became[dataset, reason] += number
            continue
        name = call if event is None else f"{call} {event}"
        line = (number, count["source"], name, dataset, count["field"], reason)
        if reason in (warehouse.AHEAD, warehouse.STITCHED) or reason.startswith(warehouse.UNUSABLE):
            remarks.append(line)
        else:
            became[dataset, "refused"] += number
            refused.append(line)
    kinds = (warehouse.DEDUPLICATED, "refused") if counts else ()
    table = Table("dataset", "rows", *kinds, "query", title=f"Written to {plain(to)}", title_justify="left")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for written in result.written:
        numbers = (f"{became[written.dataset, kind]:,}" for kind in kinds)
        table.add_row(written.dataset, f"{written.rows:,}", *numbers, written.query)
    console().print(table)
    names = ("source", "event", "dataset", "field", "reason")
    show_left_out(names, refused, "--json")
    what = "Rows with a value left out, with a replaced timestamp, or with the user of another event"
    show_left_out(names, remarks, "--json", what)
