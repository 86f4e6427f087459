"""Permissions of each role: required actions, and some forbidden ones, for a policy simulator.

Names are those of the example `minimal`, a stack called shop in the account and region of the emulator; a
refresh has only `inside-another-stack`, called streaming.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

A = "123456789012"
R = "us-east-1"
BUCKET = f"arn:aws:s3:::shop-personalize-{A}-{R}"
KEY_IS_NOT_THEIRS = [("kms:Decrypt", f"arn:aws:kms:{R}:{A}:key/any"), ("iam:PassRole", f"arn:aws:iam::{A}:role/admin")]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{R}:{A}:{name}"


@dataclass(frozen=True)
class Role:
    """(action, resource) pairs that must be allowed, and some that must not."""

    may: list[tuple[str, str]]
    may_not: list[tuple[str, str]]


ROLES = {
    f"shop-{R}-event": Role(
        may=[
            ("personalize:PutEvents", "*"),
            ("personalize:GetRecommendations", arn("personalize", "campaign/shop-main-036c2917")),
            ("ssm:GetParameter", arn("ssm", "parameter/shop/personalize/tracking_id")),
            ("ssm:GetParameter", arn("ssm", "parameter/shop/personalize/campaigns/main")),
            ("sqs:SendMessage", arn("sqs", "shop-profiles")),
            ("sqs:SendMessage", arn("sqs", "shop-rejected")),
            ("dynamodb:UpdateItem", arn("dynamodb", "table/shop-profiles")),
            ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:shop/segment-write-key-AbCdEf")),
            ("logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/shop-event:log-stream:one")),
        ],
        may_not=[
            ("personalize:PutUsers", arn("personalize", "dataset/shop/USERS")),
            ("personalize:GetRecommendations", arn("personalize", "campaign/other-main-036c2917")),
            ("personalize:DeleteCampaign", arn("personalize", "campaign/shop-main-036c2917")),
            ("ssm:GetParameter", arn("ssm", "parameter/other/personalize/tracking_id")),
            ("ssm:PutParameter", arn("ssm", "parameter/shop/personalize/tracking_id")),
            ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:other-AbCdEf")),
            ("sqs:SendMessage", arn("sqs", "other-profiles")),
            ("sqs:ReceiveMessage", arn("sqs", "shop-rejected")),
            ("dynamodb:UpdateItem", arn("dynamodb", "table/other-profiles")),
            ("dynamodb:GetItem", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:PutItem", arn("dynamodb", "table/shop-profiles")),
            ("s3:GetObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/other:log-stream:one")),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"shop-{R}-profiles": Role(
        may=[
            ("personalize:PutUsers", arn("personalize", "dataset/shop/USERS")),
            ("personalize:PutItems", arn("personalize", "dataset/shop/ITEMS")),
            ("ssm:GetParameter", arn("ssm", "parameter/shop/personalize/datasets/users")),
            ("sqs:ReceiveMessage", arn("sqs", "shop-profiles")),
            ("sqs:DeleteMessage", arn("sqs", "shop-profiles")),
            ("sqs:GetQueueAttributes", arn("sqs", "shop-profiles")),
            ("sqs:SendMessage", arn("sqs", "shop-rejected")),
            ("dynamodb:BatchGetItem", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:PutItem", arn("dynamodb", "table/shop-profiles")),
        ],
        may_not=[
            ("dynamodb:PutItem", arn("dynamodb", "table/other-profiles")),
            ("dynamodb:Scan", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:DeleteItem", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:DeleteTable", arn("dynamodb", "table/shop-profiles")),
            ("personalize:PutEvents", "*"),
            ("personalize:PutUsers", arn("personalize", "dataset/other/USERS")),
            ("sqs:ReceiveMessage", arn("sqs", "shop-rejected")),
            ("sqs:DeleteMessage", arn("sqs", "other-profiles")),
            ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:shop/segment-write-key-AbCdEf")),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"shop-{R}-history": Role(
        may=[
            ("s3:ListBucket", BUCKET),
            ("s3:GetObject", f"{BUCKET}/segment-logs/source/1709251200000/one.gz"),
            ("s3:GetObject", f"{BUCKET}/artifacts/shop-history/personalize-segment.zip"),
            ("s3:GetObject", f"{BUCKET}/artifacts/shop-history/wheels/duckdb-0-py3-none-any.whl"),
            ("s3:ListBucketMultipartUploads", BUCKET),
            ("s3:AbortMultipartUpload", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("s3:PutObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("s3:PutObject", f"{BUCKET}/transformed/.export-1/rows/interactions-1.parquet"),
            ("s3:DeleteObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("dynamodb:BatchGetItem", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:PutItem", arn("dynamodb", "table/shop-profiles")),
            ("sqs:GetQueueUrl", arn("sqs", "shop-profiles")),
            ("sqs:SendMessage", arn("sqs", "shop-profiles")),
        ],
        may_not=[
            ("dynamodb:PutItem", arn("dynamodb", "table/other-profiles")),
            ("dynamodb:Scan", arn("dynamodb", "table/shop-profiles")),
            ("dynamodb:DeleteItem", arn("dynamodb", "table/shop-profiles")),
            ("sqs:SendMessage", arn("sqs", "shop-rejected")),
            ("sqs:ReceiveMessage", arn("sqs", "shop-profiles")),
            ("personalize:PutUsers", arn("personalize", "dataset/shop/USERS")),
            ("s3:PutObject", f"{BUCKET}/segment-logs/source/1709251200000/one.gz"),
            ("s3:DeleteObject", f"{BUCKET}/segment-logs/source/1709251200000/one.gz"),
            ("s3:PutObject", f"{BUCKET}/artifacts/any.zip"),
            ("s3:GetObject", f"{BUCKET}/reports/any.csv"),
            ("s3:GetObject", "arn:aws:s3:::other/segment-logs/one.gz"),
            ("glue:StartJobRun", arn("glue", "job/shop-history")),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"shop-{R}-personalize": Role(
        may=[
            ("s3:ListBucket", BUCKET),
            ("s3:GetObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("s3:GetObject", f"{BUCKET}/deletions/users.csv"),
            ("s3:PutObject", f"{BUCKET}/reports/metrics.csv"),
        ],
        may_not=[
            ("s3:GetObject", f"{BUCKET}/segment-logs/source/1709251200000/one.gz"),
            ("s3:PutObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("s3:DeleteObject", f"{BUCKET}/transformed/interactions/part-0.csv"),
            ("s3:GetObject", "arn:aws:s3:::other/transformed/one.csv"),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"shop-{R}-segment": Role(
        may=[("lambda:InvokeFunction", arn("lambda", "function:shop-event:live"))],
        may_not=[
            ("lambda:InvokeFunction", arn("lambda", "function:shop-profiles")),
            ("lambda:InvokeFunction", arn("lambda", "function:other")),
            ("lambda:UpdateFunctionCode", arn("lambda", "function:shop-event")),
            ("lambda:GetFunctionConfiguration", arn("lambda", "function:shop-event:live")),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"streaming-{R}-refresh": Role(
        may=[
            ("glue:StartJobRun", arn("glue", "job/streaming-history")),
            ("glue:GetJobRun", arn("glue", "job/streaming-history")),
            ("personalize:CreateDatasetImportJob", arn("personalize", "dataset/streaming/INTERACTIONS")),
            ("personalize:CreateDatasetImportJob", arn("personalize", "dataset-import-job/streaming-interactions-1")),
            ("personalize:DescribeDatasetImportJob", arn("personalize", "dataset-import-job/streaming-interactions-1")),
            ("iam:PassRole", f"arn:aws:iam::{A}:role/streaming-{R}-personalize"),
        ],
        may_not=[
            ("glue:StartJobRun", arn("glue", "job/shop-history")),
            ("glue:UpdateJob", arn("glue", "job/streaming-history")),
            ("personalize:CreateDatasetImportJob", arn("personalize", "dataset/shop/INTERACTIONS")),
            ("personalize:DeleteDataset", arn("personalize", "dataset/streaming/INTERACTIONS")),
            ("iam:PassRole", f"arn:aws:iam::{A}:role/streaming-{R}-history"),
            ("redshift-data:BatchExecuteStatement", arn("redshift-serverless", "workgroup/any")),
            ("s3:GetObject", f"arn:aws:s3:::streaming-personalize-{A}-{R}/transformed/interactions/part-0.csv"),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
    f"streaming-{R}-refresh-schedule": Role(
        may=[("states:StartExecution", arn("states", "stateMachine:streaming-refresh"))],
        may_not=[
            ("states:StartExecution", arn("states", "stateMachine:other")),
            ("states:DeleteStateMachine", arn("states", "stateMachine:streaming-refresh")),
            *KEY_IS_NOT_THEIRS,
        ],
    ),
}


def allowed(policies: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Return whether these policies allow the action. Conditions count as true, and a matching Deny wins."""
    found = False
    for policy in policies:
        for statement in _listed(policy["Statement"]):
            if _matches(statement["Action"], action, re.IGNORECASE) and _matches(statement["Resource"], resource):
                if statement["Effect"] == "Deny":
                    return False
                found = True
    return found


def _matches(patterns: Any, text: str, flags: int = 0) -> bool:
    return any(
        re.fullmatch(re.escape(one).replace(r"\*", ".*").replace(r"\?", "."), text, flags) for one in _listed(patterns)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policies_of(iam: Any, role: str) -> list[dict[str, Any]]:
    """Return the inline policies of a role. Managed policies would be missed."""
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return [json.loads(one) if isinstance(one, str) else one for one in documents]
