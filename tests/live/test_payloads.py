"""Rows become requests within every limit of the services' models. Rows that can't fit have a reason.

EVENTS in the environment sets the number of random events: `EVENTS=200000 pytest tests/live/test_payloads.py`.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from awkward import braces, events, mostly
from engines import duckdb_rows, write_log
from personalize_segment.contract.mapping import EventMapping, parse
from personalize_segment.contract.rows import Reason, Row, id_text, parse_line, rows, session
from personalize_segment.errors import MappingError
from personalize_segment.live.payloads import (
    Known,
    ProfileRecord,
    camel_case,
    fitted,
    merged,
    profile,
    properties,
    put_events,
    put_profiles,
)
from stub import Stub

EVENTS = int(os.environ.get("EVENTS", "10000"))
ARN = "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/"
MODEL = botocore.session.Session().get_service_model("personalize-events")
SHAPES = {name: MODEL.operation_model(name).input_shape for name in ("PutEvents", "PutUsers", "PutItems")}
CALLS = {"users": "PutUsers", "items": "PutItems"}
MEMBERS = {
    "ITEM_ID": "itemId",
    "EVENT_TYPE": "eventType",
    "EVENT_VALUE": "eventValue",
    "IMPRESSION": "impression",
    "RECOMMENDATION_ID": "recommendationId",
}
SPECIAL = {"USER_ID", "TIMESTAMP", "EVENT_ATTRIBUTION_SOURCE", *MEMBERS}


def _optional(path: str, kind: str | None = None) -> dict[str, Any]:
    return {"from": [path], "optional": True} | ({} if kind is None else {"type": kind})


def mapping_of(own: dict[str, dict[str, Any]]) -> EventMapping:
    """Return a mapping with every member of PutEvents and the maximum number of columns."""
    of_element = {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku", "."]}}}
    document = {
        "version": 1,
        "interactions": {
            "fields": {
                "USER_ID": {"from": ["userId", "context.user"]},
                "ITEM_ID": {"from": ["properties.sku", "properties.nested.sku"]},
                "TIMESTAMP": {"from": ["timestamp"]},
                "EVENT_VALUE": _optional("properties.price"),
                "IMPRESSION": _optional("properties.ids"),
                "RECOMMENDATION_ID": _optional("properties.value"),
                "EVENT_ATTRIBUTION_SOURCE": _optional("properties.country"),
                **own,
            },
            "track": {
                "Viewed": {},
                "Bought": of_element,
                "Gifted": {
                    "each": "properties.products",
                    "fields": {"USER_ID": {"from": [".user"]}, "ITEM_ID": {"from": [".sku", "."]}},
                },
            },
        },
        "users": {
            "fields": {"USER_ID": {"from": ["userId"]}}
            | {f"TEXT_{n}": _optional(f"traits.t{n}", "string") for n in range(24)}
            | {"COUNTRY": _optional("traits.country", "string")},
        },
        "items": {
            "fields": {"ITEM_ID": {"from": ["properties.sku"]}, "CREATION_TIMESTAMP": _optional("properties.when")}
            | {
                f"A_RATHER_LONG_NAME_OF_A_COLUMN_OF_ITEMS_{n}": _optional(f"properties.t{n}", "string")
                for n in range(99)
            }
            | {"PRICE": _optional("properties.price", "double")},
            "track": {"Viewed": {}, "Restocked": {}},
        },
    }
    return parse(json.dumps(document))


TYPES = mapping_of(
    {
        "ON_SALE": _optional("properties.flag", "boolean"),
        "RATIO_": _optional("properties.price", "float"),
        "IN__STOCK": _optional("properties.nested.value", "long"),
        "NOTE_1": _optional("properties.t0", "string"),
        "SEEN": _optional("properties.when", "timestamp"),
    }
)
TEXTS = mapping_of({f"NOTE_{n}": _optional(f"properties.t{n}", "string") for n in range(5)})


def broken(shape: Shape, value: Any, place: str) -> Iterator[str]:
    """Yield the places where `value` violates the model. Lengths count code points, as in Smithy."""
    least, most = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
    match shape.type_name:
        case "structure":
            assert isinstance(shape, StructureShape)
            yield from (f"{place}.{name} is unknown" for name in set(value) - set(shape.members))
            yield from (f"{place}.{name} is missing" for name in set(shape.required_members) - set(value))
            for name, one in value.items():
                yield from broken(shape.members[name], one, f"{place}.{name}")
        case "list":
            assert isinstance(shape, ListShape)
            if not isinstance(value, list) or not least <= len(value) <= most:
                yield place
            for one in value:
                yield from broken(shape.member, one, f"{place}[]")
        case "string":
            wanted = shape.metadata.get("pattern")
            if not isinstance(value, str) or not least <= len(value.encode().decode()) <= most:
                yield place
            if wanted is not None and not re.fullmatch(wanted, value):
                yield f"{place} against {wanted}"
        case "float":
            if type(value) is not float or not math.isfinite(value):
                yield place
        case "timestamp":
            if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
                yield place
        case other:
            raise NotImplementedError(other)


def _check(operation: str, request: dict[str, Any]) -> None:
    shape = SHAPES[operation]
    assert shape is not None
    assert not list(broken(shape, request, operation))


def camel(column: str) -> str:
    """Return the name of a property, computed independently of the code."""
    return re.sub(r"_+([a-z0-9])", lambda found: found[1].upper(), column.lower().strip("_")).rstrip("_")


#: Columns whose values PutEvents can refuse although they are in the domain.
OPTIONAL = {"RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE"}


def _named(row: Row) -> dict[str, Any]:
    return {column.name: value for column, value in zip(row.dataset.columns, row.values, strict=True)}


def _fits(row: Row) -> bool:
    """Whether a row fits PutEvents by the model, independent of the code."""
    return len(_id_of(row)) <= 256 and len(json.dumps(_own(row), ensure_ascii=False, separators=(",", ":"))) <= 1024


def _own(row: Row) -> dict[str, Any]:
    special = SPECIAL if row.dataset.name == "interactions" else {row.dataset.key}
    return {camel(name): value for name, value in _named(row).items() if value is not None and name not in special}


def _id_of(row: Row) -> str:
    return f"{row.message_id}" + ("" if row.element is None else f"-{row.element}")


def _check_events(event: dict[str, Any], given: list[Row]) -> list[Reason]:
    """Check the invariants of an event's PutEvents requests, and return the reasons."""
    found = _fitted(given)
    session = id_text(event.get("anonymousId")) or id_text(event.get("userId"))
    requests, reasons = put_events("tracker", session, found)
    assert (requests, reasons) == put_events("tracker", session, found), "a retry is not the same"
    waiting = {_id_of(row): row for row in found if _fits(row)}
    assert len(waiting) + len(reasons) == len(found)
    assert all(reason.dataset == "interactions" for reason in reasons)
    for request in requests:
        _check("PutEvents", request)
        for record in request["eventList"]:
            row = waiting.pop(record["eventId"])
            values = _named(row)
            assert request.get("userId") == values["USER_ID"]
            assert request["sessionId"] == (session or values["USER_ID"])
            assert int(record["sentAt"].timestamp()) == values["TIMESTAMP"]
            assert {m: record.get(m) for m in MEMBERS.values()} == {m: values.get(c) for c, m in MEMBERS.items()}
            source = record.get("metricAttribution", {}).get("eventAttributionSource")
            assert source == values.get("EVENT_ATTRIBUTION_SOURCE")
            assert repr(sorted(json.loads(record.get("properties", "{}")).items())) == repr(sorted(_own(row).items()))
    assert not waiting, "rows that fit were not sent"
    return reasons + [why for row in found for why in row.unusable if why.field in OPTIONAL]


def _check_profiles(found: list[Row]) -> list[Reason]:
    """Check the invariants of rows of users and items, and return the reasons."""
    reasons = []
    for row in found:
        made = profile(row)
        most = {"users": 24_000, "items": 32_000}[row.dataset.name]
        if isinstance(made, Reason):
            assert len(json.dumps(_own(row), ensure_ascii=False, separators=(",", ":"))) > most
            reasons.append(made)
            continue
        assert (made is None) == (_own(row) == {})
        if made is None:
            continue
        assert (made.dataset, made.id) == (row.dataset.name, row.values[0])
        text = properties(made.known)
        assert json.loads(text) == _own(row)
        [request] = put_profiles(made.dataset, ARN + made.dataset.upper(), {made.id: text})
        _check(CALLS[made.dataset], request)
    return reasons


def _check_all(mapping: EventMapping, event: dict[str, Any]) -> tuple[int, list[Reason]]:
    """Check an event's requests, and return its number of rows and the reasons for unsent ones."""
    found, _ = rows(mapping, event)
    interactions = [row for row in found if row.dataset.name == "interactions"]
    profiles = [row for row in found if row.dataset.name != "interactions"]
    return len(found), _check_events(event, interactions) + _check_profiles(profiles)


WIDE = ["é", '"', "\\", "😀", "</x>", "|", "\u2028", "a", "z", " "]


def _text(chance: random.Random, most: int = 256) -> str:
    size = chance.choice([1, 3, 8, 30, 39, 40, 41, 200, 255, 256, 257])
    if chance.random() < 0.7:
        return "x" * min(size, most)
    return chance.choice(WIDE) * min(size, most)


def _mostly(chance: random.Random, *good: Any) -> Any:
    return chance.choice(good) if chance.random() < 0.9 else chance.choice([_text(chance), " ", "näh", "a\x7f"])


def _instant(chance: random.Random) -> str:
    year = chance.choice(["0001", "1969", "1970", "2024", "2026", "9999"])
    day = chance.choice(["01-01", "12-31", "02-28"])
    end = chance.choice(["Z", "+00:00", "-23:59", "+23:59", ".5Z", ",999999999999+0530"])
    return f"{year}-{day}T{chance.choice(['00:00:00', '23:59:59'])}{end}"


def _event(chance: random.Random, number: int) -> dict[str, Any]:
    name = chance.choices(["Viewed", "Bought", "Gifted", "Restocked", None], [30, 30, 10, 1, 10])[0]
    users = ["u1", "u2", 42, _text(chance), None, "anna|b"]
    many = range(100) if name == "Restocked" else range(5)
    # Often all values are long, because many columns would rarely reach the limit.
    long = chance.random() < 0.2
    texts = {f"t{n}": chance.choice(WIDE) * 256 if long else _text(chance) for n in many}
    own = texts | {
        "sku": _mostly(chance, "s-1", "s-2", 7),
        "price": chance.choice([0, -0.0, 12.5, 3.4e38, 1e300, 2**40, None, "1"]),
        "ids": [_text(chance, 20) for _ in range(chance.choice([0, 1, 24, 25, 26, 60]))],
        "value": _mostly(chance, "RID-1", "r" * 40),
        "country": _mostly(chance, "mail", "~ ", None),
        "flag": chance.choice([True, False, None, "true"]),
        "nested": {"value": chance.choice([2**63 - 1, -(2**63), 2**63, 0])},
        "when": _instant(chance),
    }
    products = [
        {"sku": _mostly(chance, "s-1"), "user": chance.choice(users)}
        for _ in range(chance.choice([0, 1, 3, 9, 11, 23]))
    ]
    event: dict[str, Any] = {
        "type": "identify" if name is None else "track",
        "event": name,
        "messageId": _mostly(chance, f"m-{number}", number, "m" * 253, "é" * 256),
        "timestamp": _mostly(chance, _instant(chance)),
        "userId": chance.choice(users),
        "anonymousId": chance.choice(["a1", None, _text(chance), 7]),
        "context": {"user": chance.choice(users)},
        "properties": own | {"products": products},
    }
    return event | ({"traits": texts | {f"t{n}": '"' * 256 for n in range(24)}} if name is None else {})


@pytest.mark.parametrize("mapping", [pytest.param(TYPES, id="types"), pytest.param(TEXTS, id="texts")])
def test_random_events_keep_to_the_models(mapping: EventMapping) -> None:
    chance = random.Random(20261124)
    given, reasons = 0, set[Reason]()
    for number in range(EVENTS // 2):
        several, refused = _check_all(mapping, _event(chance, number))
        given += several
        reasons |= set(refused)
    assert given > EVENTS, "too few events give rows"
    wanted = {"messageId", *OPTIONAL, "properties"}
    own = {"properties"} if mapping is TYPES else set()  # one text and four numbers always fit
    assert {reason.field for reason in reasons if reason.dataset == "interactions"} == wanted - own
    assert "items" in {reason.dataset for reason in reasons}, "no item was too long"


anonymous = st.fixed_dictionaries({}, optional={"anonymousId": mostly("a1", "a2"), "userId": mostly("u1", "u2")})


@settings(max_examples=300)
@given(events, anonymous.map(braces))
def test_awkward_events_keep_to_the_models(line: bytes, who: str) -> None:
    event, ids = parse_line(line), parse_line(who.replace("{", '{"type": "", ', 1).replace(", }", "}").encode())
    if event is None or ids is None:
        return
    event |= {name: ids[name] for name in ids if name != "type"}
    _check_all(TYPES, event)
    _check_all(TEXTS, event)


names = st.lists(st.from_regex(r"[A-C][A-C1_]{0,4}", fullmatch=True), min_size=1, max_size=6, unique=True)


@given(names)
def test_properties_of_a_valid_mapping_have_names_of_their_own(columns: list[str]) -> None:
    document = json.loads(TYPES.text)
    document["users"]["fields"] = {"USER_ID": {"from": ["userId"]}} | {
        name: _optional("traits.x", "string") for name in columns
    }
    try:
        mapping = parse(json.dumps(document))
    except MappingError:
        # Two of them are one name, which the mapping says in its own tests.
        assert len({name.replace("_", "") for name in columns}) < len(columns)
        return
    assert len({camel_case(column.name) for column in mapping.datasets[1].columns}) == len(columns) + 1


@pytest.mark.parametrize(
    ("column", "name"),
    [
        pytest.param("EVENT_TYPE", "eventType", id="two words"),
        pytest.param("PRICE", "price", id="one word"),
        pytest.param("A__B_", "aB", id="empty words"),
        pytest.param("SIZE_2XL", "size2xl", id="a word that begins with a digit"),
    ],
)
def test_a_column_is_called_as_the_apis_want_it(column: str, name: str) -> None:
    assert camel_case(column) == name


VIEWED: dict[str, Any] = {
    "type": "track",
    "event": "Viewed",
    "messageId": "m1",
    "userId": "u1",
    "timestamp": "2024-03-01T12:00:00Z",
    "properties": {"sku": "s1"},
}


def viewed(**members: Any) -> dict[str, Any]:
    """Return an event with other members, and these properties too."""
    return VIEWED | members | {"properties": {"sku": "s1"} | members.get("properties", {})}


def _put(event: dict[str, Any], mapping: EventMapping = TYPES) -> tuple[list[dict[str, Any]], list[Reason]]:
    found, _ = rows(mapping, event)
    interactions = _fitted([row for row in found if row.dataset.name == "interactions"])
    return put_events("tracker", session(mapping, event), interactions)


def _fitted(given: list[Row]) -> list[Row]:
    """Return rows without optional values that PutEvents refuses; no mapping of these tests requires one."""
    return [row for row in map(fitted, given) if isinstance(row, Row)]


#: Four texts whose JSON has 1,024 characters together with the names, and a letter to spare.
FULL = {f"t{n}": "x" * 256 for n in range(3)} | {
    "t3": "x" * (1024 - 3 * (len('"note0":""') + 257) - len('{"note3":""}'))
}


@pytest.mark.parametrize(
    ("event", "mapping", "reason"),
    [
        pytest.param(viewed(messageId="m" * 256), TYPES, None, id="an id of 256"),
        pytest.param(viewed(properties=FULL), TEXTS, None, id="properties of 1024"),
        pytest.param(viewed(properties=FULL | {"t3": FULL["t3"] + "x"}), TEXTS, "properties", id="properties of 1025"),
        pytest.param(
            viewed(properties={f"t{n}": '"' * 256 for n in range(2)}), TEXTS, "properties", id="quotes count twice"
        ),
    ],
)
def test_what_fits_is_sent_and_what_does_not_is_a_reason(
    event: dict[str, Any], mapping: EventMapping, reason: str | None
) -> None:
    requests, reasons = _put(event, mapping)
    assert [why.field for why in reasons] == ([] if reason is None else [reason])
    assert len(requests) == (reason is None)


@pytest.mark.parametrize(
    ("properties", "member", "null"),
    [
        pytest.param({"value": "r" * 40}, "recommendationId", [], id="a recommendation's id of 40"),
        pytest.param({"value": "r" * 41}, None, ["RECOMMENDATION_ID"], id="a recommendation's id of 41"),
        pytest.param({"country": "~ "}, "metricAttribution", [], id="printable attribution"),
        pytest.param({"country": "näh"}, None, ["EVENT_ATTRIBUTION_SOURCE"], id="attribution beyond ASCII"),
        pytest.param({"country": "  "}, None, ["EVENT_ATTRIBUTION_SOURCE"], id="blank attribution"),
    ],
)
def test_an_optional_value_that_putevents_refuses_is_left_out_and_said(
    properties: dict[str, str], member: str | None, null: list[str]
) -> None:
    [row] = [row for row in rows(TYPES, viewed(properties=properties))[0] if row.dataset.name == "interactions"]
    [kept] = _fitted([row])
    assert [why.field for why in kept.unusable if why not in row.unusable] == null
    [request], _ = put_events("tracker", "a", [kept])
    members = {"recommendationId", "metricAttribution"} & set(request["eventList"][0])
    assert members == ({member} if member else set())


def test_an_index_counts_toward_the_length_of_an_event_id() -> None:
    event = viewed(event="Bought", messageId="m" * 254, properties={"products": ["s"] * 11})
    requests, reasons = _put(event)
    assert [len(request["eventList"]) for request in requests] == [10]
    assert [why.field for why in reasons] == ["messageId"], "only the eleventh has an index of two digits"


@pytest.mark.parametrize(("given", "sent"), [(1, 1), (25, 25), (26, 25)])
def test_an_impression_has_25_items_at_most(given: int, sent: int) -> None:
    [request], _ = _put(viewed(properties={"ids": [f"i{n}" for n in range(given)]}))
    assert request["eventList"][0]["impression"] == [f"i{n}" for n in range(sent)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        pytest.param({"anonymousId": "a", "userId": "u"}, ("a", "u"), id="both"),
        pytest.param({"userId": "u"}, ("u", "u"), id="a user only"),
        pytest.param({"anonymousId": "a", "userId": None}, ("a", None), id="a visitor"),
        pytest.param({"userId": None, "context": {"user": "c"}}, ("c", "c"), id="a user from elsewhere"),
        pytest.param({"anonymousId": 7, "userId": 42}, ("7", "42"), id="numbers"),
        pytest.param({"userId": None}, None, id="no user"),
    ],
)
def test_the_session_is_the_visitor_or_else_the_user(ids: dict[str, Any], expected: tuple[str, str] | None) -> None:
    requests, _ = _put(viewed(**ids))
    assert [(one["sessionId"], one.get("userId")) for one in requests] == ([] if expected is None else [expected])


def test_elements_of_several_users_are_requests_of_their_own() -> None:
    products = [{"sku": f"s{n}", "user": f"u{n % 2}"} for n in range(23)]
    requests, reasons = _put(viewed(event="Gifted", anonymousId="a", properties={"products": products}))
    assert [(one["userId"], len(one["eventList"])) for one in requests] == [
        ("u0", 10),
        ("u0", 2),
        ("u1", 10),
        ("u1", 1),
    ]
    assert not reasons


def test_users_of_elements_are_not_mixed_into_one_session() -> None:
    products = [{"sku": "s", "user": "u1"}, {"sku": "s", "user": "u2"}]
    event = viewed(event="Gifted", userId=None, properties={"products": products})
    assert [(one["sessionId"], one["userId"]) for one in _put(event)[0]] == [("u1", "u1"), ("u2", "u2")]


INSTANTS = [
    *("2024-03-01T00:00:00Z", "2024-03-01T00:00:00.5Z", "2024-03-01T00:00:00.50Z", "2024-03-01T00:00:00.05Z"),
    *("2024-03-01T01:00:00.49+01:00", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.9Z", "0001-01-01T00:00:00+23:59"),
    *("2024-02-30T00:00:00Z", None),
]


def test_an_item_whose_own_column_is_called_like_the_user_may_lack_it() -> None:
    fields = {
        "ITEM_ID": {"from": ["properties.sku"]},
        "BRAND": {"from": ["event"], "type": "string"},
        "USER_ID": {"from": ["properties.seller"], "type": "string", "optional": True},
    }
    body = json.loads(TYPES.text) | {"items": {"fields": fields, "track": {"Viewed": {}}}}
    made = [profile(row) for row in rows(parse(json.dumps(body)), VIEWED)[0] if row.dataset.name == "items"]
    assert [one.columns for one in made if isinstance(one, ProfileRecord)] == [{"BRAND": "Viewed"}]


def test_each_column_of_a_user_has_the_value_that_an_export_keeps(tmp_path: Path) -> None:
    chance = random.Random(9)
    log = [
        {
            "type": "identify",
            "userId": f"u{chance.randrange(150)}",
            "timestamp": chance.choice(INSTANTS),
            # Texts on both sides of the surrogates: UTF-16 would sort them otherwise.
            "traits": {f"t{n}": chance.choice(["a", "b", "\uffee", "\U0001f600", None]) for n in range(2)},
        }
        for _ in range(2000)
    ]
    lines = [json.dumps(event).encode() for event in log]
    write_log(tmp_path / "src" / "1709251200000" / "a.gz", lines)
    found = [row for line in lines for row in rows(TYPES, parse_line(line) or {})[0]]
    profiles = [one for one in map(profile, found) if isinstance(one, ProfileRecord)]
    chance.shuffle(profiles)
    known: dict[str, Known] = {}
    for one in profiles + profiles[:500]:
        known[one.id] = merged(known.get(one.id, {}), one.known)
    requests = put_profiles("users", ARN + "USERS", {name: properties(one) for name, one in known.items()})
    names = [camel(column.name) for column in TYPES.datasets[1].columns]
    sent = []
    for request in requests:
        _check("PutUsers", request)
        for record in request["users"]:
            values = {"userId": record["userId"]} | json.loads(record["properties"])
            sent.append(tuple(values.get(name, "") for name in names))
    # An export also has rows for users without values.
    assert sorted(sent) == [row for row in duckdb_rows(tmp_path, TYPES).rows["users"] if any(row[1:])]
    assert [len(request["users"]) for request in requests] == [10] * 15


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/St_Johns"])
def test_times_are_utc_wherever_the_process_runs(zone: str) -> None:
    code = """
from test_payloads import _put, VIEWED
print(_put(VIEWED)[0][0]["eventList"][0]["sentAt"].isoformat())
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TZ": zone, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "2024-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        pytest.param("1970-01-01T00:00:00.9Z", 0, id="the first"),
        pytest.param("2024-03-01T12:00:00Z", 1_709_294_400, id="now"),
        pytest.param("2286-11-20T17:46:39Z", 9_999_999_999, id="the last"),
    ],
)
def test_botocore_sends_a_time_as_epoch_seconds(timestamp: str, seconds: int) -> None:
    [request], _ = _put(viewed(timestamp=timestamp))
    with Stub() as stub:
        keys: dict[str, Any] = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        boto3.client("personalize-events", region_name="eu-west-1", endpoint_url=stub.url, **keys).put_events(**request)
        [call] = stub.calls("PutEvents")
    assert call.body["eventList"][0]["sentAt"] == seconds
    assert call.body["trackingId"] == "tracker"
