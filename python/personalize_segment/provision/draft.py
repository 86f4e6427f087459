"""A plan in the making: its steps so far, and the rules that hold for every kind of resource."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from . import failures
from .account import ACTIVE, Account, Found
from .prices import Prices
from .spec import Spec

Action = Literal["create", "update", "replace", "delete", "wait", "blocked", "nothing"]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan.

    `call` is the operation and its request; None if the step has to wait for another one first,
    or does nothing. `cost` is what it will cost while it runs.
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
        """What an error calls it."""
        return f"{self.kind} {self.name}"


#: Kinds whose creation takes no tags.
UNTAGGED = ("Schema", "MetricAttribution")


class Draft:
    """What is wanted, what there is, and the steps between them that are known by now."""

    def __init__(
        self, spec: Spec, account: Account, prices: Prices, contents: dict[str, str], accepted: Collection[str]
    ) -> None:
        self.spec, self.account, self.prices = spec, account, prices
        self.contents, self.accepted = contents, accepted
        self.steps: list[Step] = []
        self.tags = {"tags": [{"tagKey": key, "tagValue": value} for key, value in sorted(spec.tags.items())]}
        #: ARNs of what the spec still has.
        self.kept: set[str] = set()

    def add(self, action: Action, kind: str, name: str, why: str = "", **more: Any) -> None:
        """Add a step."""
        self.steps.append(Step(action, kind, name, why, **more))

    def settled(
        self, found: Found | None, kind: str, name: str, create: dict[str, Any] | None, cost: str = "", after: str = ""
    ) -> Found | None:
        """Add the step that makes `name` be there; return it once it is ACTIVE and at rest.

        `create` is the request that makes it, None while something it needs isn't there.
        """
        if found is None:
            tags = self.tags if self.spec.tags and kind not in UNTAGGED else {}
            call = (f"Create{kind}", create | tags) if create else None
            older = next((one for one in self.older(kind, name)), None)
            why = ", ".join(filter(None, [f"in place of {older}" if older else "", "" if create else after]))
            self.add("replace" if older else "create", kind, name, why, cost=cost, call=call)
            return None
        self.kept.add(found.arn)
        if found.busy:
            self.add("wait", kind, name, found.update.get("status") or found.status, cost=cost)
            return None
        if found.status.endswith("FAILED"):
            if found.failure_id in self.accepted:
                noun = kind[0].lower() + kind[1:]
                call = (f"Delete{kind}", {f"{noun}Arn": found.arn})
                self.add("replace", kind, name, f"it failed: {found.failure}", cost=cost, call=call)
            else:
                self.blocked(kind, name, str(found.failure))
            return None
        return found

    def older(self, kind: str, name: str) -> Iterable[str]:
        """Return names of the same part of the stack with another digest: immutable things are replaced."""
        part = re.fullmatch(r"(.+)-[0-9a-f]{8}", name)
        if part and kind != "Schema":
            for one in self.account.all():
                if one.kind == kind and re.fullmatch(re.escape(part[1]) + "-[0-9a-f]{8}", one.name):
                    yield one.name

    def blocked(self, kind: str, name: str, why: str, remedy: str | None = None) -> None:
        """Add a step that can't be done."""
        self.add("blocked", kind, name, why, remedy=remedy or failures.remedy(why))

    def updated(
        self,
        found: Found,
        name: str,
        wanted: dict[str, Any],
        there: dict[str, Any],
        request: dict[str, Any],
        cost: str = "",
    ) -> bool:
        """Add the step that changes `there` into `wanted`; return whether there is none to do."""
        changed = [key for key in wanted if wanted[key] != there.get(key)]
        failed = found.failure
        if not changed and not failed:
            self.add("nothing", found.kind, name, cost=cost)
            return True
        if failed and found.failure_id not in self.accepted:
            self.blocked(found.kind, name, f"the last update failed: {failed}", failures.remedy(failed))
            return False
        why = ", ".join(f"{key}: {text(there.get(key))} → {text(wanted[key])}" for key in changed)
        noun = found.kind[0].lower() + found.kind[1:]
        call = (f"Update{found.kind}", {f"{noun}Arn": found.arn} | request)
        if failed:
            why = f"again, the last update failed: {failed}" + (f"; {why}" if why else "")
        self.add("update", found.kind, name, why, cost=cost, call=call)
        return False

    def all_datasets(self) -> bool:
        """Whether every dataset of the spec is there and at rest."""
        types = {one.type for one in self.spec.datasets}
        found = self.account.datasets
        return types <= set(found) and all(found[one].status == ACTIVE and not found[one].busy for one in types)


def text(value: Any) -> str:
    """Return a value as a plan shows it."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
