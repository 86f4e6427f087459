"""Destroying a stack in AWS's order: describe, delete what nothing hangs on any more, wait, and again."""

from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..errors import ProvisionError
from .account import Account, Found, observe
from .apply import AGAIN, Clients, Pace, patiently
from .draft import Step
from .spec import Spec


def plan(account: Account, spec: Spec) -> list[Step]:
    """Return the steps of destroying in AWS's order; only those of the first rank that is left have a call."""
    steps: list[Step] = []
    for foreign in account.foreign:
        why = "is not of this stack, but in its dataset group"
        steps.append(Step("blocked", "Foreign", foreign, why, "Delete it by hand, or keep the stack"))
    mine = set(_names(spec))
    parameters = [path for path in account.parameters if path in mine]
    for path in sorted(parameters):
        steps.append(Step("delete", "Parameter", path, call=("DeleteParameter", {"Name": path})))
    first = True
    for rank in _ranks(account):
        busy = (
            [one for several in account.versions.values() for one in several if one.busy]
            if rank is account.solutions
            else []
        )
        for one in busy:
            steps.append(Step("wait", one.kind, one.name, one.status))
        for one in rank:
            if one.busy:
                steps.append(Step("wait", one.kind, one.name, one.status))
                continue
            noun = one.kind[0].lower() + one.kind[1:]
            call: tuple[str, dict[str, Any]] | None = (f"Delete{one.kind}", {f"{noun}Arn": one.arn})
            steps.append(Step("delete", one.kind, one.name, call=call if first and not busy else None))
        first = first and not rank
    return steps


def _ranks(account: Account) -> list[list[Found]]:
    """Return the resources by when they can go: each rank after those before it are gone."""
    return [
        [*account.campaigns, *account.recommenders],
        [*account.attributions, *account.filters, *filter(None, [account.tracker])],
        account.solutions,
        list(account.datasets.values()),
        account.schemas,
        list(filter(None, [account.group])),
    ]


def _names(spec: Spec) -> list[str]:
    parts = [("campaigns", spec.campaigns), ("recommenders", spec.recommenders), ("datasets", spec.datasets)]
    keys = [f"{part}/{one.key}" for part, several in parts for one in several]  # type: ignore[attr-defined]
    return [f"{spec.ssm_prefix}/{name}" for name in ["tracking_id", *keys, *(f"filters/{key}" for key in spec.filters)]]


def destroy(
    clients: Clients, spec: Spec, pace: Pace, progress: Callable[[list[Step]], None] = lambda steps: None
) -> None:
    """Delete everything of the stack. Raises ProvisionError if something that isn't of it is in the way."""
    while True:
        account = patiently(lambda: observe(clients.personalize, clients.ssm, spec), "account", pace)
        steps = plan(account, spec)
        progress(steps)
        blocked = [step for step in steps if step.action == "blocked"]
        if blocked:
            raise ProvisionError(blocked[0].name, blocked[0].why, blocked[0].remedy)
        if not steps:
            return
        for step in (step for step in steps if step.call is not None):
            _delete(clients, step, pace)
        pace.sleep(pace.poll_seconds if any(step.action == "wait" for step in steps) else pace.backoff(3))


def _delete(clients: Clients, step: Step, pace: Pace) -> None:
    operation, request = step.call or ("", {})
    client = clients.ssm if step.kind == "Parameter" else clients.personalize
    try:
        patiently(lambda: getattr(client, xform_name(operation))(**request), step.place, pace)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in AGAIN and code != "ParameterNotFound":
            problem = f"{operation} was refused ({code}: {error.response['Error'].get('Message', '')})"
            raise ProvisionError(step.place, problem, "Check your rights") from error
