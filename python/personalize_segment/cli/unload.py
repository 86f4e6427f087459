"""The verb that runs the statements of `sql` where the events are: in Redshift or in Snowflake."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from .. import warehouse
from ..errors import EmptyError, WarehouseError
from .plans import waiting
from .terminal import MappingFile, app, fail, messages, read_mapping

if TYPE_CHECKING:
    from ..warehouse.engines.executor import UnloadResult, WarehouseEngine

#: Kinds of reasons in the table on the terminal; --json has them all.
SHOWN = 15

unload = typer.Typer(help="Unload training data from a warehouse to S3, and wait for it.", no_args_is_help=True)
app.add_typer(unload, name="unload")

Schema = Annotated[list[str], typer.Option("--schema", help="Schema of a Segment source; once for each.")]
To = Annotated[str, typer.Option("--to", help="s3:// prefix for interactions/, users/, items/: replaced.")]
Columns = Annotated[
    Path | None,
    typer.Option("--columns", help="File with the warehouse's columns; it is asked without it.", show_default=False),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d"], help="First received day (UTC).", show_default=False),
]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The day after the last.", show_default=False)
]
Overlap = Annotated[int, typer.Option("--overlap", min=0, help="Days before --since that are read for repeats only.")]
Counts = Annotated[bool, typer.Option("--counts/--no-counts", help="Also count what is left out, and why.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines, on stdout.")]
Poll = Annotated[float, typer.Option("--poll", min=0.05, help="Most seconds between two looks at a query.")]


@unload.command()
def redshift(
    schema: Schema,
    to: To,
    role: Annotated[str, typer.Option("--role", help="ARN of the role with which Redshift writes to the bucket.")],
    database: Annotated[str, typer.Option("--database", help="Database that Segment loads.")],
    bucket_region: Annotated[
        str | None,
        typer.Option("--bucket-region", help="Region of the bucket, if not the warehouse's own.", show_default=False),
    ] = None,
    workgroup: Annotated[str | None, typer.Option(help="Serverless workgroup.", show_default=False)] = None,
    cluster: Annotated[str | None, typer.Option(help="Provisioned cluster.", show_default=False)] = None,
    db_user: Annotated[
        str | None, typer.Option("--db-user", help="User of the cluster; yours by IAM without it.", show_default=False)
    ] = None,
    secret_arn: Annotated[
        str | None, typer.Option("--secret-arn", help="Secret with the database's user.", show_default=False)
    ] = None,
    client_token: Annotated[
        str | None,
        typer.Option(
            "--client-token",
            help="Name of this run: a repeat with the same name waits for the first's queries instead of its own.",
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
    """Unload through the Redshift Data API, which needs no connection and no password."""
    if (workgroup is None) == (cluster is None):
        raise typer.BadParameter("name a workgroup or a cluster", param_hint="--workgroup / --cluster")
    if db_user is not None and (cluster is None or secret_arn is not None):
        raise typer.BadParameter("is for a cluster without --secret-arn", param_hint="--db-user")
    wanted = _Wanted("redshift", mapping, schema, to, role, columns, since, until, overlap, bucket_region)
    wanted.check()
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from ..warehouse.engines.redshift import redshift as engine
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: install personalize-segment[provision]")
    try:
        # Long enough for throttling to pass; a call that is sent again runs nothing twice.
        config = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 8})
        client = boto3.client("redshift-data", config=config)
    except BotoCoreError as error:
        fail(str(error))
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
        wanted,
        counts,
        poll,
        as_json,
    )


@unload.command()
def snowflake(
    schema: Schema,
    to: To,
    integration: Annotated[str, typer.Option("--integration", help="Storage integration that reaches the bucket.")],
    connection: Annotated[
        str | None,
        typer.Option("--connection", help="In connections.toml; the default one without it.", show_default=False),
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
    """Unload through Snowflake's connector, which knows how to log in."""
    wanted = _Wanted("snowflake", mapping, schema, to, integration, columns, since, until, overlap)
    wanted.check()
    try:
        from ..warehouse.engines.snowflake import snowflake as engine
    except ModuleNotFoundError as error:
        fail(f"{str(error.name).partition('.')[0]} is missing: install personalize-segment[snowflake]")
    with engine(connection) as opened:
        _run(opened, wanted, counts, poll, as_json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to write, from what and to where."""

    dialect: str
    mapping: Path | None
    schemas: list[str]
    to: str
    access: str
    columns: Path | None
    since: datetime | None
    until: datetime | None
    overlap: int
    bucket_region: str | None = None

    def check(self) -> None:
        """Raise WarehouseError or MappingError, before anybody logs in, for what can't be right."""
        self.plan(self.read_columns())

    def read_columns(self) -> warehouse.Columns | None:
        """Return the columns in the file, if there is one."""
        if self.columns is None:
            return None
        try:
            return warehouse.parse_columns(self.columns.read_text("utf-8"), str(self.columns))
        except UnicodeDecodeError:
            raise WarehouseError(str(self.columns), "is not UTF-8 text", "Save it as UTF-8") from None

    def plan(self, columns: warehouse.Columns | None) -> warehouse.Plan:
        """Return the statements for a warehouse that has these columns, or all that are named."""
        return warehouse.plan(
            read_mapping(self.mapping),
            self.dialect,
            schemas=self.schemas,
            to=self.to,
            role_or_integration=self.access,
            bucket_region=self.bucket_region,
            columns=columns,
            since=self.since and self.since.date(),
            until=self.until and self.until.date(),
            overlap=self.overlap,
        )


def _run(engine: "WarehouseEngine", wanted: _Wanted, counts: bool, poll: float, as_json: bool) -> None:
    from ..warehouse.engines import executor

    with _interrupt_explained(), waiting() as show:
        waiter = executor.Waiter(poll, show)
        query = warehouse.columns_query(wanted.dialect, wanted.schemas)
        plan = wanted.plan(wanted.read_columns() or executor.columns(engine, query, waiter))
        for line in plan.left_out:
            messages.print(escape(line), soft_wrap=True)
        outcome = executor.unload(engine, [one for one in plan.statements if counts or one.kind != "counts"], waiter)
    if as_json:
        print(json.dumps({"to": wanted.to, "not_there": plan.left_out} | asdict(outcome), indent=2))
    else:
        _show(outcome, wanted.to)
    if not any(one.rows for one in outcome.written):
        remedy = "Check the schemas, the mapping and the window, and what is left out"
        raise EmptyError(engine.place, "the queries gave not one row", remedy)


@contextmanager
def _interrupt_explained() -> Iterator[None]:
    """Say what became of the query, and of the datasets, when Ctrl-C ends the waiting."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", []):
            messages.print(escape(note), soft_wrap=True)
        raise


def _show(outcome: "UnloadResult", to: str) -> None:
    """Print the outcome for people: to stderr, because stdout is for data."""
    counts: list[dict[str, Any]] = list(outcome.counts)
    counted: Counter[tuple[str, str]] = Counter()
    refused = []
    for one in sorted(counts, key=lambda one: -one["count"]):
        kind = one["reason"] if one["reason"] in (warehouse.WRITTEN, warehouse.DEDUPLICATED) else "refused"
        counted[one["dataset"], kind] += one["count"]
        refused += [one] if kind == "refused" else []
    kinds = (warehouse.DEDUPLICATED, "refused") if outcome.counts else ()
    table = Table("dataset", "rows", *kinds, "query", title=f"Written to {escape(to)}", title_justify="left")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for each in outcome.written:
        numbers = (f"{counted[each.dataset, kind]:,}" for kind in kinds)
        table.add_row(each.dataset, f"{each.rows:,}", *numbers, each.query)
    messages.print(table)
    if not refused:
        return
    table = Table("count", "source", "event", "dataset", "field", "reason", title="Left out", title_justify="left")
    table.columns[0].justify = "right"
    for one in refused[:SHOWN]:
        event = one["call"] if one["event"] is None else f"{one['call']} {one['event']}"
        cells = (one["source"], event, one["dataset"], one["field"], one["reason"])
        table.add_row(f"{one['count']:,}", *(escape(str(cell or "")) for cell in cells))
    messages.print(table)
    if len(refused) > SHOWN:
        messages.print(f"… and {len(refused) - SHOWN} more kinds of reasons: see --json")
