"""Convert rows to requests for Personalize's PutEvents, PutUsers and PutItems, within all limits.

The limits come from the service's model (botocore, `personalize-events` of 2018-03-22). botocore doesn't enforce them.
A row that exceeds one becomes a reason, never an exception.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..contract.columns import USER_ID
from ..contract.rows import NEVER, Reason, Row, Value, text

Request = dict[str, Any]

#: A column's value and its instant: epoch seconds and the digits of the fraction.
Cell = tuple[Value, int, str]
#: The known columns of a user or an item. No value is null.
Known = dict[str, Cell]

#: Maximum records per call.
MAX_RECORDS = 10
MAX_EVENT_ID = 256
MAX_RECOMMENDATION_ID = 40
#: Maximum characters of the JSON text in `properties`, by dataset.
MAX_PROPERTIES = {"interactions": 1024, "users": 24_000, "items": 32_000}

NO_SESSION = "neither an anonymousId nor a userId to name the session"
TOO_LONG = {
    "messageId": f"with the element's index longer than {MAX_EVENT_ID} characters",
    "RECOMMENDATION_ID": f"longer than {MAX_RECOMMENDATION_ID} characters",
} | {name: f"longer than {most} characters as JSON" for name, most in MAX_PROPERTIES.items()}
NOT_ASCII = "not printable ASCII, or blank"
_ATTRIBUTION = re.compile(r"[\x20-\x7E]*[\x21-\x7E][\x20-\x7E]*")

#: Columns of interactions that have a separate member in PutEvents. All others go into `properties`.
_MEMBERS = {
    "ITEM_ID": "itemId",
    "EVENT_TYPE": "eventType",
    "EVENT_VALUE": "eventValue",
    "IMPRESSION": "impression",
    "RECOMMENDATION_ID": "recommendationId",
}
#: The operation for the records of a dataset, and the member for their ids.
OPERATIONS = {"users": ("PutUsers", "userId"), "items": ("PutItems", "itemId")}


class ProfileRecord(NamedTuple):
    """The columns of a user or an item in one event. `columns` has no nulls, and `instant` orders them (rule 9)."""

    dataset: str
    id: str
    columns: dict[str, Value]
    instant: tuple[int, str]

    @property
    def known(self) -> Known:
        """The columns, each with the event's instant."""
        return {name: (value, *self.instant) for name, value in self.columns.items()}


def put_events(tracking_id: str, session: str | None, rows: Iterable[Row]) -> tuple[list[Request], list[Reason]]:
    """Return the PutEvents requests for the interactions of one event, and the reasons of those that don't fit.

    A request has one user, one session and ten interactions at most. The session is the `anonymousId` unless the
    mapping says otherwise. A login doesn't change it, so Personalize joins the visitor's earlier events to the user.
    An interaction without a user belongs to an anonymous visitor. `eventId` follows rule 10.
    """
    groups: dict[str | None, list[Request]] = {}
    reasons: list[Reason] = []
    for row in rows:
        columns = _columns(row)
        user = columns.pop(USER_ID)
        record = _record(row, columns)
        if isinstance(record, Reason):
            reasons.append(record)
        elif session is None and user is None:
            reasons.append(Reason("interactions", "sessionId", NO_SESSION, row.element))
        else:
            groups.setdefault(user, []).append(record)
    requests = []
    for user, records in groups.items():
        who = {"trackingId": tracking_id, "sessionId": session or user} | ({} if user is None else {"userId": user})
        requests += [who | {"eventList": batch} for batch in batches(records)]
    return requests, reasons


def fitted(row: Row) -> Row | Reason:
    """Return an interaction without the optional values that PutEvents refuses, or a reason if one is required."""
    values, unusable = list(row.values), list(row.unusable)
    for position, (column, value) in enumerate(zip(row.dataset.columns, values, strict=True)):
        why = None
        if column.name == "RECOMMENDATION_ID" and isinstance(value, str) and len(value) > MAX_RECOMMENDATION_ID:
            why = Reason("interactions", column.name, TOO_LONG[column.name], row.element)
        if column.name == "EVENT_ATTRIBUTION_SOURCE" and isinstance(value, str) and not _ATTRIBUTION.fullmatch(value):
            why = Reason("interactions", column.name, NOT_ASCII, row.element)
        if why is not None:
            if not column.nullable:
                return why
            values[position] = None
            unusable.append(why)
    return row._replace(values=tuple(values), unusable=tuple(unusable))


def _record(row: Row, columns: dict[str, Any]) -> Request | Reason:
    seconds = columns.pop("TIMESTAMP")
    event_id = row.message_id if row.element is None else f"{row.message_id}-{row.element}"
    if event_id is None or len(event_id) > MAX_EVENT_ID:
        return Reason("interactions", "messageId", TOO_LONG["messageId"], row.element)
    record: Request = {"eventId": event_id, "sentAt": datetime.fromtimestamp(seconds, UTC)}
    for column, member in _MEMBERS.items():
        if (value := columns.pop(column, None)) is not None:
            record[member] = value
    if (source := columns.pop("EVENT_ATTRIBUTION_SOURCE", None)) is not None:
        record["metricAttribution"] = {"eventAttributionSource": source}
    properties = _properties(columns)
    if len(properties) > MAX_PROPERTIES["interactions"]:
        return Reason("interactions", "properties", TOO_LONG["interactions"], row.element)
    return record | ({"properties": properties} if columns else {})


def profile(row: Row) -> ProfileRecord | Reason | None:
    """Return the profile in a row of users or items, a reason if the API would refuse it, or None if it is empty."""
    columns = _columns(row)
    record = ProfileRecord(row.dataset.name, columns.pop(row.dataset.key), columns, row.instant or (NEVER, ""))
    if len(properties(record.known)) > MAX_PROPERTIES[record.dataset]:
        return Reason(record.dataset, "properties", TOO_LONG[record.dataset], row.element)
    return record if columns else None


def merged(*parts: Known) -> Known:
    """Return each column with its latest value. For equal instants, the greatest text wins.

    The result depends neither on the order of the parts nor on repetitions.
    """
    known: Known = {}
    for part in parts:
        for name, cell in part.items():
            known[name] = max(known.get(name, cell), cell, key=_order)
    return known


def _order(cell: Cell) -> tuple[int, str, str]:
    value, seconds, fraction = cell
    return seconds, fraction, text(value)


def combined(profiles: Iterable[ProfileRecord]) -> list[ProfileRecord]:
    """Return one record per user or item of an event, because an order may list a product twice."""
    records: dict[tuple[str, str], ProfileRecord] = {}
    for record in profiles:
        known = merged(records.get((record.dataset, record.id), record).known, record.known)
        records[record.dataset, record.id] = record._replace(columns={name: cell[0] for name, cell in known.items()})
    return list(records.values())


def properties(known: Known) -> str:
    """Return the columns as the JSON text for PutUsers and PutItems."""
    return _properties({name: known[name][0] for name in sorted(known)})


def put_profiles(dataset: str, arn: str, rows: Mapping[str, str]) -> list[Request]:
    """Return the PutUsers or PutItems requests for rows (id -> properties), ten records per call."""
    _, key = OPERATIONS[dataset]
    records = [{key: name, "properties": row} for name, row in rows.items()]
    return [{"datasetArn": arn, dataset: batch} for batch in batches(records)]


def batches(records: list[Any]) -> Iterator[list[Any]]:
    """Yield `records` in lists of ten at most."""
    for start in range(0, len(records), MAX_RECORDS):
        yield records[start : start + MAX_RECORDS]


def _columns(row: Row) -> dict[str, Any]:
    # The user of an interaction may be null. Any other null column is left out.
    user = row.dataset.user_column
    columns = enumerate(zip(row.dataset.columns, row.values, strict=True))
    return {column.name: value for position, (column, value) in columns if value is not None or position == user}


def _properties(columns: dict[str, Value]) -> str:
    # Several categories become one string. Source: "Item" in the API reference of Personalize Events.
    joined = {name: "|".join(value) if isinstance(value, list) else value for name, value in columns.items()}
    properties = {camel_case(name): value for name, value in joined.items()}
    return json.dumps(properties, ensure_ascii=False, separators=(",", ":"))


def camel_case(column: str) -> str:
    """Return a column's name as the APIs expect it: `eventType` for `EVENT_TYPE`."""
    first, *others = (word for word in column.lower().split("_") if word)
    return first + "".join(word.capitalize() for word in others)
