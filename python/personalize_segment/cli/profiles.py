"""The verb that loads the profile table from an export."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ProfilesError, number
from .stack import StackName, explain_refusals, here
from .terminal import (
    OPERATIONS,
    AsJson,
    console,
    messages,
    plain,
    progress_bar,
    read_bytes,
    requires,
    utf8,
    verb,
    verbs,
)

if TYPE_CHECKING:
    from ..contract.suppression import SuppressionList

profiles = verbs("profiles", OPERATIONS, "Load the table of live profiles.")


@verb("profiles load s3://bucket/transformed/ outputs.json", to=profiles)
@partial(explain_refusals, extra="live")
def load(
    export: Annotated[str, typer.Argument(metavar="EXPORT", help="Output of `export`: a folder or s3:// prefix.")],
    outputs: Annotated[
        Path | None,
        typer.Argument(
            metavar="[OUTPUTS]",
            help="Output of `terraform output -json`, or - for stdin.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="DynamoDB table of live profiles.", show_default="the one in OUTPUTS")
    ] = None,
    queue: Annotated[
        str | None, typer.Option(help="URL of the profile queue.", show_default="the one in OUTPUTS")
    ] = None,
    suppress: Annotated[
        str | None,
        typer.Option(
            help="Suppression list of `forget`: a file or s3:// object.", show_default="the one in OUTPUTS, if any"
        ),
    ] = None,
    rate: Annotated[int, typer.Option(min=1, help="Maximum writes per second.")] = 500,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the profiles, and write nothing.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Load users and items of an export into the table, so that live events don't erase earlier values.

    Each column keeps its latest value. Safe to interrupt and rerun: loaded profiles are skipped.
    """
    with requires("live"):
        from ..history.profiles import SeedFiles
        from ..live.profile_batch import RateLimiter
        from ..live.profile_load import Loader, clients, load_all
        from ..live.profile_table import MAX_KEYS, ProfileTable
        from ..provision import terraform_outputs
    text = None if outputs is None else utf8(read_bytes(outputs), outputs, ProfilesError)
    home = None
    if text is not None:
        with terraform_outputs.naming(str(outputs), ProfilesError):
            named = partial(terraform_outputs.value, text, stack=stack)
            table = table or named("operations", "profile_table")
            queue = queue or named("operations", "queues", "profiles")
            suppress = suppress or named("data", "suppression_list")
            home = terraform_outputs.home(text, stack)
    if table is None or queue is None:
        remedy = "Pass the output of `terraform output -json` for a stack with a profile table, or --table and --queue"
        raise ProfilesError(str(outputs or "OUTPUTS"), "has no profile table or no profile queue", remedy)
    account, region = here(home)
    files = SeedFiles(export)
    dynamodb, sqs = clients()
    what = f"{export} into {table} of account {account} in {region}"
    messages.print(f"{'Comparing' if dry_run else 'Loading'} {plain(what)}", soft_wrap=True)
    listed = _suppressed(suppress)
    loader = Loader(ProfileTable(dynamodb, table), sqs, queue, RateLimiter(rate), listed, dry_run=dry_run)
    with progress_bar("Loading", of="bytes") as progress:
        batches = (((dataset, batch), read) for dataset, batch, read in files.batches(MAX_KEYS))
        counts = load_all(loader, batches, lambda done: progress(done, files.bytes))
    if as_json:
        print(json.dumps({"account": account, "region": region, "table": table, "dry_run": dry_run, **counts}))
        return
    would = "would be " if dry_run else ""
    for outcome, said in {
        "written": f"{would}written",
        "queued": f"{would}sent to the profile queue, because Personalize has an older row from an event",
        "unchanged": "already in the table",
        "suppressed": "left out, because their users are on the suppression list",
        "too_long": "left out, because they are too long for Personalize",
    }.items():
        if counts[outcome]:
            console().print(f"{number(counts[outcome], 'profile')} {said}", soft_wrap=True)


def _suppressed(place: str | None) -> "Callable[[], SuppressionList | None]":
    """Return a function that returns the list and rereads it from time to time, for users deleted in the meantime."""
    if place is None:
        return lambda: None
    from ..live.profile_load import REFRESH_SECONDS
    from ..privacy import list_file

    known = [(time.monotonic(), list_file.read(place))]

    def listed() -> "SuppressionList":
        if time.monotonic() - known[0][0] > REFRESH_SECONDS:
            known[0] = time.monotonic(), list_file.read(place)
        return known[0][1]

    return listed
