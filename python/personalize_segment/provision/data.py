"""The plan of the data: group, datasets with their schemas, first imports, tracker, filters."""

import json
from typing import Any

from .account import ACTIVE, Found
from .draft import Draft, text
from .spec import Dataset, Spec, digest


def group(draft: Draft) -> str | None:
    """Return the ARN of the dataset group once it is ACTIVE."""
    spec = draft.spec
    request: dict[str, Any] = {"name": spec.name}
    for key, value in (("domain", spec.domain), ("kmsKeyArn", spec.kms_key), ("roleArn", spec.kms_role)):
        request |= {key: value} if value else {}
    found = draft.settled(draft.account.group, "DatasetGroup", spec.name, request)
    if found is None:
        return None
    for key in ("domain", "kmsKeyArn", "roleArn"):
        if found.detail.get(key) != request.get(key):
            draft.blocked(
                "DatasetGroup", spec.name, f"{key} is {text(found.detail.get(key))} and can't be changed",
                "Give the spec another name, or destroy this stack first",
            )  # fmt: skip
            return None
    draft.add("nothing", "DatasetGroup", spec.name)
    return found.arn


def dataset(draft: Draft, one: Dataset, group: str | None) -> bool:
    """Return whether the dataset is there, has its schema, and holds its first import."""
    spec, name = draft.spec, f"{draft.spec.name}-{one.key}"
    found = draft.account.datasets.get(one.type)
    fields = json.loads(one.schema)
    schemas = {schema.arn: schema for schema in [*draft.account.schemas, *draft.account.other_schemas]}
    there = schemas.get(found.detail["schemaArn"]) if found else None
    schema_name = f"{name}-{digest(fields, spec.domain)}"
    schema = next((each for each in draft.account.schemas if each.name == schema_name), None)
    if there is None or json.loads(there.detail["schema"]) != fields:
        why = _fixed(found, there, fields)
        if why:
            draft.blocked("Dataset", name, *why)
            return False
        domain = {"domain": spec.domain} if spec.domain else {}
        schema = draft.settled(schema, "Schema", schema_name, {"name": schema_name, "schema": one.schema} | domain)
    else:
        schema = there
    if schema is not None:
        draft.kept.add(schema.arn)
        draft.add("nothing", "Schema", schema.name)
    create = None
    if group and schema:
        create = {"name": name, "datasetGroupArn": group, "datasetType": one.type, "schemaArn": schema.arn}
    dataset = draft.settled(found, "Dataset", name, create, after="after its group and schema")
    if dataset is None or schema is None:
        if dataset is not None:
            draft.add("update", "Dataset", name, "after its schema")
        elif one.load is not None and found is None:
            cost = draft.prices.ingestion()
            draft.add("create", "DatasetImportJob", name, "after its dataset", cost=cost)
        return False
    wanted = {"schemaArn": schema.arn}
    if not draft.updated(dataset, name, wanted, {"schemaArn": dataset.detail["schemaArn"]}, wanted):
        return False
    return one.load is None or _import(draft, one, name, dataset)


def _import(draft: Draft, one: Dataset, name: str, dataset: Found) -> bool:
    jobs = draft.account.imports.get(dataset.arn, [])
    cost = draft.prices.ingestion()
    if any(job.status == ACTIVE for job in jobs):
        draft.add("nothing", "DatasetImportJob", name)
        return True
    if jobs and jobs[-1].busy:
        draft.add("wait", "DatasetImportJob", jobs[-1].name, jobs[-1].status, cost=cost)
        return False
    if jobs and jobs[-1].failure_id not in draft.accepted:
        draft.blocked("DatasetImportJob", jobs[-1].name, str(jobs[-1].failure))
        return False
    request = import_request(draft.spec, one, dataset.arn, draft.contents[one.key], jobs)
    why = f"again, it failed: {jobs[-1].failure}" if jobs else ""
    draft.add(
        "create", "DatasetImportJob", request["jobName"], why, cost=cost,
        call=("CreateDatasetImportJob", request | (draft.tags if draft.tags["tags"] else {})),
    )  # fmt: skip
    return False


def tracker(draft: Draft, group: str | None) -> Found | None:
    """Return the event tracker; a group has one at most, so any that is there is adopted."""
    if not draft.spec.tracker:
        return None
    name = draft.spec.name
    create = {"name": name, "datasetGroupArn": group} if group else None
    found = draft.settled(draft.account.tracker, "EventTracker", name, create, after="after its group")
    if found:
        draft.add("nothing", "EventTracker", found.name)
    return found


def filter_(draft: Draft, key: str, expression: str, group: str | None, *, ready: bool) -> Found | None:
    """Return the filter with this expression; filters never change, so its name has a digest."""
    name = f"{draft.spec.name}-{key}-{digest(expression)}"
    found = next((one for one in draft.account.filters if one.name == name), None)
    create = {"name": name, "datasetGroupArn": group, "filterExpression": expression} if group and ready else None
    filter_ = draft.settled(found, "Filter", name, create, after="after the datasets")
    if filter_:
        draft.add("nothing", "Filter", name)
    return filter_


def import_request(spec: Spec, one: Dataset, arn: str, content: str, jobs: list[Found]) -> dict[str, Any]:
    """Return the request of an import job, whose name says what it imports and how often that failed before."""
    if one.load is None or spec.role is None:
        raise AssertionError("the spec has no import for this dataset")
    base = f"{spec.name}-{one.key}-{digest(content, one.load.location, one.load.mode, one.schema)}"
    tries = sum(job.name.startswith(base) and job.failure is not None for job in jobs)
    return {
        "jobName": base if not tries else f"{base}-{tries + 1}",
        "datasetArn": arn,
        "dataSource": {"dataLocation": one.load.location},
        "roleArn": spec.role,
        # The first one has nothing to add to.
        "importMode": one.load.mode if any(job.status == ACTIVE for job in jobs) else "FULL",
    }


def _fixed(found: Found | None, schema: Found | None, wanted: dict[str, Any]) -> tuple[str, str] | None:
    """Return why a dataset can't get the wanted schema, and what to do; None if it can."""
    if found is None:
        return None
    other = "Give the spec another name: a dataset's columns can only grow"
    if found.detail["datasetType"].upper() == "INTERACTIONS":
        return "its schema can't be replaced once it is there", other
    if schema is None:
        return None
    fields = {field["name"]: field for field in wanted["fields"]}
    for field in json.loads(schema.detail["schema"])["fields"]:
        if fields.pop(field["name"], None) != field:
            return f"{field['name']} would be taken away or changed", other
    firm = [name for name, field in fields.items() if "null" not in field["type"]]
    return (f"{firm[0]} is new, but not optional", "Make the new field optional") if firm else None
