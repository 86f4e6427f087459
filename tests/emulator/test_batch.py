"""Batch jobs answer files line by line."""

import json

import pytest

from offline import ROLE, Offline, group_of


@pytest.fixture
def shop(s3_env: str) -> Offline:
    offline = Offline(s3_env)
    offline.everything()
    return offline


def test_batch_jobs_answer_line_by_line(shop: Offline) -> None:
    lines = ['{"userId": "u1"}', '{"userId": "u2"}', '{"user": "u3"}']
    made = shop.api.create_batch_inference_job(
        jobName="batch",
        solutionVersionArn=shop.arns["version"],
        roleArn=ROLE,
        numResults=5,
        filterArn=shop.filter('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")'),
        jobInput={"s3DataSource": {"path": shop.put("in/users.json", lines)}},
        jobOutput={"s3DataDestination": {"path": f"s3://{shop.bucket}/out/"}},
    )["batchInferenceJobArn"]
    shop.clock.advance(3600)
    assert shop.api.describe_batch_inference_job(batchInferenceJobArn=made)["batchInferenceJob"]["status"] == "ACTIVE"
    body = shop.s3.get_object(Bucket=shop.bucket, Key="out/users.json.out")["Body"].read().decode()
    first, second, third = map(json.loads, body.splitlines())
    assert first["input"] == {"userId": "u1"}
    assert group_of(first["output"]["recommendedItems"]) == ["g1"] * 5
    assert group_of(second["output"]["recommendedItems"]) == ["g2"] * 5
    assert len(second["output"]["scores"]) == 5
    assert (third["output"], third["error"]) == (None, "The line has no userId.")


def test_segments_are_the_users_who_would_take_an_item(shop: Offline) -> None:
    shop.solution("arn:aws:personalize:::recipe/aws-item-affinity", name="affinity")
    made = shop.api.create_batch_segment_job(
        jobName="segment",
        solutionVersionArn=shop.version(),
        roleArn=ROLE,
        numResults=20,
        jobInput={"s3DataSource": {"path": shop.put("in/items.json", ['{"itemId": "g1-3"}'])}},
        jobOutput={"s3DataDestination": {"path": f"s3://{shop.bucket}/out/"}},
    )["batchSegmentJobArn"]
    shop.clock.advance(3600)
    assert shop.api.describe_batch_segment_job(batchSegmentJobArn=made)["batchSegmentJob"]["status"] == "ACTIVE"
    body = shop.s3.get_object(Bucket=shop.bucket, Key="out/items.json.out")["Body"].read().decode()
    users = json.loads(body)["output"]["usersList"]
    assert len(users) == 20
    assert {int(user[1:]) % 4 for user in users} == {1}
