"""A stack is found in outputs at any depth, and named if there are several."""

import json
from typing import Any

import pytest

from personalize_segment.errors import MappingError, SpecError
from personalize_segment.provision import spec, terraform_outputs


def stack(name: str) -> dict[str, Any]:
    """Return the values of a stack's outputs."""
    document = {"version": 1, "name": name, "datasets": {"interactions": {}}}
    return {"personalize": document, "operations": {"queues": {"rejected": f"https://sqs/{name}"}}}


def outputs(**values: Any) -> str:
    """Return the output of `terraform output -json`."""
    return json.dumps({name: {"sensitive": False, "type": "dynamic", "value": one} for name, one in values.items()})


SHOP, MALL = stack("shop"), stack("mall")
SEVERAL = outputs(recommendations=SHOP, stacks={"eu": MALL})


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        pytest.param(outputs(**SHOP), None, "shop", id="at the top"),
        pytest.param(outputs(recommendations=SHOP), None, "shop", id="in an output"),
        pytest.param(outputs(stacks={"eu": MALL}), None, "mall", id="in an instance"),
        pytest.param(json.dumps(SHOP), None, "shop", id="a bare output"),
        pytest.param(json.dumps({"eu": MALL}), None, "mall", id="an instance in a bare output"),
        pytest.param(SEVERAL, "recommendations", "shop", id="by the output's name"),
        pytest.param(SEVERAL, "shop", "shop", id="by the stack's name"),
        pytest.param(SEVERAL, "eu", "mall", id="by the instance's name"),
        pytest.param(SEVERAL, "stacks.eu", "mall", id="by both names"),
    ],
)
def test_a_stack_is_found(text: str, name: str | None, found: str) -> None:
    assert spec.read(text, None, name).name == found
    assert terraform_outputs.value(text, "operations", "queues", "rejected", stack=name) == f"https://sqs/{found}"


@pytest.mark.parametrize("name", [None, "none"])
def test_several_stacks_are_listed(name: str | None) -> None:
    with pytest.raises(MappingError) as caught:
        terraform_outputs.value(SEVERAL, "operations", "queues", "rejected", stack=name)
    assert caught.value.problem == "has the outputs of 2 stacks: recommendations, stacks.eu"
    assert caught.value.remedy == "Select one with --stack: recommendations, stacks.eu"
    with pytest.raises(SpecError, match=r"has the outputs of 2 stacks: recommendations, stacks\.eu\."):
        spec.read(outputs(recommendations=SHOP, **{"stacks": {"eu": SHOP}}), None, name)


def test_a_spec_is_itself_whatever_its_parts_are_called() -> None:
    document = SHOP["personalize"] | {"solutions": {"datasets": {"recipe": "aws-popularity-count"}}}
    assert spec.read(json.dumps(document)).solutions[0].key == "datasets"
    assert spec.read(json.dumps(document), None, "shop").name == "shop"
    with pytest.raises(SpecError, match="has the outputs of 1 stack: shop"):
        spec.read(json.dumps(document), None, "mall")


@pytest.mark.parametrize("text", ["{}", "[]", '{"other": 5}', outputs(other="x")])
def test_what_holds_no_stack_has_none(text: str) -> None:
    assert terraform_outputs.value(text, "operations", "profile_table") is None
