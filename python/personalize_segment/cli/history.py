"""The verbs of history: explain events, export logs, make sample logs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ..contract.report import COMPARE, Report
from ..contract.rows import Reason, grouped, id_text, rows
from ..errors import EmptyError
from ..history import lines, logs
from .terminal import (
    MappingFile,
    Overlap,
    Since,
    Until,
    app,
    fail,
    messages,
    number,
    plain,
    progress_bar,
    read_mapping,
    requires,
    show_left_out,
)


@app.command()
def explain(
    events: Annotated[
        Path,
        typer.Argument(
            help="Events: one JSON object a line, or as Segment's debugger shows them; - is stdin.",
            allow_dash=True,
        ),
    ] = Path("-"),
    mapping: MappingFile = None,
) -> None:
    """Say for each event which rows it gives, or why it gives none: one JSON line an event.

    A row with a visitor has no USER_ID: an export takes the user who logs in on that session.
    """
    parsed = read_mapping(mapping)
    present = logs.LogFile(str(events), 0, logs.day_of(str(events.absolute()))).present
    with _opened(events) as blocks:
        for line in lines.read_pretty(blocks):
            found, reasons = rows(parsed, line.event, present=present) if line.event is not None else ([], [])
            if line.event is None:
                reasons = [Reason(None, None, f"malformed: {line.cause}")]
            answer = {
                "messageId": id_text((line.event or {}).get("messageId")),
                "rows": [
                    {
                        "dataset": row.dataset.name,
                        "values": dict(zip((column.name for column in row.dataset.columns), row.values, strict=True)),
                    }
                    | ({} if row.visitor is None else {"visitor": row.visitor})
                    for row in found
                ],
                "reasons": grouped(reasons),
                "nulls": grouped(reason for row in found for reason in row.unusable),
            }
            print(json.dumps(answer, ensure_ascii=False))


@app.command()
def export(
    tree: Annotated[str, typer.Argument(metavar="LOGS", help="Folder, file or s3:// prefix of Segment's logs.")],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Folder or s3:// prefix for interactions/, users/, items/.")
    ],
    mapping: MappingFile = None,
    since: Since = None,
    until: Until = None,
    overlap: Overlap = 1,
    suppress: Annotated[
        str | None,
        typer.Option(help="Suppression list of `forget`, a file or s3:// object.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Folder or s3:// prefix that keeps what each day gives, for next time.", show_default=False),
    ] = None,
    memory: Annotated[str, typer.Option(help="What DuckDB keeps in memory before it spills to disk.")] = "1GB",
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let an export without interactions, users or items replace one.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write the report, JSON, to this file.", show_default=False)
    ] = None,
) -> None:
    """Turn Segment's logs into CSV that Amazon Personalize imports, and account for every event."""
    with requires("export"):
        from ..history.export import export as run
        from ..privacy import list_file
    if report is not None and not report.absolute().parent.is_dir():
        fail(f"{report.parent}: no such folder for the report")
    window = logs.Window(since, until, overlap)
    parsed = read_mapping(mapping)
    suppressed = None if suppress is None else list_file.read(suppress)
    empty: EmptyError | None = None
    options: Any = {"window": window, "suppressed": suppressed, "allow_empty": allow_empty, "memory": memory}
    options |= {"stage": stage, "say": lambda message: messages.print(plain(message), soft_wrap=True)}
    try:
        with progress_bar("Exporting", of="bytes") as progress:
            result = run(tree, out, parsed, **options, progress=progress)
    except EmptyError as error:
        if error.report is None:
            raise
        result, empty = error.report, error
    _show(result, out if empty is None else None)
    if report is not None:
        report.write_text(result.as_json(), "utf-8")
    if empty is not None:
        raise empty
    if not result.datasets["interactions"].rows and not allow_empty:
        raise EmptyError(tree, f"gave no interactions: {result.why_none('interactions')}", COMPARE)


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to make segment-logs/ in.")],
    events: Annotated[int, typer.Option(min=1, help="About how many.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, help="Received days they are spread over.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Generate Segment logs of a shop and a video service, with the quirks of real ones."""
    from ..history.sample import sample as run

    with progress_bar("Generating", of="things") as progress:
        print(run(out, events, days=days, seed=seed, progress=progress))


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[bytes]]:
    if str(path) == "-":
        yield iter(sys.stdin.buffer)
        return
    with path.open("rb") as file:
        head = file.read(logs.HEAD_BYTES)
        file.seek(0)
        blocks = iter(lambda: file.read(logs.CHUNK_BYTES), b"")
        damage: list[str] = []
        yield logs.unzip(blocks, damage) if logs.compression(head) == "gzip" else blocks
        if damage:
            messages.print(plain(f"{path}: {damage[0]}"))


def _show(report: Report, out: str | None) -> None:
    """Print the report for people, to stderr, because stdout is for data; `out` is None if nothing was written."""
    events = f"{number(report.events_read, 'event')} read from {number(report.files_read, 'file')}"
    unmapped = f"{report.events_unmapped:,} without a rule, {number(report.lines_malformed, 'malformed line')}"
    messages.print(
        f"{events}: {unmapped}" + (f", {report.events_overlap:,} of the overlap" if report.events_overlap else "")
    )
    title = "Nothing was written" if out is None else f"Written to {plain(out)}"
    table = Table("dataset", *(("rows", "deduplicated", "refused")), title=title, title_justify="left")
    for name, count in report.datasets.items():
        table.add_row(name, f"{count.rows:,}", f"{count.deduplicated:,}", f"{count.refused:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    messages.print(table)
    names = ("event", "dataset", "field", "reason", "example messageId")
    for title, reasons in (("Left out", report.reasons), ("Null although a value is there", report.unusable)):
        lines: list[tuple[int, *tuple[str | None, ...]]] = []
        for key, times, example in reasons.sorted():
            (call, event, dataset, field, reason), hint = key, report.hint(key)
            if hint is not None:
                # In quotes, because it may end in a space.
                event, reason = json.dumps(event, ensure_ascii=False), f"{reason}; it {hint}"
            lines.append((times, call if event is None else f"{call} {event}", dataset, field, reason, example))
        show_left_out(names, lines, "report.json in the output", title)
    if stitched := sum(count.stitched for count in report.datasets.values()):
        what = f"{number(stitched, 'interaction')} of visitors took the user who logged in on their session"
        messages.print(what, soft_wrap=True)
    if ahead := sum(count.ahead for count in report.datasets.values()):
        what = f"{number(ahead, 'row')} took the time it was received, because a clock was more than a day ahead"
        messages.print(what, soft_wrap=True)
    for line in report.lines_named[:3]:
        messages.print(f"Malformed {plain(line.file)}:{line.line}: {plain(line.cause)}", soft_wrap=True)
    for what, files in (("Damaged", report.files_damaged), ("Skipped", report.files_skipped)):
        for name, why in files[:10]:
            messages.print(f"{what} {plain(name)}: {plain(why)}", soft_wrap=True)
        if len(files) > 10:
            messages.print(f"… and {len(files) - 10} more {what.lower()} files: see report.json in the output")
