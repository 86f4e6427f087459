"""Operations, routes, shapes and error codes of the three services, from botocore's models."""

from collections.abc import Mapping
from typing import Any, Final

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

#: A request or an answer in JSON.
Wire = dict[str, Any]

SERVICES: Final = ("personalize", "personalize-events", "personalize-runtime")

_session = botocore.session.Session()
_models = {name: _session.get_service_model(name) for name in SERVICES}

#: operation -> its model. No operation name is in two services.
OPERATIONS: Final[dict[str, OperationModel]] = {
    name: model.operation_model(name) for model in _models.values() for name in model.operation_names
}
_SERVICE_OF: Final = {name: service for service, model in _models.items() for name in model.operation_names}
_TARGETS: Final = {
    f"{model.metadata['targetPrefix']}.{name}": name
    for model in _models.values()
    if "targetPrefix" in model.metadata
    for name in model.operation_names
}
_PATHS: Final = {
    (operation.http["method"], operation.http["requestUri"]): name
    for name, operation in OPERATIONS.items()
    if _SERVICE_OF[name] != "personalize"
}


def route(method: str, path: str, target: str | None) -> str | None:
    """Return the requested operation, by X-Amz-Target or else by method and path."""
    return _TARGETS.get(target) if target else _PATHS.get((method, path))


def service_of(operation: str) -> str:
    """Return the service of an operation."""
    return _SERVICE_OF[operation]


def status_of(operation: str | None, code: str) -> int:
    """Return the HTTP status of an error code, 400 if the model of the operation's service doesn't have it."""
    if operation is not None:
        model = _models[_SERVICE_OF[operation]]
        if code in model.shape_names:
            status = model.shape_for(code).metadata.get("error", {}).get("httpStatusCode")
            if status is not None:
                return int(status)
    return 400


def input_members(operation: str) -> Mapping[str, Shape]:
    """Return the members of an operation's request."""
    shape = OPERATIONS[operation].input_shape
    return shape.members if isinstance(shape, StructureShape) else {}


def output_members(operation: str) -> Mapping[str, Shape]:
    """Return the members of an operation's answer, none if the model has no answer."""
    shape = OPERATIONS[operation].output_shape
    return shape.members if isinstance(shape, StructureShape) else {}


def prune(shape: Shape | None, value: Any) -> Any:
    """Return the members of `value` that are in `shape` and not null. An answer has no other members."""
    if isinstance(shape, StructureShape):
        return {
            name: prune(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [prune(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {name: prune(shape.value, item) for name, item in value.items()}
    return value
