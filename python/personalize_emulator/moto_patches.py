"""Corrections of moto where it differs from AWS so that a real `terraform apply` fails, hangs or never settles.

Each function is one correction. Its docstring describes AWS, and it returns the attributes of moto to replace. All
are additions to moto's own classes. A layer in front of moto would need to find out the account, region, protocol and
errors again. `tests/emulator/test_moto_patches.py` runs each without its patch, and fails once moto no longer needs it.
The corrections for Lambda are in `lambda_patches`, those for state machines in `step_functions`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

#: The object to change, the name of the attribute, and the new value.
Replacement = tuple[Any, str, Any]
Patch = Callable[[], list[Replacement]]
_ABSENT = object()


@contextmanager
def applied(patches: Iterable[Patch]) -> Iterator[None]:
    """Apply patches to moto, in the whole process, until the `with` block ends."""
    done: list[Replacement] = []
    try:
        for patch in patches:
            for owner, name, value in patch():
                done.append((owner, name, vars(owner).get(name, _ABSENT)))
                setattr(owner, name, value)
        yield
    finally:
        for owner, name, old in reversed(done):
            if old is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, old)


@contextmanager
def configured() -> Iterator[None]:
    """Switch on features of moto that are off by default: managed policies and real executions."""
    from moto.core.config import default_user_config as config
    from moto.iam.models import iam_backends

    old = {name: config.get(name) for name in ("iam", "stepfunctions")}
    config["iam"] = {"load_aws_managed_policies": True}
    config["stepfunctions"] = {"execute_state_machine": True}
    # A backend that was used before has no managed policies, and would never load them.
    for account in list(iam_backends.values()):
        for backend in list(account.values()):
            if not backend.aws_managed_policies:
                backend.aws_managed_policies = backend._init_aws_policies()
                backend.managed_policies = backend._init_managed_policies() | backend.managed_policies
    try:
        yield
    finally:
        config.update(old)  # type: ignore[typeddict-item]


def tls_only_bucket_policy() -> list[Replacement]:
    """A Deny on `aws:SecureTransport: false` doesn't apply to a request over TLS.

    moto doesn't know the operator `Bool`, assumes that the condition is met, and refuses every call for an object.
    Requests to this server count as encrypted, because it replaces an encrypted endpoint.
    """
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    original = IAMPolicyStatement.is_action_permitted

    def is_action_permitted(self: Any, *arguments: Any, **named: Any) -> Any:
        statement = self._statement
        plain = ((statement.get("Condition") or {}).get("Bool") or {}).get("aws:SecureTransport", "")
        values = plain if isinstance(plain, list) else [plain]
        if statement.get("Effect") == "Deny" and [str(value).lower() for value in values] == ["false"]:
            return PermissionResult.NEUTRAL
        return original(self, *arguments, **named)

    return [(IAMPolicyStatement, "is_action_permitted", is_action_permitted)]


def bucket_notifications_to_eventbridge() -> list[Replacement]:
    """GetBucketNotificationConfiguration returns EventBridgeConfiguration if it is on. moto omits it."""
    from moto.s3.responses import S3Response

    original = S3Response.get_bucket_notification

    def get_bucket_notification(self: Any) -> Any:
        serialized = self.serialized

        def with_eventbridge(result: Any) -> Any:
            configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
            if configuration is not None and configuration.event_bridge is not None:
                result.result["EventBridgeConfiguration"] = {}
            return serialized(result)

        self.serialized = with_eventbridge
        try:
            return original(self)
        finally:
            del self.serialized

    return [(S3Response, "get_bucket_notification", get_bucket_notification)]


def key_rotation_period() -> list[Replacement]:
    """KMS stores RotationPeriodInDays (default 365) and returns it in GetKeyRotationStatus. moto drops it."""
    from moto.kms.responses import KmsResponse

    enable, status = KmsResponse.enable_key_rotation, KmsResponse.get_key_rotation_status

    def key(self: Any) -> Any:
        return self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]

    def enable_key_rotation(self: Any) -> str:
        answer = enable(self)
        key(self).rotation_period_in_days = self._get_param("RotationPeriodInDays") or 365
        return answer

    def get_key_rotation_status(self: Any) -> str:
        answer = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer |= {
                "KeyId": key(self).id,
                "RotationPeriodInDays": getattr(key(self), "rotation_period_in_days", 365),
            }
        return json.dumps(answer)

    return [
        (KmsResponse, "enable_key_rotation", enable_key_rotation),
        (KmsResponse, "get_key_rotation_status", get_key_rotation_status),
    ]


def queue_keeps_its_policy() -> list[Replacement]:
    """SetQueueAttributes keeps attributes that it doesn't name. moto drops the queue's policy."""
    from moto.sqs.models import Queue

    original = Queue._set_attributes

    def _set_attributes(self: Any, changed: dict[str, Any], now: float | None = None) -> None:
        kept = {} if "Policy" in changed or not hasattr(self, "_policy_json") else {"Policy": self.policy}
        original(self, changed | kept, now)

    return [(Queue, "_set_attributes", _set_attributes)]


def redrive_allow_policy() -> list[Replacement]:
    """SQS has an attribute RedriveAllowPolicy. moto refuses it, and Terraform waits for it in vain."""
    from moto.sqs.models import Queue

    original, attributes = Queue._set_attributes, Queue.attributes

    def _set_attributes(self: Any, changed: dict[str, Any], now: float | None = None) -> None:
        rest = dict(changed)
        self.redrive_allow_policy = rest.pop("RedriveAllowPolicy", self.redrive_allow_policy)
        original(self, rest, now)

    def answered(self: Any) -> dict[str, Any]:
        values: dict[str, Any] = attributes.fget(self)  # type: ignore[attr-defined]
        return {name: value for name, value in values.items() if value or name != "RedriveAllowPolicy"}

    return [
        (Queue, "redrive_allow_policy", None),
        (Queue, "BASE_ATTRIBUTES", [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]),
        (Queue, "_set_attributes", _set_attributes),
        (Queue, "attributes", property(answered)),
    ]


def redrive_policy_without_blanks() -> list[Replacement]:
    """SQS returns RedrivePolicy without blanks. moto adds blanks, which Terraform sees as a change."""
    from moto.sqs.models import Queue

    attributes = Queue.attributes

    def answered(self: Any) -> dict[str, Any]:
        values: dict[str, Any] = attributes.fget(self)  # type: ignore[attr-defined]
        if self.redrive_policy:
            values["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return values

    return [(Queue, "attributes", property(answered))]


def queues_with_many_messages() -> list[Replacement]:
    """The time that SQS takes for a message doesn't depend on the number of messages.

    moto reads the clock several times for each message in the queue, three times over for each message that is
    received, and again for each that is sent.
    """
    from moto.core.utils import unix_time, unix_time_millis
    from moto.sqs.models import Queue, SQSBackend

    def messages(self: Any) -> list[Any]:
        now = unix_time_millis()
        return [one for one in self._messages if one.visible_at < now and one.delayed_until <= now]

    def delayed(self: Any) -> int:
        now = unix_time_millis()
        return sum(now < one.delayed_until for one in self._messages)

    def not_visible(self: Any) -> int:
        now = unix_time_millis()
        return sum(now <= one.visible_at for one in self._messages)

    def is_valid(self: Any, queue_name: str, message: Any) -> bool:
        kept = self.get_queue(queue_name).message_retention_period
        return bool(kept + message.sent_timestamp / 1000 > unix_time())

    return [
        (Queue, "messages", property(messages)),
        (Queue, "approximate_number_of_messages_delayed", property(delayed)),
        (Queue, "approximate_number_of_messages_not_visible", property(not_visible)),
        (SQSBackend, "is_message_valid_based_on_retention_period", is_valid),
    ]


def deletions_side_by_side() -> list[Replacement]:
    """A deleted message is gone, also if another is deleted or sent at the same time.

    moto copies the list of messages without the deleted one, and puts the copy in place of a list that has changed.
    """
    from moto.sqs.models import Queue

    original = Queue.delete_message

    def delete_message(self: Any, receipt_handle: str) -> None:
        with self._messages_lock:
            original(self, receipt_handle)

    return [(Queue, "delete_message", delete_message)]


def tags_of_a_table() -> list[Replacement]:
    """DynamoDB's ListTagsOfResource returns all tags in one response. moto starts a second page after ten.

    The AWS provider reads one page, and would add the other tags in every plan.
    """
    from moto.core.responses import ActionResult
    from moto.dynamodb.responses import DynamoHandler

    def list_tags_of_resource(self: Any) -> Any:
        return ActionResult({"Tags": self.dynamodb_backend.list_tags_of_resource(self.body["ResourceArn"])})

    return [(DynamoHandler, "list_tags_of_resource", list_tags_of_resource)]


def redshift_statements() -> list[Replacement]:
    """The Redshift Data API takes batches, one per client token, and statements finish.

    moto has single statements only, which never finish. Neither moto nor this patch runs them.
    """
    from moto.redshiftdata.models import RedshiftDataAPIServiceBackend
    from moto.redshiftdata.responses import RedshiftDataAPIServiceResponse

    describe = RedshiftDataAPIServiceBackend.describe_statement

    def describe_statement(self: Any, statement_id: str) -> Any:
        statement = describe(self, statement_id)
        if statement.status == "STARTED":
            statement.status = "FINISHED"
        return statement

    def batch_execute_statement(self: Any) -> Any:
        names = ("ClusterIdentifier", "Database", "DbUser", "SecretArn")
        asked = {name: self._get_param(name) for name in (*names, "WorkgroupName", "ClientToken")}
        backend, token = self.redshiftdata_backend, asked.pop("ClientToken")
        known = {getattr(statement, "token", None): statement for statement in backend.statements.values()}
        statement = known.get(token) if token else None
        if statement is None:
            sql = ";\n".join(self._get_param("Sqls"))
            cluster, database, user, secret = (asked[name] for name in names)
            statement = backend.execute_statement(cluster, database, user, [], secret, sql)
            statement.token = token
        given = {name: value for name, value in asked.items() if value}
        return 200, {}, json.dumps(given | {"Id": statement.id, "CreatedAt": statement.created_at})

    return [
        (RedshiftDataAPIServiceBackend, "describe_statement", describe_statement),
        (RedshiftDataAPIServiceResponse, "batch_execute_statement", batch_execute_statement),
    ]


def job_updates() -> list[Replacement]:
    """UpdateJob replaces a job's definition and keeps its ARN, tags, runs and creation time. moto doesn't have it."""
    from moto.core.responses import ActionResult
    from moto.glue.responses import GlueResponse

    def update_job(self: Any) -> ActionResult:
        name, update = self._get_param("JobName"), self._get_param("JobUpdate")
        old = self.glue_backend.get_job(name)
        self._get_param = ({"Name": name} | update).get
        self.create_job()
        new = self.glue_backend.get_job(name)
        new.created_on, new.job_runs = old.created_on, old.job_runs
        return ActionResult({"JobName": name})

    return [(GlueResponse, "update_job", update_job)]


def service_of_a_host() -> list[Replacement]:
    """Requests are answered in parallel.

    For every request, moto searches its folders on disk and the patterns of all its URLs for the service of the host,
    and blocks all others meanwhile. The service of a host never changes.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    remembered = lru_cache(DomainDispatcherApplication.get_backend_for_host)
    return [(DomainDispatcherApplication, "get_backend_for_host", lambda self, host: remembered(self, host))]


def account_of_a_key() -> list[Replacement]:
    """A request takes no longer because its service is in several partitions.

    To find the account of an access key, moto creates IAM in all six partitions, each with 1,600 managed policies.
    """
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.iam import models

    def get_account_id_from(key: str) -> str:
        accounts = list(models.iam_backends.items())
        found = (name for name, account in accounts if any(key in one.access_keys for one in list(account.values())))
        return next(found, DEFAULT_ACCOUNT_ID)

    return [(models, "get_account_id_from", get_account_id_from)]


def simulated_policies() -> list[Replacement]:
    """SimulatePrincipalPolicy evaluates the policies of a role. moto doesn't have it.

    Conditions with StringEquals on a key in ContextEntries are evaluated. A Deny with any other condition doesn't
    apply, an Allow with one does.
    """
    from moto.core.responses import ActionResult
    from moto.iam.responses import IamResponse

    def simulate_principal_policy(self: Any) -> ActionResult:
        role = self.backend.get_role_by_arn(self._get_param("PolicySourceArn"))
        documents = [*role.policies.values(), *(policy.document for policy in role.managed_policies.values())]
        entries = self._get_param("ContextEntries") or []
        context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in entries}
        parsed = [json.loads(one) if isinstance(one, str) else one for one in documents]
        statements = [one for document in parsed for one in _listed(document["Statement"])]
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": _decision(statements, action, resource, context),
            }
            for action in self._get_param("ActionNames")
            for resource in self._get_param("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    return [(IamResponse, "simulate_principal_policy", simulate_principal_policy)]


def _decision(statements: list[Any], action: str, resource: str, context: dict[str, list[str]]) -> str:
    effects = {
        statement["Effect"]
        for statement in statements
        if _matches([one.lower() for one in _listed(statement["Action"])], action.lower())
        and _matches(_listed(statement["Resource"]), resource)
        and _holds(statement, context)
    }
    return "explicitDeny" if "Deny" in effects else "allowed" if effects else "implicitDeny"


def _holds(statement: dict[str, Any], context: dict[str, list[str]]) -> bool:
    conditions = dict(statement.get("Condition") or {})
    equals = conditions.pop("StringEquals", {})
    if not all(set(context.get(key, _listed(values))) <= set(_listed(values)) for key, values in equals.items()):
        return False
    return not conditions or statement["Effect"] == "Allow"


def _matches(patterns: list[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


PATCHES: tuple[Patch, ...] = (
    simulated_policies,
    service_of_a_host,
    account_of_a_key,
    tls_only_bucket_policy,
    bucket_notifications_to_eventbridge,
    key_rotation_period,
    queue_keeps_its_policy,
    queues_with_many_messages,
    deletions_side_by_side,
    redrive_allow_policy,
    redrive_policy_without_blanks,
    tags_of_a_table,
    redshift_statements,
    job_updates,
)
