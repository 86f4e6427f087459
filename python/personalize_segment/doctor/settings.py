"""Check what the functions read at startup: parameters and the write key. Includes a dry run that records nothing."""

import json
from collections.abc import Collection, Iterator
from typing import Any

from ..contract.lint import other_users
from ..contract.rows import WRITE_BACK_ID
from .finding import Deployed, Finding, examined
from .mapping import ALIAS

#: A write-back of this project, which the function ignores.
DRY_RUN = {"type": "identify", "messageId": f"{WRITE_BACK_ID}doctor", "userId": "doctor"}


def configuration(stack: Deployed, function: str) -> tuple[str, dict[str, str]]:
    """Return the role and the settings of the version behind the alias. Raises ClientError."""
    live = stack.client("lambda").get_function_configuration(FunctionName=function, Qualifier=ALIAS)
    return live["Role"], live.get("Environment", {}).get("Variables", {})


def references(settings: dict[str, str], service: str) -> list[str]:
    """Return the unique names of parameters (`ssm`) or secrets (`secretsmanager`) in a function's settings."""
    values = (value.partition(":") for value in settings.values())
    return sorted({name.partition("#")[0] for kind, _, name in values if kind == service})


def parameters(
    stack: Deployed, settings: dict[str, str], planned: Collection[str], prefix: str | None = None
) -> Iterator[Finding]:
    """Yield a finding for each parameter in the settings that is neither `planned` nor below the `prefix`."""
    for name in references(settings, "ssm"):
        part = f"Parameter {name}"
        if part not in planned and not (prefix and name.startswith(prefix)):
            put = f"Run `aws ssm put-parameter --name {name} --type String --value VALUE`"
            yield from examined(part, _parameter(stack, part, name), put)


def _parameter(stack: Deployed, part: str, name: str) -> Iterator[Finding]:
    value = stack.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    yield Finding(part, "ok", value)


def secrets(stack: Deployed, settings: dict[str, str]) -> Iterator[Finding]:
    """Yield a finding for each secret in the settings: whether it has a write key."""
    for value in settings.values():
        service, _, reference = value.partition(":")
        if service == "secretsmanager":
            name, _, key = reference.partition("#")
            yield from examined(f"Secret {name}", _secret(stack, name, key))


def _secret(stack: Deployed, name: str, key: str) -> Iterator[Finding]:
    client, part = stack.client("secretsmanager"), f"Secret {name}"
    put = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string WRITE_KEY"
    remedy = f"Run `{put}` with the write key of the Segment source"
    described = client.describe_secret(SecretId=name)
    if described.get("DeletedDate"):
        restore = f"Run `aws secretsmanager restore-secret --secret-id {name}`"
        yield Finding(part, "wrong", "is scheduled for deletion", restore)
    elif not any("AWSCURRENT" in stages for stages in described.get("VersionIdsToStages", {}).values()):
        yield Finding(part, "wrong", "has no write key", remedy)
    else:
        value = _text(client.get_secret_value(SecretId=name).get("SecretString", ""), key)
        if not isinstance(value, str) or not value or any(char.isspace() for char in value):
            yield Finding(part, "wrong", "has no valid write key: the value is empty or has whitespace", remedy)
        else:
            yield Finding(part, "ok", f"has a write key of {len(value)} characters")


def _text(value: str, key: str) -> Any:
    """Return the value at a key of a JSON object (None if the key is missing), or without a key the value itself."""
    if not key:
        return value
    try:
        document = json.loads(value)
    except ValueError:
        return None
    return document.get(key) if isinstance(document, dict) else None


def write_back(stack: Deployed, settings: dict[str, str]) -> Iterator[Finding]:
    """Yield whether the mapping's USER_ID is Segment's userId, to which recommendations are written."""
    if not settings.get("personalize_campaign_arn") or not settings.get("connections_source_api_key"):
        return
    if others := set(other_users(stack.spec.mapping).values()):
        paths = ", ".join(sorted(others))
        found = f"the mapping reads USER_ID from {paths}: only events with the same userId get recommendations"
        remedy = "If events have the same value in userId, no action is needed. Otherwise, map USER_ID from userId"
        yield Finding("Write-back", "unknown", found, remedy)
    else:
        yield Finding("Write-back", "ok", "to each event's userId, which is the mapping's USER_ID")


def dry_run(stack: Deployed, function: str) -> Iterator[Finding]:
    """Yield whether the function starts with valid settings: whether it answers an event that it ignores."""
    part = f"Dry run of {function}"
    yield from examined(part, _dry_run(stack, part, function))


def _dry_run(stack: Deployed, part: str, function: str) -> Iterator[Finding]:
    payload = json.dumps(DRY_RUN).encode()
    answer = stack.client("lambda").invoke(FunctionName=function, Qualifier=ALIAS, Payload=payload)
    text = answer["Payload"].read().decode(errors="replace")
    if answer.get("FunctionError"):
        log = stack.operations["log_groups"]["event"]
        yield Finding(part, "wrong", f"fails: {_message(text)}", f"Run `aws logs tail {log}` to see the full error")
    else:
        yield Finding(part, "ok", f"answers {json.loads(text).get('decision')}")


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("errorMessage") or text)[:300]
    except (ValueError, AttributeError):
        return text[:300]
