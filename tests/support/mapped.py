"""Event mappings from the whole grammar, and matching events with arbitrary values at the paths they read."""

import json
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from awkward import INSTANTS, braces, values
from personalize_segment.contract.columns import FORMATS, VISITORS
from personalize_segment.contract.mapping import EventMapping, parse
from personalize_segment.errors import MappingError
from whole_events import whole_event

JSON = dict[str, Any]

_PATHS = ["userId", "timestamp", "properties.a", "properties.b", "properties.c.d", "properties.list", "context.a"]
_RELATIVE = [".", ".a", ".b", ".c.d"]
_ARRAYS = ["properties.list[]", "properties.list[].a", "properties.c.d[].b", "properties.a[].c.d"]
_NAMES = ["One", 'Née "Q" \\ it\'s', "Two"]
_TYPES = ["string", "categories", "float", "double", "int", "long", "boolean", "timestamp"]
_CONSTANTS: JSON = {"string": "it's", "float": 2, "double": -0.5, "int": 7, "long": 2**40, "boolean": True}
#: Reserved columns that may be optional, and their types.
_OPTIONAL: dict[str, JSON] = {
    "interactions": {"EVENT_VALUE": "float", "IMPRESSION": "ids", "RECOMMENDATION_ID": "string"},
    "users": {},
    "items": {"CREATION_TIMESTAMP": "timestamp"},
}
_IDS = ("USER_ID", "ITEM_ID", "RECOMMENDATION_ID")
_REQUIRED = {"interactions": ["USER_ID", "ITEM_ID", "TIMESTAMP"], "users": ["USER_ID"], "items": ["ITEM_ID"]}

_tests: st.SearchStrategy[JSON] = st.one_of(
    st.builds(lambda present: {"present": present}, st.booleans()),
    st.sampled_from(
        [{"is": "s1"}, {"is": ["s1", "true", 3]}, {"is": True}, {"above": 0}, {"at_least": -1, "below": 2.5}]
    ),
    st.sampled_from([{"at_most": 1e3}, {"is": "{}"}, {"is": "'"}]),
)
_conditions = st.dictionaries(st.sampled_from(_PATHS), _tests, max_size=2)


@st.composite
def _field(draw: st.DrawFn, name: str, kind: str, *, required: bool, each: bool, reserved: bool) -> JSON:
    several = kind in ("ids", "categories")
    paths = _PATHS + (_RELATIVE if each else []) + (_ARRAYS if several else [])
    paths += [f".{path.removeprefix('properties.')}" for path in _ARRAYS] if each and several else []
    field: JSON = {} if reserved else {"type": kind}
    if not required and kind in _CONSTANTS and name not in _IDS and draw(st.integers(0, 5)) == 0:
        return field | {"value": _CONSTANTS[kind]}
    field["from"] = draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3, unique=True))
    if not required:
        field["optional"] = True
    if kind == "timestamp":
        field["format"] = draw(st.sampled_from(FORMATS))
    if name in _IDS and draw(st.booleans()):
        field["placeholders"] = True
    return field


@st.composite
def _rule(draw: st.DrawFn, dataset: str, columns: JSON, *, plain: bool = False) -> JSON:
    each = not plain and draw(st.integers(0, 2)) == 0
    rule: JSON = {"fields": {}}
    if each:
        rule["each"] = draw(st.sampled_from(["properties.list", "properties.a", "properties.c.d"]))
    if not plain and draw(st.booleans()):
        rule["when"] = draw(_conditions)
    if dataset == "interactions" and not plain:
        rule["event_type"] = draw(st.sampled_from(["View", "Buy"]))
    for name, (kind, reserved) in columns.items():
        required = name in _REQUIRED[dataset]
        if plain or draw(st.integers(0, 2)) == 0:
            rule["fields"][name] = draw(_field(name, kind, required=required, each=each, reserved=reserved))
    return rule


@st.composite
def mappings(draw: st.DrawFn) -> EventMapping:
    """Draw an event mapping: any types, formats, lists, constants, conditions, and rules for any name."""
    document: JSON = {"version": 1}
    if draw(st.integers(0, 2)) == 0:
        document["max_elements"] = draw(st.integers(1, 3))
    for dataset in ["interactions", *draw(st.sampled_from([["users"], ["items"], ["users", "items"]]))]:
        own = draw(st.lists(st.sampled_from(_TYPES), min_size=1, max_size=4, unique=True))
        columns = dict.fromkeys(_REQUIRED[dataset], ("string", True))
        if dataset == "interactions":
            columns["TIMESTAMP"] = ("timestamp", True)
        columns |= {name: (kind, True) for name, kind in _OPTIONAL[dataset].items() if draw(st.booleans())}
        columns |= {f"C_{kind.upper()}": (kind, False) for kind in own}
        body = {"fields": draw(_rule(dataset, columns, plain=True))["fields"]}
        if dataset == "items" and "C_STRING" in columns:
            body["fields"]["C_STRING"]["textual"] = draw(st.booleans())
        if dataset == "users" and draw(st.booleans()):
            body["when"] = draw(_conditions)
        rules = st.one_of(_rule(dataset, columns), st.lists(_rule(dataset, columns), min_size=1, max_size=3))
        for call in ("track", "page", "screen"):
            body[call] = draw(st.dictionaries(st.sampled_from(_NAMES), rules, min_size=call == "track", max_size=2))
        if dataset == "interactions" and draw(st.booleans()):
            body["visitors"] = draw(st.sampled_from(VISITORS))
        for call in ("any_page", "any_screen"):
            if draw(st.booleans()):
                body[call] = draw(rules)
        document[dataset] = body
    try:
        return parse(json.dumps(document))
    except MappingError:
        reject()


def events_of(mapping: EventMapping) -> st.SearchStrategy[bytes]:
    """Draw the line of an event that the mapping knows, with any JSON at up to four places that it reads."""
    instants = st.sampled_from(INSTANTS[:6]).map(json.dumps)

    @st.composite
    def event_of(draw: st.DrawFn) -> bytes:
        name = draw(st.sampled_from(list(mapping.by_event)))
        event, places = whole_event(mapping, name, draw(st.integers(0, 3)), draw(st.integers(0, 2)))
        event["messageId"] = draw(st.sampled_from(["m1", "m2", "m3", "m4", "m5", "m6"]))
        if name[1] is None and name[0] != "identify":
            event["name"] = draw(st.sampled_from([None, "any", "é", 5, *_NAMES]))
        # A visitor, or a user who logged in: the session is that of the default mapping.
        event["anonymousId"] = draw(st.sampled_from([None, "a1", "a2"]))
        event["userId"] = draw(st.sampled_from([event.get("userId"), None, "u1", "u2"]))
        texts: dict[str, str] = {}
        for container, key in draw(st.lists(st.sampled_from(places), max_size=4)):
            mark = f"<{len(texts)}>"
            container[key] = mark
            texts[mark] = draw(st.one_of(values, instants) if key in ("timestamp", "receivedAt") else values)
        line = braces({key: json.dumps(value) for key, value in event.items()})
        for mark, text in texts.items():
            line = line.replace(json.dumps(mark), text)
        return line.encode()

    # Without the mapping as an argument, whose text Hypothesis would write for each.
    return event_of()


def logs_of(mapping: EventMapping) -> st.SearchStrategy[list[bytes]]:
    """Draw the lines of a log; the first are whole events, so that every rule gives rows."""
    whole = [
        whole_event(mapping, name, pick=pick)[0] | {"messageId": f"{place} {pick}"}
        for place, name in enumerate(mapping.by_event)
        for pick in range(3)
    ]
    first = [json.dumps(event).encode() for event in whole]
    return st.lists(events_of(mapping), min_size=20, max_size=40).map(lambda lines: [*first, *lines])
