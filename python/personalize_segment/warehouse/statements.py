"""Statements that write training data from a warehouse to S3, and count the omitted events with their reasons."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..contract.mapping import Call, Column, Dataset, EventMapping, Path, Rule, Source
from ..errors import WarehouseError
from .branches import Branch, merged
from .catalog import Columns
from .dialect import Dialect, is_blank
from .naming import NAME_COLUMNS, TABLES
from .queries import Stitching, counts_query, dataset_query, unmapped_query
from .redshift import RedshiftDialect
from .snowflake import SnowflakeDialect
from .tables import find
from .window import TimeWindow

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (RedshiftDialect(), SnowflakeDialect())}

#: A bucket and a key. S3 allows more characters in keys than are safe in a statement.
_PLACE = re.compile(r"s3://([^/{}]+)(/[^'\\?*\"]*)?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: The path of the session that an alias joins to a user.
_PREVIOUS = (Path(("previousId",)),)

#: The blank for the region of a bucket that is itself a blank.
_REGION = "{{bucket_region}}"

StatementKind = Literal["setup", "unload", "counts"]


@dataclass(frozen=True, slots=True)
class UnloadRequest:
    """The data to write below `to`, from the schemas of one or more sources.

    `dialect` is redshift or snowflake. `access` is the ARN of the role for Redshift, or the name of Snowflake's
    storage integration. `bucket_region` is the bucket's region, if it differs from Redshift's. If `to` is a blank, the
    region becomes one too. Without `columns`, the warehouse is assumed to have every table and column that the mapping
    names. `received` is the window of the time received, as for `export` (rule 9).
    """

    mapping: EventMapping
    dialect: str
    schemas: Sequence[str]
    to: str
    access: str
    bucket_region: str | None = None
    columns: Columns | None = None
    received: TimeWindow = field(default_factory=TimeWindow)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `dataset` is empty for a setup of the whole session. `sql` has no final semicolon.

    A setup runs in the same session before other statements, every time: with a dataset before its unload, without one
    before everything.
    """

    dataset: str
    kind: StatementKind
    sql: str

    def __str__(self) -> str:
        return f"-- {self.kind} {self.dataset or 'session'}\n{self.sql};"


@dataclass(frozen=True, slots=True)
class Plan:
    """Statements in the order of execution, and the omitted tables and columns with the reasons, one per line."""

    statements: tuple[Statement, ...]
    left_out: tuple[str, ...]


def plan(request: UnloadRequest) -> Plan:
    """Return the statements that write each dataset of the mapping.

    A dataset without a table to read has no unload, and `left_out` lists it. Raises WarehouseError if a name isn't
    valid, or if no dataset has a table to read.

        request = UnloadRequest(parse(default_text()), "redshift", ["prod"], "s3://bucket/training", "default")
        for statement in plan(request).statements:
            print(statement)
    """
    dialect = _dialect(request.dialect)
    to = _location(request.to)
    access = dialect.access(request.access)
    region = _REGION if request.bucket_region is None and is_blank(to) else request.bucket_region
    schemas = _sources(dialect, request.schemas)
    whole_days = request.received.without_overlap()
    notes: list[str] = []
    unloads = [Statement("", "setup", sql) for sql in dialect.setup(to, access)]
    counts = []
    most = request.mapping.max_elements
    stitching = _stitching(dialect, request, schemas)
    for dataset in request.mapping.datasets:
        of_visits = stitching if dataset.name == "interactions" else None
        session = request.mapping.session if of_visits else ()
        received = request.received if dataset.name == "interactions" else whole_days  # rule 9
        branches = _branches(dialect, dataset, schemas, request.columns, received, notes, session, most)
        selects = merged(select for branch in branches for select in branch.rows())
        if selects:
            unloads += [Statement(dataset.name, "setup", sql) for sql in dialect.setup_of(dataset.name)]
            query = dataset_query(dialect, dataset, selects, received, of_visits)
            unloads.append(Statement(dataset.name, "unload", dialect.unload(query, to, dataset.name, access, region)))
        else:
            notes.append(f"{dataset.name}: no table to read, so files in its folder stay there")
        branches = _branches(dialect, dataset, schemas, request.columns, received, [], session, most, counting=True)
        if branches:
            judged = merged(select for branch in branches for select in branch.judged())
            counts.append(Statement(dataset.name, "counts", counts_query(dialect, dataset, judged, of_visits)))
    if not any(statement.kind == "unload" for statement in unloads):
        problem = f"have no table to read: {'; '.join(dict.fromkeys(notes))}"
        raise WarehouseError(", ".join(schemas), problem, "Pass the schemas of Segment's sources, or fix the mapping")
    unmapped = unmapped_query(dialect, request.mapping, schemas, request.columns, whole_days)
    if unmapped:
        counts.append(Statement("events", "counts", unmapped))
    return Plan((*unloads, *counts), tuple(dict.fromkeys(notes)))


def columns_query(dialect: str, schemas: Sequence[str]) -> str:
    """Return the query for the tables and columns that the warehouse has. `parse_columns` reads its result."""
    known = _dialect(dialect)
    return known.columns_query(_sources(known, schemas))


def integration(name: str, role_arn: str, to: str, grantee: str) -> list[str]:
    """Return the statements that a Snowflake administrator runs once, so that `grantee` may unload below `to`."""
    return SnowflakeDialect().integration(name, _location(to), role_arn, grantee)


def _branches(
    dialect: Dialect,
    dataset: Dataset,
    schemas: Sequence[str],
    columns: Columns | None,
    received: TimeWindow,
    notes: list[str],
    session: tuple[Path, ...],
    max_elements: int,
    *,
    counting: bool = False,
) -> list[Branch]:
    branches = []
    for schema in schemas:
        for position, rule in enumerate(dataset.rules):
            table = find(dialect, rule, schema, columns, _needed(dataset, rule, received), notes)
            if table is not None:
                earlier = tuple(other for other in dataset.rules[:position] if _alike(other, rule))
                branches.append(Branch(table, dataset, received, earlier, session, max_elements, counting))
    return branches


def _stitching(dialect: Dialect, request: UnloadRequest, schemas: Sequence[str]) -> Stitching | None:
    """Return the SELECTs to find the users of visits, None if the mapping drops visits."""
    mapping = request.mapping
    if mapping.visitors == "drop":
        return None
    columns = tuple(Column(name, "string", nullable=False) for name in ("session", "user"))
    branches = []
    for call, name in _telling(mapping, known=request.columns is not None):
        needed = [*([NAME_COLUMNS[call]] if name else []), *(["received_at"] if request.received else [])]
        for sessions in (mapping.session, *([_PREVIOUS] if call == "alias" else [])):
            rule = Rule(call, name, None, tuple(Source(paths, True, "id") for paths in (sessions, mapping.user)))
            for schema in schemas:
                table = find(dialect, rule, schema, request.columns, needed, [])
                if table is not None:
                    branches.append(Branch(table, Dataset("logins", columns, (rule,)), request.received))
    return Stitching(merged(select for branch in branches for select in branch.rows()), mapping.visitors)


def _telling(mapping: EventMapping, *, known: bool) -> list[tuple[Call, str | None]]:
    """Return the calls whose tables may contain logins, with event names for tracks in tables of single events.

    One table has all events of a call, but a track's properties are in the event's own table only. Without a list of
    columns, only `tracks` and the tables that the mapping names are assumed to exist.
    """
    rules = [rule for dataset in mapping.datasets for rule in dataset.rules]
    tracks: list[str | None] = [None]
    if any(path.segments[0] == "properties" for path in (*mapping.session, *mapping.user)):
        tracks = list(dict.fromkeys(rule.name for rule in rules if rule.call == "track"))
    named = {rule.call for rule in rules}
    others = [call for call in TABLES if call != "track" and (known or call in named)]
    return [*(("track", name) for name in tracks), *((call, None) for call in others)]


def _alike(earlier: Rule, rule: Rule) -> bool:
    """Return whether two rules may match the same event. A rule for any name comes after those for a name."""
    return earlier.call == rule.call and (earlier.name == rule.name or rule.name is None)


def _needed(dataset: Dataset, rule: Rule, received: TimeWindow) -> list[str]:
    """Return the columns without which a table can't be used."""
    needed = ["id" if rule.name is None else NAME_COLUMNS[rule.call]]
    if dataset.name == "interactions":
        needed.append("id")
    return [*needed, "received_at"] if received else needed


def _dialect(name: str) -> Dialect:
    if name not in DIALECTS:
        raise WarehouseError(name, "isn't a supported warehouse", f"Choose one of {', '.join(DIALECTS)}")
    return DIALECTS[name]


def _sources(dialect: Dialect, schemas: Sequence[str]) -> list[str]:
    if not schemas:
        raise WarehouseError("the schemas", "are missing", "Pass one for each source")
    return list(dict.fromkeys(dialect.schema(schema) for schema in schemas))


def _location(to: str) -> str:
    if is_blank(to):
        return to
    remedy = "Pass a bucket and folder, such as s3://bucket/training"
    found = _PLACE.fullmatch(to)
    if not found or not to.isprintable():
        raise WarehouseError(repr(to), "isn't an S3 location", remedy)
    if not _BUCKET.fullmatch(found[1]):
        raise WarehouseError(repr(to), "has an invalid bucket name", remedy)
    return to.rstrip("/") + "/"
