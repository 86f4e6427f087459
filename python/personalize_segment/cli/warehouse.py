"""The verb that prints statements for a warehouse: `sql`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .. import warehouse
from ..errors import WarehouseError
from .terminal import MappingFile, app, messages, read_mapping

sql = typer.Typer(help="Print the statements that unload training data from a warehouse to S3.", no_args_is_help=True)
app.add_typer(sql, name="sql")

Schema = Annotated[list[str], typer.Option("--schema", help="Schema of a Segment source; once for each.")]
To = Annotated[str, typer.Option("--to", help="s3:// prefix for interactions/, users/, items/: replaced.")]
Columns = Annotated[
    Path | None,
    typer.Option(
        "--columns", help="Answer of --columns-query, CSV or JSON; what isn't there is left out.", show_default=False
    ),
]
ColumnsQuery = Annotated[
    bool, typer.Option("--columns-query", help="Print the query that tells the warehouse's columns, and nothing else.")
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d"], help="First received day (UTC).", show_default=False),
]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The day after the last.", show_default=False)
]
Overlap = Annotated[int, typer.Option("--overlap", min=0, help="Days before --since that are read for repeats only.")]
Counts = Annotated[bool, typer.Option("--counts", help="Print the queries that count what is left out, instead.")]


@sql.command()
def redshift(
    schema: Schema,
    to: To = "",
    role: Annotated[
        str, typer.Option("--role", help="ARN of the role with which Redshift writes to the bucket, or default.")
    ] = "default",
    bucket_region: Annotated[
        str | None,
        typer.Option("--bucket-region", help="Region of the bucket, if not the warehouse's own.", show_default=False),
    ] = None,
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = False,
    columns_query: ColumnsQuery = False,
) -> None:
    """Print statements for Redshift: UNLOAD with a role. They go into one session, in this order."""
    if columns_query:
        print(f"{warehouse.columns_query('redshift', schema)};")
        return
    _print(
        "redshift", mapping, schema, _required(to, "--to"), role, columns, since, until, overlap, counts, bucket_region
    )


@sql.command()
def snowflake(
    schema: Schema,
    to: To = "",
    integration: Annotated[
        str, typer.Option("--integration", help="Storage integration that reaches the bucket.")
    ] = "",
    role_arn: Annotated[
        str,
        typer.Option(
            "--setup",
            metavar="ROLE_ARN",
            help="Print what an administrator runs once to make the integration with this AWS role, and nothing else.",
        ),
    ] = "",
    grantee: Annotated[
        str, typer.Option("--grant-to", help="With --setup: Snowflake's role that unloads, which may use it then.")
    ] = "",
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = False,
    columns_query: ColumnsQuery = False,
) -> None:
    """Print statements for Snowflake: COPY INTO with a storage integration. They go into one session, in this order."""
    if columns_query:
        print(f"{warehouse.columns_query('snowflake', schema)};")
        return
    integration = _required(integration, "--integration")
    if role_arn:
        made = warehouse.integration(integration, role_arn, _required(to, "--to"), _required(grantee, "--grant-to"))
        print("\n".join(f"{one};" for one in made))
        return
    _print("snowflake", mapping, schema, _required(to, "--to"), integration, columns, since, until, overlap, counts)


def _required(value: str, option: str) -> str:
    if not value:
        raise typer.BadParameter("is missing", param_hint=option)
    return value


def read_columns(path: Path | None) -> warehouse.Columns | None:
    """Return the columns in a file, if there is one."""
    if path is None:
        return None
    try:
        return warehouse.parse_columns(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise WarehouseError(str(path), "is not UTF-8 text", "Save it as UTF-8") from None


def _print(
    dialect: str,
    mapping: Path | None,
    schemas: list[str],
    to: str,
    access: str,
    columns: Path | None,
    since: datetime | None,
    until: datetime | None,
    overlap: int,
    counts: bool,
    bucket_region: str | None = None,
) -> None:
    parsed = read_mapping(mapping)
    plan = warehouse.plan(
        parsed,
        dialect,
        schemas=schemas,
        to=to,
        role_or_integration=access,
        bucket_region=bucket_region,
        columns=read_columns(columns),
        since=since and since.date(),
        until=until and until.date(),
        overlap=overlap,
    )
    print(f"-- event mapping sha256: {parsed.sha256}")
    for one in plan.statements:
        if (one.kind == "counts") == counts or (one.kind == "setup" and not one.dataset):
            print(f"\n-- {one.kind} {one.dataset or 'session'}\n{one.sql};")
    for line in plan.left_out:
        messages.print(escape(f"left out: {line}"), soft_wrap=True)
