"""A real export of Segment's history runs through the entire emulator."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from offline import RECIPE, ROLE, Offline
from personalize_segment.contract.avro import schema
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.history.export import export

MAPPING = parse(default_text())


def test_history_becomes_recommendations_that_similar_users_explain(shop: Path, s3_env: str) -> None:
    offline = Offline(s3_env)
    export(str(shop), f"s3://{s3_env}/export", MAPPING)
    api, group = offline.api, offline.group()
    for dataset in MAPPING.datasets:
        kind = dataset.name.upper()
        made = api.create_schema(name=dataset.name, schema=json.dumps(schema(dataset)))["schemaArn"]
        offline.arns[kind] = api.create_dataset(
            name=dataset.name, schemaArn=made, datasetGroupArn=group, datasetType=dataset.name
        )["datasetArn"]
        offline.clock.advance(60)
        job = offline.load(kind, f"s3://{s3_env}/export/{dataset.name}/")
        assert job["status"] == "ACTIVE", job
    offline.solution(RECIPE)
    offline.version()
    offline.campaign()
    baskets = _baskets(offline)
    user = max(baskets, key=lambda one: (len(baskets[one]), one))
    similar: Counter[str] = Counter()
    for other, items in baskets.items():
        if other != user and items & baskets[user]:
            similar.update(items - baskets[user])
    found = offline.items(userId=user, numResults=10)
    assert len(found) == 10
    assert set(found) & set(similar)
    assert set(found) <= set(similar) | baskets[user]
    metrics = api.get_solution_metrics(solutionVersionArn=offline.arns["version"])["metrics"]
    assert 0 < metrics["coverage"] <= 1


def _baskets(offline: Offline) -> dict[str, set[str]]:
    """Return user -> items, from what an export job writes."""
    job: Any = {"s3DataDestination": {"path": f"s3://{offline.bucket}/back/"}}
    offline.api.create_dataset_export_job(
        jobName="back", datasetArn=offline.arns["INTERACTIONS"], ingestionMode="BULK", roleArn=ROLE, jobOutput=job
    )
    offline.clock.advance(1200)
    offline.api.list_dataset_groups()  # lets the job run
    body = offline.s3.get_object(Bucket=offline.bucket, Key="back/back.csv")["Body"].read().decode()
    header, *lines = (line.split(",") for line in body.splitlines())
    user, item = header.index("USER_ID"), header.index("ITEM_ID")
    found: dict[str, set[str]] = {}
    for line in lines:
        found.setdefault(line[user], set()).add(line[item])
    return found
