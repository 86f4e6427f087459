"""Failures of DuckDB as errors of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from .errors import PersonalizeSegmentError


@contextmanager
def duckdb_errors(
    place: str, error: type[PersonalizeSegmentError], remedy: str = "Raise --memory, or free disk space"
) -> Iterator[None]:
    """Turn DuckDB's errors into `error` at a place, and its interruptions into KeyboardInterrupt.

    `remedy` is that for too little memory or disk.
    """
    try:
        yield
    except duckdb.InterruptException as problem:
        raise KeyboardInterrupt from problem
    except duckdb.OutOfMemoryException as problem:
        raise error(place, f"needs more memory or disk: {_first_line(problem)}", remedy) from problem
    except duckdb.Error as problem:
        if isinstance(problem.__context__, KeyboardInterrupt):
            # Ctrl-C came while a thread started. The pool doesn't wait for it, and DuckDB refuses to close.
            raise KeyboardInterrupt from problem
        raise error(place, f"DuckDB failed: {_first_line(problem)}", "Check the memory and the disk") from problem
    except RuntimeError as problem:
        if "interrupted" not in str(problem):  # how DuckDB reports Ctrl-C in the main thread
            raise
        raise KeyboardInterrupt from problem


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
