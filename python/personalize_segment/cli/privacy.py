"""The verb `forget`: delete users."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ForgetError
from .plans import waiting
from .stack import (
    Poll,
    SpecFile,
    StackName,
    caller,
    explain_refusals,
    make_clients,
    open_stack,
    polling_every,
)
from .terminal import OPERATIONS, messages, read_bytes, verb


@verb("forget spec.json --suppression s3://bucket/suppression.json --users ids.txt", OPERATIONS)
@explain_refusals
def forget(
    spec: SpecFile,
    suppression: Annotated[
        str, typer.Option(help="Suppression list: a file or s3:// object. Created if it doesn't exist.")
    ],
    users: Annotated[
        Path | None,
        typer.Option(
            help="File with user ids, one per line, or CSV with USER_ID; - is stdin.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None,
    webhook_payload: Annotated[
        Path | None, typer.Option(help="File with the body of a deletion from Segment's webhook.", show_default=False)
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="Value of the webhook's X-Signature header.", show_default=False)
    ] = None,
    secret_env: Annotated[
        str | None, typer.Option(help="Environment variable with the webhook's shared secret.", show_default=False)
    ] = None,
    export: Annotated[
        list[str] | None,
        typer.Option(help="Output of an export: a folder or s3:// prefix. Repeatable.", show_default=False),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="Stage of an export: a folder or s3:// prefix. Repeatable.",
            show_default="the one in SPEC, if that is outputs",
        ),
    ] = None,
    deletions: Annotated[
        str | None,
        typer.Option(
            help="s3:// prefix for the ids while Personalize's job runs.", show_default="deletions/ in the export"
        ),
    ] = None,
    profile_table: Annotated[
        str | None,
        typer.Option(help="DynamoDB table of live profiles.", show_default="the one in SPEC, if that is outputs"),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option(
            help="File or s3:// prefix that stores the audit line. Required for a webhook.", show_default=False
        ),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't wait until Personalize has deleted them.")] = False,
    poll: Poll = 20.0,
    stack: StackName = None,
) -> None:
    """Delete users from exports, live profiles and Personalize, and suppress them from now on.

    Prints an audit line in JSON. Safe to interrupt and rerun.
    """
    from ..privacy import audit as log
    from ..privacy import steps
    from ..privacy.profiles import ProfileItems
    from ..privacy.users import MAX_AGE
    from ..provision import terraform_outputs

    forgotten, webhook = _users(users, webhook_payload, signature, secret_env)
    if webhook is not None:
        if audit is None:
            raise typer.BadParameter("Set --audit with a webhook, to recognize repeated messages")
        before = log.seen(audit, webhook, datetime.now(UTC) - 2 * MAX_AGE)
        if before is not None:
            messages.print("This deletion is already done. Nothing was changed.")
            print(json.dumps(before))
            return
    parsed, text, _ = open_stack(spec, stack)
    clients = make_clients()
    table = profile_table or terraform_outputs.value(text, "operations", "profile_table", stack=stack)
    profiles = ProfileItems(_dynamodb(), table) if table else None
    kept = terraform_outputs.value(text, "data", "stage", stack=stack)
    for one in stage or ():
        from ..history.stage import sizes

        sizes(one)  # raises OutputError: in a mistyped stage, users would stay
    stages = stage or ([kept] if kept else [])
    where = steps.places(parsed, suppression, export or [], deletions, audit, profiles, stages)
    who = caller()
    with waiting() as show:
        line = steps.forget(
            clients, parsed, forgotten, where, polling_every(poll), who, show, wait=not no_wait, webhook=webhook
        )
    print(json.dumps(line))


def _users(
    users: Path | None, payload: Path | None, signature: str | None, secret_env: str | None
) -> tuple[frozenset[str], str | None]:
    """Return the users to delete, from a file or a webhook, and the digest of the webhook's body."""
    from ..privacy.users import forwarded, listed

    if users is not None and payload is None and signature is None and secret_env is None:
        return listed(read_bytes(users), str(users)), None
    if users is not None or payload is None or signature is None or secret_env is None:
        raise typer.BadParameter("Set either --users alone, or --webhook-payload with --signature and --secret-env")
    secret = os.environ.get(secret_env)
    if secret is None:
        raise ForgetError(secret_env, "isn't set", "Set it to the shared secret of Segment's webhook")
    body = payload.read_bytes()
    return forwarded(body, signature, secret, str(payload)), hashlib.sha256(body).hexdigest()


def _dynamodb() -> Any:
    import boto3

    return boto3.client("dynamodb")
