"""The desired state of a Segment workspace: the output `segment` of a stack, and the user's choices."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import WorkspaceError

#: Keys and types of `terraform output segment`.
_OUTPUTS: dict[str, type | tuple[type, ...]] = {
    "role_arn": str,
    "external_ids": list,
    "function_arn": str,
    "region": str,
    "destination_filter": str,
    "write_key": (str, type(None)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The user's choices.

    `sources` are ids, slugs or names of Segment sources. `settings` are added to those of the destination, or replace
    them; None removes one. `destination_type` and `write_back_type` are names, slugs or ids in Segment's catalogs.
    `adopt` and `replace_write_key` allow changes to resources that this package didn't create.
    """

    sources: Sequence[str]
    write_back_source: str | None = None
    external_id: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    filtered: bool = True
    adopt: bool = False
    replace_write_key: bool = False
    destination_type: str = "Amazon Personalize"
    write_back_type: str = "HTTP API"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The resources of the stack `name` in Segment. All their names begin with `name`."""

    name: str
    outputs: Mapping[str, Any]
    choices: Choices

    @property
    def destination_name(self) -> str:
        """The name of the stack's destinations."""
        return f"{self.name}: Amazon Personalize"

    @property
    def source_slug(self) -> str:
        """The slug of a new write-back source, unique to the stack's region and account."""
        region, account = self.outputs["function_arn"].split(":")[3:5]
        return f"{self.name}-{region}-{account}-recommendations"

    @property
    def filter_title(self) -> str:
        """The title of the stack's destination filters."""
        return f"{self.name}: events that the event mapping knows"

    @property
    def condition(self) -> str:
        """The condition to drop an event. Segment's API has no action to send only matching events."""
        return f"!( {self.outputs['destination_filter']} )"

    def settings(self, workspace_id: str, source_id: str) -> dict[str, Any]:
        """Return the settings of a source's destination. Raises WorkspaceError if the external id isn't clear."""
        named = {
            "function": self.outputs["function_arn"],
            "roleAddress": self.outputs["role_arn"],
            "region": self.outputs["region"],
            "externalId": self._external_id(workspace_id, source_id),
            "logType": "None",
        }
        return {key: value for key, value in {**named, **self.choices.settings}.items() if value is not None}

    def _external_id(self, workspace_id: str, source_id: str) -> str:
        allowed = [str(one) for one in self.outputs["external_ids"]]
        chosen = self.choices.external_id
        if chosen is not None:
            if chosen not in allowed:
                problem = f"the stack's role doesn't trust {chosen!r}, only {', '.join(allowed)}"
                raise WorkspaceError("--external-id", problem, "Add it to `segment_external_ids` and apply Terraform")
            return chosen
        for one in (workspace_id, source_id):
            if one in allowed:
                return one
        problem = f"{', '.join(allowed)}: not the id of the token's workspace ({workspace_id}), nor of the source"
        raise WorkspaceError(
            "outputs: segment.external_ids", problem, "Choose one with --external-id, or use the workspace's own token"
        )


def read(name: str, outputs: Mapping[str, Any], choices: Choices) -> Wanted:
    """Return the desired state from a stack's output. Raises WorkspaceError if something is missing."""
    for key, kind in _OUTPUTS.items():
        if key not in outputs or not isinstance(outputs[key], kind):
            remedy = "Apply the current version of the Terraform modules, and pass `terraform output -json` again"
            raise WorkspaceError(f"outputs: segment.{key}", "is missing", remedy)
    return Wanted(name, outputs, choices)


def setting(text: str) -> tuple[str, Any]:
    """Return the name and value of NAME=VALUE. The value is JSON, or else a string, or None if it is empty."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise WorkspaceError(f"--setting {text}", "isn't NAME=VALUE", "Write the setting's name, = and its value")
    try:
        return name, json.loads(value) if value else None
    except ValueError:
        return name, value
