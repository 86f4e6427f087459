"""Whether all parts of a deployed stack have the same event mapping.

The file, what Terraform applied, the Lambda function, the Glue job, the SQL for the warehouse and
the schemas in Personalize each hold it, or what was made of it. If one differs, training and
serving no longer agree on what an event means.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ..contract import avro
from ..contract.mapping import EventMapping, decode
from ..errors import MappingError, VerifyError
from .terraform_outputs import holding, of_terraform

#: How an SQL file says which mapping it was made from.
_SQL_DIGEST = re.compile(r"event mapping sha256: ([0-9a-f]{64})")
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: `place` where it is, what was `found` there, whether that `agrees`, and what to do if not."""

    place: str
    found: str
    agrees: bool
    remedy: str


def stack(document: Any) -> dict[str, Any]:
    """Return the outputs of the one stack in what `terraform output -json` prints; raise VerifyError."""
    values = of_terraform(document)
    found = [] if values is None else holding(values, "operations", "personalize", "event_mapping")
    if len(found) != 1:
        problem = f"holds the outputs of {len(found)} stacks"
        raise VerifyError("terraform output", problem, "Pass what `terraform output -json` prints where one is applied")
    return found[0]


def verify(outputs: Mapping[str, Any], mapping: EventMapping, clients: Any, sql: list[Path]) -> list[Finding]:
    """Return what was found in every part, in the order of the data's way; raise VerifyError if AWS can't be asked.

    `clients` gives boto3's client of a service: of `lambda`, `glue` and `personalize`.
    """
    again = "Run `terraform apply`"
    findings = [_digest("Terraform", str(outputs["event_mapping"]["sha256"]), mapping, again)]
    for function in outputs["operations"]["functions"].values():
        found = _asked(clients("lambda").get_function_configuration, FunctionName=function, Qualifier="live")
        text = (found or {}).get("Environment", {}).get("Variables", {}).get("event_mapping")
        findings.append(_digest(f"Lambda function {function}", _sha256(text), mapping, again))
    job = outputs["operations"]["glue_job"]
    found = _asked(clients("glue").get_job, JobName=job)
    text = (found or {}).get("Job", {}).get("DefaultArguments", {}).get("--event_mapping")
    findings.append(_digest(f"Glue job {job}", _sha256(text), mapping, again))
    for place, statements in _sql(outputs, sql):
        digest = _SQL_DIGEST.search(statements)
        made = digest[1] if digest else "no digest"
        findings.append(_digest(place, made, mapping, "Make it anew with `personalize-segment sql`"))
    return findings + _schemas(str(outputs["personalize"]["name"]), mapping, clients("personalize"))


def _sql(outputs: Mapping[str, Any], files: list[Path]) -> list[tuple[str, str]]:
    warehouse = outputs.get("warehouse") or {}
    found = [(f"SQL for {name}", one["sql"]) for name, one in warehouse.items() if one]
    return found + [(str(file), file.read_text("utf-8")) for file in files]


def _schemas(group: str, mapping: EventMapping, personalize: Any) -> list[Finding]:
    """Compare the columns of each dataset that Personalize has of this stack."""
    remedy = "Run `personalize-segment apply`"
    live = {}
    pages = personalize.get_paginator("list_datasets").paginate
    groups = personalize.get_paginator("list_dataset_groups").paginate
    arn = next(
        (one["datasetGroupArn"] for page in groups() for one in page["datasetGroups"] if one["name"] == group), None
    )
    for page in pages(datasetGroupArn=arn) if arn else ():
        for one in page["datasets"]:
            schema = personalize.describe_dataset(datasetArn=one["datasetArn"])["dataset"]["schemaArn"]
            live[one["datasetType"].lower()] = json.loads(
                personalize.describe_schema(schemaArn=schema)["schema"]["schema"]
            )
    findings = []
    for dataset in mapping.datasets:
        wanted, there = avro.schema(dataset), live.get(dataset.name)
        found = ABSENT if there is None else "same columns" if there == wanted else _difference(wanted, there)
        findings.append(Finding(f"Schema of {dataset.name}", found, there == wanted, remedy))
    return findings


def _difference(wanted: dict[str, Any], there: dict[str, Any]) -> str:
    ours, theirs = ({one["name"]: one for one in schema["fields"]} for schema in (wanted, there))
    parts = {
        "lacks": ours.keys() - theirs.keys(),
        "has also": theirs.keys() - ours.keys(),
        "has otherwise": {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]},
    }
    said = [f"{what} {', '.join(sorted(names))}" for what, names in parts.items() if names]
    return "; ".join(said) or "another order of columns"


def _sha256(text: str | None) -> str:
    if text is None:
        return ABSENT
    try:
        return decode(text).sha256
    except MappingError as error:
        return f"no mapping: event_mapping at {error}"


def _digest(place: str, found: str, mapping: EventMapping, remedy: str) -> Finding:
    return Finding(place, found, found == mapping.sha256, remedy)


def _asked(call: Any, **request: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFoundException", "EntityNotFoundException"):
            return None
        raise
    return answer
