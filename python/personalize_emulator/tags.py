"""Tags of resources."""

from .lifecycle import MAX_TAGS, operation, tags_of
from .model import Wire, input_members
from .service_errors import ServiceError, in_use, invalid, not_found
from .world import Resource, World


def _tagged(world: World, arn: str) -> Resource:
    found = world.resources.get(arn)
    if found is None:
        raise not_found(arn)
    if "tags" not in input_members(f"Create{found.kind.name}"):
        raise invalid(f"Resource Arn {arn} is of a kind that has no tags.")
    if found.status.startswith("DELETE"):
        raise in_use(f"Resource Arn {arn} is in {found.status} state.")
    return found


@operation("TagResource")
def tag(world: World, request: Wire) -> None:
    """Add tags, or give them other values."""
    found = _tagged(world, request["resourceArn"])
    tags = found.tags | tags_of(request)
    if len(tags) > MAX_TAGS:
        raise ServiceError("TooManyTagsException", f"A resource has at most {MAX_TAGS} tags.")
    found.tags = tags


@operation("UntagResource")
def untag(world: World, request: Wire) -> None:
    """Remove tags by their keys; those that aren't there are no matter."""
    found = _tagged(world, request["resourceArn"])
    keys = set(request["tagKeys"])
    if len(keys) > MAX_TAGS:
        raise ServiceError("TooManyTagKeysException", f"A request has at most {MAX_TAGS} tag keys.")
    found.tags = {key: value for key, value in found.tags.items() if key not in keys}


@operation("ListTagsForResource")
def list_tags(world: World, request: Wire) -> Wire:
    """The tags of a resource."""
    found = _tagged(world, request["resourceArn"])
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in found.tags.items()]}
