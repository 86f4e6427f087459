"""Checks of the files: can they be imported, and is the export complete?"""

from collections.abc import Iterator
from functools import partial

from ..contract.columns import DATASETS, REQUIRED
from ..contract.mapping import EventMapping
from ..contract.report import Report
from ..errors import number
from .figures import Figures
from .parts import Export
from .tables import Tables
from .verdict import CONTRACT, FORMAT, MAX_CATEGORY, QUOTAS, Check, Limit, judged

_judged = partial(judged, "Importable files")
_SHOWN = 10
_NUMBERS = ("float", "double", "int", "long", "timestamp", "boolean")


def files(export: Export, tables: Tables, figures: Figures, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks of this group."""
    yield _whole(export.report, figures)
    yield _files(export)
    yield _headers(tables, mapping)
    yield _lines(tables)
    yield _types(figures, mapping)


def _whole(report: Report | None, figures: Figures) -> Check:
    rows = {name: figures.datasets[name].rows if name in figures.datasets else 0 for name in DATASETS}
    told = {name: count.rows for name, count in report.datasets.items()} if report else {}
    off = [name for name in told if name in rows and rows[name] != told[name]]
    return _judged(
        "whole",
        "Complete export",
        len(off) if report else None,
        "datasets that differ from report.json",
        ("The numbers of rows match report.json." if not off else "The numbers of rows differ from report.json.")
        if report
        else "Without report.json, the events that were left out are unknown.",
        Limit("as many rows as in the report", CONTRACT),
        ("red", bool(off), "Parts were lost or added, or an export is still running. Export again."),
        ("yellow", report is None, "If the export was interrupted, export again. Warehouse SQL writes no report."),
        details=((name, f"{told[name]:,} in the report, {rows[name]:,} found") for name in off),
    )


def _files(export: Export) -> Check:
    return _judged(
        "files",
        "Files",
        len(export.strays),
        "files that aren't CSV",
        f"{number(len(export.parts), 'CSV part')} and {number(len(export.strays), 'other file')}.",
        Limit("folders have uncompressed CSV files only", FORMAT),
        ("yellow", bool(export.strays), "Personalize imports whole folders. Move these files out, or unpack them."),
        details=((name, "") for name in export.strays[:_SHOWN]),
    )


def _headers(tables: Tables, mapping: EventMapping) -> Check:
    mapped = {dataset.name: tuple(column.name for column in dataset.columns) for dataset in mapping.datasets}
    wrong, odd = [], []
    for table in tables.values():
        for header in table.headers:
            if header.marked:
                odd.append((header.part, "a byte order mark"))
            if not header.names:
                wrong.append((header.part, "no header"))
            elif header.quoted:
                wrong.append((header.part, "the header is in quotes"))
            elif table.dataset not in mapped:
                wrong.append((header.part, f"the mapping has no {table.dataset}"))
            elif header.names != mapped[table.dataset]:
                has, wants = set(header.names), set(mapped[table.dataset])
                said = [f"lacks {', '.join(sorted(wants - has))}"] if wants - has else []
                said += [f"also has {', '.join(sorted(has - wants))}"] if has - wants else []
                if said or len(header.names) != len(has):
                    wrong.append((header.part, "; ".join(said) or "has a duplicate column"))
                else:
                    odd.append((header.part, "the columns are in another order"))
    parts = len({part for part, _ in (*wrong, *odd)})
    return _judged(
        "headers",
        "Headers",
        parts,
        "parts",
        f"{number(parts, 'header differs', 'headers differ')} from the mapping's schema."
        if parts
        else "All headers match the mapping's schemas.",
        Limit("every file has the schema's columns, without quotes", FORMAT),
        ("red", bool(wrong), "Export with the mapping that the schemas were created from, or pass it with --mapping."),
        (
            "yellow",
            bool(odd),
            "Personalize has been seen to match columns by name, but its guide doesn't promise it. Export again.",
        ),
        details=[*wrong, *odd][:_SHOWN],
    )


def _lines(tables: Tables) -> Check:
    refused = sum(table.refused for table in tables.values())
    more = any(table.more for table in tables.values())
    examples = [table.example for table in tables.values() if table.example]
    return _judged(
        "lines",
        "Lines",
        refused,
        "lines",
        f"{'At least ' if more else ''}{number(refused, 'line')} can't be read as a row with the header's columns."
        if refused
        else "Every line is a row with the header's columns.",
        Limit("one record per line, UTF-8", FORMAT),
        ("red", bool(refused), "Check these lines. The program that wrote them leaves out quotes, or cuts lines off."),
        details=((f"{line.part}, line {line.line}", line.why) for line in examples),
    )


def _types(figures: Figures, mapping: EventMapping) -> Check:
    needed = {
        (dataset.name, column.name) for dataset in mapping.datasets for column in dataset.columns if not column.nullable
    }
    wrong: list[tuple[str, str]] = []
    empty: list[tuple[str, str]] = []
    for facts in figures.datasets.values():
        for column in facts.columns:
            place = f"{facts.name}.{column.name}"
            if column.malformed:
                wrong.append((place, f"{column.malformed:,} outside the type {column.type or 'string'}"))
            if column.nulls and ((facts.name, column.name) in needed or column.name in REQUIRED[facts.name]):
                optional = column.name not in REQUIRED[facts.name] and column.type in _NUMBERS
                (empty if optional else wrong).append((place, f"{column.nulls:,} without a value"))
            if column.longest is not None and column.longest > MAX_CATEGORY:
                wrong.append((place, f"up to {column.longest:,} characters"))
    return _judged(
        "types",
        "Types",
        len(wrong) + len(empty),
        "kinds of values",
        f"{number(len(wrong) + len(empty), 'kind')} of values outside the schema."
        if wrong or empty
        else "All values fit the schema.",
        Limit(f"values of the schema's types, and categories of at most {MAX_CATEGORY:,} characters", QUOTAS),
        ("red", bool(wrong), "The import job would fail. Correct the values, or make the column optional."),
        (
            "yellow",
            bool(empty),
            "Personalize has been seen to import empty numbers, but its guide requires null in the schema. Make the"
            " column optional.",
        ),
        details=[*wrong, *empty],
    )
