"""`verify` finds the part whose event mapping differs, with a remedy."""

import base64
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from personalize_emulator import Emulator
from personalize_segment.cli import load
from personalize_segment.contract import avro
from personalize_segment.contract.mapping import default_text, parse

MAPPING = parse(default_text())
OTHER = parse(json.dumps({**json.loads(default_text()), "items": json.loads(default_text())["users"] | {
    "fields": {"ITEM_ID": {"from": ["properties.sku"]}, "COLOR": {"from": ["properties.color"], "type": "string"}},
    "track": {"Product Viewed": {}},
}}))  # fmt: skip
REGION = "us-west-2"
DATASETS: dict[str, Any] = {"datasets": {"interactions": {}, "users": {}, "items": {}}}


def outputs(sha256: str = MAPPING.sha256, **more: Any) -> dict[str, Any]:
    values = {
        "operations": {"functions": {"event": "shop-event"}, "glue_job": "shop-history"},
        "personalize": {"version": 1, "name": "shop", "event_mapping": json.loads(MAPPING.text)} | DATASETS,
        "event_mapping": {"sha256": sha256},
        **more,
    }
    return {name: {"sensitive": False, "type": "dynamic", "value": value} for name, value in values.items()}


def zipped() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    return package.getvalue()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, personalize: Emulator) -> Iterator[Emulator]:
    for name, value in {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws(config={"core": {"passthrough": {"services": ["personalize"]}}}):
        yield personalize


def deploy(emulator: Emulator, function: str | None, job: str | None, schemas: Any) -> None:
    """Make a stack whose function and job have these texts of a mapping, and whose datasets have these schemas."""
    role = boto3.client("iam").create_role(RoleName="shop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    if function is not None:
        client = boto3.client("lambda")
        version = client.create_function(
            FunctionName="shop-event", Role=role, Runtime="python3.13", Handler="app.handler", Publish=True,
            Code={"ZipFile": zipped()}, Environment={"Variables": {"event_mapping": function} if function else {}},
        )["Version"]  # fmt: skip
        client.create_alias(FunctionName="shop-event", Name="live", FunctionVersion=version)
    if job is not None:
        arguments = {"--event_mapping": job}
        boto3.client("glue").create_job(Name="shop-history", Role=role, Command={}, DefaultArguments=arguments)
    personalize = boto3.client("personalize")
    group = personalize.create_dataset_group(name="shop")["datasetGroupArn"]
    emulator.clock.advance(60)
    for dataset in schemas:
        name = f"shop-{dataset.name}"
        schema = personalize.create_schema(name=name, schema=json.dumps(avro.schema(dataset)))["schemaArn"]
        personalize.create_dataset(name=name, datasetGroupArn=group, datasetType=dataset.name.upper(), schemaArn=schema)
        emulator.clock.advance(60)


def packed(text: str) -> str:
    return "gzip:" + base64.b64encode(gzip.compress(text.encode())).decode()


def run(document: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    text = document if isinstance(document, str) else json.dumps(document)
    done = CliRunner().invoke(load(), ["verify", "-", "--json", *arguments], input=text)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, {_part(one["part"]): one for one in json.loads(done.stdout)}


def _part(part: str) -> str:
    """Return a part without the digest at its end."""
    return re.sub("-[0-9a-f]{8}$", "", part)


def ok(found: dict[str, Any], part: str) -> bool:
    return bool(found[part]["verdict"] == "ok")


def test_a_stack_of_one_mapping_agrees_everywhere(aws: Emulator) -> None:
    deploy(aws, packed(MAPPING.text), MAPPING.text, MAPPING.datasets)
    redshift = {"sql": f"-- event mapping sha256: {MAPPING.sha256}\nSELECT 1"}
    status, found = run(outputs(warehouse={"redshift": redshift, "snowflake": None}))
    assert status == 0
    assert list(found) == [
        "Terraform", "Lambda function shop-event", "Glue job shop-history", "SQL for redshift",
        *(f"{kind} shop-{name}" for name in ("interactions", "users", "items") for kind in ("Schema", "Dataset")),
        "Profile table",
    ]  # fmt: skip
    assert {part for part in found if not ok(found, part)} == {"Profile table"}


def test_the_address_of_a_mapping_in_s3_has_its_digest(aws: Emulator) -> None:
    address = f"s3://shop/artifacts/event-mappings/{MAPPING.sha256}.json#{MAPPING.sha256}"
    deploy(aws, address, address.replace(MAPPING.sha256, OTHER.sha256), MAPPING.datasets)
    _, found = run(outputs())
    assert ok(found, "Lambda function shop-event")
    assert found["Glue job shop-history"]["found"] == f"event mapping {OTHER.sha256}"


def test_a_stack_that_a_module_call_put_deeper_is_found_there(aws: Emulator) -> None:
    deploy(aws, packed(MAPPING.text), MAPPING.text, MAPPING.datasets)
    inner = {name: one["value"] for name, one in outputs().items()}
    status, found = run({"shop": {"sensitive": False, "type": "dynamic", "value": inner}})
    assert (status, len(found)) == (0, 10)


@pytest.mark.parametrize(
    ("differs", "function", "job", "schemas", "said"),
    [
        pytest.param("Lambda function shop-event", packed(OTHER.text), None, None, OTHER.sha256, id="the function"),
        pytest.param(
            "Lambda function shop-event", "{", None, None, "is invalid: event_mapping", id="a function without sense"
        ),
        pytest.param("Lambda function shop-event", "", None, None, "absent", id="a function without a mapping"),
        pytest.param("Glue job shop-history", None, OTHER.text, None, OTHER.sha256, id="the job"),
        pytest.param(
            "Dataset shop-items",
            None,
            None,
            OTHER.datasets,
            "COLOR would be removed or changed",
            id="a schema",
        ),
        pytest.param("Schema shop-users", None, None, MAPPING.datasets[:1], "absent", id="a dataset that isn't there"),
    ],
)
def test_the_part_that_differs_is_named(
    aws: Emulator, differs: str, function: str | None, job: str | None, schemas: Any, said: str
) -> None:
    good = packed(MAPPING.text)
    deploy(aws, good if function is None else function, job or MAPPING.text, schemas or MAPPING.datasets)
    status, found = run(outputs())
    assert status == 1
    assert next(part for part, one in found.items() if one["verdict"] == "wrong") == differs
    assert said in found[differs]["found"]
    assert found[differs]["remedy"]


def test_a_stack_without_a_profile_table_is_warned_of(aws: Emulator) -> None:
    deploy(aws, packed(MAPPING.text), MAPPING.text, MAPPING.datasets)
    status, found = run(outputs())
    # A warning, not a difference.
    assert (status, found["Profile table"]["verdict"]) == (0, "unknown")
    assert "live profiles aren't merged" in found["Profile table"]["found"]


def test_what_is_not_deployed_is_absent(aws: Emulator) -> None:
    status, found = run(outputs())
    assert status == 1
    assert {part for part, one in found.items() if one["found"] == "is absent"} == {
        "Lambda function shop-event", "Glue job shop-history", "DatasetGroup shop",
    }  # fmt: skip


def test_a_file_that_terraform_has_not_applied_differs(aws: Emulator, tmp_path: Path) -> None:
    deploy(aws, packed(MAPPING.text), MAPPING.text, MAPPING.datasets)
    (tmp_path / "mapping.json").write_text(OTHER.text)
    status, found = run(outputs(), "--mapping", str(tmp_path / "mapping.json"))
    assert status == 1
    assert not ok(found, "Terraform")


def test_sql_of_another_mapping_differs(aws: Emulator, tmp_path: Path) -> None:
    deploy(aws, packed(MAPPING.text), MAPPING.text, MAPPING.datasets)
    stale, none = tmp_path / "stale.sql", tmp_path / "none.sql"
    stale.write_text(f"-- event mapping sha256: {OTHER.sha256}\n")
    none.write_text("SELECT 1")
    status, found = run(outputs(), "--sql", str(stale), "--sql", str(none))
    assert status == 1
    said = [found[str(file)]["found"].removeprefix("event mapping ") for file in (stale, none)]
    assert said == [OTHER.sha256, "no digest"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "isn't JSON", id="no JSON"),
        pytest.param("[" * 100_000, "isn't JSON", id="nested too deeply"),
        pytest.param("[]", "has no outputs of a stack. Run `terraform apply`, then", id="no outputs"),
        pytest.param(
            '{"other": {"type": "string", "value": "x"}}', "has no outputs of a stack", id="of something else"
        ),
    ],
)
def test_what_is_no_output_of_terraform_is_refused(text: str, said: str) -> None:
    done = CliRunner().invoke(load(), ["verify", "-"], input=text)
    assert said in str(done.exception)
