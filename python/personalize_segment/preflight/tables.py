"""The rows of an export as tables in DuckDB, and the headers of its parts.

Each part is read once, into tables for all figures. DuckDB spills to disk beyond its memory limit. A few parts in S3
are fetched ahead, and deleted after reading.
"""

import csv
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from ..contract.columns import DATASETS
from ..contract.quoting import literal, no_pattern
from ..duckdb_errors import duckdb_errors
from ..errors import PreflightError
from ..places import Place, errors_at, place, temporary
from .parts import Export, Part

#: Maximum number of errors kept per part (a line may have several), for files that aren't CSV.
MAX_ERRORS = 10_000
#: Parts that are fetched from S3 ahead of the one being read.
_AHEAD = 3
_HEADER_BYTES = 1 << 16

#: Called with the bytes done and the total bytes.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a part.

    `quoted`: the names are in quotes, which Personalize refuses. `marked`: the line begins with a byte order mark.
    """

    part: str
    names: tuple[str, ...]
    quoted: bool
    marked: bool


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that can't be read as a row: its part, its number (the header is 1), and DuckDB's reason."""

    part: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A dataset in DuckDB: the table with its name has a text column c0, c1, … for each of `columns`.

    `refused` is the number of lines that can't be read as rows. `more`: it may be higher.
    """

    dataset: str
    columns: tuple[str, ...]
    headers: tuple[Header, ...]
    refused: int
    more: bool
    example: RefusedLine | None


#: Dataset -> table, in the order of `DATASETS`.
Tables = dict[str, ExportTable]


@contextmanager
def loaded(export: Export, memory: str, progress: Progress) -> "Iterator[tuple[duckdb.DuckDBPyConnection, Tables]]":
    """Yield a connection with the rows of an export, and its tables by dataset.

    Beyond `memory`, data spills to the system's temporary folder and is deleted at the end. Raises PreflightError if a
    part can't be read, or if memory or disk are too small.
    """
    with temporary() as work:
        root = place(export.place)
        with duckdb_errors(export.place, PreflightError), closing(duckdb.connect(":memory:")) as connection:
            connection.execute(f"SET memory_limit = {literal(memory)}")
            connection.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
            connection.execute("SET preserve_insertion_order = false")
            done, total = 0, sum(part.bytes for part in export.parts)
            tables = {}
            for dataset in DATASETS:
                parts = [part for part in export.parts if part.dataset == dataset]
                if not parts:
                    continue
                with errors_at(export.place, PreflightError), closing(_fetched(root, parts, work)) as fetched:
                    loader = _Loader(connection, dataset)
                    for part, path in fetched:
                        loader.take(part, path)
                        done += part.bytes
                        progress(done, total)
                tables[dataset] = loader.table()
            yield connection, tables


def _fetched(root: Place, parts: Sequence[Part], work: Path) -> Generator[tuple[Part, Path]]:
    """Yield each part with a path to read it: the file itself, or a copy that is deleted afterwards."""
    s3 = root.s3

    def fetch(number: int, part: Part) -> tuple[Part, Path]:
        return part, place(part.name, s3).fetch(work / f"{part.dataset}-{number}.csv")

    waiting = enumerate(parts)
    with ThreadPoolExecutor(_AHEAD) as pool:
        coming = deque(pool.submit(fetch, *one) for one in islice(waiting, _AHEAD))
        try:
            while coming:
                part, path = coming.popleft().result()
                coming.extend(pool.submit(fetch, *one) for one in islice(waiting, 1))
                yield part, path
                if s3 is not None:
                    path.unlink()
        finally:
            pool.shutdown(cancel_futures=True)


class _Loader:
    """Loads the parts of a dataset into one table. Each part's own header names its columns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
        self._connection, self._dataset = connection, dataset
        self._columns: list[str] = []
        self._headers: list[Header] = []
        self._refused = 0
        self._more = False
        self._example: RefusedLine | None = None

    def take(self, part: Part, path: Path) -> None:
        """Load a part, and count the lines that can't be read as rows."""
        header = _header(part, path)
        self._headers.append(header)
        for name in dict.fromkeys(header.names):
            if name not in self._columns:
                number = len(self._columns)
                if number:
                    self._run(f"ALTER TABLE {self._dataset} ADD COLUMN c{number} VARCHAR")
                else:
                    self._run(f"CREATE TABLE {self._dataset} (c0 VARCHAR)")
                self._columns.append(name)
        if not header.names:
            return
        types = ", ".join(f"{literal(f'f{at}')}: 'VARCHAR'" for at in range(len(header.names)))
        source = (
            f"read_csv({literal(no_pattern(str(path)))}, auto_detect = false, header = true, delim = ',', quote = '\"',"
            f" escape = '\"', nullstr = '', columns = {{{types}}}, ignore_errors = true, store_rejects = true,"
            f" rejects_scan = 'scans', rejects_table = 'refused', rejects_limit = {MAX_ERRORS})"
        )
        pairs = [(self._columns.index(name), header.names.index(name)) for name in dict.fromkeys(header.names)]
        into, taken = (", ".join(f"{letter}{pair[at]}" for pair in pairs) for at, letter in enumerate("cf"))
        self._run(f"INSERT INTO {self._dataset} ({into}) SELECT {taken} FROM {source}")
        refused = self._run(
            "SELECT line, min(error_type), count(*) FROM refused GROUP BY line ORDER BY line"
        ).fetchall()
        if refused:
            self._refused += len(refused)
            self._more |= sum(errors for *_, errors in refused) >= MAX_ERRORS
            self._example = self._example or RefusedLine(part.name, refused[0][0], str(refused[0][1]).lower())
        self._run("DROP TABLE refused; DROP TABLE scans")

    def table(self) -> ExportTable:
        """Return the loaded table."""
        if not self._columns:
            self._run(f"CREATE TABLE {self._dataset} (c0 VARCHAR)")
        columns, headers = tuple(self._columns), tuple(self._headers)
        return ExportTable(self._dataset, columns, headers, self._refused, self._more, self._example)

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(statement)


def _header(part: Part, path: Path) -> Header:
    with path.open("rb") as file:
        line = file.readline(_HEADER_BYTES).decode("utf-8", "replace").rstrip("\r\n")
    first = line.removeprefix("\ufeff")
    names = next(csv.reader([first]), []) if first else []
    return Header(part.name, tuple(names), '"' in first, first != line)
