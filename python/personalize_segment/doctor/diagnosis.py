"""The checks of a stack, in the order in which an event passes its parts, and their views `doctor` and `verify`."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.mapping import EventMapping
from ..errors import ProvisionError, VerifyError
from ..provision import spec, terraform_outputs
from ..provision.retries import Polling
from ..provision.state import ProvisionClients
from . import access, mapping, settings, watch
from .finding import ABSENT, Deployed, Finding
from .personalize import personalize


def read_stack(
    text: str,
    place: str,
    client: Callable[[str], Any],
    wanted: EventMapping | None = None,
    name: str | None = None,
) -> Deployed:
    """Return the stack in the output of `terraform output -json`. `wanted` replaces the event mapping of its spec.

    `name` selects one of several stacks. Raises VerifyError, or SpecError for the spec.
    """
    with terraform_outputs.naming(place, VerifyError):
        outputs = terraform_outputs.of_stack(text, "operations", "personalize", "event_mapping", stack=name)
    document = outputs["personalize"] | ({"event_mapping": json.loads(wanted.text)} if wanted else {})
    return Deployed(outputs, spec.read(json.dumps(document)), cache(client))


def identity(stack: Deployed, here: terraform_outputs.Home) -> Finding:
    """Return whether the credentials are for the account and region of the stack."""
    region, account = stack.outputs["segment"]["function_arn"].split(":")[3:5]
    other = terraform_outputs.Home(account, region).other(here)
    if other is None:
        return Finding(terraform_outputs.HOME, "ok", str(here))
    return Finding(terraform_outputs.HOME, "wrong", *other)


def same_mapping(stack: Deployed, sql: list[Path], personalized: list[Finding]) -> Iterator[Finding]:
    """Yield a finding for each part that has the event mapping: the view `verify`."""
    wanted = stack.spec.mapping
    yield mapping.terraform(stack, wanted)
    yield from mapping.functions(stack, wanted)
    yield from mapping.glue_job(stack, wanted)
    yield from mapping.statements(stack, wanted, sql)
    found = [one for one in personalized if one.part.startswith(("Schema ", "Dataset "))]
    yield from found or [_no_group(stack)]
    yield from watch.profile_table(stack)


def diagnose(stack: Deployed, clients: ProvisionClients, polling: Polling, file: str) -> Iterator[Finding]:
    """Yield each finding about the stack as soon as it is known. `file` has the outputs."""
    yield from mapping.functions(stack, stack.spec.mapping)
    try:
        personalized = personalize(clients, stack.spec, polling, file) or [_no_group(stack, file)]
    except ProvisionError as error:
        personalized = [Finding("Personalize", "unknown", f"{error.place}: {error.problem}", error.remedy)]
    yield from _functions(stack, personalized)
    yield from access.segment_trust(stack)
    yield from access.role(
        stack,
        stack.outputs["segment"]["role_arn"],
        [("lambda:InvokeFunction", stack.outputs["segment"]["function_arn"])],
    )
    yield from watch.queues(stack, file)
    yield from watch.profile_table(stack)
    yield from watch.report(stack, stack.spec.mapping)
    yield from mapping.glue_job(stack, stack.spec.mapping)
    yield from _glue_role(stack)
    yield from access.bucket_policy(stack)
    if stack.spec.role is not None:
        yield from access.role(stack, stack.spec.role, access.personalize(stack))
    yield from watch.refresh(stack)
    yield from mapping.statements(stack, stack.spec.mapping, [])
    yield from personalized
    yield from watch.events(stack)
    yield from watch.alarms(stack)


def _functions(stack: Deployed, personalized: list[Finding]) -> Iterator[Finding]:
    """Yield findings about the functions' settings and permissions, except for functions that can't be read."""
    planned = {finding.part for finding in personalized}
    for key, function in stack.operations["functions"].items():
        try:
            role, found = settings.configuration(stack, function)
        except (BotoCoreError, ClientError):
            continue
        if key == "event":
            yield from settings.dry_run(stack, function)
            yield from settings.secrets(stack, found)
            yield from settings.write_back(stack, found)
            asked = _asked(found, personalized)
            yield from access.role(stack, role, access.event_function(stack, found, asked))
        else:
            yield from access.role(stack, role, access.profile_function(stack, found))
        # Without a plan, all parameters of `apply` are missing for a single cause, which another finding names.
        prefix = f"{stack.spec.ssm_prefix}/" if len(personalized) == 1 else None
        yield from settings.parameters(stack, found, planned, prefix)


def _glue_role(stack: Deployed) -> Iterator[Finding]:
    try:
        role = stack.client("glue").get_job(JobName=stack.operations["glue_job"])["Job"]["Role"]
    except (BotoCoreError, ClientError):
        return
    yield from access.role(stack, role, access.glue_job(stack))


def _asked(found: dict[str, str], personalized: list[Finding]) -> str | None:
    """Return the ARN of the campaign or recommender that the function asks, if it exists."""
    setting = found.get("personalize_campaign_arn", "")
    if not setting.startswith("ssm:"):
        return setting or None
    part = f"Parameter {setting.removeprefix('ssm:')}"
    return next((one.found for one in personalized if (one.part, one.verdict) == (part, "ok")), None)


def _no_group(stack: Deployed, file: str = "outputs.json") -> Finding:
    return Finding(f"DatasetGroup {stack.spec.name}", "wrong", ABSENT, f"Run `personalize-segment apply {file}`")
