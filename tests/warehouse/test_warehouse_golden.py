"""Golden cases of the contract in a warehouse: equal, except for values that a warehouse loses."""

from collections.abc import Iterator

import pytest
from duckdb import DuckDBPyConnection

from golden_cases import GoldenCase, golden_cases
from personalize_segment.contract.mapping import EventMapping, parse
from personalize_segment.contract.rows import parse_line, rows, text
from personalize_segment.errors import WarehouseError
from personalize_segment.warehouse import AHEAD, DEDUPLICATED, UNUSABLE, WRITTEN, parse_columns
from warehouse_engine import ACCESS, Planned, Rows, connect, outcome, plan
from warehouse_loader import Event, columns_file, declared, fill, load, stored

#: Golden cases in which the warehouse has other values than the event, with the reason.
WHOLE = "1.0 and 1e2 are whole numbers in a column of floats, as 1 and 100 are"
ARRAY = "an array is a text in its column, and looks like a text of the same letters"
OWN_KEYS = "Segment stores no keys of the event that aren't its own"
MIDNIGHT = "in a column of timestamps a date is midnight"
IDS = "ids of messages are text"
LOST = {
    "01-event-counts: constants: True, 2.0 and None": WHOLE,
    "02-paths: a key in another case is another key": "names are in snake_case, whatever their case was",
    "03-ids-and-strings: a number with the fraction zero isn't an id": WHOLE,
    "03-ids-and-strings: an integer with an exponent isn't an id": WHOLE,
    "03-ids-and-strings: an integer with a capital exponent isn't an id": WHOLE,
    "03-ids-and-strings: minus zero with a fraction isn't an id": WHOLE,
    "04-timestamps: a date: '2024-03-01T00:00:00Z'": MIDNIGHT,
    "05-numbers-and-lists: an impression: JSON in a string is none": ARRAY,
    '05-numbers-and-lists: categories: "[\\"a\\"]"': ARRAY,
    "06-first-path-in-domain: the second of three paths wins over the third": "properties.id is not stored as id",
    "07-each: JSON in a string is not an array": ARRAY,
    "07-each: an array may be at the first step": OWN_KEYS,
    "08-event-type: every rule of the shop: Added Product": "properties.id is not stored as id",
    "09-same-row: a fraction can't identify an interaction": IDS,
    "09-same-row: true can't identify an interaction": IDS,
    "09-same-row: an array can't identify an interaction": IDS,
    "09-same-row: an object can't identify an interaction": IDS,
    "09-same-row: an integer beyond 64 bits can't identify an interaction": IDS,
}

#: Golden cases whose rows are alike, but in which a warehouse knows of no value, or of one, at an optional column.
OBJECT = "an object is spread over columns, so nothing is at its own path"
UNTOLD = {
    "05-numbers-and-lists: a double: an integer of 400 digits is not finite": "no column of numbers holds it",
    "05-numbers-and-lists: a float: an integer of 400 digits is not finite": "no column of numbers holds it",
    "05-numbers-and-lists: a double: an object isn't a number": OBJECT,
    "05-numbers-and-lists: a float: an object isn't a number": OBJECT,
    "05-numbers-and-lists: an impression: an object is none": OBJECT,
    '05-numbers-and-lists: categories: {"a": 1}': OBJECT,
}


@pytest.mark.parametrize("dialect", list(ACCESS))
@pytest.mark.parametrize("rule", range(1, 11))
def test_golden_cases_are_alike_but_for_what_a_warehouse_does_not_know(dialect: str, rule: int) -> None:
    # Cases of one mapping whose events make the same columns share their statements.
    groups: dict[tuple[str, str], list[tuple[GoldenCase, Event]]] = {}
    for case in golden_cases():
        event = parse_line(case.line)
        if case.name.startswith(f"{rule:02}-") and event is not None and stored(event):
            groups.setdefault((case.mapping_text, str(declared(dialect, [event]))), []).append((case, event))
    assert groups
    connection = connect()
    for (mapping_text, _), cases in groups.items():
        mapping = parse(mapping_text)
        own_keys = "user's id" in mapping_text  # no rule of that mapping finds its user in a warehouse
        for (case, event), (found, counts) in zip(cases, _found(connection, dialect, mapping, cases), strict=True):
            expected: Rows = {dataset.name: [] for dataset in mapping.datasets}
            # Visits of a single event have no user, and are counted as such.
            reference = [row for row in rows(mapping, event)[0] if row.visitor is None]
            for row in reference:
                expected[row.dataset.name].append(tuple(map(text, row.values)))
            said: set[tuple[str | None, str]] = {(row.dataset.name, WRITTEN) for row in reference}
            said |= {(row.dataset.name, AHEAD) for row in reference if row.ahead}
            said |= {(why.dataset, UNUSABLE + why.reason) for row in reference for why in row.unusable}
            lost = case.name in LOST or (own_keys and any(expected.values()))
            same = found == {name: sorted(values) for name, values in expected.items()}
            assert same != lost, (case.name, found, expected)
            assert lost or case.name in UNTOLD or counts is None or said == counts, (case.name, counts, said)


def _found(
    connection: DuckDBPyConnection, dialect: str, mapping: EventMapping, cases: list[tuple[GoldenCase, Event]]
) -> Iterator[tuple[Rows, set[tuple[str | None, str]] | None]]:
    """Yield the rows and counts of each case."""
    connection.execute("DROP SCHEMA IF EXISTS prod CASCADE")
    load(connection, dialect, "prod", [cases[0][1]])
    columns = parse_columns(columns_file(connection, dialect), "columns.csv")
    try:
        statements = plan(dialect, mapping, columns=columns).statements
    except WarehouseError:  # the event has no table that a rule reads
        for _ in cases:
            yield {dataset.name: [] for dataset in mapping.datasets}, None
        return
    planned = Planned(connection)
    for case, event in cases:
        types = declared(dialect, [event])
        for table in types:
            connection.execute(f'DELETE FROM prod."{table}"')
        fill(connection, "prod", types, [event])
        counted = bool(case.nulls or case.ahead)
        found, counts = outcome(
            planned, [one for one in statements if counted or one.kind != "counts"], dialect, mapping
        )
        kept = {(d, r) for (d, *_, r) in counts if r in (WRITTEN, DEDUPLICATED, AHEAD) or r.startswith(UNUSABLE)}
        yield found, kept if counted else None


def test_every_case_that_is_lost_is_a_golden_case() -> None:
    assert set(LOST) <= {case.name for case in golden_cases()}
