"""The command line: data on stdout, messages on stderr, exit 0 (done), 1 (failed), 2 (misused)."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from . import __version__, avro, logs
from .columns import DATASETS
from .errors import MappingError, PersonalizeSegmentError
from .mapping import EventMapping, default_text, parse
from .report import Report
from .rows import parse_line, rows, string

app = typer.Typer(
    name="personalize-segment",
    help="Turn Segment events into Amazon Personalize training data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
#: Kinds of reasons in the table on the terminal; report.json has them all.
SHOWN = 15
messages = Console(stderr=True, highlight=False)

MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", "-m", help="Event mapping (JSON). Without it: e-commerce and video.", show_default=False),
]


@app.command()
def check(mapping: Annotated[Path | None, typer.Argument(show_default="the default mapping")] = None) -> None:
    """Check an event mapping and print its digest; the parts of a deployment agree if their digests do."""
    print(_mapping(mapping).sha256)


@app.command()
def schema(
    dataset: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(DATASETS)}; all of them without it.")
    ] = None,
    mapping: MappingFile = None,
) -> None:
    """Print the Avro schemas for Personalize's CreateSchema."""
    schemas = {one.name: avro.schema(one) for one in _mapping(mapping).datasets}
    if dataset is not None and dataset not in schemas:
        raise typer.BadParameter(f"the mapping has no {dataset!r}, only {', '.join(schemas)}", param_hint="DATASET")
    print(json.dumps(schemas[dataset] if dataset else schemas, indent=2))


@app.command()
def explain(
    events: Annotated[
        Path, typer.Argument(help="File of events, one JSON object a line; - is stdin.", allow_dash=True)
    ] = Path("-"),
    mapping: MappingFile = None,
) -> None:
    """Say for each event which rows it gives, or why it gives none: one JSON line an event."""
    parsed = _mapping(mapping)
    with _opened(events) as blocks:
        for line in logs.lines(blocks):
            event = parse_line(line)
            if event is None:
                print(json.dumps({"messageId": None, "rows": [], "reasons": [_MALFORMED]}))
                continue
            found, reasons = rows(parsed, event)
            answer = {
                "messageId": string(event.get("messageId")),
                "rows": [
                    {
                        "dataset": row.dataset.name,
                        "values": dict(zip((c.name for c in row.dataset.columns), row.values, strict=True)),
                    }
                    for row in found
                ],
                "reasons": [reason._asdict() for reason in reasons],
            }
            print(json.dumps(answer, ensure_ascii=False))


@app.command()
def export(
    tree: Annotated[str, typer.Argument(metavar="LOGS", help="Folder, file or s3:// prefix of Segment's logs.")],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Folder or s3:// prefix for interactions/, users/, items/.")
    ],
    mapping: MappingFile = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First received day (UTC).", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last.", show_default=False)
    ] = None,
    overlap: Annotated[int, typer.Option(min=0, help="Days before --since that are read for repeats only.")] = 1,
    memory: Annotated[str, typer.Option(help="What DuckDB keeps in memory before it spills to disk.")] = "1GB",
    report: Annotated[
        Path | None, typer.Option(help="Also write the report, JSON, to this file.", show_default=False)
    ] = None,
) -> None:
    """Turn Segment's logs into CSV that Amazon Personalize imports, and account for every event."""
    try:
        from .export import export as run
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is missing: install personalize-segment[export]")
    if report is not None and not report.absolute().parent.is_dir():
        _fail(f"{report.parent}: no such folder for the report")
    window = logs.Window(since and since.date(), until and until.date(), overlap)
    with _progress("Exporting", DownloadColumn()) as progress:
        result = run(tree, out, _mapping(mapping), window=window, memory=memory, progress=progress)
    _show(result, out)
    if report is not None:
        report.write_text(result.as_json(), "utf-8")


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to make segment-logs/ in.")],
    events: Annotated[int, typer.Option(min=1, help="About how many.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, help="Received days they are spread over.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Generate Segment logs of a shop and a video service, with the quirks of real ones."""
    from .sample import sample as run

    with _progress("Generating", MofNCompleteColumn()) as progress:
        print(run(out, events, days=days, seed=seed, progress=progress))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; no error that we know of ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        app()
    except PersonalizeSegmentError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        messages.print("Interrupted.")
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror}")
    sys.exit(0)


_MALFORMED = {"dataset": None, "field": None, "reason": "malformed: not a JSON object with a type"}


def _fail(text: str) -> NoReturn:
    messages.print(f"[red]personalize-segment:[/red] {escape(text)}", soft_wrap=True)
    sys.exit(1)


def _mapping(path: Path | None) -> EventMapping:
    try:
        return parse(default_text() if path is None else path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise MappingError(str(path), "is not UTF-8 text", "Save it as UTF-8") from None


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
            messages.print(escape(f"{path}: {damage[0]}"))


@contextmanager
def _progress(title: str, amount: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """Yield what draws a bar on a terminal and nothing elsewhere."""
    columns = (TextColumn(title), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: Report, out: str) -> None:
    """Print the report for people: to stderr, because stdout is for data."""
    events = f"{report.events_read:,} events read from {report.files_read:,} files"
    unmapped = f"{report.events_unmapped:,} without a rule, {report.lines_malformed:,} malformed lines"
    messages.print(
        f"{events}: {unmapped}" + (f", {report.events_overlap:,} of the overlap" if report.events_overlap else "")
    )
    table = Table(
        "dataset", *(("rows", "deduplicated", "refused")), title=f"Written to {escape(out)}", title_justify="left"
    )
    for name, count in report.datasets.items():
        table.add_row(name, f"{count.rows:,}", f"{count.deduplicated:,}", f"{count.refused:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    messages.print(table)
    kinds = report.sorted_reasons()
    table = Table(
        "count", "event", "dataset", "field", "reason", "example messageId", title="Left out", title_justify="left"
    )
    table.columns[0].justify = "right"
    for (call, event, dataset, field, reason), number, example in kinds[:SHOWN]:
        name = f"{call} {event}" if event is not None else call
        table.add_row(f"{number:,}", *(escape(one or "") for one in (name, dataset, field, reason, example)))
    if kinds:
        messages.print(table)
    if len(kinds) > SHOWN:
        messages.print(f"… and {len(kinds) - SHOWN} more kinds of reasons: see report.json in the output")
    for what, files in (("Damaged", report.files_damaged), ("Skipped", report.files_skipped)):
        for name, why in files[:10]:
            messages.print(f"{what} {escape(name)}: {escape(why)}", soft_wrap=True)
        if len(files) > 10:
            messages.print(f"… and {len(files) - 10} more {what.lower()} files: see report.json in the output")


if __name__ == "__main__":
    main()
