"""The verbs of the live path: its settings, and rejected events."""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..errors import RedriveError, number
from ..live.settings import table
from .stack import StackName, announce, explain_refusals
from .terminal import (
    OPERATIONS,
    AsJson,
    Yes,
    confirm,
    console,
    messages,
    plain,
    progress_bar,
    read_bytes,
    requires,
    utf8,
    verb,
)

if TYPE_CHECKING:
    from ..live.redrive import Rejected
    from ..provision.terraform_outputs import Home


@verb("settings --json", OPERATIONS)
def settings(as_json: AsJson = False) -> None:
    """Print the Lambda functions' environment variables with their defaults, units and meaning."""
    lines = table()
    if as_json:
        print(json.dumps([line._asdict() for line in lines], indent=2))
        return
    print("| name | default | unit | meaning |\n|---|---|---|---|")
    for line in lines:
        default = f"`{line.default}`" if line.default else ""
        print(f"| `{line.name}` | {default} | {line.unit} | {line.meaning} |")


@verb("redrive outputs.json --reason 'no rule' --discard", OPERATIONS)
@partial(explain_refusals, extra="live")
def redrive(
    place: Annotated[
        str, typer.Argument(metavar="OUTPUTS", help="Output of `terraform output -json`, or the queue's URL.")
    ],
    again: Annotated[bool, typer.Option("--send", help="Resend them to the function in OUTPUTS.")] = False,
    function: Annotated[
        str | None,
        typer.Option("--send-to", help="Resend them to this Lambda function.", show_default=False),
    ] = None,
    profile_queue: Annotated[
        str | None,
        typer.Option(help="Queue to resend users and items to.", show_default="the one in OUTPUTS"),
    ] = None,
    discard: Annotated[bool, typer.Option("--discard", help="Delete them permanently. Asks first.")] = False,
    reason: Annotated[
        str, typer.Option(help="Only messages whose reason contains this text.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of matching messages.")] = 10_000,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Messages per second to send.")] = 50,
    yes: Yes = False,
    stack: StackName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per message to stdout.")] = False,
) -> None:
    """Show why events were rejected. With --send or --send-to, resend them and delete those that were accepted.

    Without these options or --discard, changes nothing. Safe to interrupt and rerun: events keep their ids.
    """
    with requires("live"):
        from ..live import redrive as work
        from ..live import rejections
    if (again or function is not None) and discard:
        raise typer.BadParameter("can't be combined with --send or --send-to", param_hint="--discard")
    queue, stack_function, stack_profiles, home = _places(place, stack)
    function = function or (stack_function if again else None)
    if again and function is None:
        raise typer.BadParameter("needs OUTPUTS. With a queue's URL, use --send-to", param_hint="--send")
    announce(f"queue {queue.rpartition('/')[2]}", home)
    sqs = work.client("sqs")
    with work.Lease(sqs, queue) as lease:
        depth, wanted = lease.depth, []
        with progress_bar("Reading", of="things") as progress:
            for message in work.messages(lease, limit, reason):
                wanted.append(message)
                progress(len(wanted), max(depth, len(wanted)))
        if as_json:
            for message in wanted:
                print(rejections.as_json(message.body))
        _show(wanted, depth, as_json=as_json)
        if discard and wanted:
            if not yes:
                confirm(f"Delete {number(len(wanted), 'message')} permanently?")
            lease.delete([message.id for message in wanted])
            messages.print(f"{number(len(wanted), 'message')} deleted")
        if function is None:
            return
        call = work.invoke(work.client("lambda"), function)
        with progress_bar(f"Sending to {function}", of="things") as progress:
            done = work.send(lease, wanted, call, profile_queue or stack_profiles, rate, progress)
    messages.print(f"{done.recorded:,} accepted, {done.rejected:,} rejected again")
    for why, times in done.failed.most_common():
        messages.print(f"{times:,} stay in the queue: {plain(why)}", soft_wrap=True)
    if done.failed or done.rejected:
        raise typer.Exit(1)


def _places(place: str, stack: str | None) -> "tuple[str, str | None, str | None, Home | None]":
    """Return the queue of rejected events, the function, the profile queue, and their account and region.

    For a URL, all but the queue are None.
    """
    if place.startswith(("https://", "http://")):
        return place, None, None, None
    if place.startswith("arn:"):
        raise RedriveError(place, "is an ARN", "Pass the queue's URL, or the output of `terraform output -json`")
    from ..provision import terraform_outputs

    text = utf8(read_bytes(Path(place)), Path(place), RedriveError)
    found = (("queues", "rejected"), ("functions", "event"), ("queues", "profiles"))
    with terraform_outputs.naming(place, RedriveError):
        queue, function, profiles = (terraform_outputs.value(text, "operations", *keys, stack=stack) for keys in found)
        home = terraform_outputs.home(text, stack)
    if queue is None:
        remedy = "Run `terraform apply`, then pass the output of `terraform output -json`, or the queue's URL"
        raise RedriveError(place, "has no queue of rejected events", remedy)
    return queue, function, profiles, home


def _show(found: "list[Rejected]", depth: int, *, as_json: bool) -> None:
    """Print how often each event has each reason, to stderr if the messages go to stdout."""
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for message in found:
        for reason, times in message.reasons.items():
            counted[message.event, *reason] += times
    messages.print(f"{len(found):,} of about {number(max(depth, len(found)), 'message')}")
    shown = Table("count", "event", "dataset", "field", "reason")
    shown.columns[0].justify = "right"
    for reasons, times in counted.most_common():
        shown.add_row(f"{times:,}", *(plain(cell) for cell in reasons))
    if counted:
        (messages if as_json else console()).print(shown)
