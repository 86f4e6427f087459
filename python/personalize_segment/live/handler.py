"""The Lambda functions: `segment_event`, invoked by Segment, and `profile_batch`, invoked by SQS.

Their logs and metrics have ids only, never an event's content.
"""

import json
import os
import sys
import threading
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ..aws_errors import FAILURES, answered
from ..contract.mapping import fetched
from ..contract.rows import Reason, grouped, id_text
from ..errors import MappingError, PersonalizeSegmentError, SettingsError, TransientError
from . import invocation
from .clients import ONCE, RETRIED, Clients
from .deadline import Deadline, start
from .event import NO_RULE, Live, Outcome
from .profile_batch import RateLimiter, Sender
from .profile_table import ProfileTable
from .record import reject
from .settings import Settings, load

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "personalize-segment")
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "PersonalizeSegment")
#: Time reserved for the response before Lambda times out.
RESERVE_SECONDS = 0.2

logger = Logger(service=SERVICE)

#: Concurrent first events initialize the function once.
_starting = threading.Lock()


def _environment() -> dict[str, str]:
    """Return the environment. If the mapping is a reference to S3, replace it with the mapping itself."""
    environment = dict(os.environ)
    try:
        environment["event_mapping"] = fetched(environment.get("event_mapping", ""), _object)
    except MappingError as error:
        raise SettingsError("event_mapping", f"{error.place} {error.problem}", error.remedy) from None
    return environment


def _object(place: str) -> bytes:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    try:
        s3 = boto3.client("s3", config=RETRIED)
        return answered(lambda: s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except FAILURES as error:
        problem = f"{place} can't be read: {error}"
        raise SettingsError("event_mapping", problem, "Run `terraform apply`, which writes it") from error


@cache
def _live() -> tuple[Settings, Live]:
    settings = load(_environment())
    clients = Clients(settings, RETRIED)
    # Clients are created during initialization, when Lambda gives the function the most CPU.
    if settings.tracking_id:
        _ = clients.events
    if settings.campaign:
        _ = clients.runtime
    if settings.rejected_queue or settings.profile_queue:
        _ = clients.sqs
    return settings, Live(settings, clients)


@cache
def _consumer() -> tuple[Settings, Clients, dict[str, RateLimiter]]:
    settings = load(_environment())
    limiters = {dataset: RateLimiter(settings.profile_rate) for dataset in ("users", "items")}
    return settings, Clients(settings, ONCE), limiters


def segment_event(payload: Any, context: Any) -> dict[str, Any]:
    """Record one Segment event, or each event in a batch of SQS or Kinesis, and return the outcome.

    `payload` is the event as Segment sends it, an EventBridge event with it in `detail`, or a batch of SQS or Kinesis
    in `Records`. Returns `decision`, `rows`, `reasons`, `nulls`, `recommendation` and `write_back`, or for a batch
    `batchItemFailures`. Raises TransientError if the event must be sent again.
    """
    with _starting:
        settings, live = _live()
    batch = invocation.records(payload)
    if batch is None:
        outcome = _observed(live, invocation.unwrapped(payload), _deadline(context, settings.budget), context)
        return {
            "decision": outcome.decision,
            "rows": outcome.rows,
            "reasons": grouped(outcome.reasons),
            "nulls": grouped(outcome.nulls),
            "recommendation": outcome.recommendation,
            "write_back": outcome.write_back,
        }
    failed = []
    for record in batch:
        try:
            _observed(live, invocation.event_in(record), _deadline(context, settings.budget), context)
        except PersonalizeSegmentError:
            name = invocation.record_id(record)
            if name is None:
                raise  # retries the whole batch: an event recorded twice has one id
            failed.append(name)
    return invocation.failures(failed)


def profile_batch(payload: Any, context: Any) -> dict[str, Any]:
    """Send a batch of users and items from SQS to Personalize. Return the messages that SQS must deliver again."""
    with _starting:
        settings, clients, limiters = _consumer()
    messages = {}
    for record in invocation.records(payload) or [payload]:
        name = invocation.record_id(record)
        if name is None or not isinstance(record.get("body"), str):
            raise SettingsError("payload", "isn't an SQS batch", "Invoke this function from the profile queue only")
        messages[name] = record["body"]
    deadline = _deadline(context, None)
    arns = {"users": clients.value(settings.users), "items": clients.value(settings.items)}
    table = ProfileTable(clients.dynamodb, settings.profile_table) if settings.profile_table else None
    suppressed = deadline.wait(start(clients.suppressed))
    sender = Sender(clients.events, arns, settings.mapping, table, limiters, suppressed)
    result = sender.send(messages, deadline)
    kept = 0
    for message_id, profile, reason in result.rejected:
        logger.warning("profile rejected", extra={"sqs_message_id": message_id, "reason": _short(reason)})
        try:
            deadline.wait(start(partial(_reject, settings, clients, profile, reason)))
            kept += 1
        except (TransientError, TimeoutError):
            result.failed.append(message_id)
            result.causes["the queue of rejected events"] += 1
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    counts = {"Recorded": len(result.recorded), "Failed": len(result.failed), "Rejected": kept}
    if result.suppressed:
        counts["Suppressed"] = len(result.suppressed)
    for name, number in counts.items():
        metrics.add_metric(f"Profiles{name}", MetricUnit.Count, number)
    _write(metrics)
    if result.failed:
        logger.warning("profiles will be delivered again", extra={"count": len(result.failed), "causes": result.causes})
    return invocation.failures(result.failed)


def _reject(settings: Settings, clients: Clients, profile: Any, reason: Reason) -> None:
    if settings.rejected_queue:
        reject(clients.sqs, settings.rejected_queue, [reason], settings.mapping.sha256, profile=profile)


def _deadline(context: Any, budget: int | None) -> Deadline:
    """Return the response deadline: before Lambda stops us, and before Segment stops waiting."""
    left = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    return Deadline(left if budget is None else min(left, budget / 1000))


def _observed(live: Live, event: Any, deadline: Deadline, context: Any) -> Outcome:
    """Let `live` process an event, then log and count the outcome."""
    message_id = id_text(event.get("messageId")) if isinstance(event, dict) else None
    ids = {"message_id": message_id, "aws_request_id": getattr(context, "aws_request_id", None)}
    try:
        outcome = live.take(event, deadline)
    except PersonalizeSegmentError as error:
        logger.warning("event will be sent again", extra=ids | {"place": error.place, "problem": error.problem})
        _count("raised", error.place)
        raise
    _count(outcome.decision, _short(outcome.reasons[0]) if outcome.reasons else "")
    if outcome.reasons and outcome.decision != NO_RULE:
        why = [[reason.dataset, reason.field, _short(reason)] for reason in outcome.reasons[:10]]
        logger.warning("event rejected", extra=ids | {"reasons": why})
    if ":" in outcome.recommendation + outcome.write_back:
        said = {"recommendation": outcome.recommendation, "write_back": outcome.write_back}
        logger.warning("recommendations not written back", extra=ids | said)
    _measure(outcome, ids)
    return outcome


def _short(reason: Reason) -> str:
    """Return a reason without the API's message, which may hold values of the event."""
    return reason.reason.partition(":")[0]


def _count(decision: str, reason: str) -> None:
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension("decision", decision)
    metrics.add_dimension("reason", reason or "none")
    # An alarm names every dimension of a metric. These sets leave out the reason, then also the decision.
    metrics.add_dimensions(service=SERVICE, decision=decision)
    metrics.add_dimensions(service=SERVICE)
    metrics.add_metric("Events", MetricUnit.Count, 1)
    _write(metrics)


def _measure(outcome: Outcome, ids: dict[str, str | None]) -> None:
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    for dataset, number in outcome.rows.items():
        metrics.add_metric(f"Rows{dataset.capitalize()}", MetricUnit.Count, number)
    counts = {
        "RowsUnprovisioned": outcome.unprovisioned,
        "ValuesUnusable": len(outcome.nulls),
        "RowsAhead": outcome.ahead,
        "RecommendationMarkup": outcome.markup,
    }
    for name, number in counts.items():
        if number:
            metrics.add_metric(name, MetricUnit.Count, number)
    for what, said in (("Recommendation", outcome.recommendation), ("WriteBack", outcome.write_back)):
        if said:
            name = "".join(word.capitalize() for word in said.partition(":")[0].split())
            metrics.add_metric(f"{what}{name}", MetricUnit.Count, 1)
    for step, milliseconds in outcome.milliseconds.items():
        name = "".join(word.capitalize() for word in step.split("_"))
        metrics.add_metric(f"{name}Milliseconds", MetricUnit.Milliseconds, round(milliseconds, 1))
    for name, value in ids.items():
        if value:
            metrics.add_metadata(name, value)
    _write(metrics)


def _write(metrics: EphemeralMetrics) -> None:
    # One write per line: Powertools' own flush would interleave the lines of several threads.
    sys.stdout.write(json.dumps(metrics.serialize_metric_set(), separators=(",", ":")) + "\n")
    sys.stdout.flush()


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # A missing or malformed setting fails the cold start with an error that names it.
    _consumer() if os.environ.get("_HANDLER", "").endswith(".profile_batch") else _live()
