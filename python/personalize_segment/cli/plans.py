"""Show plans and progress, on a terminal and elsewhere."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from .terminal import Ages, Heartbeat, messages, plain

if TYPE_CHECKING:
    from ..provision.steps import Step
    from ..workspace.plan import Change

#: The colors of the actions that need one.
_COLORS = {
    "create": "green",
    "update": "yellow",
    "replace": "magenta",
    "delete": "red",
    "blocked": "bold red",
    "wait": "cyan",
}
#: The actions after their number.
_COUNTED = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "wait": "to wait for",
    "blocked": "blocked",
    "nothing": "unchanged",
}


def show_plan(steps: "Sequence[Step] | Sequence[Change]", title: str, to: Console = messages) -> None:
    """Print the steps of a plan that do something, and the number of steps per action."""
    shown = Table("", "kind", "name", "why", "cost", title=plain(title), title_justify="left")
    for step in steps:
        if step.action != "nothing":
            color = _COLORS[step.action]
            why = f"{step.why}. {step.remedy}." if step.remedy else step.why
            shown.add_row(
                f"[{color}]{step.action}[/]", *(plain(cell) for cell in (step.kind, step.name, why, step.cost))
            )
    if shown.row_count:
        to.print(shown)
    counted = Counter(step.action for step in steps)
    to.print(", ".join(f"{number} {_COUNTED[action]}" for action, number in counted.items()) or "Nothing to do.")


@contextmanager
def plan_progress() -> "Iterator[Any]":
    """Yield a function that shows the steps left, on a terminal.

    Elsewhere it prints a line per change, and every minute a line per wait with its duration.
    """
    ages, heart = Ages(), Heartbeat()

    def lines(steps: "Sequence[Step] | Sequence[Change]") -> None:
        beat = heart.due()
        for step in steps:
            age = ages.of(step.place, step.action + step.why)
            if step.action != "nothing" and (not age or (beat and step.action == "wait")):
                said = f"{step.action} {step.place} {step.why}".rstrip()
                if step.action in ("create", "update") and step.call is None:
                    said = f"later: {step.place} ({step.why})"
                messages.print(plain(f"{said}, for {age}" if age else said), soft_wrap=True)

    if not messages.is_terminal:
        yield lines
        return
    with Live(console=messages, transient=True, refresh_per_second=8) as live:

        def table(steps: "Sequence[Step] | Sequence[Change]") -> None:
            left = [step for step in steps if step.action != "nothing"]
            shown = Table.grid(padding=(0, 2))
            for step in left[:20]:
                busy = step.call is not None or step.action == "wait"
                age = ages.of(step.place, step.action + step.why) if busy else ""
                spinner = Spinner("dots") if busy else ""
                shown.add_row(spinner, step.action, step.kind, plain(step.name), plain(step.why), age)
            shown.add_row("", f"{len(steps) - len(left)} of {len(steps)} done")
            live.update(shown)

        yield table


@contextmanager
def waiting() -> "Iterator[Any]":
    """Yield a function that shows the current wait and its duration. Off a terminal, it prints once a minute."""
    ages, heart = Ages(), Heartbeat()
    with messages.status("…") as spinner:

        def show(what: str, status: str) -> None:
            age = ages.of(what, status)
            said = plain(f"{what}: {status}, for {age}" if age else f"{what}: {status}")
            if messages.is_terminal:
                spinner.update(said)
            elif not age or heart.due():
                messages.print(said, soft_wrap=True)

        yield show
