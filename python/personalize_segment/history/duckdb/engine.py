"""A connection of DuckDB's that has the contract's domains, and the workers that read batches of logs with it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ...contract.mapping import EventMapping
from ...contract.quoting import literal
from .compiler import Compiler
from .reader import MACROS
from .streams import LogStreams
from .worker import Worker

#: Changes with what `Worker.take` writes for a day, where the SQL doesn't show it.
STAGE_FORMAT = 2


def stage_key(compiler: Compiler) -> str:
    """Return the digest of all that makes rows of a day's files: the compiled mapping, and how it is run."""
    queries = [MACROS, compiler.scan("logs")]
    queries += [compiler.candidates(dataset, "events")[0] for dataset in compiler.datasets]
    parts = [STAGE_FORMAT, duckdb.__version__, compiler.mapping.text, *queries]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Engine:
    """A connection of DuckDB's, what it compiles, and the logs that it can read."""

    connection: duckdb.DuckDBPyConnection
    compiler: Compiler
    streams: LogStreams

    @classmethod
    def start(cls, mapping: EventMapping, folder: Path, memory: str) -> "Engine":
        """Return an engine that spills beyond `memory` to a folder below `folder`."""
        connection = duckdb.connect(":memory:")
        connection.execute(f"SET memory_limit = {literal(memory)}")
        connection.execute(f"SET temp_directory = {literal(str(folder / 'spill'))}")
        # Statements run side by side; with more threads for one they would only wait for each other.
        connection.execute("SET threads = 1")
        # Rows are sorted in the end: files are read side by side, in no order to rely on.
        connection.execute("SET preserve_insertion_order = false")
        # It makes a join of every IN (…), and has nothing to gain: ours are short lists of events.
        connection.execute("SET disabled_optimizers = 'in_clause'")
        connection.execute(MACROS)
        streams = LogStreams()
        connection.register_filesystem(streams)
        return cls(connection, Compiler(mapping), streams)

    def worker(self) -> Worker:
        """Return a worker for one thread."""
        return Worker(self.connection.cursor(), self.compiler, self.streams.batch())

    def close(self) -> None:
        """Let go of the connection and what it holds in memory."""
        self.connection.close()
