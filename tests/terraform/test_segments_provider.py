"""The example for Segment's provider, which isn't available here. Its resources are checked against that provider's
documents, and their values, which Terraform computes, against `personalize-segment segment`.
"""

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from attached import attached
from personalize_emulator.server import Server
from personalize_segment.workspace.wanted import Choices, read
from programs import needs
from stacks import Stack

NAME = "terraform/examples/segments-own-provider"
TEXT = (Path(__file__).parents[2] / NAME / "main.tf").read_text("utf-8")
#: From docs/resources/*.md of segmentio/terraform-provider-segment 1.x: required and optional attributes.
DOCUMENTED = {
    "segment_destination": ({"enabled", "metadata", "settings", "source_id"}, {"name"}),
    "segment_destination_filter": (
        {"actions", "destination_id", "enabled", "if", "source_id", "title"},
        {"description"},
    ),
}
#: The same for the objects in them.
OBJECTS = {"metadata": ({"id"}, set[str]()), "actions": ({"type"}, {"fields", "path", "percent"})}
VARIABLES: dict[str, Any] = {"workspace_id": "9sQx2TbZ4k", "source_ids": {"website": "s1"}, "destination_type_id": "d1"}


def test_its_resources_have_what_the_provider_documents() -> None:
    found = set()
    for block in hcl2.loads(TEXT)["resource"]:
        [(quoted, named)] = block.items()
        [body] = named.values()
        kind = quoted.strip('"')
        found.add(kind)
        required, optional = DOCUMENTED[kind]
        given = {name for name in body if not name.startswith("__")} - {"for_each"}
        assert required <= given <= required | optional
        for name in OBJECTS.keys() & given:
            for one in body[name] if isinstance(body[name], list) else [body[name]]:
                needed, more = OBJECTS[name]
                assert needed <= {key.strip('"') for key in one if not key.startswith("__")} <= needed | more
    assert found == DOCUMENTED.keys()


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, package: Path) -> dict[str, Any]:
    """Return the outputs of a plan of the example, with its Segment resources turned into outputs."""
    needs("terraform", "planning the example for Segment's provider")
    text = re.sub(r"    # It reads its token.*?\n    segment = \{.*?\n    \}\n", "", TEXT, flags=re.DOTALL)
    text = text.replace("segment_destination.personalize[each.key].id", '"made-by-segment"')
    resource = re.compile(r'resource "(\w+)" "\w+" \{\n  for_each = ([^\n]+)\n(.*?)\n\}\n', re.DOTALL)
    text = resource.sub(r'output "\1" {\n  value = { for key, source in \2 : key => {\n\3\n  } }\n}\n', text)
    text = text.replace("each.value", "source")
    assert "segment_destination." not in text
    assert text.count("{ for key, source in ") == len(DOCUMENTED)
    with Server(region="us-west-2") as server:
        stack = Stack(tmp_path_factory.mktemp("segment"), server.environment(), package, root=NAME)
        (stack.folder / "main.tf").write_text(text)
        (stack.folder / "stack.auto.tfvars.json").write_text(json.dumps(VARIABLES))
        with attached(stack):
            stack("plan", "-no-color", "-out=planned")
            outputs = json.loads(stack("show", "-json", "planned"))["planned_values"]["outputs"]
    return {name: one["value"] for name, one in outputs.items()}


def test_it_makes_what_the_command_wants(planned: dict[str, Any]) -> None:
    """The command finds the provider's resources and changes nothing."""
    wanted = read("shop", planned["segment"], Choices(sources=["website"]))
    destination = planned["segment_destination"]["website"]
    assert destination.pop("settings") == json.dumps(
        wanted.settings(VARIABLES["workspace_id"], "s1"), separators=(",", ":"), sort_keys=True
    )
    assert destination == {
        "name": wanted.destination_name,
        "enabled": True,
        "source_id": "s1",
        "metadata": {"id": "d1"},
    }
    assert planned["segment_destination_filter"]["website"] == {
        "destination_id": "made-by-segment",
        "source_id": "s1",
        "title": wanted.filter_title,
        "if": wanted.condition,
        "enabled": True,
        "actions": [{"type": "DROP"}],
    }
