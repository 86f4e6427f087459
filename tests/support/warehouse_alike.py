"""Compares a warehouse with the reference, rows and counts, for the events in a folder of logs."""

from collections import Counter
from pathlib import Path

from engines import Outcome, python_rows
from personalize_segment import warehouse
from personalize_segment.contract.mapping import EventMapping
from personalize_segment.contract.rows import parse_line
from personalize_segment.history.logs import Window, lines, list_folder, sort_out, unzip
from warehouse_engine import unloaded
from warehouse_loader import stored


def of_the_report(outcome: Outcome) -> Counter[tuple[str | None, str, str | None, str | None, str]]:
    """Return the refusals and events without a rule that the reference counts, by what they are."""
    assert outcome.report is not None
    return Counter(
        {
            (one["dataset"], one["call"], one["event"], one["field"], one["reason"]): one["count"]
            for one in outcome.report["reasons"]
        }
    )


def assert_alike(dialect: str, mapping: EventMapping, folder: Path, window: Window | None = None) -> Outcome:
    """Compare the warehouse with the reference, and return what both give."""
    expected = python_rows(folder, mapping, window)
    events = [event for event in map(parse_line, _lines(folder)) if event is not None and stored(event)]
    window = window or Window()
    found, counts = unloaded(
        dialect,
        mapping,
        {"prod": events},
        received=warehouse.TimeWindow.of_days(window.since, window.until, window.overlap),
    )
    assert found == expected.rows
    if expected.report is None:
        return expected
    kept = (warehouse.WRITTEN, warehouse.DEDUPLICATED)
    refused = Counter({(d, c, e, f, r): n for (d, _, c, e, f, r), n in counts.items() if r not in kept})
    assert refused == of_the_report(expected)
    for name, numbers in expected.report["datasets"].items():
        for kind, key in zip(kept, ("rows", "deduplicated"), strict=True):
            assert sum(n for (d, *_, r), n in counts.items() if (d, r) == (name, kind)) == numbers[key]
    return expected


def _lines(folder: Path) -> list[bytes]:
    found = []
    for file in sort_out(list_folder(folder), Window(), root=str(folder)).inside:  # the warehouse has all of them
        data = Path(file.name).read_bytes()
        found += list(lines(unzip([data], []) if data[:2] == b"\x1f\x8b" else [data]))
    return found
