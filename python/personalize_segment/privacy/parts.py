"""Delete users from an export: replace each part that has rows of theirs with a copy without them.

Rows of the CSV are counted. The same users in the files for `profiles load` aren't counted again.

Each part is complete at all times, so the export can always be imported. A killed command loses no work. The counts in
report.json are corrected last, from the rows that the parts then have.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.columns import DATASETS, RESERVED, USER_ID
from ..contract.layout import PROFILE_DATASETS, PROFILES, REPORT_NAME
from ..contract.suppression import SUPPRESSED
from ..errors import OutputError
from ..history.publish import staging
from ..places import OvertakenError, Place, place

#: The datasets whose rows belong to a user.
OWNED = tuple(name for name in DATASETS if USER_ID in RESERVED[name])
#: Folders of an export with the users for `profiles load`.
_SEEDS = tuple(f"{PROFILES}/{name}" for name in PROFILE_DATASETS if name in OWNED)


@dataclass(slots=True)
class Removed:
    """The number of parts read, and of rows deleted by this command, by dataset."""

    parts: int
    rows: dict[str, int]


def remove(out: str, users: frozenset[str], progress: Callable[[int, int], None] = lambda done, total: None) -> Removed:
    """Delete the rows of `users` from the export in `out`, a folder or an S3 URI.

    Raises OutputError if `out` isn't a folder, has files that no export wrote, can't be written, or is being written
    by an export.
    """
    where = place(out)
    if not where.is_folder():
        raise OutputError(out, "no such export", "Name the output of `personalize-segment export`")
    with staging(out) as work:
        files = [(folder, file) for folder in (*OWNED, *_SEEDS) for file in (where / folder).files()]
        removed = Removed(len(files), dict.fromkeys(OWNED, 0))
        kept = dict.fromkeys(OWNED, 0)
        try:
            for done, (folder, file) in enumerate(files, 1):
                take_out = _seeds if folder in _SEEDS else _rows
                left, gone = _part(where, f"{folder}/{file.inner}", file.version, users, work, take_out)
                if folder in OWNED:
                    kept[folder] += left
                    removed.rows[folder] += gone
                progress(done, removed.parts)
            _correct(where / REPORT_NAME, kept, work)
        except OvertakenError as error:
            raise OutputError(
                out, "is being written by another command", "Wait for it to finish, then run it again"
            ) from error
    return removed


_TakeOut = Callable[[Path, Path, str, frozenset[str]], tuple[int, int]]


def _part(
    where: Place, name: str, version: str, users: frozenset[str], work: Path, take_out: _TakeOut
) -> tuple[int, int]:
    """Return the number of rows kept in a part, and of rows deleted."""
    part = where / name
    after = work / "after"
    left, gone = take_out(part.fetch(work / "before"), after, name, users)
    if gone and left:
        part.replace(after, "text/csv" if take_out is _rows else "application/gzip", version)
    elif gone:
        part.delete()  # Personalize can't import a file with only a header
    return left, gone


def _rows(before: Path, after: Path, name: str, users: frozenset[str]) -> tuple[int, int]:
    """Copy the rows of other users from CSV to CSV. Return their number, and the number of rows of `users`."""
    left = gone = 0
    with before.open("rb") as lines, after.open("wb") as made:
        header = next(lines, b"")
        made.write(header)
        column = _column(header, name)
        for line in lines:
            if _user(line, column, name) in users:
                gone += 1
            else:
                left += 1
                made.write(line)
    return left, gone


def _seeds(before: Path, after: Path, name: str, users: frozenset[str]) -> tuple[int, int]:
    """Do the same as `_rows` with the lines of `profiles/`, which have JSON in any format."""
    left = gone = 0
    try:
        with gzip.open(before) as lines, after.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as made:
            for line in lines:
                if json.loads(line)[0] in users:
                    gone += 1
                else:
                    left += 1
                    made.write(line)
    except (ValueError, LookupError, TypeError, EOFError, gzip.BadGzipFile, zlib.error):
        raise OutputError(name, "isn't a file of an export", "Export again, or delete the file") from None
    return left, gone


def _column(header: bytes, name: str) -> int:
    columns = next(csv.reader([header.decode("utf-8", "replace").rstrip("\r\n")]), [])
    if USER_ID not in columns and header:
        raise OutputError(name, f"has no column {USER_ID}", "Export again, or move the file away")
    return columns.index(USER_ID) if header else 0


def _user(line: bytes, column: int, name: str) -> str:
    """Return the user of a row. Each row is one line, so most rows need no CSV reader."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise OutputError(name, "isn't UTF-8 text", "Export again") from None
    if column == 0 and not text.startswith('"'):
        return text.rstrip("\r\n").partition(",")[0]
    values = next(csv.reader([text]))
    return values[column] if column < len(values) else ""


def _correct(file: Place, kept: dict[str, int], work: Path) -> None:
    """Set the report's counts to the existing rows, and count the others as refused. Drop all examples.

    The counts come from comparing the parts with the report, so rows deleted by an earlier, killed command count too.
    An example is the messageId of an event, and the parts don't tell whose. Any of them may lead to the users.
    """
    found = file.read()
    if found is None:
        return  # the export isn't complete, and the next one writes a report
    report: dict[str, Any] = json.loads(found[0])
    changed = False
    for one in (*report["reasons"], *report.get("unusable", [])):
        changed |= one["example"] is not None
        one["example"] = None
    for dataset, rows in kept.items():
        count = report["datasets"].get(dataset)
        gone = count["rows"] - rows if count else 0
        if gone <= 0:
            continue
        changed = True
        count |= {"rows": rows, "refused": count["refused"] + gone}
        kind = {"call": "*", "event": None, "dataset": dataset, "field": USER_ID, "reason": SUPPRESSED}
        for one in report["reasons"]:
            if kind.items() <= one.items():
                one["count"] += gone
                break
        else:
            report["reasons"].append(kind | {"count": gone, "example": None})
    if changed:
        after = work / "after.json"
        after.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
        file.replace(after, "application/json", found[1])
