"""A running stack on the emulator, with a mapping too large for Lambda's environment, and its changes."""

import base64
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attached import attached
from personalize_emulator.server import Server
from personalize_segment.contract.mapping import default_text, parse
from programs import needs
from roles import allowed, policies_of
from served import client
from stacks import Stack, StackError


def large_mapping() -> str:
    """Return the JSON of a mapping with sixty names of events and long paths, none of which compresses."""
    mapping: dict[str, Any] = json.loads(default_text())
    for number in range(60):
        name = hashlib.sha256(f"name {number}".encode()).hexdigest()
        paths = [f"properties.{hashlib.sha256(f'{number} {path}'.encode()).hexdigest()}.id" for path in range(2)]
        rule = {"event_type": "View", "fields": {"ITEM_ID": {"from": paths}}}
        mapping["interactions"]["track"][f"Viewed {name}"] = rule
    return json.dumps(mapping)


TEXT = large_mapping()
MAPPING = parse(TEXT)
SERVICES = ("cloudwatch", "glue", "iam", "lambda", "s3", "scheduler", "secretsmanager", "sqs")
NAME = list(json.loads(TEXT)["interactions"]["track"])[-1]
KEY = f"artifacts/event-mappings/{MAPPING.sha256}.json"
VARIABLES: dict[str, Any] = {
    "name": "shop",
    "segment_external_ids": ["9sQx2TbZ4k"],
    "write_key_secret": None,
    "new_write_key_version": 1,
    "event_mapping_path": "large.json",
    "bucket": {"force_destroy": True},
    "refresh": {"schedule": {"expression": "rate(7 days)"}},
    "warehouse": {"redshift": {"schema": "shop", "sql_path": "large.sql"}},
}
#: The inputs that users change, in every module.
CHANGED: dict[str, Any] = VARIABLES | {
    "segment_external_ids": ["4kZbT2xQs9", "9sQx2TbZ4k"],
    "new_write_key_version": 2,
    "event_mapping_path": None,
    "refresh": {"schedule": {"expression": "cron(0 3 * * ? *)", "time_zone": "Europe/Berlin"}, "poll_seconds": 120},
    "warehouse": {"redshift": {"schema": "web"}},
    "bucket": {"force_destroy": True, "lifecycle_days": {"derived": 30, "stage": 40, "noncurrent": 3, "uploads": 2}},
    "deletion_protection": True,
    "functions": {
        "architecture": "x86_64",
        "memory_megabytes": 1024,
        "timeout_seconds": 4,
        "reserved_concurrency": 5,
        "log": {"retention_days": 7, "level": "DEBUG"},
        "tracing": True,
    },
    "keep_unmapped": True,
    "monitoring": {
        "thresholds": {"recommendations_per_hour": 500, "write_backs_per_hour": 400, "silent_hours": 12},
        "operations_url": "https://wiki/operations",
    },
    "profile_queue": {"batch": {"size": 50, "window_seconds": 2}, "maximum_concurrency": 3, "max_receives": 4},
    "recommend": {"count": 5, "context": {"DEVICE": "context.device.type"}},
    "segment_logs": {"let_segment_write": True},
    "suppression_list": {"key": "forgotten"},
    "tags": {"team": "shop"},
    "training_job": {
        "glue_version": "5.1",
        "workers": {"type": "G.2X", "number": 4},
        "timeout_minutes": 60,
        "window": {"overlap_days": 3},
    },
    "write_back": {"events": ["Order Completed"], "interval_seconds": 3600},
}
#: The resources of `modules/function`.
FUNCTION = {
    "aws_cloudwatch_log_group.this",
    "aws_iam_role.this",
    "aws_lambda_alias.live",
    "aws_lambda_function.this",
} | {
    f"aws_iam_role_policy.{name}"
    for name in ("keep_rejected", "read_mapping", "read_parameters", "read_suppression_list", "trace", "write_logs")
}
WRITE_KEYS = ("the-first-key", "the-second-key")
PACKAGE = "dist/personalize-segment.zip"


class Applied:
    """The applied stack, its outputs and its server."""

    def __init__(self, server: Server, stack: Stack) -> None:
        self.server, self.stack = server, stack
        (stack.folder / "large.json").write_text(TEXT, "utf-8")
        sql = "UNLOAD ('SELECT 1') TO '{{location}}interactions/' IAM_ROLE '{{role_arn}}';"
        (stack.folder / "large.sql").write_text(f"-- event mapping sha256: {MAPPING.sha256}\n{sql}\n", "utf-8")
        self.outputs = self.apply(VARIABLES, WRITE_KEYS[0])
        self.bucket: str = self.outputs["data"]["value"]["bucket"]

    def apply(self, variables: dict[str, Any], write_key: str) -> dict[str, Any]:
        """Apply and return the outputs."""
        self.stack.environment["TF_VAR_new_write_key"] = write_key
        return self.stack.apply(variables)

    def age(self) -> set[str]:
        """Move the resources of `modules/function` to their former addresses, and return their types and names."""
        state = json.loads(self.stack("state", "pull"))
        aged = set()
        for caller in ("event-function", "profile-queue"):
            module = f"module.{caller.replace('-', '_')}"
            text = (self.stack.folder.parent / "modules" / caller / "moved.tf").read_text("utf-8")
            before = {new: old for old, new in re.findall(r"from = (\S+)\n +to += module\.function\.(\S+)", text)}
            for one in state["resources"]:
                if one["mode"] == "managed" and one.get("module") == f"{module}.module.function":
                    address = f"{one['type']}.{one['name']}"
                    aged.add(address)
                    old = before.get(address) or before[f"{address}[0]"]
                    one |= {"module": module, "name": old.split(".")[1]}
                    if address not in before:
                        del one["instances"][0]["index_key"]
        state["serial"] += 1
        file = self.stack.folder / "aged.json"
        file.write_text(json.dumps(state))
        self.stack("state", "push", str(file))
        return aged

    def deployed(self) -> dict[str, Any]:
        """Return the state in AWS of the inputs in `CHANGED`."""
        names = self.outputs["operations"]["value"]
        read = {service: client(self.server, service) for service in SERVICES}
        function = read["lambda"].get_function_configuration(FunctionName=names["functions"]["event"], Qualifier="live")
        job = read["glue"].get_job(JobName=names["glue_job"])["Job"]
        package = job["DefaultArguments"]["--extra-py-files"].removeprefix(f"s3://{self.bucket}/")
        code = read["s3"].get_object(Bucket=self.bucket, Key=package)["Body"].read()
        [source] = read["lambda"].list_event_source_mappings()["EventSourceMappings"]
        [schedule] = read["scheduler"].list_schedules()["Schedules"]
        alarms = read["cloudwatch"].describe_alarms(AlarmNames=["shop-recommendations-many", "shop-write-backs-many"])
        lifecycle = read["s3"].get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"]
        days = {int(number) for number in re.findall(r"Days\w*': (\d+)", str(lifecycle))}
        trust = read["iam"].get_role(RoleName="shop-us-east-1-segment")["Role"]["AssumeRolePolicyDocument"]
        queue = read["sqs"].get_queue_attributes(QueueUrl=names["queues"]["profiles"], AttributeNames=["RedrivePolicy"])
        [secret] = read["secretsmanager"].list_secrets()["SecretList"]
        key = read["secretsmanager"].get_secret_value(SecretId=secret["ARN"])["SecretString"]
        return {
            "mapping": function["Environment"]["Variables"]["event_mapping"][:5],
            "memory": (function["MemorySize"], function["Timeout"], function["TracingConfig"]["Mode"]),
            "code": base64.b64encode(hashlib.sha256(code).digest()).decode() == function["CodeSha256"],
            "version": function["Version"],
            "job": (
                job["GlueVersion"],
                job["WorkerType"],
                job["NumberOfWorkers"],
                job["Timeout"],
                job["Description"][-65:-1],
            ),
            "batch": (source["BatchSize"], source["ScalingConfig"]["MaximumConcurrency"]),
            "schedule": read["scheduler"].get_schedule(Name=schedule["Name"], GroupName="shop-refresh")[
                "ScheduleExpression"
            ],
            "alarms": [
                alarm[1] for alarm in sorted((one["AlarmName"], one["Threshold"]) for one in alarms["MetricAlarms"])
            ],
            "lifecycle": sorted(days),
            "external ids": trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"],
            "receives": json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"],
            "write key": key,
        }

    def settings(self) -> dict[str, str]:
        """Return the setting of both functions and the job."""
        names = self.outputs["operations"]["value"]
        read = client(self.server, "lambda").get_function_configuration
        found = {
            name: read(FunctionName=name, Qualifier="live")["Environment"]["Variables"]["event_mapping"]
            for name in names["functions"].values()
        }
        job = client(self.server, "glue").get_job(JobName=names["glue_job"])["Job"]
        return found | {names["glue_job"]: job["DefaultArguments"]["--event_mapping"]}

    def objects(self) -> list[str]:
        """Return the keys of the mappings in the bucket."""
        found = client(self.server, "s3").list_objects_v2(Bucket=self.bucket, Prefix="artifacts/event-mappings/")
        return [one["Key"] for one in found.get("Contents", [])]

    def invoke(self, name: str) -> dict[str, Any]:
        """Return the function's answer to an event without an item."""
        event = {
            "type": "track",
            "event": name,
            "messageId": "m-1",
            "userId": "u-1",
            "timestamp": "2024-03-01T00:00:00Z",
        }
        function = self.outputs["segment"]["value"]["function_arn"]
        answer = client(self.server, "lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        found: dict[str, Any] = json.load(answer["Payload"])
        assert "FunctionError" not in answer, found
        return found


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Applied]:
    needs("terraform", "applying a large mapping")
    with Server() as server:
        client(server, "ssm").put_parameter(Name="/shop/personalize/tracking_id", Value="tracker", Type="String")
        stack = Stack(tmp_path_factory.mktemp("large"), server.environment(), package)
        with attached(stack):
            yield Applied(server, stack)


def test_functions_and_job_have_the_address_and_the_digest(applied: Applied) -> None:
    assert set(applied.settings().values()) == {f"s3://{applied.bucket}/{KEY}#{MAPPING.sha256}"}
    assert applied.objects() == [KEY]
    data = client(applied.server, "s3").get_object(Bucket=applied.bucket, Key=KEY)["Body"].read()
    assert data.decode() == MAPPING.text


def test_an_event_is_handled_with_it(applied: Applied) -> None:
    answers = {name: applied.invoke(name)["reasons"] for name in (NAME, "Product Imagined")}
    assert [(one["dataset"], one["field"], one["reason"]) for one in answers[NAME]] == [
        ("interactions", "ITEM_ID", "missing")
    ]
    assert [one["reason"] for one in answers["Product Imagined"]] == ["no rule for this event"]


@pytest.mark.parametrize("role", ["shop-us-east-1-event", "shop-us-east-1-profiles", "shop-us-east-1-history"])
def test_a_role_may_read_this_object_and_no_other(applied: Applied, role: str) -> None:
    policies = policies_of(client(applied.server, "iam"), role)
    place = f"arn:aws:s3:::{applied.bucket}/artifacts/event-mappings"
    assert allowed(policies, "s3:GetObject", f"arn:aws:s3:::{applied.bucket}/{KEY}")
    assert not allowed(policies, "s3:GetObject", f"{place}/{'0' * 64}.json")
    assert not allowed(policies, "s3:PutObject", f"arn:aws:s3:::{applied.bucket}/{KEY}")


def test_the_page_bills_the_alarms_that_there_are(applied: Applied) -> None:
    """An alarm is billed by the metrics it reads."""
    found = client(applied.server, "cloudwatch").describe_alarms()["MetricAlarms"]
    metrics = sum(max(1, sum("MetricStat" in one for one in alarm.get("Metrics", []))) for alarm in found)
    page = (Path(__file__).parents[2] / "docs" / "terraform.md").read_text("utf-8")
    assert f"| alarms: {metrics} metrics, 4 of them for `refresh` | {metrics / 10:.2f} |" in page


def test_what_users_change_is_changed_on_a_running_stack_and_back(applied: Applied) -> None:
    """Three applies, each followed by an empty plan, also with the addresses of an earlier version."""
    # These plans have read the resources.
    applied.stack.environment |= {f"TF_CLI_ARGS_{command}": "-refresh=false" for command in ("apply", "destroy")}
    small = parse(default_text())
    aged = applied.age()
    assert applied.stack.changes() == {}
    before = applied.deployed()
    with zipfile.ZipFile(applied.stack.folder.parent / PACKAGE, "a") as package:
        package.writestr("new.py", "")
    client(applied.server, "s3").put_object(Bucket=applied.bucket, Key=CHANGED["suppression_list"]["key"], Body=b"")
    applied.apply(CHANGED, WRITE_KEYS[1])
    aged |= applied.age()
    assert aged == FUNCTION
    assert applied.stack.changes() == {}
    changed = applied.deployed()
    assert changed == {
        "mapping": "gzip:",
        "memory": (1024, 4, "Active"),
        "code": True,
        "version": "2",
        "job": ("5.1", "G.2X", 4, 60, small.sha256),
        "batch": (50, 3),
        "schedule": "cron(0 3 * * ? *)",
        "alarms": [500, 400],
        "lifecycle": [2, 3, 30, 40],
        "external ids": ["4kZbT2xQs9", "9sQx2TbZ4k"],
        "receives": 4,
        "write key": WRITE_KEYS[1],
    }
    assert applied.objects() == []
    assert applied.invoke(NAME)["reasons"][0]["reason"] == "no rule for this event"

    with pytest.raises(StackError, match=r"personalize-segment destroy --name shop \(region us-east-1\)"):
        applied.stack.destroy()
    assert applied.deployed() == changed

    applied.apply(VARIABLES | {"new_write_key_version": 3}, WRITE_KEYS[0])
    assert applied.stack.changes() == {}
    assert applied.deployed() == before | {"version": "3"}
    assert applied.objects() == [KEY]
    assert applied.invoke(NAME)["reasons"][0]["reason"] == "missing"
    applied.stack.destroy()
