"""A warehouse produces the rows and counts of `rows()` for generated events.

Omits values that a warehouse loses: see LOST in test_warehouse_golden.py.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awkward import INSTANTS, STRINGS
from engines import write_log
from personalize_segment.contract.columns import VISITORS
from personalize_segment.contract.mapping import EventMapping, parse
from warehouse_alike import assert_alike
from warehouse_engine import ACCESS
from warehouse_loader import Event

#: type and format -> possible sources of a column. Segment gives each property one column type.
SOURCES: dict[tuple[str, str | None], list[str]] = {
    ("string", None): ["sku", "code", "flag", "count", "value"],
    ("categories", None): ["shown", "products[].sku", "code", "flag", "count"],
    ("timestamp", None): ["when", "code"],
    ("timestamp", "date"): ["day", "code"],
    ("timestamp", "epoch_seconds"): ["count", "value", "code"],
    ("timestamp", "epoch_milliseconds"): ["count", "value", "code"],
    ("float", None): ["value", "count", "code", "flag"],
    ("double", None): ["code", "value", "when"],
    ("int", None): ["count", "code", "value"],
    ("long", None): ["code", "count", "value"],
    ("boolean", None): ["flag", "code"],
}
#: Where a column of a rule with `each` may come from.
ELEMENTS = [".", ".sku", ".price", ".count", ".flag", ".code"]
NUMBERS = [0, 2, -1.5, 19.99, 1e300, 2**53]
TESTS = st.one_of(
    st.builds(lambda flag: {"present": flag}, st.sampled_from([True, True, True, False])),
    st.builds(
        lambda texts: {"is": texts}, st.lists(st.sampled_from(["s1", "s2", "19.99", "[1", True, 2, 0, "x"]), min_size=1)
    ),
    st.dictionaries(st.sampled_from(["at_least", "above", "at_most", "below"]), st.sampled_from(NUMBERS), min_size=1),
)


@st.composite
def conditions(draw: st.DrawFn, root: str) -> dict[str, Any]:
    """Draw conditions of a rule that has some."""
    names = [f"{root}.{name}" for name in ("sku", "code", "flag", "count", "value", "nowhere")]
    names += ["context.user.id", "anonymousId", "type"]
    found = draw(st.dictionaries(st.sampled_from(names), TESTS, min_size=1, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        found[f"{root}.shown"] = {"present": draw(st.booleans())}
    return found


@st.composite
def fields(draw: st.DrawFn, root: str, more: dict[str, tuple[str, str | None]]) -> dict[str, Any]:
    """Draw optional columns of the types in `more`."""
    found = {}
    for name, (kind, format_) in more.items():
        paths = st.lists(st.sampled_from(SOURCES[kind, format_]), min_size=1, max_size=2, unique=True)
        found[name] = {"from": [f"{root}.{path}" for path in draw(paths)], "type": kind, "optional": True}
        if format_:
            found[name]["format"] = format_
    return found


KINDS = st.sampled_from(list(SOURCES))
#: Not floats, whose texts in a warehouse are others, and texts decide between values of the same instant.
PROFILE_KINDS = st.sampled_from([kind for kind in SOURCES if kind[0] not in ("float", "double")])


@st.composite
def rules(draw: st.DrawFn, types: list[str | None], more: dict[str, tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Draw the rules for a name; all but the last have conditions."""
    found = []
    for number, title in enumerate(types, start=1):
        rule: dict[str, Any] = {} if title is None else {"event_type": title}
        if number < len(types) or draw(st.booleans()):
            rule["when"] = draw(conditions("properties"))
        if draw(st.booleans()):
            rule["fields"] = draw(fields("properties", more))
        found.append(rule)
    return found


@st.composite
def mappings(draw: st.DrawFn) -> EventMapping:
    """Draw a mapping from the whole grammar."""
    more = {f"C{number}": draw(KINDS) for number in range(3)}
    some = draw(fields("properties", more))
    impression = ["properties.products[].sku", "properties.shown", "properties.sku"]
    value = draw(st.lists(st.sampled_from(["value", "price", "code", "flag"]), min_size=1, max_size=2, unique=True))
    time: dict[str, Any] = {"from": ["timestamp", "properties.when"]}
    if draw(st.integers(0, 3)) == 0:
        time = {"from": ["properties.count", "properties.code"], "format": "epoch_seconds"}
    each = {
        "event_type": "Buy",
        "each": "properties.products",
        "fields": {
            "ITEM_ID": {"from": [".sku", "."]},
            "EVENT_VALUE": {"from": [".price", ".code"]},
            "IMPRESSION": {"from": draw(st.permutations([".tags[].sku", ".tags", ".sku"]))},
            **{
                name: {"from": draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=2, unique=True))}
                for name in more
            },
        },
    }
    body: dict[str, Any] = {
        "version": 1,
        "interactions": {
            "fields": {
                "USER_ID": {"from": ["userId", "context.user.id", "anonymousId"]},
                "ITEM_ID": {"from": ["properties.sku", "properties.nested.sku"], "placeholders": draw(st.booleans())},
                "TIMESTAMP": time,
                "EVENT_VALUE": {"from": [f"properties.{name}" for name in value], "optional": True},
                "IMPRESSION": {"from": draw(st.permutations(impression))[:2], "optional": True},
                "CHANNEL": {"value": "web", "type": "string"},
                **some,
            },
            "track": {
                "Viewed": draw(rules(["View", "Watch"], more)),
                "Bought": [{"event_type": "Gift", "when": draw(conditions("properties"))}, each],
            },
            "page": {"Viewed": draw(rules(["View"], more))},
            "screen": {'Née "Q" \\ it\'s': {"event_type": "Watch"}},
        },
        "users": {
            "fields": {
                "USER_ID": {"from": ["userId"]},
                "LEVEL": {"value": 3, "type": "int"},
                **draw(fields("traits", {f"U{number}": draw(PROFILE_KINDS) for number in range(3)})),
            },
            "track": {"Viewed": {}},
        },
        "items": {
            "fields": {
                "ITEM_ID": {"from": ["properties.sku"]},
                "CREATION_TIMESTAMP": {"from": ["properties.when"], "optional": True},
                "ABOUT": {"from": ["properties.code"], "type": "string", "textual": True, "optional": True},
                **draw(fields("properties", {"I": draw(PROFILE_KINDS)})),
            },
            "track": {"Viewed": draw(rules([None, None], {}))},
        },
    }
    if draw(st.booleans()):
        body["interactions"]["visitors"] = draw(st.sampled_from(VISITORS))
    if draw(st.booleans()):
        body["interactions"]["fields"]["USER_ID"]["from"] = ["userId"]
    if draw(st.booleans()):
        body["users"]["when"] = draw(conditions("traits"))
    if draw(st.booleans()):
        body["interactions"]["any_page"] = draw(rules(["Watch", "View"], more))
    if draw(st.booleans()):
        body["items"]["any_screen"] = draw(rules([None], {}))
    return parse(json.dumps(body))


# A warehouse has no NUL; texts that are arrays are in LOST.
TEXTS = [one for one in STRINGS if "\0" not in one and one != "[1]"]
TEXTS += ["[", "[1", "[object Object]", "undefined", " \t\n\v\f\r", "null", "null ", "x" * 1001, "[" * 300, "x" * 1000]
CODES = [
    "19.99", "-4.2e1", "1e3", "42.0", "-0", "-0.0", "0", "5", "05", "+5", " 5", "5 ", "1,299.00", "1709251200",
    "1709251200123", "1e13", "9999999999", "10000000000", "-1", "9007199254740993", "9223372036854775808", "1e400",
    "-9223372036854775808", "9223372036854775807.0", "3.5e38", "true", "FALSE", "True ", "fal\u017fe", "2024-02-29",
    "2023-02-29", "0000-01-01", "2024-3-1", "a\r\nb\tc", "\n", "x" * 20_000, "x" * 20_001, "x" * 8000 + "\x07",
    "x" * 16_001 + "\x85",
]  # fmt: skip
DAYS = ["2024-03-01", "2024-02-30", "0001-01-01", "9999-12-31", "2024-03-01Z", "", "1"]
WHENS = [one for one in INSTANTS if not one.startswith(("0001-01-01", "9999-12-31"))]  # no timestamp of a warehouse
INTS = [-3, -1, 0, 1, 2, 3, 1709251200, 2**31 - 1, 2**31, -(2**31) - 1, 10**10, 10**13, 2**63 - 1, -(2**63)]
FLOATS = [0.5, -2.25, 19.9, 19.99, 1e300, 3.5e38, 1709251200.25, 1709251199999.75, 1e12 + 0.5]
#: The last ones are from a wrong clock.
STAMPS = ["2024-03-01T00:00:00.5Z", "2024-03-01T00:00:00.75Z", "2024-03-01T12:00:00Z"] * 4
STAMPS += ["2024-03-02T00:00:00.25Z", "2024-03-02T00:00:01Z", "2286-11-20T17:46:40Z", "9999-12-31T00:00:00Z"]
OLD = ["1969-12-31T23:59:59.999Z", "2024-02-29T23:59:59-23:59", None]


class Maker:
    """Makes events whose properties have one JSON type each, as a warehouse has it."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def _one_of(self, *makers: Callable[[], Any]) -> Any:
        return self.random.choice(makers)()

    def _text(self) -> str:
        return self.random.choice(TEXTS)

    def _an_id(self) -> str:
        return self.random.choice(["s1", "s2", "s3", "19.99"]) if self.random.random() < 0.8 else self._text()

    def _code(self) -> str:
        return self.random.choice([self.random.choice(CODES), self._text()])

    def _anything(self) -> Any:
        simple: list[Any] = [True, False, None, [], {"sku": "s1"}, 2**63, -(2**63) - 1]
        return self.random.choice([self._code(), *self.random.sample(INTS + FLOATS, 2), self.random.choice(simple)])

    def _array(self, maker: Callable[[], Any], most: int = 4) -> list[Any]:
        return [maker() for _ in range(self.random.randrange(most))]

    def _ids(self) -> Any:
        few = self._array(lambda: self._an_id() if self.random.random() < 0.8 else self._anything())
        many = [self.random.choice(["s1", 2, None, "undefined"]) for _ in range(self.random.randrange(24, 28))]
        return self.random.choice([few, few, many, self._an_id()])

    def _tags(self) -> Any:
        return self._one_of(self._ids, lambda: self._array(lambda: {"sku": self._one_of(self._an_id, self._anything)}))

    def _element(self) -> Any:
        if self.random.random() < 0.2:
            return self._one_of(self._an_id, self._anything)
        found = {"sku": self._an_id(), "tags": self._tags()}
        found |= {name: self._anything() for name in ("price", "count", "flag", "code")}
        return {name: value for name, value in found.items() if self.random.random() < 0.8}

    def _body(self) -> dict[str, Any]:
        found = {
            "sku": self._an_id(),
            "code": self._code(),
            "day": self.random.choice(DAYS),
            "when": self.random.choice(WHENS),
            "value": self.random.choice(FLOATS),
            "price": self.random.choice(FLOATS),
            "count": self.random.choice(INTS),
            "flag": self.random.choice([True, False]),
            "nested": {"sku": self._an_id()},
            "shown": self._ids(),
            "products": self._array(self._element),
        }
        return {name: value for name, value in found.items() if self.random.random() < 0.75}

    def event(self) -> Event:
        """Return an event. A rule of theirs alone has events of a call: members of the other calls stay behind."""
        random = self.random
        call = random.choice(["track", "track", "track", "page", "screen", "identify"])
        event: Event = {
            "type": call,
            "messageId": self._one_of(
                lambda: f"m{random.randrange(60)}", lambda: f"m{random.randrange(60)}", self._an_id
            ),
            "userId": random.choice([self._an_id(), "s1", "s2", None]),
            "timestamp": random.choice(STAMPS) if random.random() < 0.9 else random.choice(OLD),
            "receivedAt": random.choice(STAMPS[:2]) if random.random() < 0.9 else random.choice(OLD),
            "traits" if call == "identify" else "properties": self._body(),
        }
        if call == "track":
            event["event"] = random.choice(["Viewed", "Bought", "Viewed", "Bought", "viewed", "unknown"])
        elif call != "identify" and random.random() < 0.8:
            event["name"] = random.choice(["Viewed", 'Née "Q" \\ it\'s', "unknown"])
        if random.random() < 0.5:
            event["anonymousId"] = self._text()
        if random.random() < 0.5:
            event["context"] = {"user": {"id": self._an_id()}}
        return event


@pytest.mark.parametrize("dialect", list(ACCESS))
def test_generated_events_are_alike(dialect: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    written: list[int] = []

    @settings(max_examples=8)  # of many events each: what takes its time is the statement for their columns
    @given(mappings(), st.randoms(use_true_random=True))
    def check(mapping: EventMapping, random: Random) -> None:
        maker = Maker(random)
        folder = tmp_path_factory.mktemp("generated")
        write_log(folder / "log.json", [json.dumps(maker.event()).encode() for _ in range(200)])
        written.extend(map(len, assert_alike(dialect, mapping, folder).rows.values()))

    check()
    assert sum(written) > 200
