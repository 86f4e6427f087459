"""The tables of a fold, and its statements."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ...contract.quoting import literal
from ...contract.suppression import SuppressionList

_PLAIN = "FORMAT parquet, COMPRESSION uncompressed"


@dataclass(frozen=True, slots=True)
class FoldTables:
    """A connection for the tables of a fold, and the folder for its files. Threads may share it.

    The table `banned` has the names of the `suppressed` users that `ban` found.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    suppressed: SuppressionList | None

    def create(self) -> None:
        """Create the tables `suppressed` and `banned`."""
        self.execute("CREATE TABLE suppressed (hash VARCHAR)")
        self.execute("CREATE TABLE banned (name VARCHAR)")
        if self.suppressed and self.suppressed.hashes:
            hashes = self.folder / "suppressed"
            hashes.write_text("\n".join(self.suppressed.hashes), "ascii")
            self.execute(f"COPY suppressed FROM {literal(str(hashes))} (FORMAT csv, HEADER false)")
            hashes.unlink()

    def ban(self, users: Iterable[str]) -> None:
        """Add the suppressed users among those of some SELECTs to the table `banned`."""
        if not self.suppressed or not self.suppressed.hashes:
            return
        for select in users:
            name = f"SELECT DISTINCT name FROM ({select}) users(name) WHERE name IS NOT NULL"
            hashed = f"sha256(concat({literal(self.suppressed.salt)}, name))"
            self.execute(
                f"INSERT INTO banned SELECT name FROM ({name}) WHERE {hashed} IN (SELECT hash FROM suppressed)"
            )

    def execute(self, statement: str) -> None:
        """Execute a statement."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement)

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with closing(self.connection.cursor()) as cursor:
            return cursor.execute(query).fetchall()

    def copy(self, select: str, file: Path) -> Path:
        """Write the rows of a SELECT to a Parquet file. Return its path with the suffix."""
        file = file.with_suffix(".parquet")
        self.execute(f"COPY ({select}) TO {literal(str(file))} ({_PLAIN})")
        return file

    def copy_csv(self, select: str, file: Path, options: str = "FORMAT csv, HEADER") -> int:
        """Write the rows of a SELECT to a CSV file. Return their number."""
        ((rows,),) = self.all(f"COPY ({select}) TO {literal(str(file))} ({options})")
        return int(rows)
