"""The way to S3 that Amazon Personalize takes: with the bucket's policy, and with reasons it may fail for."""

import fnmatch
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from .world import JobError, World

PRINCIPAL = "personalize.amazonaws.com"
NO_LOCATION = "Invalid Data location."
NO_RIGHTS = "Insufficient privileges for accessing data in Amazon S3."

_MISSING = ("NoSuchBucket", "NoSuchKey", "404", "NotFound")


def objects(world: World, location: str, suffix: str = "") -> Iterator[tuple[str, int]]:
    """Yield key and size in bytes of the file at `location` or of the files in that folder.

    Raises JobError with the documented reason where nothing is found, or nothing may be read.
    """
    bucket, key = split(location)
    allowed(world, bucket, key, ("s3:ListBucket", "s3:GetObject"))
    found = 0
    try:
        pages = world.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        folder = key if not key or key.endswith("/") else f"{key}/"
        for page in pages:
            for one in page.get("Contents", []):
                inside = one["Key"] == key or one["Key"].startswith(folder)
                if inside and not one["Key"].endswith("/") and (one["Key"].endswith(suffix) or one["Key"] == key):
                    found += 1
                    yield one["Key"], one["Size"]
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error
    if not found:
        raise JobError(NO_LOCATION)


def read(world: World, location: str, key: str) -> Iterator[str]:
    """Yield the lines of an object, without their ends. Raises JobError if it is not UTF-8 or can't be read."""
    bucket, _ = split(location)
    try:
        for line in world.s3().get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
            yield line.decode("utf-8")
    except UnicodeDecodeError:
        raise JobError(f"File {key} is not in UTF-8 encoding.") from None
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error


def write(world: World, location: str, name: str, lines: Iterable[str]) -> None:
    """Write a file into the folder `location`. Raises JobError if the bucket or the right to it is missing."""
    bucket, key = split(location)
    allowed(world, bucket, key, ("s3:PutObject",))
    folder = key if not key or key.endswith("/") else f"{key}/"
    body = "".join(f"{line}\n" for line in lines).encode()
    try:
        world.s3().put_object(Bucket=bucket, Key=folder + name, Body=body)
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error


def split(location: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// URI. Raises JobError for anything else."""
    parts = urlsplit(location)
    if parts.scheme != "s3" or not parts.netloc:
        raise JobError(NO_LOCATION)
    return parts.netloc, parts.path.removeprefix("/")


def allowed(world: World, bucket: str, key: str, actions: tuple[str, ...]) -> None:
    """Raise JobError unless the bucket's policy gives Amazon Personalize the right to all of `actions`.

    "Giving Amazon Personalize access to Amazon S3 resources" wants it beside the role's policy, which
    the emulator doesn't see. Of conditions it knows aws:SourceAccount and aws:SourceArn; a Deny
    with a condition, such as the one on requests without TLS, doesn't apply to the service.
    """
    try:
        policy = json.loads(world.s3().get_bucket_policy(Bucket=bucket)["Policy"])
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error
    statements = policy.get("Statement", [])
    for action in actions:
        resource = f"arn:aws:s3:::{bucket}" + ("" if action == "s3:ListBucket" else f"/{key}*")
        effects = {
            one.get("Effect")
            for one in (statements if isinstance(statements, list) else [statements])
            if _applies(world, one, action, resource)
        }
        if effects != {"Allow"}:
            raise JobError(NO_RIGHTS)


def _applies(world: World, statement: dict[str, Any], action: str, resource: str) -> bool:
    principal = statement.get("Principal")
    services = principal if principal == "*" else (principal or {}).get("Service", (principal or {}).get("AWS"))
    if not {"*", PRINCIPAL} & set(_listed(services)):
        return False
    if not any(fnmatch.fnmatchcase(action.lower(), one.lower()) for one in _listed(statement.get("Action"))):
        return False
    folder = resource.removesuffix("*")
    if not any(
        fnmatch.fnmatchcase(folder, one) or fnmatch.fnmatchcase(f"{folder}x", one)
        for one in _listed(statement.get("Resource"))
    ):
        return False
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    if statement.get("Effect") == "Deny" and conditions:
        return False
    facts = {
        "aws:sourceaccount": world.account,
        "aws:sourcearn": f"arn:aws:personalize:{world.region}:{world.account}:*",
    }
    return all(
        key.lower() not in facts or any(_overlap(facts[key.lower()], one) for one in _listed(values))
        for test in conditions.values()
        for key, values in test.items()
    )


def _overlap(fact: str, wanted: str) -> bool:
    """Whether some ARN can be both: the jobs that read have different ARNs under one beginning."""
    return fnmatch.fnmatchcase(fact, wanted) or fnmatch.fnmatchcase(wanted, fact)


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _failure(error: ClientError | BotoCoreError) -> JobError:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return JobError(NO_LOCATION if code in _MISSING else NO_RIGHTS)
    return JobError(f"{NO_LOCATION} {error}")
