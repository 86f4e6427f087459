"""The jobs that bring data into datasets, out of them, and away."""

import csv
import io
from collections.abc import Iterable, Iterator

from .datasets import fields_of
from .imports import MOST_BYTES, check_interactions, rows
from .kinds import KINDS
from .lifecycle import create, operation
from .model import Wire
from .records import Row
from .schemas import Field
from .service_errors import in_use, invalid
from .storage import objects, read, write
from .world import JobError, Resource, World


def _location(source: Wire) -> str:
    location = source.get("dataLocation")
    if not location or not location.startswith("s3://"):
        raise invalid("Invalid Data location. It has to be an s3:// URI of a CSV file or of a folder of them.")
    return str(location)


@operation("CreateDatasetImportJob")
def create_import(world: World, request: Wire) -> Wire:
    """An import of a CSV file or a folder of them: FULL replaces what was imported before, INCREMENTAL adds."""
    location = _location(request["dataSource"])
    if "roleArn" not in request:
        raise invalid("Provide the roleArn of a role with which Amazon Personalize can read the data.")
    dataset = world.usable("Dataset", request["datasetArn"])
    mode = request.setdefault("importMode", "FULL")
    held = world.interactions.get(dataset.arn) or world.profiles[dataset.arn]
    if mode == "INCREMENTAL" and not held.imported:
        raise invalid("An INCREMENTAL import needs an earlier FULL import into the dataset.")
    if dataset.updating:
        raise in_use(f"Resource Arn {dataset.arn} is being updated.")

    def run() -> None:
        fields = fields_of(world, dataset)
        found = list(_csv_rows(world, location, fields, MOST_BYTES[mode]))
        if dataset.values["datasetType"] == "INTERACTIONS":
            check_interactions(found, fields)
        elif not found:
            raise JobError("Input CSV has no records.")
        held.load(found, keep=mode == "INCREMENTAL")

    made = create(
        world,
        KINDS["DatasetImportJob"],
        request,
        name=request["jobName"],
        group=dataset.values["datasetGroupArn"],
        effect=run,
    )
    return {"datasetImportJobArn": made.arn}


def _csv_rows(world: World, location: str, fields: tuple[Field, ...], most: int) -> Iterator[Row]:
    size = 0
    for key, length in objects(world, location, ".csv"):
        size += length
        if size > most:
            raise JobError(f"The data is larger than {most // 2**30} GB.")
        yield from rows(read(world, location, key), fields)


@operation("CreateDatasetExportJob")
def create_export(world: World, request: Wire) -> Wire:
    """An export to CSV of what was imported in bulk, what was streamed (the default), or both."""
    destination = request["jobOutput"]["s3DataDestination"]["path"]
    dataset = world.usable("Dataset", request["datasetArn"])
    mode = request.setdefault("ingestionMode", "PUT")

    def run() -> None:
        fields = fields_of(world, dataset)
        lines = _csv_lines([field.name for field in fields], _held(world, dataset, mode))
        write(world, destination, f"{request['jobName']}.csv", lines)

    made = create(
        world,
        KINDS["DatasetExportJob"],
        request,
        name=request["jobName"],
        group=dataset.values["datasetGroupArn"],
        effect=run,
    )
    return {"datasetExportJobArn": made.arn}


def _held(world: World, dataset: Resource, mode: str) -> Iterator[Row]:
    interactions = world.interactions.get(dataset.arn)
    if interactions is not None:
        parts: tuple[Iterable[Row], ...] = (interactions.bulk, interactions.streamed)
    else:
        profiles = world.profiles[dataset.arn]
        parts = (profiles.bulk.values(), profiles.streamed.values())
    for part, modes in zip(parts, (("BULK", "ALL"), ("PUT", "ALL")), strict=True):
        if mode in modes:
            yield from part


def _csv_lines(header: list[str], found: Iterable[Row]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, escapechar="\\", doublequote=False, lineterminator="")
    yield ",".join(header)
    for row in found:
        line.seek(0)
        line.truncate()
        writer.writerow(["" if row.get(name) is None else row[name] for name in header])
        yield line.getvalue()


@operation("CreateDataDeletionJob")
def create_deletion(world: World, request: Wire) -> Wire:
    """A job that removes the users of a CSV file from all datasets of a group."""
    location = _location(request["dataSource"])
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    only = (Field("USER_ID", "string", nullable=False, categorical=False, textual=False),)

    def run() -> None:
        users = {row["USER_ID"] for row in _csv_rows(world, location, only, MOST_BYTES["INCREMENTAL"])}
        deleted = 0
        for dataset in world.each("Dataset", datasetGroupArn=group.arn):
            if dataset.values["datasetType"] == "INTERACTIONS":
                deleted += world.interactions[dataset.arn].forget(users)
            elif dataset.values["datasetType"] == "USERS":
                deleted += world.profiles[dataset.arn].forget(users)
        made.values["numDeleted"] = deleted

    made = create(world, KINDS["DataDeletionJob"], request, name=request["jobName"], group=group.arn, effect=run)
    return {"dataDeletionJobArn": made.arn}
