"""The users and items of an export, with the instants of their columns, as `profiles load` reads them."""

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..contract.layout import PROFILE_DATASETS, PROFILES
from ..contract.rows import Value, any_id
from ..errors import ProfilesError
from ..places import File, Place, errors_at, place, temporary

#: A column's value and its instant: epoch seconds and the digits of the fraction.
Cell = tuple[Value, int, str]

_AGAIN = "Export again"


class SeedFiles:
    """The parts in `profiles/` of the export in `out`, a folder or an S3 URI.

    Raises ProfilesError if there are none.
    """

    def __init__(self, out: str) -> None:
        self._root = place(out) / PROFILES
        with errors_at(out, ProfilesError):
            self._parts = [(one, file) for one in PROFILE_DATASETS for file in (self._root / one).files()]
        if not self._parts:
            remedy = "Pass the output of `export` or of the Glue job. Warehouses write no profiles"
            raise ProfilesError(str(self._root), "has no users and no items", remedy)

    @property
    def bytes(self) -> int:
        """The size of all parts in bytes."""
        return sum(file.bytes for _, file in self._parts)

    def batches(self, size: int) -> Iterator[tuple[str, dict[str, dict[str, Cell]], int]]:
        """Yield a dataset, the known columns of `size` ids at most, and the bytes read so far.

        Raises ProfilesError with file and line if a line isn't an export's.
        """
        done = 0
        with temporary() as folder:
            for dataset, file in self._parts:
                where = self._root / dataset / file.inner
                with errors_at(file.name, ProfilesError):
                    path = where.fetch(Path(folder, "part"))
                for batch, read in _batches(path, where, file, size):
                    yield dataset, batch, done + read
                done += file.bytes


def _batches(path: Path, where: Place, file: File, size: int) -> Iterator[tuple[dict[str, dict[str, Cell]], int]]:
    batch: dict[str, dict[str, Cell]] = {}
    number = 0
    with path.open("rb") as raw, gzip.open(raw) as lines:
        try:
            for line in lines:
                number += 1
                name, known = _parsed(line)
                if name in batch or len(batch) == size:
                    yield batch, min(raw.tell(), file.bytes)
                    batch = {}
                batch[name] = known
        except (ValueError, TypeError, RecursionError):
            raise ProfilesError(f"{where}:{number}", "isn't a profile", _AGAIN) from None
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise ProfilesError(f"{where}:{number}", "is cut off or damaged", _AGAIN) from None
    if batch:
        yield batch, file.bytes


def _parsed(line: bytes) -> tuple[str, dict[str, Cell]]:
    """Return the id and the columns of a line. Raises ValueError, TypeError or RecursionError if it isn't a profile."""
    name, columns = json.loads(line)
    if not isinstance(name, str) or any_id(name) is None or not isinstance(columns, dict) or not columns:
        raise ValueError(name)
    known: dict[str, Cell] = {}
    for column, (value, seconds, fraction) in columns.items():
        good = isinstance(value, str | int | float) and (isinstance(value, str) or math.isfinite(value))
        if not good or type(seconds) is not int or not isinstance(fraction, str):
            raise ValueError(column)
        known[column] = value, seconds, fraction
    return name, known
