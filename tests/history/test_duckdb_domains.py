"""DuckDB's fast paths for domains agree with `rows.py`."""

import json

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from awkward import INSTANTS, NUMBERS, STRINGS, values
from personalize_segment.contract.columns import LISTS
from personalize_segment.contract.quoting import literal
from personalize_segment.contract.rows import DOMAINS, PLACEHOLDERS, _is_absent, load, text
from personalize_segment.history.duckdb.reader import MACROS

CONNECTION = duckdb.connect(config={"threads": 1})
CONNECTION.execute(MACROS)
for _domain in DOMAINS:
    _columns = f"as_{_domain}(x), {'NOT placeholder(x)' if _domain == 'id' else 'true'}"
    if _domain in LISTS:
        _columns = f"as_{_domain}(x), has_{_domain}(x)"
    # In DuckDB's JSON format, which it also reads. Binding the macros takes five times as long as running them.
    _canonical = "SELECT CAST(json_extract(?::VARCHAR, '$') AS VARCHAR) AS x"
    CONNECTION.execute(f"PREPARE of_{_domain} AS SELECT {_columns} FROM ({_canonical})")

#: Timestamps in the short form, 26 characters with quotes: valid ones and some beyond.
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
    assert values_of("iso", json.dumps(text, ensure_ascii=False))[0] == DOMAINS["iso"](text)


#: Texts at the edges of the domains.
TEXTS = [
    *PLACEHOLDERS, *STRINGS, *INSTANTS, "  ", "\v\f ", "x" * 1000, "x" * 1001, "é" * 1000, "x\ny" * 4000, "x\r\n\r\ty",
    "x" * 20_000, "x" * 20_001, "2024-03-01", "2024-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "2024-3-01",
    "1,299.00", " 5", "05", "+5", "3.4abc", "5.", "True", "FALSE", "-0", "-0.0", "9" * 20, "9999999999.9", "[x",
]  # fmt: skip
JSON = [json.dumps(text, ensure_ascii=False) for text in TEXTS]
JSON += [number for number in NUMBERS if len(number) < 400]
JSON += [json.dumps(number) for number in NUMBERS if len(number) < 400]
JSON += ["42.0", "1e3", "-3.0", "9999999999", "10000000000", "9999999999999", "10000000000000", "true", "false", "{}"]
JSON += ["[]", "[null]", '["a", null, "undefined"]', '["undefined", ""]', '["a|b"]', '["a", {}]', '["a", 1.5, true]']
JSON += [json.dumps(["a"] * 25 + [{}]), json.dumps([None] * 25 + ["a"]), json.dumps(["x" * 500, "y" * 499])]


def values_of(domain: str, raw: str) -> tuple[object, ...]:
    """Return DuckDB's value of a JSON text, and whether there is one."""
    found = CONNECTION.execute(f"EXECUTE of_{domain}({literal(raw)})").fetchone()
    assert found
    return found


def differ(domain: str, raw: str) -> str:
    """Return the values of DuckDB and the reference for a JSON text if they disagree."""
    value = load(raw)
    if value is None:
        return ""
    found = values_of(domain, raw)
    wanted = DOMAINS[domain](value)
    expected = text(wanted) if isinstance(wanted, list) else wanted, not _is_absent(value, domain)
    return "" if found == expected else f"{raw[:99]}: {found}, not {expected}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_the_values_of_the_reference(domain: str) -> None:
    assert list(filter(None, (differ(domain, raw) for raw in JSON))) == []

    @settings(max_examples=100)
    @given(values)
    def check(raw: str) -> None:
        assert not differ(domain, raw)

    check()
