"""Lint finds each kind of rule that can never match, with place and remedy, and nothing else."""

import json
from typing import Any

import pytest

from golden_cases import valid_mappings
from personalize_segment.contract.lint import LintWarning, lint, written_rules
from personalize_segment.contract.mapping import default_text, parse

Document = dict[str, Any]


def found(
    *, track: Any = None, users: Document | None = None, items: Document | None = None, **interactions: Any
) -> list[LintWarning]:
    """Return the warnings for a mapping of one event with these parts."""
    fields = {"USER_ID": ["userId"], "ITEM_ID": ["properties.sku"], "TIMESTAMP": ["timestamp"]}
    shared = {name: {"from": paths} for name, paths in fields.items()} | interactions.pop("fields", {})
    document: Document = {
        "version": 1,
        "interactions": {"fields": shared, "track": {"Seen": {}} if track is None else track} | interactions,
    }
    document |= {} if users is None else {"users": users}
    document |= {} if items is None else {"items": items}
    return lint(parse(json.dumps(document)))


def field(*paths: str, kind: str = "string") -> Document:
    return {"from": list(paths), "type": kind, "optional": True}


def column(*paths: str, kind: str = "string") -> Document:
    return {"fields": {"SIZE": field(*paths, kind=kind)}}


USER = {"USER_ID": {"from": ["userId"]}}


def test_the_default_mapping_has_nothing_in_vain() -> None:
    assert lint(parse(default_text())) == []


@pytest.mark.parametrize(
    ("path", "problem", "remedy"),
    [
        ("propertis.size", "begins with 'propertis'", "Write 'properties.size'"),
        ("Properties.size", "begins with 'Properties'", "Write 'properties.size'"),
        ("property.size", "begins with 'property'", "Write 'properties.size'"),
        ("user_id", "begins with 'user_id'", "Write 'userId'"),
        ("conText.page.url", "begins with 'conText'", "Write 'context.page.url'"),
        ("$.properties.size", "begins with '$'", "Begin with properties, context"),
        ("size", "begins with 'size'", "Begin with properties, context"),
        ("properties.sizes[0]", "ends with [0], not for an element", 'Use "each"'),
        ("properties.sizes[0].name", "ends with [0], not for an element", 'Use "each"'),
        ("properties.sizes[-1]", "ends with [-1], not for an element", 'Use "each"'),
        ("traits.size", "exists only in identify calls, not in track", "Write 'context.traits.size'"),
        ('properties["a.b"]', "has brackets", "Rename the key"),
        ("properties['size']", "has brackets", "Write 'properties.size'"),
        ("properties.a\\.b", "can't reach a key with a dot", "Rename the key"),
    ],
)
def test_a_path_that_never_leads_anywhere_is_found(path: str, problem: str, remedy: str) -> None:
    for finding, at in (
        (found(fields=column(path)["fields"])[0], "$.interactions.fields.SIZE.from[0]"),
        (found(track={"Seen": column(path)})[0], "$.interactions.track.Seen.fields.SIZE.from[0]"),
    ):
        assert finding.place == at
        assert problem in finding.problem
        assert remedy in finding.remedy
        assert str(finding) == f"{finding.place}: {finding.problem}. {finding.remedy}."


@pytest.mark.parametrize(
    "path",
    [
        *("properties.size", "context.traits.size", "anonymousId", "version", "category", "integrations.a", "traits"),
        *("properties.traits.size", "properties.a b", "properties.[x", "properties.0", "receivedAt"),
    ],
)
def test_a_path_that_may_lead_somewhere_is_not(path: str) -> None:
    assert found(track={"Seen": column(path)}) == []


def test_each_and_conditions_and_the_session_have_paths_too() -> None:
    sku = {"fields": {"ITEM_ID": {"from": [".sku", "sku"]}}}
    rule = {"each": "propertes.products", "when": {"traits.vip": {"is": True}}} | sku
    places = {one.place: one.remedy for one in found(track={"Seen": rule}, session={"from": ["sessionId"]})}
    assert places == {
        "$.interactions.track.Seen.each": "Write 'properties.products'",
        "$.interactions.track.Seen.fields.ITEM_ID.from[1]": (
            "Write '.sku' for a key of the element, or begin with properties, context or another common field of "
            "Segment events"
        ),
        '$.interactions.track.Seen.when["traits.vip"]': "Write 'context.traits.vip'",
        "$.interactions.session.from[0]": "Begin with properties, context or another common field of Segment events",
    }


def test_traits_are_those_of_identify_and_properties_those_of_other_calls() -> None:
    size = {"fields": USER | column("properties.size", "traits.size")["fields"]}
    (finding,) = found(users=size)
    assert finding.place == "$.users.fields.SIZE.from[0]"
    assert finding.remedy == "Write 'traits.size'"
    # A rule of track that inherits both reads the first, identify the second.
    assert found(users=size | {"track": {"Seen": {}}}) == []
    (finding,) = found(users=size | {"track": {"Seen": {"fields": {"SIZE": {"from": ["traits.size", "userId"]}}}}})[1:]
    assert finding.place == "$.users.track.Seen.fields.SIZE.from[0]"
    (finding,) = found(users={"fields": USER | column("traits.size")["fields"], "when": {"properties.a": {"is": 1}}})
    assert finding.place == '$.users.when["properties.a"]'


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"track": {"*": {}}}, '$.interactions.track["*"]'),
        ({"page": {"*": {"event_type": "View"}}}, '$.interactions.page["*"]'),
    ],
)
def test_a_star_is_no_name_of_every_event(change: Document, place: str) -> None:
    (finding,) = found(**change)
    assert finding.place == place
    assert finding.remedy == ('Use "any_page"' if "page" in change else "Write one rule for each name")


def test_a_column_that_no_rule_can_fill_is_found_where_it_is_written_first() -> None:
    at = [one.place for one in found(fields=column("traits.size", "props.size")["fields"])]
    assert at[-1] == "$.interactions.fields.SIZE"
    at = [one.place for one in found(track={"A": column("traits.size"), "B": column("a.b"), "C": {}})]
    assert "$.interactions.track.A.fields.SIZE" in at
    # One path, or one constant, is enough.
    for other in (column("properties.size"), {"fields": {"SIZE": {"value": "L", "type": "string"}}}):
        at = [one.place for one in found(track={"A": column("traits.size"), "B": other})]
        assert at == ["$.interactions.track.A.fields.SIZE.from[0]"]


BIG = {"when": {"properties.size": {"is": "L"}}}


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"track": {"Seen": [BIG, {}]}}, []),
        ({"track": {"Seen": [{}, BIG]}}, ["$.interactions.track.Seen[1]"]),
        ({"track": {"Seen": [BIG, {"when": {}}, BIG, {}]}}, [f"$.interactions.track.Seen[{i}]" for i in (2, 3)]),
        ({"any_page": [{"event_type": "View"}, {"event_type": "View"} | BIG]}, ["$.interactions.any_page[1]"]),
        # A rule for one name leaves other names to the rule for any.
        ({"page": {"Home": {}}, "any_page": {"event_type": "View"}}, []),
    ],
)
def test_a_rule_behind_one_without_conditions_is_never_reached(change: Document, places: list[str]) -> None:
    findings = found(**change)
    assert [one.place for one in findings] == places
    assert all('has no "when"' in one.problem for one in findings)


@pytest.mark.parametrize(
    ("test", "contradicts"),
    [
        ({"above": 5, "below": 5}, True),
        ({"above": 5, "at_most": 5}, True),
        ({"at_least": 5, "below": 5}, True),
        ({"at_least": 5, "at_most": 5}, False),
        ({"at_least": 6, "at_most": 5.5}, True),
        ({"above": 4, "below": 5}, False),
        ({"above": 1, "at_least": 9, "at_most": 8}, True),
        ({"above": 4}, False),
    ],
)
def test_bounds_without_a_number_between_them_contradict(test: Document, contradicts: bool) -> None:
    findings = found(track={"Seen": {"when": {"properties.size": test}}})
    assert [one.place for one in findings] == ['$.interactions.track.Seen.when["properties.size"]'] * contradicts


ABSENT = {"present": False}


@pytest.mark.parametrize(
    ("rule", "need"),
    [
        ({"when": {"properties.sku": ABSENT}}, "ITEM_ID"),
        ({"when": {"properties": ABSENT}}, "ITEM_ID"),
        (
            {"when": {"properties.size": ABSENT, "properties.size.eu": {"above": 3}}},
            "the condition on 'properties.size.eu'",
        ),
        ({"when": {"properties.all": ABSENT}, "each": "properties.all.of"}, '"each"'),
        ({"when": {"properties.size": ABSENT}}, None),
        ({"when": {"properties.sku": {"present": True}}}, None),
        ({"when": {"properties.size": ABSENT, "properties.size.eu": ABSENT}}, None),
        ({"when": {"properties.sku": ABSENT}, "fields": {"ITEM_ID": {"from": ["properties.id"]}}}, None),
        # An inherited list of paths still has another one.
        (
            {"when": {"properties.id": ABSENT}, "fields": {"ITEM_ID": {"from": ["properties.id", "properties.sku"]}}},
            None,
        ),
        ({"when": {"properties.size": ABSENT}, **column("properties.size")}, None),
    ],
)
def test_a_condition_that_takes_away_what_the_rule_needs_contradicts(rule: Document, need: str | None) -> None:
    findings = found(track={"Seen": rule})
    assert [f"but {need} needs it" in one.problem for one in findings] == [True] * (need is not None)


@pytest.mark.parametrize(
    ("shared", "own", "place"),
    [
        (["context.traits.customer_id", "userId"], {}, "$.interactions.fields.USER_ID.from[0]"),
        (["context.traits.id"], USER, None),
        (["userId"], {"USER_ID": {"from": ["anonymousId"]}}, "$.interactions.track.Seen.fields.USER_ID.from[0]"),
        (["userId", "properties.customer_id"], {}, None),
    ],
)
def test_a_user_who_is_not_the_user_id_gets_no_write_back(shared: list[str], own: Document, place: str | None) -> None:
    findings = found(fields={"USER_ID": {"from": shared}}, track={"Seen": {"fields": own}})
    said = [one.place for one in findings if "recommendations are only written back" in one.problem]
    assert said == ([] if place is None else [place])


@pytest.mark.parametrize("text", valid_mappings().values(), ids=list(valid_mappings()))
def test_every_rule_has_its_json_path(text: str) -> None:
    mapping = parse(text)
    rules = written_rules(mapping)
    assert len(rules) == sum(len(dataset.rules) for dataset in mapping.datasets)
    assert len({rule.at for rule in rules}) == len(rules) == len({rule.key for rule in rules})
