"""Check whether all parts of a deployed stack have the same event mapping.

The file, Terraform, the Lambda functions, the Glue job, the SQL for the warehouse and the schemas in Personalize each
have the mapping, or something generated from it. If one differs, training and live events disagree about events.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import ClientError

from ..contract.mapping import ADDRESS, EventMapping, decode
from ..errors import MappingError, number
from .finding import ABSENT, TERRAFORM, Deployed, Finding, Verdict, examined, is_absent

#: The digest of the mapping that an SQL file was generated from.
_SQL_DIGEST = re.compile(r"event mapping sha256: ([0-9a-f]{64})")
ALIAS = "live"


def terraform(stack: Deployed, mapping: EventMapping) -> Finding:
    """Return whether Terraform applied the mapping."""
    return _compared("Terraform", str(stack.outputs["event_mapping"]["sha256"]), mapping)


def functions(stack: Deployed, mapping: EventMapping) -> Iterator[Finding]:
    """Yield a finding for each function: whether its alias runs a working version with this mapping."""
    for name in stack.operations["functions"].values():
        part = f"Lambda function {name}"
        yield from examined(part, _function(stack, part, name, mapping))


def _function(stack: Deployed, part: str, name: str, mapping: EventMapping) -> Iterator[Finding]:
    read = stack.client("lambda").get_function_configuration
    read(FunctionName=name)
    try:
        live = read(FunctionName=name, Qualifier=ALIAS)
    except ClientError as error:
        if not is_absent(error):
            raise
        yield Finding(part, "wrong", f"has no alias {ALIAS}", TERRAFORM)
        return
    finding = _compared(part, _sha256(live.get("Environment", {}).get("Variables", {}).get("event_mapping")), mapping)
    if finding.verdict == "ok":
        failed = [key for key in ("State", "LastUpdateStatus") if live.get(key) == "Failed"]
        if failed:
            why = live.get(f"{failed[0]}Reason", "no reason given")
            yield Finding(part, "wrong", f"{failed[0]} is Failed: {why}", TERRAFORM)
            return
        package = f"version {live.get('Version')} of {str(live.get('LastModified', ''))[:10]}"
        finding = Finding(part, "ok", f"{package}, package {str(live.get('CodeSha256', ''))[:8]}, {finding.found}")
    yield finding


def glue_job(stack: Deployed, mapping: EventMapping) -> Iterator[Finding]:
    """Yield a finding for the Glue job, and one for each file that it loads."""
    job = stack.operations["glue_job"]
    yield from examined(f"Glue job {job}", _glue_job(stack, job, mapping))


def _glue_job(stack: Deployed, job: str, mapping: EventMapping) -> Iterator[Finding]:
    answer = stack.client("glue").get_job(JobName=job)["Job"]
    arguments = answer.get("DefaultArguments", {})
    yield _compared(f"Glue job {job}", _sha256(arguments.get("--event_mapping")), mapping)
    loaded = [answer.get("Command", {}).get("ScriptLocation", "")]
    loaded += [arguments.get(f"--{name}", "") for name in ("extra-py-files", "additional-python-modules")]
    for place in ",".join(loaded).split(","):
        if place.startswith("s3://"):
            yield from examined(f"File of Glue job {place}", _object(stack, place))


def _object(stack: Deployed, place: str) -> Iterator[Finding]:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    size = stack.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"]
    if size:
        yield Finding(f"File of Glue job {place}", "ok", number(size, "byte"))
    else:
        # Terraform doesn't compare the contents of objects.
        remedy = f"Run `aws s3 rm {place}`, then `terraform apply`"
        yield Finding(f"File of Glue job {place}", "wrong", "is empty", remedy)


def statements(stack: Deployed, mapping: EventMapping, files: list[Path]) -> Iterator[Finding]:
    """Yield a finding for each warehouse's SQL in the outputs, and for each file."""
    warehouse = stack.outputs.get("warehouse") or {}
    texts = [(f"SQL for {name}", str(output["sql"])) for name, output in warehouse.items() if output]
    for part, text in [*texts, *((str(file), file.read_text("utf-8")) for file in files)]:
        digest = _SQL_DIGEST.search(text)
        found = digest[1] if digest else "no digest"
        yield _compared(part, found, mapping, "Generate it again with `personalize-segment sql`")


def _sha256(text: str | None) -> str:
    if text is None:
        return ABSENT
    if address := ADDRESS.fullmatch(text):
        # Functions and job refuse an object with another digest.
        return address[2]
    try:
        return decode(text).sha256
    except MappingError as error:
        return f"is invalid: event_mapping at {error}"


def _compared(part: str, found: str, mapping: EventMapping, remedy: str = TERRAFORM) -> Finding:
    verdict: Verdict = "ok" if found == mapping.sha256 else "wrong"
    return Finding(part, verdict, f"event mapping {found}", "" if verdict == "ok" else remedy)
