"""Event trackers, and metric attributions with their metrics."""

import re
import uuid
from collections.abc import Iterable

from .kinds import KINDS
from .lifecycle import begin, create, operation, page
from .model import Wire
from .service_errors import ServiceError, in_use, invalid
from .world import World

MOST_METRICS = 10
_EXPRESSION = re.compile(r"(?:SUM\((?:Interactions|Items)\.\w+\)|SAMPLECOUNT\(\))", re.IGNORECASE)


@operation("CreateEventTracker")
def create_tracker(world: World, request: Wire) -> Wire:
    """The one event tracker of a dataset group."""
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    if any(True for _ in world.each("EventTracker", datasetGroupArn=group.arn)):
        raise ServiceError(
            "ResourceAlreadyExistsException",
            f"Dataset group {group.arn} already has an event tracker. Only one can be associated with it.",
        )
    values = request | {"trackingId": str(uuid.uuid4()), "accountId": world.account}
    made = create(world, KINDS["EventTracker"], values, name=world.new_id(), group=group.arn)
    return {"eventTrackerArn": made.arn, "trackingId": made.values["trackingId"]}


@operation("CreateMetricAttribution")
def create_attribution(world: World, request: Wire) -> Wire:
    """The one metric attribution of a dataset group."""
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    metrics = {one["metricName"]: one for one in request["metrics"]}
    if len(metrics) < len(request["metrics"]):
        raise invalid("A metric name stands twice.")
    _check(metrics.values())
    values = {name: value for name, value in request.items() if name != "metrics"}
    made = create(world, KINDS["MetricAttribution"], values, name=request["name"], group=group.arn)
    made.hidden["metrics"] = metrics
    return {"metricAttributionArn": made.arn}


def _check(metrics: Iterable[Wire]) -> None:
    listed = list(metrics)
    if not 1 <= len(listed) <= MOST_METRICS:
        raise invalid(f"A metric attribution has 1 to {MOST_METRICS} metrics, not {len(listed)}.")
    for one in listed:
        if not _EXPRESSION.fullmatch(one["expression"]):
            raise invalid(
                f"The expression {one['expression']} is neither SUM(DatasetType.COLUMN_NAME) nor SAMPLECOUNT()."
            )


@operation("UpdateMetricAttribution")
def update_attribution(world: World, request: Wire) -> Wire:
    """Add and remove metrics, or write them elsewhere."""
    if "metricAttributionArn" not in request:
        raise invalid("Provide a metricAttributionArn.")
    found = world.find("MetricAttribution", request["metricAttributionArn"])
    if found.busy:
        raise in_use(f"Resource Arn {found.arn} is in {found.status} state.")
    metrics = dict(found.hidden["metrics"])
    for name in request.get("removeMetrics", []):
        if metrics.pop(name, None) is None:
            raise invalid(f"There is no metric {name}.")
    for one in request.get("addMetrics", []):
        if one["metricName"] in metrics:
            raise ServiceError("ResourceAlreadyExistsException", f"There is a metric {one['metricName']} already.")
        metrics[one["metricName"]] = one
    _check(metrics.values())
    changes = {name: request[name] for name in ("metricsOutputConfig",) if name in request}

    def run() -> None:
        found.hidden["metrics"] = metrics
        found.values.update(changes)

    words = ("UPDATE PENDING", "UPDATE IN_PROGRESS", "ACTIVE", "UPDATE FAILED")
    begin(world, found, words, found.values, run, (found.values["name"],))
    return {"metricAttributionArn": found.arn}


@operation("ListMetricAttributionMetrics")
def list_metrics(world: World, request: Wire) -> Wire:
    """The metrics of a metric attribution, or of all."""
    wanted = request.get("metricAttributionArn")
    found = [one for one in world.each("MetricAttribution") if wanted in (None, one.arn)]
    return page("ListMetricAttributionMetrics", [m for one in found for m in one.hidden["metrics"].values()], request)
