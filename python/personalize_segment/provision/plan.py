"""Spec and state -> plan: what has to be done so that there is what there shall be. It is data.

A plan is made anew after every step, from what AWS says. So it can be stopped anywhere, and two
at once come to the same end.
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

    `contents` are the digests of what lies at the imports' locations, by dataset. A failure
    whose id is in `accepted` was there before and is tried again; any other blocks.
    """
    draft = Draft(spec, state, prices, contents, accepted)
    group = datasets.group(draft)
    # A list, not a generator: each one adds its steps, whatever the others do.
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
    """What the live function reads; written when it is there, so that it never points nowhere."""
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
            draft.add("create" if known is None else "update", "Parameter", path, "after what it names")
        elif known != value:
            call = ("PutParameter", {"Name": path, "Value": value, "Type": "String", "Overwrite": True})
            draft.add("create" if known is None else "update", "Parameter", path, call=call)
        else:
            draft.add("nothing", "Parameter", path)


#: What the names of our parameters look like below the prefix.
PARAMETER = re.compile(r"tracking_id|(campaigns|recommenders|filters|datasets)/[\w-]+")


def _leftovers(draft: Draft, *, ready: bool) -> None:
    """What the spec no longer has, and what was replaced: deleted when all the rest is at rest."""
    state = draft.state
    why = "not in the spec" + ("" if ready else ", after all the rest")
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

    # Only one of the stack's name: any other was adopted, and its owner may want it.
    if not draft.spec.tracker and state.tracker is not None and state.tracker.name == draft.spec.name:
        delete([state.tracker])
    for resources in (state.campaigns, state.recommenders, state.filters, state.attributions, state.solutions):
        delete(resource for resource in resources if resource.arn not in draft.kept)
    used = {dataset.detail["schemaArn"] for dataset in state.datasets.values()}
    delete(schema for schema in state.schemas if schema.arn not in used | draft.kept)


def stale_parameters(spec: Spec, state: StackState, wanted: Collection[str] = ()) -> list[str]:
    """Return the names of our parameters that are not `wanted`."""
    prefix = f"{spec.ssm_prefix}/"
    return [
        path
        for path in sorted(state.parameters)
        if path not in wanted and PARAMETER.fullmatch(path.removeprefix(prefix))
    ]
