"""A mapping that is too large for Lambda's environment: applied on the emulator, and an event handled with it."""

import hashlib
import json
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
from stacks import Stack


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
NAME = list(json.loads(TEXT)["interactions"]["track"])[-1]
KEY = f"artifacts/event-mappings/{MAPPING.sha256}.json"
VARIABLES = {
    "name": "shop",
    "segment_external_ids": ["9sQx2TbZ4k"],
    "write_key_secret": {"name": "segment/shop"},
    "event_mapping_path": "large.json",
}


class Applied:
    """The applied stack, its outputs and its server."""

    def __init__(self, server: Server, stack: Stack) -> None:
        self.server, self.stack = server, stack
        (stack.folder / "large.json").write_text(TEXT, "utf-8")
        self.outputs = stack.apply(VARIABLES)
        self.bucket: str = self.outputs["data"]["value"]["bucket"]

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
        """Return what the function answers to an event that has no item."""
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


def test_it_is_applied_once_and_a_small_mapping_takes_its_place(applied: Applied) -> None:
    assert applied.stack.changes() == {}
    small = VARIABLES | {"event_mapping_path": None}
    (applied.stack.folder / "stack.auto.tfvars.json").write_text(json.dumps(small), "utf-8")
    changes = applied.stack.changes()
    assert changes["aws_s3_object.event_mapping[0]"][0] == ["delete"]
    assert "environment" in changes["module.event_function.aws_lambda_function.event"][1]
    assert "environment" in changes["module.profile_queue.aws_lambda_function.profiles"][1]
    assert "default_arguments" in changes["module.training_job.aws_glue_job.history"][1]
    gone = {address for address, (actions, _) in changes.items() if actions == ["delete"]}
    assert gone == {
        "aws_s3_object.event_mapping[0]",
        "module.event_function.aws_iam_role_policy.read_mapping[0]",
        "module.profile_queue.aws_iam_role_policy.read_mapping[0]",
    }
