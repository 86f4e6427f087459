"""The short ways of DuckDB's domains say what the long ones do: those of `rows.py`."""

import json

import duckdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personalize_segment.contract.rows import DOMAINS
from personalize_segment.history.duckdb.reader import MACROS

CONNECTION = duckdb.connect()
CONNECTION.execute(MACROS)

#: Of the short form, with its quotes 26 characters, all that calendars and clocks know, and a little more.
DAYS = st.tuples(
    st.sampled_from(["0000", "0001", "1582", "1900", "1969", "1970", "2000", "2023", "2024", "9999"]),
    st.integers(0, 13),
    st.integers(0, 32),
).map(lambda one: "{}-{:02}-{:02}".format(*one))
TIMES = st.tuples(st.sampled_from([0, 9, 23, 24]), st.sampled_from([0, 59, 60]), st.sampled_from([0, 59, 60, 61])).map(
    lambda one: "{:02}:{:02}:{:02}".format(*one)
)
WHOLE = st.builds("{}T{}.{:03}Z".format, DAYS, TIMES, st.integers(0, 999))


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Return an instant with some characters put in the place of others, so that its length stays."""
    text = list(draw(WHOLE))
    for _ in range(draw(st.integers(1, 3))):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.sampled_from("0123456789 +-:.,TtZz\u0660"))
    return "".join(text)


@settings(max_examples=2000, deadline=None)
@example(" 202-02-28T23:59:59.123Z")
@example("2024-02-28T23:59:5.0123Z")
@example("0000-12-31T23:59:59.999Z")
@example("1969-12-31T23:59:59.999Z")
@given(WHOLE | spoilt())
def test_an_instant_with_milliseconds_is_what_it_is_everywhere(text: str) -> None:
    found = CONNECTION.execute("SELECT as_timestamp(?)", [json.dumps(text, ensure_ascii=False)]).fetchone()
    assert found == (DOMAINS["timestamp"](text),)
