"""The plan of what serves: solutions, their first versions, campaigns, recommenders, metric attribution."""

from typing import Any

from .account import ACTIVE, INACTIVE, Found
from .draft import Draft
from .spec import Campaign, Recommender, Solution, digest

#: How long a first automatic training may take to begin, says AWS.
AUTOMATIC = "the first automatic training begins within an hour"


def solution(draft: Draft, one: Solution, group: str | None, *, ready: bool) -> tuple[Found | None, Found | None]:
    """Return the solution, and its latest version that can serve."""
    name = f"{draft.spec.name}-{one.key}-{digest(one.recipe, one.columns)}"
    cost = draft.prices.training(one.every_days)
    events = list(one.events)
    rate = {"schedulingExpression": f"rate({one.every_days} days)"} if one.every_days else None
    config: dict[str, Any] = {"eventsConfig": {"eventParametersList": events}} if events else {}
    config |= {"autoTrainingConfig": rate} if rate else {}
    create = None
    if group and ready:
        columns = {"trainingDataConfig": {"includedDatasetColumns": one.columns}} if one.columns else {}
        create = {
            "name": name,
            "datasetGroupArn": group,
            "recipeArn": one.recipe,
            "performAutoTraining": rate is not None,
        }
        create |= {"solutionConfig": config | columns} if config or columns else {}
    found = next((each for each in draft.account.solutions if each.name == name), None)
    solution = draft.settled(found, "Solution", name, create, cost, after="after the imports")
    if solution is None:
        if found is None:
            draft.add("create", "SolutionVersion", name, "after its solution" + (f": {AUTOMATIC}" if rate else ""))
        return None, None
    there = solution.detail.get("solutionConfig", {})
    days = (there.get("autoTrainingConfig") or {}).get("schedulingExpression")
    wanted = {"automatic training": rate and rate["schedulingExpression"], "events": events}
    known = {
        "automatic training": days if solution.detail.get("performAutoTraining") else None,
        "events": [_known(each) for each in (there.get("eventsConfig") or {}).get("eventParametersList", [])],
    }
    request = {"performAutoTraining": rate is not None, "solutionUpdateConfig": config}
    if not config:
        del request["solutionUpdateConfig"]
    if not draft.updated(solution, name, wanted, known, request, cost):
        active = [each for each in draft.account.versions.get(solution.arn, []) if each.status == ACTIVE]
        return solution, active[-1] if active else None
    return solution, _version(draft, solution, automatic=rate is not None)


def _version(draft: Draft, solution: Found, *, automatic: bool) -> Found | None:
    versions = draft.account.versions.get(solution.arn, [])
    active = [one for one in versions if one.status == ACTIVE]
    if active:
        draft.add("nothing", "SolutionVersion", solution.name)
        return active[-1]
    if versions and versions[-1].busy:
        draft.add("wait", "SolutionVersion", solution.name, versions[-1].status)
    elif versions and versions[-1].failure_id not in draft.accepted:
        draft.blocked("SolutionVersion", solution.name, str(versions[-1].failure))
    elif automatic and not versions:
        draft.add("wait", "SolutionVersion", solution.name, AUTOMATIC)
    else:
        # The name makes a second one, of an apply at the same time, fail instead of train.
        name = f"{solution.name}-{len(versions) + 1}"
        request = {"name": name, "solutionArn": solution.arn, "trainingMode": "FULL"}
        draft.add("create", "SolutionVersion", name, call=("CreateSolutionVersion", request))
    return None


def campaign(draft: Draft, one: Campaign, solution: Found | None, version: Found | None) -> Found | None:
    """Return the campaign once it is there."""
    kind, cost = "Campaign", draft.prices.tps(one.minimum_tps)
    of = next(each for each in draft.spec.solutions if each.key == one.solution)
    # A campaign belongs to its solution: with another recipe it is another campaign.
    name = f"{draft.spec.name}-{one.key}-{digest(of.key, of.recipe, of.columns)}"
    config = {"syncWithLatestSolutionVersion": one.follow_latest}
    create = None
    if solution and version:
        serve = f"{solution.arn}/$LATEST" if one.follow_latest else version.arn
        create = {
            "name": name,
            "solutionVersionArn": serve,
            "minProvisionedTPS": one.minimum_tps,
            "campaignConfig": config,
        }
    found = next((each for each in draft.account.campaigns if each.name == name), None)
    campaign = draft.settled(found, kind, name, create, cost, after="after a version of its solution")
    if campaign is None:
        return None
    there = campaign.detail
    wanted = {"minimum TPS": one.minimum_tps, "follow latest": one.follow_latest}
    known = {
        "minimum TPS": there.get("minProvisionedTPS"),
        "follow latest": bool((there.get("campaignConfig") or {}).get("syncWithLatestSolutionVersion", False)),
    }
    request = {"minProvisionedTPS": one.minimum_tps, "campaignConfig": config}
    if one.follow_latest and solution:
        request["solutionVersionArn"] = f"{solution.arn}/$LATEST"
    elif known["follow latest"] and version:
        request["solutionVersionArn"] = version.arn
    draft.updated(campaign, name, wanted, known, request, cost)
    return campaign


def recommender(draft: Draft, one: Recommender, group: str | None, *, ready: bool) -> Found | None:
    """Return the recommender once it is there and started."""
    name, cost = (
        f"{draft.spec.name}-{one.key}-{digest(one.recipe)}",
        "by the hour for its minimum: see AWS's prices",
    )
    config = {"minRecommendationRequestsPerSecond": one.minimum_tps}
    create = None
    if group and ready:
        create = {"name": name, "datasetGroupArn": group, "recipeArn": one.recipe, "recommenderConfig": config}
    found = next((each for each in draft.account.recommenders if each.name == name), None)
    recommender = draft.settled(found, "Recommender", name, create, cost, after="after the imports")
    if recommender is None:
        return None
    if recommender.status == INACTIVE:
        call = ("StartRecommender", {"recommenderArn": recommender.arn})
        draft.add("update", "Recommender", name, "it is stopped", cost=cost, call=call)
        return None
    known = {"minimum TPS": (recommender.detail.get("recommenderConfig") or {}).get(next(iter(config)))}
    draft.updated(recommender, name, {"minimum TPS": one.minimum_tps}, known, {"recommenderConfig": config}, cost)
    return recommender


def attribution(draft: Draft, group: str | None) -> None:
    """Plan the metric attribution, of which a group has one."""
    one, name = draft.spec.attribution, f"{draft.spec.name}-metrics"
    if one is None:
        return
    output = {"s3DataDestination": {"path": one.location}, "roleArn": draft.spec.role}
    metrics = [
        {"metricName": metric, "eventType": event, "expression": text} for metric, (event, text) in one.metrics.items()
    ]
    create = None
    if group and draft.all_datasets():
        create = {"name": name, "datasetGroupArn": group, "metrics": metrics, "metricsOutputConfig": output}
    found = next((each for each in draft.account.attributions if each.name == name), None)
    attribution = draft.settled(found, "MetricAttribution", name, create, after="after the datasets")
    if attribution is None:
        return
    there = draft.account.metrics.get(attribution.arn, {})
    stale = [metric for metric in there if there[metric] != one.metrics.get(metric)]
    request = {
        "addMetrics": [each for each in metrics if each["metricName"] in stale or each["metricName"] not in there],
        "removeMetrics": stale,
        "metricsOutputConfig": output,
    }
    known = {"metrics": there, "location": attribution.detail["metricsOutputConfig"]["s3DataDestination"]["path"]}
    draft.updated(attribution, name, {"metrics": one.metrics, "location": one.location}, known, request)


def _known(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if value is not None}
