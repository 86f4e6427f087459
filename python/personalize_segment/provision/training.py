"""New data and new models for a stack that runs: import, train, promote, roll back."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..errors import ProvisionError
from . import failures
from .account import ACTIVE, Account, Found
from .apply import AGAIN, Clients, Pace, look, patiently
from .data import import_request
from .spec import Dataset, Spec

Progress = Callable[[str, str], None]
#: Codes after which a look says whether to try again. What isn't there won't come by waiting.
_LATER = AGAIN - {"ResourceNotFoundException"}
#: As many at a time as the account may have; the others wait.
_QUEUED = _LATER | {"LimitExceededException"}
#: Metrics have four decimals; their products with a tolerance have a few more that mean nothing.
_NOISE = 1e-9


def _silent(what: str, status: str) -> None:
    """Show nothing."""


def import_data(clients: Clients, spec: Spec, pace: Pace, progress: Progress = _silent) -> dict[str, str]:
    """Import what lies at each dataset's location, and wait; return each job's name by dataset.

    What the dataset was last given is not imported again: the job's name follows from the content.
    Raises ProvisionError with Personalize's reason when an import fails.
    """
    account, contents = look(clients, spec, pace)
    requests: dict[str, dict[str, Any]] = {}
    for one in spec.datasets:
        if one.load is None:
            continue
        there = account.datasets.get(one.type)
        if there is None:
            raise ProvisionError(f"Dataset {one.key}", "is not there", "Run `personalize-segment apply` first")
        requests[one.key] = _wanted(spec, one, there.arn, contents[one.key], account.imports.get(there.arn, []))
    tags = {"tags": [{"tagKey": key, "tagValue": value} for key, value in sorted(spec.tags.items())]}
    while True:
        waiting = False
        for key, request in requests.items():
            name = request["jobName"]
            job = next((each for each in account.imports.get(request["datasetArn"], []) if each.name == name), None)
            progress(f"import {key}", job.status if job else "CREATE PENDING")
            if job is None:
                more = tags if spec.tags else {}
                place = f"DatasetImportJob {name}"
                _call(clients.personalize, "CreateDatasetImportJob", request | more, place, pace, _QUEUED)
            elif job.failure is not None:
                raise ProvisionError(f"DatasetImportJob {name}", job.failure, failures.remedy(job.failure))
            waiting |= job is None or job.status != ACTIVE
        if not waiting:
            return {key: request["jobName"] for key, request in requests.items()}
        pace.sleep(pace.poll_seconds)
        account, _ = look(clients, spec, pace)


def _wanted(spec: Spec, one: Dataset, arn: str, content: str, known: list[Found]) -> dict[str, Any]:
    """Return the request of the import of this content, with the name of the job that did it already, if one did."""
    request = import_request(spec, one, arn, content, [])
    lasting = [job for job in known if job.failure is None]
    # What comes later takes the place of what was there, but interactions that are added to others stay.
    if one.load is None or one.load.mode == "FULL" or one.type != "INTERACTIONS":
        lasting = lasting[-1:]
    full = replace(one, load=replace(one.load, mode="FULL")) if one.load else one
    names = {request["jobName"], import_request(spec, full, arn, content, [])["jobName"]}
    same = re.compile(f"({'|'.join(map(re.escape, sorted(names)))})" + r"(-\d+)?")
    done = next((job.name for job in reversed(lasting) if same.fullmatch(job.name)), None)
    again = import_request(spec, one, arn, content, known)
    tries = sum(job.name.startswith(request["jobName"]) for job in known)
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
    the share `tolerance`. Campaigns that follow the latest version promote themselves. What a stopped
    `train` has begun is ended, not begun again. Raises ProvisionError when a training fails, and
    before any if there is no such metric.
    """
    account, _ = look(clients, spec, pace)
    served = _served(account, spec)

    def judged(campaign: Found, version: Found) -> Promotion:
        serving = str(campaign.detail["solutionVersionArn"])
        if _follows(campaign):
            return Promotion(campaign.name, version.arn, True, "it follows the latest version", metric, None, None)
        new, old = _metric(clients, version.arn, metric, pace), _metric(clients, serving, metric, pace)
        if new < old * (1 - tolerance) - _NOISE:
            why = f"{metric} fell by more than {tolerance:.0%}"
            return Promotion(campaign.name, serving, False, why, metric, new, old)
        return Promotion(campaign.name, version.arn, True, "good enough", metric, new, old)

    for campaign in (one for one in account.campaigns if not _follows(one)):
        _metric(clients, str(campaign.detail["solutionVersionArn"]), metric, pace)
    results = []
    for solution in served:
        left = _left(account, solution)
        begun = left if left and any(judged(one, left).promoted for one in _open(account, left)) else None
        version = begun or _trained(clients, spec, solution, account, pace, progress)
        account, _ = look(clients, spec, pace)
        for campaign in _campaigns(account, solution):
            result = judged(campaign, version)
            if result.promoted and not _follows(campaign):
                _update(clients, spec, campaign, version.arn, pace, progress)
            results.append(result)
    return results


def rollback(clients: Clients, spec: Spec, pace: Pace, progress: Progress = _silent) -> list[Promotion]:
    """Let each campaign that doesn't follow the latest version serve the one before the one it serves.

    Raises ProvisionError, before anything is changed, if one of them has none before or all follow.
    """
    account, _ = look(clients, spec, pace)
    earlier: list[tuple[Found, str]] = []
    for solution in _served(account, spec):
        active = [one.arn for one in account.versions[solution.arn] if one.status == ACTIVE]
        for campaign in (one for one in _campaigns(account, solution) if not _follows(one)):
            serving = str(campaign.detail["solutionVersionArn"])
            if serving not in active or active.index(serving) == 0:
                raise ProvisionError(
                    f"Campaign {campaign.name}", "has no version before the one it serves", "Train one"
                )
            earlier.append((campaign, active[active.index(serving) - 1]))
    if not earlier:
        raise ProvisionError(
            f"Campaign {account.campaigns[0].name}",
            "follows the latest version",
            'Set "follow_latest": false in the spec and apply it',
        )
    for campaign, version in earlier:
        _update(clients, spec, campaign, version, pace, progress)
    return [Promotion(one.name, version, True, "rolled back", "", None, None) for one, version in earlier]


def _served(account: Account, spec: Spec) -> list[Found]:
    found = [one for one in account.solutions if _campaigns(account, one)]
    if not found:
        raise ProvisionError(f"stack {spec.name}", "has no campaign", "Run `personalize-segment apply` first")
    return found


def _campaigns(account: Account, solution: Found) -> list[Found]:
    return [one for one in account.campaigns if one.detail["solutionVersionArn"].rpartition("/")[0] == solution.arn]


def _follows(campaign: Found) -> bool:
    return bool((campaign.detail.get("campaignConfig") or {}).get("syncWithLatestSolutionVersion", False))


def _left(account: Account, solution: Found) -> Found | None:
    """Return the version that a stopped `train` has left behind: trained with the data of today, never judged."""
    newest = next(reversed(account.versions[solution.arn]), None)
    if newest is None or newest.status != ACTIVE or newest.detail.get("trainingType") == "AUTOMATIC":
        return None
    imports = [job.detail["creationDateTime"] for jobs in account.imports.values() for job in jobs]
    fresh = all(newest.detail["creationDateTime"] > one for one in imports)
    return newest if fresh and _open(account, newest) else None


def _open(account: Account, version: Found) -> list[Found]:
    """Return the campaigns that serve something older than `version` and were not changed since it was begun.

    After a rollback they were: what was rolled back is not promoted again.
    """
    return [
        one
        for one in account.campaigns
        if not _follows(one)
        and one.detail["solutionVersionArn"] != version.arn
        and one.detail["solutionVersionArn"].rpartition("/")[0] == version.arn.rpartition("/")[0]
        and version.detail["creationDateTime"] > (one.update or one.detail)["creationDateTime"]
    ]


def _trained(clients: Clients, spec: Spec, solution: Found, account: Account, pace: Pace, progress: Progress) -> Found:
    """Return a version that wasn't there before, or was under way, once it is ACTIVE."""
    before = {one.arn for one in account.versions[solution.arn] if not one.busy}
    while True:
        versions = account.versions.get(solution.arn)
        if versions is None:
            raise ProvisionError(f"Solution {solution.name}", "is gone", "Run `personalize-segment apply`")
        version = next((one for one in versions if one.arn not in before), None)
        progress(f"train {solution.name}", version.status if version else "CREATE PENDING")
        if version is None:
            # The name makes a second one, of a `train` at the same time, fail instead of train.
            name = f"{solution.name}-{len(versions) + 1}"
            request = {"name": name, "solutionArn": solution.arn, "trainingMode": "FULL"}
            place = f"SolutionVersion {name}"
            _call(clients.personalize, "CreateSolutionVersion", request, place, pace, _QUEUED)
        elif version.failure is not None:
            raise ProvisionError(f"SolutionVersion {version.name}", version.failure, failures.remedy(version.failure))
        elif version.status == ACTIVE:
            return version
        pace.sleep(pace.poll_seconds)
        account, _ = look(clients, spec, pace)


def _metric(clients: Clients, arn: str, metric: str, pace: Pace) -> float:
    metrics = _call(clients.personalize, "GetSolutionMetrics", {"solutionVersionArn": arn}, arn, pace)["metrics"]
    if metric not in metrics:
        raise ProvisionError(arn, f"has no metric {metric}", f"Choose one of {', '.join(sorted(metrics))}")
    return float(metrics[metric])


def _update(clients: Clients, spec: Spec, campaign: Found, version: str, pace: Pace, progress: Progress) -> None:
    """Let a campaign serve a version, after whatever else it is busy with, and wait until it does."""
    place = f"Campaign {campaign.name}"
    there: Found | None = campaign
    known = campaign.failure_id
    while True:
        if there is None:
            raise ProvisionError(place, "is gone", "Run `personalize-segment apply`")
        serving = there.detail["solutionVersionArn"] == version
        progress(f"promote {campaign.name}", ACTIVE if serving else str(there.update.get("status", "CREATE PENDING")))
        if serving and not there.busy:
            return
        if there.failure is not None and there.failure_id != known:
            raise ProvisionError(place, there.failure, failures.remedy(there.failure))
        if not there.busy:
            request = {"campaignArn": campaign.arn, "solutionVersionArn": version}
            _call(clients.personalize, "UpdateCampaign", request, place, pace, _LATER)
        pace.sleep(pace.poll_seconds)
        account, _ = look(clients, spec, pace)
        there = next((one for one in account.campaigns if one.arn == campaign.arn), None)


def _call(
    client: Any,
    operation: str,
    request: dict[str, Any],
    place: str,
    pace: Pace,
    later: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the answer; an empty one for the codes in `later`: someone else does the same, or is busy."""
    try:
        answer: dict[str, Any] = patiently(lambda: getattr(client, xform_name(operation))(**request), place, pace)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in later:
            return {}
        raise ProvisionError(place, f"{operation} was refused ({code}: {message})", failures.remedy(message)) from error
    return answer
