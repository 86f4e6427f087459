"""What tests of live profiles share."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from personalize_emulator import Emulator
from personalize_segment.contract import avro
from profile_world import MAPPING


@pytest.fixture
def shop(personalize: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Yield an emulator with the datasets of the default mapping, next to a table of profiles."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws(config={"core": {"passthrough": {"services": ["personalize"]}}}):
        api = boto3.client("personalize")
        group = api.create_dataset_group(name="shop")["datasetGroupArn"]
        personalize.clock.advance(60)
        for dataset in MAPPING.datasets:
            schema = api.create_schema(name=dataset.name, schema=json.dumps(avro.schema(dataset)))["schemaArn"]
            api.create_dataset(
                name=dataset.name, datasetGroupArn=group, datasetType=dataset.name.upper(), schemaArn=schema
            )
            personalize.clock.advance(60)
        boto3.client("dynamodb").create_table(
            TableName="profiles", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        yield personalize
