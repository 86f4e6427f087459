"""The JSON Schema for editors accepts every valid mapping, and rejects local errors."""

import json

import pytest
from jsonschema import Draft7Validator

from documents import Refused, refused
from golden_cases import TESTS, valid_mappings
from personalize_segment.contract.json_schema import json_schema
from personalize_segment.contract.mapping import default_text

SCHEMA = Draft7Validator(json_schema())
VALID = valid_mappings() | {"default": default_text()}
REFUSED = refused(TESTS / "mappings" / "refused.json")
#: Editors report it anyway.
NOT_JSON = ("empty-file", "not-json", "not-json-but-with-comments")
#: Errors that the schema can't detect: those that Terraform misses, too, the Unicode form of a text, the length of an
#: event name used as event type, and missing inherited fields.
NOT_KNOWN = {name for name, case in REFUSED.items() if case.only_check} | {
    "event-name-empty",
    "letters-not-composed",
    "required-field-missing",
    "required-field-missing-in-one-rule",
}


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", VALID.values(), ids=list(VALID))
def test_a_valid_mapping_has_no_error(text: str) -> None:
    assert [error.message for error in SCHEMA.iter_errors(json.loads(text))] == []


@pytest.mark.parametrize(("name", "case"), REFUSED.items(), ids=list(REFUSED))
def test_an_invalid_mapping_has_an_error_unless_the_schema_cant_know_it(name: str, case: Refused) -> None:
    if name not in NOT_JSON:
        assert SCHEMA.is_valid(json.loads(case.text)) == (name in NOT_KNOWN)
