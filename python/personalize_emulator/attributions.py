"""Event trackers, and metric attributions with their metrics."""

import re
import uuid
from collections.abc import Collection

from .lifecycle import begin, create, operation, page
from .service_errors import already_exists, in_use, invalid
from .service_model import Wire
from .store import Store

MOST_METRICS = 10
_EXPRESSION = re.compile(r"(?:SUM\((?:Interactions|Items)\.\w+\)|SAMPLECOUNT\(\))", re.IGNORECASE)


@operation("CreateEventTracker")
def create_tracker(store: Store, request: Wire) -> Wire:
    """Create the one event tracker of a dataset group."""
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    if next(store.each("EventTracker", datasetGroupArn=group.arn), None):
        raise already_exists(
            f"Dataset group {group.arn} already has an event tracker. Only one can be associated with it."
        )
    values = request | {"trackingId": str(uuid.uuid4()), "accountId": store.account}
    tracker = create(store, "EventTracker", values, name=store.new_id(), group=group.arn)
    return {"eventTrackerArn": tracker.arn, "trackingId": values["trackingId"]}


@operation("CreateMetricAttribution")
def create_attribution(store: Store, request: Wire) -> Wire:
    """Create the one metric attribution of a dataset group."""
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    metrics = {metric["metricName"]: metric for metric in request["metrics"]}
    if len(metrics) < len(request["metrics"]):
        raise invalid("A metric name occurs twice.")
    _check(metrics.values())
    values = {name: value for name, value in request.items() if name != "metrics"}
    attribution = create(store, "MetricAttribution", values, group=group.arn)
    attribution.hidden["metrics"] = metrics
    return {"metricAttributionArn": attribution.arn}


def _check(metrics: Collection[Wire]) -> None:
    if not 1 <= len(metrics) <= MOST_METRICS:
        raise invalid(f"A metric attribution has 1 to {MOST_METRICS} metrics, not {len(metrics)}.")
    for written in (metric["expression"] for metric in metrics):
        if not _EXPRESSION.fullmatch(written):
            raise invalid(f"The expression {written} is neither SUM(DatasetType.COLUMN_NAME) nor SAMPLECOUNT().")


@operation("UpdateMetricAttribution")
def update_attribution(store: Store, request: Wire) -> Wire:
    """Add and remove metrics, or change their output location."""
    if "metricAttributionArn" not in request:
        raise invalid("Provide a metricAttributionArn.")
    attribution = store.find("MetricAttribution", request["metricAttributionArn"])
    if attribution.busy:
        raise in_use(f"Resource Arn {attribution.arn} is in {attribution.status} state.")
    metrics = dict(attribution.hidden["metrics"])
    for name in request.get("removeMetrics", []):
        if metrics.pop(name, None) is None:
            raise invalid(f"Metric {name} does not exist.")
    for metric in request.get("addMetrics", []):
        if metric["metricName"] in metrics:
            raise already_exists(f"Metric {metric['metricName']} already exists.")
        metrics[metric["metricName"]] = metric
    _check(metrics.values())
    changes = {name: request[name] for name in ("metricsOutputConfig",) if name in request}

    def run() -> None:
        attribution.hidden["metrics"] = metrics
        attribution.values.update(changes)

    words = ("UPDATE PENDING", "UPDATE IN_PROGRESS", "ACTIVE", "UPDATE FAILED")
    begin(store, attribution, words, attribution.values, run, (attribution.values["name"],))
    return {"metricAttributionArn": attribution.arn}


@operation("ListMetricAttributionMetrics")
def list_metrics(store: Store, request: Wire) -> Wire:
    """Return the metrics of one metric attribution, or of all."""
    wanted = request.get("metricAttributionArn")
    attributions = [attribution for attribution in store.each("MetricAttribution") if wanted in (None, attribution.arn)]
    metrics = [metric for attribution in attributions for metric in attribution.hidden["metrics"].values()]
    return page("ListMetricAttributionMetrics", metrics, request)
