"""The verbs of the event mapping: write a first one, check it, print its schemas."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..contract import avro, names
from ..contract.columns import DATASETS
from ..contract.json_schema import FILE, json_schema
from ..contract.lint import lint
from ..contract.rows import describe
from ..errors import EmptyError, OutputError, number
from .terminal import (
    MAPPING,
    AsJson,
    MappingFile,
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
    from ..history.survey import Survey

#: Unmapped events and hints in the tables; --json has them all.
SHOWN = 15
_NO_EVENTS = "Pass the folder of Segment's logs: .gz or .json files with one JSON object per line"

Logs = Annotated[str | None, typer.Option(help="Folder, file or s3:// prefix of Segment's logs.", show_default=False)]
Events = Annotated[int, typer.Option(min=1, help="Maximum number of events to read, spread over the files.")]


@verb("check mapping.json --logs segment-logs/", MAPPING)
def check(
    mapping: Annotated[
        Path | None, typer.Argument(help="Event mapping (JSON); - is stdin.", show_default="the default mapping")
    ] = None,
    logs: Logs = None,
    events: Events = 100_000,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if something can never match.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check an event mapping and print its digest.

    Parts of a deployment with the same digest use the same mapping. Warns about what can never match.

    With --logs, also prints how often each path finds a value in real events, and events without a rule.
    """
    parsed = read_mapping(mapping)
    findings = lint(parsed)
    for finding in findings:
        messages.print(plain(f"{mapping or 'the default mapping'}: {finding}"), soft_wrap=True)
    failed = strict and bool(findings)
    survey = None
    if logs is not None and (as_json or not failed):
        with requires("export"):
            from ..history.survey import Survey, sample
        survey = Survey(parsed)
        with progress_bar("Reading", of="things") as progress:
            for event in sample(logs, events, progress=progress):
                survey.add(event)
        if not survey.events:
            raise EmptyError(logs, f"has no events ({number(survey.malformed, 'malformed line')})", _NO_EVENTS)
    if as_json:
        found = {"mapping_sha256": parsed.sha256, "findings": [finding._asdict() for finding in findings]}
        print(json.dumps(found | ({} if survey is None else survey.as_dict()), indent=2, ensure_ascii=False))
    elif not failed:
        print(parsed.sha256)
        if survey is not None:
            _show(survey)
    if failed:
        raise typer.Exit(1)


@verb("init --logs segment-logs/ --out mapping.json", MAPPING)
def init(
    logs: Annotated[str, typer.Option(help="Folder, file or s3:// prefix of Segment's logs.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="File to write (default: stdout).", show_default=False)] = None,
    events: Events = 100_000,
) -> None:
    """Write a first event mapping from logs. Prints the reason for each choice to stderr."""
    with requires("export"):
        from ..history.first_mapping import first_mapping
        from ..history.shapes import Shapes
        from ..history.survey import sample
    if out is not None and out.exists():
        raise OutputError(str(out), "already exists", "Name another file, or delete it")
    if out is not None and not out.absolute().parent.is_dir():
        fail(f"{out.parent}: no such folder for the mapping. Create it")
    shapes = Shapes()
    called: Counter[str] = Counter()
    with progress_bar("Reading", of="things") as progress:
        for event in sample(logs, events, progress=progress):
            shapes.add(event)
            if event is not None:
                call, name = describe(event)
                called[f"{call} {name or ''}".strip()] += 1
    made = first_mapping(shapes)
    for place, note in made.notes:
        messages.print(plain(f"{place}: {note}"), soft_wrap=True)
    if made.document is None:
        most = ", ".join(f"{name} ({count:,})" for name, count in called.most_common(5)) or "none"
        problem = f"has no event that looks like an interaction with an item. The most frequent events: {most}"
        raise EmptyError(logs, problem, "Write a mapping for your events by hand: see docs/mapping.md")
    if out is None:
        sys.stdout.write(made.text())
        return
    with out.open("x", encoding="utf-8") as file:
        file.write(made.text())
    # The mapping's $schema names this file.
    out.with_name(FILE).write_text(json.dumps(json_schema(), indent=2) + "\n", "utf-8")
    messages.print(plain(f"Written to {out}, and {FILE} for editors"), soft_wrap=True)
    messages.print(plain(f"Next: personalize-segment check {out} --logs {logs}"), soft_wrap=True)


@verb("schema interactions --mapping mapping.json", MAPPING)
def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET|mapping]",
            help=f"One of {', '.join(DATASETS)} (default: all), or mapping for the JSON Schema.",
        ),
    ] = None,
    mapping: MappingFile = None,
) -> None:
    """Print the Avro schemas for Personalize's CreateSchema, or the JSON Schema of event mappings for editors."""
    if name == "mapping":
        print(json.dumps(json_schema(), indent=2))
        return
    schemas = {one.name: avro.schema(one) for one in read_mapping(mapping).datasets}
    if name is not None and name not in schemas:
        raise typer.BadParameter(f"the mapping has no {name!r}, only {', '.join(schemas)}", param_hint="DATASET")
    print(json.dumps(schemas[name] if name else schemas, indent=2))


def _show(survey: "Survey") -> None:
    """Print to stdout the values that a mapping finds in logs."""
    out = console()
    out.print(f"{number(survey.events, 'event')} read, {number(survey.malformed, 'malformed line')}")
    table = Table("rule", "column", "path", "found", "usable")
    for rule in survey.rules:
        table.add_section()
        matched = f"{rule.matched:,} of {rule.tried:,} events" if rule.tried else "[yellow]no event[/]"
        table.add_row(plain(rule.place), "", "", matched, number(rule.rows, "row") if rule.matched else "")
        if rule.tried:
            for path in rule.paths.values():
                table.add_row("", path.column, plain(path.path), f"{path.found:,}", f"{path.usable:,}")
    table.columns[3].justify = table.columns[4].justify = "right"
    out.print(table)
    if survey.visitors and survey.mapping.visitors == "stitch":
        of_visitors = f"{number(survey.visitors, 'interaction')} without a userId"
        are = "is" if survey.visitors == 1 else "are"
        out.print(f"{of_visitors} {are} exported only if the visitor logs in on that session", soft_wrap=True)
    if survey.unmapped:
        table = Table("count", "event", "hint", title="Without a rule", title_justify="left")
        table.columns[0].justify = "right"
        for (call, name), count in survey.unmapped.most_common(SHOWN):
            hint = names.near_miss(survey.mapping, call, name) or ""
            table.add_row(f"{count:,}", plain(f"{call} {name!r}" if hint else f"{call} {name or ''}"), plain(hint))
        out.print(table)
    if len(survey.unmapped) > SHOWN:
        out.print(f"… and {len(survey.unmapped) - SHOWN:,} more events: see --json")
    for (place, field, missing, there), count in survey.hints.most_common(SHOWN):
        hint = f"{place}: {field}: {missing} is missing {number(count, 'time')}, but {there}"
        out.print(plain(hint), soft_wrap=True)
