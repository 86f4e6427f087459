"""The grammar of the event mapping: valid and invalid mappings, errors, and the canonical text."""

import base64
import copy
import json
import os
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from awkward import NUMBERS
from documents import Refused, refused
from golden_cases import TESTS, valid_mappings
from personalize_segment.contract.json_schema import json_schema
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.errors import MappingError

VALID = valid_mappings()
REFUSED = refused(TESTS / "mappings" / "refused.json")
DEFAULT: dict[str, Any] = json.loads(default_text())
EDITOR = Draft7Validator(json_schema())
SMALLEST: dict[str, Any] = json.loads(VALID["smallest"])


@pytest.mark.parametrize("text", VALID.values(), ids=list(VALID))
def test_a_valid_mapping_is_taken_as_it_is_written(text: str) -> None:
    document = json.loads(text)
    mapping = parse(text)
    assert _exact(mapping.text) == {key: value for key, value in _exact(text).items() if key != "$schema"}
    bodies = [document[one] for one in ("interactions", "users", "items") if one in document]
    assert len(mapping.datasets) == len(bodies)
    named = {(call, name) for body in bodies for call in ("track", "page", "screen") for name in body.get(call, {})}
    of_any = {(call, None) for body in bodies for call in ("page", "screen") if f"any_{call}" in body}
    assert set(mapping.by_event) == named | of_any | ({("identify", None)} if "users" in document else set())


def _exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_an_invalid_mapping_is_refused_with_place_problem_and_remedy(case: Refused) -> None:
    with pytest.raises(MappingError) as caught:
        parse(case.text)
    error = caught.value
    assert error.place == case.place
    assert case.problem in error.problem
    assert case.remedy in error.remedy
    assert str(error) == f"{error.place}: {error.problem}. {error.remedy}."


def test_no_relative_path_of_a_rule_itself_is_sent_back_to_each() -> None:
    for name in ("each-relative", "path-of-a-condition-relative"):
        with pytest.raises(MappingError) as caught:
            parse(REFUSED[name].text)
        assert "each" not in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("plan", "PLAN"), ("Favorite brand", "FAVORITE_BRAND"), ("_PLAN", "PLAN"), ("a-b.c", "A_B_C")],
)
def test_the_column_name_that_a_remedy_suggests_is_taken(name: str, suggested: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse(_with_a_column(name))
    assert caught.value.remedy.endswith(f", beginning with a letter, such as {suggested}")
    assert suggested in [column.name for column in parse(_with_a_column(suggested)).datasets[1].columns]


@pytest.mark.parametrize("name", ["größe", "9lives", "ÄRGER", "", "A" * 64, "-", "本"])
def test_no_column_name_is_suggested_where_upper_case_and_underscores_make_none(name: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse(_with_a_column(name))
    assert caught.value.remedy.endswith(", beginning with a letter")


def _with_a_column(name: str) -> str:
    return json.dumps(SMALLEST | {"users": {"fields": {"USER_ID": {"from": ["userId"]}, name: _field("traits.x")}}})


def _field(path: str, kind: str = "string") -> dict[str, Any]:
    return {"from": [path], "type": kind, "optional": True}


def test_a_users_column_may_be_called_event_type_and_is_one_like_any_other() -> None:
    fields = {"USER_ID": {"from": ["userId"]}, "EVENT_TYPE": _field("traits.event_type", "float")}
    users = parse(json.dumps(SMALLEST | {"users": {"fields": fields}})).datasets[1]
    (column,) = (one for one in users.columns if one.name == "EVENT_TYPE")
    assert (column.type, column.nullable) == ("float", True)
    assert all(rule.sources[users.columns.index(column)] is not None for rule in users.rules)


def test_an_event_name_has_no_limit_where_it_is_no_event_type() -> None:
    fields = {"ITEM_ID": {"from": ["i"]}, "PRICE": _field("p", "float")}
    mapping = parse(json.dumps(SMALLEST | {"items": {"fields": fields, "track": {"x" * 257: {}, "": {}}}}))
    assert [rule.name for rule in mapping.datasets[1].rules] == ["x" * 257, ""]


@pytest.mark.parametrize("name", ["Removed", "Refund", "Cancel", "Return", "Ad "])
def test_the_default_mapping_has_no_rule_for_what_is_no_interest_in_an_item(name: str) -> None:
    # Personalize can't undo an interaction, so an event that reverts something must not count as one.
    assert not [event for _, event in parse(default_text()).by_event if event and name.lower() in f"{event} ".lower()]


@pytest.mark.parametrize("depth", [10, 200, 500, 900, 950, 990, 1000, 100_000])
@pytest.mark.parametrize("shape", ["[]", '{"a":}', '{"version":}', '{"version":[]}', '{"interactions":[]}'])
def test_a_mapping_of_any_depth_is_refused_without_another_error(depth: int, shape: str) -> None:
    middle = shape.index(":") + 1 if ":" in shape else 1
    text = shape[:middle] + '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2) + shape[middle:]
    with pytest.raises(MappingError):
        parse(text)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        st.sampled_from(["", ".", ".a", "a.b", "a..b", "*", "string", "float", "ids", "x" * 257, "\ud800", "e\u0301"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Draw a mapping that was valid, with up to three places replaced, taken out or added."""
    document = json.loads(draw(st.sampled_from(list(VALID.values()))))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        container, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["replace", "take out", "add", "copy"]))
        other, place = draw(st.sampled_from(places))
        if what == "take out":
            del container[key]
        elif what == "add" and isinstance(container, dict):
            container[draw(st.sampled_from(["EVENT_TYPE", "ITEMID", "each", "type", "USER_ID"]) | st.text())] = draw(
                JSON
            )
        else:
            container[key] = copy.deepcopy(other[place]) if what == "copy" and other is not container else draw(JSON)
        if not document:
            break
    return document


def _places(value: Any) -> Any:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _outcome(text: str) -> EventMapping | MappingError:
    try:
        return parse(text)
    except MappingError as error:
        return error


@settings(max_examples=300)
@example({})
@example([])
@example(DEFAULT | {"version": float("nan")})
@given(JSON | mutated())
def test_any_document_is_a_mapping_or_an_error_that_says_where(document: Any) -> None:
    outcome = _outcome(json.dumps(document))
    if isinstance(outcome, MappingError):
        assert outcome.place.startswith("$")
        assert outcome.problem
        assert outcome.remedy
        return
    assert _meaning(parse(outcome.text)) == _meaning(outcome)
    assert [error.message for error in EDITOR.iter_errors(document)] == []
    for dataset in outcome.datasets:
        for rule in dataset.rules:
            # zip(strict=True) in rows.py relies on this, and Avro on null only in optional columns.
            assert len(rule.sources) == len(dataset.columns)
            for column, source in zip(dataset.columns, rule.sources, strict=True):
                assert source is not None or column.nullable


@given(st.text(max_size=30) | st.sampled_from(["\ufeff{}", "1" * 5000, "NaN", '{"version": ' + "1" * 5000 + "}"]))
def test_any_text_is_a_mapping_or_an_error(text: str) -> None:
    with pytest.raises(MappingError):
        parse(text)


@pytest.mark.parametrize("text", VALID.values(), ids=list(VALID))
def test_the_canonical_text_is_a_fixed_point(text: str) -> None:
    mapping = parse(text)
    assert parse(mapping.text).text == mapping.text
    assert parse(mapping.text).sha256 == mapping.sha256


def _meaning(mapping: EventMapping) -> list[tuple[object, ...]]:
    """Return the parts that don't depend on the order of the rules."""
    return [(one.name, one.columns, frozenset(one.rules)) for one in mapping.datasets]


@settings(max_examples=50)
@given(st.data())
def test_the_canonical_text_knows_neither_the_order_of_keys_nor_white_space_nor_escapes(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(list(VALID.values())))

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in data.draw(st.permutations(list(value)))}
        return [shuffled(one) for one in value] if isinstance(value, list) else value

    written = json.dumps(shuffled(json.loads(text)), indent=data.draw(st.none() | st.integers(0, 3)))
    assert parse(written).text == parse(text).text
    assert _meaning(parse(written)) == _meaning(parse(text))


def test_the_schema_for_editors_is_no_part_of_the_digest() -> None:
    assert parse(json.dumps({"$schema": "./mapping.schema.json"} | SMALLEST)) == parse(VALID["smallest"])


def test_a_changed_mapping_has_another_digest() -> None:
    digests = {parse(text).sha256 for text in VALID.values()}
    assert len(digests) == len(VALID)


def _names_of_every_letter() -> str:
    """Return a mapping whose events are called by each character below U+3000 that a mapping may hold."""
    letters = [chr(code) for code in range(0x20, 0x3000)]
    names = [f"x {one} " for one in letters if unicodedata.category(one) != "Cc"]
    track = {name: {"event_type": "View"} for name in names if unicodedata.is_normalized("NFC", name)}
    return json.dumps({**SMALLEST, "interactions": {**SMALLEST["interactions"], "track": track}})


def _with_a_bound(number: str) -> str:
    rule = f'{{"when": {{"properties.x": {{"above": {number}}}}}}}'
    return json.dumps(SMALLEST).replace('"Product Viewed": {}', f'"Product Viewed": {rule}')


@pytest.mark.parametrize("number", ["0", "1e3", "0.1", "19.90", "1e308", "5e-324", "9223372036854775808", "1" * 100])
def test_the_canonical_text_of_a_number_is_taken_as_it_is(number: str) -> None:
    text = parse(_with_a_bound(number)).text
    assert parse(text).text == text


@pytest.mark.parametrize(
    "number",
    ["-0", "-0.0", "0.10000000000000001", "1e309", "1" + "0" * 400, "1" * 101, "1e-400", "1e-99999999999999999999"],
)
def test_a_number_that_terraform_reads_otherwise_is_refused(number: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse(_with_a_bound(number))
    assert caught.value.place == '$.interactions.track["Product Viewed"].when["properties.x"].above'
    assert caught.value.problem == "is -0, or isn't exact as a 64-bit float"


def test_the_canonical_text_is_what_terraform_encodes(tmp_path: Path) -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("terraform is not on the path: nothing compares the canonical text with its jsonencode here")
    numbers = [text for text in map(_with_a_bound, NUMBERS) if isinstance(_outcome(text), EventMapping)]
    texts = [*VALID.values(), _names_of_every_letter(), *numbers]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.json").write_text(text, "utf-8")
    document = '{for key, value in jsondecode(file("${number}.json")) : key => value if key != "$schema"}'
    encoded = f"base64encode(jsonencode({document}))"
    console = subprocess.run(
        [terraform, "console"],
        input=f'join(",", [for number in range({len(texts)}) : {encoded}])\n',
        env=os.environ | {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(console.stdout).split(",")
    assert [base64.b64decode(one).decode() for one in answers] == [parse(text).text for text in texts]
