"""The steps of a plan, its draft, and the rules for all kinds of resources."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from . import failures
from .prices import Prices
from .spec import DIGEST, Spec
from .state import ACTIVE, StackResource, StackState

Action = Literal["create", "update", "replace", "delete", "wait", "blocked", "nothing"]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a plan.

    `call` is the operation and its request, or None if the step waits for another one or does nothing. `cost` is the
    running cost.
    """

    action: Action
    kind: str
    name: str
    why: str = ""
    remedy: str = ""
    cost: str = ""
    call: tuple[str, dict[str, Any]] | None = None

    @property
    def place(self) -> str:
        """The step's place in errors."""
        return f"{self.kind} {self.name}"


#: Called with each plan.
PlanProgress = Callable[[list[Step]], None]
#: Kinds that can't be created with tags.
UNTAGGED = ("Schema", "MetricAttribution")


class Draft:
    """The spec, the state, and the steps that are planned so far."""

    def __init__(
        self, spec: Spec, state: StackState, prices: Prices, contents: dict[str, str], accepted: Collection[str]
    ) -> None:
        self.spec, self.state, self.prices = spec, state, prices
        self.contents, self.accepted = contents, accepted
        self.steps: list[Step] = []
        #: ARNs of resources that the spec still has.
        self.kept: set[str] = set()

    def add(self, action: Action, kind: str, name: str, why: str = "", **more: Any) -> None:
        """Add a step."""
        self.steps.append(Step(action, kind, name, why, **more))

    def create(
        self,
        resource: StackResource | None,
        kind: str,
        name: str,
        request: dict[str, Any] | None,
        cost: str = "",
        after: str = "",
    ) -> StackResource | None:
        """Return the resource if it is ACTIVE and not busy. Otherwise add a step to create, replace or wait for it.

        `request` is None while something that it needs is missing.
        """
        if resource is None:
            call = (f"Create{kind}", request | ({} if kind in UNTAGGED else self.spec.tagging)) if request else None
            older = next(self._older(kind, name), None)
            why = ", ".join(filter(None, [f"replaces {older}" if older else "", "" if request else after]))
            self.add("replace" if older else "create", kind, name, why, cost=cost, call=call)
            return None
        self.kept.add(resource.arn)
        if resource.busy:
            self.add("wait", kind, name, resource.update.get("status") or resource.status, cost=cost)
            return None
        if resource.status.endswith("FAILED"):
            if resource.failure_id in self.accepted:
                why = f"it failed: {resource.failure}"
                self.add("replace", kind, name, why, cost=cost, call=resource.call("Delete"))
            else:
                self.block(kind, name, str(resource.failure))
            return None
        return resource

    def _older(self, kind: str, name: str) -> Iterator[str]:
        """Yield the names of the same part of the stack with another digest: it replaces immutable resources."""
        part = re.fullmatch(f"(.+)-{DIGEST}", name)
        if part and kind != "Schema":
            for resource in self.state.all():
                if resource.kind == kind and re.fullmatch(f"{re.escape(part[1])}-{DIGEST}", resource.name):
                    yield resource.name

    def block(self, kind: str, name: str, why: str, remedy: str | None = None) -> None:
        """Add a blocked step."""
        self.add("blocked", kind, name, why, remedy=remedy or failures.remedy(why))

    def update(
        self,
        resource: StackResource,
        name: str,
        wanted: dict[str, Any],
        known: dict[str, Any],
        request: dict[str, Any],
        cost: str = "",
    ) -> bool:
        """Add a step that changes `known` settings into `wanted` ones. Return whether nothing needs to change."""
        changed = [key for key in wanted if wanted[key] != known.get(key)]
        failed = resource.failure
        if not changed and not failed:
            self.add("nothing", resource.kind, name, cost=cost)
            return True
        if failed and resource.failure_id not in self.accepted:
            self.block(resource.kind, name, f"the last update failed: {failed}", failures.remedy(failed))
            return False
        why = ", ".join(f"{key}: {text(known.get(key))} → {text(wanted[key])}" for key in changed)
        operation, arn = resource.call("Update")
        if failed:
            why = f"retry, because the last update failed: {failed}" + (f"; {why}" if why else "")
        self.add("update", resource.kind, name, why, cost=cost, call=(operation, arn | request))
        return False

    def datasets_ready(self) -> bool:
        """Return whether all datasets of the spec are ACTIVE and not busy."""
        datasets = [self.state.datasets.get(dataset.key) for dataset in self.spec.datasets]
        return all(dataset and dataset.status == ACTIVE and not dataset.busy for dataset in datasets)


def text(value: Any) -> str:
    """Return the text of a value in a plan."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
