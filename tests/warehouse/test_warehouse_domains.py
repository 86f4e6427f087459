"""A value of a column is in the domain of the contract, or it is none: each kind of column for each type."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from awkward import INSTANTS, NUMBERS, STRINGS
from personalize_segment.contract.rows import DOMAINS
from personalize_segment.warehouse import DIALECTS
from personalize_segment.warehouse.domains import read, settle
from warehouse_engine import connect, to_duckdb

dialects = pytest.mark.parametrize("dialect", list(DIALECTS))


def settled(dialect: str, type_: str, kind: str, stored_as: str, values: list[Any]) -> list[Any]:
    """Return what a column of `stored_as`, known to be of `kind`, gives for a column of the dataset."""
    connection = connect()
    connection.execute(f"CREATE TABLE stored (place INTEGER, x {stored_as})")
    connection.executemany("INSERT INTO stored VALUES (?, ?)", list(enumerate(values)))
    speech = DIALECTS[dialect]
    expression, found = read(speech, type_, kind, "x")
    inner = f"SELECT place, {expression} AS r0 FROM stored"
    query = f"SELECT {settle(speech, type_, found, 'r0')} AS value FROM ({inner}) AS base ORDER BY place"
    parsed = sqlglot.parse_one(query, read=dialect)
    assert isinstance(parsed, exp.Select)
    return [row[0] for row in connection.execute(to_duckdb(parsed)).fetchall()]


TEXTS = [one for one in STRINGS if "\0" not in one]


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
def test_a_text_is_an_id_but_for_one_that_is_an_array(dialect: str, kind: str) -> None:
    texts = [*TEXTS, *INSTANTS, "[", "[1", '["a", 2]', "x" * 256, None]
    expected = [None if one in ("[1]", '["a", 2]') or one is None else DOMAINS["string"](one) for one in texts]
    assert settled(dialect, "string", kind, "VARCHAR", texts) == expected


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
def test_a_text_is_an_instant(dialect: str, kind: str) -> None:
    texts = [*INSTANTS, *TEXTS, "2000-02-29T01:02:03+01:30", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", None]
    # A column whose type nobody knows may hold instants, which are texts with a blank.
    expected = [None if one is None else DOMAINS["timestamp"](one) for one in texts if one != "2024-03-01 00:00:00Z"]
    given = [one for one in texts if one != "2024-03-01 00:00:00Z"]
    assert settled(dialect, "timestamp", kind, "VARCHAR", given) == expected


@dialects
@pytest.mark.parametrize("end", ["", ".999999", ".5+00", " +0000", ".000 Z"])
def test_an_instant_of_a_warehouse_made_text_is_one(dialect: str, end: str) -> None:
    text = f"2024-03-01 00:00:01{end}"
    assert settled(dialect, "timestamp", "unknown", "VARCHAR", [text]) == [1709251201]
    assert settled(dialect, "timestamp", "text", "VARCHAR", [text]) == [None]


@dialects
@pytest.mark.parametrize("type_", ["float", "double", "int", "long"])
def test_a_number_in_a_text_is_none_unless_nobody_knows_the_type(dialect: str, type_: str) -> None:
    texts = [one for one in NUMBERS if len(one) < 400]
    assert settled(dialect, type_, "text", "VARCHAR", texts) == [None] * len(texts)
    expected = [DOMAINS[type_](json.loads(one)) for one in texts]
    assert settled(dialect, type_, "unknown", "VARCHAR", texts) == expected
    junk = ["", " ", "1 ", "+1", "1.", ".5", "1e", "0x1", "NaN", "Infinity", "1_0", "one", "--1", "١"]
    assert settled(dialect, type_, "unknown", "VARCHAR", junk) == [None] * len(junk)


INTEGERS = [0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), None]


@dialects
@pytest.mark.parametrize("type_", ["string", "float", "double", "int", "long", "boolean", "timestamp"])
@pytest.mark.parametrize("kind", ["integer", "unknown"])
def test_an_integer_is_an_id_and_a_number(dialect: str, type_: str, kind: str) -> None:
    if (type_, kind) == ("boolean", "unknown"):
        return  # such a column is taken for one of booleans
    expected = [None if one is None else DOMAINS[type_](one) for one in INTEGERS]
    assert settled(dialect, type_, kind, "BIGINT", INTEGERS) == expected


@dialects
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("string", ["0", "5", "-7", None, None, None, None, None, None]),
        ("double", [0.0, 5.0, -7.0, 0.5, 19.9, 1e300, None, None, None]),
        ("float", [0.0, 5.0, -7.0, 0.5, 19.9, None, None, None, None]),
        ("int", [0, 5, -7, None, None, None, None, None, None]),
        ("long", [0, 5, -7, None, None, None, None, None, None]),
        ("boolean", [None] * 9),
        ("timestamp", [None] * 9),
    ],
)
def test_a_float_that_is_whole_is_an_integer(dialect: str, type_: str, expected: list[Any]) -> None:
    values = [0.0, 5.0, -7.0, 0.5, 19.9, 1e300, float("inf"), float("nan"), None]
    assert settled(dialect, type_, "float", "DOUBLE", values) == expected


@dialects
@pytest.mark.parametrize("type_", ["string", "float", "double", "int", "long", "boolean", "timestamp"])
def test_a_boolean_is_nothing_else(dialect: str, type_: str) -> None:
    expected = [True, False, None] if type_ == "boolean" else [None] * 3
    assert settled(dialect, type_, "boolean", "BOOLEAN", [True, False, None]) == expected
    assert settled(dialect, "boolean", "unknown", "BOOLEAN", [True, False, None]) == [True, False, None]


@dialects
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("timestamp", [1709251201, -1, None]),
        ("string", ["2024-03-01T00:00:01.250Z", "1969-12-31T23:59:59.999Z", None]),
        ("long", [None] * 3),
        ("boolean", [None] * 3),
    ],
)
@pytest.mark.parametrize("stored_as", ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
def test_an_instant_is_whole_seconds_or_the_text_that_it_was(
    dialect: str, type_: str, expected: list[Any], stored_as: str
) -> None:
    moments = [datetime(2024, 3, 1, 0, 0, 1, 250_000, UTC), datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), None]
    assert settled(dialect, type_, "timestamp", stored_as, moments) == expected


FLOATS = [0.0, 5.0, -2.25, 19.9, 0.1 + 0.2, 0.08072205302271099, 1 / 3, 1e-7, 123456.789012345, 2.0**53, 3e38, 5e-324]


@dialects
@pytest.mark.parametrize("digits", [15, 17])
def test_the_csv_has_the_same_float(dialect: str, digits: int) -> None:
    connection = connect()
    connection.execute("CREATE OR REPLACE MACRO tme(x) AS printf('%.16e', x)")  # as Snowflake writes it
    speech = DIALECTS[dialect]
    values = ", ".join(f"(CAST('{one!r}' AS DOUBLE))" for one in FLOATS)
    parsed = sqlglot.parse_one(f"SELECT {speech.float_written('x')} AS y FROM stored", read=dialect)
    assert isinstance(parsed, exp.Select)
    query = to_duckdb(parsed)
    connection.execute(f"CREATE TABLE stored AS SELECT x FROM (VALUES {values}) AS v(x)")
    found = [one if isinstance(one, str) else f"{one:.{digits}g}" for (one,) in connection.execute(query).fetchall()]
    exact = digits == 17 or dialect == "snowflake"  # the session of Redshift is set to 17
    assert ([float(one) for one in found] == FLOATS) == exact


@dialects
@pytest.mark.parametrize(
    "text", ["1969-12-31T23:59:58Z", "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z", "9999-12-31T23:59:59Z"]
)
def test_instants_before_1970_and_behind_32_bits_are_seconds(dialect: str, text: str) -> None:
    moment = datetime.fromisoformat(text)
    assert settled(dialect, "timestamp", "timestamp", "TIMESTAMP", [moment]) == [int(moment.timestamp())]


@dialects
def test_only_the_beginning_of_a_text_is_searched_for_control_characters(dialect: str) -> None:
    texts = ["€" * 256, "€" * 255 + "\x07", "x" * 256 + "\x07", "x" * 70_000, "\x85", "é" * 256]
    assert settled(dialect, "string", "text", "VARCHAR", texts) == [texts[0], None, None, None, None, texts[5]]


@dialects
def test_a_text_is_no_boolean(dialect: str) -> None:
    assert settled(dialect, "boolean", "text", "VARCHAR", ["true", "t", "1"]) == [None] * 3
