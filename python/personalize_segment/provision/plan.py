"""Compute the plan: the steps from the current state to the desired state.

The plan is recomputed from AWS's answers after every step. So a run can be interrupted at any time, and two concurrent
runs lead to the same result.
"""

import re
from collections.abc import Collection, Iterable

from . import datasets, serving
from .prices import Prices
from .spec import Spec
from .state import ACTIVE, StackResource, StackState
from .steps import Draft, Step


def plan(
    spec: Spec, state: StackState, prices: Prices, contents: dict[str, str], accepted: Collection[str] = ()
) -> list[Step]:
    """Return all steps in the order of dependency.

    `contents` are the digests of the data at the imports' locations, by dataset. Failures whose id is in `accepted` are
    retried. Any other failure blocks.
    """
    draft = Draft(spec, state, prices, contents, accepted)
    group = datasets.group(draft)
    # A list, not a generator: every dataset adds its steps, whatever the others return.
    filled = all([datasets.dataset(draft, dataset, group) for dataset in spec.datasets])  # noqa: C419
    tracker = datasets.tracker(draft, group)
    ready = draft.datasets_ready()
    filters = {key: datasets.filter_(draft, key, text, group, ready=ready) for key, text in spec.filters.items()}
    solutions = {wanted.key: serving.solution(draft, wanted, group, ready=filled) for wanted in spec.solutions}
    campaigns = {wanted.key: serving.campaign(draft, wanted, *solutions[wanted.solution]) for wanted in spec.campaigns}
    recommenders = {wanted.key: serving.recommender(draft, wanted, group, ready=filled) for wanted in spec.recommenders}
    serving.attribution(draft, group)
    _parameters(draft, tracker, {"campaigns": campaigns, "recommenders": recommenders, "filters": filters})
    _leftovers(draft, ready=all(step.action == "nothing" for step in draft.steps))
    return draft.steps


def _parameters(draft: Draft, tracker: StackResource | None, parts: dict[str, dict[str, StackResource | None]]) -> None:
    """Plan the parameters for the live function. Each is written after its resource exists."""
    prefix = draft.spec.ssm_prefix
    if prefix is None:
        return
    values: dict[str, str | None] = {}
    if draft.spec.tracker:
        values["tracking_id"] = tracker.detail["trackingId"] if tracker else None
    for part, resources in parts.items():
        values |= {f"{part}/{key}": resource.arn if resource else None for key, resource in resources.items()}
    for wanted in draft.spec.datasets:
        dataset = draft.state.datasets.get(wanted.key)
        values[f"datasets/{wanted.key}"] = dataset.arn if dataset and dataset.status == ACTIVE else None
    for name, value in values.items():
        path = f"{prefix}/{name}"
        known = draft.state.parameters.get(path)
        if value is None:
            draft.add("create" if known is None else "update", "Parameter", path, "after its resource")
        elif known != value:
            call = ("PutParameter", {"Name": path, "Value": value, "Type": "String", "Overwrite": True})
            draft.add("create" if known is None else "update", "Parameter", path, call=call)
        else:
            draft.add("nothing", "Parameter", path)


#: The pattern of the stack's parameter names below the prefix.
PARAMETER = re.compile(r"tracking_id|(campaigns|recommenders|filters|datasets)/[\w-]+")


def _leftovers(draft: Draft, *, ready: bool) -> None:
    """Plan to delete replaced resources and those that the spec no longer has, after all other steps are done."""
    state = draft.state
    why = "not in the spec" + ("" if ready else ", after all other steps")
    named = {step.name for step in draft.steps if step.kind == "Parameter"}
    for path in stale_parameters(draft.spec, state, named):
        call = ("DeleteParameter", {"Name": path}) if ready else None
        draft.add("delete", "Parameter", path, why, call=call)

    def delete(resources: Iterable[StackResource]) -> None:
        for resource in resources:
            if resource.busy:
                draft.add("wait", resource.kind, resource.name, resource.status)
            else:
                call = resource.call("Delete") if ready else None
                draft.add("delete", resource.kind, resource.name, why, call=call)

    # Only a tracker with the stack's name. Any other was adopted, and its owner may need it.
    if not draft.spec.tracker and state.tracker is not None and state.tracker.name == draft.spec.name:
        delete([state.tracker])
    for resources in (state.campaigns, state.recommenders, state.filters, state.attributions, state.solutions):
        delete(resource for resource in resources if resource.arn not in draft.kept)
    used = {dataset.detail["schemaArn"] for dataset in state.datasets.values()}
    delete(schema for schema in state.schemas if schema.arn not in used | draft.kept)


def stale_parameters(spec: Spec, state: StackState, wanted: Collection[str] = ()) -> list[str]:
    """Return the names of the stack's parameters that aren't `wanted`."""
    prefix = f"{spec.ssm_prefix}/"
    return [
        path
        for path in sorted(state.parameters)
        if path not in wanted and PARAMETER.fullmatch(path.removeprefix(prefix))
    ]
