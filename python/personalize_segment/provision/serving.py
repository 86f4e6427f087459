"""The plan for serving: solutions, their first versions, campaigns, recommenders, metric attribution."""

from typing import Any

from .spec import Campaign, Recommender, Solution, digest
from .state import INACTIVE, StackResource
from .steps import Draft

#: The time until the first automatic training, according to AWS.
AUTOMATIC = "the first automatic training begins within an hour"


def solution(
    draft: Draft, wanted: Solution, group: str | None, *, ready: bool
) -> tuple[StackResource | None, StackResource | None]:
    """Return the solution, and its latest active version."""
    name = f"{draft.spec.name}-{wanted.key}-{digest(wanted.recipe, wanted.columns)}"
    cost = draft.prices.training(wanted.every_days)
    events = list(wanted.events)
    rate = f"rate({wanted.every_days} days)" if wanted.every_days else None
    config: dict[str, Any] = {"eventsConfig": {"eventParametersList": events}} if events else {}
    config |= {"autoTrainingConfig": {"schedulingExpression": rate}} if rate else {}
    create = None
    if group and ready:
        columns = {"trainingDataConfig": {"includedDatasetColumns": wanted.columns}} if wanted.columns else {}
        create = {"name": name, "datasetGroupArn": group, "recipeArn": wanted.recipe, "performAutoTraining": bool(rate)}
        create |= {"solutionConfig": config | columns} if config or columns else {}
    known = next((solution for solution in draft.state.solutions if solution.name == name), None)
    solution = draft.create(known, "Solution", name, create, cost, after="after the imports")
    if solution is None:
        if known is None:
            draft.add("create", "SolutionVersion", name, "after its solution" + (f": {AUTOMATIC}" if rate else ""))
        return None, None
    detail = solution.detail.get("solutionConfig", {})
    days = (detail.get("autoTrainingConfig") or {}).get("schedulingExpression")
    settings = {"automatic training": rate, "events": events}
    current = {
        "automatic training": days if solution.detail.get("performAutoTraining") else None,
        "events": [_set(event) for event in (detail.get("eventsConfig") or {}).get("eventParametersList", [])],
    }
    request = {"performAutoTraining": bool(rate)} | ({"solutionUpdateConfig": config} if config else {})
    if draft.update(solution, name, settings, current, request, cost):
        return solution, _version(draft, solution, automatic=bool(rate))
    return solution, draft.state.latest(solution)


def _version(draft: Draft, solution: StackResource, *, automatic: bool) -> StackResource | None:
    latest = draft.state.latest(solution)
    if latest is not None:
        draft.add("nothing", "SolutionVersion", solution.name)
        return latest
    versions = draft.state.versions.get(solution.arn, [])
    if versions and versions[-1].busy:
        draft.add("wait", "SolutionVersion", solution.name, versions[-1].status)
    elif versions and versions[-1].failure_id not in draft.accepted:
        draft.block("SolutionVersion", solution.name, str(versions[-1].failure))
    elif automatic and not versions:
        draft.add("wait", "SolutionVersion", solution.name, AUTOMATIC)
    else:
        request = version_request(solution, versions)
        draft.add("create", "SolutionVersion", request["name"], call=("CreateSolutionVersion", request))
    return None


def version_request(solution: StackResource, versions: list[StackResource]) -> dict[str, Any]:
    """Return the request of a training. Because of its name, a second one by a concurrent command fails."""
    name = f"{solution.name}-{len(versions) + 1}"
    return {"name": name, "solutionArn": solution.arn, "trainingMode": "FULL"}


def campaign(
    draft: Draft, wanted: Campaign, solution: StackResource | None, version: StackResource | None
) -> StackResource | None:
    """Return the campaign, or None until it is ACTIVE."""
    cost = draft.prices.tps(wanted.minimum_tps)
    served = next(solution for solution in draft.spec.solutions if solution.key == wanted.solution)
    # A campaign belongs to its solution. Another recipe needs another campaign.
    name = f"{draft.spec.name}-{wanted.key}-{digest(served.key, served.recipe, served.columns)}"
    config = {"syncWithLatestSolutionVersion": wanted.follow_latest}
    request: dict[str, Any] = {"minProvisionedTPS": wanted.minimum_tps, "campaignConfig": config}
    create = None
    if solution and version:
        serve = f"{solution.arn}/$LATEST" if wanted.follow_latest else version.arn
        create = {"name": name, "solutionVersionArn": serve} | request
    known = next((campaign for campaign in draft.state.campaigns if campaign.name == name), None)
    campaign = draft.create(known, "Campaign", name, create, cost, after="after a version of its solution")
    if campaign is None:
        return None
    settings = {"minimum TPS": wanted.minimum_tps, "follow latest": wanted.follow_latest}
    current = {"minimum TPS": campaign.detail.get("minProvisionedTPS"), "follow latest": follows_latest(campaign)}
    if wanted.follow_latest and solution:
        request["solutionVersionArn"] = f"{solution.arn}/$LATEST"
    elif current["follow latest"] and version:
        request["solutionVersionArn"] = version.arn
    draft.update(campaign, name, settings, current, request, cost)
    return campaign


def follows_latest(campaign: StackResource) -> bool:
    """Return whether a campaign serves each new version of its solution automatically."""
    return bool((campaign.detail.get("campaignConfig") or {}).get("syncWithLatestSolutionVersion", False))


def recommender(draft: Draft, wanted: Recommender, group: str | None, *, ready: bool) -> StackResource | None:
    """Return the recommender, or None until it is ACTIVE and started."""
    name = f"{draft.spec.name}-{wanted.key}-{digest(wanted.recipe)}"
    cost = "per hour for its minimum (see AWS's prices)"
    config = {"minRecommendationRequestsPerSecond": wanted.minimum_tps}
    create = None
    if group and ready:
        create = {"name": name, "datasetGroupArn": group, "recipeArn": wanted.recipe, "recommenderConfig": config}
    known = next((recommender for recommender in draft.state.recommenders if recommender.name == name), None)
    recommender = draft.create(known, "Recommender", name, create, cost, after="after the imports")
    if recommender is None:
        return None
    if recommender.status == INACTIVE:
        draft.add("update", "Recommender", name, "it is stopped", cost=cost, call=recommender.call("Start"))
        return None
    current = {"minimum TPS": (recommender.detail.get("recommenderConfig") or {}).get(next(iter(config)))}
    settings = {"minimum TPS": wanted.minimum_tps}
    draft.update(recommender, name, settings, current, {"recommenderConfig": config}, cost)
    return recommender


def attribution(draft: Draft, group: str | None) -> None:
    """Plan the metric attribution. A group has at most one."""
    wanted, name = draft.spec.attribution, f"{draft.spec.name}-metrics"
    if wanted is None:
        return
    output = {"s3DataDestination": {"path": wanted.location}, "roleArn": draft.spec.role}
    metrics = [
        {"metricName": metric, "eventType": event, "expression": expression}
        for metric, (event, expression) in wanted.metrics.items()
    ]
    create = None
    if group and draft.datasets_ready():
        create = {"name": name, "datasetGroupArn": group, "metrics": metrics, "metricsOutputConfig": output}
    known = next((attribution for attribution in draft.state.attributions if attribution.name == name), None)
    attribution = draft.create(known, "MetricAttribution", name, create, after="after the datasets")
    if attribution is None:
        return
    current = draft.state.metrics.get(attribution.arn, {})
    stale = [metric for metric in current if current[metric] != wanted.metrics.get(metric)]
    added = [metric for metric in metrics if metric["metricName"] in stale or metric["metricName"] not in current]
    request = {"addMetrics": added, "removeMetrics": stale, "metricsOutputConfig": output}
    location = attribution.detail["metricsOutputConfig"]["s3DataDestination"]["path"]
    settings = {"metrics": wanted.metrics, "location": wanted.location}
    draft.update(attribution, name, settings, {"metrics": current, "location": location}, request)


def _set(event: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of an event that are set."""
    return {key: value for key, value in event.items() if value is not None}
