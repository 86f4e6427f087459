"""New data and new models for a stack that runs: import, train, promote, roll back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..errors import ProvisionError
from . import failures
from .account import ACTIVE, Account, Found
from .apply import AGAIN, Clients, Pace, look, patiently
from .data import import_request
from .spec import Spec

Progress = Callable[[str, str], None]


def _silent(what: str, status: str) -> None:
    """Show nothing."""


def import_data(clients: Clients, spec: Spec, pace: Pace, progress: Progress = _silent) -> dict[str, str]:
    """Import what lies at each dataset's location, and wait; return each job's name by dataset.

    What is imported already is not imported again: the job's name follows from the content.
    Raises ProvisionError with Personalize's reason when an import fails.
    """
    account, contents = look(clients, spec, pace)
    jobs: dict[str, str] = {}
    arns: dict[str, str] = {}
    for one in spec.datasets:
        there = account.datasets.get(one.type)
        if one.load is None:
            continue
        if there is None:
            raise ProvisionError(f"Dataset {one.key}", "is not there", "Run `personalize-segment apply` first")
        known = account.imports.get(there.arn, [])
        failed = [job for job in known if job.failure is not None]
        request = import_request(spec, one, there.arn, contents[one.key], failed)
        base = request["jobName"]
        running = next((job for job in known if job.failure is None and base.startswith(job.name)), None)
        jobs[one.key] = running.name if running else base
        if running is None:
            tags = {"tags": [{"tagKey": key, "tagValue": value} for key, value in sorted(spec.tags.items())]}
            _call(clients.personalize, "CreateDatasetImportJob", request | (tags if spec.tags else {}), base, pace)
        arns[one.key] = there.arn
    for key, name in jobs.items():
        _wait_for_import(clients, spec, key, arns[key], name, pace, progress)
    return jobs


def _wait_for_import(
    clients: Clients, spec: Spec, key: str, arn: str, name: str, pace: Pace, progress: Progress
) -> None:
    while True:
        account, _ = look(clients, spec, pace)
        job = next((each for each in account.imports.get(arn, []) if each.name == name), None)
        progress(f"import {key}", job.status if job else "CREATE PENDING")
        if job is not None and job.failure is not None:
            raise ProvisionError(f"DatasetImportJob {name}", job.failure, failures.remedy(job.failure))
        if job is not None and job.status == ACTIVE:
            return
        pace.sleep(pace.poll_seconds)


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
    clients: Clients,
    spec: Spec,
    pace: Pace,
    *,
    metric: str = "normalized_discounted_cumulative_gain_at_25",
    tolerance: float = 0.05,
    progress: Progress = _silent,
) -> list[Promotion]:
    """Train a version of each solution that a campaign serves, and promote it where it is good enough.

    A new version is promoted if its `metric` is not below that of the serving one by more than
    the share `tolerance`. Campaigns that follow the latest version promote themselves.
    """
    account, _ = look(clients, spec, pace)
    results = []
    for solution in _served(account, spec):
        versions = account.versions[solution.arn]
        busy = next((one for one in versions if one.busy), None)
        arn = busy.arn if busy else _train(clients, solution, len(versions), pace)
        version = _wait_for_version(clients, spec, solution, arn, pace, progress)
        for campaign in (one for one in account.campaigns if _solution(one) == solution.arn):
            results.append(_promote(clients, spec, campaign, version, metric, tolerance, pace, progress))
    return results


def rollback(clients: Clients, spec: Spec, pace: Pace, progress: Progress = _silent) -> list[Promotion]:
    """Let each campaign serve the version before the one it serves."""
    account, _ = look(clients, spec, pace)
    results = []
    for solution in _served(account, spec):
        active = [one.arn for one in account.versions[solution.arn] if one.status == ACTIVE]
        for campaign in (one for one in account.campaigns if _solution(one) == solution.arn):
            serving = _serving(campaign, active)
            place = f"Campaign {campaign.name}"
            if _follows(campaign):
                raise ProvisionError(
                    place, "follows the latest version", 'Set "follow_latest": false in the spec and apply it'
                )
            if serving not in active or active.index(serving) == 0:
                raise ProvisionError(place, "has no version before the one it serves", "Train one")
            earlier = active[active.index(serving) - 1]
            _update(clients, spec, campaign, earlier, pace, progress)
            results.append(Promotion(campaign.name, earlier, True, "rolled back", "", None, None))
    return results


def _served(account: Account, spec: Spec) -> list[Found]:
    wanted = {_solution(one) for one in account.campaigns}
    found = [one for one in account.solutions if one.arn in wanted]
    if not found:
        raise ProvisionError(f"stack {spec.name}", "has no campaign", "Run `personalize-segment apply` first")
    return found


def _solution(campaign: Found) -> str:
    return str(campaign.detail["solutionVersionArn"]).rpartition("/")[0]


def _follows(campaign: Found) -> bool:
    return bool((campaign.detail.get("campaignConfig") or {}).get("syncWithLatestSolutionVersion", False))


def _serving(campaign: Found, active: list[str]) -> str:
    arn = str(campaign.detail["solutionVersionArn"])
    return active[-1] if arn.endswith("/$LATEST") and active else arn


def _train(clients: Clients, solution: Found, number: int, pace: Pace) -> str:
    name = f"{solution.name}-{number + 1}"
    request = {"name": name, "solutionArn": solution.arn, "trainingMode": "FULL"}
    answer = _call(clients.personalize, "CreateSolutionVersion", request, name, pace)
    return str(answer.get("solutionVersionArn", ""))


def _wait_for_version(clients: Clients, spec: Spec, solution: Found, arn: str, pace: Pace, progress: Progress) -> Found:
    while True:
        account, _ = look(clients, spec, pace)
        versions = account.versions.get(solution.arn, [])
        # Without an ARN somebody else began one at the same time: it is the latest.
        version = next((one for one in versions if one.arn == arn), versions[-1] if versions and not arn else None)
        progress(f"train {solution.name}", version.status if version else "CREATE PENDING")
        if version is not None and version.failure is not None:
            raise ProvisionError(f"SolutionVersion {version.name}", version.failure, failures.remedy(version.failure))
        if version is not None and version.status == ACTIVE:
            return version
        pace.sleep(pace.poll_seconds)


def _promote(
    clients: Clients,
    spec: Spec,
    campaign: Found,
    version: Found,
    metric: str,
    tolerance: float,
    pace: Pace,
    progress: Progress,
) -> Promotion:
    if _follows(campaign):
        return Promotion(campaign.name, version.arn, True, "it follows the latest version", metric, None, None)
    serving = str(campaign.detail["solutionVersionArn"])
    new, old = _metric(clients, version.arn, metric, pace), _metric(clients, serving, metric, pace)
    if new < old * (1 - tolerance):
        return Promotion(campaign.name, serving, False, f"{metric} fell by more than {tolerance:.0%}", metric, new, old)
    if serving != version.arn:
        _update(clients, spec, campaign, version.arn, pace, progress)
    return Promotion(campaign.name, version.arn, True, "good enough", metric, new, old)


def _metric(clients: Clients, arn: str, metric: str, pace: Pace) -> float:
    metrics = _call(clients.personalize, "GetSolutionMetrics", {"solutionVersionArn": arn}, arn, pace)["metrics"]
    if metric not in metrics:
        raise ProvisionError(arn, f"has no metric {metric}", f"Choose one of {', '.join(sorted(metrics))}")
    return float(metrics[metric])


def _update(clients: Clients, spec: Spec, campaign: Found, version: str, pace: Pace, progress: Progress) -> None:
    request = {"campaignArn": campaign.arn, "solutionVersionArn": version}
    _call(clients.personalize, "UpdateCampaign", request, campaign.name, pace)
    while True:
        account, _ = look(clients, spec, pace)
        there = next((one for one in account.campaigns if one.arn == campaign.arn), None)
        progress(f"promote {campaign.name}", str(there.update.get("status")) if there else "gone")
        if there is None:
            raise ProvisionError(f"Campaign {campaign.name}", "is gone", "Run `personalize-segment apply`")
        if there.detail["solutionVersionArn"] == version and not there.busy:
            return
        if there.failure is not None and not there.busy:
            raise ProvisionError(f"Campaign {campaign.name}", there.failure, failures.remedy(there.failure))
        pace.sleep(pace.poll_seconds)


def _call(client: Any, operation: str, request: dict[str, Any], place: str, pace: Pace) -> dict[str, Any]:
    """Return the answer; an empty one if someone else does the same at this moment."""
    try:
        answer: dict[str, Any] = patiently(lambda: getattr(client, xform_name(operation))(**request), place, pace)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in AGAIN:
            return {}
        raise ProvisionError(place, f"{operation} was refused ({code}: {message})", failures.remedy(message)) from error
    return answer
