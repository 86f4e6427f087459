"""The plan for the data: group, datasets with their schemas, first imports, tracker, filters."""

import json
from typing import Any

from .spec import DatasetSpec, Spec, digest
from .state import ACTIVE, StackResource
from .steps import Draft, text


def group(draft: Draft) -> str | None:
    """Return the ARN of the dataset group once it is ACTIVE."""
    spec = draft.spec
    request: dict[str, Any] = {"name": spec.name}
    for key, value in (("domain", spec.domain), ("kmsKeyArn", spec.kms_key), ("roleArn", spec.kms_role)):
        request |= {key: value} if value else {}
    group = draft.create(draft.state.group, "DatasetGroup", spec.name, request)
    if group is None:
        return None
    for key in ("domain", "kmsKeyArn", "roleArn"):
        if group.detail.get(key) != request.get(key):
            draft.block(
                "DatasetGroup", spec.name, f"{key} is {text(group.detail.get(key))} and can't be changed",
                "Give the spec another name, or destroy this stack first",
            )  # fmt: skip
            return None
    draft.add("nothing", "DatasetGroup", spec.name)
    return group.arn


def dataset(draft: Draft, wanted: DatasetSpec, group: str | None) -> bool:
    """Return whether the dataset exists with its schema, and its first import is done."""
    spec, name = draft.spec, f"{draft.spec.name}-{wanted.key}"
    known = draft.state.datasets.get(wanted.key)
    fields = json.loads(wanted.schema)
    schemas = {schema.arn: schema for schema in [*draft.state.schemas, *draft.state.other_schemas]}
    schema = schemas.get(known.detail["schemaArn"]) if known else None
    if schema is None or json.loads(schema.detail["schema"]) != fields:
        why = _fixed(known, schema, fields)
        if why:
            draft.block("Dataset", name, *why)
            return False
        request = {"name": f"{name}-{digest(fields, spec.domain)}", "schema": wanted.schema}
        request |= {"domain": spec.domain} if spec.domain else {}
        schema = next((schema for schema in draft.state.schemas if schema.name == request["name"]), None)
        schema = draft.create(schema, "Schema", request["name"], request)
    if schema is not None:
        draft.kept.add(schema.arn)
        draft.add("nothing", "Schema", schema.name)
    create = None
    if group and schema:
        create = {"name": name, "datasetGroupArn": group, "datasetType": wanted.type, "schemaArn": schema.arn}
    dataset = draft.create(known, "Dataset", name, create, after="after its group and schema")
    if dataset is None or schema is None:
        if dataset is not None:
            draft.add("update", "Dataset", name, "after its schema")
        elif wanted.load is not None and known is None:
            cost = draft.prices.ingestion()
            draft.add("create", "DatasetImportJob", name, "after its dataset", cost=cost)
        return False
    update = {"schemaArn": schema.arn}
    if not draft.update(dataset, name, update, {"schemaArn": dataset.detail["schemaArn"]}, update):
        return False
    return wanted.load is None or _import(draft, wanted, name, dataset)


def _import(draft: Draft, wanted: DatasetSpec, name: str, dataset: StackResource) -> bool:
    jobs = draft.state.imports.get(dataset.arn, [])
    cost = draft.prices.ingestion()
    if any(job.status == ACTIVE for job in jobs):
        draft.add("nothing", "DatasetImportJob", name)
        return True
    if jobs and jobs[-1].busy:
        draft.add("wait", "DatasetImportJob", jobs[-1].name, jobs[-1].status, cost=cost)
        return False
    if jobs and jobs[-1].failure_id not in draft.accepted:
        draft.block("DatasetImportJob", jobs[-1].name, str(jobs[-1].failure))
        return False
    request = import_request(draft.spec, wanted, dataset.arn, draft.contents[wanted.key], jobs)
    why = f"retry, because it failed: {jobs[-1].failure}" if jobs else ""
    call = ("CreateDatasetImportJob", request | draft.spec.tagging)
    draft.add("create", "DatasetImportJob", request["jobName"], why, cost=cost, call=call)
    return False


def tracker(draft: Draft, group: str | None) -> StackResource | None:
    """Return the event tracker. A group has at most one, so an existing one is adopted."""
    if not draft.spec.tracker:
        return None
    name = draft.spec.name
    request = {"name": name, "datasetGroupArn": group} if group else None
    tracker = draft.create(draft.state.tracker, "EventTracker", name, request, after="after its group")
    if tracker:
        draft.add("nothing", "EventTracker", tracker.name)
    return tracker


def filter_(draft: Draft, key: str, expression: str, group: str | None, *, ready: bool) -> StackResource | None:
    """Return the filter with this expression. Filters are immutable, so its name has a digest."""
    name = f"{draft.spec.name}-{key}-{digest(expression)}"
    known = next((filter_ for filter_ in draft.state.filters if filter_.name == name), None)
    request = {"name": name, "datasetGroupArn": group, "filterExpression": expression} if group and ready else None
    filter_ = draft.create(known, "Filter", name, request, after="after the datasets")
    if filter_:
        draft.add("nothing", "Filter", name)
    return filter_


def import_request(
    spec: Spec, dataset: DatasetSpec, arn: str, content: str, jobs: list[StackResource]
) -> dict[str, Any]:
    """Return the request of an import job. Its name has a digest of the data, and the number of failed attempts."""
    if dataset.load is None or spec.role is None:
        raise AssertionError("the spec has no import for this dataset")
    base = f"{spec.name}-{dataset.key}-{digest(content, dataset.load.location, dataset.load.mode, dataset.schema)}"
    tries = sum(job.name.startswith(base) and job.failure is not None for job in jobs)
    return {
        "jobName": base if not tries else f"{base}-{tries + 1}",
        "datasetArn": arn,
        "dataSource": {"dataLocation": dataset.load.location},
        "roleArn": spec.role,
        # The first import has nothing to add to.
        "importMode": dataset.load.mode if any(job.status == ACTIVE for job in jobs) else "FULL",
    }


def _fixed(
    dataset: StackResource | None, schema: StackResource | None, wanted: dict[str, Any]
) -> tuple[str, str] | None:
    """Return why a dataset can't get the wanted schema, and a remedy; None if it can."""
    if dataset is None:
        return None
    other = "Give the spec another name: a dataset's columns can only grow"
    if dataset.detail["datasetType"].lower() == "interactions":
        return "its schema can't be replaced", other
    if schema is None:
        return None
    fields = {field["name"]: field for field in wanted["fields"]}
    for field in json.loads(schema.detail["schema"])["fields"]:
        if fields.pop(field["name"], None) != field:
            return f"{field['name']} would be removed or changed", other
    firm = [name for name, field in fields.items() if "null" not in field["type"]]
    return (f"{firm[0]} is new, but not optional", "Make the new field optional") if firm else None
