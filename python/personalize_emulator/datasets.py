"""Dataset groups, schemas and datasets."""

from . import schemas
from .kinds import KINDS
from .lifecycle import begin, create, operation
from .model import Wire
from .records import Interactions, Profiles
from .schemas import DATASETS, Field
from .service_errors import in_use, invalid, unsupported
from .world import Resource, World


def fields_of(world: World, dataset: Resource) -> tuple[Field, ...]:
    """Return the fields of a dataset's schema."""
    return schemas.parse(world.find("Schema", dataset.values["schemaArn"]).values["schema"])[1]


@operation("CreateDatasetGroup")
def create_group(world: World, request: Wire) -> Wire:
    """A dataset group, of a domain or custom; a KMS key needs the role that may use it."""
    if ("kmsKeyArn" in request) != ("roleArn" in request):
        raise invalid("Provide both roleArn and kmsKeyArn, or neither of them.")
    made = create(world, KINDS["DatasetGroup"], request, name=request["name"], group=None)
    return {"datasetGroupArn": made.arn, "domain": request.get("domain")}


@operation("CreateSchema")
def create_schema(world: World, request: Wire) -> Wire:
    """A schema; which dataset types it fits is checked when a dataset is made of it."""
    schemas.parse(request["schema"])
    made = create(world, KINDS["Schema"], request, name=request["name"], group=None)
    return {"schemaArn": made.arn}


@operation("CreateDataset")
def create_dataset(world: World, request: Wire) -> Wire:
    """A dataset: one of each type in a group, with a schema of the group's domain that fits the type."""
    kind = request["datasetType"].upper()
    if kind in schemas.ACTIONS:
        raise unsupported(f"datasets of type {kind}")
    if kind not in DATASETS:
        raise invalid(f"Dataset type {request['datasetType']} is not one of {', '.join(DATASETS)}.")
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    schema = world.find("Schema", request["schemaArn"])
    _fits(schema, kind, group.values.get("domain"))
    name = f"{group.values['name']}/{kind}"
    made = create(world, KINDS["Dataset"], request | {"datasetType": kind}, name=name, group=group.arn)
    if kind == "INTERACTIONS":
        world.interactions[made.arn] = Interactions()
    else:
        world.profiles[made.arn] = Profiles(DATASETS[kind][1])
    return {"datasetArn": made.arn}


def _fits(schema: Resource, kind: str, domain: str | None) -> tuple[Field, ...]:
    if schema.values.get("domain") != domain:
        raise invalid(f"Schema {schema.arn} is of domain {schema.values.get('domain')}, the dataset group of {domain}.")
    name, fields = schemas.parse(schema.values["schema"])
    if name.upper() != kind:
        raise invalid(f"Schema {schema.arn} is of {name}, the dataset of type {kind}.")
    schemas.fit(fields, kind, domain)
    return fields


@operation("UpdateDataset")
def update_dataset(world: World, request: Wire) -> Wire:
    """Replace the schema of an Items or Users dataset by one with more fields that may be null."""
    dataset = world.find("Dataset", request["datasetArn"])
    schema = world.find("Schema", request["schemaArn"])
    if dataset.busy or dataset.status != "ACTIVE":
        raise in_use(f"Resource Arn {dataset.arn} is in {dataset.status} state or being updated.")
    if dataset.values["datasetType"] == "INTERACTIONS":
        raise invalid("The schema of an Item interactions dataset can't be replaced.")
    group = world.find("DatasetGroup", dataset.values["datasetGroupArn"])
    new = _fits(schema, dataset.values["datasetType"], group.values.get("domain"))
    schemas.replaces(new, fields_of(world, dataset))

    def apply() -> None:
        dataset.values["schemaArn"] = schema.arn

    update = {"schemaArn": schema.arn, "creationDateTime": world.now, "lastUpdatedDateTime": world.now}
    dataset.values["latestDatasetUpdate"] = update
    begin(world, dataset, dataset.kind.words, update, apply, (dataset.values["name"],))
    return {"datasetArn": dataset.arn}
