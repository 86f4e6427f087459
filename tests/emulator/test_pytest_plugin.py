"""The fixture that users of the package get."""

import subprocess
import sys
from pathlib import Path

TEST = """
import boto3

def test_it_answers(personalize):
    client = boto3.client("personalize")
    arn = client.create_dataset_group(name="shop")["datasetGroupArn"]
    assert client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"]["status"] == "CREATE PENDING"
    personalize.clock.advance(60)
    assert client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"]["status"] == "ACTIVE"

def test_it_begins_empty_again(personalize):
    session = boto3.Session(region_name="eu-west-1")
    assert session.client("personalize").list_dataset_groups()["datasetGroups"] == []
    assert personalize.call("ListDatasetGroups", {}) == {"datasetGroups": []}
"""


def test_the_fixture_answers_all_clients_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TEST, "utf-8")
    plugin = "personalize_emulator.pytest_plugin"
    command = [sys.executable, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    # Without the entry points, so that it is no matter whether the plugin is one of them.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run([*command, "test_mine.py"], capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert "2 passed" in run.stdout, run.stdout + run.stderr


def test_the_plugin_and_the_package_load_nothing_until_they_are_used() -> None:
    code = "import personalize_emulator.pytest_plugin, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"botocore", "boto3", "moto", "duckdb"}
