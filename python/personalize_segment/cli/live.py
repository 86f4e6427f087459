"""The verbs of the live path: its settings, and events that were rejected."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..live.settings import table
from .terminal import app, messages, plain, progress_bar, requires

if TYPE_CHECKING:
    from ..live.redrive import Rejected


@app.command()
def settings(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print the settings of the Lambda functions: names in the environment, defaults, units and meaning."""
    lines = table()
    if as_json:
        print(json.dumps([line._asdict() for line in lines], indent=2))
        return
    print("| name | default | unit | meaning |\n|---|---|---|---|")
    for line in lines:
        default = f"`{line.default}`" if line.default else ""
        print(f"| `{line.name}` | {default} | {line.unit} | {line.meaning} |")


@app.command()
def redrive(
    queue: Annotated[str, typer.Argument(metavar="QUEUE_URL", help="The queue of rejected events.")],
    function: Annotated[
        str | None, typer.Option("--send-to", help="Lambda function that takes them again.", show_default=False)
    ] = None,
    profile_queue: Annotated[
        str | None, typer.Option(help="Queue that takes rejected users and items again.", show_default=False)
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Only what was refused for a reason that contains this.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Take this many such messages at most.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Each message as a JSON line on stdout.")] = False,
) -> None:
    """Show why events were rejected; with --send-to send them again, and delete what was taken.

    Without --send-to nothing is changed. Sending twice does no harm: events keep their ids.
    """
    with requires("live"):
        from ..live import redrive as work
        from ..live import rejections
    sqs = work.client("sqs")
    wanted: list[Rejected] = []
    try:
        for message in work.messages(sqs, queue, limit, reason):
            wanted.append(message)
            if as_json:
                print(rejections.as_json(message.body))
        _show(wanted, queue)
        if function is None:
            return
        call = work.invoke(work.client("lambda"), function)
        with progress_bar("Sending", of="things") as progress:
            done = work.send(sqs, queue, wanted, call, profile_queue, progress)
        wanted = []
    finally:
        work.release(sqs, queue, [message.receipt for message in wanted])
    messages.print(f"{done.recorded:,} taken, {done.rejected:,} rejected again")
    for why, number in done.failed.most_common():
        messages.print(f"{number:,} stay in the queue: {plain(why)}", soft_wrap=True)
    if done.failed or done.rejected:
        raise typer.Exit(1)


def _show(found: "list[Rejected]", queue: str) -> None:
    counted: Counter[tuple[str, str, str]] = Counter()
    for message in found:
        counted.update(message.reasons)
    shown = Table("count", "dataset", "field", "reason", title=f"{len(found):,} messages in {plain(queue)}")
    shown.columns[0].justify = "right"
    shown.title_justify = "left"
    for reason, times in counted.most_common():
        shown.add_row(f"{times:,}", *(plain(cell) for cell in reason))
    messages.print(shown)
