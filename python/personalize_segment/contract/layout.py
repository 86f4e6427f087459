"""The layout of an export, and the keys of live profiles.

An export has CSV parts in a folder per dataset, a report, and a folder `profiles/`, which Personalize doesn't import.
It has the columns of users and items with their instants. docs/history.md describes the lines.
"""

import re
from collections.abc import Iterable
from typing import Final

from ..errors import OutputError
from .columns import DATASETS

#: Written last: its presence shows that the rest is complete.
REPORT_NAME: Final = "report.json"

#: The folder that `profiles load` reads, with a folder per dataset in PROFILE_DATASETS.
PROFILES: Final = "profiles"
PROFILE_DATASETS: Final = ("users", "items")

#: The folders of an export.
FOLDERS: Final = (*DATASETS, PROFILES)

#: Key prefix, in the table of live profiles, of the requests per minute of all instances of a function. Keys of users
#: and items begin with the dataset.
MINUTES: Final = "recommendations#"

# DuckDB's and Spark's names for the parts of an export. Glue's file system marks the folders that it creates.
_PART = re.compile(r"part-[^/]*\.csv")
_PROFILES = re.compile(rf"({'|'.join(PROFILE_DATASETS)})(_\$folder\$|/(part-[^/]*\.gz)?)")

_OF_PROFILES = re.compile(rf"(^|/){PROFILES}/({'|'.join(PROFILE_DATASETS)})/part-[^/]*\.gz$")


def only_parts(place: str, folder: str, names: Iterable[str]) -> None:
    """Raise OutputError if a folder of an export contains files that no export wrote, so that none is lost.

    Names are relative to the folder. Names of folders end with /.
    """
    part = _PROFILES if folder == PROFILES else _PART
    for name in names:
        if name and not part.fullmatch(name):
            raise OutputError(place, f"contains {name}, which no export wrote", "Name another output, or move it away")


def are_profiles(name: str) -> bool:
    """Return whether a file's path ends like that of an export's profiles, whose lines aren't events."""
    return _OF_PROFILES.search(name) is not None


def profile_key(dataset: str, key: str) -> str:
    """Return the key of a user or an item in the table of live profiles, such as users#u-1."""
    return f"{dataset}#{key}"
