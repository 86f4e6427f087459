"""PutEvents, PutUsers, PutItems: live data into datasets."""

import json
import re
from collections.abc import Mapping
from typing import Any

from .datasets import fields_of
from .imports import PARSERS, checked, too_long
from .lifecycle import operation
from .model import Wire
from .records import Row
from .schemas import Field
from .service_errors import in_use, invalid
from .world import World

#: Members of an event with a field of their own.
_MEMBERS = {
    "itemId": "ITEM_ID",
    "eventType": "EVENT_TYPE",
    "eventValue": "EVENT_VALUE",
    "recommendationId": "RECOMMENDATION_ID",
}


def field_name(key: str) -> str:
    """Return the schema's name of a property: PRICE_LEVEL for priceLevel."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).upper()


@operation("PutEvents")
def put_events(world: World, request: Wire) -> None:
    """Take one to ten events of one session; one that can't be taken refuses all of them."""
    trackers = world.each("EventTracker", trackingId=request["trackingId"])
    tracker = next((one for one in trackers if one.status == "ACTIVE"), None)
    if tracker is None:
        raise invalid(f"There is no active event tracker with the tracking ID {request['trackingId']}.")
    dataset = world.dataset(tracker.values["datasetGroupArn"], "INTERACTIONS")
    if dataset is None or dataset.status != "ACTIVE":
        raise invalid("The dataset group of the event tracker has no ACTIVE dataset of type INTERACTIONS.")
    fields = {field.name: field for field in fields_of(world, dataset)}
    ready = [(_event_row(event, fields), event.get("eventId")) for event in request["eventList"]]
    for row, event_id in ready:
        world.interactions[dataset.arn].stream(row, request.get("userId"), request["sessionId"], event_id)


def _event_row(event: Wire, fields: Mapping[str, Field]) -> Row:
    given = {field: event[member] for member, field in _MEMBERS.items() if member in event}
    if "impression" in event:
        given["IMPRESSION"] = "|".join(event["impression"])
    if "metricAttribution" in event:
        given["EVENT_ATTRIBUTION_SOURCE"] = event["metricAttribution"]["eventAttributionSource"]
    # What has no field in the schema is not kept, so that a schema need not name them all.
    given = {name: value for name, value in given.items() if name in fields}
    given |= _properties(event.get("properties"), fields)
    given["TIMESTAMP"] = int(event["sentAt"])
    return _row(given, {name: field for name, field in fields.items() if name != "USER_ID"}, optional=("ITEM_ID",))


def _properties(text: str | None, fields: Mapping[str, Field]) -> Row:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        raise invalid("Error parsing properties json") from None
    if not isinstance(found, dict):
        raise invalid("Error parsing properties json")
    unknown = [key for key in found if field_name(key) not in fields]
    if unknown:
        raise invalid(f"The schema has no fields for the properties [{', '.join(unknown)}].")
    return {field_name(key): value for key, value in found.items()}


def _row(given: Row, fields: Mapping[str, Field], optional: tuple[str, ...] = ()) -> Row:
    """Return a whole row. Raises InvalidInputException for what its schema doesn't allow."""
    row: Row = {}
    for name, field in fields.items():
        value = given.get(name)
        if value is None and not field.nullable and name not in optional:
            raise invalid(f"The field {name} has no value and does not allow null.")
        row[name] = None if value is None else _typed(field, value)
    return row


def _typed(field: Field, value: Any) -> Any:
    """Return a JSON value as the field has it; numbers and booleans may come as text."""
    if isinstance(value, dict | list) or (field.type == "string" and not isinstance(value, str)):
        raise invalid(f"The value of {field.name} is not a {field.type}: {json.dumps(value)}")
    if field.type == "string" and len(value) > field.most:
        raise invalid(too_long(field))
    try:
        return checked(field, PARSERS[field.type](value if isinstance(value, str) else json.dumps(value)))
    except ValueError as error:
        raise invalid(f"The value of {field.name} is not valid: {error}") from None


@operation("PutUsers")
def put_users(world: World, request: Wire) -> None:
    """Take one to ten users; each replaces what was known of it."""
    _put(world, request, "USERS", "users", "userId")


@operation("PutItems")
def put_items(world: World, request: Wire) -> None:
    """Take one to ten items; each replaces what was known of it."""
    _put(world, request, "ITEMS", "items", "itemId")


def _put(world: World, request: Wire, kind: str, member: str, key: str) -> None:
    dataset = world.find("Dataset", request["datasetArn"])
    if dataset.values["datasetType"] != kind:
        raise invalid(f"Dataset {dataset.arn} is not of type {kind}.")
    if dataset.status != "ACTIVE" or dataset.updating:
        raise in_use(f"Resource Arn {dataset.arn} is in {dataset.status} state or being updated.")
    fields = {field.name: field for field in fields_of(world, dataset)}
    held = world.profiles[dataset.arn]
    for row in [
        _row(_properties(one.get("properties"), fields) | {held.key: one[key]}, fields) for one in request[member]
    ]:
        held.stream(row)
