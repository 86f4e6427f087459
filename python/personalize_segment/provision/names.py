"""ARNs of a stack's resources by their names in the spec."""

import re
from collections.abc import Iterable

from ..errors import ProvisionError
from .spec import DIGEST, Spec
from .state import StackResource, StackState

APPLY = "Run `personalize-segment apply` first"


def served(state: StackState, spec: Spec, name: str | None) -> str:
    """Return the ARN of the campaign or recommender with this name, or of the only one. Raises ProvisionError."""
    names = [*(one.key for one in spec.campaigns), *(one.key for one in spec.recommenders)]
    if name is None and len(names) != 1:
        problem = f"has {len(names)} campaigns and recommenders" if names else "has no campaign and no recommender"
        remedy = f"Select one with --from: {', '.join(names)}" if names else "Add one to the spec, and apply it"
        raise ProvisionError(f"stack {spec.name}", problem, remedy)
    return _arn(spec, [*state.campaigns, *state.recommenders], name or names[0], names, "campaign or recommender")


def filter_arn(state: StackState, spec: Spec, name: str) -> str:
    """Return the ARN of the filter with this name; `name` may be an ARN. Raises ProvisionError."""
    return name if name.startswith("arn:") else _arn(spec, state.filters, name, spec.filters, "filter")


def _arn(spec: Spec, resources: list[StackResource], name: str, names: Iterable[str], kind: str) -> str:
    if name not in names:
        remedy = f"Name one of {', '.join(names)}" if names else f"Add a {kind} to the spec, and apply it"
        raise ProvisionError(f"stack {spec.name}", f"has no {kind} {name}", remedy)
    own = re.compile(rf"{re.escape(spec.name)}-{re.escape(name)}-{DIGEST}")
    # The newest one. An older one may be in the course of replacement.
    found = [one.arn for one in resources if own.fullmatch(one.name)]
    if not found:
        raise ProvisionError(f"stack {spec.name}", f"has no {kind} {name} yet", APPLY)
    return found[-1]
