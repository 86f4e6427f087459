"""Comparison of a warehouse with the reference, in rows and counts, for the events in a folder of logs."""

from collections import Counter
from pathlib import Path
from typing import Any

from engines import Outcome, python_rows
from personalize_segment import warehouse
from personalize_segment.contract.mapping import EventMapping
from personalize_segment.history.lines import read
from personalize_segment.history.logs import Window, list_folder, sort_out, unzip
from warehouse_engine import unloaded
from warehouse_loader import stored

#: dataset, call, event, field and reason
Kind = tuple[str | None, str, str | None, str | None, str]


def of_the_report(outcome: Outcome) -> Counter[Kind]:
    """Return the refusals and events without a rule that the reference counts, by what they are."""
    assert outcome.report is not None
    return Counter(
        {
            (one["dataset"], one["call"], one["event"], one["field"], one["reason"]): one["count"]
            for one in outcome.report["reasons"]
        }
    )


def assert_alike(dialect: str, mapping: EventMapping, folder: Path, window: Window | None = None) -> Outcome:
    """Compare the warehouse with the reference, and return their common outcome."""
    expected = python_rows(folder, mapping, window, by_day=False)
    # The warehouse has all days.
    events = [event for event in _events(folder, Window()) if stored(event)]
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
    said = Counter({(d, c, e, f, r): n for (d, _, c, e, f, r), n in counts.items() if r not in kept})
    flags = (warehouse.AHEAD, warehouse.STITCHED)
    of_rows = Counter({key: n for key, n in said.items() if key[4].startswith((*flags, warehouse.UNUSABLE))})
    assert said - of_rows == of_the_report(expected)
    unusable = {key: n for key, n in of_rows.items() if key[4] not in flags}
    assert unusable == {
        (one["dataset"], one["call"], one["event"], one["field"], warehouse.UNUSABLE + one["reason"]): one["count"]
        for one in expected.report["unusable"]
    }
    for name, numbers in expected.report["datasets"].items():
        for kind, key in zip(kept, ("rows", "deduplicated"), strict=True):
            assert sum(n for (d, *_, r), n in counts.items() if (d, r) == (name, kind)) == numbers[key]
        for flag in flags:
            assert sum(n for (d, *_, r), n in of_rows.items() if (d, r) == (name, flag)) == numbers[flag]
    return expected


def _events(folder: Path, window: Window) -> list[dict[str, Any]]:
    found = []
    for file in sort_out(list_folder(folder), window, root=str(folder)).inside:
        data = Path(file.name).read_bytes()
        found += [line.event for line in read(unzip([data], []) if data[:2] == b"\x1f\x8b" else [data])]
    return [event for event in found if event is not None]
