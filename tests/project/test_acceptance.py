"""`make acceptance` asks first, destroys after failures and Ctrl-C, and reports no secrets. test_demo runs it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import acceptance
import demo
import demo_stage
from demo_segment import Destination
from demo_stage import DemoError, Place, Stage
from stacks import Stack, StackError

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
PLACE = Place(name="accept-1", external_id="acceptance-1", local=False, train=False, write_key=None)


@pytest.fixture
def aws(s3_env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield a log of the actions, with empty steps, in the tests' AWS."""
    done: list[str] = []

    def made(stage: Stage, folder: Path, **_: str) -> Any:
        assert folder.parent == tmp_path
        return object()

    def destroy(stage: Stage, *_: object) -> None:
        with stage.step("Destroy", ""):
            done.append("destroyed")

    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setattr(acceptance, "FOLDER", tmp_path)
    monkeypatch.setattr(acceptance, "versions", lambda: {"Python": "3"})
    monkeypatch.setattr(demo, "made", made)
    monkeypatch.setattr(demo, "walk", lambda *_: done.append("walked"))
    monkeypatch.setattr(demo, "destroy", destroy)
    monkeypatch.setattr("shutil.which", lambda name: name)
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield done
    for one, handler in before.items():
        signal.signal(one, handler)


def run(tmp_path: Path, **environment: str) -> tuple[int, str]:
    """Return the status and the report."""
    report = tmp_path / "acceptance.md"
    status = acceptance.main({**os.environ, **environment}, report, None)
    return status, report.read_text("utf-8")


def fails(error: BaseException) -> Callable[..., None]:
    def walk(stage: Stage, *_: object) -> None:
        with stage.step(demo.INFRASTRUCTURE, ""):
            raise error

    return walk


def test_it_asks_before_anything_is_made(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DemoError, match="set YES=1"):
        run(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(DemoError, match="nothing was created"):
        run(tmp_path)
    assert aws == []
    said = capsys.readouterr().out
    assert f"Account {ACCOUNT}, region us-east-1." in said
    assert "less than 1 USD" in said
    assert "It stops before training." in said
    monkeypatch.setattr("builtins.input", lambda _: "Y")
    assert run(tmp_path)[0] == 0
    assert aws == ["walked", "destroyed"]


@pytest.mark.parametrize(
    "error",
    [
        DemoError(f"no access for {ACCOUNT} with testing"),
        StackError("terraform apply: …"),
        KeyboardInterrupt(),
        SystemExit(0),
        KeyError("Item"),
        StopIteration(),
    ],
)
def test_everything_is_destroyed_after_a_failure_and_after_ctrl_c(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(demo, "walk", fails(error))
    status = 1
    unexpected = isinstance(error, KeyError | StopIteration)
    with pytest.raises(type(error)) if unexpected else nullcontext():
        status, _ = run(tmp_path, YES="1")
    report = (tmp_path / "acceptance.md").read_text("utf-8")
    assert (status, aws) == (1, ["destroyed"])
    assert f"| {demo.INFRASTRUCTURE} | **failed** | |" in report
    assert "| Destroy | passed |" in report
    why = f"{type(error).__name__}: {error}".replace(ACCOUNT, "*" * 12).replace("testing", "(AWS_SECRET_ACCESS_KEY)")
    assert re.search(rf"^    .*{re.escape(why.removesuffix(': '))}$", report, re.MULTILINE)
    assert list(tmp_path.iterdir()) == [tmp_path / "acceptance.md"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_everything_is_destroyed_after_a_signal(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(demo, "walk", lambda *_: os.kill(os.getpid(), number))
    status, _ = run(tmp_path, YES="1")
    assert (status, aws) == (1, ["destroyed"])


def test_a_run_goes_on_without_a_terminal_after_nohup(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(demo, "walk", lambda *_: os.kill(os.getpid(), signal.SIGHUP))
    assert run(tmp_path, YES="1")[0] == 0


def test_printing_to_a_closed_terminal_keeps_nothing_from_being_destroyed() -> None:
    script = """
import os, pty, sys
sys.path.insert(0, "tools")
import acceptance
said = os.dup(1)
ours, its = pty.openpty()
os.dup2(its, 1)
for one in (ours, its):
    os.close(one)
try:
    acceptance.interrupt()
except KeyboardInterrupt:
    print("destroying", flush=True)
    os.write(said, b"destroyed")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "destroyed", done.stderr


def test_what_could_not_be_destroyed_can_be_later(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "destroy", fails(StackError("not empty")))
    status, _ = run(tmp_path, YES="1")
    (folder,) = (one for one in tmp_path.iterdir() if one.is_dir())
    assert status == 1
    assert f"CLEAN={folder.name} make acceptance" in capsys.readouterr().out
    monkeypatch.setattr(demo, "destroy", lambda stage, place, stack: aws.append(f"{place.name} {stack.folder}"))
    again = {**os.environ, "CLEAN": folder.name}
    assert acceptance.main(again, tmp_path / "none.md", None) == 0
    assert aws[-1] == f"{folder.name} {folder / 'terraform' / 'terraform'}"
    assert not folder.exists()
    with pytest.raises(DemoError, match="doesn't exist"):
        acceptance.main(again, tmp_path / "none.md", None)


def test_a_failure_between_the_steps_is_in_the_report(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk(*_: object) -> None:
        raise StackError("terraform output: no")

    monkeypatch.setattr(demo, "walk", walk)
    status, report = run(tmp_path, YES="1")
    assert (status, aws) == (1, ["destroyed"])
    assert "StackError: terraform output: no" in report


@pytest.mark.parametrize("error", [StackError("terraform destroy: no"), KeyError("resources")])
def test_all_parts_are_destroyed_even_if_one_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    done: list[str] = []

    class Failing:
        def has_state(self) -> bool:
            """Return that something exists."""
            return True

        def destroy(self, _: object) -> None:
            """Fail."""
            raise error

    monkeypatch.setattr(Stage, "command", lambda self, *arguments, **_: done.append(arguments[-1]))
    monkeypatch.setattr(demo, "stop_glue_job", lambda place: done.append("glue"))
    monkeypatch.setattr(demo, "delete_secret", lambda place: done.append("secret"))
    with pytest.raises(DemoError, match=re.escape(str(error))):
        demo.destroy(Stage({}), PLACE, Failing())  # type: ignore[arg-type]
    assert done == ["glue", "accept-1", "secret"]


@pytest.mark.parametrize("code", ["EntityNotFoundException", "AccessDeniedException"])
def test_a_run_of_the_glue_job_is_stopped_before_its_bucket_goes(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    glue = boto3.client("glue", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", lambda name: glue)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    job = {"JobName": "accept-1-history"}
    with Stubber(glue) as stub:
        for states in (["RUNNING", "FAILED"], ["STOPPING", "FAILED"], ["STOPPED", "FAILED"]):
            runs = [{"Id": f"run-{number}", "JobRunState": state} for number, state in enumerate(states)]
            stub.add_response("get_job_runs", {"JobRuns": runs}, job)
            if states[0] != "STOPPED":
                stub.add_response("batch_stop_job_run", {}, job | {"JobRunIds": ["run-0"]})
        demo.stop_glue_job(PLACE)
        stub.assert_no_pending_responses()
        stub.add_client_error("get_job_runs", code)
        with nullcontext() if code == "EntityNotFoundException" else pytest.raises(ClientError, match=code):
            demo.stop_glue_job(PLACE)


@pytest.mark.parametrize("shown", [True, False])
def test_the_messages_of_a_command_are_shown_and_its_error_is_in_the_report(
    aws: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shown: bool
) -> None:
    command = tmp_path / "bin" / "personalize-segment"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\ncat\necho é: no access >&2\nexit 3\n", "utf-8")
    command.chmod(0o755)
    monkeypatch.setattr(demo_stage, "COMMAND", command)

    def walk(stage: Stage, *_: object) -> None:
        with stage.step(demo.PERSONALIZE, ""):
            assert stage.command("apply", given="g" * 100_000, status=(3,)) == "g" * 100_000
            stage.command("apply", shown=shown)

    monkeypatch.setattr(demo, "walk", walk)
    status, report = run(tmp_path, YES="1")
    assert status == 1
    assert "DemoError: personalize-segment apply ended with 3: é: no access\n" in report
    assert capsys.readouterr().out.count("\né: no access\n") == shown


def test_a_report_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {name: f"value-of-{name}" for name in acceptance.HIDDEN}
    text = " ".join([ACCOUNT, str(Path.home() / "x"), *secrets.values()])
    hidden = acceptance.masked(text, ACCOUNT, secrets)
    assert hidden == " ".join(["************", "~/x", *(f"({name})" for name in secrets)])


@pytest.mark.parametrize("one", acceptance.UNVERIFIED, ids=lambda one: one.words)
def test_what_a_run_settles_is_listed_as_not_verified(one: acceptance.Unverified) -> None:
    text = (ROOT / "docs" / one.document).read_text("utf-8").partition("## Not verified")[2].partition("\n## ")[0]
    assert one.words in " ".join(text.split())


def test_a_run_settles_what_its_steps_reached() -> None:
    one = acceptance.Unverified("a.md", "words", "step", "TRAIN=1")
    stage, trained = Stage({}), Place(name="a", external_id="b", local=False, train=True, write_key=None)
    assert acceptance.result(one, stage, trained) == "not reached"
    stage.seconds["step"] = 1.0
    assert acceptance.result(one, stage, trained) == "works"
    assert acceptance.result(one, stage, PLACE) == "not in this run: needs TRAIN=1"
    stage.failed.append(("step", "no"))
    assert acceptance.result(one, stage, trained) == "the step failed, see below"


def test_a_run_claims_nothing_that_its_steps_did_not_use() -> None:
    stage = Stage({})
    stage.seconds |= dict.fromkeys([demo.LIVE, demo.TRAIT, demo.GLUE, demo.PERSONALIZE, demo.DESTROY], 1.0)

    def settled(place: Place) -> set[str]:
        return {one.words for one in acceptance.UNVERIFIED if acceptance.result(one, stage, place) == "works"}

    least = settled(PLACE)
    invoked = {"Whether Segment's role may invoke"}
    made = {"Whether it creates solutions", "Whether `destroy` deletes all"}
    assert len(least) == 4
    assert settled(replace(PLACE, trusted="me")) == least | invoked
    assert settled(replace(PLACE, train=True)) == least | made
    asked = least | made | {"Whether the function's role may ask"}
    assert settled(replace(PLACE, train=True, write_key="key")) == asked
    assert settled(replace(PLACE, source_conditions=True)) == least | {"Whether Lambda and Glue send"}


def test_the_caller_may_assume_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    iam = boto3.client("iam", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/Admin"
    role = {"Path": "/", "RoleName": "Admin", "RoleId": "A" * 16, "Arn": arn, "CreateDate": "2024-01-01T00:00:00Z"}
    monkeypatch.setattr(boto3, "client", lambda name: iam)
    with Stubber(iam) as stub:
        stub.add_response("get_role", {"Role": role}, {"RoleName": "Admin"})
        assert acceptance.role_of(f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/me") == arn
    assert acceptance.role_of(f"arn:aws:iam::{ACCOUNT}:user/me") == f"arn:aws:iam::{ACCOUNT}:user/me"
    assert acceptance.role_of(f"arn:aws:iam::{ACCOUNT}:root") is None


class Sts:
    """Lets a role be assumed with these external ids."""

    def __init__(self, *allowed: str, code: str = "AccessDenied") -> None:
        self.allowed, self.code = allowed, code

    def assume_role(self, ExternalId: str, **_: str) -> dict[str, Any]:  # noqa: N803
        """Return keys, or refuse."""
        if ExternalId not in self.allowed:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "AssumeRole")
        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}}


@pytest.mark.parametrize(("allowed", "refused"), [(("mine",), False), (("mine", "another-external-id"), True)])
def test_in_aws_another_external_id_has_to_be_refused(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...], refused: bool
) -> None:
    entered = {"role_arn": "r", "external_ids": ["mine"], "function_arn": "f", "region": "us-east-1"}
    real = boto3.client
    monkeypatch.setattr(boto3, "client", lambda name, **more: Sts(*allowed) if name == "sts" else real(name, **more))
    if refused:
        with pytest.raises(DemoError, match="another external id"):
            Destination(entered, replace(PLACE, trusted="me"))
    else:
        Destination(entered, replace(PLACE, trusted="me"))
    # Root can't assume a role, and invokes the function itself.
    Destination(entered | {"external_ids": ["other"]}, PLACE)


def test_only_denied_access_counts_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = {"role_arn": "r", "external_ids": ["mine"], "function_arn": "f", "region": "us-east-1"}
    monkeypatch.setattr(boto3, "client", lambda name, **_: Sts("mine", code="ExpiredToken"))
    with pytest.raises(ClientError, match="ExpiredToken"):
        Destination(entered, replace(PLACE, trusted="me"))


@pytest.mark.parametrize("times", [2, 99])
def test_an_event_that_the_function_raises_is_sent_again(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    clock, sent = iter(range(0, 1000, 5)), []

    class Function:
        def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
            """Raise this many times, then accept."""
            sent.append((FunctionName, json.loads(Payload)))
            failed = {"FunctionError": "Unhandled"} if len(sent) <= times else {}
            return {"Payload": io.BytesIO(b'{"decision": "recorded"}'), **failed}

    monkeypatch.setattr(boto3, "client", lambda name, **_: Function())
    monkeypatch.setattr("demo_segment.time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock)))
    segment = Destination({"function_arn": "f", "region": "us-east-1"}, PLACE)
    if times == 2:
        assert segment.send({"a": 1}) == {"decision": "recorded"}
        assert sent == [("f", {"a": 1})] * 3
    else:
        with pytest.raises(DemoError, match="the function failed"):
            segment.send({"a": 1})
        assert len(sent) == 12


class Glue:
    """A Glue job with one run that ends in this state."""

    def __init__(self, state: str) -> None:
        self.states = ["STARTING", "RUNNING", state]

    def start_job_run(self, JobName: str) -> dict[str, str]:  # noqa: N803
        """Start it."""
        return {"JobRunId": f"{JobName}-1"}

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        """Return its current state."""
        assert RunId == f"{JobName}-1"
        return {"JobRun": {"JobRunState": self.states.pop(0), "ErrorMessage": "out of memory", "ExecutionTime": 60}}


@pytest.mark.parametrize(
    ("state", "rows", "said"),
    [
        ("SUCCEEDED", 3, None),
        ("FAILED", 3, "ended FAILED: out of memory"),
        ("SUCCEEDED", 2, "the Glue job {'items': 2}"),
    ],
)
def test_the_glue_job_has_to_write_the_rows_of_the_export(
    monkeypatch: pytest.MonkeyPatch, state: str, rows: int, said: str | None
) -> None:
    stage = Stage({})
    stage.facts["report"] = {"datasets": {"items": {"rows": 3, "files": 1}}}
    outputs = {"operations": {"glue_job": "accept-1-history"}, "data": {"transformed": "s3://b/t/"}}
    glue = Glue(state)
    monkeypatch.setattr(boto3, "client", lambda name: glue)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(demo, "read", lambda place: json.dumps({"datasets": {"items": {"rows": rows}}}))
    if said is None:
        demo.by_glue_job(stage, outputs)
    else:
        with pytest.raises(DemoError, match=re.escape(said)):
            demo.by_glue_job(stage, outputs)
    assert glue.states == []


def test_a_profile_is_read_until_it_is_as_wanted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb = boto3.client("dynamodb", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", lambda name: dynamodb)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    asked = {"TableName": "accept-1-profiles", "Key": {"id": {"S": "users#u"}}, "ConsistentRead": True}
    before, after = ({"columns": {"S": json.dumps({"PLAN": [plan, 1]})}} for plan in ("free", "pro"))
    with Stubber(dynamodb) as stub:
        for answer in ({}, {"Item": before}, {"Item": {**after, "telling": {"S": "{}"}}}, {"Item": after}):
            stub.add_response("get_item", answer, asked)
        assert demo.stored_profile("accept-1-profiles", "users#u", {"PLAN": "pro"}) == {"PLAN": "pro"}
        stub.assert_no_pending_responses()
        monkeypatch.setattr(demo, "LAG_SECONDS", -1)
        stub.add_response("get_item", {"Item": before}, asked)
        assert demo.stored_profile("accept-1-profiles", "users#u", {"PLAN": "pro"}) == {"PLAN": "free"}


def test_nothing_that_is_trained_is_in_the_spec_without_training() -> None:
    spec = {"name": "a", "datasets": {}, "solutions": {}, "campaigns": {}, "filters": {}}
    assert demo.untrained(spec) == {"name": "a", "datasets": {}, "filters": {}}


def test_one_ctrl_c_reaches_terraform_and_its_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "terraform"
    script.write_text(
        "#!/bin/sh\ntrap 'echo stopped >> stopped; sleep 0.3; echo ended >> stopped; exit 1' INT\n"
        "echo begun\nwhile :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    stack = Stack.again(tmp_path, dict(os.environ), root=".")

    def interrupt(line: str) -> None:
        assert line == "begun"
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        stack("apply", show=interrupt)
    assert (tmp_path / "stopped").read_text().split() == ["stopped", "ended"]


def test_the_demo_takes_the_steps_on_the_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(demo, "made", lambda stage, folder: folder)
    monkeypatch.setattr(demo, "walk", lambda stage, place, *_: done.append((place, boto3.client("s3").list_buckets())))
    monkeypatch.setattr(demo, "destroy", lambda stage, place, stack: done.append(place))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    demo.main(tmp_path / "facts.json", tmp_path / "tables.svg", "duckdb", keep=False)
    assert [one if isinstance(one, Place) else one[0] for one in done] == [demo.PLACE, demo.PLACE]
    assert (tmp_path / "facts.json").read_text().startswith("{")
    assert (tmp_path / "tables.svg").read_text().startswith("<svg")
    assert list((tmp_path / "demo").iterdir()) == []


def test_the_script_says_what_is_missing_in_a_line() -> None:
    told = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    script = [sys.executable, str(ROOT / "tools" / "acceptance.py")]
    done = subprocess.run(
        script, env=told | {"AWS_EC2_METADATA_DISABLED": "true"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.startswith("acceptance: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_terraform_and_boto3_are_led_to_one_region(name: str) -> None:
    both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert acceptance.region_of({name: "eu-west-1"}) == both
    with pytest.raises(DemoError, match="differ"):
        acceptance.region_of(both | {name: "us-west-2"})


@pytest.mark.parametrize("name", ["TF_WORKSPACE", "TF_DATA_DIR", "TF_VAR_name", "AWS_PROFILE"])
def test_terraform_finds_its_state_whatever_the_environment_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "mine")
    package = tmp_path / "package.zip"
    package.write_bytes(b"")
    assert name not in Stack(tmp_path / "stack", {}, package).environment
