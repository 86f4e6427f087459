"""Check permissions: of roles (by IAM's policy simulator), in the trust policy of Segment's role, and of the bucket."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ..contract.layout import MINUTES
from ..errors import number
from .finding import TERRAFORM, Deployed, Finding, examined
from .settings import references

#: Permissions that a role needs: pairs of action and resource.
Needs = list[tuple[str, str]]
_SERVICE = "personalize.amazonaws.com"


def event_function(stack: Deployed, settings: Mapping[str, str], campaign: str | None) -> Needs:
    """Return the needs of the event function. `campaign` is the ARN that it asks for recommendations, or None."""
    needs = [("personalize:PutEvents", "*"), *_reads(stack, dict(settings))]
    needs += [("sqs:SendMessage", _queue(stack, url)) for name, url in settings.items() if name.endswith("queue_url")]
    if table := settings.get("profile_table"):
        needs.append(("dynamodb:UpdateItem", stack.arn("dynamodb", f"table/{table}")))
    return needs + ([("personalize:GetRecommendations", campaign)] if campaign else [])


def profile_function(stack: Deployed, settings: Mapping[str, str]) -> Needs:
    """Return the needs of the function that reads the profile queue."""
    queue = _queue(stack, stack.operations["queues"]["profiles"])
    needs = [(f"sqs:{action}", queue) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
    needs += [("sqs:SendMessage", _queue(stack, stack.operations["queues"]["rejected"])), *_table(stack)]
    for dataset in (one for one in stack.spec.datasets if one.key != "interactions"):
        arn = stack.arn("personalize", f"dataset/{stack.spec.name}/{dataset.type}")
        needs.append((f"personalize:Put{dataset.key.capitalize()}", arn))
    return needs + _reads(stack, dict(settings))


def glue_job(stack: Deployed) -> Needs:
    """Return the needs of the Glue job."""
    logs, transformed = (_objects(stack, stack.outputs["data"][name]) for name in ("logs", "transformed"))
    bucket = transformed.partition("/")[0]
    needs = [("s3:ListBucket", bucket), ("s3:GetObject", logs)]
    kept = [
        transformed,
        *([_objects(stack, stack.outputs["data"]["stage"])] if stack.outputs["data"].get("stage") else []),
    ]
    return needs + [(f"s3:{action}Object", place) for place in kept for action in ("Put", "Delete")] + _table(stack)


def personalize(stack: Deployed) -> Needs:
    """Return the needs of the role that Personalize assumes."""
    transformed, reports = (_objects(stack, stack.outputs["data"][name]) for name in ("transformed", "reports"))
    bucket = transformed.partition("/")[0]
    return [("s3:ListBucket", bucket), ("s3:GetObject", transformed), ("s3:PutObject", reports)]


def refresh(stack: Deployed) -> Needs:
    """Return the needs of the state machine's role."""
    interactions = stack.arn("personalize", f"dataset/{stack.spec.name}/INTERACTIONS")
    return [("personalize:CreateDatasetImportJob", interactions), ("iam:PassRole", str(stack.spec.role))]


def role(stack: Deployed, arn: str, needs: Needs) -> Iterator[Finding]:
    """Yield whether a role has the permissions that it needs."""
    part = f"Role {arn.rpartition('/')[2]}"
    yield from examined(part, _role(stack, part, arn, needs))


def _role(stack: Deployed, part: str, arn: str, needs: Needs) -> Iterator[Finding]:
    context = {
        "aws:RequestedRegion": ("string", stack.outputs["segment"]["region"]),
        "iam:PassedToService": ("string", _SERVICE),
        "dynamodb:LeadingKeys": ("stringList", f"{MINUTES}0"),
    }
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": kind}
        for key, (kind, value) in context.items()
    ]
    by_resource: dict[str, list[str]] = defaultdict(list)
    for action, resource in needs:
        by_resource[resource].append(action)
    denied = []
    for resource, actions in by_resource.items():
        answer = stack.client("iam").simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=actions, ResourceArns=[resource], ContextEntries=entries
        )
        denied += [
            f"{one['EvalActionName']} on {resource}"
            for one in answer["EvaluationResults"]
            if one["EvalDecision"] != "allowed"
        ]
    if denied:
        yield Finding(part, "wrong", f"lacks {', '.join(denied)}", TERRAFORM)
    else:
        yield Finding(part, "ok", f"has the {number(len(needs), 'permission')} that it needs")


def segment_trust(stack: Deployed) -> Iterator[Finding]:
    """Yield whether Segment's role accepts exactly the external ids of the outputs."""
    name = stack.outputs["segment"]["role_arn"].rpartition("/")[2]
    part = f"Trust of role {name}"
    yield from examined(part, _segment_trust(stack, part, name))


def _segment_trust(stack: Deployed, part: str, name: str) -> Iterator[Finding]:
    document = stack.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    wanted, known = set(stack.outputs["segment"]["external_ids"]), set()
    for statement in _listed(document.get("Statement", [])):
        equals = statement.get("Condition", {}).get("StringEquals", {})
        if statement.get("Effect") == "Allow":
            known |= set(_listed(equals.get("sts:ExternalId", "(any)")))
    if known == wanted:
        yield Finding(part, "ok", f"external id {', '.join(sorted(known))}")
    else:
        shown = ", ".join(sorted(known)) or "none"
        yield Finding(part, "wrong", f"external id {shown} instead of {', '.join(sorted(wanted))}", TERRAFORM)


def bucket_policy(stack: Deployed) -> Iterator[Finding]:
    """Yield whether the bucket's policy allows Personalize to read its input and write its reports."""
    bucket = stack.outputs["data"]["bucket"]
    part, remedy = f"Bucket policy of {bucket}", TERRAFORM
    if (stack.outputs.get("merge") or {}).get("bucket_policy"):
        remedy = "Merge `bucket_policy` of `terraform output merge` into the bucket's policy"
    yield from examined(part, _bucket_policy(stack, part, bucket, remedy), remedy)


def _bucket_policy(stack: Deployed, part: str, bucket: str, remedy: str) -> Iterator[Finding]:
    document = json.loads(stack.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    statements = _listed(document["Statement"])
    missing = [
        f"{action} on {resource}"
        for action, resource in personalize(stack)
        if not _lets_in(statements, action, resource)
    ]
    if missing:
        yield Finding(part, "wrong", f"doesn't allow Personalize {', '.join(missing)}", remedy)
    else:
        yield Finding(part, "ok", "allows Personalize to read its input and write its reports")


def _lets_in(statements: list[Any], action: str, resource: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and _SERVICE in _listed(statement["Principal"].get("Service", []))
        and _matches(statement.get("Action", []), action)
        and _matches(statement.get("Resource", []), resource)
        for statement in statements
    )


def queue_policy(policy: str | None) -> str | None:
    """Return the problem of a queue's policy, or None. The policy must deny plain HTTP, and nothing else."""
    denied = [one for one in _listed(json.loads(policy or "{}").get("Statement", [])) if one.get("Effect") == "Deny"]
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    if not denied:
        return "its policy doesn't deny plain HTTP"
    others = [one for one in denied if one.get("Condition") != insecure]
    return f"its policy denies more than plain HTTP ({others[0].get('Sid', 'no Sid')})" if others else None


def _reads(stack: Deployed, settings: dict[str, str]) -> Needs:
    needs = [
        ("ssm:GetParameter", stack.arn("ssm", f"parameter/{one.lstrip('/')}")) for one in references(settings, "ssm")
    ]
    for name in references(settings, "secretsmanager"):
        # Secrets Manager adds six characters to the name.
        arn = name if name.startswith("arn:") else stack.arn("secretsmanager", f"secret:{name}-AbCdEf")
        needs.append(("secretsmanager:GetSecretValue", arn))
    return needs


def _table(stack: Deployed) -> Needs:
    table = stack.operations.get("profile_table")
    arn = stack.arn("dynamodb", f"table/{table}")
    return [("dynamodb:BatchGetItem", arn), ("dynamodb:PutItem", arn)] if table else []


def _queue(stack: Deployed, url: str) -> str:
    return stack.arn("sqs", url.rpartition("/")[2])


def _objects(stack: Deployed, folder: str) -> str:
    """Return the ARN of an object in a folder of S3."""
    partition = stack.arn("s3", "").split(":")[1]
    return f"arn:{partition}:s3:::{folder.removeprefix('s3://')}object"


def _matches(patterns: Any, text: str) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*").replace(r"\?", "."), text) for one in _listed(patterns))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
