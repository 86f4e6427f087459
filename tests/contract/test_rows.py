"""The reference semantics: golden cases, values in the CSV, and properties of any event."""

import json
import math
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from dateutil.parser import isoparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from golden_cases import GoldenCase, golden_cases, valid_mappings
from personalize_segment.contract.mapping import EventMapping, parse
from personalize_segment.contract.rows import DOMAINS, NO_CONDITION, Reason, Row, Value, parse_line, rows, text
from personalize_segment.contract.rows import holds as condition_holds
from whole_events import Event, whole_event

MAPPINGS = {name: parse(document) for name, document in valid_mappings().items()}
DEFAULT = MAPPINGS["default"]


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case.name)
def test_a_golden_case_has_its_rows_and_reasons(case: GoldenCase) -> None:
    event = parse_line(case.line)
    assert (event is None) is case.malformed
    if event is None:
        return
    found, reasons = rows(parse(case.mapping_text), event)
    assert [_typed(_named(row), row.dataset.name, row.element) for row in found] == [
        _typed(row.values, row.dataset, row.index) for row in case.rows
    ]
    assert [why[:3] for why in reasons] == [(why.dataset, why.field, why.reason) for why in case.reasons]
    nulls = [why[:3] for row in found for why in row.unusable]
    assert nulls == [(why.dataset, why.field, why.reason) for why in case.nulls]
    assert [row.dataset.name for row in found if row.ahead] == list(case.ahead)


def test_golden_cases_have_names_of_their_own_and_cover_every_rule() -> None:
    names = [case.name for case in golden_cases()]
    assert len(set(names)) == len(names)
    assert {name[:2] for name in names} == {f"{number:02}" for number in range(1, 12)}


def _named(row: Row) -> dict[str, Value]:
    return dict(zip((column.name for column in row.dataset.columns), row.values, strict=True))


def _typed(values: dict[str, Any], *rest: object) -> tuple[object, ...]:
    """True, 1 and 1.0 are equal in Python but differ in a CSV. The order of columns counts, too."""
    return *rest, sorted((name, type(value).__name__, value) for name, value in values.items())


LONG = "1" * 5000  # Python refuses to turn so many digits into an int


@pytest.mark.parametrize(
    ("line", "malformed"),
    [
        pytest.param('{"type": "track", "a": %s}', False, id="an integer of 5000 digits is JSON"),
        pytest.param('{"type": "track", "a": -%s}', False, id="a negative integer of 5000 digits is JSON"),
        pytest.param('{"type": "track", "a": %s', True, id="cut off behind 5000 digits"),
        pytest.param('{"type": "track", "a": %s, "b": "\\ud800"}', True, id="a surrogate behind 5000 digits"),
        pytest.param('{"type": "track", "a": %s, "b": ' + "[" * 5000, True, id="too deep behind 5000 digits"),
        pytest.param('{"a": %s}', True, id="no type next to 5000 digits"),
        pytest.param('[{"type": "track", "a": %s}]', True, id="an array with 5000 digits"),
    ],
)
def test_a_number_of_any_length_neither_stops_nor_hides_anything(line: str, *, malformed: bool) -> None:
    assert (parse_line((line % LONG).encode()) is None) is malformed


def test_an_integer_of_5000_digits_is_no_id() -> None:
    line = f'{{"type": "track", "event": "Product Clicked", "userId": "u", "properties": {{"product_id": {LONG}}}}}'
    event = parse_line(line.encode())
    assert event is not None
    found, reasons = rows(DEFAULT, event)
    assert not found
    assert [why.field for why in reasons] == ["ITEM_ID"]


@pytest.mark.parametrize(("seller", "value"), [(7, 7), ("7", 7), ("abc", None), ("undefined", None)])
def test_an_own_number_of_items_called_user_id_is_a_number(seller: Any, value: int | None) -> None:
    fields = {name: {"from": [path]} for name, path in (("USER_ID", "userId"), ("TIMESTAMP", "timestamp"))}
    fields["ITEM_ID"] = {"from": ["properties.sku"]}
    own = {"USER_ID": {"from": ["properties.seller"], "type": "long", "optional": True}}
    body = {
        "interactions": {"fields": fields, "track": {"Listed": {}}},
        "items": {"fields": {"ITEM_ID": fields["ITEM_ID"]} | own, "track": {"Listed": {}}},
    }
    event = {"type": "track", "event": "Listed", "properties": {"sku": "s", "seller": seller}}
    found, _ = rows(parse(json.dumps({"version": 1} | body)), event)
    assert [row.values for row in found] == [("s", value)]
    assert [why.reason for why in found[0].unusable] == ["not an integer of 64 bits"] * (value is None)


@pytest.mark.parametrize("shape", ["[" * 100_000, '{"a":' * 100_000], ids=["arrays", "objects"])
def test_a_line_too_deep_to_read_is_malformed(shape: str) -> None:
    assert parse_line(('{"type": "track", "a": ' + shape).encode()) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, "", id="null is empty"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param(0, "0", id="zero"),
        pytest.param(-(2**63), "-9223372036854775808", id="the smallest integer"),
        pytest.param(9.99, "9.99", id="a fraction"),
        pytest.param(12.0, "12.0", id="a whole float"),
        pytest.param("a,b", "a,b", id="a string is not quoted here"),
        pytest.param(["a"], "a", id="one id"),
        pytest.param(["a", "b,c", "d"], "a|b,c|d", id="ids are joined with a bar"),
    ],
)
def test_text_is_how_a_value_stands_in_the_csv(value: Value, expected: str) -> None:
    assert text(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_as_the_same_float(value: float) -> None:
    assert float(text(value)) == value


# Values of events: inside, on and outside the borders of each domain.
LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "x" * 256,
            "x" * 257,
            "x" * 1001,
            "a|b",
            " ",
            "null",
            "true",
            "2024-03-01",
            "19.99",
            "1e3",
            "-0",
            "a\x85",
            "\ud800",
            "🛒" * 256,
            "2024-02-29T23:59:60Z",
        ]
    ),
    st.sampled_from(["2024-02-29T12:00:00.5Z", "1969-12-31T23:59:59.9-23:59", "0001-01-01T00:00:00+23:59"]),
    st.sampled_from([0, True, None, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1e300, math.nan, -math.inf]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
JUNK: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.lists(st.integers() | st.just("a"), max_size=27) | JUNK


@st.composite
def events(draw: Callable[[st.SearchStrategy[Any]], Any], mapping: EventMapping) -> Event:
    """Draw an event that a rule of `mapping` knows, with anything at up to four of the places that it reads."""
    name = draw(st.sampled_from(list(mapping.by_event)))
    event, places = whole_event(mapping, name, draw(st.integers(0, 3)), draw(st.integers(0, 2)))
    for container, key in draw(st.lists(st.sampled_from(places), max_size=4)):
        container[key] = draw(VALUES)
    return event


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=list(MAPPINGS))
def test_every_value_is_in_the_domain_of_its_column(mapping: EventMapping) -> None:
    filled: set[str] = set()

    def holds(event: Event) -> None:
        found, reasons = rows(mapping, event)
        for row in found:
            for column, value in zip(row.dataset.columns, row.values, strict=True):
                assert column.nullable if value is None else IN_DOMAIN[column.type](value), (column, value)
                if column.name in ("TIMESTAMP", "CREATION_TIMESTAMP") and value is not None:
                    assert isinstance(value, int)
                    assert 0 <= value < 10**10
                filled.update([column.name] if value is not None else [])
            empty = {
                column.name for column, value in zip(row.dataset.columns, row.values, strict=True) if value is None
            }
            assert {why.field for why in row.unusable} <= empty
        matched: set[str] = set()
        for dataset, rule in mapping.by_event[event["type"], event.get("event", event.get("name"))]:
            if dataset.name in matched or not all(condition_holds(condition, event) for condition in rule.when):
                continue
            matched.add(dataset.name)
            outcomes = [row for row in found if row.dataset is dataset]
            told = [why for why in reasons if why.dataset == dataset.name]
            assert all((row.element is None) is (rule.each is None) for row in outcomes)
            assert len(outcomes) + len(told) >= 1
            assert rule.each is not None or len(outcomes) + len(told) == 1

        assert matched or reasons == [Reason(None, None, NO_CONDITION)]

    for name in mapping.by_event:
        for pick in range(3):
            holds(whole_event(mapping, name, pick=pick)[0])
    assert filled == {column.name for one in mapping.datasets for column in one.columns}
    settings(max_examples=60)(given(events(mapping))(holds))()


def _printable(value: str, most: int = 256) -> bool:
    return 1 <= len(value) <= most and not any(unicodedata.category(one) in ("Cc", "Cs") for one in value)


# The contract's rules 3, 4 and 5, implemented independently of rows.py.
IN_DOMAIN: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: type(value) is str and _printable(value, 20_000),
    "ids": lambda value: 0 < len(value) <= 25 and all(map(_printable, value)) and "|" not in "".join(value),
    "categories": lambda value: 0 < len(value) <= 25 and _printable("|".join(value), 1000),
    "timestamp": lambda value: -62_135_683_200 < value < 253_402_387_200,  # years 1 to 9999, and an offset
    "float": lambda value: type(value) is float and math.isfinite(value),
    "double": lambda value: type(value) is float and math.isfinite(value),
    "int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
    "long": lambda value: type(value) is int and -(2**63) <= value < 2**63,
    "boolean": lambda value: type(value) is bool,
}


@settings(max_examples=200)
@example({"type": "track", "event": ["Product Viewed"]})
@example({"type": "identify", "userId": {}})
@given(st.dictionaries(st.text(max_size=3) | st.sampled_from(["event", "name", "userId", "properties"]), JUNK))
def test_any_object_with_a_type_gives_rows_or_reasons(event: Event) -> None:
    for call in ("track", "page", "identify", "group", ""):
        found, reasons = rows(DEFAULT, event | {"type": call})
        assert found or reasons


@settings(max_examples=200)
@given(st.binary(max_size=40) | JUNK.map(lambda value: json.dumps({"type": value, "a": value}).encode()))
def test_any_bytes_are_an_event_that_can_be_written_again_or_malformed(line: bytes) -> None:
    event = parse_line(line)
    if event is not None:
        assert isinstance(event["type"], str)
        assert json.dumps(event, ensure_ascii=False).encode()  # otherwise no part of the project could write it


@pytest.mark.parametrize("kind", list(DOMAINS))
@given(value=VALUES)
def test_null_is_in_no_domain_and_a_domain_never_raises(kind: str, value: Any) -> None:
    assert DOMAINS[kind](None) is None
    DOMAINS[kind](value)


def _digits(width: int, most: int) -> st.SearchStrategy[str]:
    return st.integers(0, most).map(lambda number: f"{number:0{width}}")


#: Texts of the shape of rule 4, dates and times that don't exist included.
INSTANTS = st.builds(
    "{}-{}-{}T{}:{}:{}{}{}".format,
    st.sampled_from(["0000", "0001", "1899", "1900", "1969", "1970", "2000", "2024", "9999"]) | _digits(4, 9999),
    _digits(2, 13),
    st.sampled_from(["01", "28", "29", "30", "31"]) | _digits(2, 32),
    _digits(2, 24),
    _digits(2, 60),
    _digits(2, 60),
    st.just("") | st.builds("{}{}".format, st.sampled_from(".,"), st.text("0123456789", min_size=1, max_size=9)),
    st.just("Z")
    | st.builds("{}{}{}{}".format, st.sampled_from("+-"), _digits(2, 24), st.sampled_from(["", ":"]), _digits(2, 60)),
)


def _one_character_off(text: str) -> st.SearchStrategy[str]:
    place = st.integers(0, len(text) - 1)
    return st.builds(
        lambda at, one: text[:at] + one + text[at + 1 :], place, st.sampled_from(["", *"0123456789-:TZtz.,+ W"])
    )


@settings(max_examples=500)
@example("2024-02-29T23:59:59,999999999+2359")
@example("1900-02-29T00:00:00Z")
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
@given(INSTANTS)
def test_an_instant_is_what_dateutil_reads(value: str) -> None:
    """dateutil reads texts of rule 4's shape the same, except 24:00:00, which it reads as midnight."""
    try:
        read = isoparse(value)
    except ValueError:
        expected = None
    else:
        # An offset leads beyond the years that datetime has, so it is subtracted from the difference.
        seconds = (read.replace(tzinfo=None) - datetime(1970, 1, 1)) - (read.utcoffset() or timedelta())
        expected = None if "T24" in value else seconds // timedelta(seconds=1)
    assert DOMAINS["iso"](value) == expected


@given(st.text("0123456789-:TZtz.,+ W", max_size=30) | INSTANTS.flatmap(_one_character_off))
def test_what_rule_4_takes_dateutil_takes_too(value: str) -> None:
    if DOMAINS["iso"](value) is not None:
        isoparse(value)
