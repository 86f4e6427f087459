"""New data and new models for a stack that runs: import, train, promote, roll back."""

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ..errors import ProvisionError
from . import failures, retries
from .datasets import import_request
from .retries import CONTESTED, QUEUED, Polling, StepProgress
from .serving import follows_latest, version_request
from .spec import DatasetSpec, Spec
from .state import ACTIVE, PENDING, ProvisionClients, StackResource, StackState, observe, read_state, require_group

#: The status of an import of what the dataset has already.
UNCHANGED = "unchanged, nothing to import"
#: Metrics have four decimals; their products with a tolerance have a few more that mean nothing.
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class _Command:
    """What a command works with, and how it waits and calls."""

    clients: ProvisionClients
    spec: Spec
    polling: Polling
    progress: StepProgress

    def observe(self) -> StackState:
        state = read_state(self.clients, self.spec, self.polling)
        require_group(self.clients, self.spec, state)
        return state

    def wait(self) -> StackState:
        """Return the state after the next interval."""
        self.polling.sleep(self.polling.poll_seconds)
        return self.observe()

    def call(self, operation: str, request: dict[str, Any], place: str, later: Container[str] = ()) -> dict[str, Any]:
        """Return the answer; an empty one for the codes in `later`: someone else does the same, or is busy."""
        try:
            return retries.call(self.clients.personalize, operation, request, place, self.polling)
        except ClientError as error:
            code, message = failures.code_and_message(error)
            if code in later:
                return {}
            problem = f"{operation} was refused ({code}: {message})"
            raise ProvisionError(place, problem, failures.remedy(message)) from error

    def metric(self, version: str, metric: str) -> float:
        """Return a metric of the version with this ARN."""
        metrics = self.call("GetSolutionMetrics", {"solutionVersionArn": version}, version)["metrics"]
        if metric not in metrics:
            raise ProvisionError(version, f"has no metric {metric}", f"Choose one of {', '.join(sorted(metrics))}")
        return float(metrics[metric])


def import_data(
    clients: ProvisionClients, spec: Spec, polling: Polling, progress: StepProgress = lambda what, status: None
) -> dict[str, str]:
    """Import what is at each dataset's location, and wait; return each job's name by dataset.

    What the dataset was last given isn't imported again: the job's name follows from the content, and `progress`
    gets UNCHANGED.
    Raises ProvisionError with Personalize's reason when an import fails.
    """
    command = _Command(clients, spec, polling, progress)
    state, contents = observe(clients, spec, polling)
    require_group(clients, spec, state)
    requests: dict[str, dict[str, Any]] = {}
    for wanted in spec.datasets:
        if wanted.load is None:
            continue
        dataset = state.datasets.get(wanted.key)
        if dataset is None:
            raise ProvisionError(f"Dataset {wanted.key}", "is not there", "Run `personalize-segment apply` first")
        jobs = state.imports.get(dataset.arn, [])
        requests[wanted.key] = _next_import(spec, wanted, dataset.arn, contents[wanted.key], jobs)
    begun: set[str] = set()
    while True:
        waiting = False
        for key, request in requests.items():
            name = request["jobName"]
            jobs = state.imports.get(request["datasetArn"], [])
            job = next((job for job in jobs if job.name == name), None)
            if job is None or job.status != ACTIVE:
                begun.add(key)
            progress(f"import {key}", PENDING if job is None else job.status if key in begun else UNCHANGED)
            if job is None:
                place = f"DatasetImportJob {name}"
                command.call("CreateDatasetImportJob", request | spec.tagging, place, QUEUED)
            elif job.failure is not None:
                raise ProvisionError(f"DatasetImportJob {name}", job.failure, failures.remedy(job.failure))
            waiting |= job is None or job.status != ACTIVE
        if not waiting:
            return {key: request["jobName"] for key, request in requests.items()}
        state = command.wait()


def _next_import(spec: Spec, dataset: DatasetSpec, arn: str, content: str, jobs: list[StackResource]) -> dict[str, Any]:
    """Return the request of the import of this content, with the name of the job that did it already, if one did."""
    request = import_request(spec, dataset, arn, content, [])
    lasting = [job for job in jobs if job.failure is None]
    # What comes later takes the place of what was there, but interactions that are added to others stay.
    if dataset.load is None or dataset.load.mode == "FULL" or dataset.key != "interactions":
        lasting = lasting[-1:]
    full = replace(dataset, load=replace(dataset.load, mode="FULL")) if dataset.load else dataset
    names = {request["jobName"], import_request(spec, full, arn, content, [])["jobName"]}
    same = re.compile(f"({'|'.join(map(re.escape, sorted(names)))})" + r"(-\d+)?")
    done = next((job.name for job in reversed(lasting) if same.fullmatch(job.name)), None)
    again = import_request(spec, dataset, arn, content, jobs)
    tries = sum(job.name.startswith(request["jobName"]) for job in jobs)
    return again | {"jobName": done or (f"{request['jobName']}-{tries + 1}" if tries else request["jobName"])}


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a campaign: the version it serves now, and the metrics that decided, new and serving."""

    campaign: str
    version: str
    promoted: bool
    why: str
    metric: str
    new: float | None
    serving: float | None


def train(
    clients: ProvisionClients,
    spec: Spec,
    polling: Polling,
    *,
    metric: str = "normalized_discounted_cumulative_gain_at_25",
    tolerance: float = 0.05,
    progress: StepProgress = lambda what, status: None,
) -> list[Promotion]:
    """Train a version of each solution that a campaign serves, and promote it where it is good enough.

    A new version is promoted if its `metric` is not below that of the serving one by more than
    the share `tolerance`. Campaigns that follow the latest version promote themselves. What a stopped
    `train` has begun is ended, not begun again. Raises ProvisionError when a training fails, and
    before any if there is no such metric.
    """
    command = _Command(clients, spec, polling, progress)
    state = command.observe()

    def judge(campaign: StackResource, version: StackResource) -> Promotion:
        serving = _serving(campaign)
        if follows_latest(campaign):
            return Promotion(campaign.name, version.arn, True, "it follows the latest version", metric, None, None)
        new, old = command.metric(version.arn, metric), command.metric(serving, metric)
        if new < old * (1 - tolerance) - _NOISE:
            why = f"{metric} fell by more than {tolerance:.0%}"
            return Promotion(campaign.name, serving, False, why, metric, new, old)
        return Promotion(campaign.name, version.arn, True, "good enough", metric, new, old)

    solutions = _served(state, spec)
    for campaign in state.campaigns:
        if not follows_latest(campaign):
            command.metric(_serving(campaign), metric)
    promotions = []
    for solution in solutions:
        left = _left(state, solution)
        begun = left if left and any(judge(campaign, left).promoted for campaign in _open(state, left)) else None
        version = begun or _trained(command, solution, state)
        state = command.observe()
        for campaign in _campaigns(state, solution):
            promotion = judge(campaign, version)
            if promotion.promoted and not follows_latest(campaign):
                _promote(command, campaign, version.arn)
            promotions.append(promotion)
    return promotions


def rollback(
    clients: ProvisionClients,
    spec: Spec,
    polling: Polling,
    progress: StepProgress = lambda what, status: None,
    *,
    once: bool = False,
) -> list[Promotion]:
    """Let each campaign serve the version before the one it serves.

    Campaigns that follow the latest version are left alone, unless `once`: they stop following until the next apply.
    Raises ProvisionError, before anything is changed, if one of them has none before or all follow.
    """
    command = _Command(clients, spec, polling, progress)
    state = command.observe()
    earlier: list[tuple[StackResource, str]] = []
    for solution in _served(state, spec):
        active = [version.arn for version in state.versions[solution.arn] if version.status == ACTIVE]
        for campaign in _campaigns(state, solution):
            if follows_latest(campaign) and not once:
                continue
            serving = _serving(campaign)
            if serving not in active or active.index(serving) == 0:
                problem = "has no version before the one it serves"
                raise ProvisionError(f"Campaign {campaign.name}", problem, "Train one")
            earlier.append((campaign, active[active.index(serving) - 1]))
    if not earlier:
        keys = sorted({campaign.key for campaign in spec.campaigns if campaign.follow_latest})
        inputs = " and ".join(f"personalize.campaigns.{key}.follow_latest" for key in keys)
        remedy = (
            f'Set {inputs} to false in Terraform, or "follow_latest": false in the spec, apply it, and roll back. '
            "Or pass --once: the campaigns then stop following until the next apply"
        )
        raise ProvisionError(f"Campaign {state.campaigns[0].name}", "follows the latest version", remedy)
    for campaign, version in earlier:
        _promote(command, campaign, version)
    return [Promotion(campaign.name, version, True, "rolled back", "", None, None) for campaign, version in earlier]


def _served(state: StackState, spec: Spec) -> list[StackResource]:
    solutions = [solution for solution in state.solutions if _campaigns(state, solution)]
    if not solutions:
        raise ProvisionError(f"stack {spec.name}", "has no campaign", "Run `personalize-segment apply` first")
    return solutions


def _serving(campaign: StackResource) -> str:
    """Return the ARN of the version that a campaign serves."""
    return str(campaign.detail["solutionVersionArn"])


def _solution(version: str) -> str:
    """Return the ARN of the solution of a version."""
    return version.rpartition("/")[0]


def _campaigns(state: StackState, solution: StackResource) -> list[StackResource]:
    return [campaign for campaign in state.campaigns if _solution(_serving(campaign)) == solution.arn]


def _left(state: StackState, solution: StackResource) -> StackResource | None:
    """Return the version that a stopped `train` has left behind: trained with the data of today, never judged."""
    newest = next(reversed(state.versions[solution.arn]), None)
    if newest is None or newest.status != ACTIVE or newest.detail.get("trainingType") == "AUTOMATIC":
        return None
    imports = [job.detail["creationDateTime"] for jobs in state.imports.values() for job in jobs]
    fresh = all(newest.detail["creationDateTime"] > imported for imported in imports)
    return newest if fresh and _open(state, newest) else None


def _open(state: StackState, version: StackResource) -> list[StackResource]:
    """Return the campaigns that serve something older than `version` and were not changed since it was begun.

    After a rollback they were: what was rolled back is not promoted again.
    """
    return [
        campaign
        for campaign in state.campaigns
        if not follows_latest(campaign)
        and _serving(campaign) != version.arn
        and _solution(_serving(campaign)) == _solution(version.arn)
        and version.detail["creationDateTime"] > (campaign.update or campaign.detail)["creationDateTime"]
    ]


def _trained(command: _Command, solution: StackResource, state: StackState) -> StackResource:
    """Return a version that wasn't there before, or was under way, once it is ACTIVE."""
    before = {version.arn for version in state.versions[solution.arn] if not version.busy}
    while True:
        versions = state.versions.get(solution.arn)
        if versions is None:
            raise ProvisionError(f"Solution {solution.name}", "is gone", "Run `personalize-segment apply`")
        version = next((version for version in versions if version.arn not in before), None)
        command.progress(f"train {solution.name}", version.status if version else PENDING)
        if version is None:
            request = version_request(solution, versions)
            command.call("CreateSolutionVersion", request, f"SolutionVersion {request['name']}", QUEUED)
        elif version.failure is not None:
            raise ProvisionError(f"SolutionVersion {version.name}", version.failure, failures.remedy(version.failure))
        elif version.status == ACTIVE:
            return version
        state = command.wait()


def _promote(command: _Command, campaign: StackResource, version: str) -> None:
    """Let a campaign serve a version, after whatever else it is busy with, and wait until it does."""
    place = f"Campaign {campaign.name}"
    current: StackResource | None = campaign
    while True:
        if current is None:
            raise ProvisionError(place, "is gone", "Run `personalize-segment apply`")
        serves = _serving(current) == version and not follows_latest(current)
        command.progress(f"promote {campaign.name}", ACTIVE if serves else str(current.update.get("status", PENDING)))
        if serves and not current.busy:
            return
        if current.failure is not None and current.failure_id != campaign.failure_id:
            raise ProvisionError(place, current.failure, failures.remedy(current.failure))
        if not current.busy:
            request: dict[str, Any] = {"campaignArn": campaign.arn, "solutionVersionArn": version}
            if follows_latest(current):
                request["campaignConfig"] = {"syncWithLatestSolutionVersion": False}
            command.call("UpdateCampaign", request, place, CONTESTED)
        current = next((known for known in command.wait().campaigns if known.arn == campaign.arn), None)
