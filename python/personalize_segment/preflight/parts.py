"""The files of an export: its CSV parts, other files next to them, and its report."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.columns import DATASETS
from ..errors import PreflightError
from ..history.logs import REPORT_NAME, split_uri
from ..history.publish import s3_client
from ..history.report import Report

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Part:
    """One CSV file of a dataset: its path or S3 URI, and its size in bytes."""

    dataset: str
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Export:
    """The CSV parts at `place`, other files in the datasets' folders, and the report if it has one."""

    place: str
    parts: tuple[Part, ...]
    strays: tuple[str, ...]
    report: Report | None

    def bytes(self, dataset: str) -> int:
        """Return the size of a dataset's parts."""
        return sum(part.bytes for part in self.parts if part.dataset == dataset)


def find(out: str) -> Export:
    """Return what lies in a folder or below an S3 URI.

    Raises PreflightError if that can't be read, has no CSV part of interactions, or has a report that no
    export wrote.
    """
    with read_errors(out):
        if out.startswith("s3://"):
            listed, text = _list_bucket(s3_client(), out)
        else:
            listed, text = _list_folder(Path(out))
    seen = [file for file in listed if not file.name.rsplit("/", 1)[-1].startswith((".", "_"))]
    parts = tuple(file for file in seen if file.name.endswith(".csv"))
    if not any(part.dataset == "interactions" for part in parts):
        raise PreflightError(out, "holds no interactions/*.csv", "Name the output of `personalize-segment export`")
    strays = tuple(file.name for file in seen if not file.name.endswith(".csv"))
    report = None
    if text is not None:
        try:
            report = Report.from_dict(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            place = f"{out.rstrip('/')}/{REPORT_NAME}"
            raise PreflightError(place, "is not the report of an export", "Delete it, or export again") from error
    return Export(out, parts, strays, report)


def _list_folder(root: Path) -> tuple[list[Part], bytes | None]:
    found = []
    if not root.is_dir():
        raise PreflightError(str(root), "no such folder", "Name the output of `personalize-segment export`")
    for dataset in DATASETS:
        if (root / dataset).is_dir():
            files = sorted(one for one in (root / dataset).iterdir() if one.is_file())
            found += [Part(dataset, str(one), one.stat().st_size) for one in files]
    report = root / REPORT_NAME
    return found, report.read_bytes() if report.exists() else None


def _list_bucket(s3: "S3Client", out: str) -> tuple[list[Part], bytes | None]:
    bucket, key = split_uri(out)
    prefix = key.rstrip("/") + "/" if key.strip("/") else ""
    found = []
    for dataset in DATASETS:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}{dataset}/")
        for one in (one for page in pages for one in page.get("Contents", [])):
            if not one["Key"].endswith("/"):
                found.append(Part(dataset, f"s3://{bucket}/{one['Key']}", one["Size"]))
    try:
        report = s3.get_object(Bucket=bucket, Key=prefix + REPORT_NAME)["Body"].read()
    except s3.exceptions.NoSuchKey:
        report = None
    return found, report


@contextmanager
def read_errors(place: str) -> Iterator[None]:
    """Turn what a file system or S3 says of a read into a PreflightError."""
    try:
        yield
    except OSError as error:
        raise PreflightError(str(error.filename or place), error.strerror or str(error), _READ) from error
    except (ClientError, BotoCoreError) as error:
        raise PreflightError(place, str(error), _READ) from error


_READ = "Check the path, the credentials and the right to read it"
