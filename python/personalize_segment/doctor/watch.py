"""Check the operation of a stack: queues, alarms, metrics of the last day, the refresh, the last export's report."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..contract.layout import REPORT_NAME
from ..contract.mapping import EventMapping
from ..errors import number
from . import access
from .finding import ABSENT, TERRAFORM, Deployed, Finding, examined, is_absent

OPERATIONS = "docs/operations.md"
#: The default namespace of the functions' metrics.
NAMESPACE = "PersonalizeSegment"
#: Metric and decision behind each number of the last day.
_METRICS = {
    "recorded": ("Events", "recorded"),
    "unmapped": ("Events", "unmapped"),
    "raised": ("Events", "raised"),
    "rejected": ("Events", "rejected"),
    "written back": ("WriteBackSent", None),
}


def queues(stack: Deployed, file: str) -> Iterator[Finding]:
    """Yield a finding for each queue: its policy, the number of messages, and the age of the oldest one."""
    full = {
        "profiles_dead": f"See {OPERATIONS}#profiles-are-dead",
        "rejected": f"Run `personalize-segment redrive {file}` to see the reasons",
    }
    for key, url in stack.operations["queues"].items():
        part = f"Queue {url.rpartition('/')[2]}"
        yield from examined(part, _queue(stack, part, url, full.get(key)))


def _queue(stack: Deployed, part: str, url: str, full: str | None) -> Iterator[Finding]:
    answer = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting, hidden = (int(answer.get(f"ApproximateNumberOfMessages{which}", 0)) for which in ("", "NotVisible"))
    dimensions = [{"Name": "QueueName", "Value": url.rpartition("/")[2]}]
    query = _query("age", "AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, "Maximum", 300)
    age = _values(stack, [query], timedelta(minutes=15)).get("age", 0)
    said = number(waiting + hidden, "message") + (f", the oldest {age / 3600:.1f} hours old" if age else "")
    problem = access.queue_policy(answer.get("Policy"))
    if problem is not None:
        yield Finding(part, "wrong", problem, TERRAFORM)
    elif waiting + hidden and full is not None:
        yield Finding(part, "wrong", said, full)
    else:
        yield Finding(part, "ok", said)


def alarms(stack: Deployed) -> Iterator[Finding]:
    """Yield a finding for each alarm that is absent, on or muted, and a single one for all others."""
    yield from examined("Alarms", _alarms(stack))


def _alarms(stack: Deployed) -> Iterator[Finding]:
    names = [arn.partition(":alarm:")[2] for arn in stack.operations["alarms"].values()]
    found: dict[str, Any] = {}
    for page in stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=names[:100]):
        found |= {alarm["AlarmName"]: alarm for alarm in page["MetricAlarms"]}
    quiet, tell = 0, 0
    for name in names:
        part, alarm = f"Alarm {name}", found.get(name)
        if alarm is None:
            yield Finding(part, "wrong", ABSENT, TERRAFORM)
        elif alarm["StateValue"] == "ALARM":
            yield Finding(part, "wrong", f"is on: {alarm.get('StateReason', '')}", _section(alarm))
        elif not alarm.get("ActionsEnabled", True):
            yield Finding(part, "wrong", "is muted: its actions are disabled", TERRAFORM)
        else:
            quiet += 1
            tell += bool(alarm.get("AlarmActions"))
    if quiet and not tell:
        remedy = "Set `monitoring.alarm_topic_arns` in Terraform"
        yield Finding("Alarms", "unknown", f"{number(quiet, 'quiet alarm')}, none of which notifies anyone", remedy)
    else:
        yield Finding("Alarms", "ok", f"{number(quiet, 'quiet alarm')}, {tell} of which notify someone")


def _section(alarm: Any) -> str:
    """Return the section of the docs that the alarm's description names."""
    words = (word.rstrip(".") for word in str(alarm.get("AlarmDescription", "")).split())
    return f"See {next((word for word in words if '#' in word), OPERATIONS + '#alarms')}"


def events(stack: Deployed) -> Iterator[Finding]:
    """Yield a finding about the events of the last day, by outcome."""
    yield from examined("Events of the last day", _events(stack))


def _events(stack: Deployed) -> Iterator[Finding]:
    queries = []
    for index, (metric, decision) in enumerate(_METRICS.values()):
        dimensions = {"service": stack.spec.name} | ({"decision": decision} if decision else {})
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        queries.append(_query(f"m{index}", NAMESPACE, metric, named, "Sum", 86_400))
    values = _values(stack, queries, timedelta(days=1))
    counts = {name: int(values.get(f"m{index}", 0)) for index, name in enumerate(_METRICS)}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    if any(counts.values()):
        yield Finding("Events of the last day", "ok", said)
    else:
        yield Finding("Events of the last day", "unknown", "none", f"See {OPERATIONS}#no-events-come")


def _query(name: str, namespace: str, metric: str, dimensions: list[Any], stat: str, period: int) -> dict[str, Any]:
    metric_stat = {"Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}}
    return {"Id": name, "MetricStat": metric_stat | {"Period": period, "Stat": stat}}


def _values(stack: Deployed, queries: list[Any], since: timedelta) -> dict[str, float]:
    """Return the sum or maximum of each query's values, without queries that have none."""
    now = datetime.now(UTC)
    answer = stack.client("cloudwatch").get_metric_data(MetricDataQueries=queries, StartTime=now - since, EndTime=now)
    combine = {query["Id"]: sum if query["MetricStat"]["Stat"] == "Sum" else max for query in queries}
    return {one["Id"]: combine[one["Id"]](one["Values"]) for one in answer["MetricDataResults"] if one["Values"]}


def refresh(stack: Deployed) -> Iterator[Finding]:
    """Yield findings about the state machine, its role, its last execution and its schedule, if the stack has one."""
    machine = stack.operations.get("state_machine")
    if machine is None:
        return
    name = machine.rpartition(":")[2]
    yield from examined(f"State machine {name}", _state_machine(stack, machine, name))
    yield from examined(f"Schedule {name}", _schedule(stack, machine, name))


def _state_machine(stack: Deployed, machine: str, name: str) -> Iterator[Finding]:
    states = stack.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=machine)["roleArn"]
    last = next(iter(states.list_executions(stateMachineArn=machine, maxResults=1)["executions"]), None)
    part, status = f"State machine {name}", last["status"] if last else "not started yet"
    if status in ("FAILED", "TIMED_OUT", "ABORTED"):
        yield Finding(part, "wrong", f"last refresh: {status}", f"See {OPERATIONS}#the-refresh-failed")
    else:
        yield Finding(part, "ok", f"last refresh: {status}")
    yield from access.role(stack, role, access.refresh(stack))


def _schedule(stack: Deployed, machine: str, name: str) -> Iterator[Finding]:
    part = f"Schedule {name}"
    schedule = stack.client("scheduler").get_schedule(GroupName=name, Name=name)
    if schedule["Target"]["Arn"] != machine:
        yield Finding(part, "wrong", f"starts {schedule['Target']['Arn']}", TERRAFORM)
    elif schedule.get("State", "ENABLED") != "ENABLED":
        yield Finding(part, "wrong", "is disabled", TERRAFORM)
    else:
        yield Finding(part, "ok", schedule["ScheduleExpression"])


def report(stack: Deployed, mapping: EventMapping) -> Iterator[Finding]:
    """Yield a finding about the report of the last export. Exports from a warehouse have no report."""
    yield from examined("Last export", _report(stack, mapping))


def _report(stack: Deployed, mapping: EventMapping) -> Iterator[Finding]:
    place = stack.outputs["data"]["transformed"] + REPORT_NAME
    bucket, _, key = place.removeprefix("s3://").partition("/")
    again = "Export again with `personalize-segment export`, the Glue job or the refresh"
    try:
        answer = stack.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if not is_absent(error):
            raise
        yield Finding("Last export", "unknown", f"no report at {place}", again)
        return
    document = json.loads(answer["Body"].read())
    if document.get("mapping_sha256") != mapping.sha256:
        found = f"used the event mapping {document.get('mapping_sha256')}"
        yield Finding("Last export", "wrong", found, again)
    else:
        counts = ", ".join(f"{one['rows']:,} {name}" for name, one in document["datasets"].items())
        yield Finding("Last export", "ok", f"of {answer['LastModified']:%Y-%m-%d %H:%M}: {counts}")


def profile_table(stack: Deployed) -> Iterator[Finding]:
    """Yield whether the table of live profiles exists. A stack may do without it, but loses data."""
    name = stack.operations.get("profile_table")
    if name is None:
        found = "none: live profiles aren't merged, so an event erases earlier values of its user or item"
        yield Finding("Profile table", "unknown", found, "Set `profile_table` in Terraform")
    else:
        yield from examined(f"Profile table {name}", _profile_table(stack, name))


def _profile_table(stack: Deployed, name: str) -> Iterator[Finding]:
    status = stack.client("dynamodb").describe_table(TableName=name)["Table"]["TableStatus"]
    yield Finding(f"Profile table {name}", "ok" if status in ("ACTIVE", "UPDATING") else "unknown", status)
