"""The rows that DuckDB keeps on disk between reading logs and writing CSV.

They stand in Parquet files, so that memory follows from the size of a batch and not of the
history; what must be known of all of them (rule 9) is settled at the end.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

from ...contract.columns import USER_ID
from ...contract.mapping import Dataset
from ...contract.quoting import literal, no_pattern
from ...contract.report import Report
from ...contract.suppression import SUPPRESSED
from .compiler import Compiler, Refusal

#: The refusal of a candidate whose user is suppressed. Those of the compiler count from 1.
_SUPPRESSED_USER = -1


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows in the files of a `folder`, and what the compiler's numbers in them mean.

    `salt` is that of a suppression list, whose hashes stand in a table `suppressed`.
    """

    compiler: Compiler
    folder: Path
    salt: str | None

    def add(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: str) -> None:
        """Keep what the SELECT `rows` gives."""
        path = self.folder / f"{dataset.name}-{uuid4()}.parquet"
        # Read once and thrown away: to compress ids costs more than it saves. Event types still become numbers.
        options = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000"
        connection.execute(f"COPY ({rows}) TO {literal(str(path))} ({options})")

    def of(self, dataset: Dataset) -> str:
        """Return what stands after FROM to read the rows of a dataset."""
        return f"read_parquet({literal(no_pattern(str(self.folder / dataset.name)) + '-*.parquet')})"

    def candidates(self, dataset: Dataset) -> tuple[str, list[Refusal]]:
        """Return the compiler's candidates from a table `events`, those of suppressed users refused."""
        candidates, refusals = self.compiler.candidates(dataset, "events")
        if self.salt is None or dataset.user_column is None:
            return candidates, refusals
        hashed = f"sha256(concat({literal(self.salt)}, c{dataset.user_column}))"
        test = f"refusal = 0 AND {hashed} IN (SELECT hash FROM suppressed)"
        refusal = f"CAST(CASE WHEN {test} THEN {_SUPPRESSED_USER} ELSE refusal END AS SMALLINT) AS refusal"
        return f"SELECT * REPLACE ({refusal}) FROM ({candidates})", refusals

    def count(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        refusals: list[Refusal],
        candidates: str,
        report: Report,
    ) -> None:
        """Count accepted and refused candidates, these by their reason."""
        count, variants = report.datasets[dataset.name], self.compiler.variants
        named = "CASE WHEN refusal <> 0 OR flags > 1 THEN name END" if variants.unnamed else "NULL"
        filled = "".join(f", count(c{position})" for position in dataset.optional)
        for event, name, refusal, flags, number, example, *values in connection.execute(
            f"SELECT event, {named} AS name, refusal, flags, count(*),"
            f" min(message) FILTER (refusal > 0 OR flags > 1){filled} FROM {candidates} GROUP BY ALL"
        ).fetchall():
            key = variants.all[event].call, json.loads(name) if name else variants.all[event].name, dataset.name
            if refusal == _SUPPRESSED_USER:
                count.refused += number
                # Without an example: a messageId leads to the user in the logs.
                report.reasons.add((*key, USER_ID, SUPPRESSED), number, None)
            elif refusal:
                count.refused += number
                report.reasons.add(
                    (*key, *self.compiler.refusal(dataset, event, refusals[refusal - 1])), number, example
                )
            else:
                count.accepted += number
                count.ahead += number * (flags & 1)
                for place, position in enumerate(dataset.optional):
                    column = count.columns[dataset.columns[position].name]
                    column.filled += values[place]
                    if flags & 2 << place:
                        column.unusable += number
                        report.unusable.add((*key, *self.compiler.unusable(dataset, event, position)), number, example)
