"""The fixture that users of the package get, in the environment of the built wheel."""

import subprocess
from pathlib import Path

import pytest

from programs import installed

PLUGIN = "personalize_emulator.pytest_plugin"
LINE = f'pytest_plugins = ["{PLUGIN}"]\n'
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


@pytest.mark.parametrize(
    ("options", "conftest", "said"),
    [
        pytest.param((), LINE, "2 passed", id="in a conftest.py"),
        pytest.param(("-n", "1"), LINE, "2 passed", id="in another process"),
        pytest.param(("-p", PLUGIN), "", "2 passed", id="as an option"),
        pytest.param(("-p", PLUGIN), LINE, "2 passed", id="both"),
        pytest.param((), "", "fixture 'personalize' not found", id="not asked for"),
    ],
)
def test_a_project_gets_the_fixture_by_naming_the_plugin(
    options: tuple[str, ...], conftest: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text(conftest, "utf-8")
    (tmp_path / "test_mine.py").write_text(TEST, "utf-8")
    command: list[str | Path] = [installed() / "python", "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # A user has no pytest-terraform, which ends pytest where Terraform is missing.
    command += ["-p", "no:terraform", *options, "--rootdir", tmp_path, tmp_path]
    # No AWS settings, not even those of whoever runs the tests.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert said in run.stdout, run.stdout + run.stderr
