"""Corrections of moto's interpreter of state machines (LocalStack's) where it differs from AWS.

They have the form of `moto_patches`. Wait states really wait.
"""

import json
import uuid
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from .moto_patches import Patch, Replacement

_SERVICE = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"


def validate_definition() -> list[Replacement]:
    """ValidateStateMachineDefinition returns the errors of a definition. Terraform calls it at plan.

    moto doesn't have it. The answer comes from the parser that also runs the definition.
    """
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import InvalidDefinition
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    def validate_state_machine_definition(self: Any) -> Any:
        diagnostics = []
        try:
            StepFunctionsParserBackend._validate_definition(self._get_param("definition"))
        except InvalidDefinition as error:
            diagnostics = [{"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": str(error.message)}]
        result = "FAIL" if diagnostics else "OK"
        return ActionResult({"result": result, "diagnostics": diagnostics, "truncated": False})

    return [(StepFunctionResponse, "validate_state_machine_definition", validate_state_machine_definition)]


def list_versions() -> list[Replacement]:
    """ListStateMachineVersions returns published versions, newest first. Terraform calls it at every read."""
    from moto.core.responses import ActionResult
    from moto.stepfunctions.responses import StepFunctionResponse

    def list_state_machine_versions(self: Any) -> Any:
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        versions = [
            {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
            for _, version in sorted(machine.versions.items(), reverse=True)
        ]
        return ActionResult({"stateMachineVersions": versions})

    return [(StepFunctionResponse, "list_state_machine_versions", list_state_machine_versions)]


def execution_name() -> list[Replacement]:
    """StartExecution generates a name if none is given. moto calls every such execution None."""
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    original = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, state_machine_arn: str, name: str | None = None, *rest: Any, **named: Any) -> Any:
        return original(self, state_machine_arn, name or str(uuid.uuid4()), *rest, **named)

    return [(StepFunctionsParserBackend, "start_execution", start_execution)]


def own_endpoint() -> list[Replacement]:
    """Tasks call AWS. moto calls it on `localhost`, which may not be the address that the server listens on."""
    import boto3
    from moto.settings import moto_server_port

    module: Any = import_module("moto.stepfunctions.parser.asl.utils.boto_client")

    def client(**arguments: Any) -> Any:
        # A separate session: boto3's default one isn't thread-safe.
        endpoint = {"endpoint_url": f"http://127.0.0.1:{moto_server_port()}"}
        return boto3.session.Session().client(**(arguments | endpoint))

    return [(module, "boto3", SimpleNamespace(client=client))]


def sdk_services() -> list[Replacement]:
    """`aws-sdk:redshiftdata` is boto3's `redshift-data`: Step Functions writes service names without hyphens."""
    base: Any = import_module(f"{_SERVICE}.state_task_service").StateTaskService
    names = {name.replace("-", ""): name for name in _boto_services() if "-" in name}
    return [(base, "_SERVICE_NAME_SFN_TO_BOTO_OVERRIDES", names | base._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES)]


def sdk_parameters() -> list[Replacement]:
    """`aws-sdk` tasks use members in PascalCase. moto doesn't convert them, and boto3 refuses them."""
    sdk: Any = import_module(f"{_SERVICE}.state_task_service_aws_sdk").StateTaskServiceAwsSdk

    def operation(self: Any) -> Any:
        action = self.resource.api_action
        return _service_model(self._get_boto_service_name()).operation_model(action[0].upper() + action[1:])

    def _normalise_parameters(self: Any, parameters: Any, *_: Any, **__: Any) -> None:
        self._to_boto_request(parameters, operation(self).input_shape)

    def _normalise_response(self: Any, response: Any, *_: Any, **__: Any) -> None:
        if operation(self).output_shape is not None:
            self._from_boto_response(response, operation(self).output_shape)

    return [
        (sdk, "_normalise_parameters", _normalise_parameters),
        (sdk, "_normalise_response", _normalise_response),
    ]


def sdk_errors() -> list[Replacement]:
    """Errors of `aws-sdk` tasks begin with the service's name in AWS's SDK for Java, such as Personalize, RedshiftData.

    moto uses the name in the resource, in lower case, so no Catch matches.
    """
    sdk: Any = import_module(f"{_SERVICE}.state_task_service_aws_sdk").StateTaskServiceAwsSdk
    base: Any = import_module(f"{_SERVICE}.state_task_service").StateTaskService
    original = sdk._normalise_service_error_name

    def _normalise_service_error_name(name: str) -> str:
        services = {
            known.replace("-", ""): known for known in _boto_services()
        } | base._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES
        known = services.get(name.lower())
        if known is None or name.lower() == "dynamodb":  # DynamoDb: moto has it right
            return str(original(name))
        words = _service_model(known).service_id.split()
        return "".join(word.capitalize() if word.isupper() else word for word in words)

    return [(sdk, "_normalise_service_error_name", staticmethod(_normalise_service_error_name))]


def glue_job_runs() -> list[Replacement]:
    """`glue:startJobRun.sync` waits for the run. moto fails, because it expects the task token of another pattern."""
    glue: Any = import_module(f"{_SERVICE}.state_task_service_glue")
    condition: Any = import_module(f"{_SERVICE}.resource").ResourceCondition
    patterns = {*glue._SUPPORTED_INTEGRATION_PATTERNS, condition.WaitForTaskToken}
    return [(glue, "_SUPPORTED_INTEGRATION_PATTERNS", patterns)]


def times_as_text() -> list[Replacement]:
    """Times in a task's result are ISO-8601 text. moto keeps datetime objects, and DescribeExecution fails on them."""
    base: Any = import_module(f"{_SERVICE}.state_task_service").StateTaskService
    original = base._after_eval_execution

    def _after_eval_execution(self: Any, env: Any, *arguments: Any, **named: Any) -> None:
        env.stack[-1] = json.loads(json.dumps(env.stack[-1], default=_time))
        original(self, env, *arguments, **named)

    return [(base, "_after_eval_execution", _after_eval_execution)]


def start_time_as_text() -> list[Replacement]:
    """`$$.Execution.StartTime` is ISO-8601 text. moto has a datetime object, on which functions on texts fail."""
    from moto.stepfunctions.parser.backend.execution import Execution

    original = Execution.get_start_execution_details

    def get_start_execution_details(self: Any) -> Any:
        details: Any = original(self)
        details.start_time = _time(details.start_time)
        return details

    return [(Execution, "get_start_execution_details", get_start_execution_details)]


def _time(value: Any) -> str:
    if not isinstance(value, datetime):
        return str(value)
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def _boto_services() -> tuple[str, ...]:
    import botocore.session

    return tuple(botocore.session.get_session().get_available_services())


@cache
def _service_model(name: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


PATCHES: tuple[Patch, ...] = (
    validate_definition,
    list_versions,
    execution_name,
    own_endpoint,
    sdk_services,
    sdk_parameters,
    sdk_errors,
    glue_job_runs,
    times_as_text,
    start_time_as_text,
)
