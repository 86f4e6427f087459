"""The Glue script as Glue runs it: a file with arguments in a separate process."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest

from engines import SCRIPT, Texts, glue_script, python_rows, read_csv, read_profiles, write_log
from java import Java
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.suppression import SuppressionList
from personalize_segment.errors import ProfilesError
from personalize_segment.history.logs import Window
from personalize_segment.live.profile_table import ProfileTable, TableItem
from programs import python_without_ours

Script = Callable[..., "subprocess.CompletedProcess[str]"]

WITHOUT_USERS = json.dumps({name: body for name, body in json.loads(default_text()).items() if name != "users"})

#: A substitute for the library that exists only on Glue. It records its calls.
AWSGLUE = {
    "__init__.py": "",
    "context.py": """
import os
class GlueContext:
    def __init__(self, context):
        with open(os.environ["CALLS"], "a") as file:
            print(type(context).__name__, file=file)
""",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_without_ours(tmp_path_factory.mktemp("python"))


@pytest.fixture
def script(java: Java, package: Path, python: Path) -> Script:
    """Return a function that runs the script with Glue's arguments, and only the zip as --extra-py-files."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = [str(python), str(SCRIPT), *arguments]
        path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(package)]))
        with java.environment() as variables:
            found = os.environ | variables | environment | {"PYTHONPATH": path, "PYSPARK_PYTHON": str(python)}
            return subprocess.run(command, env=found, capture_output=True, text=True, timeout=120, check=False)

    return run


def event(message: str, **changes: object) -> bytes:
    """Return the line of an event that gives an interaction and an item."""
    good = {"type": "track", "event": "Product Viewed", "messageId": message, "userId": "u",
            "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": message}}  # fmt: skip
    return json.dumps(good | changes).encode()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs of two days, the second of which repeats an event of the first."""
    root = tmp_path_factory.mktemp("glue") / "segment-logs"
    write_log(root / "source" / "1709251200000" / "1.gz", [event("1"), event("2", userId="x,\"y'é ")])
    write_log(root / "source" / "1709337600000" / "2.gz", [event("2"), event("3"), b"{", event("4", userId=None)])
    (root / "dummy-object.txt").write_text("test")
    return root


def rows_of(out: Path, *datasets: str) -> dict[str, list[Texts]]:
    """Return the rows of an export."""
    return {name: sorted(row for _, rows in read_csv(out / name) for row in rows) for name in datasets}


def report_of(out: Path) -> dict[str, Any]:
    """Return the report of an export; Hadoop names files as URIs."""
    found: dict[str, Any] = json.loads((out / "report.json").read_text("utf-8").replace('"file:/', '"/'))
    for line in found["lines"]["first"]:
        line["file"] = line["file"].partition("/segment-logs/")[2]
    return found


def test_the_script_replaces_an_earlier_output(script: Script, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "transformed"
    for name in ("interactions/part-00009.csv", "items/part-00009.csv", "users/part-00009.csv", "report.json",
                 "profiles/users/part-00009.txt.gz", "profiles/items/part-00009.jsonl.gz"):  # fmt: skip
        write_log(out / name, [b"earlier"])
    write_log(out / "README.md", [b"mine"])
    mapping = parse(WITHOUT_USERS)
    place = write_log(tmp_path / "mapping.json", [mapping.text.encode()])
    address = f"file://{place}#{hashlib.sha256(place.read_bytes()).hexdigest()}"
    paths = ("--S3_JSON_INPUT_PATH", str(tree), "--S3_CSV_OUTPUT_PATH", f"{out}/", "--event_mapping", address)
    glue_s_own = ("--JOB_NAME", "nightly", "--unknown", "x", "--enable-metrics", "true", "--TempDir", "s3://x/y")
    done = script(*paths, *glue_s_own)
    assert done.returncode == 0, done.stderr
    expected = python_rows(tree, mapping)
    assert rows_of(out, "interactions", "items") == expected.rows
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert read_profiles(out / "profiles") == expected.profiles
    assert {name for name in files if not name.startswith(("interactions/part-", "items/part-", "profiles/"))} == {
        "report.json",
        "README.md",
    }
    assert all(name.endswith((".csv", ".gz", ".json", ".md")) for name in files)
    assert expected.report
    assert report_of(out) == expected.report
    assert (out / "report.json").read_text("utf-8").strip() in done.stdout


def test_on_glue_there_is_a_context_for_its_metrics(script: Script, tree: Path, tmp_path: Path) -> None:
    for name, text in AWSGLUE.items():
        write_log(tmp_path / "path" / "awsglue" / name, [text.encode()])
    calls, out = tmp_path / "calls", tmp_path / "out"
    window = ("--since", "2024-03-02", "--until", "2024-03-03", "--overlap", "1", "--driver_events", "0")
    done = script(
        "--JOB_NAME", "nightly", "--S3_JSON_INPUT_PATH", str(tree), "--S3_CSV_OUTPUT_PATH", str(out), *window,
        PYTHONPATH=str(tmp_path / "path"), CALLS=str(calls),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert calls.read_text() == "SparkContext\n"
    expected = python_rows(tree, parse(default_text()), Window(date(2024, 3, 2), date(2024, 3, 3), overlap=1))
    assert [row[1] for row in expected.rows["interactions"]] == ["3"]
    assert rows_of(out, *expected.rows) == expected.rows
    assert report_of(out) == expected.report
    assert (out / "report.json").read_text("utf-8").strip() in done.stdout


QUEUE = "arn:aws:sqs:us-east-1:123456789012:glue-profiles"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/glue-profiles"


@pytest.fixture
def table(s3_env: str) -> Iterator[ProfileTable]:
    """Yield a profile table, next to its queue, in the same place as S3."""
    dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
    dynamodb.create_table(
        TableName="glue-profiles", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    queue = sqs.create_queue(QueueName="glue-profiles")["QueueUrl"]
    yield ProfileTable(dynamodb, "glue-profiles")
    sqs.delete_queue(QueueUrl=queue)
    dynamodb.delete_table(TableName="glue-profiles")


def test_users_and_items_are_loaded_into_the_profile_table(script: Script, table: ProfileTable, tmp_path: Path) -> None:
    traits = [{"type": "identify", "userId": f"u{number}", "messageId": f"t{number}", "traits": {"plan": "pro"},
               "timestamp": "2024-03-01T00:00:00.5Z"} for number in range(300)]  # fmt: skip
    seen = [event("1", properties={"product_id": "i", "price": 1.5, "category": ["a", "b"]})]
    write_log(tmp_path / "logs" / "1.json", [json.dumps(one).encode() for one in traits] + seen)
    out = tmp_path / "out"
    # Personalize was sent a row of one of them.
    assert table.write("users", "u7", TableItem({"COUNTRY": ("DE", 1, "")}, 1, {}, "digest"))
    done = script(
        "--S3_JSON_INPUT_PATH", str(tmp_path / "logs"), "--S3_CSV_OUTPUT_PATH", str(out),
        "--profile_table", TABLE, "--profile_queue", QUEUE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = read_profiles(out / "profiles")
    assert (len(lines["users"]), len(lines["items"])) == (300, 1)
    for name, some in lines.items():
        known = dict(map(json.loads, some))
        known.pop("u7", None)
        for first in range(0, len(known), 100):
            for key, item in table.read(name, list(known)[first : first + 100]).items():
                found = {column: list(cell) for column, cell in item.columns.items()}
                assert (found, item.version, item.told) == (known[key], 1, "")
    assert set(table.read("users", ["u7"])["u7"].columns) == {"COUNTRY"}
    (sent,) = boto3.client("sqs").receive_message(QueueUrl=queue_url())["Messages"]
    assert json.loads(sent["Body"]) == [2, "users", "u7", {"PLAN": "pro"}, [1709251200, "5"]]
    assert 'profiles of users: {"written": 299, "queued": 1' in done.stdout


def queue_url() -> str:
    return boto3.client("sqs").get_queue_url(QueueName="glue-profiles")["QueueUrl"]


def test_a_table_that_is_not_there_ends_the_job_after_the_export(table: ProfileTable) -> None:
    job = glue_script()
    line = (json.dumps(["u", {"PLAN": ["pro", 0, ""]}]),)
    live = job.ProfilePlaces(TABLE.replace("glue-", "no-"), QUEUE)
    ((counts, error),) = job._load_some([line], dataset="users", live=live, suppressed=None)
    assert counts == {}
    assert ProfilesError(*error).place == "no-profiles"
    assert "ResourceNotFoundException" in ProfilesError(*error).problem
    ((counts, error),) = job._load_some([line], dataset="users", live=live._replace(table=TABLE), suppressed=None)
    assert (counts["written"], error) == (1, None)
    assert table.read("users", ["u"])["u"].columns == {"PLAN": ("pro", 0, "")}
    gone = SuppressionList("0" * 32).plus(["u"])
    ((counts, error),) = job._load_some([line], dataset="users", live=live._replace(table=TABLE), suppressed=gone)
    assert (counts["suppressed"], error) == (1, None)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ({"--S3_JSON_INPUT_PATH": "{tmp}/none"}, 1, "{tmp}/none"),
        ({"--event_mapping": '{"version": 2}'}, 1, "$"),
        ({"--event_mapping": f"file://{{tmp}}/out/report.json#{'0' * 64}"}, 1, "isn't the mapping that was deployed"),
        ({"--event_mapping": f"file://{{tmp}}/none#{'0' * 64}"}, 1, "{tmp}/none: no such event mapping"),
        ({"--since": "yesterday"}, 2, "--since"),
    ],
    ids=["missing", "mapping", "another mapping", "no mapping", "since"],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: dict[str, str], status: int, words: str, script: Script, tree: Path, tmp_path: Path
) -> None:
    out = write_log(tmp_path / "out" / "report.json", [b"earlier"]).parent
    paths = {"--S3_JSON_INPUT_PATH": str(tree), "--S3_CSV_OUTPUT_PATH": str(out)} | arguments
    done = script(*(part.replace("{tmp}", str(tmp_path)) for pair in paths.items() for part in pair))
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert words.replace("{tmp}", str(tmp_path)) in done.stderr.rstrip().splitlines()[-1]
    assert [path.name for path in out.rglob("*")] == ["report.json"]
