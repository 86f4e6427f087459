"""Dataset groups, schemas and datasets."""

from . import schemas
from .lifecycle import create, operation, update
from .records import Interactions, Profiles
from .resources import Resource
from .schemas import DATASETS, Field
from .service_errors import invalid, unsupported
from .service_model import Wire
from .store import Store


def fields_of(store: Store, dataset: Resource) -> tuple[Field, ...]:
    """Return the fields of a dataset's schema."""
    return schemas.parse(store.find("Schema", dataset.values["schemaArn"]).values["schema"])[1]


@operation("CreateDatasetGroup")
def create_group(store: Store, request: Wire) -> Wire:
    """Create a dataset group, domain or custom. A KMS key needs the role that can use it."""
    if ("kmsKeyArn" in request) != ("roleArn" in request):
        raise invalid("Provide both roleArn and kmsKeyArn, or neither of them.")
    group = create(store, "DatasetGroup", request, group=None)
    return {"datasetGroupArn": group.arn, "domain": request.get("domain")}


@operation("CreateSchema")
def create_schema(store: Store, request: Wire) -> Wire:
    """Create a schema. CreateDataset checks whether it fits the dataset type."""
    schemas.parse(request["schema"])
    return {"schemaArn": create(store, "Schema", request, group=None).arn}


@operation("CreateDataset")
def create_dataset(store: Store, request: Wire) -> Wire:
    """Create a dataset, one per type in a group. Its schema must fit the type and the group's domain."""
    kind = request["datasetType"].upper()
    if kind in schemas.ACTIONS:
        raise unsupported(f"datasets of type {kind}")
    if kind not in DATASETS:
        raise invalid(f"Dataset type {request['datasetType']} is not one of {', '.join(DATASETS)}.")
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    schema = store.find("Schema", request["schemaArn"])
    _fits(schema, kind, group.values.get("domain"))
    name = f"{group.values['name']}/{kind}"
    dataset = create(store, "Dataset", request | {"datasetType": kind}, name=name, group=group.arn)
    if kind == "INTERACTIONS":
        store.interactions[dataset.arn] = Interactions()
    else:
        store.profiles[dataset.arn] = Profiles(DATASETS[kind][1])
    return {"datasetArn": dataset.arn}


def _fits(schema: Resource, kind: str, domain: str | None) -> tuple[Field, ...]:
    if schema.values.get("domain") != domain:
        raise invalid(f"Schema {schema.arn} is of domain {schema.values.get('domain')}, the dataset group of {domain}.")
    name, fields = schemas.parse(schema.values["schema"])
    if name.upper() != kind:
        raise invalid(f"Schema {schema.arn} is of {name}, the dataset of type {kind}.")
    schemas.fit(fields, kind, domain)
    return fields


@operation("UpdateDataset")
def update_dataset(store: Store, request: Wire) -> Wire:
    """Replace the schema of an Items or Users dataset with one that has more nullable fields."""
    dataset = store.find("Dataset", request["datasetArn"])
    schema = store.find("Schema", request["schemaArn"])
    if dataset.busy or dataset.status != "ACTIVE":
        raise dataset.conflict()
    if dataset.values["datasetType"] == "INTERACTIONS":
        raise invalid("The schema of an Item interactions dataset can't be replaced.")
    group = store.find("DatasetGroup", dataset.values["datasetGroupArn"])
    new = _fits(schema, dataset.values["datasetType"], group.values.get("domain"))
    schemas.replaces(new, fields_of(store, dataset))

    def apply() -> None:
        dataset.values["schemaArn"] = schema.arn

    update(store, dataset, {"schemaArn": schema.arn}, apply)
    return {"datasetArn": dataset.arn}
