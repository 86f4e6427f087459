"""Destroying a stack in AWS's order: describe, delete what nothing hangs on any more, wait, and again."""

from collections.abc import Callable
from typing import Any

from ..errors import ProvisionError
from .account import Account, Found
from .apply import Again, Clients, Pace, account_of, do
from .draft import Step
from .plan import stale_parameters
from .spec import Spec


def plan(account: Account, spec: Spec) -> list[Step]:
    """Return the steps of destroying in AWS's order; only those of the first rank that is left have a call."""
    steps: list[Step] = []
    for foreign in account.foreign:
        why = "is not of this stack, but in its dataset group"
        steps.append(Step("blocked", "Foreign", foreign, why, "Delete it by hand, or keep the stack"))
    for path in stale_parameters(spec, account):
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


def destroy(
    clients: Clients, spec: Spec, pace: Pace, progress: Callable[[list[Step]], None] = lambda steps: None
) -> None:
    """Delete everything of the stack. Raises ProvisionError if something that isn't of it is in the way."""
    again = Again()
    while True:
        account = account_of(clients, spec, pace)
        steps = plan(account, spec)
        progress(steps)
        blocked = [step for step in steps if step.action == "blocked"]
        if blocked:
            raise ProvisionError(blocked[0].name, blocked[0].why, blocked[0].remedy)
        if not steps:
            return
        for step in (step for step in steps if step.call is not None):
            do(clients, step, pace, again)
        pace.sleep(pace.poll_seconds if any(step.action == "wait" for step in steps) else pace.backoff(3))
