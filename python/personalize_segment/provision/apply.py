"""Carry out a plan: read the state, plan, execute the steps that are ready, wait, and repeat until none is left."""

from botocore.exceptions import ClientError

from ..errors import ProvisionError
from . import plan as planning
from .prices import Prices
from .retries import Polling, RetryBudget, call
from .spec import Spec
from .state import ProvisionClients, StackState, observe
from .steps import PlanProgress, Step


def plan(clients: ProvisionClients, spec: Spec, prices: Prices, polling: Polling | None = None) -> list[Step]:
    """Return the steps that `apply` would execute now. They include retries of past failures."""
    state, contents = observe(clients, spec, polling or Polling())
    return planning.plan(spec, state, prices, contents, past_failures(state))


def past_failures(state: StackState) -> set[str]:
    """Return the ids of all current failures."""
    return {resource.failure_id for resource in state.all() if resource.failure is not None}


def apply(
    clients: ProvisionClients,
    spec: Spec,
    prices: Prices,
    polling: Polling,
    progress: PlanProgress = lambda steps: None,
) -> list[Step]:
    """Apply the spec, and return the final plan, which has nothing to do.

    Raises ProvisionError if Personalize refuses a step or fails. Finished steps stay done, and another run continues
    from there. `progress` is called with each plan.
    """
    accepted: set[str] | None = None
    budget = RetryBudget()
    while True:
        state, contents = observe(clients, spec, polling)
        accepted = past_failures(state) if accepted is None else accepted
        steps = planning.plan(spec, state, prices, contents, accepted)
        progress(steps)
        ready = [step for step in steps if step.call is not None]
        for step in ready:
            execute(clients, step, polling, budget)
        if ready:
            polling.sleep(polling.backoff(0))
            continue
        blocked = [step for step in steps if step.action == "blocked"]
        if any(step.action == "wait" for step in steps):
            polling.sleep(polling.poll_seconds)
        elif blocked:
            raise ProvisionError(blocked[0].place, blocked[0].why, blocked[0].remedy)
        elif any(step.action != "nothing" for step in steps):
            polling.sleep(polling.poll_seconds)
        else:
            return steps


def execute(clients: ProvisionClients, step: Step, polling: Polling, budget: RetryBudget) -> None:
    """Make a step's call. If it may succeed later, leave it to the next plan. Raises ProvisionError."""
    if step.call is None:
        return
    operation, request = step.call
    try:
        call(clients.ssm if step.kind == "Parameter" else clients.personalize, operation, request, step.place, polling)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return
        budget.spend(operation, step.place, error)
        polling.sleep(polling.backoff(3))
