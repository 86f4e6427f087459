"""`doctor` names the broken part of a running stack, and its remedy repairs it."""

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

import in_process
from attached import attached
from personalize_emulator.server import Server
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.doctor import diagnosis
from personalize_segment.doctor.finding import Finding
from personalize_segment.provision.retries import Polling
from personalize_segment.provision.state import ProvisionClients
from programs import needs
from served import client
from stack import MAPPING, csv
from stacks import Stack

#: A stack's longest operation, some hours, takes a few hundredths of a second.
SPEED = 400_000
WRITE_KEY = "the-write-key"
SECRET = "shop/segment-write-key"
VARIABLES: dict[str, Any] = {
    "name": "shop",
    "segment_external_ids": ["9sQx2TbZ4k"],
    "write_key_secret": None,
    "new_write_key_version": 1,
    "event_mapping_path": "mapping.json",
    "bucket": {"force_destroy": True},
    "refresh": {"schedule": {"expression": "rate(7 days)"}},
    "recommend": {"per_minute": 5},
    # Nothing listens there.
    "write_back": {"events": ["*"], "segment_host": "http://127.0.0.1:9"},
}


class Running:
    """A stack applied by Terraform and served by Personalize, and the commands that check and repair it."""

    def __init__(self, server: Server, stack: Stack) -> None:
        self.server, self.stack = server, stack
        self._clients: dict[str, Any] = {}
        (stack.folder / "mapping.json").write_text(json.dumps(MAPPING))
        stack.environment["TF_VAR_new_write_key"] = WRITE_KEY
        self.documents = stack.apply(VARIABLES)
        (stack.folder / "outputs.json").write_text(json.dumps(self.documents))
        self.outputs = {name: one["value"] for name, one in self.documents.items()}
        self.bucket: str = self.outputs["data"]["bucket"]
        s3 = client(server, "s3")
        for kind in ("interactions", "users", "items"):
            s3.put_object(Bucket=self.bucket, Key=f"transformed/{kind}/part-0.csv", Body=csv(kind))
        report = {"mapping_sha256": parse(json.dumps(MAPPING)).sha256, "datasets": {"interactions": {"rows": 1100}}}
        s3.put_object(Bucket=self.bucket, Key="transformed/report.json", Body=json.dumps(report))
        done = self.run("apply", "--yes", "--poll", "0.05", "outputs.json")
        assert done.returncode == 0, done.stderr

    def __getitem__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(self.server, service)
        return self._clients[service]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb in the folder of the outputs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with contextlib.chdir(self.stack.folder):
            return in_process.run(*arguments, environment=kept | self.server.environment())

    def wrong(self) -> dict[str, Finding]:
        """Return the findings of `doctor` that are wrong, by their parts."""
        deployed = diagnosis.read_stack(json.dumps(self.documents), "outputs.json", self.__getitem__)
        clients = ProvisionClients(self["personalize"], self["ssm"], self["s3"])
        found = diagnosis.diagnose(deployed, clients, Polling(poll_seconds=0.05), "outputs.json")
        return {one.part: one for one in found if one.verdict == "wrong"}

    def repair(self, remedy: str) -> None:
        """Run the command in a remedy."""
        command = shlex.split(remedy.split("`")[1].replace("WRITE_KEY", WRITE_KEY))
        if command == ["terraform", "apply"]:
            self.stack("apply", "-auto-approve", "-no-color", "-parallelism=30")
        elif command[0] == "personalize-segment":
            done = self.run(*command[1:2], "--yes", "--poll", "0.05", *command[2:])
            assert done.returncode == 0, done.stderr
        else:
            _, service, verb, *options = command
            names = ("".join(word.capitalize() for word in one.removeprefix("--").split("-")) for one in options[::2])
            getattr(self[service], verb.replace("-", "_"))(**dict(zip(names, options[1::2], strict=True)))

    def personalize(self, kind: str, begins: str = "shop") -> None:
        """Delete the one resource of a kind whose name begins so."""
        api, member = self["personalize"], kind[0].lower() + kind[1:]
        listed = getattr(api, xform_name(f"List{kind}s"))()[f"{member}s"]
        [arn] = [one[f"{member}Arn"] for one in listed if one["name"].startswith(begins)]
        getattr(api, xform_name(f"Delete{kind}"))(**{f"{member}Arn": arn})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Running]:
    needs("terraform", "breaking a running stack")
    with Server(speed=SPEED) as server:
        stack = Stack(tmp_path_factory.mktemp("doctor"), server.environment(), package)
        with attached(stack):
            yield Running(server, stack)


def _other_mapping(running: Running) -> None:
    api, name = running["lambda"], "shop-event"
    variables = api.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    api.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"event_mapping": default_text()}}
    )
    version = api.publish_version(FunctionName=name)["Version"]
    api.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def _external_id(running: Running) -> None:
    api, name = running["iam"], "shop-us-east-1-segment"
    trust = api.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    text = json.dumps(trust).replace("9sQx2TbZ4k", "somebody-else")
    api.update_assume_role_policy(RoleName=name, PolicyDocument=text)


def _queue_policy(running: Running) -> None:
    url = running.outputs["operations"]["queues"]["profiles"]
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    running["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _glue_script(running: Running) -> None:
    place = running["glue"].get_job(JobName="shop-history")["Job"]["Command"]["ScriptLocation"]
    running["s3"].delete_object(Bucket=running.bucket, Key=place.partition(f"{running.bucket}/")[2])


Break = tuple[str, Callable[[Running], object]]
#: What breaks, and the start of the part that `doctor` must name.
BREAKS: dict[str, Break] = {
    "tracker": ("EventTracker shop", lambda one: one.personalize("EventTracker")),
    "campaign": ("Campaign shop-main-", lambda one: one.personalize("Campaign")),
    "dataset": ("Dataset shop-items", lambda one: one.personalize("Dataset", "shop-items")),
    "parameter": (
        "Parameter /shop/personalize/tracking_id",
        lambda one: one["ssm"].delete_parameter(Name="/shop/personalize/tracking_id"),
    ),
    "secret": (f"Secret {SECRET}", lambda one: one["secretsmanager"].delete_secret(SecretId=SECRET)),
    "write key": (
        f"Secret {SECRET}",
        lambda one: one["secretsmanager"].put_secret_value(SecretId=SECRET, SecretString=" "),
    ),
}
#: Damage that one `terraform apply` repairs.
DRIFT: dict[str, Break] = {
    "external id": ("Trust of role shop-us-east-1-segment", _external_id),
    "bucket policy": ("Bucket policy of ", lambda one: one["s3"].delete_bucket_policy(Bucket=one.bucket)),
    "queue policy": ("Queue shop-profiles", _queue_policy),
    "Glue script": ("File of Glue job s3://", _glue_script),
    "schedule": (
        "Schedule shop-refresh",
        lambda one: one["scheduler"].delete_schedule(Name="shop-refresh", GroupName="shop-refresh"),
    ),
    "alarm": (
        "Alarm shop-events-raised",
        lambda one: one["cloudwatch"].delete_alarms(AlarmNames=["shop-events-raised"]),
    ),
    "role statement": (
        "Role shop-us-east-1-event",
        lambda one: one["iam"].delete_role_policy(RoleName="shop-us-east-1-event", PolicyName="record"),
    ),
    "mapping in the function": ("Lambda function shop-event", _other_mapping),
    # Last, because a missing function hides other findings.
    "alias": (
        "Lambda function shop-event",
        lambda one: one["lambda"].delete_alias(FunctionName="shop-event", Name="live"),
    ),
}
#: Findings that are missing while the alias is absent.
OF_THE_ALIAS = "Role shop-us-east-1-event"


def test_nothing_is_wrong_with_a_stack_that_runs(running: Running) -> None:
    shown = running.run("doctor", "outputs.json")
    assert shown.stderr == "account 123456789012, region us-east-1, stack shop\n"
    lines = [line.split("│")[1:-1] for line in shown.stdout.splitlines() if "│" in line]
    found = {part.strip(): (verdict.strip(), text.strip()) for verdict, part, text in lines}
    assert {part for part, (verdict, _) in found.items() if verdict != "ok"} == {"Events of the last day", "Alarms"}
    remedies, counted = shown.stdout.splitlines()[-3:-1], shown.stdout.splitlines()[-1]
    assert remedies == [
        "unknown Events of the last day: See docs/operations.md#no-events-come.",
        "unknown Alarms: Set `monitoring.alarm_topic_arns` in Terraform.",
    ]
    assert counted == f"0 wrong, 2 unknown, {len(found) - 2} ok"
    assert found["Dry run of shop-event"] == ("ok", "answers ignored")
    assert found["Role shop-us-east-1-event"][1].endswith(" permissions that it needs")
    assert found["Queue shop-rejected"] == ("ok", "0 messages")
    assert shown.returncode == 0


def test_the_event_function_counts_what_all_copies_ask_for(running: Running) -> None:
    """With the role's permission. The test writes other copies' counts of this minute and the next."""

    def answer(user: str) -> dict[str, Any]:
        event: dict[str, Any] = {"type": "track", "event": "Product Viewed", "messageId": user, "userId": user}
        event |= {"timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": "i1", "category": "toys"}}
        name = running.outputs["segment"]["function_arn"]
        found: dict[str, Any] = json.load(
            running["lambda"].invoke(FunctionName=name, Payload=json.dumps(event))["Payload"]
        )
        assert found["decision"] == "recorded", found
        return found

    table = running.outputs["operations"]["profile_table"]
    assert answer("u1")["recommendation"] == "fetched"
    [item] = running["dynamodb"].scan(TableName=table)["Items"]
    minute = int(item["id"]["S"].removeprefix("recommendations#"))
    assert item == {
        "id": {"S": f"recommendations#{minute}"},
        "taken": {"N": "1"},
        "expires": {"N": str(minute * 60 + 86_400)},
    }
    for one in range(minute, minute + 3):
        running["dynamodb"].put_item(TableName=table, Item={"id": {"S": f"recommendations#{one}"}, "taken": {"N": "5"}})
    found = answer("u2")
    assert (found["recommendation"], found["write_back"]) == ("", "too many")


@pytest.mark.parametrize("broken", BREAKS)
def test_what_is_broken_is_named_alone_and_repaired_by_its_remedy(running: Running, broken: str) -> None:
    part, break_it = BREAKS[broken]
    break_it(running)
    [finding] = running.wrong().values()
    assert finding.part.startswith(part)
    running.repair(finding.remedy)
    assert running.wrong() == {}


def test_what_terraform_repairs_is_named_one_after_the_other(running: Running) -> None:
    """Each damage adds one finding and changes no other. The command reports the same, with its exit status."""
    before: dict[str, Finding] = {}
    for broken, (part, break_it) in DRIFT.items():
        break_it(running)
        found = running.wrong()
        news = [one for name, one in found.items() if one != before.get(name)]
        assert [one.part.startswith(part) for one in news] == [True], (broken, news)
        assert "`terraform apply`" in news[0].remedy, broken
        gone = before.keys() - found.keys()
        assert gone == ({OF_THE_ALIAS} if broken == "alias" else set()), broken
        before = found
    done = running.run("doctor", "--json", "outputs.json")
    assert done.returncode == 1, done.stderr
    assert [one for one in json.loads(done.stdout) if one["verdict"] == "wrong"] == list(map(asdict, before.values()))
    running.repair("Run `terraform apply`")
    assert running.wrong() == {}
