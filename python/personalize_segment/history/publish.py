"""Where an export goes: a folder or an S3 prefix, replaced as a whole or not at all.

Parts are prepared where no reader looks, and only when all of them are whole do they take the
place of what stood there. A failed run leaves the earlier export as it was; a killed one leaves
only what the next one clears away (docs/adr/0004-replacing-an-export.md).
"""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.columns import DATASETS
from ..errors import OutputError
from .logs import REPORT_NAME, split_uri
from .report import only_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

STAGING = ".export"
_UPLOAD_BYTES = 64 << 20


@contextmanager
def staging(out: str) -> Iterator[Path]:
    """Yield an empty local folder to prepare an export for `out` in; `publish` moves it there.

    Raises OutputError, before any work is done, when `out` can't be written, holds files that
    no export wrote, or another export is writing to it.
    """
    if out.startswith("s3://"):
        with _s3_errors(out):
            _keys(s3_client(), out)
        with tempfile.TemporaryDirectory(prefix="personalize-segment-") as temporary:
            yield Path(temporary)
        return
    root = Path(out)
    folder = root / STAGING
    made = not root.exists()
    try:
        for dataset in DATASETS:
            if (root / dataset).exists():
                only_parts(str(root / dataset), [one.name for one in (root / dataset).iterdir()])
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(out, "another export is writing to it", "Wait for its end") from None
            try:
                work = folder / "work"
                _remove(work)  # of a run that was killed
                work.mkdir()
                yield work
            finally:
                _remove(folder)  # while it is still locked
    except OSError as error:
        raise OutputError(str(error.filename or out), error.strerror or str(error), _RIGHTS) from error
    finally:
        with suppress(OSError):
            _remove_unlocked(folder)  # if we were interrupted before the lock
        with suppress(OSError):
            if made:
                root.rmdir()  # it stays when the export is in it


def _remove_unlocked(folder: Path) -> None:
    """Remove a staging folder, if it is there and no export is at work in it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder in which threads of an interrupted DuckDB may still let go of files.

    What should stay all the same is no export, and the next run removes it.
    """
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.02)


def publish(work: Path, out: str) -> None:
    """Let the datasets' folders and the report in `work` take their place in `out`."""
    if out.startswith("s3://"):
        with _s3_errors(out):
            _publish_bucket(s3_client(), work, out)
    else:
        _publish_folder(work, Path(out))


def _publish_folder(work: Path, root: Path) -> None:
    moves = [(root / REPORT_NAME, work / f"{REPORT_NAME}.old")]
    moves += [(root / dataset, work / f"{dataset}.old") for dataset in DATASETS]
    moves += [(work / dataset, root / dataset) for dataset in DATASETS]
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


def _publish_bucket(s3: "S3Client", work: Path, out: str) -> None:
    """Upload everything invisibly first: an S3 object appears when its upload is completed."""
    bucket, prefix = _prefix(out)
    standing = _keys(s3, out)
    _abort_uploads(s3, bucket, prefix)
    uploads: dict[str, tuple[str, list[CompletedPartTypeDef]]] = {}
    try:
        for path in sorted(work.glob("*/part-*.csv")):
            key = f"{prefix}{path.relative_to(work).as_posix()}"
            upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType="text/csv")["UploadId"]
            uploads[key] = (upload, [])
            with path.open("rb") as file:
                for number, block in enumerate(iter(lambda: file.read(_UPLOAD_BYTES), b""), start=1):
                    answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=block)
                    uploads[key][1].append({"PartNumber": number, "ETag": answer["ETag"]})
    except BaseException:
        _abort_uploads(s3, bucket, prefix)
        raise
    s3.delete_object(Bucket=bucket, Key=prefix + REPORT_NAME)
    try:
        for key, (upload, parts) in uploads.items():
            s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException:
        _abort_uploads(s3, bucket, prefix)
        raise
    for key in standing:
        if key not in uploads:
            s3.delete_object(Bucket=bucket, Key=key)
    s3.put_object(
        Bucket=bucket,
        Key=prefix + REPORT_NAME,
        Body=(work / REPORT_NAME).read_bytes(),
        ContentType="application/json",
    )


def _keys(s3: "S3Client", out: str) -> list[str]:
    """Return the keys of the export that stands in `out`."""
    bucket, prefix = _prefix(out)
    s3.head_bucket(Bucket=bucket)
    found = []
    for dataset in DATASETS:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}{dataset}/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        only_parts(f"s3://{bucket}/{prefix}{dataset}/", [key[len(prefix) + len(dataset) + 1 :] for key in keys])
        found += keys
    return found


def _abort_uploads(s3: "S3Client", bucket: str, prefix: str) -> None:
    for dataset in DATASETS:
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=f"{prefix}{dataset}/")
        for page in pages:
            for one in page.get("Uploads", []):
                s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])


def _prefix(out: str) -> tuple[str, str]:
    bucket, key = split_uri(out)
    return bucket, key.rstrip("/") + "/" if key.strip("/") else ""


def s3_client() -> "S3Client":
    """Return a client with the credentials, region and endpoint that boto3 finds."""
    import boto3  # a seventh of a second that a local export need not wait

    return boto3.client("s3")


@contextmanager
def _s3_errors(out: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OutputError(out, str(error), _RIGHTS) from error


_RIGHTS = "Name an output that this user may write to, or give the right to do so"
