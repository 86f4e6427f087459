"""The module `refresh`, applied: its state machine runs in Step Functions against Glue, Redshift and Personalize."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from attached import attached
from personalize_emulator import Clock, Emulator, wsgi
from personalize_emulator.server import Server
from programs import needs
from stacks import Stack

BUCKET = "refreshed-data"
SQL = "UNLOAD ('SELECT 1') TO 's3://refreshed-data/users/' IAM_ROLE 'arn:aws:iam::123456789012:role/unload'"
ROOT = """
locals {
  again = {
    schedule      = { expression = "rate(7 days)" }
    dataset_group = "shop"
    role_arn      = "arn:aws:iam::123456789012:role/personalize"
    poll_seconds  = 1
    imports       = { for one in ["interactions", "users"] : one => { location = "s3://%(bucket)s/${one}/" } }
  }
  exports = {
    shop = { glue_job = { name = "history" } }
    gone = { glue_job = { name = "no-such-job" } }
    lake = { redshift = {
      workgroup_name = "lake"
      workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/lake"
      database       = "dev"
      statements     = ["SELECT 2", "%(sql)s"]
    } }
  }
}

module "refresh" {
  source   = "../modules/refresh"
  for_each = local.exports

  name          = each.key
  export        = each.value
  schedule      = local.again.schedule
  dataset_group = local.again.dataset_group
  role_arn      = local.again.role_arn
  poll_seconds  = local.again.poll_seconds
  imports       = local.again.imports
}

output "machines" {
  value = { for name, one in module.refresh : name => one.state_machine.arn }
}
"""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "personalize.amazonaws.com"},
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
    ],
}
CSV = {
    "interactions": ["USER_ID,ITEM_ID,TIMESTAMP", *(f"u{n % 50},i{n % 20},{1_700_000_000 + n}" for n in range(1000))],
    "users": ["USER_ID,PLAN", *(f"u{n},free" for n in range(50))],
}
FIELDS: dict[str, list[tuple[str, Any]]] = {
    "interactions": [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long")],
    "users": [("USER_ID", "string"), ("PLAN", ["null", "string"])],
}


class Refreshing:
    """The applied module, and the AWS it runs in."""

    def __init__(self, server: Server, emulator: Emulator) -> None:
        self.server, self.emulator = server, emulator
        self.machines: dict[str, str] = {}

    def client(self, service: str) -> Any:
        """Return a client of the emulator."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.session.Session().client(  # type: ignore[call-overload]
            service, region_name=self.server.region, endpoint_url=self.server.endpoint, **keys
        )

    def prepare(self) -> None:
        """Create the inputs of the refresh: a bucket with CSV files, a Glue job, a dataset group with datasets."""
        s3, personalize = self.client("s3"), self.client("personalize")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(POLICY))
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/script.py"}
        self.client("glue").create_job(Name="history", Role="history", Command=command)
        group = personalize.create_dataset_group(name="shop")["datasetGroupArn"]
        self.emulator.clock.advance(60)
        for dataset, fields in FIELDS.items():
            self.put(dataset, CSV[dataset])
            record = {
                "type": "record",
                "name": dataset.capitalize(),
                "namespace": "com.amazonaws.personalize.schema",
                "version": "1.0",
                "fields": [
                    {"name": name, "type": kind} | ({"categorical": True} if name == "PLAN" else {})
                    for name, kind in fields
                ],
            }
            schema = personalize.create_schema(name=f"shop-{dataset}", schema=json.dumps(record))["schemaArn"]
            personalize.create_dataset(name=dataset, schemaArn=schema, datasetGroupArn=group, datasetType=dataset)
        self.emulator.clock.advance(60)

    def put(self, dataset: str, lines: list[str]) -> None:
        """Write these lines as the export."""
        body = "".join(f"{line}\n" for line in lines).encode()
        self.client("s3").put_object(Bucket=BUCKET, Key=f"{dataset}/part-0.csv", Body=body)

    def run(self, name: str) -> dict[str, Any]:
        """Run a state machine to its end, and return the answer of DescribeExecution."""
        states = self.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=self.machines[name], input="{}")["executionArn"]
        deadline = time.monotonic() + 60
        while True:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                return found
            assert time.monotonic() < deadline, states.get_execution_history(executionArn=arn)["events"][-3:]
            time.sleep(0.05)

    def jobs(self) -> dict[str, str]:
        """Return the statuses of all import jobs by name."""
        listed = self.client("personalize").list_dataset_import_jobs(maxResults=100)["datasetImportJobs"]
        return {one["jobName"]: one["status"] for one in listed}


@pytest.fixture(scope="module")
def refreshing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refreshing]:
    """Yield the applied module, after checking a second plan. At the end, check for leftovers."""
    needs("terraform", "the refresh")
    folder = tmp_path_factory.mktemp("refresh")
    # The module runs no code from this project.
    (folder / "package.zip").touch()
    emulator = Emulator(Clock(speed=5000), s3=lambda: found.client("s3"))
    with Server(personalize=lambda moto: wsgi(emulator, moto)) as server:
        found = Refreshing(server, emulator)
        stack = Stack(folder / "all", server.environment(), folder / "package.zip", root="refresh")
        (stack.folder / "main.tf").write_text(ROOT % {"bucket": BUCKET, "sql": SQL})
        with attached(stack):
            found.machines = stack.apply({})["machines"]["value"]
            assert stack.changes() == {}
            found.prepare()
            yield found
            stack.destroy()


@pytest.fixture(autouse=True)
def without_faults(refreshing: Refreshing) -> Iterator[None]:
    yield
    refreshing.emulator.faults.clear()


@pytest.fixture
def too_few_interactions(refreshing: Refreshing) -> Iterator[None]:
    refreshing.put("interactions", CSV["interactions"][:500])
    yield
    refreshing.put("interactions", CSV["interactions"])


def test_a_refresh_runs_the_job_and_imports_every_dataset(refreshing: Refreshing) -> None:
    before = refreshing.jobs()
    done = refreshing.run("shop")
    assert done["status"] == "SUCCEEDED", done
    each = json.loads(done["output"])
    assert [(one["dataset"], one["status"]) for one in each] == [("interactions", "ACTIVE"), ("users", "ACTIVE")]
    new = {name: status for name, status in refreshing.jobs().items() if name not in before}
    assert new == {one["job"]: "ACTIVE" for one in each}
    assert all(name.startswith(("shop-interactions-20", "shop-users-20")) for name in new)
    runs = refreshing.client("glue").get_job_runs(JobName="history")["JobRuns"]
    assert runs[0]["JobRunState"] == "SUCCEEDED"


def test_the_next_refresh_has_jobs_of_its_own(refreshing: Refreshing) -> None:
    names = [{one["job"] for one in json.loads(refreshing.run("shop")["output"])} for _ in range(2)]
    assert not names[0] & names[1]


def test_statements_in_redshift_are_run_and_waited_for(refreshing: Refreshing) -> None:
    from moto.redshiftdata.models import redshiftdata_backends

    done = refreshing.run("lake")
    assert done["status"] == "SUCCEEDED", done
    ran = redshiftdata_backends["123456789012"][refreshing.server.region].statements.values()
    assert [(one.query_string, one.database, one.status) for one in ran] == [(f"SELECT 2;\n{SQL}", "dev", "FINISHED")]
    assert all(one["job"].startswith("lake-") for one in json.loads(done["output"]))


@pytest.mark.parametrize(
    ("answer", "error", "cause"),
    [
        pytest.param(
            {"Status": "FAILED", "Error": "relation is missing"}, "ExportFailed", "relation is missing", id="failed"
        ),
        pytest.param({"Status": "ABORTED"}, "ExportAborted", "statements were canceled", id="canceled"),
    ],
)
def test_statements_that_fail_end_the_refresh_before_an_import(
    refreshing: Refreshing, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], error: str, cause: str
) -> None:
    from moto.redshiftdata.models import RedshiftDataAPIServiceBackend

    monkeypatch.setattr(
        RedshiftDataAPIServiceBackend, "describe_statement", lambda _, statement_id: {"Id": statement_id, **answer}
    )
    before = refreshing.jobs()
    done = refreshing.run("lake")
    assert (done["status"], done["error"]) == ("FAILED", error)
    assert cause in done["cause"]
    assert refreshing.jobs() == before


def test_a_glue_job_that_fails_ends_the_refresh_before_an_import(refreshing: Refreshing) -> None:
    before = refreshing.jobs()
    done = refreshing.run("gone")
    assert (done["status"], done["error"]) == ("FAILED", "Glue.EntityNotFoundException")
    assert refreshing.jobs() == before


@pytest.mark.usefixtures("too_few_interactions")
def test_an_import_that_fails_is_named_with_its_reason_and_the_other_datasets_are_imported(
    refreshing: Refreshing,
) -> None:
    done = refreshing.run("shop")
    assert (done["status"], done["error"]) == ("FAILED", "ImportsFailed")
    interactions, users = json.loads(done["cause"])
    assert (interactions["dataset"], interactions["status"]) == ("interactions", "CREATE FAILED")
    assert "1000" in interactions["reason"]
    assert (users["dataset"], users["status"]) == ("users", "ACTIVE")
    jobs = refreshing.jobs()
    assert (jobs[interactions["job"]], jobs[users["job"]]) == ("CREATE FAILED", "ACTIVE")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        pytest.param("CreateDatasetImportJob", "LimitExceededException", id="five imports already"),
        # Step Functions' name for errors without an SDK class, such as throttling.
        pytest.param("CreateDatasetImportJob", "PersonalizeException", id="throttled when it creates"),
        pytest.param("DescribeDatasetImportJob", "PersonalizeException", id="throttled when it looks"),
    ],
)
def test_what_may_pass_is_tried_again(refreshing: Refreshing, operation: str, code: str) -> None:
    refreshing.emulator.faults.fail_calls(operation, 1, code)
    done = refreshing.run("shop")
    assert done["status"] == "SUCCEEDED", done
    events = refreshing.client("stepfunctions").get_execution_history(executionArn=done["executionArn"])["events"]
    failed = [one["taskFailedEventDetails"]["error"] for one in events if one["type"] == "TaskFailed"]
    assert failed == [f"Personalize.{code}"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("InvalidInputException", "Personalize.InvalidInputException", id="refused for good"),
        # The name is unique, so only an earlier try can have created it. Here none did, and the lookup shows that.
        pytest.param(
            "ResourceAlreadyExistsException", "Personalize.ResourceNotFoundException", id="exists already, so checked"
        ),
    ],
)
def test_what_is_permanent_is_not_tried_again(refreshing: Refreshing, code: str, status: str) -> None:
    refreshing.emulator.faults.fail_calls("CreateDatasetImportJob", 1, code)
    done = refreshing.run("shop")
    assert (done["status"], done["error"]) == ("FAILED", "ImportsFailed")
    assert sorted(one["status"] for one in json.loads(done["cause"])) == ["ACTIVE", status]
