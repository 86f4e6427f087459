"""The layout of an export: CSV parts in a folder for each dataset, and a report; and the keys of live profiles."""

import re
from collections.abc import Iterable
from typing import Final

from ..errors import OutputError

#: Written last, so that it says the rest is whole.
REPORT_NAME: Final = "report.json"

# DuckDB's and Spark's names for the parts of an export.
_PART = re.compile(r"part-[^/]*\.csv")


def only_parts(place: str, names: Iterable[str]) -> None:
    """Raise OutputError if a dataset's folder holds what no export wrote, so that none is lost."""
    for name in names:
        if name and not _PART.fullmatch(name):
            raise OutputError(place, f"holds {name}, which no export wrote", "Name another output, or move it away")


def profile_key(dataset: str, key: str) -> str:
    """Return the key of a user or an item in the table of live profiles, such as users#u-1."""
    return f"{dataset}#{key}"
