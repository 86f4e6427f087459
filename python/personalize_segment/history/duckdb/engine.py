"""A DuckDB connection with the contract's domains, and the workers that read batches of logs with it."""

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

#: Increment it when the files of `Worker.take` change in a way that the SQL doesn't show.
STAGE_FORMAT = 4


def stage_key(compiler: Compiler) -> str:
    """Return a digest of everything that the rows of a staged day depend on, besides its files."""
    queries = [MACROS, compiler.scan("logs")]
    queries += [compiler.candidates(dataset, "events")[0] for dataset in compiler.datasets]
    parts = [STAGE_FORMAT, duckdb.__version__, compiler.mapping.text, *queries]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Engine:
    """A DuckDB connection, the compiler for it, and the logs that it can read."""

    connection: duckdb.DuckDBPyConnection
    compiler: Compiler
    streams: LogStreams

    @classmethod
    def start(cls, mapping: EventMapping, folder: Path, memory: str) -> "Engine":
        """Return an engine that uses `memory` and spills the rest to a folder below `folder`."""
        connection = duckdb.connect(":memory:")
        connection.execute(f"SET memory_limit = {literal(memory)}")
        connection.execute(f"SET temp_directory = {literal(str(folder / 'spill'))}")
        # Statements run in parallel. With more threads for each, they would only wait for each other.
        connection.execute("SET threads = 1")
        # Files are read in parallel, in no reliable order, and rows are sorted at the end.
        connection.execute("SET preserve_insertion_order = false")
        # This optimizer turns every IN (…) into a join. Ours are short lists of events, which gain nothing.
        connection.execute("SET disabled_optimizers = 'in_clause'")
        connection.execute(MACROS)
        streams = LogStreams()
        connection.register_filesystem(streams)
        return cls(connection, Compiler(mapping), streams)

    def worker(self) -> Worker:
        """Return a worker for one thread."""
        return Worker(self.connection.cursor(), self.compiler, self.streams.batch())

    def close(self) -> None:
        """Close the connection and free its memory."""
        self.connection.close()
