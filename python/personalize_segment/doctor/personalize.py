"""Check whether Personalize matches the spec: the plan, and the last imports and trainings.

A step that `apply` could take now is wrong. A step that waits for another is unknown, so that only the cause is wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from ..errors import ProvisionError
from ..provision import apply, failures, plan, prices
from ..provision.retries import Polling
from ..provision.serving import follows_latest
from ..provision.spec import Spec
from ..provision.state import ACTIVE, ProvisionClients, StackResource, StackState, locations, read_state
from ..provision.steps import Step
from .finding import ABSENT, Finding, is_absent


def personalize(clients: ProvisionClients, spec: Spec, polling: Polling, file: str) -> list[Finding]:
    """Return the findings in the order of dependency, or none without a dataset group.

    `file` has the spec, and remedies name it. An import whose data can't be read is wrong or unknown. Raises
    ProvisionError.
    """
    state = read_state(clients, spec, polling)
    if state.group is None:
        return []
    contents, unread = _contents(clients, spec, polling)
    steps = plan.plan(spec, state, prices.read(None), contents, apply.past_failures(state))
    known = {(resource.kind, resource.name): resource for resource in state.all()}
    found = [_finding(step, known, state, file) for step in steps if not _imports(step, spec, unread)]
    return [*found, *unread.values(), *_latest(state, file)]


def _contents(
    clients: ProvisionClients, spec: Spec, polling: Polling
) -> tuple[defaultdict[str, str], dict[str, Finding]]:
    """Return the digest of each dataset's data (empty if it can't be read), and findings about unreadable data."""
    contents, unread = defaultdict[str, str](str), {}
    for key, content in locations(clients, spec, polling):
        try:
            contents[key] = content()
        except ProvisionError as error:
            absent = isinstance(error.__cause__, ClientError) and is_absent(error.__cause__)
            found = f"{error.place}: {error.problem}"
            part = f"DatasetImportJob {spec.name}-{key}"
            unread[key] = Finding(part, "wrong" if absent else "unknown", found, error.remedy)
    return contents, unread


def _imports(step: Step, spec: Spec, datasets: Iterable[str]) -> bool:
    """Return whether a step is an import of one of these datasets."""
    names = (f"{spec.name}-{key}" for key in datasets)
    return step.kind == "DatasetImportJob" and any(f"{step.name}-".startswith(f"{name}-") for name in names)


def _finding(step: Step, known: dict[tuple[str, str], StackResource], state: StackState, file: str) -> Finding:
    resource = known.get((step.kind, step.name))
    arn = resource.arn if resource else ""
    if step.action == "nothing":
        return Finding(step.place, "ok", _described(step, resource, state), arn=arn)
    if step.action == "wait":
        return Finding(step.place, "unknown", f"isn't ready: {step.why}", "Wait, then rerun this command", arn)
    said = {"create": ABSENT, "delete": "is left over"}.get(step.action, "differs from the spec")
    said = f"{said}: {step.why}" if step.why else said
    if step.action == "blocked":
        return Finding(step.place, "wrong", step.why, step.remedy, arn)
    return Finding(
        step.place, "wrong" if step.call else "unknown", said, f"Run `personalize-segment apply {file}`", arn
    )


def _described(step: Step, resource: StackResource | None, state: StackState) -> str:
    if step.kind == "Parameter":
        return state.parameters[step.name]
    if step.kind == "SolutionVersion":
        solution = next(one for one in state.solutions if one.name == step.name)
        versions = [one for one in state.versions[solution.arn] if one.status == ACTIVE]
        return f"can serve: {', '.join(map(_version, versions))}"
    if resource is None:
        return ACTIVE
    if step.kind == "Campaign":
        return f"{resource.status}, serves {_served(resource, state)}"
    if step.kind == "EventTracker":
        return f"{resource.status}, tracking id {resource.detail['trackingId']}"
    return resource.status


def _served(campaign: StackResource, state: StackState) -> str:
    """Return the version that a campaign serves, and whether it follows the latest."""
    arn = str(campaign.detail["solutionVersionArn"])
    versions = (one for several in state.versions.values() for one in several)
    served = next((_version(one) for one in versions if one.arn == arn), arn.rpartition("/")[2])
    return served + (", follows the latest" if follows_latest(campaign) else "")


def _version(version: StackResource) -> str:
    return f"{version.arn.rpartition('/')[2]} ({version.detail['creationDateTime']:%Y-%m-%d %H:%M})"


def _latest(state: StackState, file: str) -> Iterator[Finding]:
    """Yield findings about the last import of each dataset and the last training of each solution.

    If none has succeeded, the plan has a step for it instead.
    """
    for key, dataset in state.datasets.items():
        yield from _last(f"Last import of {key}", state.imports[dataset.arn], f"personalize-segment import {file}")
    for solution in state.solutions:
        versions = state.versions[solution.arn]
        yield from _last(f"Last training of {solution.name}", versions, f"personalize-segment train {file}")


def _last(part: str, resources: list[StackResource], again: str) -> Iterator[Finding]:
    if not any(resource.status == ACTIVE for resource in resources):
        return
    last = resources[-1]
    when = f"of {last.detail['creationDateTime']:%Y-%m-%d %H:%M}"
    if last.failure is not None:
        remedy = f"{failures.remedy(last.failure)}. Then run `{again}`"
        yield Finding(part, "wrong", f"{last.status} {when}: {last.failure}", remedy, last.arn)
    elif last.busy:
        yield Finding(part, "unknown", f"{last.status} {when}", "Wait, then rerun this command", last.arn)
    else:
        yield Finding(part, "ok", f"{last.status} {when}", arn=last.arn)
