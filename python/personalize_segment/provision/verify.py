"""Whether all parts of a deployed stack have the same event mapping.

The file, what Terraform applied, the Lambda function, the Glue job, the SQL for the warehouse and
the schemas in Personalize each hold it, or what was made of it. If one differs, training and
serving no longer agree on what an event means.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..contract import avro
from ..contract.mapping import ADDRESS, EventMapping, decode
from ..errors import MappingError, VerifyError
from . import terraform_outputs

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_personalize import PersonalizeClient

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


def read_stack(data: bytes, place: str) -> dict[str, Any]:
    """Return the outputs of the one stack in what `terraform output -json` prints; raise VerifyError."""
    try:
        _, stacks = terraform_outputs.read(data.decode(), "operations", "personalize", "event_mapping")
    except (UnicodeDecodeError, MappingError):
        raise VerifyError(place, "is not JSON", "Pass what `terraform output -json` prints") from None
    if stacks is None or len(stacks) != 1:
        problem = f"holds the outputs of {len(stacks or ())} stacks"
        raise VerifyError("terraform output", problem, "Pass what `terraform output -json` prints where one is applied")
    return stacks[0]


def verify(
    outputs: Mapping[str, Any],
    mapping: EventMapping,
    sql: list[Path],
    lambda_: "LambdaClient",
    glue: "GlueClient",
    personalize: "PersonalizeClient",
) -> list[Finding]:
    """Return what was found in every part, in the order of the data's way; raise ClientError if AWS can't be asked."""
    again = "Run `terraform apply`"
    findings = [_digest("Terraform", str(outputs["event_mapping"]["sha256"]), mapping, again)]
    for function in outputs["operations"]["functions"].values():
        answer = _ask(lambda_.get_function_configuration, FunctionName=function, Qualifier="live")
        text = answer.get("Environment", {}).get("Variables", {}).get("event_mapping")
        findings.append(_digest(f"Lambda function {function}", _sha256(text), mapping, again))
    job = outputs["operations"]["glue_job"]
    text = _ask(glue.get_job, JobName=job).get("Job", {}).get("DefaultArguments", {}).get("--event_mapping")
    findings.append(_digest(f"Glue job {job}", _sha256(text), mapping, again))
    for place, statements in _sql(outputs, sql):
        digest = _SQL_DIGEST.search(statements)
        found = digest[1] if digest else "no digest"
        findings.append(_digest(place, found, mapping, "Make it anew with `personalize-segment sql`"))
    return findings + _schemas(str(outputs["personalize"]["name"]), mapping, personalize)


def warnings(outputs: Mapping[str, Any]) -> list[str]:
    """Return what isn't wrong, but costs data: sentences for whoever runs the stack."""
    if outputs["operations"].get("profile_table"):
        return []
    return [
        "Live profiles aren't merged, because the stack has no profile table: an event erases what earlier ones said "
        "of its user or item. Set profile_table in Terraform."
    ]


def _sql(outputs: Mapping[str, Any], files: list[Path]) -> list[tuple[str, str]]:
    warehouse = outputs.get("warehouse") or {}
    statements = [(f"SQL for {name}", output["sql"]) for name, output in warehouse.items() if output]
    return statements + [(str(file), file.read_text("utf-8")) for file in files]


def _schemas(group: str, mapping: EventMapping, personalize: "PersonalizeClient") -> list[Finding]:
    """Compare the columns of each dataset that Personalize has of this stack."""
    remedy = "Run `personalize-segment apply`"
    schemas = {}
    groups = personalize.get_paginator("list_dataset_groups").paginate()
    arns = (one["datasetGroupArn"] for page in groups for one in page["datasetGroups"] if one["name"] == group)
    arn = next(arns, None)
    for page in personalize.get_paginator("list_datasets").paginate(datasetGroupArn=arn) if arn else ():
        for dataset in page["datasets"]:
            schema = personalize.describe_dataset(datasetArn=dataset["datasetArn"])["dataset"]["schemaArn"]
            text = personalize.describe_schema(schemaArn=schema)["schema"]["schema"]
            schemas[dataset["datasetType"].lower()] = json.loads(text)
    findings = []
    for mapped in mapping.datasets:
        wanted, known = avro.schema(mapped), schemas.get(mapped.name)
        found = ABSENT if known is None else "same columns" if known == wanted else _difference(wanted, known)
        findings.append(Finding(f"Schema of {mapped.name}", found, known == wanted, remedy))
    return findings


def _difference(wanted: dict[str, Any], known: dict[str, Any]) -> str:
    ours, theirs = ({field["name"]: field for field in schema["fields"]} for schema in (wanted, known))
    parts = {
        "lacks": ours.keys() - theirs.keys(),
        "has also": theirs.keys() - ours.keys(),
        "has otherwise": {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]},
    }
    differences = [f"{what} {', '.join(sorted(names))}" for what, names in parts.items() if names]
    return "; ".join(differences) or "another order of columns"


def _sha256(text: str | None) -> str:
    if text is None:
        return ABSENT
    if address := ADDRESS.fullmatch(text):
        # Functions and job refuse an object that has another digest.
        return address[2]
    try:
        return decode(text).sha256
    except MappingError as error:
        return f"no mapping: event_mapping at {error}"


def _digest(place: str, found: str, mapping: EventMapping, remedy: str) -> Finding:
    return Finding(place, found, found == mapping.sha256, remedy)


def _ask(call: Callable[..., Any], **request: str) -> dict[str, Any]:
    """Return the answer; an empty one if there is no such thing."""
    try:
        return dict(call(**request))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFoundException", "EntityNotFoundException"):
            return {}
        raise
