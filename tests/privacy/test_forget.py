"""Users are deleted from exports and Personalize and added to the list, wherever the command is killed."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.config import Config
from typer.testing import CliRunner

from engines import write_log
from personalize_emulator import Emulator
from personalize_emulator.store import Store
from personalize_segment.cli import load, privacy
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.errors import ForgetError, ProvisionError, SpecError
from personalize_segment.history.export import export
from personalize_segment.privacy import list_file, parts, steps
from personalize_segment.privacy.deletion import csv_bytes
from personalize_segment.privacy.profiles import ProfileItems
from personalize_segment.provision import apply as applying
from personalize_segment.provision import prices, spec
from personalize_segment.provision.retries import Polling
from personalize_segment.provision.state import ProvisionClients

MAPPING = parse(default_text())
ROLE = "arn:aws:iam::123456789012:role/personalize"
WHO = "arn:aws:sts::123456789012:assumed-role/privacy/anna"
#: Two of the shop's users, each with 20 interactions and a user row.
GONE = frozenset({"user-1", 'user "2", b'})
EACH = 20
DAY = 86_400
BUCKET = "bucket-of-the-stack"


class KilledError(BaseException):
    """Nothing catches it: the process is gone, and its requests have been processed."""


def log() -> Iterator[bytes]:
    """Yield events of enough users for an import."""
    names = ['user "2", b' if number == 2 else f"user-{number}" for number in range(60)]
    for user in names:
        yield json.dumps({"type": "identify", "userId": user, "traits": {"plan": "free"}}).encode()
        for number in range(EACH):
            event = {
                "type": "track",
                "event": "Product Viewed",
                "messageId": f"{user} {number}",
                "userId": user,
                "timestamp": f"2024-03-01T00:00:{number:02}Z",
                "properties": {"product_id": f"p{number}"},
            }
            yield json.dumps(event).encode()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Return logs and the files of their export."""
    logs = write_log(tmp_path_factory.mktemp("logs") / "1.gz", log()).parent
    out = tmp_path_factory.mktemp("transformed")
    export(str(logs), str(out), MAPPING)
    return logs, {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


#: What the first stack created in Personalize. All others start with it.
_applied: list[Store] = []


def store_for(emulator: Emulator, store: Store) -> Store:
    """Return a copy of a store for another emulator."""
    assert not store._steps
    theirs = {id(store._clock): emulator.clock, id(store.faults): emulator.faults, id(store.s3): emulator._s3}
    return deepcopy(store, theirs | {id(one.kind): one.kind for one in store.resources.values()})


class Stack:
    """A stack in Personalize that has imported an export from S3, and the ways to delete its users."""

    def __init__(self, emulator: Emulator, bucket: str, files: dict[str, bytes]) -> None:
        self.emulator, self.bucket, self.files = emulator, bucket, files
        self.s3: Any = boto3.client("s3")
        self.api: Any = boto3.client("personalize")
        statement = {
            "Effect": "Allow", "Principal": {"Service": "personalize.amazonaws.com"}, "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }  # fmt: skip
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        self.document: dict[str, Any] = {
            "version": 1, "name": "shop", "role_arn": ROLE, "event_tracker": False, "tags": {"team": "shop"},
            "datasets": {one: {"import": {"location": f"s3://{bucket}/transformed/{one}/"}} for one in parts.OWNED},
        }  # fmt: skip
        self.spec = spec.read(json.dumps(self.document))
        self.where = steps.places(
            self.spec, f"s3://{bucket}/suppressed.csv", [f"s3://{bucket}/transformed/"], None, f"s3://{bucket}/audit"
        )
        self.upload()
        if not _applied:
            applying.apply(self.clients(), self.spec, prices.read(None), self.polling())
            _applied.append(store_for(emulator, emulator._stores["us-east-1"]))
        emulator._stores["us-east-1"] = store_for(emulator, _applied[0])
        emulator.clock.advance(max(0, _applied[0].now - emulator.clock.now()))

    def clients(self) -> ProvisionClients:
        """Return a new process's clients, without retries, because these tests check the command's retries."""
        once = Config(retries={"total_max_attempts": 1})
        return ProvisionClients(
            boto3.client("personalize", config=once), boto3.client("ssm", config=once), boto3.client("s3", config=once)
        )

    def polling(self) -> Polling:
        """Return polling that moves the emulator's clock. Raise AssertionError if it would never end."""
        spent = [0.0]

        def sleep(seconds: float) -> None:
            spent[0] += seconds
            assert spent[0] < 3 * DAY, "it waits in vain"
            self.emulator.clock.advance(seconds)

        return Polling(600.0, sleep)

    def forget(self, users: frozenset[str] = GONE, **options: Any) -> dict[str, Any]:
        """Delete users like a new process."""
        return steps.forget(self.clients(), self.spec, users, self.where, self.polling(), WHO, **options)

    def upload(self) -> None:
        """Restore the export in the bucket, and delete everything else there."""
        if keys := [{"Key": key} for key in self.names()]:
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": keys})
        for name, data in self.files.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"transformed/{name}", Body=data)

    def names(self, prefix: str = "") -> list[str]:
        """Return the keys of the objects below a prefix."""
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return an object."""
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def export(self) -> dict[str, bytes]:
        """Return the files of the export."""
        keys = [one for part in (*parts.OWNED, "items", "report.json") for one in self.names(f"transformed/{part}")]
        return {key: self.read(key) for key in keys}

    def jobs(self) -> list[dict[str, Any]]:
        """Return the data deletion jobs, the first one first."""
        found = self.api.list_data_deletion_jobs()["dataDeletionJobs"]
        details = [self.api.describe_data_deletion_job(dataDeletionJobArn=one["dataDeletionJobArn"]) for one in found]
        return sorted((one["dataDeletionJob"] for one in details), key=lambda one: str(one["creationDateTime"]))

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit lines."""
        return [json.loads(self.read(key)) for key in self.names("audit/")]


@pytest.fixture
def stack(personalize: Emulator, s3_env: str, exported: tuple[Path, dict[str, bytes]]) -> Stack:
    """Return a stack with users to forget. All tests use one bucket, because the stack's resources name it."""
    if not _applied:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
    return Stack(personalize, BUCKET, exported[1])


def has_an_id(data: bytes) -> bool:
    """Return whether a deleted user is readable there."""
    return any(re.search(rb"(?<![\w-])" + re.escape(user.encode()) + rb"(?![\w-])", data) for user in GONE) or (
        b'user ""2""' in data or b'user \\\\"2' in data
    )


def test_users_are_gone_from_the_export_and_from_personalize_and_nothing_keeps_their_ids(stack: Stack) -> None:
    assert any(map(has_an_id, stack.export().values()))
    line = stack.forget()
    assert line["rows"] == {"interactions": 2 * EACH, "users": 2}
    (job,) = stack.jobs()
    assert (job["status"], job["numDeleted"]) == ("COMPLETED", 2 * EACH + 2)
    assert line["deleted"] == job["numDeleted"]
    for key in stack.names():
        assert not has_an_id(stack.read(key)), key
    assert not any(map(has_an_id, [json.dumps(line).encode(), job["jobName"].encode()]))


def test_a_later_export_with_the_list_does_not_bring_them_back(
    stack: Stack, exported: tuple[Path, dict[str, bytes]]
) -> None:
    logs, _ = exported
    stack.forget()
    found = stack.export()
    suppressed = list_file.read(stack.where.suppression)
    export(str(logs), f"s3://{stack.bucket}/transformed", MAPPING, suppressed=suppressed)
    again = stack.export()
    assert {key: data for key, data in again.items() if key.endswith(".csv")} == {
        key: data for key, data in found.items() if key.endswith(".csv")
    }
    before, after = (json.loads(one["transformed/report.json"])["datasets"] for one in (found, again))
    # Columns are counted with copies, and no part tells whose those were.
    assert before == {name: count | {"columns": before[name]["columns"]} for name, count in after.items()}


@pytest.fixture
def table(stack: Stack) -> Iterator[Any]:
    """Yield a DynamoDB client, where the table `profiles` has the users to delete and another user."""
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="profiles", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    for user in (*GONE, "user-3"):
        client.put_item(TableName="profiles", Item={"id": {"S": f"users#{user}"}})
    client.put_item(TableName="profiles", Item={"id": {"S": "items#user-1"}})
    stack.where = replace(stack.where, profiles=ProfileItems(client, "profiles"))
    yield client
    client.delete_table(TableName="profiles")


def keys(table: Any) -> list[str]:
    return sorted(item["id"]["S"] for item in table.scan(TableName="profiles")["Items"])


def test_users_are_gone_from_the_table_of_live_profiles(stack: Stack, table: Any) -> None:
    many = GONE | {f"user-{number}" for number in range(100, 160)}
    assert stack.forget(many)["profile_table"] == "profiles"
    assert keys(table) == ["items#user-1", "users#user-3"]
    assert [line["profile_table"] for line in stack.audit()] == ["profiles"]


def test_a_user_who_came_back_while_the_job_ran_is_taken_out_again(stack: Stack, table: Any) -> None:
    def progress(what: str, status: str) -> None:
        if what.startswith("delete"):  # by a function that hasn't read the list yet
            table.put_item(TableName="profiles", Item={"id": {"S": "users#user-1"}})

    stack.forget(progress=progress)
    assert keys(table) == ["items#user-1", "users#user-3"]


def test_deletions_that_dynamodb_has_no_time_for_are_sent_again(stack: Stack, table: Any) -> None:
    class Busy:
        seen = 0

        def batch_write_item(self, **request: Any) -> dict[str, Any]:
            self.seen += 1
            return {"UnprocessedItems": request["RequestItems"]} if self.seen < 4 else table.batch_write_item(**request)

    ProfileItems(Busy(), "profiles").remove(GONE, stack.polling())
    assert keys(table) == ["items#user-1", "users#user-3"]
    with pytest.raises(ForgetError, match="none: can't be written"):
        ProfileItems(table, "none").remove(GONE, stack.polling())


def test_the_audit_line_says_when_how_many_by_whom_and_by_which_job(stack: Stack) -> None:
    line = stack.forget()
    assert stack.audit() == [line]
    known = list_file.read(stack.where.suppression)
    assert line["hashes"] == sorted(known.hashes) == sorted(known.hash(user) for user in GONE)
    assert (line["users"], line["by"], line["status"]) == (2, WHO, "COMPLETED")
    assert line["job"] == stack.jobs()[0]["dataDeletionJobArn"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["at"])


def test_the_job_reads_the_documented_csv_with_the_spec_s_role_and_tags(stack: Stack) -> None:
    stack.forget(wait=False)
    (job,) = stack.jobs()
    location = job["dataSource"]["dataLocation"]
    assert location == f"s3://{stack.bucket}/transformed/deletions/{job['jobName']}.csv"
    assert stack.read(location.partition(f"{stack.bucket}/")[2]) == b'USER_ID\n"user ""2"", b"\nuser-1\n'
    assert job["roleArn"] == ROLE
    tags = stack.api.list_tags_for_resource(resourceArn=job["dataDeletionJobArn"])["tags"]
    assert tags == [{"tagKey": "team", "tagValue": "shop"}]


#: Calls that change something. Kills at reads and waits would test nothing new.
WRITES = {"PutObject", "DeleteObject", "CreateDataDeletionJob"}


class Kill:
    """Kills the command before (odd) or after (even) one of its writes, and counts all writes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at = self.seen = 0
        plain = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
            if operation not in WRITES:
                return plain(client, operation, request)
            self._step()
            answer = plain(client, operation, request)
            self._step()
            return answer

        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def _step(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise KilledError


def test_killed_at_any_write_and_run_again_it_is_done_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    kill = Kill(monkeypatch)
    stack.forget()
    undisturbed = stack.export()
    writes = kill.seen
    # List, two parts, profiles, report, CSV, job, audit, CSV: each before and after.
    assert writes == 2 * 9
    for at in range(1, writes):
        stack.upload()
        users = frozenset({"user-1", f"user-{at + 10}"})
        before = len(stack.jobs())
        kill.at, kill.seen = at, 0
        with pytest.raises(KilledError):
            stack.forget(users)
        kill.at = 0
        on_list = at > 1 and all(map(list_file.read(stack.where.suppression).holds, users))
        # Nothing is deleted from the export or Personalize before the list contains all users.
        assert on_list or (stack.read("transformed/report.json"), len(stack.jobs())) == (
            stack.files["report.json"],
            before,
        )
        stack.forget(users)
        jobs = stack.jobs()[before:]
        assert [one["status"] for one in jobs] == ["COMPLETED"], at
        counts = json.loads(stack.read("transformed/report.json"))["datasets"]
        expected = json.loads(undisturbed["transformed/report.json"])["datasets"]
        assert counts == expected
        assert not any(f"user-{at + 10}," in data.decode() for data in stack.export().values())
        assert stack.names("transformed/deletions/") == []
        assert {one["job"] for one in stack.audit()} == {jobs[0]["dataDeletionJobArn"]}


def test_killed_while_it_waits_it_takes_the_job_over(stack: Stack) -> None:
    def seen(what: str, status: str) -> None:
        if status == "IN_PROGRESS":
            raise KilledError

    with pytest.raises(KilledError):
        stack.forget(progress=seen)
    assert stack.forget()["status"] == "COMPLETED"
    assert len(stack.jobs()) == 1


def test_run_again_after_its_end_it_deletes_again(stack: Stack) -> None:
    first, second = stack.forget(), stack.forget()
    assert first["job"] != second["job"]
    assert second["rows"] == {"interactions": 0, "users": 0}
    assert [one["status"] for one in stack.jobs()] == ["COMPLETED"] * 2
    assert stack.jobs()[1]["jobName"] == f"{stack.jobs()[0]['jobName']}-2"


def test_without_waiting_the_next_run_ends_what_was_begun(stack: Stack) -> None:
    line = stack.forget(wait=False)
    assert (line["status"], line["deleted"]) == ("PENDING", None)
    assert stack.names("transformed/deletions/")
    assert stack.forget()["job"] == line["job"]
    assert not stack.names("transformed/deletions/")


def test_a_job_that_failed_is_told_and_another_is_made(stack: Stack) -> None:
    policy = stack.s3.get_bucket_policy(Bucket=stack.bucket)["Policy"]
    stack.s3.delete_bucket_policy(Bucket=stack.bucket)
    with pytest.raises(ProvisionError, match="Insufficient privileges"):
        stack.forget()
    assert not stack.names("transformed/deletions/")
    stack.s3.put_bucket_policy(Bucket=stack.bucket, Policy=policy)
    assert stack.forget()["status"] == "COMPLETED"
    assert [one["status"] for one in stack.jobs()] == ["FAILED", "COMPLETED"]


def test_what_passes_is_waited_for(stack: Stack) -> None:
    for number, code in enumerate(("LimitExceededException", "ResourceInUseException", "ThrottlingException")):
        stack.emulator.faults.fail_calls("CreateDataDeletionJob", 3, code)
        assert stack.forget()["status"] == "COMPLETED"
        assert len(stack.jobs()) == number + 1


def test_what_personalize_refuses_is_told(stack: Stack) -> None:
    stack.emulator.faults.fail_calls("CreateDataDeletionJob", 1, "InvalidInputException")
    with pytest.raises(ProvisionError, match=r"CreateDataDeletionJob was refused .InvalidInputException"):
        stack.forget()
    stack.emulator.faults.fail_calls("CreateDataDeletionJob", 1, "LimitExceededException")
    with pytest.raises(ProvisionError, match="LimitExceededException"):
        stack.forget(wait=False)


def test_an_import_that_is_under_way_ends_first(stack: Stack) -> None:
    (dataset,) = [one["datasetArn"] for one in stack.api.list_datasets()["datasets"] if one["datasetType"] == "USERS"]
    source = {"dataLocation": f"s3://{stack.bucket}/transformed/users/"}
    name = "shop-users-0000beef"
    arn = stack.api.create_dataset_import_job(jobName=name, datasetArn=dataset, dataSource=source, roleArn=ROLE)[
        "datasetImportJobArn"
    ]
    waited: list[str] = []
    stack.forget(progress=lambda what, status: waited.append(what))
    ended = stack.api.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]
    assert any("DatasetImportJob" in one for one in waited)
    assert ended["lastUpdatedDateTime"] <= stack.jobs()[0]["creationDateTime"]


def test_where_there_is_no_dataset_group_the_list_and_the_export_are_done_all_the_same(stack: Stack) -> None:
    stack.spec = spec.read(json.dumps(stack.document | {"name": "elsewhere"}))
    with pytest.raises(ProvisionError, match="DatasetGroup elsewhere: doesn't exist"):
        stack.forget()
    assert list_file.read(stack.where.suppression).holds("user-1")
    assert not any(map(has_an_id, stack.export().values()))


def test_too_many_for_one_job_is_said_before_anything_is_done(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personalize_segment.privacy.deletion.MAX_BYTES", 10)
    before = stack.export()
    with pytest.raises(ForgetError, match="Split the file"):
        stack.forget()
    assert stack.export() == before
    assert "suppressed.csv" not in stack.names()


IMPORTS = {"interactions": {"import": {"location": "s3://data/transformed/interactions/"}}}


@pytest.mark.parametrize(
    ("changes", "exports", "deletions", "error", "problem"),
    [
        pytest.param({"datasets": IMPORTS}, [], None, ForgetError, "isn't in any of the exports", id="no export"),
        pytest.param(
            {"datasets": IMPORTS},
            ["s3://data/transform"],
            None,
            ForgetError,
            "isn't in any of the exports",
            id="another",
        ),
        pytest.param({"role_arn": None}, ["s3://data/t"], None, SpecError, "has no 'role_arn'", id="no role"),
        pytest.param({}, ["folder"], None, ForgetError, "no export is in S3", id="nowhere for the ids"),
    ],
)
def test_places_that_would_let_users_come_back_are_refused(
    changes: dict[str, Any], exports: list[str], deletions: str | None, error: type[Exception], problem: str
) -> None:
    document = {"version": 1, "name": "shop", "role_arn": ROLE, "datasets": {"interactions": {}}} | changes
    made = spec.read(json.dumps({key: value for key, value in document.items() if value is not None}))
    with pytest.raises(error, match=problem):
        steps.places(made, "list", exports, deletions, None)


def test_a_folder_that_no_job_can_read_is_refused_before_the_export_is_touched(stack: Stack) -> None:
    before = stack.export()
    for folder in ("deletions", "s3://data/" + "x" * 220):
        stack.where = steps.places(stack.spec, stack.where.suppression, stack.where.exports, folder, None)
        with pytest.raises(ForgetError, match="isn't an S3 folder"):
            stack.forget()
    assert stack.export() == before


def test_a_local_export_and_a_local_audit_work_too(
    stack: Stack, exported: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    for name, data in exported[1].items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_bytes(data)
    exports = [*stack.where.exports, str(tmp_path / "out")]
    stack.where = steps.places(stack.spec, str(tmp_path / "list"), exports, None, str(tmp_path / "audit.jsonl"))
    lines = [stack.forget(), stack.forget()]
    assert lines[0]["rows"] == {"interactions": 4 * EACH, "users": 4}
    assert [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()] == lines
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_audit_line_that_can_not_be_kept_is_an_error_and_the_job_stays_open(stack: Stack) -> None:
    good = stack.where
    for audit in ("s3://no-such-bucket-9/audit", "/proc/none/audit.jsonl"):
        stack.where = steps.places(stack.spec, good.suppression, good.exports, None, audit)
        with pytest.raises(ForgetError) as raised:
            stack.forget()
        assert raised.value.place == audit
    stack.where = good
    stack.forget()
    assert (len(stack.jobs()), len(stack.audit())) == (1, 1)


@pytest.fixture
def run(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs the command with the stack's places and other options."""
    (tmp_path / "personalize.json").write_text(json.dumps(stack.document))
    monkeypatch.setattr(privacy, "polling_every", lambda seconds: stack.polling())

    def call(*options: str, **more: Any) -> Any:
        known = ["--suppression", stack.where.suppression, "--export", stack.where.exports[0]]
        return CliRunner().invoke(load(), ["forget", str(tmp_path / "personalize.json"), *known, *options], **more)

    return call


def test_the_verb_prints_the_audit_line_and_no_id_on_the_way(run: Any, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_bytes(csv_bytes(GONE))
    done = run("--users", str(tmp_path / "users.csv"), "--audit", f"s3://{stack.bucket}/audit")
    assert done.exit_code == 0, done.output
    assert [json.loads(done.stdout)] == stack.audit()
    assert stack.audit()[0]["by"].startswith("arn:aws:sts::")
    assert "COMPLETED" in done.stderr
    assert not has_an_id(done.output.encode())


def test_the_verb_takes_ids_from_stdin_and_need_not_wait(run: Any, stack: Stack) -> None:
    done = run("--users", "-", "--no-wait", input="USER_ID\nuser-7\n")
    assert json.loads(done.stdout)["status"] == "PENDING", done.output
    assert list_file.read(stack.where.suppression).holds("user-7")


def deletion(age: timedelta = timedelta()) -> bytes:
    """Return the body of a deletion that was sent some time ago."""
    sent = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
    return json.dumps({"type": "delete", "userId": "user-1", "timestamp": sent}).encode()


BODY = deletion()


def webhook(folder: Path, signed: bytes, body: bytes | None = None) -> tuple[str, ...]:
    """Write the body of a webhook and return the options that pass it on, with the signature of what was signed."""
    (folder / "body.json").write_bytes(signed if body is None else body)
    options = {
        "--webhook-payload": str(folder / "body.json"),
        "--signature": hmac.new(b"secret", signed, hashlib.sha1).hexdigest(),
        "--secret-env": "WEBHOOK_SECRET",
        "--audit": str(folder / "audit.jsonl"),
    }
    return tuple(chain.from_iterable(options.items()))


def test_the_verb_takes_a_signed_deletion_of_segment_s(run: Any, stack: Stack, tmp_path: Path) -> None:
    done = run(*webhook(tmp_path, BODY), env={"WEBHOOK_SECRET": "secret"})
    assert json.loads(done.stdout)["rows"] == {"interactions": EACH, "users": 1}, done.output


def test_a_webhook_needs_an_audit_that_tells_which_were_seen(run: Any, stack: Stack, tmp_path: Path) -> None:
    done = run(*webhook(tmp_path, deletion())[:-2], env={"WEBHOOK_SECRET": "secret"})
    assert (done.exit_code, stack.jobs()) == (2, [])
    assert "--audit" in done.output


@pytest.mark.parametrize("audit", ["file", "bucket"])
def test_a_deletion_that_was_done_before_changes_nothing(run: Any, stack: Stack, tmp_path: Path, audit: str) -> None:
    secret = {"WEBHOOK_SECRET": "secret"}
    options = webhook(tmp_path, deletion())
    if audit == "bucket":
        options = (*options[:-1], f"s3://{stack.bucket}/audit")
    pending = json.loads(run(*options, "--no-wait", env=secret).stdout)
    assert pending["status"] == "PENDING"
    done = json.loads(run(*options, env=secret).stdout)
    assert (done["status"], done["job"]) == ("COMPLETED", pending["job"])
    # The user comes back.
    for name, data in stack.files.items():
        stack.s3.put_object(Bucket=stack.bucket, Key=f"transformed/{name}", Body=data)
    before = {key: stack.read(key) for key in stack.names()}
    again = run(*options, env=secret)
    assert (again.exit_code, json.loads(again.stdout)) == (0, done)
    assert "Nothing was changed" in again.stderr
    assert {key: stack.read(key) for key in stack.names()} == before
    assert len(stack.jobs()) == 1
    other = json.loads(run(*webhook(tmp_path, deletion()), env=secret).stdout)
    assert other["job"] != done["job"]


#: The signed body, the secret in the environment, and the message.
REFUSED: list[tuple[bytes, str | None, str]] = [
    (BODY + b" ", "secret", "doesn't match X-Signature"),
    (BODY, "Secret", "doesn't match X-Signature"),
    (BODY, "", "empty secret"),
    (BODY, None, "WEBHOOK_SECRET: isn't set"),
]


def test_with_a_wrong_signature_nothing_is_done(run: Any, stack: Stack, tmp_path: Path) -> None:
    before = {key: stack.read(key) for key in stack.names()}
    for body, secret, problem in REFUSED:
        done = run(*webhook(tmp_path, body, BODY), env={"WEBHOOK_SECRET": secret})
        assert done.exit_code == 1
        assert isinstance(done.exception, ForgetError)
        assert problem in str(done.exception)
    old = run(*webhook(tmp_path, deletion(timedelta(hours=2))), env={"WEBHOOK_SECRET": "secret"})
    assert "isn't from the last hour" in str(old.exception)
    assert {key: stack.read(key) for key in stack.names()} == before
    assert not stack.jobs()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="no user"),
        pytest.param(["--users", "x", "--webhook-payload", "y", "--signature", "z", "--secret-env", "A"], id="both"),
        pytest.param(["--webhook-payload", "y"], id="a webhook without a signature"),
        pytest.param(["--webhook-payload", "y", "--signature", "z"], id="a webhook without a secret"),
        pytest.param(["--users", "x", "--signature", "z"], id="a file with a signature"),
    ],
)
def test_users_come_from_one_place(options: list[str]) -> None:
    done = CliRunner().invoke(load(), ["forget", "personalize.json", "--suppression", "list", *options])
    assert done.exit_code == 2
    assert "--users" in done.output


def test_a_stage_that_no_export_has_written_is_refused(run: Any, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("u-1\n", "utf-8")
    done = run("--users", str(tmp_path / "users"), "--stage", str(tmp_path / "stgae"))
    assert (done.exit_code, stack.jobs()) == (1, [])
    assert "no such stage" in str(done.exception)


def test_the_export_verb_honors_the_list(exported: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    list_file.add(str(tmp_path / "list"), GONE)
    out = tmp_path / "out"
    done = CliRunner().invoke(load(), ["export", str(exported[0]), str(out), "--suppress", str(tmp_path / "list")])
    assert done.exit_code == 0, done.output
    assert "suppressed" in done.stdout
    assert not any(has_an_id(path.read_bytes()) for path in out.rglob("*") if path.is_file())


def test_the_export_verb_refuses_a_list_that_is_not_there(
    exported: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(load(), ["export", str(exported[0]), str(out), "--suppress", str(tmp_path / "none")])
    assert isinstance(done.exception, ForgetError)
    assert not out.exists()
