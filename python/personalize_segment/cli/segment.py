"""The verb `segment`: plan or apply the destination, its filter and the write-back source in Segment."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import WorkspaceError
from .plans import plan_progress, show_plan
from .stack import StackName, announce, explain_refusals
from .terminal import OPERATIONS, AsJson, console, messages, plain, read_bytes, utf8, verb

if TYPE_CHECKING:
    from ..workspace.plan import Change
    from ..workspace.public_api import PublicApi
    from ..workspace.wanted import Choices, Wanted
    from ..workspace.write_key import WriteKeySecret

#: Segment's own Terraform provider reads this variable, too.
TOKEN = "PUBLIC_API_TOKEN"  # noqa: S105


class SegmentAction(StrEnum):
    """The two actions of the verb."""

    plan = "plan"
    apply = "apply"


class WorkspaceRegion(StrEnum):
    """The regions of workspaces."""

    us = "us"
    eu = "eu"


@verb("segment plan outputs.json --source web-shop", OPERATIONS)
@explain_refusals
def segment(
    action: Annotated[SegmentAction, typer.Argument(help="Show the changes, or apply them.", show_default=False)],
    outputs: Annotated[
        Path,
        typer.Argument(metavar="OUTPUTS", help="Output of `terraform output -json`, or - for stdin.", allow_dash=True),
    ],
    source: Annotated[
        list[str], typer.Option(help="Slug, name or id of a source whose events go to Personalize. Repeatable.")
    ],
    write_back_source: Annotated[
        str | None,
        typer.Option(
            help="Source to write back to (default: the secret's, or a new one, NAME-REGION-ACCOUNT-recommendations).",
            show_default=False,
        ),
    ] = None,
    no_filter: Annotated[
        bool, typer.Option("--no-filter", help="Create no destination filter. Filters need Segment's Business tier.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Change an existing destination that invokes another function.")
    ] = False,
    replace_write_key: Annotated[
        bool, typer.Option("--replace-write-key", help="Replace another source's write key in the secret.")
    ] = False,
    external_id: Annotated[
        str | None, typer.Option(help="External id (default: the workspace's or source's id).", show_default=False)
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Destination setting to add or replace. Repeatable."),
    ] = None,
    destination_type: Annotated[
        str, typer.Option(help="Name, slug or id of the destination in Segment's catalog.")
    ] = "Amazon Personalize",
    write_back_type: Annotated[
        str, typer.Option(help="Name, slug or id of a new source's type in Segment's catalog.")
    ] = "HTTP API",
    region: Annotated[WorkspaceRegion, typer.Option(help="Region of the workspace.")] = WorkspaceRegion.us,
    api_url: Annotated[
        str | None,
        typer.Option(envvar="PUBLIC_API_URL", help="URL of the Public API.", show_default="that of the region"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, as with plan.")] = False,
    check: Annotated[bool, typer.Option("--check", help="With plan, exit with 3 if there is something to do.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Plan or apply the destination, its filter and the write-back source in Segment.

    Reads the Public API token from PUBLIC_API_TOKEN. `apply` prints the result as JSON.
    """
    from ..workspace import plan as work
    from ..workspace import wanted as wishes

    choices = wishes.Choices(
        sources=source,
        write_back_source=write_back_source,
        external_id=external_id,
        settings=dict(map(wishes.setting, setting or [])),
        filtered=not no_filter,
        adopt=adopt,
        replace_write_key=replace_write_key,
        destination_type=destination_type,
        write_back_type=write_back_type,
    )
    only_plan = action is SegmentAction.plan or dry_run
    wanted = _wanted(outputs, choices, stack)
    secret, api = _secret(wanted), _public_api(region, api_url)
    if only_plan:
        changes = work.plan(wanted, api, work.Catalog(api), secret)
    else:
        with plan_progress() as show:
            changes = work.apply(wanted, api, secret, show)
    if only_plan and not as_json:
        show_plan(changes, "", console())
    else:
        print(json.dumps([_line(change) for change in changes], indent=2))
    if check and any(change.action != "nothing" for change in changes):
        raise typer.Exit(3)


def _wanted(outputs: Path, choices: "Choices", stack: str | None) -> "Wanted":
    from ..provision import terraform_outputs
    from ..workspace.wanted import read

    text = utf8(read_bytes(outputs), outputs, WorkspaceError)
    with terraform_outputs.naming(str(outputs), WorkspaceError):
        values = terraform_outputs.of_stack(text, "segment", "personalize", stack=stack)
    return read(str(values["personalize"]["name"]), values["segment"], choices)


def _secret(wanted: "Wanted") -> "WriteKeySecret | None":
    import boto3

    from ..provision.terraform_outputs import Home
    from ..workspace.write_key import WriteKeySecret

    reference = wanted.outputs["write_key"]
    if reference is None:
        messages.print(
            "The stack has no secret for a write key, so it doesn't write recommendations back to Segment. To change"
            " that, name a secret in `write_key_secret`, and apply Terraform.",
            soft_wrap=True,
        )
        return None
    region = wanted.outputs["region"]
    # With another account's credentials, the secret would be created there. The region is always the stack's.
    announce(f"stack {wanted.name}", Home(wanted.outputs["role_arn"].split(":")[4], region), region)
    return WriteKeySecret.of(reference, boto3.client("secretsmanager", region_name=region))


def _public_api(region: WorkspaceRegion, url: str | None) -> "PublicApi":
    from ..workspace.public_api import URLS, PublicApi

    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise WorkspaceError(TOKEN, "isn't set", "Create a token in Segment (Settings, Access Management, Tokens)")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise WorkspaceError(TOKEN, "has characters that aren't allowed in a token", "Copy it again, as one line")
    return PublicApi(token, url or URLS[region.value], lambda text: messages.print(plain(text), soft_wrap=True))


def _line(change: "Change") -> dict[str, Any]:
    return {key: getattr(change, key) for key in ("action", "kind", "name", "why", "remedy", "id")}
