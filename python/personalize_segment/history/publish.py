"""Publish an export to a folder or an S3 prefix, which is replaced as a whole or not at all.

Parts are prepared where no reader finds them. Only when all are complete do they replace the earlier export. A failed
run leaves the earlier export unchanged. The next run removes the leftovers of a killed one
(docs/adr/0004-replacing-an-export.md).
"""

import fcntl
import shutil
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.columns import DATASETS
from ..contract.layout import FOLDERS, PROFILES, REPORT_NAME, only_parts
from ..errors import OutputError
from ..places import LocalPlace, S3Place, errors_at, place, temporary

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

STAGING = ".export"
_UPLOAD_BYTES = 64 << 20
_COPIES = 8


@contextmanager
def staging(out: str) -> Iterator[Path]:
    """Yield an empty local folder in which to prepare an export for `out`. `publish` moves it there.

    Raises OutputError, before any work is done, if `out` can't be written, holds files that no export wrote, or
    another export is writing to it.
    """
    where = place(out)
    with errors_at(out, OutputError, "Choose an output that this user can write to, or grant the permission"):
        if isinstance(where, LocalPlace):
            yield from _locked(where.path)
            return
        where.s3.head_bucket(Bucket=where.bucket)
        _keys(where)
        with temporary() as folder:
            yield folder


def _locked(root: Path) -> Iterator[Path]:
    folder = root / STAGING
    made = not root.exists()
    try:
        for name in FOLDERS:
            if (root / name).exists():
                only_parts(str(root / name), name, _names(root / name))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(str(root), "another export is writing to it", "Wait for it to finish") from None
            try:
                work = folder / "work"
                _remove(work)  # of a killed run
                work.mkdir()
                yield work
            finally:
                _remove(folder)  # while it is still locked
    finally:
        with suppress(OSError):
            _remove_unlocked(folder)  # if we were interrupted before the lock
        with suppress(OSError):
            if made:
                root.rmdir()  # it isn't empty if the export is in it


def _names(folder: Path, start: str = "") -> Iterator[str]:
    """Yield the names below a folder. Those of folders end with /."""
    for path in folder.iterdir():
        yield f"{start}{path.name}{'/' * path.is_dir()}"
        if path.is_dir():
            yield from _names(path, f"{start}{path.name}/")


def _remove_unlocked(folder: Path) -> None:
    """Remove a staging folder, if it exists and no export is using it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder in which threads of an interrupted DuckDB may still close files.

    Files that remain aren't part of an export, and the next run removes them.
    """
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.02)


def standing(out: str) -> list[str]:
    """Return the datasets that have rows in the export in `out`."""
    return [dataset for dataset in DATASETS if (place(out) / dataset).files()]


def publish(work: Path, out: str, unchanged: Collection[str] = ()) -> None:
    """Move the folders and the report in `work` to `out`. The `unchanged` parts of interactions stay there."""
    where = place(out)
    if isinstance(where, LocalPlace):
        _publish_folder(work, where.path, unchanged)
    else:
        _publish_bucket(work, where, unchanged)


def _publish_folder(work: Path, root: Path, unchanged: Collection[str]) -> None:
    for name in unchanged:
        part, kept = root / "interactions" / name, work / "interactions" / name
        try:
            kept.hardlink_to(part)
        except OSError:  # not every file system has links
            shutil.copy2(part, kept)
    moves = [(root / REPORT_NAME, work / f"{REPORT_NAME}.old")]
    moves += [(root / dataset, work / f"{dataset}.old") for dataset in FOLDERS]
    moves += [(work / dataset, root / dataset) for dataset in FOLDERS]
    moves += [(work / REPORT_NAME, root / REPORT_NAME)]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            if source.exists():
                source.rename(target)
                done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        raise


def _publish_bucket(work: Path, out: S3Place, unchanged: Collection[str]) -> None:
    """Upload everything invisibly first: an S3 object appears once its upload is completed."""
    s3, bucket, report = out.s3, out.bucket, out / REPORT_NAME
    standing = _keys(out)
    _abort_uploads(out)
    uploads: dict[str, tuple[str, list[CompletedPartTypeDef]]] = {}
    kept = {(out / "interactions" / name).key for name in unchanged}
    try:
        for path in sorted([*work.glob("*/part-*.csv"), *work.glob(f"{PROFILES}/*/part-*.gz")]):
            key = (out / path.relative_to(work).as_posix()).key
            kind = "text/csv" if path.suffix == ".csv" else "application/gzip"
            upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=kind)["UploadId"]
            uploads[key] = (upload, [])
            with path.open("rb") as file:
                for number, block in enumerate(iter(lambda: file.read(_UPLOAD_BYTES), b""), start=1):
                    answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=block)
                    uploads[key][1].append({"PartNumber": number, "ETag": answer["ETag"]})
        # Onto itself: a lifecycle rule of the bucket would expire an old part, although the export still has it.
        with ThreadPoolExecutor(_COPIES) as pool:
            list(pool.map(lambda key: s3.copy_object(
                Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, ContentType="text/csv",
                MetadataDirective="REPLACE"), sorted(kept)))  # fmt: skip
    except BaseException:
        _abort_uploads(out)
        raise
    report.delete()
    try:
        for key, (upload, parts) in uploads.items():
            s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException:
        _abort_uploads(out)
        raise
    for key in standing:
        if key not in uploads and key not in kept:
            s3.delete_object(Bucket=bucket, Key=key)
    report.put((work / REPORT_NAME).read_bytes(), "application/json")


def _keys(out: S3Place) -> list[str]:
    """Return the keys of the export in `out`."""
    found = []
    for name in FOLDERS:
        names = [file.inner for file in (out / name).objects()]
        only_parts(f"{out / name}/", name, names)
        found += [f"{(out / name).key}/{inner}" for inner in names]
    return found


def _abort_uploads(out: S3Place) -> None:
    for folder in (out / name for name in FOLDERS):
        pages = out.s3.get_paginator("list_multipart_uploads").paginate(Bucket=out.bucket, Prefix=f"{folder.key}/")
        for page in pages:
            for one in page.get("Uploads", []):
                out.s3.abort_multipart_upload(Bucket=out.bucket, Key=one["Key"], UploadId=one["UploadId"])
