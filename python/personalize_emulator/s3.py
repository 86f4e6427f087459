"""Access S3 as Amazon Personalize does: with the bucket's policy, and with its reasons of failure."""

import fnmatch
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from .store import JobError, Store

PRINCIPAL = "personalize.amazonaws.com"
NO_LOCATION = "Invalid Data location."
NO_RIGHTS = "Insufficient privileges for accessing data in Amazon S3."

_MISSING = ("NoSuchBucket", "NoSuchKey", "404", "NotFound")


def objects(store: Store, location: str, suffix: str = "") -> Iterator[tuple[str, int]]:
    """Yield the key and size in bytes of the file at `location`, or of the files in that folder.

    Raises JobError with the documented reason if no file is found or access is denied.
    """
    bucket, key = split(location)
    allowed(store, bucket, key, ("s3:ListBucket", "s3:GetObject"))
    empty = True
    try:
        pages = store.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        for name, size in ((entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", [])):
            inside = name.startswith(_folder(key)) and name.endswith(suffix)
            if (inside or name == key) and not name.endswith("/"):
                empty = False
                yield name, size
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error
    if empty:
        raise JobError(NO_LOCATION)


def read(store: Store, location: str, key: str) -> Iterator[str]:
    """Yield the lines of an object without line ends. Raises JobError if it isn't UTF-8 or can't be read."""
    bucket, _ = split(location)
    try:
        for line in store.s3().get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
            yield line.decode("utf-8")
    except UnicodeDecodeError:
        raise JobError(f"File {key} is not in UTF-8 encoding.") from None
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error


def write(store: Store, location: str, name: str, lines: Iterable[str]) -> None:
    """Write a file into the folder `location`. Raises JobError if the bucket or the permission is missing."""
    bucket, key = split(location)
    allowed(store, bucket, key, ("s3:PutObject",))
    body = "".join(f"{line}\n" for line in lines).encode()
    try:
        store.s3().put_object(Bucket=bucket, Key=_folder(key) + name, Body=body)
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error


def split(location: str) -> tuple[str, str]:
    """Return the bucket and key of an s3:// URI. Raises JobError for any other location."""
    parts = urlsplit(location)
    if parts.scheme != "s3" or not parts.netloc:
        raise JobError(NO_LOCATION)
    return parts.netloc, parts.path.removeprefix("/")


def _folder(key: str) -> str:
    return key if not key or key.endswith("/") else f"{key}/"


def allowed(store: Store, bucket: str, key: str, actions: tuple[str, ...]) -> None:
    """Raise JobError unless the bucket's policy allows all `actions` for Amazon Personalize.

    "Giving Amazon Personalize access to Amazon S3 resources" requires it in addition to the role's policy, which the
    emulator doesn't see. The conditions aws:SourceAccount and aws:SourceArn are evaluated. A Deny with a condition,
    such as the one on requests without TLS, doesn't apply to the service.
    """
    try:
        policy = json.loads(store.s3().get_bucket_policy(Bucket=bucket)["Policy"])
    except (ClientError, BotoCoreError) as error:
        raise _failure(error) from error
    statements = policy.get("Statement", [])
    for action in actions:
        resource = f"arn:aws:s3:::{bucket}" + ("" if action == "s3:ListBucket" else f"/{key}*")
        effects = {
            statement.get("Effect")
            for statement in (statements if isinstance(statements, list) else [statements])
            if _applies(store, statement, action, resource)
        }
        if effects != {"Allow"}:
            raise JobError(NO_RIGHTS)


def _applies(store: Store, statement: dict[str, Any], action: str, resource: str) -> bool:
    principal = statement.get("Principal")
    services = principal if principal == "*" else (principal or {}).get("Service", (principal or {}).get("AWS"))
    if not {"*", PRINCIPAL} & set(_listed(services)):
        return False
    if not any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(statement.get("Action"))):
        return False
    folder = resource.removesuffix("*")
    if not any(
        fnmatch.fnmatchcase(folder, pattern) or fnmatch.fnmatchcase(f"{folder}x", pattern)
        for pattern in _listed(statement.get("Resource"))
    ):
        return False
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    if statement.get("Effect") == "Deny" and conditions:
        return False
    facts = {
        "aws:sourceaccount": store.account,
        "aws:sourcearn": f"arn:aws:personalize:{store.region}:{store.account}:*",
    }
    return all(
        key.lower() not in facts or any(_overlap(facts[key.lower()], value) for value in _listed(values))
        for test in conditions.values()
        for key, values in test.items()
    )


def _overlap(fact: str, wanted: str) -> bool:
    """Return whether an ARN can match both patterns. Reading jobs have different ARNs with the same prefix."""
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
