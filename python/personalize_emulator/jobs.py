"""The jobs that import, export and delete data."""

import csv
import io
from collections.abc import Iterable, Iterator

from .datasets import fields_of
from .imports import MOST_BYTES, check_interactions, rows
from .lifecycle import create, operation
from .records import Record
from .resources import Resource
from .s3 import objects, read, write
from .schemas import Field
from .service_errors import in_use, invalid
from .service_model import Wire
from .store import JobError, Store


def _location(source: Wire) -> str:
    location = source.get("dataLocation")
    if not location or not location.startswith("s3://"):
        raise invalid("Invalid Data location. It must be an s3:// URI of a CSV file or of a folder of CSV files.")
    return str(location)


@operation("CreateDatasetImportJob")
def create_import(store: Store, request: Wire) -> Wire:
    """Import a CSV file or a folder of them. FULL replaces earlier imports, INCREMENTAL adds to them."""
    location = _location(request["dataSource"])
    if "roleArn" not in request:
        raise invalid("Provide the roleArn of a role with which Amazon Personalize can read the data.")
    dataset = store.usable("Dataset", request["datasetArn"])
    mode = request.setdefault("importMode", "FULL")
    held = store.interactions.get(dataset.arn) or store.profiles[dataset.arn]
    if mode == "INCREMENTAL" and not held.imported:
        raise invalid("An INCREMENTAL import needs an earlier FULL import into the dataset.")
    if dataset.updating:
        raise in_use(f"Resource Arn {dataset.arn} is being updated.")

    def run() -> None:
        fields = fields_of(store, dataset)
        records = list(_csv_records(store, location, fields, MOST_BYTES[mode]))
        if dataset.values["datasetType"] == "INTERACTIONS":
            check_interactions(records, fields)
        elif not records:
            raise JobError("Input CSV has no records.")
        held.load(records, keep=mode == "INCREMENTAL")

    job = create(store, "DatasetImportJob", request, group=dataset.values["datasetGroupArn"], effect=run)
    return {"datasetImportJobArn": job.arn}


def _csv_records(store: Store, location: str, fields: tuple[Field, ...], most: int) -> Iterator[Record]:
    size = 0
    for key, length in objects(store, location, ".csv"):
        size += length
        if size > most:
            raise JobError(f"The data is larger than {most // 2**30} GB.")
        yield from rows(read(store, location, key), fields)


@operation("CreateDatasetExportJob")
def create_export(store: Store, request: Wire) -> Wire:
    """Export imported records, streamed records (the default) or both to CSV."""
    destination = request["jobOutput"]["s3DataDestination"]["path"]
    dataset = store.usable("Dataset", request["datasetArn"])
    mode = request.setdefault("ingestionMode", "PUT")

    def run() -> None:
        fields = fields_of(store, dataset)
        lines = _csv_lines([field.name for field in fields], _held(store, dataset, mode))
        write(store, destination, f"{request['jobName']}.csv", lines)

    job = create(store, "DatasetExportJob", request, group=dataset.values["datasetGroupArn"], effect=run)
    return {"datasetExportJobArn": job.arn}


def _held(store: Store, dataset: Resource, mode: str) -> Iterator[Record]:
    interactions = store.interactions.get(dataset.arn)
    if interactions is not None:
        parts: tuple[Iterable[Record], ...] = (interactions.bulk, interactions.streamed)
    else:
        profiles = store.profiles[dataset.arn]
        parts = (profiles.bulk.values(), profiles.streamed.values())
    for part, modes in zip(parts, (("BULK", "ALL"), ("PUT", "ALL")), strict=True):
        if mode in modes:
            yield from part


def _csv_lines(header: list[str], records: Iterable[Record]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, escapechar="\\", doublequote=False, lineterminator="")
    yield ",".join(header)
    for record in records:
        line.seek(0)
        line.truncate()
        writer.writerow(["" if record.get(name) is None else record[name] for name in header])
        yield line.getvalue()


@operation("CreateDataDeletionJob")
def create_deletion(store: Store, request: Wire) -> Wire:
    """Delete the users in a CSV file from all datasets of a group."""
    location = _location(request["dataSource"])
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    only = (Field("USER_ID", "string", nullable=False, categorical=False, textual=False),)

    def run() -> None:
        users = {record["USER_ID"] for record in _csv_records(store, location, only, MOST_BYTES["INCREMENTAL"])}
        deleted = 0
        for dataset in store.each("Dataset", datasetGroupArn=group.arn):
            if dataset.values["datasetType"] == "INTERACTIONS":
                deleted += store.interactions[dataset.arn].forget(users)
            elif dataset.values["datasetType"] == "USERS":
                deleted += store.profiles[dataset.arn].forget(users)
        job.values["numDeleted"] = deleted

    job = create(store, "DataDeletionJob", request, group=group.arn, effect=run)
    return {"dataDeletionJobArn": job.arn}
