"""Taking users out of an export: each part that holds rows of theirs is replaced by one without them.

At every moment each part is whole, so that the export can be imported; and what was done stays done
when the command is killed. Counts in report.json are corrected last, from what the parts then hold.
"""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.columns import DATASETS, RESERVED, USER_ID
from ..contract.suppression import SUPPRESSED
from ..errors import OutputError
from ..history.logs import REPORT_NAME, split_uri
from ..history.publish import s3_client, staging

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The datasets whose rows belong to a user.
OWNED = tuple(name for name in DATASETS if USER_ID in RESERVED[name])


@dataclass(slots=True)
class Removed:
    """Parts that were read, and rows that this command took out, by dataset."""

    parts: int
    rows: dict[str, int]


class _Store(Protocol):
    def names(self, dataset: str) -> list[str]: ...
    def fetch(self, name: str, copy: Path) -> bool: ...
    def replace(self, name: str, made: Path) -> None: ...
    def remove(self, name: str) -> None: ...


def remove(out: str, users: frozenset[str], progress: Callable[[int, int], None] = lambda done, total: None) -> Removed:
    """Take the rows of `users` out of the export in `out`, a folder or an S3 URI.

    Raises OutputError if `out` is no folder, holds what no export wrote, can't be written, or an export is
    writing to it.
    """
    if not out.startswith("s3://") and not Path(out).is_dir():
        raise OutputError(out, "no such export", "Name the output of `personalize-segment export`")
    with staging(out) as work, _said(out):
        store: _Store = _Bucket(s3_client(), out) if out.startswith("s3://") else _Folder(Path(out))
        names = {dataset: store.names(dataset) for dataset in OWNED}
        removed = Removed(sum(map(len, names.values())), dict.fromkeys(OWNED, 0))
        kept = dict.fromkeys(OWNED, 0)
        done = 0
        for dataset, several in names.items():
            for name in several:
                left, gone = _part(store, name, users, work)
                kept[dataset] += left
                removed.rows[dataset] += gone
                done += 1
                progress(done, removed.parts)
        _correct(store, kept, work)
    return removed


def _part(store: _Store, name: str, users: frozenset[str], work: Path) -> tuple[int, int]:
    """Return how many rows of a part were left and how many were taken out."""
    before, after = work / "before.csv", work / "after.csv"
    left = gone = 0
    if not store.fetch(name, before):
        return 0, 0
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
    if gone and left:
        store.replace(name, after)
    elif gone:
        store.remove(name)  # a header alone is nothing that Personalize imports
    return left, gone


def _column(header: bytes, name: str) -> int:
    columns = next(csv.reader([header.decode("utf-8", "replace").rstrip("\r\n")]), [])
    if USER_ID not in columns and header:
        raise OutputError(name, f"has no column {USER_ID}", "Export again, or move the file away")
    return columns.index(USER_ID) if header else 0


def _user(line: bytes, column: int, name: str) -> str:
    """Return whose a row is: a row is one line, so that most need no CSV reader."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise OutputError(name, "is not UTF-8 text", "Export again") from None
    if column == 0 and not text.startswith('"'):
        return text.rstrip("\r\n").partition(",")[0]
    values = next(csv.reader([text]))
    return values[column] if column < len(values) else ""


def _correct(store: _Store, kept: dict[str, int], work: Path) -> None:
    """Let the report count the rows that are there, and those that aren't as refused.

    It compares with what the report says, so that nothing is lost with a command that was killed before.
    """
    before, after = work / "before.json", work / "after.json"
    if not store.fetch(REPORT_NAME, before):
        return  # the export is not whole, and the next one writes its own
    report: dict[str, Any] = json.loads(before.read_bytes())
    changed = False
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
        after.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
        store.replace(REPORT_NAME, after)


class _Folder:
    """An export in a folder; `staging` holds its lock."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, dataset: str) -> list[str]:
        return sorted(path.relative_to(self._root).as_posix() for path in (self._root / dataset).glob("part-*.csv"))

    def fetch(self, name: str, copy: Path) -> bool:
        if not (self._root / name).exists():
            return False
        shutil.copyfile(self._root / name, copy)
        return True

    def replace(self, name: str, made: Path) -> None:
        made.replace(self._root / name)

    def remove(self, name: str) -> None:
        (self._root / name).unlink()


class _Bucket:
    """An export in S3. There is no lock: what was written anew since it was read is not overwritten."""

    def __init__(self, s3: "S3Client", out: str) -> None:
        self._s3 = s3
        self._bucket, key = split_uri(out)
        self._prefix = key.rstrip("/") + "/" if key.strip("/") else ""
        self._etags: dict[str, str] = {}

    def names(self, dataset: str) -> list[str]:
        prefix = f"{self._prefix}{dataset}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return sorted(key.removeprefix(self._prefix) for key in keys if key != prefix)

    def fetch(self, name: str, copy: Path) -> bool:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return False
        with copy.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file)
        self._etags[name] = answer["ETag"]
        return True

    def replace(self, name: str, made: Path) -> None:
        kind = "application/json" if name == REPORT_NAME else "text/csv"
        with made.open("rb") as body:
            self._s3.put_object(
                Bucket=self._bucket, Key=self._prefix + name, Body=body, ContentType=kind, IfMatch=self._etags[name]
            )

    def remove(self, name: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)


@contextmanager
def _said(out: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise OutputError(
                out, "is being written by another", "Wait for its end and run the command again"
            ) from error
        raise OutputError(out, str(error), "Give this user the right to read and write it") from error
    except BotoCoreError as error:
        raise OutputError(out, str(error), "Check the region, the credentials and the connection") from error
