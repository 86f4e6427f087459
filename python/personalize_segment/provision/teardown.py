"""Destroy a stack in AWS's order: describe, delete resources without dependents, wait, and repeat."""

from ..errors import ProvisionError
from .apply import execute
from .plan import stale_parameters
from .retries import STOP_TRAINING, Polling, RetryBudget
from .spec import Spec
from .state import ProvisionClients, StackResource, StackState, read_state
from .steps import PlanProgress, Step


def plan(state: StackState, spec: Spec) -> list[Step]:
    """Return the steps to destroy a stack in AWS's order. Only those of the first remaining rank have a call."""
    steps: list[Step] = []
    for foreign in [*_adopted(state, spec), *state.foreign]:
        why = "in the stack's dataset group, but not part of the stack"
        steps.append(Step("blocked", "Foreign", foreign, why, "Delete it by hand, or keep the stack"))
    for path in stale_parameters(spec, state):
        steps.append(Step("delete", "Parameter", path, call=("DeleteParameter", {"Name": path})))
    first, jobs = True, state.versions | state.imports
    for rank in _ranks(state):
        busy = [job for resource in rank for job in jobs.get(resource.arn, []) if job.busy]
        for resource in [*busy, *rank]:
            if resource.kind == "SolutionVersion" and resource.status != "CREATE STOPPING":
                stop = (STOP_TRAINING, {"solutionVersionArn": resource.arn})
                steps.append(Step("delete", resource.kind, resource.name, "after stopping its training", call=stop))
            elif resource.busy:
                steps.append(Step("wait", resource.kind, resource.name, resource.status))
            else:
                call = resource.call("Delete") if first and not busy else None
                steps.append(Step("delete", resource.kind, resource.name, call=call))
        first = first and not rank
    return steps


def _adopted(state: StackState, spec: Spec) -> list[str]:
    """Return the ARNs of adopted resources. Their names show that someone else created them."""
    made = {f"{spec.name}-{key}": dataset for key, dataset in state.datasets.items()}
    made |= {spec.name: state.tracker} if state.tracker else {}
    return [resource.arn for name, resource in made.items() if resource.name != name]


def _ranks(state: StackState) -> list[list[StackResource]]:
    """Return the resources in ranks. Each rank can be deleted after the ranks before it."""
    return [
        [*state.campaigns, *state.recommenders],
        [*state.attributions, *state.filters, *filter(None, [state.tracker])],
        state.solutions,
        list(state.datasets.values()),
        state.schemas,
        list(filter(None, [state.group])),
    ]


def destroy(
    clients: ProvisionClients, spec: Spec, polling: Polling, progress: PlanProgress = lambda steps: None
) -> None:
    """Delete the whole stack. Raises ProvisionError if resources outside the stack prevent it."""
    budget = RetryBudget()
    while True:
        steps = plan(read_state(clients, spec, polling), spec)
        progress(steps)
        blocked = [step for step in steps if step.action == "blocked"]
        if blocked:
            raise ProvisionError(", ".join(step.name for step in blocked), blocked[0].why, blocked[0].remedy)
        if not steps:
            return
        for step in steps:
            execute(clients, step, polling, budget)
        waiting = any(step.action == "wait" for step in steps)
        polling.sleep(polling.poll_seconds if waiting else polling.backoff(3))
