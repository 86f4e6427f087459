"""The provisioning commands as a user runs them: a command line, a spec file, a served AWS.

Most run in this process. Those that a terminal or a signal ends are the installed command.
"""

import csv as csv_
import json
import os
import pty
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from documents import changed
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.errors import ProvisionError
from personalize_segment.history.export import export
from personalize_segment.provision import names
from personalize_segment.provision.spec import of_name
from personalize_segment.provision.state import StackState
from served_stack import SECONDS, Aws, aws, write
from stack import MAPPING, READS, SHOP, csv

NAMES = count(1)
POLL = ("--poll", "0.05")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    """Yield a server in which each test has a separate stack."""
    with aws() as made:
        yield made


@pytest.fixture
def document(cloud: Aws) -> dict[str, Any]:
    """Return a spec with a name and a bucket that no other test has."""
    name = f"cli-{next(NAMES)}"
    cloud.bucket(name)
    cloud.emulator.called.clear()
    imports = {f"datasets/{one}/import/location": f"s3://{name}/t/{one}/" for one in SHOP["datasets"]}
    gated = {"solutions/for-you/automatic_training": False, "campaigns/home/follow_latest": False}
    own = {"name": name, "ssm_prefix": f"/{name}/personalize", "event_mapping": MAPPING}
    return changed(SHOP, imports | gated | own)


@pytest.fixture
def spec(document: dict[str, Any], tmp_path: Path) -> Path:
    """Return the file of that spec."""
    return write(tmp_path, document)


def _ok(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def _said(done: "subprocess.CompletedProcess[str]", status: int = 1) -> str:
    """Return the error line of a failed command, which follows the line with account and region."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert "Traceback" not in done.stderr
    return re.sub(r"^account \d+, .*\n", "", done.stderr).rstrip("\n")


def test_from_nothing_to_destroyed(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    where = f"account 123456789012, region us-east-1, stack {document['name']}\n"
    shown = cloud.run("plan", spec, COLUMNS="")
    assert (shown.returncode, shown.stderr) == (0, where)
    for text in ("create", "DatasetGroup", "per month when idle", "after the imports", "without warranty"):
        assert text in shown.stdout
    # Unwrapped lines for files.
    assert re.search(
        r"Campaign .* after a version of its solution .* USD per month when idle, then .* requests", shown.stdout
    )
    planned = cloud.run("plan", "--json", "--check", spec)
    assert planned.returncode == 3
    steps = json.loads(planned.stdout)
    assert {step["action"] for step in steps} == {"create"}
    assert all(set(step) == {"action", "kind", "name", "why", "remedy", "cost"} for step in steps)
    assert "testing" not in planned.stdout  # the key and the secret
    assert not [one for one in cloud.emulator.called if not one.startswith(READS)]

    refused = cloud.run("apply", spec)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Campaign" in refused.stderr
    assert refused.stderr.endswith("personalize-segment: not a terminal: pass --yes to confirm.\n")
    assert not [one for one in cloud.emulator.called if not one.startswith(READS)]
    results = _ok(cloud.run("apply", "--yes", *POLL, spec))
    prefix = document["ssm_prefix"]
    (campaign,) = results["campaigns"].values()
    pages = cloud.ssm.get_paginator("get_parameters_by_path").paginate(Path=prefix, Recursive=True)
    stored = {one["Name"]: one["Value"] for page in pages for one in page["Parameters"]}
    assert stored == results["parameters"]
    assert stored[f"{prefix}/tracking_id"] == results["tracking_id"]
    assert stored[f"{prefix}/campaigns/home"] == campaign
    assert stored[f"{prefix}/filters/bought"] in results["filters"].values()
    assert set(results["datasets"]) == {"interactions", "users", "items"}

    assert cloud.run("plan", "--check", spec).returncode == 0
    # An empty plan costs nothing, so it needs no confirmation.
    assert _ok(cloud.run("apply", *POLL, spec)) == results
    rows = _ok(cloud.run("status", "--json", spec))
    assert {row["verdict"] for row in rows} == {"ok"}
    shown = cloud.run("status", spec)
    assert shown.stdout.count(" ACTIVE") == sum(row["found"].startswith("ACTIVE") for row in rows)
    assert (shown.returncode, shown.stderr) == (0, where)
    filter_arn = stored[f"{prefix}/filters/bought"]
    asked = cloud.run("recommend", campaign, "u1", "-n", "5", "--filter", filter_arn)
    assert len(set(asked.stdout.split())) == 5, asked.stderr
    named = cloud.run("recommend", spec, "u1", "-n", "5", "--filter", "bought", "--from", "home")
    assert (named.stdout, named.stderr) == (asked.stdout, where)
    found = _ok(cloud.run("recommend", "--json", "-n", "5", spec, "u1"))
    assert (found["arn"], found["user"], len(found["items"])) == (campaign, "u1", 5)
    assert "has no filter none. Name one of bought." in _said(cloud.run("recommend", spec, "u1", "--filter", "none"))
    assert "has no campaign or recommender top. Name one of home." in _said(
        cloud.run("recommend", spec, "u1", "--from", "top")
    )

    cloud.emulator.called.clear()
    refused = cloud.run("destroy", spec)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Campaign" in refused.stderr
    assert "not a terminal: pass --yes to confirm." in refused.stderr
    assert not [one for one in cloud.emulator.called if not one.startswith(READS)]
    done = cloud.run("destroy", "--yes", "--json", *POLL, spec)
    assert done.returncode == 0, done.stderr
    assert {"kind": "DatasetGroup", "name": document["name"]} in json.loads(done.stdout)
    assert done.stderr.endswith("Nothing is left.\n")
    missing = f'stack {document["name"]}: no dataset group "{document["name"]}" in us-east-1. '
    assert missing in _said(cloud.run("status", "--json", spec))
    assert cloud.ssm.get_parameters_by_path(Path=prefix, Recursive=True)["Parameters"] == []
    assert "Nothing to delete: no dataset group" in cloud.run("destroy", spec).stderr


@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_apply_asks_on_a_terminal(
    cloud: Aws, document: dict[str, Any], tmp_path: Path, answer: str, status: int
) -> None:
    path = write(
        tmp_path, {"version": 1, "name": document["name"], "datasets": {"interactions": {}}, "tags": {"a": "b"}}
    )
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    done = subprocess.run(
        cloud.command("apply", *POLL, path),
        env=cloud.environment,
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    os.close(terminal)
    os.close(keyboard)
    assert f"Apply this to {document['name']} in account 123456789012, region us-east-1? [y/N]" in done.stderr
    assert (done.returncode, "CreateDatasetGroup" in cloud.emulator.called) == (status, status == 0), done.stderr


def test_a_stack_whose_spec_and_bucket_are_gone_is_destroyed_by_its_name(
    cloud: Aws, document: dict[str, Any], spec: Path
) -> None:
    _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))
    for one in cloud.s3.list_objects_v2(Bucket=document["name"])["Contents"]:
        cloud.s3.delete_object(Bucket=document["name"], Key=one["Key"])
    cloud.s3.delete_bucket(Bucket=document["name"])
    stack = ("--name", document["name"])
    refused = cloud.run("destroy", *stack)
    assert refused.returncode == 1
    assert "not a terminal: pass --yes to confirm." in refused.stderr
    done = cloud.run("destroy", "--yes", *POLL, *stack)
    assert done.stderr.endswith("Nothing is left.\n"), done.stderr
    assert "Nothing to delete: no dataset group" in cloud.run("destroy", *stack).stderr
    assert "Nothing to delete: no dataset group" in cloud.run("destroy", spec).stderr
    parameters = cloud.ssm.get_parameters_by_path(Path=document["ssm_prefix"], Recursive=True)
    assert parameters["Parameters"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("personalize.json", "--name", "shop"), id="both"),
        pytest.param(("personalize.json", "--ssm-prefix", "/shop"), id="a prefix for a spec"),
    ],
)
def test_destroy_takes_a_spec_or_a_name(cloud: Aws, arguments: tuple[str, ...]) -> None:
    assert "exactly one of SPEC and --name" in _said(cloud.run("destroy", *arguments), 2)


def test_import_train_and_rollback(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))
    cloud.emulator.called.clear()
    done = cloud.run("import", "--json", *POLL, spec)
    jobs = _ok(done)
    assert done.stderr.count(": unchanged, nothing to import\n") == 3
    assert "ACTIVE" not in done.stderr
    assert "CreateDatasetImportJob" not in cloud.emulator.called
    cloud.s3.put_object(Bucket=document["name"], Key="t/items/part-1.csv", Body=csv("items"))
    changed_jobs = _ok(cloud.run("import", "--json", *POLL, spec))
    assert [one for one in jobs if jobs[one] != changed_jobs[one]] == ["items"]
    shown = cloud.run("import", *POLL, spec).stdout
    assert all(f"│ {dataset} " in shown and f" {job} " in shown for dataset, job in changed_jobs.items())
    (trained,) = _ok(cloud.run("train", "--json", *POLL, spec))
    assert (trained["promoted"], trained["why"]) == (True, "good enough")
    (back,) = _ok(cloud.run("train", "--rollback", "--json", *POLL, spec))
    assert (back["campaign"], back["why"]) == (trained["campaign"], "rolled back")
    assert back["version"] != trained["version"]
    assert "has no version before the one that it serves. Train a new version" in _said(
        cloud.run("train", "--rollback", spec)
    )
    assert "Choose one of coverage," in _said(cloud.run("train", "--metric", "clicks", spec))
    assert cloud.emulator.called.count("CreateSolutionVersion") == 1


def test_names_that_a_spec_has_none_of_are_added_to_it() -> None:
    bare = of_name("shop")
    with pytest.raises(ProvisionError, match=r"has no filter bought. Add a filter to the spec, and apply it\."):
        names.filter_arn(StackState(), bare, "bought")
    with pytest.raises(ProvisionError, match=r"has no campaign and no recommender. Add one to the spec"):
        names.served(StackState(), bare, None)


def test_without_the_bucket_only_the_imports_are_wrong(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    _ok(cloud.run("apply", "--yes", *POLL, spec))
    _ok(cloud.run("train", "--json", *POLL, spec))
    for one in cloud.s3.list_objects_v2(Bucket=document["name"])["Contents"]:
        cloud.s3.delete_object(Bucket=document["name"], Key=one["Key"])
    cloud.s3.delete_bucket(Bucket=document["name"])
    shown = cloud.run("status", "--json", spec)
    wrong = {one["part"]: one for one in json.loads(shown.stdout) if one["verdict"] != "ok"}
    assert shown.returncode == 1
    assert set(wrong) == {f"DatasetImportJob {document['name']}-{one}" for one in ("interactions", "users", "items")}
    assert all("NoSuchBucket" in one["found"] for one in wrong.values())
    assert all(one["remedy"].startswith("Run `terraform apply`") for one in wrong.values())
    (back,) = _ok(cloud.run("train", "--rollback", "--json", *POLL, spec))
    assert back["why"] == "rolled back"


def test_a_version_that_is_not_promoted_ends_with_1(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))
    # A user who takes everything once, so that the last items are no longer the first.
    rows = "".join(f"u{one % 60},x{one},{1_700_000_000 + one},View\n" for one in range(1100))
    body = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + rows
    cloud.s3.put_object(Bucket=document["name"], Key="t/interactions/part-0.csv", Body=body)
    assert cloud.run("import", *POLL, spec).returncode == 0
    done = cloud.run("train", "--json", *POLL, spec)
    (result,) = json.loads(done.stdout)
    assert (done.returncode, result["promoted"]) == (1, False), result
    assert result["new"] < result["serving"]


def test_a_failure_is_told_by_apply_and_by_status(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    cloud.s3.put_object(Bucket=document["name"], Key="t/users/part-0.csv", Body=b"USER_ID\nu1\n")
    failed = cloud.run("apply", "--yes", *POLL, spec)
    assert (failed.returncode, failed.stdout) == (1, "")
    last = failed.stderr.splitlines()[-1]
    assert last.startswith(f"personalize-segment: DatasetImportJob {document['name']}-users-")
    assert "missing the following columns: [PLAN]" in last
    assert last.endswith("Export again with the mapping of this spec.")
    assert [part.partition(" ")[0] for part in _wrong(cloud, spec)] == ["DatasetImportJob"]
    cloud.s3.put_object(Bucket=document["name"], Key="t/users/part-0.csv", Body=csv("users"))
    _ok(cloud.run("apply", "--yes", *POLL, spec))
    # The failed job is in the past.
    assert _wrong(cloud, spec) == []
    cloud.s3.put_object(Bucket=document["name"], Key="t/users/part-0.csv", Body=b"USER_ID\nu2\n")
    assert cloud.run("import", *POLL, spec).returncode == 1
    assert _wrong(cloud, spec) == ["Last import of users"]
    cloud.s3.put_object(Bucket=document["name"], Key="t/users/part-0.csv", Body=csv("users"))
    cloud.s3.put_object(Bucket=document["name"], Key="t/users/part-1.csv", Body=csv("users"))
    assert cloud.run("import", *POLL, spec).returncode == 0
    assert _wrong(cloud, spec) == []


def test_status_names_what_is_gone(cloud: Aws, document: dict[str, Any], spec: Path) -> None:
    _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))
    trackers = cloud.personalize.list_event_trackers()["eventTrackers"]
    [arn] = [one["eventTrackerArn"] for one in trackers if one["name"] == document["name"]]
    cloud.personalize.delete_event_tracker(eventTrackerArn=arn)
    assert _wrong(cloud, spec) == [f"EventTracker {document['name']}"]


def _wrong(cloud: Aws, spec: Path) -> list[str]:
    """Return the parts that `status` finds wrong, after checking the exit status."""
    done = cloud.run("status", "--json", spec)
    parts = [row["part"] for row in json.loads(done.stdout) if row["verdict"] == "wrong"]
    assert done.returncode == bool(parts)
    return parts


def test_the_spec_may_come_from_terraform_on_stdin(cloud: Aws, document: dict[str, Any]) -> None:
    outputs = {
        "bucket": {"sensitive": False, "type": "string", "value": document["name"]},
        "personalize": {"sensitive": False, "type": ["object", {}], "value": document},
    }
    steps = _ok(cloud.run("plan", "--json", "-", text=json.dumps(outputs)))
    assert [step["name"] for step in steps if step["kind"] == "DatasetGroup"] == [document["name"]]
    assert "$: has no spec. Run `terraform apply`, then pass the output" in _said(
        cloud.run("plan", "-", text=json.dumps(outputs | {"personalize": outputs["bucket"]}))
    )


NAMELESS = b'{"version": 1, "name": "a b", "datasets": {"interactions": {}}}'


@pytest.mark.parametrize(
    ("verb", "text", "place", "remedy"),
    [
        *(
            pytest.param(verb, NAMELESS, "$.name: ", "Write 1 to 24", id=verb)
            for verb in ("plan", "apply", "status", "destroy", "import", "train")
        ),
        pytest.param("plan", b'{"version": 1', "$: isn't JSON", "Write one JSON object", id="no JSON"),
        pytest.param("plan", b"\xff\xfe", "personalize.json: isn't UTF-8 text", "Save it as UTF-8", id="bytes"),
    ],
)
def test_a_bad_spec_is_one_line_before_any_call(
    cloud: Aws, tmp_path: Path, verb: str, text: bytes, place: str, remedy: str
) -> None:
    path = tmp_path / "personalize.json"
    path.write_bytes(text)
    cloud.emulator.called.clear()
    said = _said(cloud.run(verb, path))
    assert said.startswith("personalize-segment: ")
    assert place in said
    assert remedy in said
    assert "\n" not in said
    assert cloud.emulator.called == []


@pytest.mark.parametrize("verb", ["plan", "import"])
def test_what_aws_refuses_to_tell_is_one_line(cloud: Aws, document: dict[str, Any], tmp_path: Path, verb: str) -> None:
    lost = changed(document, {"datasets/users/import/location": "s3://no-such-bucket-1/t/"})
    said = _said(cloud.run(verb, write(tmp_path, lost)))
    assert "NoSuchBucket" in said
    assert "\n" not in said


def test_a_campaign_that_is_not_there_is_one_line(cloud: Aws) -> None:
    arn = "arn:aws:personalize:us-east-1:123456789012:campaign/none"
    assert "ResourceNotFoundException" in _said(cloud.run("recommend", arn, "u1"))


def test_an_apply_that_is_interrupted_is_completed_by_the_next(cloud: Aws, spec: Path) -> None:
    # Its polling interval is minutes, so it can't finish before the signal.
    command = cloud.command("apply", "--yes", "--json", "--poll", "200", spec)
    with subprocess.Popen(
        command, env=cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("account ")
        assert process.stderr.readline().startswith("create DatasetGroup ")
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, printed) == (130, "")
    assert said.endswith("Interrupted.\n")
    assert "Traceback" not in said
    assert _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))["campaigns"]
    assert cloud.emulator.called.count("CreateCampaign") == 1
    assert cloud.run("plan", "--check", spec).returncode == 0


def test_a_real_export_becomes_recommendations_that_similar_users_explain(
    cloud: Aws, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the environment of the last test
    name = f"cli-{next(NAMES)}"
    cloud.bucket(name)
    export(str(shop), f"s3://{name}/export", parse(default_text()))
    imports = {f"datasets/{one}/import/location": f"s3://{name}/export/{one}/" for one in SHOP["datasets"]}
    spec = write(tmp_path, changed(SHOP, imports | {"name": name, "ssm_prefix": f"/{name}"}))
    (campaign,) = _ok(cloud.run("apply", "--yes", "--json", *POLL, spec))["campaigns"].values()
    baskets = _baskets(cloud, name)
    user = max(baskets, key=lambda one: (len(baskets[one]), one))
    similar: Counter[str] = Counter()
    for other, items in baskets.items():
        if other != user and items & baskets[user]:
            similar.update(items - baskets[user])
    found = cloud.run("recommend", campaign, user, "-n", "10").stdout.split()
    assert len(set(found)) == 10
    assert set(found) & set(similar)
    assert set(found) <= set(similar) | baskets[user]


def _baskets(cloud: Aws, bucket: str) -> dict[str, set[str]]:
    """Return user -> items of the interactions that were exported."""
    found: dict[str, set[str]] = {}
    for one in cloud.s3.list_objects_v2(Bucket=bucket, Prefix="export/interactions/")["Contents"]:
        text = cloud.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode()
        for row in csv_.DictReader(text.splitlines()):
            found.setdefault(row["USER_ID"], set()).add(row["ITEM_ID"])
    return found
