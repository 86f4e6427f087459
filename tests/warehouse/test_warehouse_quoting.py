"""No name or value of a mapping escapes its quotes, and the statements of any mapping parse."""

import json
import unicodedata
from datetime import date
from typing import Any

import duckdb
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sqlglot import exp

from personalize_segment.contract.columns import FORMATS
from personalize_segment.contract.mapping import EventMapping, Path, Source, parse
from personalize_segment.errors import MappingError, WarehouseError
from personalize_segment.warehouse import DIALECTS, Columns, TimeWindow, naming
from warehouse_engine import ACCESS, interactions, plan, queries, unloaded
from warehouse_loader import Event
from warehouse_types import assert_typed

dialects = pytest.mark.parametrize("dialect", list(ACCESS))

#: Names as an attacker, or a careful typist, writes them.
EVIL = [
    "it's", "' OR 1 = 1 --", "'); DROP TABLE x; --", "''", '"', '" OR "" = "', "a\\b", "\\'; DROP TABLE x; --", "\\\\'",
    "$$", "$$; DROP TABLE x; $$", "/* x */", "*/", "--", ";", "{{schema}}", "${x}", "%s", "?", ":x", "€ é 商品 👩‍👧",
    "a\u2028b", "\ufeff", "' || CHR(39) || '", "x' AS VARCHAR) --", "v1.2 Viewed", "a.b.c",
    "(base)",
]  # fmt: skip


names = st.one_of(
    st.sampled_from(EVIL),
    st.sampled_from(["order", "user", "2FA", "Users", "tracks", "x" * 130, "Product Viewed"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=6),
).map(lambda one: unicodedata.normalize("NFC", one))
keys = names.map(lambda one: one.replace(".", "")).filter(lambda one: one not in ("", "*"))
paths = st.builds(
    lambda root, below: ".".join([root, *below]),
    st.sampled_from(["properties", "context", "properties", "context.traits", "traits", "mine"]),
    st.lists(keys, min_size=1, max_size=2),
)
sources = st.lists(st.one_of(paths, st.sampled_from(["userId", "type", "event", "messageId"])), min_size=1, max_size=3)
TYPES = ["string", "float", "double", "int", "long", "boolean", "timestamp", "categories"]
constants = st.one_of(names, st.booleans(), st.integers(-(2**70), 2**70))
tests = st.one_of(
    st.builds(lambda flag: {"present": flag}, st.booleans()),
    st.builds(lambda texts: {"is": texts}, st.lists(constants, min_size=1, max_size=3)),
    st.dictionaries(
        st.sampled_from(["at_least", "above", "at_most", "below"]),
        # Valid in a mapping: no more digits than a float has, and no -0.
        st.floats(-1e300, 1e300).map(lambda number: float(f"{number:.15g}") + 0.0) | st.integers(-(10**15), 10**15),
        min_size=1,
    ),
)
conditions = st.dictionaries(st.one_of(paths, st.sampled_from(["type", "userId", "event"])), tests, max_size=2)


def rules(column: str, titles: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Draw rules that have their own paths for a column, and an event type where there is one."""
    title = names.map(lambda one: {"event_type": one[:256]} if titles else {})
    plain = st.builds(
        lambda said, found, when: said | {"fields": {column: {"from": found}}, "when": when}, title, sources, conditions
    )
    each = st.builds(
        lambda array, inner, found, when: {
            "each": array,
            "when": when,
            **({"event_type": "x"} if titles else {}),
            "fields": {column: {"from": [f".{inner}", ".", *found]}},
        },
        paths,
        st.lists(keys, min_size=1, max_size=4).map(".".join),
        sources,
        conditions,
    )
    rule = st.one_of(plain, each)
    return st.dictionaries(names, st.one_of(rule, st.lists(rule, min_size=1, max_size=2)), min_size=1, max_size=3)


def metadata(draw: st.DrawFn) -> dict[str, Any]:
    """Draw two columns that may be null."""
    found: dict[str, Any] = {}
    for number in range(2):
        found[f"C{number}"] = {"from": draw(sources), "type": draw(st.sampled_from(TYPES)), "optional": True}
        if found[f"C{number}"]["type"] == "timestamp":
            found[f"C{number}"]["format"] = draw(st.sampled_from(FORMATS))
    return found | {"C2": {"value": draw(names)[:1000], "type": "string"}}


@st.composite
def mappings(draw: st.DrawFn) -> EventMapping:
    """Draw any mapping that the grammar accepts."""
    found = rules("ITEM_ID", titles=True)
    body = interactions(track=draw(found), page=draw(found), screen={})
    body["interactions"]["fields"]["USER_ID"] = {"from": draw(sources)}
    body["interactions"]["fields"] |= metadata(draw)
    if draw(st.booleans()):  # with a rule for identify, whose events are unnamed
        body["users"] = {"fields": {"USER_ID": {"from": draw(sources)}} | metadata(draw), "when": draw(conditions)}
        if draw(st.booleans()):
            body["users"]["track"] = draw(rules("USER_ID", titles=False))
    if draw(st.booleans()):
        body["items"] = {"fields": {"ITEM_ID": {"from": draw(sources)}} | metadata(draw)}
        body["items"] |= {"track": draw(rules("ITEM_ID", titles=False))}
    if draw(st.booleans()):
        through = draw(st.builds("{}[].{}".format, paths, keys))
        body["interactions"]["fields"]["IMPRESSION"] = {"from": [*draw(sources), through], "optional": True}
    if draw(st.booleans()):
        body["interactions"]["any_page"] = {"event_type": "x", "when": draw(conditions)}
    try:
        return parse(json.dumps(body, ensure_ascii=False))
    except MappingError as error:
        if "event types" not in str(error):  # more than Personalize takes
            raise
        reject()


KINDS = ["text", "bigint", "double precision", "boolean", "timestamp", "super", "numeric(38,0)", "geometry"]


def catalog(draw: st.DrawFn, mapping: EventMapping, dialect: str) -> Columns | None:
    """Draw the existing tables and columns of a mapping with their types, or an unknown catalog."""
    if draw(st.booleans()):
        return None
    speech = DIALECTS[dialect]
    tables: dict[str, dict[str, str]] = {"tracks": {"event_text": "text", "received_at": "timestamp"}}
    for rule in (one for dataset in mapping.datasets for one in dataset.rules):
        table = naming.table(rule.call, rule.name, speech.reserved, speech.longest)
        if table is None or draw(st.integers(0, 4)) == 0:
            continue
        has = tables.setdefault(draw(st.sampled_from(table.names)), {})
        own = ["id", "event_text", "name", "received_at", "timestamp", "user_id"]
        has |= {one: "timestamp" if one in ("received_at", "timestamp") else "text" for one in own}
        paths = [path for one in rule.sources if isinstance(one, Source) for path in one.paths if not path.relative]
        paths += [*([rule.each] if rule.each else []), *(condition.path for condition in rule.when)]
        for path in (Path(path.segments[: path.through]) for path in paths):
            place = naming.column(rule.call, path, speech.reserved, speech.longest)
            if place is not None and draw(st.integers(0, 4)):
                has.setdefault(draw(st.sampled_from(place.names)), draw(st.sampled_from(KINDS)))
    return Columns({"prod": tables})


@dialects
def test_every_statement_of_a_generated_mapping_parses_and_reads_only_its_tables(dialect: str) -> None:
    constant = duckdb.connect()
    compared = set()

    @settings(max_examples=30)
    @given(mappings(), st.data(), st.sampled_from([None, date(2024, 3, 1)]))
    def check(mapping: EventMapping, data: st.DataObject, since: date | None) -> None:
        columns = data.draw(st.composite(catalog)(mapping, dialect))
        try:
            made = plan(dialect, mapping, columns=columns, received=TimeWindow.of_days(since))
        except WarehouseError:
            return  # no table to read
        for tree in queries(dialect, made):
            if dialect == "redshift":
                assert_typed(tree)
            schema = "prod" if dialect == "redshift" else "PROD"
            read = {(table.db, table.this.quoted) for table in tree.find_all(exp.Table) if table.name not in WITH_NAMES}
            assert read <= {(schema, True)}
            for test in tree.find_all(exp.EQ):
                if isinstance(test.this, exp.Column) and test.this.name.lower() in ("event_text", "name"):
                    value = constant.execute(f"SELECT {test.expression.sql('duckdb')}").fetchone()
                    assert value is not None
                    assert value[0] in {rule.name for dataset in mapping.datasets for rule in dataset.rules}
                    compared.add(value[0])

    check()
    assert compared


WITH_NAMES = {"candidates", "seen", "logins", "timeline", "visited", "stitched", "ranked", "counted", "listed"}


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
