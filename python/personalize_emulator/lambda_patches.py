"""Corrections of moto's Lambda where it differs from AWS, in the form of `moto_patches`."""

from typing import Any

from .lambda_service import LambdaService, invoked_arn
from .moto_patches import Patch, Replacement


def runs_on(service: LambdaService) -> Patch:
    """Return the patch that makes `service` run functions."""

    def run_functions() -> list[Replacement]:
        """Lambda runs the function that is invoked. moto would start a container."""
        from moto.awslambda.models import LambdaBackend

        def invoke(self: Any, *arguments: Any, **named: Any) -> bytes:
            return service.invoke(self, *arguments, **named)

        return [(LambdaBackend, "invoke", invoke)]

    return run_functions


def function_configuration() -> list[Replacement]:
    """Lambda returns DeadLetterConfig and LoggingConfig as they were set, and logs to the latter's group."""
    from moto.awslambda.models import LambdaFunction

    create, update, read = (
        LambdaFunction.__init__,
        LambdaFunction.update_configuration,
        LambdaFunction.get_configuration,
    )

    def keep(self: Any, spec: dict[str, Any]) -> None:
        self.kept = getattr(self, "kept", {}) | {name: spec[name] for name in _KEPT if name in spec}
        if group := self.kept.get("LoggingConfig", {}).get("LogGroup"):
            self.logs_group_name = group

    def __init__(self: Any, account_id: str, spec: dict[str, Any], *arguments: Any, **named: Any) -> None:  # noqa: N807
        create(self, account_id, spec, *arguments, **named)
        keep(self, spec)

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        keep(self, config_updates)
        return update(self, config_updates)

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        kept: dict[str, Any] = {name: value for name, value in getattr(self, "kept", {}).items() if any(value.values())}
        answer: dict[str, Any] = read(self, on_create)
        return answer | kept

    return [
        (LambdaFunction, "__init__", __init__),
        (LambdaFunction, "update_configuration", update_configuration),
        (LambdaFunction, "get_configuration", get_configuration),
    ]


_KEPT = ("DeadLetterConfig", "LoggingConfig")


def updated_functions() -> list[Replacement]:
    """An update of a function also changes TracingConfig and Architectures. moto keeps the old ones."""
    from moto.awslambda.models import LambdaFunction

    configuration, code = LambdaFunction.update_configuration, LambdaFunction.update_function_code

    def update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.tracing_config = config_updates.get("TracingConfig", self.tracing_config)
        return configuration(self, config_updates)

    def update_function_code(self: Any, updated_spec: dict[str, Any]) -> dict[str, Any]:
        self.architectures = updated_spec.get("Architectures", self.architectures)
        return code(self, updated_spec)

    return [
        (LambdaFunction, "update_configuration", update_configuration),
        (LambdaFunction, "update_function_code", update_function_code),
    ]


def invoked_qualifier() -> list[Replacement]:
    """Invoke runs the version or alias in its parameter Qualifier. moto ignores it, and runs $LATEST."""
    from moto.awslambda.responses import LambdaResponse

    original = LambdaResponse.invoke

    def invoke(self: Any) -> Any:
        read = self._get_param
        self._get_param = lambda name, *rest: read("Qualifier" if name == "qualifier" else name, *rest)
        try:
            return original(self)
        finally:
            del self._get_param

    return [(LambdaResponse, "invoke", invoke)]


def event_source_of_an_alias() -> list[Replacement]:
    """A mapping to an alias keeps the alias in FunctionArn. moto replaces it with the version."""
    from moto.awslambda.models import LambdaBackend

    create, update = LambdaBackend.create_event_source_mapping, LambdaBackend.update_event_source_mapping

    def name(self: Any, mapping: Any, spec: dict[str, Any]) -> Any:
        if mapping is not None and "FunctionName" in spec:
            mapping.function_arn = invoked_arn(self.get_function(spec["FunctionName"]), spec["FunctionName"], None)
        return mapping

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        return name(self, create(self, spec), spec)

    def update_event_source_mapping(self: Any, uuid: str, spec: dict[str, Any]) -> Any:
        return name(self, update(self, uuid, spec), spec)

    return [
        (LambdaBackend, "create_event_source_mapping", create_event_source_mapping),
        (LambdaBackend, "update_event_source_mapping", update_event_source_mapping),
    ]


def no_invocation_within_send_message() -> list[Replacement]:
    """Lambda polls a queue for batches (see `event_sources`). moto invokes the function before SendMessage returns."""
    from moto.sqs.models import Queue

    # A property that drops every mapping, so that moto finds none when a message arrives.
    return [(Queue, "lambda_event_source_mappings", property(lambda self: {}, lambda self, value: None))]


PATCHES: tuple[Patch, ...] = (
    function_configuration,
    updated_functions,
    invoked_qualifier,
    event_source_of_an_alias,
    no_invocation_within_send_message,
)
