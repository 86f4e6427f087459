"""PutEvents, PutUsers and PutItems: write live data to datasets."""

import json
from collections.abc import Mapping
from typing import Any

from .datasets import fields_of
from .imports import PARSERS, checked, too_long
from .lifecycle import operation
from .records import Record
from .schemas import Field
from .service_errors import invalid
from .service_model import Wire
from .store import Store

#: Members of an event that have a separate field.
_MEMBERS = {
    "itemId": "ITEM_ID",
    "eventType": "EVENT_TYPE",
    "eventValue": "EVENT_VALUE",
    "recommendationId": "RECOMMENDATION_ID",
}


@operation("PutEvents")
def put_events(store: Store, request: Wire) -> None:
    """Store one to ten events of one session, or none of them if one is invalid."""
    trackers = store.each("EventTracker", trackingId=request["trackingId"])
    tracker = next((tracker for tracker in trackers if tracker.status == "ACTIVE"), None)
    if tracker is None:
        raise invalid(f"The tracking ID {request['trackingId']} has no active event tracker.")
    dataset = store.dataset(tracker.values["datasetGroupArn"], "INTERACTIONS")
    if dataset is None or dataset.status != "ACTIVE":
        raise invalid("The dataset group of the event tracker has no ACTIVE dataset of type INTERACTIONS.")
    fields = {field.name: field for field in fields_of(store, dataset)}
    records = [(_event_record(event, fields), event.get("eventId")) for event in request["eventList"]]
    for record, event_id in records:
        store.interactions[dataset.arn].stream(record, request.get("userId"), request["sessionId"], event_id)


def _event_record(event: Wire, fields: Mapping[str, Field]) -> Record:
    given = {field: event[member] for member, field in _MEMBERS.items() if member in event}
    if "impression" in event:
        given["IMPRESSION"] = "|".join(event["impression"])
    if "metricAttribution" in event:
        given["EVENT_ATTRIBUTION_SOURCE"] = event["metricAttribution"]["eventAttributionSource"]
    # Values without a field in the schema are dropped, so a schema needn't name all members.
    given = {name: value for name, value in given.items() if name in fields}
    given |= _properties(event.get("properties"), fields)
    given["TIMESTAMP"] = int(event["sentAt"])
    return _record(given, {name: field for name, field in fields.items() if name != "USER_ID"}, optional=("ITEM_ID",))


def _properties(text: str | None, fields: Mapping[str, Field]) -> Record:
    if text is None:
        return {}
    try:
        properties = json.loads(text)
    except ValueError:
        properties = None
    if not isinstance(properties, dict):
        raise invalid("Error parsing properties json")
    # The guide requires a field's name in camelCase, such as price2 for PRICE_2, which doesn't show the underscores.
    by_key = {name.replace("_", "").lower(): name for name in fields}
    names = {key: by_key.get(key.replace("_", "").lower()) for key in properties}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise invalid(f"The schema has no fields for the properties [{', '.join(unknown)}].")
    return {name: properties[key] for key, name in names.items() if name is not None}


def _record(given: Record, fields: Mapping[str, Field], optional: tuple[str, ...] = ()) -> Record:
    """Return a complete record. Raises InvalidInputException for values that the schema doesn't allow."""
    record: Record = {}
    for name, field in fields.items():
        value = given.get(name)
        if value is None and not field.nullable and name not in optional:
            raise invalid(f"The field {name} has no value and does not allow null.")
        record[name] = None if value is None else _typed(field, value)
    return record


def _typed(field: Field, value: Any) -> Any:
    """Return a JSON value in the field's type. Numbers and booleans may be text."""
    if isinstance(value, dict | list) or (field.type == "string" and not isinstance(value, str)):
        raise invalid(f"The value of {field.name} is not a {field.type}: {json.dumps(value)}")
    if field.type == "string" and len(value) > field.most:
        raise invalid(too_long(field))
    try:
        return checked(field, PARSERS[field.type](value if isinstance(value, str) else json.dumps(value)))
    except ValueError as error:
        raise invalid(f"The value of {field.name} is not valid: {error}") from None


@operation("PutUsers")
def put_users(store: Store, request: Wire) -> None:
    """Store one to ten users. Each replaces the user's earlier record."""
    _put(store, request, "USERS", "users", "userId")


@operation("PutItems")
def put_items(store: Store, request: Wire) -> None:
    """Store one to ten items. Each replaces the item's earlier record."""
    _put(store, request, "ITEMS", "items", "itemId")


def _put(store: Store, request: Wire, kind: str, member: str, key: str) -> None:
    dataset = store.find("Dataset", request["datasetArn"])
    if dataset.values["datasetType"] != kind:
        raise invalid(f"Dataset {dataset.arn} is not of type {kind}.")
    if dataset.status != "ACTIVE" or dataset.updating:
        raise dataset.conflict()
    fields = {field.name: field for field in fields_of(store, dataset)}
    held = store.profiles[dataset.arn]
    for record in [
        _record(_properties(entry.get("properties"), fields) | {held.key: entry[key]}, fields)
        for entry in request[member]
    ]:
        held.stream(record)
