"""The verb `sql`: print statements for a warehouse."""

from pathlib import Path
from typing import Annotated

import typer

from .. import warehouse
from ..errors import WarehouseError
from ..warehouse import TimeWindow, UnloadRequest
from .terminal import HISTORY, MappingFile, Overlap, Since, Until, messages, plain, read_mapping, verb, verbs

sql = verbs("sql", HISTORY, "Print SQL that unloads training data from a warehouse to S3.")

Schema = Annotated[list[str], typer.Option("--schema", help="Schema of a Segment source. Repeatable.")]
To = Annotated[str, typer.Option("--to", help="s3:// prefix for interactions/, users/ and items/. Replaces them.")]
BucketRegion = Annotated[
    str | None,
    typer.Option("--bucket-region", help="Region of the bucket (default: the warehouse's).", show_default=False),
]
Integration = Annotated[str, typer.Option("--integration", help="Storage integration with access to the bucket.")]
Columns = Annotated[
    Path | None,
    typer.Option(
        "--columns",
        help="Result of --columns-query, as CSV or JSON. Columns not in it are left out.",
        show_default=False,
    ),
]
ColumnsQuery = Annotated[
    bool, typer.Option("--columns-query", help="Print only the query that lists the warehouse's columns.")
]
Counts = Annotated[
    bool, typer.Option("--counts", help="Print only the queries that count what is left out, by reason.")
]


@verb("sql redshift --schema web --to s3://bucket/transformed/", to=sql)
def redshift(
    schema: Schema,
    to: To = "",
    role: Annotated[
        str, typer.Option("--role", help="ARN of the role that Redshift uses to write to the bucket, or default.")
    ] = "default",
    bucket_region: BucketRegion = None,
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = False,
    columns_query: ColumnsQuery = False,
) -> None:
    """Print UNLOAD statements for Redshift. Run them in one session, in this order."""
    if columns_query:
        print(f"{warehouse.columns_query('redshift', schema)};")
        return
    to, received = _required(to, "--to"), TimeWindow.of_days(since, until, overlap)
    parsed, known = read_mapping(mapping), read_columns(columns)
    _print(UnloadRequest(parsed, "redshift", schema, to, role, bucket_region, known, received), counts)


@verb("sql snowflake --schema WEB --to s3://bucket/transformed/ --integration S3", to=sql)
def snowflake(
    schema: Schema,
    to: To = "",
    integration: Integration = "",
    role_arn: Annotated[
        str,
        typer.Option(
            "--setup",
            metavar="ROLE_ARN",
            help="Print only the SQL for an administrator to create the integration for this AWS role.",
        ),
    ] = "",
    grantee: Annotated[
        str, typer.Option("--grant-to", help="With --setup, the Snowflake role that may use the integration.")
    ] = "",
    mapping: MappingFile = None,
    columns: Columns = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    counts: Counts = False,
    columns_query: ColumnsQuery = False,
) -> None:
    """Print COPY INTO statements for Snowflake. Run them in one session, in this order."""
    if columns_query:
        print(f"{warehouse.columns_query('snowflake', schema)};")
        return
    integration = _required(integration, "--integration")
    if role_arn:
        sqls = warehouse.integration(integration, role_arn, _required(to, "--to"), _required(grantee, "--grant-to"))
        print("\n".join(f"{sql};" for sql in sqls))
        return
    to, received = _required(to, "--to"), TimeWindow.of_days(since, until, overlap)
    parsed, known = read_mapping(mapping), read_columns(columns)
    _print(UnloadRequest(parsed, "snowflake", schema, to, integration, None, known, received), counts)


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
        raise WarehouseError(str(path), "isn't UTF-8 text", "Save it as UTF-8") from None


def _print(request: UnloadRequest, counts: bool) -> None:
    plan = warehouse.plan(request)
    print(f"-- event mapping sha256: {request.mapping.sha256}")
    for statement in plan.statements:
        if (statement.kind == "counts") == counts or (statement.kind == "setup" and not statement.dataset):
            print(f"\n{statement}")
    for line in plan.left_out:
        messages.print(plain(f"left out: {line}"), soft_wrap=True)
