"""Count candidates for the report: accepted ones, and refused ones by reason."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from ...contract.columns import USER_ID
from ...contract.mapping import Dataset
from ...contract.report import Report
from ...contract.suppression import SUPPRESSED
from ...contract.visitors import NEVER_LOGGED_IN
from .compiler import Compiler, Refusal

#: Refusal codes of a suppressed user and of a visit that has no user. Those of the compiler count from 1.
SUPPRESSED_USER, NOBODY = -1, -3


def stitched_bit(dataset: Dataset) -> int:
    """Return the bit in the flags of an interaction whose user logged in on its session."""
    return 2 << len(dataset.optional)


def count(
    connection: duckdb.DuckDBPyConnection,
    compiler: Compiler,
    dataset: Dataset,
    refusals: list[Refusal],
    candidates: str,
    reports: Mapping[int, Report],
) -> None:
    """Count accepted and refused candidates for each day, with their reasons. `candidates` is the SQL after FROM."""
    add_counts(
        connection.execute(counts(compiler, dataset, candidates)).fetchall(), compiler, dataset, refusals, reports
    )


def counts(compiler: Compiler, dataset: Dataset, candidates: str) -> str:
    """Return a SELECT that counts candidates of each kind, in SQL that Spark understands too."""
    variants = compiler.variants
    named = "CASE WHEN refusal <> 0 OR flags > 1 THEN name END" if variants.unnamed else "NULL"
    filled = "".join(f", count(c{position})" for position in dataset.optional)
    return (
        f"SELECT day, event, {named} AS name, refusal, flags, count(*),"
        f" min(message) FILTER (WHERE refusal NOT IN (0, {SUPPRESSED_USER}) OR flags > 1){filled}"
        f" FROM {candidates} GROUP BY ALL"
    )


def add_counts(
    rows: Iterable[Sequence[Any]],
    compiler: Compiler,
    dataset: Dataset,
    refusals: list[Refusal],
    reports: Mapping[int, Report],
) -> None:
    """Add the rows of `counts` to the reports of the days."""
    variants = compiler.variants
    for day, event, name, refusal, flags, number, example, *values in rows:
        report, counted = reports[day], reports[day].datasets[dataset.name]
        key = variants.all[event].call, json.loads(name) if name else variants.all[event].name, dataset.name
        if refusal == SUPPRESSED_USER:
            counted.refused += number
            # Without an example, because a messageId leads to the user in the logs.
            report.reasons.add((*key, USER_ID, SUPPRESSED), number, None)
        elif refusal == NOBODY:
            counted.refused += number
            report.reasons.add((*key, USER_ID, NEVER_LOGGED_IN), number, example)
        elif refusal:
            counted.refused += number
            report.reasons.add((*key, *compiler.refusal(dataset, event, refusals[refusal - 1])), number, example)
        else:
            counted.accepted += number
            counted.ahead += number * (flags & 1)
            counted.stitched += number * (flags & stitched_bit(dataset) != 0)
            for place, position in enumerate(dataset.optional):
                column = counted.columns[dataset.columns[position].name]
                column.filled += values[place]
                if flags & 2 << place:
                    column.unusable += number
                    report.unusable.add((*key, *compiler.unusable(dataset, event, position)), number, example)
