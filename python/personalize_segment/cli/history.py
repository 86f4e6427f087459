"""The verbs of history: explain events, export logs, generate sample logs."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ..contract.mapping import EventMapping
from ..contract.numbers import advice_on
from ..contract.report import COMPARE, Report
from ..contract.rows import Reason, Row, describe, grouped, id_text, rows, text
from ..errors import EmptyError, number
from ..history import lines, logs
from .terminal import (
    HISTORY,
    MAPPING,
    TRY,
    AsJson,
    MappingFile,
    Memory,
    Overlap,
    Since,
    Until,
    console,
    fail,
    messages,
    plain,
    printable,
    progress_bar,
    read_mapping,
    requires,
    show_left_out,
    verb,
)

_ONE_EVENT = "Pass one JSON object with a type per line, or events copied from Segment's debugger"


@verb("explain events.json --mapping mapping.json", MAPPING)
def explain(
    events: Annotated[
        Path,
        typer.Argument(
            help="Events: one JSON object per line, or copied from Segment's debugger; - is stdin.",
            allow_dash=True,
        ),
    ] = Path("-"),
    mapping: MappingFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the rows each event produces, or why it produces none. With --json, one line per event.

    A row with a visitor has no USER_ID yet: an export fills in the user who logs in on that session.
    """
    parsed = read_mapping(mapping)
    read = malformed = 0
    present = logs.LogFile(str(events), 0, logs.day_of(str(events.absolute()))).present
    with _opened(events) as blocks:
        for line in lines.read_pretty(blocks):
            found, reasons = rows(parsed, line.event, present=present) if line.event is not None else ([], [])
            read += 1
            if line.event is None:
                malformed += 1
                reasons = [Reason(None, None, f"malformed: {line.cause}")]
            if not as_json:
                _explain(parsed, line, found, reasons)
                continue
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
    if read and read == malformed:
        place = "stdin" if str(events) == "-" else str(events)
        raise EmptyError(place, f"has no events ({number(malformed, 'malformed line')})", _ONE_EVENT)


@verb("export segment-logs/ training/ --since 2024-03-01", HISTORY)
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
        typer.Option(help="Suppression list of `forget`: a file or s3:// object.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Folder or s3:// prefix that stores each day's rows for the next export.", show_default=False
        ),
    ] = None,
    memory: Memory = "1GB",
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let an export without interactions, users or items replace another.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write the JSON report to this file.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export Segment's logs as CSV for Amazon Personalize, and account for every event."""
    with requires("export"):
        from ..history.export import export as run
        from ..privacy import list_file
    if report is not None and not report.absolute().parent.is_dir():
        fail(f"{report.parent}: no such folder for the report. Create it")
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
    if as_json:
        print(result.as_json())
    else:
        _show(result, out if empty is None else None)
    if report is not None:
        report.write_text(result.as_json(), "utf-8")
    if empty is not None:
        raise empty
    if not result.datasets["interactions"].rows and not allow_empty:
        raise EmptyError(tree, f"produced no interactions: {result.why_none('interactions')}", COMPARE)


@verb("sample shop --events 10000", TRY)
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to create segment-logs/ in.")],
    events: Annotated[int, typer.Option(min=1, help="Approximate number of events.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, help="Number of received days.")] = 3,
    seed: Annotated[int, typer.Option(help="Random seed. The same seed generates the same bytes.")] = 1,
) -> None:
    """Generate Segment logs of a shop and a video service, with the quirks of real logs."""
    from ..history.sample import sample as run

    with progress_bar("Generating", of="things") as progress:
        print(run(out, events, days=days, seed=seed, progress=progress))


def _explain(mapping: EventMapping, line: lines.LogLine, found: list[Row], reasons: list[Reason]) -> None:
    """Print an event with its rows and reasons for people."""
    event = line.event
    words = (id_text(event.get("messageId")), *describe(event)) if event else (f"line {line.number}",)
    print(printable(" ".join(filter(None, words))))
    for row in found:
        named = zip((column.name for column in row.dataset.columns), row.values, strict=True)
        values = [f"{column}={text(value)}" for column, value in named if value is not None]
        values += [] if row.visitor is None else [f"(visitor {row.visitor})"]
        print(printable(f"  {row.dataset.name}: {' '.join(values)}"))
        for null in _said(mapping, event, row.unusable):
            print(printable(f"    {null['field']} is null: {null['reason']}"))
    for reason in _said(mapping, event, reasons):
        place = ".".join(filter(None, (reason["dataset"], reason["field"])))
        of = f" for {reason['count']:,} elements" if reason["count"] > 1 else ""
        print(printable(f"  no row{of}: {place + ': ' if place else ''}{reason['reason']}"))


def _said(mapping: EventMapping, event: dict[str, Any] | None, reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Return the reasons, with equal ones merged and advice on how to send the first value of each."""
    told: dict[Any, str] = {}
    for why in reasons:
        if event is not None and why[:3] not in told and (how := advice_on(mapping, event, why)):
            told[why[:3]] = f"{why.reason}; {how}"
    return grouped(why._replace(reason=told.get(why[:3], why.reason)) for why in reasons)


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
    """Print the report for people; `out` is None if nothing was written."""
    to = console()
    events = f"{number(report.events_read, 'event')} read from {number(report.files_read, 'file')}"
    unmapped = f"{report.events_unmapped:,} without a rule, {number(report.lines_malformed, 'malformed line')}"
    to.print(f"{events}: {unmapped}" + (f", {report.events_overlap:,} in the overlap" if report.events_overlap else ""))
    title = "Nothing was written" if out is None else f"Written to {plain(out)}"
    table = Table("dataset", *(("rows", "deduplicated", "refused")), title=title, title_justify="left")
    for name, count in report.datasets.items():
        table.add_row(name, f"{count.rows:,}", f"{count.deduplicated:,}", f"{count.refused:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    to.print(table)
    names = ("event", "dataset", "field", "reason", "example messageId")
    for title, reasons in (("Left out", report.reasons), ("Null because the value can't be used", report.unusable)):
        lines: list[tuple[int, *tuple[str | None, ...]]] = []
        for key, times, example in reasons.sorted():
            (call, event, dataset, field, reason), hint = key, report.hint(key)
            if hint is not None:
                # In quotes, because the name may end in a space.
                event, reason = json.dumps(event, ensure_ascii=False), f"{reason}; it {hint}"
            lines.append((times, call if event is None else f"{call} {event}", dataset, field, reason, example))
        show_left_out(names, lines, "report.json in the output", title)
    if stitched := sum(count.stitched for count in report.datasets.values()):
        what = f"{number(stitched, 'visitor interaction')} {'was' if stitched == 1 else 'were'} attributed to the user"
        to.print(f"{what} who logged in on the session", soft_wrap=True)
    if ahead := sum(count.ahead for count in report.datasets.values()):
        what = f"{number(ahead, 'row')} {'uses' if ahead == 1 else 'use'} receivedAt"
        to.print(f"{what}, because the event's clock was more than a day ahead", soft_wrap=True)
    for line in report.lines_named[:3]:
        to.print(f"Malformed {plain(line.file)}:{line.line}: {plain(line.cause)}", soft_wrap=True)
    if report.lines_malformed > 3:
        to.print(f"… and {number(report.lines_malformed - 3, 'more malformed line')}: see report.json in the output")
    for what, files in (("Damaged", report.files_damaged), ("Skipped", report.files_skipped)):
        for name, why in files[:10]:
            to.print(f"{what} {plain(name)}: {plain(why)}", soft_wrap=True)
        if len(files) > 10:
            to.print(f"… and {len(files) - 10} more {what.lower()} files: see report.json in the output")
