"""All examples are applied together on one emulator: the second plan is empty, no secret is stored, nothing is left."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from attached import attached
from calls import Calls
from java import Java
from personalize_emulator.server import Server
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.history.sample import sample
from personalize_segment.provision import spec
from programs import needs
from roles import ROLES, allowed, policies_of
from stacks import Stack

WRITE_KEY = "the-write-key-that-no-one-may-see"
BUCKET = "lake-of-somebody"
STATES = "states-of-somebody"
SHARED = "lake-of-two"
# State in S3, as is common. With a local file, Terraform writes the whole state twice for every resource.
ROOT = """
terraform {
  backend "s3" {
    bucket                      = "%s"
    key                         = "all.tfstate"
    use_path_style              = true
    skip_credentials_validation = true
  }
}

variable "write_key" {
  type      = string
  ephemeral = true
}

variable "kms_key_arn" {
  type = string
}

module "minimal" {
  source    = "../terraform/examples/minimal"
  write_key = var.write_key
}

module "existing_bucket_and_kms" {
  source      = "../terraform/examples/existing-bucket-and-kms"
  bucket      = "%s"
  kms_key_arn = var.kms_key_arn
}

module "two_stacks" {
  source = "../terraform/examples/two-stacks"
}

module "two_stacks_on_one_bucket" {
  source = "../terraform/examples/two-stacks-on-one-bucket"
  bucket = "%s"
}

variable "package" {
  type = object({ bucket = string, key = string, sha256_base64 = string })
}

module "inside_another_stack" {
  source  = "../terraform/examples/inside-another-stack"
  package = var.package
}

# What a stack uses may be made in the same apply: nothing of it is known when Terraform plans.
resource "aws_kms_key" "made" {}

resource "aws_s3_bucket" "made" {
  bucket        = "made-in-the-same-apply"
  force_destroy = true
}

resource "aws_sns_topic" "made" {
  name = "made-in-the-same-apply"
}

resource "aws_iam_role" "made" {
  name               = "made-in-the-same-apply"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

module "made" {
  source = "../terraform"

  name                 = "made"
  segment_external_ids = ["9sQx2TbZ4k"]
  write_key_secret     = { name = "segment/made", kms_key_arn = aws_kms_key.made.arn }
  bucket               = { existing = { name = aws_s3_bucket.made.id }, kms_key_arn = aws_kms_key.made.arn }
  training_job         = { kms_key = { arn = aws_kms_key.made.arn } }
  suppression_list     = { bucket = aws_s3_bucket.made.id, key = "forgotten", kms_key_arn = aws_kms_key.made.arn }
  functions            = { log = { kms_key_arn = aws_kms_key.made.arn } }
  profile_table        = { deletion_protection = false }
  monitoring           = { alarm_topic_arns = [aws_sns_topic.made.arn], operations_url = "https://wiki/operations" }
  refresh              = { schedule = { expression = "rate(7 days)" } }

  segment_logs = {
    bucket            = aws_s3_bucket.made.id
    kms_key_arn       = aws_kms_key.made.arn
    let_segment_write = true
  }

  warehouse = {
    redshift = { schema = "shop", sql_path = "${path.root}/unload.sql", role = { arn = aws_iam_role.made.arn } }
  }
}

data "aws_iam_policy_document" "made" {
  source_policy_documents = [module.made.merge.kms_key_policy, module.made.merge.log_key_policy]
}

resource "aws_s3_bucket_policy" "made" {
  bucket = aws_s3_bucket.made.id
  policy = module.made.merge.bucket_policy
}

output "made" {
  value = { outputs = module.made, key = aws_kms_key.made.arn, key_policy = data.aws_iam_policy_document.made.json }
}

output "minimal" {
  value = module.minimal
}

output "existing" {
  value = module.existing_bucket_and_kms
}

output "two" {
  value = module.two_stacks
}

output "one_bucket" {
  value = module.two_stacks_on_one_bucket
}

output "inside" {
  value = module.inside_another_stack
}
"""

# More tags than an object in S3 may have.
PROVIDER = """
provider "aws" {
  max_retries = 5

  default_tags {
    tags = { for number in range(20) : "tag-${number}" => "value" }
  }
}
"""

Clients = Any
#: Services that only the examples and this file use, not the stack.
OTHERS = {"kms", "sns", "ssm"}


class Applied:
    """All examples, applied."""

    def __init__(self, stack: Stack, server: Server, outputs: dict[str, Any]) -> None:
        self.stack, self.server, self.outputs = stack, server, outputs
        self._session: Any = boto3.session.Session()

    def client(self, service: str) -> Any:
        """Return a client of the emulator."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return self._session.client(service, region_name=self.server.region, endpoint_url=self.server.endpoint, **keys)

    def names(self) -> dict[str, set[str]]:
        """Return the names of all resources by service."""
        iam, logs, events = self.client("iam"), self.client("logs"), self.client("events")
        return {
            "buckets": {one["Name"] for one in self.client("s3").list_buckets()["Buckets"]},
            "functions": {one["FunctionName"] for one in self.client("lambda").list_functions()["Functions"]},
            "queues": set(self.client("sqs").list_queues().get("QueueUrls", [])),
            "jobs": set(self.client("glue").list_jobs()["JobNames"]),
            "roles": {one["RoleName"] for page in iam.get_paginator("list_roles").paginate() for one in page["Roles"]},
            "log groups": {one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]},
            "alarms": {one["AlarmName"] for one in self.client("cloudwatch").describe_alarms()["MetricAlarms"]},
            "dashboards": {
                one["DashboardName"] for one in self.client("cloudwatch").list_dashboards()["DashboardEntries"]
            },
            "secrets": {one["Name"] for one in self.client("secretsmanager").list_secrets()["SecretList"]},
            "rules": {one["Name"] for one in events.list_rules()["Rules"]},
            "machines": {one["name"] for one in self.client("stepfunctions").list_state_machines()["stateMachines"]},
            "schedules": {one["Name"] for one in self.client("scheduler").list_schedules()["Schedules"]},
            "tables": set(self.client("dynamodb").list_tables()["TableNames"]),
        }

    def allow_deletion_of_tables(self) -> None:
        """Have the effect of `deletion_protection = false`, which the examples don't set."""
        for name in self.names()["tables"]:
            self.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)


def documented() -> set[str]:
    """Return the actions that the deploying role needs, from docs/security.md."""
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    table = text.partition("<!-- deploy -->")[2].partition("<!-- /deploy -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    return {f"{service}:{action}" for service, actions in rows for action in re.findall(r"`([A-Z]\w+)`", actions)}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Applied]:
    """Yield the applied examples. Destroy them at the end, and check that nothing is left."""
    needs("terraform", "applying the examples")
    calls = Calls()
    with Server(personalize=calls.through) as server:
        stack = Stack(tmp_path_factory.mktemp("examples"), server.environment(), package, root="all")
        (stack.folder / "main.tf").write_text(ROOT % (STATES, BUCKET, SHARED))
        (stack.folder / "zz_override.tf").write_text(PROVIDER)
        sql = "UNLOAD ('SELECT 1') TO '{{location}}interactions/' IAM_ROLE '{{role_arn}}';"
        (stack.folder / "unload.sql").write_text(f"-- event mapping sha256: {parse(default_text()).sha256}\n{sql}\n")
        found = Applied(stack, server, {})
        key = found.client("kms").create_key()["KeyMetadata"]["Arn"]
        for bucket in (BUCKET, STATES, SHARED):
            found.client("s3").create_bucket(Bucket=bucket)
        found.client("s3").upload_file(str(package), STATES, "builds/1.zip")
        digest = base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()
        built = {"bucket": STATES, "key": "builds/1.zip", "sha256_base64": digest}
        before = found.names()
        stack.environment |= {"TF_VAR_write_key": WRITE_KEY, "TF_VAR_kms_key_arn": key}
        stack.environment["TF_VAR_package"] = json.dumps(built)
        with attached(stack):
            found.outputs = {name: one["value"] for name, one in stack.apply({}).items()}
            yield found
            # The second plan has read the resources. Rereading them would take as long as deleting them.
            stack.environment["TF_CLI_ARGS_destroy"] = "-refresh=false"
            found.allow_deletion_of_tables()
            stack.destroy()
        assert found.names() == before
        assert {one for one in calls.made if one.partition(":")[0] not in OTHERS} - documented() == set()


def test_all_examples_are_here_but_that_of_a_provider_that_cannot_be_had() -> None:
    """test_segments_provider.py plans that one without the provider."""
    there = {one.name for one in (Path(__file__).parents[2] / "terraform" / "examples").iterdir()}
    assert set(re.findall(r'"../terraform/examples/(.+)"', ROOT)) == there - {"segments-own-provider"}


def test_a_second_plan_is_empty(applied: Applied) -> None:
    assert applied.stack.changes() == {}


def test_the_state_holds_no_secret_and_secrets_manager_does(applied: Applied) -> None:
    state = applied.stack("state", "pull")
    assert "shop-event" in state
    assert WRITE_KEY not in state
    [secret] = [one for one in applied.names()["secrets"] if one.startswith("shop")]
    assert applied.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == WRITE_KEY


def test_the_job_s_script_package_and_arguments_write_the_training_data(
    applied: Applied, java: Java, tmp_path: Path
) -> None:
    """Run like Glue, except for three places, because plain PySpark doesn't read S3."""
    job = applied.client("glue").get_job(JobName="shop-history")["Job"]
    arguments = job["DefaultArguments"] | {
        "--S3_JSON_INPUT_PATH": str(sample(tmp_path / "logs", 3000)),
        "--S3_CSV_OUTPUT_PATH": str(tmp_path / "out"),
        "--stage": str(tmp_path / "stage"),
    }
    for place, name in ((job["Command"]["ScriptLocation"], "job.py"), (arguments["--extra-py-files"], "job.zip")):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        applied.client("s3").download_file(bucket, key, str(tmp_path / name))
    where = "\nimport personalize_segment; print(personalize_segment.__file__, file=sys.stderr)\n"
    (tmp_path / "job.py").write_text((tmp_path / "job.py").read_text("utf-8") + where, "utf-8")
    command = [sys.executable, str(tmp_path / "job.py"), *(text for pair in arguments.items() for text in pair)]
    with java.environment() as variables:
        environment = os.environ | variables | applied.server.environment() | {"PYTHONPATH": str(tmp_path / "job.zip")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "job.zip") in done.stderr.splitlines()[-1]
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["mapping_sha256"] == parse(default_text()).sha256
    assert all(one["rows"] > 10 for one in report["datasets"].values())


@pytest.mark.parametrize(
    ("place", "name", "served"),
    [
        pytest.param(("minimal", "personalize"), "shop", "campaigns", id="minimal"),
        pytest.param(("existing", "personalize"), "lake-shop", "campaigns", id="existing bucket and KMS"),
        pytest.param(("two", "shop_eu", "personalize"), "shop-eu", "campaigns", id="the first of two"),
        pytest.param(("two", "shop_us", "personalize"), "shop-us", "campaigns", id="the second of two"),
        pytest.param(("inside", "personalize"), "streaming", "recommenders", id="inside another stack"),
    ],
)
def test_the_spec_of_each_is_taken_by_our_own_reader(
    applied: Applied, place: tuple[str, ...], name: str, served: str
) -> None:
    value: Any = applied.outputs
    for key in place:
        value = value[key]
    read = spec.read(json.dumps(value))
    assert read.name == name
    assert getattr(read, served)
    assert {one.key: one.load is not None for one in read.datasets} == {
        "interactions": True,
        "users": True,
        "items": True,
    }


def test_stacks_of_one_account_have_nothing_in_common(applied: Applied) -> None:
    every = {(service, one) for service, several in applied.names().items() for one in several}
    eu = {(service, one.replace("shop-eu", "shop-us")) for service, one in every if "shop-eu" in one}
    # Not shop-us-east-1-…, which is of the stack shop.
    assert eu == {(service, one) for service, one in every if re.search("shop-us(?!-east)", one)}
    assert {service for service, _ in eu} >= {"buckets", "functions", "roles", "log groups"}
    first, second = (applied.outputs["two"][name] for name in ("shop_eu", "shop_us"))
    assert first["segment"]["external_ids"] != second["segment"]["external_ids"]
    assert first["segment"]["role_arn"] != second["segment"]["role_arn"]


def test_default_tags_reach_everything_but_objects_which_may_have_ten(applied: Applied) -> None:
    bucket, _, prefix = applied.outputs["two"]["shop_eu"]["data"]["transformed"].removeprefix("s3://").partition("/")
    s3 = applied.client("s3")
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 21
    objects = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"] if not one["Key"].startswith(prefix)]
    assert len(objects) == 3  # the script, the package and a wheel
    assert [s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] for key in objects] == [[]] * 3


def test_functions_and_job_run_a_package_from_a_bucket(applied: Applied) -> None:
    configuration = applied.client("lambda").get_function(FunctionName="streaming-event")["Configuration"]
    minimal = applied.client("lambda").get_function(FunctionName="shop-event")["Configuration"]
    assert configuration["CodeSha256"] == minimal["CodeSha256"]
    job = applied.client("glue").get_job(JobName="streaming-history")["Job"]
    assert job["DefaultArguments"]["--extra-py-files"] == f"s3://{STATES}/builds/1.zip"


def test_a_stack_uses_what_the_same_apply_made(applied: Applied) -> None:
    made = applied.outputs["made"]
    assert made["outputs"]["data"]["bucket"] == "made-in-the-same-apply"
    statements = {one["Sid"] for one in json.loads(made["key_policy"])["Statement"]}
    assert statements == {
        "TheRoleOfPersonalizeUsesTheKeyMade",
        "PersonalizeUsesTheKeyMade",
        "CloudWatchEncryptsLogsMade",
    }
    groups = applied.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/made-")["logGroups"]
    assert [one["kmsKeyId"] for one in groups] == [made["key"]] * 2
    alarms = applied.client("cloudwatch").describe_alarms(AlarmNamePrefix="made-")["MetricAlarms"]
    assert all(one["AlarmActions"] == one["OKActions"] for one in alarms)
    assert all("https://wiki/operations#" in one["AlarmDescription"] for one in alarms)
    assert alarms


def test_stacks_on_one_bucket_write_to_folders_of_their_own(applied: Applied) -> None:
    web, app = (applied.outputs["one_bucket"][one]["data"] for one in ("web", "app"))
    assert web["bucket"] == app["bucket"] == SHARED
    assert web["transformed"] == f"s3://{SHARED}/lake-web/transformed/"
    assert not set(web.values()) & set(app.values()) - {SHARED, None}
    policy = json.loads(applied.client("s3").get_bucket_policy(Bucket=SHARED)["Policy"])
    read = {one["Sid"]: json.dumps(one["Resource"]) for one in policy["Statement"]}
    assert len(read) == len(policy["Statement"]) == 8
    assert "lake-web/transformed/" in read["PersonalizeReadsItsInputLakeWeb"]
    assert "lake-app/transformed/" in read["PersonalizeReadsItsInputLakeApp"]
    objects = applied.client("s3").list_objects_v2(Bucket=SHARED)["Contents"]
    assert {one["Key"].split("/")[0] for one in objects} == {"lake-web", "lake-app", "personalize-segment-stacks"}


def test_the_existing_bucket_has_the_policy_that_was_put_out(applied: Applied) -> None:
    there = json.loads(applied.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])
    principals = [one["Principal"] for one in there["Statement"] if one["Effect"] == "Allow"]
    assert {"Service": "personalize.amazonaws.com"} in principals


@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_may_do_what_the_code_calls_and_nothing_beside(applied: Applied, role: str) -> None:
    policies = policies_of(applied.client("iam"), role)
    table = ROLES[role]
    assert [pair for pair in table.may if not allowed(policies, *pair)] == []
    assert [pair for pair in table.may_not if allowed(policies, *pair)] == []


def test_no_role_of_any_example_has_a_wildcard_action(applied: Applied) -> None:
    iam = applied.client("iam")
    for role in sorted(applied.names()["roles"]):
        for policy in policies_of(iam, role):
            for statement in policy["Statement"]:
                assert "*" not in json.dumps(statement["Action"]), (role, statement)


@pytest.mark.parametrize(
    ("role", "service"),
    [
        pytest.param("shop-us-east-1-history", "glue", id="the job"),
        pytest.param("shop-us-east-1-event", "lambda", id="the event function"),
        pytest.param("shop-us-east-1-personalize", "personalize", id="Personalize"),
        pytest.param("streaming-us-east-1-refresh", "states", id="the refresh"),
        pytest.param("streaming-us-east-1-refresh-schedule", "scheduler", id="the schedule"),
    ],
)
def test_a_role_is_for_one_service(applied: Applied, role: str, service: str) -> None:
    document = applied.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert [one["Principal"] for one in document["Statement"]] == [{"Service": f"{service}.amazonaws.com"}]


def test_only_segment_with_the_external_id_assumes_the_role_for_it(applied: Applied) -> None:
    document = applied.client("iam").get_role(RoleName="shop-us-east-1-segment")["Role"]["AssumeRolePolicyDocument"]
    [statement] = document["Statement"]
    assert "595280932656" in json.dumps(statement["Principal"])
    assert "root" not in json.dumps(statement["Principal"])
    [ids] = [value["sts:ExternalId"] for value in statement["Condition"].values() if "sts:ExternalId" in value]
    assert ids in ("9sQx2TbZ4k", ["9sQx2TbZ4k"])
