"""Carrying a plan out: read the state, plan, do what can be done now, wait, and again until nothing is left."""

from botocore.exceptions import ClientError

from ..errors import ProvisionError
from . import plan as planning
from .prices import Prices
from .retries import Polling, RetryBudget, call
from .spec import Spec
from .state import ProvisionClients, StackState, observe
from .steps import PlanProgress, Step


def plan(clients: ProvisionClients, spec: Spec, prices: Prices, polling: Polling | None = None) -> list[Step]:
    """Return what `apply` would do now, failures of the past tried again."""
    state, contents = observe(clients, spec, polling or Polling())
    return planning.plan(spec, state, prices, contents, past_failures(state))


def past_failures(state: StackState) -> set[str]:
    """Return the ids of all failures that there are."""
    return {resource.failure_id for resource in state.all() if resource.failure is not None}


def apply(
    clients: ProvisionClients,
    spec: Spec,
    prices: Prices,
    polling: Polling,
    progress: PlanProgress = lambda steps: None,
) -> list[Step]:
    """Make everything be as the spec has it, and return the plan that is left: nothing to do.

    Raises ProvisionError when Personalize fails or refuses something; what is done stays done,
    and another run goes on from there. `progress` gets every plan on the way.
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
    """Make a step's call; one that may succeed later is left to the next plan. Raises ProvisionError."""
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
