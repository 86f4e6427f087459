"""Column values are in the domain of the contract, or null: each kind of column for each type."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from awkward import INSTANTS, NUMBERS, STRINGS
from personalize_segment.contract.rows import DOMAINS
from personalize_segment.warehouse import DIALECTS
from personalize_segment.warehouse.domains import fits, readings, settle
from warehouse_engine import connect, shared, to_duckdb

dialects = pytest.mark.parametrize("dialect", list(DIALECTS))


def settled(dialect: str, domain: str, kind: str, stored_as: str, values: list[Any]) -> list[Any]:
    """Return the values in a domain of a column `stored_as`, known to be of `kind`."""
    speech = DIALECTS[dialect]
    reads = readings(speech, domain, kind, "x")
    if not reads:
        return [None] * len(values)
    connection = shared()
    connection.execute(f"CREATE OR REPLACE TABLE stored (place INTEGER, x {stored_as})")
    connection.executemany("INSERT INTO stored VALUES (?, ?)", list(enumerate(values)))
    derived: tuple[dict[str, str], ...] = ({}, {}, {})

    def derive(expression: str, level: int) -> str:
        return derived[level].setdefault(expression, f"d{level}_{len(derived[level])}")

    names = [f"r{number}" for number in range(len(reads))]
    texts = [settle(speech, domain, found, name, derive) for name, (_, found) in zip(names, reads, strict=True)]
    columns = ", ".join(f"{sql} AS {name}" for name, (sql, _) in zip(names, reads, strict=True))
    rows = f"(SELECT place, {columns} FROM stored) AS base"
    for level in filter(None, derived):
        columns = ", ".join(f"{sql} AS {name}" for sql, name in level.items())
        rows = f"(SELECT base.*, {columns} FROM {rows}) AS base"
    parsed = sqlglot.parse_one(f"SELECT COALESCE({', '.join(texts)}) AS v FROM {rows} ORDER BY place", read=dialect)
    assert isinstance(parsed, exp.Select)
    found = connection.execute(to_duckdb(parsed)).fetchall()
    connection.execute("DROP TABLE stored")  # it would be in the next list of columns
    return [row[0] for row in found]


def reference(domain: str, values: list[Any]) -> list[Any]:
    """Return the values of `rows` in a domain. Placeholder ids are null, and lists are joined."""
    found = [None if value is None else DOMAINS[domain](value) for value in values]
    return ["|".join(value) if isinstance(value, list) else value for value in found]


TEXTS = [one for one in STRINGS if "\0" not in one]


MORE = ["undefined", "null", "NaN", "None", "[object Object]", " \t\n\v\f\r", "\xa0", "nULL", "undefined ", " " * 300]
LONG = ["x" * 1000, "x" * 1001, "€" * 1000, "a\r\nb\rc\td", "x" * 20_000, "x" * 20_001, "x" * 9000 + "\x07"]


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
@pytest.mark.parametrize("domain", ["id", "any_id", "string", "textual"])
def test_a_text_is_a_string_but_for_one_that_is_an_array(dialect: str, kind: str, domain: str) -> None:
    texts = [*TEXTS, *INSTANTS, *MORE, *LONG, "[", "[1", '["a", 2]', "x" * 256, None]
    arrays = ("[1]", '["a", 2]')
    values = reference(domain, texts)
    expected = [None if text in arrays else value for text, value in zip(texts, values, strict=True)]
    assert settled(dialect, domain, kind, "VARCHAR", texts) == expected


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
@pytest.mark.parametrize("domain", ["ids", "categories"])
def test_a_text_is_a_list_of_one_or_an_array(dialect: str, kind: str, domain: str) -> None:
    arrays: list[list[Any]] = [
        [], [None], ["a"], ["a", None, 2], ["a|b"], ["a", ""], ["a", {}], ["a", [1]], [1.0], [1.5], [True, 2**63],
        ["undefined", "undefined", "b"], ["undefined"], [" \t", "b", "\x07"], ["x" * 256, "x" * 257], ["x" * 499] * 2,
        ["x" * 500] * 2, ["€" * 256] * 25, ["a"] * 25 + [{}], ["a\nb"], ["a", "|", "b"], [" " * 300], [-(2**63)],
    ]  # fmt: skip
    texts = [*TEXTS, *MORE, *LONG, "[", "[1", "a|b"]
    texts.remove("[1]")  # that is an array
    expected = reference(domain, [*texts, *arrays])
    given = [*texts, *(json.dumps(array, ensure_ascii=False) for array in arrays)]
    assert settled(dialect, domain, kind, "VARCHAR", given) == expected


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
def test_a_text_is_an_instant(dialect: str, kind: str) -> None:
    texts = [*INSTANTS, *TEXTS, "2000-02-29T01:02:03+01:30", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", None]
    # A column of unknown type may contain instants, which are texts with a space.
    given = [one for one in texts if one != "2024-03-01 00:00:00Z"]
    assert settled(dialect, "iso", kind, "VARCHAR", given) == reference("iso", given)


DATES = ["2024-03-01", "2024-02-29", "2023-02-29", "0001-01-01", "0000-01-01", "9999-12-31", "2024-3-1", "2024-03-01 "]


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
def test_a_text_is_a_date(dialect: str, kind: str) -> None:
    texts = [*DATES, *INSTANTS, *TEXTS, None]
    texts.remove("2024-03-01 00:00:00Z")
    assert settled(dialect, "date", kind, "VARCHAR", texts) == reference("date", texts)


@dialects
def test_midnight_of_a_warehouse_is_a_date(dialect: str) -> None:
    moments = [
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(2024, 3, 1, 1, tzinfo=UTC),
    ]
    expected = [1709251200, -86400, None]
    assert settled(dialect, "date", "timestamp", "TIMESTAMP", moments) == expected
    texts = ["2024-03-01 00:00:00", "1969-12-31 00:00:00.000+00", "2024-03-01 01:00:00"]
    assert settled(dialect, "date", "unknown", "VARCHAR", texts) == expected


@dialects
@pytest.mark.parametrize("end", ["", ".999999", ".5+00", " +0000", ".000 Z"])
def test_an_instant_of_a_warehouse_made_text_is_one(dialect: str, end: str) -> None:
    text = f"2024-03-01 00:00:01{end}"
    assert settled(dialect, "iso", "unknown", "VARCHAR", [text]) == [1709251201]
    assert settled(dialect, "iso", "text", "VARCHAR", [text]) == [None]


NUMERIC = ["float", "double", "int", "long", "epoch_seconds", "epoch_milliseconds"]


@dialects
@pytest.mark.parametrize("kind", ["text", "unknown"])
@pytest.mark.parametrize("domain", NUMERIC)
def test_a_text_that_is_a_number_of_json_is_one(dialect: str, kind: str, domain: str) -> None:
    junk = ["", " ", "1 ", "+1", "1.", ".5", "1e", "0x1", "NaN", "Infinity", "1_0", "one", "--1", "١", "01", "-", "1\n"]
    epochs = [
        "1709251200.9",
        "9999999999.9",
        "10000000000",
        "1709251199999.9998",
        "9999999999999.5",
        "1e10",
        "-0",
        "-1",
    ]
    texts = [*NUMBERS, *junk, *epochs, "42.0", "1,299.00", "9007199254740993.0", "-9223372036854775808", None]
    found = settled(dialect, domain, kind, "VARCHAR", texts)
    assert list(map(repr, found)) == list(map(repr, reference(domain, texts)))


@dialects
def test_a_text_is_a_boolean_in_any_case(dialect: str) -> None:
    texts = ["true", "FALSE", "True", "fAlSe", "t", "1", "true ", "fal\u017fe", "", None]
    assert settled(dialect, "boolean", "text", "VARCHAR", texts) == [True, False, True, False, *[None] * 6]


INTEGERS = [0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), None]


@dialects
@pytest.mark.parametrize("domain", list(DOMAINS))
@pytest.mark.parametrize("kind", ["integer", "unknown"])
def test_an_integer_is_an_id_and_a_number(dialect: str, domain: str, kind: str) -> None:
    if (domain, kind) == ("boolean", "unknown"):
        return  # such a column is read as booleans
    values = [*INTEGERS, 1709251200, 10**10 - 1, 10**10, 10**13 - 1, 10**13]
    assert settled(dialect, domain, kind, "BIGINT", values) == reference(domain, values)


@dialects
@pytest.mark.parametrize("domain", list(DOMAINS))
def test_a_float_that_is_whole_is_an_integer(dialect: str, domain: str) -> None:
    values = [0.0, 5.0, -7.0, 0.5, 19.9, 1e300, 3.5e38, 1709251200.75, 1709251199999.9998, 2.0**53, None]
    strings = ("id", "any_id", "string", "textual", "ids", "categories")
    whole = [int(one) if one is not None and one % 1 == 0 and abs(one) < 2**53 else one for one in values]
    expected = reference(domain, whole if domain in strings else values)
    nothing = [float("inf"), float("nan")]
    assert settled(dialect, domain, "float", "DOUBLE", [*values, *nothing]) == [*expected, None, None]


@dialects
@pytest.mark.parametrize("domain", list(DOMAINS))
def test_a_boolean_is_a_string_or_nothing_else(dialect: str, domain: str) -> None:
    values = [True, False, None]
    assert settled(dialect, domain, "boolean", "BOOLEAN", values) == reference(domain, values)
    assert settled(dialect, "boolean", "unknown", "BOOLEAN", values) == values


@pytest.mark.parametrize(
    ("domain", "kinds"),
    [
        ("id", {"integer", "float", "timestamp"}),
        ("string", {"integer", "float", "timestamp", "boolean"}),
        ("iso", {"timestamp"}),
        ("epoch_seconds", {"integer", "float"}),
        ("float", {"integer", "float"}),
        ("boolean", {"boolean"}),
        ("categories", {"integer", "float", "timestamp", "boolean"}),
    ],
)
def test_the_kind_of_a_column_may_never_fit(domain: str, kinds: set[str]) -> None:
    known = ("text", "integer", "float", "boolean", "timestamp", "json", "unknown")
    assert {kind for kind in known if fits(domain, kind)} == kinds | {"text", "json", "unknown"}
    assert {kind for kind in known if fits(domain, kind, through=True)} == {"text", "json", "unknown"}


@dialects
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("iso", [1709251201, -1, None]),
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
    assert settled(dialect, "iso", "timestamp", "TIMESTAMP", [moment]) == [int(moment.timestamp())]


@dialects
def test_only_the_beginning_of_a_text_is_searched_for_control_characters(dialect: str) -> None:
    texts = ["€" * 256, "€" * 255 + "\x07", "x" * 256 + "\x07", "x" * 70_000, "\x85", "é" * 256]
    assert settled(dialect, "id", "text", "VARCHAR", texts) == [texts[0], None, None, None, None, texts[5]]
