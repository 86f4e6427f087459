"""Create, describe, list and delete, the same for every kind of resource, on the world's clock."""

import base64
from collections.abc import Callable
from typing import Any

from .kinds import KINDS, Block, Kind
from .model import Wire, input_members, output_members
from .service_errors import ServiceError, in_use, invalid
from .world import Effect, JobError, Resource, World

#: operation -> what it does; modules of operations fill it.
HANDLERS: dict[str, Callable[[World, Wire], Wire | None]] = {}

MAX_TAGS = 50


class NoAnswerError(Exception):
    """No module answers this operation."""


def operation(name: str) -> Callable[[Callable[[World, Wire], Wire | None]], Callable[[World, Wire], Wire | None]]:
    """Return a decorator that makes a function answer the operation `name`."""

    def register(function: Callable[[World, Wire], Wire | None]) -> Callable[[World, Wire], Wire | None]:
        HANDLERS[name] = function
        return function

    return register


def call(world: World, name: str, request: Wire) -> Wire | None:
    """Answer an operation. Raises ServiceError; NoAnswerError for one that the emulator doesn't know."""
    handler = HANDLERS.get(name)
    if handler is not None:
        return handler(world, request)
    for verb, answer in (("Describe", _describe), ("Delete", _delete)):
        if name.startswith(verb) and name[len(verb) :] in KINDS:
            return answer(world, KINDS[name[len(verb) :]], request)
    plural = name.removeprefix("List").removesuffix("s")
    if name.startswith("List") and plural in KINDS:
        return _list(world, KINDS[plural], request)
    raise NoAnswerError(name)


def create(
    world: World,
    kind: Kind,
    request: Wire,
    *,
    name: str,
    group: str | None,
    effect: Effect | None = None,
) -> Resource:
    """Put a new resource into the world and let it come to life.

    Its values are those of the request without tags; `name` is the end of its ARN and `group` the ARN of
    its dataset group. `effect` runs when its time has come and decides whether it is ACTIVE or
    CREATE FAILED.
    """
    values = {key: value for key, value in request.items() if key != "tags" and value is not None}
    new = world.add(kind, world.arn(kind.segment, name), values, group, tags_of(request))
    names = (request.get(kind.name_member), name.split("/")[0])
    begin(world, new, kind.words, new.values, effect, names)
    return new


def begin(
    world: World,
    resource: Resource,
    words: tuple[str, str, str, str],
    shown: Wire,
    effect: Effect | None = None,
    names: tuple[str | None, ...] = (),
) -> None:
    """Let `shown`, the values of a resource or of its update, go through pending, running and done or failed."""
    kind, life = resource.kind, resource.life
    factor = world.faults.factor(kind.name)
    pending, running, done, failed = words

    def enter(status: str, step: Callable[[float], None]) -> Callable[[float], None]:
        def run(now: float) -> None:
            if resource.life == life and resource.arn in world.resources:
                shown["status"] = status
                shown["lastUpdatedDateTime"] = world.now
                step(now)

        return run

    # Decided now: the steps run when somebody looks, maybe long after a fault was set for what comes next.
    reason = world.faults.reason(*names)

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
        enter(done, finish)(world.now)
        return
    world.later(kind.pending * factor, enter(running, lambda _: None))
    world.later(total, enter(done, finish))


def tags_of(request: Wire) -> dict[str, str]:
    """Return the tags of a request. Raises what AWS answers for too many or reserved ones."""
    tags = {tag["tagKey"]: tag["tagValue"] for tag in request.get("tags") or ()}
    if len(tags) > MAX_TAGS:
        raise ServiceError("TooManyTagsException", f"A resource has at most {MAX_TAGS} tags, these are {len(tags)}.")
    if len(tags) < len(request.get("tags") or ()):
        raise invalid("A tag key stands twice.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag key {key} begins with aws:, which is reserved.")
    return tags


def _describe(world: World, kind: Kind, request: Wire) -> Wire:
    return {kind.member: world.find(kind.name, request[kind.arn_member]).values}


def _delete(world: World, kind: Kind, request: Wire) -> None:
    found = world.find(kind.name, request[kind.arn_member])
    if found.busy:
        raise in_use(f"Resource Arn {found.arn} is in {found.status} state and can't be deleted now.")
    for block in kind.blocks:
        for child in world.each(block.kind, **{block.member: found.arn}):
            if not block.busy or child.busy:
                raise in_use(_held(found, child, block))
    if kind.name == "Dataset":
        _not_training(world, found)
    leave(world, found)


def _held(found: Resource, child: Resource, block: Block) -> str:
    why = f"is in {child.status} state" if block.busy else "uses it"
    return f"Resource Arn {found.arn} can't be deleted while {child.arn} {why}."


def _not_training(world: World, dataset: Resource) -> None:
    for version in world.each("SolutionVersion", datasetGroupArn=dataset.values["datasetGroupArn"]):
        if version.busy:
            raise in_use(_held(dataset, version, Block("SolutionVersion", "", busy=True)))


def leave(world: World, resource: Resource) -> None:
    """Let a resource go through its deletion."""
    kind = resource.kind
    resource.life += 1
    resource.values["status"] = "DELETE PENDING"
    resource.values["lastUpdatedDateTime"] = world.now
    life = resource.life
    factor = world.faults.factor(kind.name)

    def going(_: float) -> None:
        if resource.life == life:
            resource.values["status"] = "DELETE IN_PROGRESS"

    def gone(_: float) -> None:
        if resource.arn in world.resources:
            world.remove(resource.arn)

    if kind.deleting * factor == 0:
        gone(world.now)
        return
    world.later(kind.deleting * factor / 4, going)
    world.later(kind.deleting * factor, gone)


def _list(world: World, kind: Kind, request: Wire) -> Wire:
    operation_name = f"List{kind.name}s"
    parents = {
        name: request[name] for name in input_members(operation_name) if name.endswith("Arn") and name in request
    }
    found = [one.values for one in world.each(kind.name, **parents)]
    return page(operation_name, found, request)


def page(operation_name: str, found: list[Wire], request: Wire) -> Wire:
    """Return the part of a list that a request asks for, and the token of the next.

    Raises InvalidNextTokenException for a token that no answer of this operation gave.
    """
    plural = next(name for name in output_members(operation_name) if name != "nextToken")
    most: int = request.get("maxResults") or 100
    start = _position(operation_name, request.get("nextToken"))
    answer: dict[str, Any] = {plural: found[start : start + most]}
    if start + most < len(found):
        answer["nextToken"] = base64.b64encode(f"{operation_name}:{start + most}".encode()).decode()
    return answer


def _position(operation_name: str, token: str | None) -> int:
    if not token:
        return 0
    try:
        name, _, number = base64.b64decode(token, validate=True).decode().partition(":")
        if name == operation_name and number.isdecimal():
            return int(number)
    except ValueError:  # neither base64 nor UTF-8: told below, like any other token that isn't ours
        number = ""
    raise ServiceError("InvalidNextTokenException", f"The token {token} is not valid.")
