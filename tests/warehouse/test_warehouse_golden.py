"""Golden cases of the contract in a warehouse: alike, but for what a warehouse does not know any more."""

import pytest

from golden_cases import golden_cases
from personalize_segment.contract.mapping import parse
from personalize_segment.contract.rows import parse_line, rows, text
from personalize_segment.errors import WarehouseError
from warehouse_engine import ACCESS, Rows, connect, unloaded
from warehouse_loader import stored

#: Golden cases in which the warehouse has other values than the event had, and why.
WHOLE = "1.0 and 1e2 are whole numbers in a column of floats, as 1 and 100 are"
ARRAY = "an array is a text in its column, and looks like a text of the same letters"
OWN_KEYS = "Segment stores no keys of the event that aren't its own"
CALENDAR = "an instant outside the years 1 to 9999 is no timestamp of a warehouse"
IDS = "ids of messages are text"
BEYOND = "only the first 25 ids of an impression are looked at"
LOST = {
    "02-paths: a key in another case is another key": "names are in snake_case, whatever their case was",
    "03-ids-and-strings: a number with the fraction zero is no id": WHOLE,
    "03-ids-and-strings: an integer with an exponent is no id": WHOLE,
    "03-ids-and-strings: an integer with a capital exponent is no id": WHOLE,
    "03-ids-and-strings: minus zero with a fraction is no id": WHOLE,
    "04-timestamps: an offset that leads before year 1": CALENDAR,
    "04-timestamps: an offset that leads beyond year 9999": CALENDAR,
    "05-numbers-and-lists: an int: a fraction of zero is none": WHOLE,
    "05-numbers-and-lists: an int: an exponent is none": WHOLE,
    "05-numbers-and-lists: a long: a fraction of zero is none": WHOLE,
    "05-numbers-and-lists: a long: an exponent is none": WHOLE,
    "05-numbers-and-lists: an impression: an id out of domain behind the 25th refuses all of them": BEYOND,
    "05-numbers-and-lists: an impression: a bar behind the 25th refuses all of them": BEYOND,
    "05-numbers-and-lists: an impression: JSON in a string is none": ARRAY,
    "06-first-path-in-domain: the second of three paths wins over the third": "properties.id is not stored as id",
    "07-each: JSON in a string is not an array": ARRAY,
    "07-each: an array may stand at the first step": OWN_KEYS,
    "08-event-type: every rule of the shop: Added Product": "properties.id is not stored as id",
    "09-same-row: a fraction can't identify an interaction": IDS,
    "09-same-row: true can't identify an interaction": IDS,
    "09-same-row: an array can't identify an interaction": IDS,
    "09-same-row: an object can't identify an interaction": IDS,
    "09-same-row: an integer beyond 64 bits can't identify an interaction": IDS,
}


@pytest.mark.parametrize("dialect", list(ACCESS))
@pytest.mark.parametrize("rule", range(1, 11))
def test_golden_cases_are_alike_but_for_what_a_warehouse_does_not_know(dialect: str, rule: int) -> None:
    connection = connect()
    cases = [case for case in golden_cases() if case.name.startswith(f"{rule:02}-")]
    assert cases
    for case in cases:
        event = parse_line(case.line)
        if event is None or not stored(event):
            continue
        mapping = parse(case.mapping_text)
        expected: Rows = {one.name: [] for one in mapping.datasets}
        for row in rows(mapping, event)[0]:
            expected[row.dataset.name].append(tuple(map(text, row.values)))
        try:
            found, _ = unloaded(dialect, mapping, {"prod": [event]}, connection=connection, counted=False)
        except WarehouseError:  # the one event has no table that a rule reads
            found = {name: [] for name in expected}
        own_keys = "user's id" in case.mapping_text  # no rule of that mapping finds its user in a warehouse
        lost = case.name in LOST or (own_keys and any(expected.values()))
        same = found == {name: sorted(one) for name, one in expected.items()}
        assert same != lost, (case.name, found, expected)


def test_every_case_that_is_lost_is_a_golden_case() -> None:
    assert set(LOST) <= {case.name for case in golden_cases()}
