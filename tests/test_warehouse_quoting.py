"""No name or value of a mapping gets out of its quotes, and whatever a mapping says, its statements parse."""

import json
import unicodedata
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from personalize_segment.errors import WarehouseError
from personalize_segment.mapping import EventMapping, parse
from warehouse_engine import ACCESS, interactions, plan, queries, unloaded
from warehouse_loader import Event

dialects = pytest.mark.parametrize("dialect", list(ACCESS))

#: Names as an attacker, or a careful typist, writes them.
EVIL = [
    "it's", "' OR 1 = 1 --", "'); DROP TABLE x; --", "''", '"', '" OR "" = "', "a\\b", "\\'; DROP TABLE x; --", "\\\\'",
    "$$", "$$; DROP TABLE x; $$", "/* x */", "*/", "--", ";", "{{schema}}", "${x}", "%s", "?", ":x", "€ é 商品 👩‍👧",
    "a\u2028b", "\ufeff", "' || CHR(39) || '", "x' AS VARCHAR) --",
]  # fmt: skip


names = st.one_of(
    st.sampled_from(EVIL),
    st.sampled_from(["order", "user", "2FA", "Users", "tracks", "x" * 130, "Product Viewed"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=6),
).map(lambda one: unicodedata.normalize("NFC", one))
keys = names.map(lambda one: one.replace(".", "")).filter(lambda one: one not in ("", "*"))
paths = st.builds(
    lambda root, below: ".".join([root, *below]),
    st.sampled_from(["properties", "context", "properties", "context.traits", "mine"]),
    st.lists(keys, min_size=1, max_size=2),
)
sources = st.lists(st.one_of(paths, st.sampled_from(["userId", "type", "event", "messageId"])), min_size=1, max_size=3)
plain_rules = st.builds(
    lambda title, found: {"event_type": title[:256], "fields": {"ITEM_ID": {"from": found}}}, names, sources
)
each_rules = st.builds(
    lambda array, inner, found: {
        "each": array,
        "event_type": "x",
        "fields": {"ITEM_ID": {"from": [f".{inner}", ".", *found]}},
    },
    paths,
    st.lists(keys, min_size=1, max_size=4).map(".".join),
    sources,
)
rules = st.dictionaries(names, st.one_of(plain_rules, each_rules), min_size=1, max_size=3)


@st.composite
def mappings(draw: st.DrawFn) -> EventMapping:
    """Draw a mapping that may be any of what the grammar takes."""
    body = interactions(track=draw(rules), page=draw(rules), screen={})
    body["interactions"]["fields"]["USER_ID"] = {"from": draw(sources)}
    types = ["string", "float", "double", "int", "long", "boolean", "timestamp"]
    body["interactions"]["fields"] |= {
        f"C{number}": {"from": draw(sources), "type": draw(st.sampled_from(types)), "optional": True}
        for number in range(2)
    }
    if draw(st.booleans()):
        body["interactions"]["fields"]["IMPRESSION"] = {"from": draw(sources), "optional": True}
    return parse(json.dumps(body, ensure_ascii=False))


@dialects
def test_every_statement_of_a_generated_mapping_parses_and_reads_only_its_tables(dialect: str) -> None:
    constant = duckdb.connect()

    @settings(max_examples=30)
    @given(mappings())
    def check(mapping: EventMapping) -> None:
        try:
            made = plan(dialect, mapping)
        except WarehouseError:
            return  # there is no table to read
        for tree in queries(dialect, made):
            schema = "prod" if dialect == "redshift" else "PROD"
            read = {(table.db, table.this.quoted) for table in tree.find_all(exp.Table) if table.name not in WITHS}
            assert read <= {(schema, True)}
            for test in tree.find_all(exp.EQ):
                if isinstance(test.this, exp.Column) and test.this.name.lower() in ("event_text", "name"):
                    value = constant.execute(f"SELECT {test.expression.sql('duckdb')}").fetchone()
                    assert value is not None
                    assert value[0] in {rule.name for dataset in mapping.datasets for rule in dataset.rules}

    check()


WITHS = {"candidates", "ranked"}


@dialects
@pytest.mark.parametrize("evil", EVIL, ids=repr)
def test_no_value_of_a_mapping_breaks_out_of_its_quotes(dialect: str, evil: str) -> None:
    name = unicodedata.normalize("NFC", f"Bought {evil}")
    key = evil.replace(".", "") + "x"
    rule = {
        "event_type": evil[:256] or "x",
        "each": "properties.products",
        "fields": {"ITEM_ID": {"from": [f".{key}"]}},
    }
    mapping = parse(json.dumps(interactions(track={name: rule})))
    good = bought(name, [{key: "p1"}, {key[:-1]: "no"}])
    found, counts = unloaded(dialect, mapping, {'pr"od': [good, bought("Bought", [{key: "p2"}])]})
    assert found["interactions"] == [("u1", "p1", "1709251200", rule["event_type"])]
    assert counts["interactions", 'pr"od', "track", name, None, "written"] == 1
    assert counts[None, 'pr"od', "track", "Bought", None, "no rule for this event"] == 1


def bought(name: str, products: list[Any]) -> Event:
    """Return an event with products."""
    return {
        "type": "track",
        "event": name,
        "messageId": name,
        "userId": "u1",
        "timestamp": "2024-03-01T00:00:00Z",
        "properties": {"products": products},
    }


@dialects
def test_a_text_of_a_statement_has_no_backslash(dialect: str) -> None:
    mapping = parse(json.dumps(interactions(track={"a\\b": {"event_type": "\\"}})))
    for statement in plan(dialect, mapping).statements:
        assert "\\" not in statement.sql
