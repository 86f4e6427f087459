"""The verb `preflight`: whether an export is ready for training, as text, JSON or a page."""

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .stack import read_spec
from .terminal import (
    HISTORY,
    AsJson,
    MappingFile,
    Memory,
    console,
    fail,
    messages,
    plain,
    progress_bar,
    read_mapping,
    requires,
    verb,
)

if TYPE_CHECKING:
    from ..preflight import Assessment
    from ..preflight.figures import TrainingEvents
    from ..preflight.verdict import Check
    from ..provision.spec import Solution

_SIGNS = {"green": "[green]✓[/]", "yellow": "[yellow]![/]", "red": "[bold red]✗[/]"}
_BLOCKS = "▁▂▃▄▅▆▇█"
#: Details per check on the terminal. JSON and the page have all of them.
_DETAILS = 5
_SPARKS = 60


@verb("preflight training/ --html preflight.html", HISTORY)
def preflight(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder or s3:// prefix that `export` wrote.")],
    mapping: MappingFile = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="Also count the events that each solution of this spec trains on.", allow_dash=True, show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write one self-contained page.", show_default=False)
    ] = None,
    memory: Memory = "1GB",
) -> None:
    """Check whether an export is ready for training. Exits with 1 if a problem prevents training."""
    with requires("export"):
        from ..preflight import preflight as assess

        if html is not None:
            from ..preflight.page import page  # Jinja takes a while to import.
    if html is not None and not html.absolute().parent.is_dir():
        fail(f"{html.parent}: no such folder for the page. Create it")
    known = None if spec is None else read_spec(spec)
    trainings = () if known is None else [_training(solution) for solution in known.solutions]
    meant = known.mapping if known is not None and mapping is None else read_mapping(mapping)
    with progress_bar("Reading", of="bytes") as progress:
        assessment = assess(out, meant, memory=memory, progress=progress, trainings=trainings)
    for check in assessment.checks:
        if check.id == "mapping" and check.verdict != "green":  # explains red headers
            messages.print(plain(f"{out}: {check.said} {check.remedy}"), soft_wrap=True)
    if as_json:
        print(json.dumps(assessment.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show(assessment)
    if html is not None:
        html.write_text(page(assessment), "utf-8")
        messages.print(f"Written to {plain(str(html))}", soft_wrap=True)
    if assessment.verdict == "red":
        raise typer.Exit(1)


def _training(solution: "Solution") -> "TrainingEvents":
    from ..preflight.figures import TrainingEvents

    events = ((event["eventType"], event.get("eventValueThreshold")) for event in solution.events)
    return TrainingEvents(solution.key, tuple(events))


def _show(assessment: "Assessment") -> None:
    """Print the assessment for people."""
    from ..preflight.verdict import visible

    figures = assessment.figures
    activity, _ = figures.activity.apart()
    _, bins = activity.binned(_SPARKS)
    sparks = Table.grid(padding=(0, 2))
    sparks.add_row("activity", sparkline([count for _, count in bins]), f"{activity.span:,} days")
    classes = assessment.classes()
    sparks.add_row("users by interactions", sparkline([users for *_, users in classes]), _range(classes))
    out = console()
    out.print(sparks)
    title = plain(visible(assessment.export.place, 300))
    table = Table("", "check", "found", "limit", title=title, title_justify="left")
    for group, checks in groupby(assessment.checks, key=lambda check: check.group):
        table.add_section()
        table.add_row("", f"[bold]{plain(group)}[/]")
        for check in checks:
            table.add_row(_SIGNS[check.verdict], check.title, _found(check), f"[dim]{plain(check.limit.text)}[/]")
    out.print(table)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in assessment.counted.items())
    out.print(f"\n{_SIGNS[assessment.verdict]} [bold]{plain(assessment.headline)}[/] ({counted})", soft_wrap=True)


def _found(check: "Check") -> str:
    """Return the finding. If it has a remedy, add the details and the remedy."""
    from ..preflight.verdict import visible

    lines = [plain(check.said)]
    if check.remedy:
        details = check.details[:_DETAILS]
        lines += [f"[dim]· {plain(f'{visible(label)} {visible(said, 120)}'.strip())}[/]" for label, said in details]
        if len(check.details) > _DETAILS:
            lines.append(f"[dim]… and {len(check.details) - _DETAILS} more[/]")
        lines.append(f"[{'red' if check.verdict == 'red' else 'yellow'}]→ {plain(check.remedy)}[/]")
    return "\n".join(lines)


def sparkline(values: list[int]) -> str:
    """Return a bar of eight heights for each value, and a blank for 0."""
    most = max(values, default=0)
    return "".join(_BLOCKS[(value * len(_BLOCKS) - 1) // most] if value else " " for value in values)


def _range(classes: list[tuple[int, int | None, int]]) -> str:
    if not classes:
        return ""
    low, high, _ = classes[-1]
    return f"1 to {low:,}{'+' if high is None else f'–{high:,}'}"
