"""New data and models for a running stack: import, train, promote, roll back."""

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

#: The status of an import of data that the dataset already has.
UNCHANGED = "unchanged, nothing to import"
#: Tolerance for rounding errors. Metrics have four decimals.
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class _Command:
    """The context of a command, with its calls and waits."""

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
        """Return the answer. For the codes in `later` (conflicts with other commands), it is empty."""
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
    """Return the name of each dataset's import job, after importing the data at its location.

    Data that the dataset already has isn't imported again: the job's name has a digest of the data, and `progress` is
    called with UNCHANGED. Raises ProvisionError with Personalize's reason if an import fails.
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
            raise ProvisionError(f"Dataset {wanted.key}", "doesn't exist", "Run `personalize-segment apply` first")
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
    """Return the request to import this content. It has the name of the job that already did so, if any."""
    request = import_request(spec, dataset, arn, content, [])
    lasting = [job for job in jobs if job.failure is None]
    # Later imports replace earlier ones, except incremental interactions.
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
    """The result for a campaign: the version that it serves now, and the metrics behind the decision."""

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
    """Train a version of each solution that a campaign serves, promote it if it is good enough, and return the results.

    A new version is promoted unless its `metric` is lower than that of the serving version by more than the fraction
    `tolerance`. Campaigns that follow the latest version are promoted by Personalize. A version that an interrupted
    `train` began is finished instead of a new one. Raises ProvisionError if a training fails, and before any training
    if the metric doesn't exist.
    """
    command = _Command(clients, spec, polling, progress)
    state = command.observe()

    def judge(campaign: StackResource, version: StackResource) -> Promotion:
        serving = _serving(campaign)
        if follows_latest(campaign):
            return Promotion(campaign.name, version.arn, True, "follows the latest version", metric, None, None)
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
    """Let each campaign serve the version before its current one, and return the results.

    Campaigns that follow the latest version are unchanged, unless `once` is set: then they stop following until the
    next apply. Raises ProvisionError before any change if a campaign has no earlier version, or if all follow.
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
                problem = "has no version before the one that it serves"
                raise ProvisionError(f"Campaign {campaign.name}", problem, "Train a new version with `train`")
            earlier.append((campaign, active[active.index(serving) - 1]))
    if not earlier:
        keys = sorted({campaign.key for campaign in spec.campaigns if campaign.follow_latest})
        inputs = " and ".join(f"personalize.campaigns.{key}.follow_latest" for key in keys)
        remedy = (
            f'Set {inputs} to false in Terraform, or "follow_latest": false in the spec, apply it, and roll back. '
            "Or pass --once to stop following until the next apply"
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
    """Return the version that an interrupted `train` left: trained on the current data, and not judged yet."""
    newest = next(reversed(state.versions[solution.arn]), None)
    if newest is None or newest.status != ACTIVE or newest.detail.get("trainingType") == "AUTOMATIC":
        return None
    imports = [job.detail["creationDateTime"] for jobs in state.imports.values() for job in jobs]
    fresh = all(newest.detail["creationDateTime"] > imported for imported in imports)
    return newest if fresh and _open(state, newest) else None


def _open(state: StackState, version: StackResource) -> list[StackResource]:
    """Return the campaigns that serve an older version than `version` and weren't changed since its training began.

    A rollback is such a change, so that a version isn't promoted again after a rollback.
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
    """Return a new version, or the one in training, after it is ACTIVE."""
    before = {version.arn for version in state.versions[solution.arn] if not version.busy}
    while True:
        versions = state.versions.get(solution.arn)
        if versions is None:
            raise ProvisionError(f"Solution {solution.name}", "was deleted", "Run `personalize-segment apply`")
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
    """Let a campaign serve a version after its pending changes, and wait until it does."""
    place = f"Campaign {campaign.name}"
    current: StackResource | None = campaign
    while True:
        if current is None:
            raise ProvisionError(place, "was deleted", "Run `personalize-segment apply`")
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
