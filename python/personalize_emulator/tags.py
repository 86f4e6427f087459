"""Tags of resources."""

from .lifecycle import MAX_TAGS, operation, tags_of
from .resources import Resource
from .service_errors import ServiceError, in_use, invalid, not_found
from .service_model import Wire, input_members
from .store import Store


def _tagged(store: Store, arn: str) -> Resource:
    resource = store.resources.get(arn)
    if resource is None:
        raise not_found(arn)
    if "tags" not in input_members(f"Create{resource.kind.name}"):
        raise invalid(f"Resource Arn {arn} is of a kind that has no tags.")
    if resource.status.startswith("DELETE"):
        raise in_use(f"Resource Arn {arn} is in {resource.status} state.")
    return resource


@operation("TagResource")
def tag(store: Store, request: Wire) -> None:
    """Add tags, or change their values."""
    resource = _tagged(store, request["resourceArn"])
    tags = resource.tags | tags_of(request)
    if len(tags) > MAX_TAGS:
        raise ServiceError("TooManyTagsException", f"A resource has at most {MAX_TAGS} tags.")
    resource.tags = tags


@operation("UntagResource")
def untag(store: Store, request: Wire) -> None:
    """Remove tags by their keys. Absent keys are ignored."""
    resource = _tagged(store, request["resourceArn"])
    keys = set(request["tagKeys"])
    if len(keys) > MAX_TAGS:
        raise ServiceError("TooManyTagKeysException", f"A request has at most {MAX_TAGS} tag keys.")
    resource.tags = {key: value for key, value in resource.tags.items() if key not in keys}


@operation("ListTagsForResource")
def list_tags(store: Store, request: Wire) -> Wire:
    """Return the tags of a resource."""
    resource = _tagged(store, request["resourceArn"])
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in resource.tags.items()]}
