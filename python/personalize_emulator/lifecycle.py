"""Create, describe, list and delete every kind of resource, on the store's clock."""

import base64
from collections.abc import Callable
from typing import Any

from .resources import KINDS, Block, Resource, ResourceKind
from .service_errors import ServiceError, in_use, invalid, unsupported
from .service_model import Wire, input_members, output_members
from .store import Effect, JobError, Store

OperationHandler = Callable[[Store, Wire], Wire | None]
#: operation -> its handler. The modules of operations fill it.
HANDLERS: dict[str, OperationHandler] = {}

MAX_TAGS = 50


def operation(name: str) -> Callable[[OperationHandler], OperationHandler]:
    """Return a decorator that registers a function as the handler of the operation `name`."""

    def register(function: OperationHandler) -> OperationHandler:
        HANDLERS[name] = function
        return function

    return register


def call(store: Store, name: str, request: Wire) -> Wire | None:
    """Answer an operation. Raises ServiceError, and UnsupportedOperationException if no module registers it."""
    handler = HANDLERS.get(name)
    if handler is not None:
        return handler(store, request)
    for verb, answer in (("Describe", _describe), ("Delete", _delete)):
        if name.startswith(verb) and name[len(verb) :] in KINDS:
            return answer(store, KINDS[name[len(verb) :]], request)
    plural = name.removeprefix("List").removesuffix("s")
    if name.startswith("List") and plural in KINDS:
        return _list(store, KINDS[plural], request)
    raise unsupported(name)


def create(
    store: Store,
    kind_name: str,
    request: Wire,
    *,
    group: str | None,
    name: str | None = None,
    effect: Effect | None = None,
) -> Resource:
    """Add a new resource to the store and start its life cycle.

    Its values are those of the request without tags. `name` is the end of its ARN, by default the request's name.
    `group` is the ARN of its dataset group. `effect` runs at the end, and its result decides between ACTIVE and CREATE
    FAILED.
    """
    kind = KINDS[kind_name]
    name = name or str(request[kind.name_member])
    values = {key: value for key, value in request.items() if key != "tags" and value is not None}
    new = store.add(kind, store.arn(kind.segment, name), values, group, tags_of(request))
    names = (request.get(kind.name_member), name.split("/")[0])
    begin(store, new, kind.words, new.values, effect, names)
    return new


def begin(
    store: Store,
    resource: Resource,
    words: tuple[str, str, str, str],
    shown: Wire,
    effect: Effect | None = None,
    names: tuple[str | None, ...] = (),
) -> None:
    """Take `shown`, the values of a resource or of its update, through pending, in progress, and done or failed."""
    kind, life = resource.kind, resource.life
    factor = store.faults.factor(kind.name)
    pending, running, done, failed = words

    def enter(status: str, step: Callable[[float], None]) -> Callable[[float], None]:
        def run(now: float) -> None:
            if resource.life == life and resource.arn in store.resources:
                shown["status"] = status
                shown["lastUpdatedDateTime"] = store.now
                step(now)

        return run

    # Decided now, because the steps run in a later call, maybe long after the next fault has been set.
    reason = store.faults.reason(*names)

    def finish(_: float) -> None:
        try:
            if reason is not None:
                raise JobError(reason)
            if effect is not None:
                effect()
        except JobError as failure:
            shown["status"] = failed
            shown["failureReason"] = str(failure)

    shown["status"] = pending
    total = (kind.pending + kind.running) * factor
    if total == 0:
        enter(done, finish)(store.now)
        return
    store.later(kind.pending * factor, enter(running, lambda _: None))
    store.later(total, enter(done, finish))


def update(store: Store, resource: Resource, changes: Wire, effect: Effect) -> None:
    """Start an update of a resource. Its member latest…Update shows `changes` and the progress."""
    shown = changes | {"creationDateTime": store.now, "lastUpdatedDateTime": store.now}
    resource.values[f"latest{resource.kind.name}Update"] = shown
    begin(store, resource, resource.kind.words, shown, effect, (resource.values["name"],))


def tags_of(request: Wire) -> dict[str, str]:
    """Return the tags of a request. Raises the service's errors for too many or reserved tags."""
    tags = {tag["tagKey"]: tag["tagValue"] for tag in request.get("tags") or ()}
    if len(tags) > MAX_TAGS:
        raise ServiceError("TooManyTagsException", f"A resource has at most {MAX_TAGS} tags, these are {len(tags)}.")
    if len(tags) < len(request.get("tags") or ()):
        raise invalid("A tag key occurs twice.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag key {key} begins with aws:, which is reserved.")
    return tags


def _describe(store: Store, kind: ResourceKind, request: Wire) -> Wire:
    return {kind.member: store.find(kind.name, request[kind.arn_member]).values}


def _delete(store: Store, kind: ResourceKind, request: Wire) -> None:
    resource = store.find(kind.name, request[kind.arn_member])
    if resource.busy:
        raise in_use(f"Resource Arn {resource.arn} is in {resource.status} state and can't be deleted now.")
    held = [(block, resource.arn) for block in kind.blocks]
    if kind.name == "Dataset":  # a training reads every dataset of its group
        held.append((Block("SolutionVersion", "datasetGroupArn", busy=True), resource.values["datasetGroupArn"]))
    for block, parent in held:
        for child in store.each(block.kind, **{block.member: parent}):
            if not block.busy or child.busy:
                why = f"is in {child.status} state" if block.busy else "uses it"
                raise in_use(f"Resource Arn {resource.arn} can't be deleted while {child.arn} {why}.")
    resource.life += 1
    resource.values["status"] = "DELETE PENDING"
    resource.values["lastUpdatedDateTime"] = store.now
    life = resource.life
    factor = store.faults.factor(kind.name)

    def going(_: float) -> None:
        if resource.life == life:
            resource.values["status"] = "DELETE IN_PROGRESS"

    def gone(_: float) -> None:
        if resource.arn in store.resources:
            store.remove(resource.arn)

    if kind.deleting * factor == 0:
        gone(store.now)
        return
    store.later(kind.deleting * factor / 4, going)
    store.later(kind.deleting * factor, gone)


def _list(store: Store, kind: ResourceKind, request: Wire) -> Wire:
    operation_name = f"List{kind.name}s"
    parents = {
        name: request[name] for name in input_members(operation_name) if name.endswith("Arn") and name in request
    }
    return page(operation_name, [resource.values for resource in store.each(kind.name, **parents)], request)


def page(operation_name: str, entries: list[Wire], request: Wire) -> Wire:
    """Return the requested part of a list, and the token for the next one.

    Raises InvalidNextTokenException for a token that this operation hasn't returned.
    """
    plural = next(name for name in output_members(operation_name) if name != "nextToken")
    most: int = request.get("maxResults") or 100
    start = _position(operation_name, request.get("nextToken"))
    answer: dict[str, Any] = {plural: entries[start : start + most]}
    if start + most < len(entries):
        answer["nextToken"] = base64.b64encode(f"{operation_name}:{start + most}".encode()).decode()
    return answer


def _position(operation_name: str, token: str | None) -> int:
    if not token:
        return 0
    try:
        name, _, number = base64.b64decode(token, validate=True).decode().partition(":")
        if name == operation_name and number.isdecimal():
            return int(number)
    except ValueError:  # neither base64 nor UTF-8: refused below, like any unknown token
        number = ""
    raise ServiceError("InvalidNextTokenException", f"The token {token} is not valid.")
