"""Statements that write training data from a warehouse to S3, and count what they leave out and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ..contract.mapping import Dataset, EventMapping, Rule
from ..errors import WarehouseError
from .branches import Branch
from .catalog import Columns
from .dialect import Dialect, is_blank
from .queries import counts_query, dataset_query, unmapped_query
from .redshift import Redshift
from .snowflake import Snowflake
from .tables import find
from .window import Window, window

DIALECTS: dict[str, Dialect] = {one.name: one for one in (Redshift(), Snowflake())}

#: A bucket and a key; S3 takes more characters in keys than a statement should have.
_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^'\\?*\"]*)?")

#: The blank for the region of a bucket that is a blank itself.
_REGION = "{{bucket_region}}"

Kind = Literal["setup", "unload", "counts"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, without its final semicolon; `dataset` is empty for a set-up of the whole session.

    A set-up goes before the others in the same session, each time: one with a dataset before the
    unload of that dataset, one without before everything.
    """

    dataset: str
    kind: Kind
    sql: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Statements in the order in which to run them, and what is left out of them and why, a line each."""

    statements: tuple[Statement, ...]
    left_out: tuple[str, ...]


def statements(
    mapping: EventMapping,
    dialect: str,
    *,
    schemas: Sequence[str],
    to: str,
    role_or_integration: str,
    bucket_region: str | None = None,
    columns: Columns | None = None,
    since: date | None = None,
    until: date | None = None,
    overlap: int = 1,
) -> list[Statement]:
    """Return the statements of `plan`, without what it says of tables and columns that aren't there."""
    made = plan(
        mapping,
        dialect,
        schemas=schemas,
        to=to,
        role_or_integration=role_or_integration,
        bucket_region=bucket_region,
        columns=columns,
        since=since,
        until=until,
        overlap=overlap,
    )
    return list(made.statements)


def plan(
    mapping: EventMapping,
    dialect: str,
    *,
    schemas: Sequence[str],
    to: str,
    role_or_integration: str,
    bucket_region: str | None = None,
    columns: Columns | None = None,
    since: date | None = None,
    until: date | None = None,
    overlap: int = 1,
) -> Plan:
    """Return what writes each dataset of the mapping below `to`, from the schemas of one or more sources.

    `dialect` is redshift or snowflake; `role_or_integration` the ARN of the role that Redshift assumes, or the
    name of Snowflake's storage integration. `bucket_region` tells Redshift where the bucket is, if not in its own
    region; with a blank for `to` it is one, too. Without `columns` the warehouse is taken to have every table and
    column that the mapping names. `since`, `until` (not included) and `overlap` are days of the time received,
    UTC, as for `export` (rule 9). A dataset for which there is nothing to read has no unload, and `left_out` says
    so. Raises WarehouseError for names that are refused, and where there is nothing to read at all.
    """
    speech = _dialect(dialect)
    where = _location(to)
    access = speech.access(role_or_integration)
    region = _REGION if bucket_region is None and is_blank(where) else bucket_region
    sources = _sources(speech, schemas)
    received = {True: window(since, until, overlap), False: window(since, until, 0)}
    notes: list[str] = []
    made = [Statement("", "setup", sql) for sql in speech.setup(where, access)]
    counts = []
    for dataset in mapping.datasets:
        within = received[dataset.name == "interactions"]  # rule 9 has an overlap for these only
        found = _branches(speech, dataset, sources, columns, within, notes)
        rows = [one for one in (branch.rows() for branch in found) if one is not None]
        if rows:
            made += [Statement(dataset.name, "setup", sql) for sql in speech.setup_of(dataset.name)]
            select = dataset_query(speech, dataset, rows, within)
            made.append(Statement(dataset.name, "unload", speech.unload(select, where, dataset.name, access, region)))
        else:
            notes.append(f"{dataset.name}: there is nothing to read, and what lies in the folder stays there")
        judged = [one.judged() for one in _branches(speech, dataset, sources, columns, within, [], counting=True)]
        if judged:
            counts.append(Statement(dataset.name, "counts", counts_query(speech, dataset, judged)))
    if not any(one.kind == "unload" for one in made):
        problem = f"have no table to read: {'; '.join(dict.fromkeys(notes))}"
        raise WarehouseError(", ".join(sources), problem, "Name the schemas of Segment's sources, or mend the mapping")
    unmapped = unmapped_query(speech, mapping, sources, columns, received[False])
    if unmapped:
        counts.append(Statement("events", "counts", unmapped))
    return Plan((*made, *counts), tuple(dict.fromkeys(notes)))


def columns_query(dialect: str, schemas: Sequence[str]) -> str:
    """Return what to ask the warehouse for the tables and columns that it has: see `parse_columns`."""
    speech = _dialect(dialect)
    return speech.columns_query(_sources(speech, schemas))


def integration(name: str, role_arn: str, to: str, grantee: str) -> list[str]:
    """Return what an administrator of Snowflake runs once, so that the role `grantee` may unload below `to`."""
    return Snowflake().integration(name, _location(to), role_arn, grantee)


def _branches(
    dialect: Dialect,
    dataset: Dataset,
    schemas: Sequence[str],
    columns: Columns | None,
    within: Window,
    notes: list[str],
    *,
    counting: bool = False,
) -> list[Branch]:
    found = []
    for schema in schemas:
        for rule in dataset.rules:
            needed = _needed(dataset, rule, within)
            table = find(dialect, rule, schema, columns, needed, notes)
            if table is not None:
                found.append(Branch(table, dataset, within, counting))
    return found


def _needed(dataset: Dataset, rule: Rule, within: Window) -> list[str]:
    """Return the columns without which nothing can be said of a table."""
    needed = {"track": ["event_text"], "page": ["name"], "screen": ["name"], "identify": ["id"]}[rule.call]
    if dataset.name == "interactions":
        needed = [*needed, "id"]
    return [*needed, "received_at"] if within else needed


def _dialect(name: str) -> Dialect:
    if name not in DIALECTS:
        raise WarehouseError(name, "is no warehouse that is known here", f"Name one of {', '.join(DIALECTS)}")
    return DIALECTS[name]


def _sources(dialect: Dialect, schemas: Sequence[str]) -> list[str]:
    if not schemas:
        raise WarehouseError("the schemas", "are missing", "Name one for each source")
    return list(dict.fromkeys(dialect.schema(one) for one in schemas))


def _location(to: str) -> str:
    if is_blank(to):
        return to
    if not _PLACE.fullmatch(to) or not to.isprintable():
        raise WarehouseError(repr(to), "is no place in S3", "Name a bucket and a folder, such as s3://bucket/training")
    return to.rstrip("/") + "/"
