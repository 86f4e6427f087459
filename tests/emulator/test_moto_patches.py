"""Each moto patch gives AWS's behavior. Without it moto differs, so that obsolete patches are found."""

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from moto import backends
from moto.core.utils import unix_time_millis
from moto.iam import models as iam_models
from moto.sqs import models as sqs_models

from personalize_emulator import lambda_patches, moto_patches, step_functions
from personalize_emulator.moto_patches import Patch, applied
from personalize_emulator.server import Server
from served import client, create_function, eventually, zipped

Check = Callable[[Server], object]
CHECKS: dict[Patch, Check] = {}


def of(patch: Patch) -> Callable[[Check], Check]:
    """Register the check that is true where moto, with or without `patch`, does as AWS does."""

    def register(check: Check) -> Check:
        CHECKS[patch] = check
        return check

    return register


def fresh(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


@of(moto_patches.service_of_a_host)
def where_a_host_leads_is_found_out_once(server: Server) -> object:
    sts = client(server, "sts")
    with mock.patch.object(backends, "list_of_moto_modules", wraps=backends.list_of_moto_modules) as looked:
        for _ in range(2):
            sts.get_caller_identity()
    return looked.call_count == 1


@of(moto_patches.account_of_a_key)
def other_partitions_are_not_created_for_the_account_of_a_key(server: Server) -> object:
    iam, name = client(server, "iam"), fresh("user")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    found = [iam_models.get_account_id_from(one) for one in (key, "of-no-one")]
    return found == ["123456789012"] * 2 and list(iam_models.iam_backends["123456789012"]) == ["aws"]


@of(moto_patches.simulated_policies)
def the_policies_of_a_role_are_evaluated(server: Server) -> object:
    iam, name = client(server, "iam"), fresh("role")
    region = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    statements = [
        {"Effect": "Allow", "Action": ["sqs:Send*"], "Resource": "arn:aws:sqs:*:*:mine-??"},
        {"Effect": "Allow", "Action": "personalize:PutEvents", "Resource": "*", "Condition": region},
        {"Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:mine-no"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)

    def decision(action: str, resource: str, asked: str = "us-east-1") -> str:
        context = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": [asked], "ContextKeyType": "string"}
        [result] = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource], ContextEntries=[context]
        )["EvaluationResults"]
        return str(result["EvalDecision"])

    queue = "arn:aws:sqs:us-east-1:123456789012:mine"
    return refused(lambda: decision("sqs:SendMessage", queue)) is None and {
        decision("sqs:sendMessage", f"{queue}-01"): "allowed",
        decision("sqs:SendMessage", f"{queue}-no"): "explicitDeny",
        decision("sqs:SendMessage", f"{queue}-1"): "implicitDeny",
        decision("sqs:ReceiveMessage", f"{queue}-01"): "implicitDeny",
        decision("personalize:PutEvents", "*"): "allowed",
        decision("personalize:PutEvents", "*", "eu-west-1"): "implicitDeny",
    } == {one: one for one in ("allowed", "explicitDeny", "implicitDeny")}


@of(moto_patches.tls_only_bucket_policy)
def objects_can_be_put_under_a_policy_that_demands_tls(server: Server) -> object:
    s3, bucket = client(server, "s3"), fresh("bucket")
    s3.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return refused(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"")) is None


@of(moto_patches.bucket_notifications_to_eventbridge)
def a_bucket_that_notifies_eventbridge_says_so(server: Server) -> object:
    s3, bucket = client(server, "s3"), fresh("bucket")
    s3.create_bucket(Bucket=bucket)
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    after = s3.get_bucket_notification_configuration(Bucket=bucket)
    return "EventBridgeConfiguration" not in before and "EventBridgeConfiguration" in after


@of(moto_patches.key_rotation_period)
def a_key_keeps_its_rotation_period(server: Server) -> object:
    kms = client(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    return kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays") == 180


@of(moto_patches.queues_with_many_messages)
def messages_are_received_without_a_look_at_the_clock_for_all_others(server: Server) -> object:
    sqs = client(server, "sqs")
    url = sqs.create_queue(QueueName=fresh("queue"))["QueueUrl"]
    entries: Any = [{"Id": str(number), "MessageBody": "x"} for number in range(10)]
    with mock.patch.object(sqs_models, "unix_time_millis", wraps=unix_time_millis) as looked:
        for _ in range(10):
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
    assert (len(received), [found[name] for name in counts]) == (10, ["90", "10", "0"])
    return looked.call_count < 1000


@of(moto_patches.deletions_side_by_side)
def messages_deleted_at_the_same_time_are_gone(server: Server) -> object:
    sqs = client(server, "sqs")
    url = sqs.create_queue(QueueName=fresh("queue"))["QueueUrl"]
    for body in ("x", "y"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    both, asked = threading.Barrier(2, timeout=0.5), sqs_models.Message.had_receipt_handle

    def had_receipt_handle(self: Any, handle: str) -> bool:
        with suppress(threading.BrokenBarrierError):  # they can't meet where one waits for the other
            both.wait()
        return asked(self, handle)

    with mock.patch.object(sqs_models.Message, "had_receipt_handle", had_receipt_handle), ThreadPoolExecutor() as pool:
        handles = [message["ReceiptHandle"] for message in received]
        list(pool.map(lambda handle: sqs.delete_message(QueueUrl=url, ReceiptHandle=handle), handles))
    name: Any = "ApproximateNumberOfMessagesNotVisible"
    return (len(handles), attributes(sqs, url)[name]) == (2, "0")


@of(moto_patches.queue_keeps_its_policy)
def a_queue_keeps_its_policy_when_another_attribute_is_set(server: Server) -> object:
    sqs = client(server, "sqs")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    url = sqs.create_queue(QueueName=fresh("queue"), Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    kept = json.loads(attributes(sqs, url).get("Policy", "{}"))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    return kept == policy and "Policy" not in attributes(sqs, url)


@of(moto_patches.tags_of_a_table)
def all_tags_of_a_table_are_in_one_answer(server: Server) -> object:
    dynamodb = client(server, "dynamodb")
    tags = [{"Key": f"tag-{number}", "Value": "value"} for number in range(20)]
    arn = dynamodb.create_table(
        TableName=fresh("table"), BillingMode="PAY_PER_REQUEST", Tags=tags,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )["TableDescription"]["TableArn"]  # fmt: skip
    return len(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]) == 20


@of(moto_patches.redrive_allow_policy)
def a_queue_says_who_may_use_it_for_dead_letters(server: Server) -> object:
    sqs = client(server, "sqs")
    url = sqs.create_queue(QueueName=fresh("queue"))["QueueUrl"]
    wanted = {"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}
    if refused(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=wanted)):
        return False
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    if refused(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(wanted))):
        return False
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(wanted))["Attributes"]
    without = attributes(sqs, sqs.create_queue(QueueName=fresh("queue"))["QueueUrl"])
    return found == wanted and "RedriveAllowPolicy" not in without


@of(moto_patches.redrive_policy_without_blanks)
def a_queue_answers_its_redrive_policy_without_blanks(server: Server) -> object:
    sqs = client(server, "sqs")
    dead = queue_arn(sqs, sqs.create_queue(QueueName=fresh("dead"))["QueueUrl"])
    policy = f'{{"deadLetterTargetArn":"{dead}","maxReceiveCount":5}}'
    url = sqs.create_queue(QueueName=fresh("queue"), Attributes={"RedrivePolicy": policy})["QueueUrl"]
    return attributes(sqs, url)["RedrivePolicy"] == policy


@of(moto_patches.job_updates)
def an_update_of_a_job_replaces_its_definition_and_keeps_the_rest(server: Server) -> object:
    glue, name = client(server, "glue"), fresh("job")
    definition = {"Role": "role", "Command": {"Name": "glueetl"}, "GlueVersion": "5.0"}
    glue.create_job(Name=name, Tags={"team": "shop"}, Timeout=5, **definition)
    run, before = glue.start_job_run(JobName=name)["JobRunId"], glue.get_job(JobName=name)["Job"]
    update = {"JobName": name, "JobUpdate": definition | {"MaxRetries": 1}}
    if refused(lambda: glue.update_job(**update)) or not refused(lambda: glue.update_job(**update | {"JobName": "no"})):
        return False
    after, tags = (
        glue.get_job(JobName=name)["Job"],
        glue.get_tags(ResourceArn=f"arn:aws:glue:us-east-1:123456789012:job/{name}"),
    )
    runs = glue.get_job_runs(JobName=name)["JobRuns"]
    return (
        (after["MaxRetries"], after.get("Timeout"), after["CreatedOn"]) == (1, None, before["CreatedOn"])
        and tags["Tags"] == {"team": "shop"}
        and [one["Id"] for one in runs] == [run]
    )


@of(lambda_patches.function_configuration)
def a_function_answers_its_dead_letters_and_its_logging(server: Server) -> object:
    name = fresh("function")
    dead = {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}}
    logging = {"LoggingConfig": {"LogFormat": "Text", "LogGroup": fresh("group")}}
    create_function(server, name, "def handler(event, context): return context.log_group_name", **dead, **logging)
    lambda_ = client(server, "lambda")
    before = lambda_.get_function_configuration(FunctionName=name)
    group = json.load(lambda_.invoke(FunctionName=name)["Payload"])
    lambda_.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": ""})
    after = lambda_.get_function_configuration(FunctionName=name)
    wanted = dead | logging
    return (
        {key: before.get(key) for key in wanted} == wanted
        and group == logging["LoggingConfig"]["LogGroup"]
        and "DeadLetterConfig" not in after
    )


@of(lambda_patches.updated_functions)
def an_update_changes_tracing_and_architecture(server: Server) -> object:
    name, lambda_ = fresh("function"), client(server, "lambda")
    code = "def handler(event, context): pass"
    create_function(server, name, code)
    lambda_.update_function_configuration(FunctionName=name, TracingConfig={"Mode": "Active"})
    lambda_.update_function_code(FunctionName=name, ZipFile=zipped({"app.py": code}), Architectures=["arm64"])
    # An update keeps everything that it doesn't name.
    lambda_.update_function_configuration(FunctionName=name, MemorySize=256)
    found = lambda_.get_function_configuration(FunctionName=name)
    return (found["TracingConfig"], found["Architectures"]) == ({"Mode": "Active"}, ["arm64"])


@of(lambda_patches.invoked_qualifier)
def an_invocation_runs_the_version_that_it_names(server: Server) -> object:
    name = fresh("function")
    create_function(server, name, "def handler(event, context): return context.function_version", Publish=True)
    answer = client(server, "lambda").invoke(FunctionName=name, Qualifier="1")
    return json.load(answer["Payload"]) == "1"


@of(lambda_patches.event_source_of_an_alias)
def an_event_source_mapping_stays_with_its_alias(server: Server) -> object:
    name = fresh("function")
    lambda_, sqs = client(server, "lambda"), client(server, "sqs")
    arn = create_function(server, name, "def handler(event, context): pass", Publish=True)
    alias = lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["AliasArn"]
    queue = queue_arn(sqs, sqs.create_queue(QueueName=fresh("queue"))["QueueUrl"])
    made = lambda_.create_event_source_mapping(FunctionName=alias, EventSourceArn=queue, Enabled=False)
    moved = lambda_.update_event_source_mapping(UUID=made["UUID"], FunctionName=name)
    back = lambda_.update_event_source_mapping(UUID=made["UUID"], FunctionName=f"{name}:live")
    return [made["FunctionArn"], moved["FunctionArn"], back["FunctionArn"]] == [alias, arn, alias]


@of(lambda_patches.no_invocation_within_send_message)
def a_function_gets_what_several_calls_sent_as_one_batch(server: Server) -> object:
    name = fresh("function")
    lambda_, sqs = client(server, "lambda"), client(server, "sqs")
    create_function(server, name, "def handler(event, context): print('batch of', len(event['Records']))")
    url = sqs.create_queue(QueueName=fresh("queue"), Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    lambda_.create_event_source_mapping(
        FunctionName=name, EventSourceArn=queue_arn(sqs, url), BatchSize=3, MaximumBatchingWindowInSeconds=60
    )
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    return eventually(lambda: [line for line in log(server, name) if "batch of" in line], bool) == ["batch of 3"]


@of(step_functions.validate_definition)
def a_definition_can_be_validated(server: Server) -> object:
    states = client(server, "stepfunctions")
    bad = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Nonsense"}}})
    if refused(lambda: states.validate_state_machine_definition(definition=bad)):
        return False
    wrong = states.validate_state_machine_definition(definition=bad)
    right = states.validate_state_machine_definition(definition=json.dumps(machine_of({"Type": "Succeed"})))
    return (wrong["result"], right["result"], right["diagnostics"]) == ("FAIL", "OK", []) and wrong["diagnostics"]


@of(step_functions.list_versions)
def versions_of_a_state_machine_are_listed_newest_first(server: Server) -> object:
    states = client(server, "stepfunctions")
    made = states.create_state_machine(
        name=fresh("machine"),
        definition=json.dumps(machine_of({"Type": "Succeed"})),
        roleArn="arn:aws:iam::123456789012:role/states",
        publish=True,
    )
    arn = made["stateMachineArn"]
    states.update_state_machine(stateMachineArn=arn, roleArn="arn:aws:iam::123456789012:role/other", publish=True)
    if refused(lambda: states.list_state_machine_versions(stateMachineArn=arn)):
        return False
    found = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    return [one["stateMachineVersionArn"] for one in found] == [f"{arn}:2", f"{arn}:1"]


@of(step_functions.execution_name)
def an_execution_without_a_name_gets_one(server: Server) -> object:
    state = {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name"}, "End": True}
    one, two = (execute(server, state) for _ in range(2))
    return json.loads(one["output"])["name"] and one["executionArn"] != two["executionArn"]


@of(step_functions.own_endpoint)
def tasks_call_the_address_that_the_server_is_bound_to(server: Server) -> object:
    from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

    found = boto_client_for(region="us-east-1", service="sqs")
    return found.meta.endpoint_url == server.endpoint


@of(step_functions.sdk_services)
def a_task_finds_a_service_whose_name_has_a_hyphen(server: Server) -> object:
    done = execute(server, sdk_task("redshiftdata:executeStatement", {"Sql": "select 1", "Database": "dev"}))
    return done["status"] == "SUCCEEDED"


@of(step_functions.sdk_parameters)
def an_sdk_task_takes_and_gives_names_in_pascal_case(server: Server) -> object:
    states = client(server, "stepfunctions")
    arn = states.create_activity(name=fresh("activity"))["activityArn"]
    done = execute(server, sdk_task("sfn:describeActivity", {"ActivityArn": arn}))
    return done["status"] == "SUCCEEDED" and json.loads(done["output"]).get("ActivityArn") == arn


@of(step_functions.sdk_errors)
def an_error_of_an_sdk_task_has_the_service_s_name_as_aws_writes_it(server: Server) -> object:
    done = execute(server, sdk_task("secretsmanager:describeSecret", {"SecretId": fresh("none")}))
    return done["error"] == "SecretsManager.ResourceNotFoundException"


@of(step_functions.glue_job_runs)
def a_task_waits_for_a_glue_job(server: Server) -> object:
    name = fresh("job")
    client(server, "glue").create_job(Name=name, Role="glue", Command={"Name": "glueetl", "ScriptLocation": "s3://b/k"})
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": name},
        "End": True,
    }
    done = execute(server, task)
    return done["status"] == "SUCCEEDED" and json.loads(done["output"])["JobRunState"] == "SUCCEEDED"


@of(step_functions.times_as_text)
def times_in_a_task_s_result_are_text(server: Server) -> object:
    arn = client(server, "stepfunctions").create_activity(name=fresh("activity"))["activityArn"]
    done = execute(server, sdk_task("sfn:listActivities", {}))
    made = json.loads(done.get("output", "{}"))
    return arn in json.dumps(made) and made["Activities"][0]["CreationDate"].endswith("Z")


@of(step_functions.start_time_as_text)
def functions_on_texts_take_the_time_of_an_execution_s_start(server: Server) -> object:
    day = "States.ArrayGetItem(States.StringSplit($$.Execution.StartTime, 'T'), 0)"
    done = execute(server, {"Type": "Pass", "Parameters": {"day.$": day}, "End": True})
    started = done.get("startDate")
    return (
        started is not None and json.loads(done.get("output", "{}")).get("day") == f"{started.astimezone(UTC):%Y-%m-%d}"
    )


@of(moto_patches.redshift_statements)
def a_batch_of_statements_runs_once_for_a_token_and_ends(server: Server) -> object:
    data = client(server, "redshift-data")
    batch = {
        "Database": "dev",
        "WorkgroupName": "lake",
        "Sqls": ["SELECT 1", "SELECT 2"],
        "ClientToken": fresh("token"),
    }
    try:
        ids = {data.batch_execute_statement(**batch)["Id"] for _ in range(2)}
    except ClientError:
        return False
    found = data.describe_statement(Id=ids.pop())
    return not ids and (found["Status"], found["QueryString"]) == ("FINISHED", "SELECT 1;\nSELECT 2")


def machine_of(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state}}


def sdk_task(action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{action}", "Parameters": parameters, "End": True}


def execute(server: Server, state: dict[str, Any]) -> dict[str, Any]:
    """Run a state machine of one state. An error of DescribeExecution is a failure, too."""
    states = client(server, "stepfunctions")
    machine = states.create_state_machine(
        name=fresh("machine"), definition=json.dumps(machine_of(state)), roleArn="arn:aws:iam::123456789012:role/states"
    )
    arn = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def read() -> dict[str, Any]:
        try:
            return dict(states.describe_execution(executionArn=arn))
        except ClientError as error:
            return {"status": "UNREADABLE", "error": str(error), "executionArn": arn}

    return eventually(read, lambda found: found["status"] != "RUNNING")


def refused(call: Callable[[], object]) -> ClientError | None:
    try:
        call()
    except ClientError as error:
        return error
    return None


def attributes(sqs: Any, url: str) -> dict[str, str]:
    return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])


def queue_arn(sqs: Any, url: str) -> str:
    return attributes(sqs, url)["QueueArn"]


def log(server: Server, function: str) -> list[str]:
    logs = client(server, "logs")
    if not logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")["logGroups"]:
        return []
    return [one["message"] for one in logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]]


MODULES = (moto_patches, lambda_patches, step_functions)
PATCHES = tuple(patch for module in MODULES for patch in module.PATCHES)
each_patch = pytest.mark.parametrize("patch", [pytest.param(patch, id=patch.__name__) for patch in PATCHES])


def test_every_patch_has_a_check_here() -> None:
    assert set(CHECKS) == set(PATCHES)


def test_with_the_patches_moto_does_as_aws_does() -> None:
    with Server(personalize=lambda moto: moto) as server:
        assert [patch.__name__ for patch in PATCHES if not CHECKS[patch](server)] == []


@each_patch
def test_without_a_patch_moto_does_otherwise(patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "PATCHES", tuple(one for one in module.PATCHES if one is not patch))
    with Server(personalize=lambda moto: moto) as server:
        assert not CHECKS[patch](server), f"moto no longer needs this patch: delete {patch.__name__}"


def test_patches_are_gone_when_the_server_is() -> None:
    def replaced() -> list[Any]:
        return [getattr(owner, name, None) for owner, name in places]

    places = [(owner, name) for patch in PATCHES for owner, name, _ in patch()]
    before = replaced()
    with applied(PATCHES):
        assert all(new is not old for new, old in zip(replaced(), before, strict=True) if old is not None)
    assert replaced() == before


def test_moto_s_configuration_is_as_before_when_the_server_is_gone() -> None:
    from moto.core.config import default_user_config

    before = {name: dict(value) for name, value in default_user_config.items()}  # type: ignore[call-overload]
    with Server(personalize=lambda moto: moto) as server:
        policy = "arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole"
        assert client(server, "iam").get_policy(PolicyArn=policy)["Policy"]["Arn"] == policy
    assert default_user_config == before
