"""`doctor` on single parts, with AWS as a stub: missing permissions, and the state of a stack."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from personalize_segment.cli.doctor import show_findings
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.doctor import access, diagnosis, mapping, settings, watch
from personalize_segment.doctor.finding import Deployed, Finding, examined
from personalize_segment.provision import spec
from personalize_segment.provision.terraform_outputs import Home

ROLE = "arn:aws:iam::123456789012:role/shop-event"
MAPPING = parse(default_text())
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-rejected"
SECURE: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
SECURE |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
OUTPUTS: dict[str, Any] = {
    "segment": {
        "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:shop-event:live",
        "role_arn": "arn:aws:iam::123456789012:role/shop-segment",
        "external_ids": ["a", "b"],
        "region": "us-east-1",
    },
    "data": {
        "bucket": "shop",
        "logs": "s3://shop/segment-logs/",
        "transformed": "s3://shop/transformed/",
        "reports": "s3://shop/reports/",
    },
    "operations": {
        "functions": {"event": "shop-event"},
        "queues": {"rejected": QUEUE},
        "log_groups": {"event": "/aws/lambda/shop-event"},
        "alarms": {"raised": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-raised"},
        "state_machine": "arn:aws:states:us-east-1:123456789012:stateMachine:shop-refresh",
    },
}


@contextmanager
def stubbed(**services: list[tuple[str, Any]]) -> Iterator[Deployed]:
    """Yield a stack whose services answer these operations in this order; an error is the text of its code."""
    session: Any = boto3.Session("x", "x", region_name="us-east-1")
    clients = {name: session.client(name) for name in services}
    stubs = {name: Stubber(client) for name, client in clients.items()}
    for name, answers in services.items():
        for operation, answer in answers:
            if isinstance(answer, str):
                stubs[name].add_client_error(operation, answer, "no")
            else:
                stubs[name].add_response(operation, answer)
        stubs[name].activate()
    document = {"version": 1, "name": "shop", "datasets": {"interactions": {}}}
    yield Deployed(OUTPUTS, spec.read(json.dumps(document)), clients.__getitem__)
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def the(findings: Iterator[Finding]) -> tuple[str, str, str]:
    """Return the verdict of the one finding, what was found, and the remedy."""
    [finding] = findings
    return finding.verdict, finding.found, finding.remedy


def test_a_simulation_that_is_refused_leaves_a_role_unknown() -> None:
    with stubbed(iam=[("simulate_principal_policy", "AccessDenied")]) as stack:
        verdict, found, remedy = the(access.role(stack, ROLE, [("sqs:SendMessage", "*")]))
    assert (verdict, found) == ("unknown", "can't be read (AccessDenied: no)")
    assert "docs/operations.md#rights-of-doctor" in remedy


@pytest.mark.parametrize(
    ("decision", "verdict", "said"),
    [
        ("allowed", "ok", "has the 2 permissions that it needs"),
        ("implicitDeny", "wrong", "lacks sqs:SendMessage on *"),
        ("explicitDeny", "wrong", "lacks sqs:SendMessage on *"),
    ],
)
def test_what_the_simulator_decides_is_said(decision: str, verdict: str, said: str) -> None:
    result = [{"EvalActionName": "sqs:SendMessage", "EvalDecision": decision}]
    answers = [("simulate_principal_policy", {"EvaluationResults": one}) for one in (result, [])]
    with stubbed(iam=answers) as stack:
        found = the(access.role(stack, ROLE, [("sqs:SendMessage", "*"), ("ssm:GetParameter", "arn:one")]))
    assert found[:2] == (verdict, said)


def test_a_service_that_is_not_reached_is_unknown() -> None:
    def unreached() -> Finding:
        raise EndpointConnectionError(endpoint_url="https://iam")

    verdict, found, _ = the(examined("Role shop", (unreached() for _ in range(1))))
    assert verdict == "unknown"
    assert "https://iam" in found


@pytest.mark.parametrize(("prefix", "verdicts"), [(None, ["wrong", "ok"]), ("/shop/personalize/", ["ok"])])
def test_parameters_that_apply_writes_are_left_to_the_plan(prefix: str | None, verdicts: list[str]) -> None:
    found = {
        "a": "ssm:/shop/personalize/tracking_id",
        "b": "ssm:/own/users",
        "c": "ssm:/shop/personalize/datasets/users",
    }
    answers: list[tuple[str, Any]] = [("get_parameter", {"Parameter": {"Value": "x"}})]
    answers += [] if prefix else [("get_parameter", "ParameterNotFound")]
    with stubbed(ssm=answers) as stack:
        given = settings.parameters(stack, found, {"Parameter /shop/personalize/datasets/users"}, prefix)
        assert sorted((one.verdict for one in given), reverse=True) == verdicts


def test_a_role_that_is_gone_is_absent() -> None:
    with stubbed(iam=[("simulate_principal_policy", "NoSuchEntity")]) as stack:
        assert the(access.role(stack, ROLE, [("a:B", "*")])) == ("wrong", "is absent", "Run `terraform apply`")


@pytest.mark.parametrize(
    ("account", "region", "verdict"),
    [
        ("123456789012", "us-east-1", "ok"),
        ("123456789012", "eu-west-1", "wrong"),
        ("210987654321", "us-east-1", "wrong"),
    ],
)
def test_credentials_of_another_account_or_region_are_wrong(account: str, region: str, verdict: str) -> None:
    with stubbed() as stack:
        assert diagnosis.identity(stack, Home(account, region)).verdict == verdict


def _secret(text: str) -> list[tuple[str, Any]]:
    described = {"VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}}
    return [("describe_secret", described), ("get_secret_value", {"SecretString": text})]


@pytest.mark.parametrize(
    ("answers", "verdict", "said"),
    [
        pytest.param([("describe_secret", "ResourceNotFoundException")], "wrong", "is absent", id="gone"),
        pytest.param([("describe_secret", "AccessDeniedException")], "unknown", "can't be read", id="refused"),
        pytest.param([("describe_secret", {})], "wrong", "has no write key", id="without a value"),
        pytest.param(
            _secret('{"other": "x"}'),
            "wrong", "has no valid write key", id="without the key",
        ),
        pytest.param(
            _secret('{"key": "abc"}'),
            "ok", "has a write key of 3 characters", id="good",
        ),
    ],
)  # fmt: skip
def test_the_write_key_is_there_and_never_shown(answers: Any, verdict: str, said: str) -> None:
    with stubbed(secretsmanager=answers) as stack:
        found = the(settings.secrets(stack, {"connections_source_api_key": "secretsmanager:shop#key"}))
    assert found[0] == verdict
    assert found[1].startswith(said)
    assert "abc" not in str(found)


@pytest.mark.parametrize(
    ("paths", "verdict"),
    [(["userId"], "ok"), (["userId", "properties.email"], "ok"), (["properties.email", "userId"], "unknown")],
)
def test_users_who_are_not_the_user_id_are_not_written_to(paths: list[str], verdict: str) -> None:
    found = {"personalize_campaign_arn": "ssm:/x", "connections_source_api_key": "secretsmanager:y"}
    document = json.loads(default_text())
    document["interactions"]["fields"]["USER_ID"] = {"from": paths}
    text = {"version": 1, "name": "shop", "datasets": {"interactions": {}}, "event_mapping": document}
    stack = Deployed(OUTPUTS, spec.read(json.dumps(text)), lambda service: None)
    assert the(settings.write_back(stack, found))[0] == verdict
    assert list(settings.write_back(stack, {})) == []


def test_a_dry_run_that_fails_says_why() -> None:
    payload = io.BytesIO(json.dumps({"errorMessage": "event_mapping: is malformed"}).encode())
    with stubbed(**{"lambda": [("invoke", {"FunctionError": "Unhandled", "Payload": payload})]}) as stack:
        verdict, found, remedy = the(settings.dry_run(stack, "shop-event"))
    assert (verdict, found) == ("wrong", "fails: event_mapping: is malformed")
    assert remedy == "Run `aws logs tail /aws/lambda/shop-event` to see the full error"


def _queue(number: int, *statements: Any) -> list[tuple[str, Any]]:
    policy = json.dumps({"Statement": list(statements)})
    return [("get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": str(number), "Policy": policy}})]


@pytest.mark.parametrize(
    ("answers", "verdict", "said"),
    [
        (_queue(0, SECURE), "ok", "0 messages, the oldest 2.0 hours old"),
        (_queue(2605, SECURE), "wrong", "2,605 messages, the oldest 2.0 hours old"),
        (_queue(0), "wrong", "its policy doesn't deny plain HTTP"),
        (
            _queue(0, SECURE, SECURE | {"Sid": "No", "Condition": {}}),
            "wrong",
            "its policy denies more than plain HTTP (No)",
        ),
    ],
)
def test_a_queue_has_a_policy_a_depth_and_an_age(answers: Any, verdict: str, said: str) -> None:
    age = {"MetricDataResults": [{"Id": "age", "Values": [7200.0, 60.0]}]}
    with stubbed(sqs=answers, cloudwatch=[("get_metric_data", age)]) as stack:
        assert the(watch.queues(stack, "outputs.json"))[:2] == (verdict, said)


@pytest.mark.parametrize(
    ("alarm", "said"),
    [
        pytest.param({}, None, id="quiet"),
        pytest.param({"StateValue": "ALARM", "StateReason": "1 of 1"}, "is on: 1 of 1", id="on"),
        pytest.param({"ActionsEnabled": False}, "is muted: its actions are disabled", id="muted"),
    ],
)
def test_alarms_that_are_on_lead_to_their_section(alarm: dict[str, Any], said: str | None) -> None:
    text = "Too many. See https://wiki/operations#events-are-raised."
    answer = {"AlarmName": "shop-raised", "StateValue": "OK", "ActionsEnabled": True, "AlarmDescription": text} | alarm
    with stubbed(cloudwatch=[("describe_alarms", {"MetricAlarms": [answer]})]) as stack:
        found = {one.part: one for one in watch.alarms(stack)}
    one = found.get("Alarm shop-raised")
    assert (one.found if one else None) == said
    if alarm.get("StateValue") == "ALARM":
        assert one is not None
        assert one.remedy == "See https://wiki/operations#events-are-raised"


@pytest.mark.parametrize(
    ("actions", "verdict", "said"),
    [
        ([], "unknown", "1 quiet alarm, none of which notifies anyone"),
        (["arn:aws:sns:us-east-1:123456789012:on-call"], "ok", "1 quiet alarm, 1 of which notify someone"),
    ],
)
def test_alarms_that_notify_nobody_are_unknown(actions: list[str], verdict: str, said: str) -> None:
    answer = {"AlarmName": "shop-raised", "StateValue": "OK", "AlarmActions": actions}
    with stubbed(cloudwatch=[("describe_alarms", {"MetricAlarms": [answer]})]) as stack:
        assert the(watch.alarms(stack))[:2] == (verdict, said)


@pytest.mark.parametrize(("size", "verdict", "said"), [(0, "wrong", "is empty"), (1, "ok", "1 byte")])
def test_an_empty_script_of_the_job_is_wrong(size: int, verdict: str, said: str) -> None:
    job = {"Command": {"ScriptLocation": "s3://shop/job.py"}, "DefaultArguments": {"--event_mapping": MAPPING.text}}
    with stubbed(glue=[("get_job", {"Job": job})], s3=[("head_object", {"ContentLength": size})]) as stack:
        outputs = {"operations": {"glue_job": "shop-history"}}
        _, script = mapping.glue_job(replace(stack, outputs=outputs), MAPPING)
    assert (script.verdict, script.found) == (verdict, said)
    assert ("aws s3 rm s3://shop/job.py" in script.remedy) == (size == 0)


def test_remedies_are_whole_below_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    remedy = f"Run `aws s3 rm s3://{'long/' * 30}job.py`, then `terraform apply`"
    found = [
        Finding("Queue shop", "ok", "0 messages"),
        Finding("File", "wrong", "is empty", remedy),
        Finding("Events [1]", "unknown", "none", "See docs"),
    ]
    with pytest.raises(typer.Exit):
        show_findings(found, as_json=False)
    *table, wrong, unknown, counted = capsys.readouterr().out.splitlines()
    assert wrong == f"wrong File: {remedy}."
    assert unknown == "unknown Events [1]: See docs."
    assert counted == "1 wrong, 1 unknown, 1 ok"
    assert max(map(len, table)) <= 80
    assert "rm" not in "".join(table)


def _machine(*executions: Any) -> list[tuple[str, Any]]:
    described: dict[str, Any] = {
        "stateMachineArn": "x",
        "name": "x",
        "definition": "{}",
        "roleArn": ROLE,
        "type": "STANDARD",
    }
    described["creationDate"] = datetime.now(UTC)
    return [("describe_state_machine", described), ("list_executions", {"executions": list(executions)})]


@pytest.mark.parametrize(("status", "verdict"), [("SUCCEEDED", "ok"), ("RUNNING", "ok"), ("FAILED", "wrong")])
def test_a_refresh_that_failed_is_wrong(status: str, verdict: str) -> None:
    now = datetime.now(UTC)
    last = {"executionArn": "x", "stateMachineArn": "x", "name": "x", "status": status, "startDate": now}
    simulated: Any = [("simulate_principal_policy", {"EvaluationResults": []})] * 2
    with stubbed(
        stepfunctions=_machine(last), iam=simulated, scheduler=[("get_schedule", "AccessDeniedException")]
    ) as stack:
        machine, role, schedule = watch.refresh(stack)
    assert [machine.verdict, role.verdict, schedule.verdict] == [verdict, "ok", "unknown"]


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        pytest.param("NoSuchKey", "unknown", "no report at s3://shop/transformed/report.json", id="none"),
        pytest.param({"mapping_sha256": "other"}, "wrong", "used the event mapping other", id="other"),
        pytest.param(
            {"mapping_sha256": MAPPING.sha256, "datasets": {"items": {"rows": 1234}}},
            "ok", "of 2026-11-29 00:00: 1,234 items", id="good",
        ),
    ],
)  # fmt: skip
def test_the_last_export_is_of_this_mapping(answer: Any, verdict: str, said: str) -> None:
    if isinstance(answer, dict):
        answer = {"Body": io.BytesIO(json.dumps(answer).encode()), "LastModified": datetime(2026, 11, 29, tzinfo=UTC)}
    with stubbed(s3=[("get_object", answer)]) as stack:
        assert the(watch.report(stack, MAPPING))[:2] == (verdict, said)


@pytest.mark.parametrize(("number", "verdict"), [(0, "unknown"), (12, "ok")])
def test_what_became_of_the_events_is_told(number: int, verdict: str) -> None:
    values = {"MetricDataResults": [{"Id": "m0", "Values": [float(number)]}]}
    with stubbed(cloudwatch=[("get_metric_data", values)]) as stack:
        assert the(watch.events(stack))[0] == verdict


def test_a_version_that_failed_to_start_is_wrong() -> None:
    live = {
        "State": "Failed",
        "StateReason": "no image",
        "Environment": {"Variables": {"event_mapping": default_text()}},
    }
    with stubbed(**{"lambda": [("get_function_configuration", {}), ("get_function_configuration", live)]}) as stack:
        assert the(mapping.functions(stack, MAPPING))[:2] == ("wrong", "State is Failed: no image")
