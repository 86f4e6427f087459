"""Spec and account -> plan: what has to be done so that there is what there shall be. It is data.

A plan is made anew after every step, from what AWS says. So it can be stopped anywhere, and two
at once come to the same end.
"""

import re
from collections.abc import Collection, Iterable

from . import data, serving
from .account import ACTIVE, Account, Found
from .draft import Draft, Step
from .prices import Prices
from .spec import Spec


def plan(
    spec: Spec, account: Account, prices: Prices, contents: dict[str, str], accepted: Collection[str] = ()
) -> list[Step]:
    """Return all steps in the order of dependency.

    `contents` are the digests of what lies at the imports' locations, by dataset. A failure
    whose id is in `accepted` was there before and is tried again; any other blocks.
    """
    draft = Draft(spec, account, prices, contents, accepted)
    group = data.group(draft)
    # A list, not a generator: each one adds its steps, whatever the others do.
    filled = all([data.dataset(draft, one, group) for one in spec.datasets])  # noqa: C419
    tracker = data.tracker(draft, group)
    there = draft.all_datasets()
    filters = {key: data.filter_(draft, key, text, group, ready=there) for key, text in spec.filters.items()}
    solutions = {one.key: serving.solution(draft, one, group, ready=filled) for one in spec.solutions}
    campaigns = {one.key: serving.campaign(draft, one, *solutions[one.solution]) for one in spec.campaigns}
    recommenders = {one.key: serving.recommender(draft, one, group, ready=filled) for one in spec.recommenders}
    serving.attribution(draft, group)
    _parameters(draft, tracker, campaigns, recommenders, filters)
    _leftovers(draft, ready=all(step.action == "nothing" for step in draft.steps))
    return draft.steps


def _parameters(draft: Draft, tracker: Found | None, *several: dict[str, Found | None]) -> None:
    """What the live function reads; written when it is there, so that it never points nowhere."""
    prefix = draft.spec.ssm_prefix
    if prefix is None:
        return
    values: dict[str, str | None] = {}
    if draft.spec.tracker:
        values["tracking_id"] = tracker.detail["trackingId"] if tracker else None
    for part, found in zip(("campaigns", "recommenders", "filters"), several, strict=True):
        values |= {f"{part}/{key}": one.arn if one else None for key, one in found.items()}
    for dataset in draft.spec.datasets:
        there = draft.account.datasets.get(dataset.type)
        values[f"datasets/{dataset.key}"] = there.arn if there and there.status == ACTIVE else None
    for name, value in values.items():
        path = f"{prefix}/{name}"
        known = draft.account.parameters.get(path)
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
    account = draft.account
    named = {step.name for step in draft.steps if step.kind == "Parameter"}
    for path in stale_parameters(draft.spec, account, named):
        call = ("DeleteParameter", {"Name": path}) if ready else None
        draft.add("delete", "Parameter", path, "not in the spec" + ("" if ready else ", after all the rest"), call=call)
    # Only one of the stack's name: any other was adopted, and its owner may want it.
    if not draft.spec.tracker and account.tracker is not None and account.tracker.name == draft.spec.name:
        _delete(draft, [account.tracker], ready=ready)
    for several in (
        account.campaigns,
        account.recommenders,
        account.filters,
        account.attributions,
        account.solutions,
    ):
        _delete(draft, (one for one in several if one.arn not in draft.kept), ready=ready)
    used = {one.detail["schemaArn"] for one in account.datasets.values()}
    _delete(draft, (one for one in account.schemas if one.arn not in used | draft.kept), ready=ready)


def stale_parameters(spec: Spec, account: Account, wanted: Collection[str] = ()) -> list[str]:
    """Return the names of our parameters that are not `wanted`."""
    prefix = f"{spec.ssm_prefix}/"
    return [
        path
        for path in sorted(account.parameters)
        if path not in wanted and PARAMETER.fullmatch(path.removeprefix(prefix))
    ]


def _delete(draft: Draft, several: Iterable[Found], *, ready: bool) -> None:
    for one in several:
        noun = one.kind[0].lower() + one.kind[1:]
        if one.busy:
            draft.add("wait", one.kind, one.name, one.status)
            continue
        call = (f"Delete{one.kind}", {f"{noun}Arn": one.arn}) if ready else None
        draft.add(
            "delete", one.kind, one.name, "not in the spec" + ("" if ready else ", after all the rest"), call=call
        )
