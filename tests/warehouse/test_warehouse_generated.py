"""A warehouse gives the rows and counts that `rows()` gives of generated events.

Left out is what a warehouse does not know any more: see LOST in test_warehouse_golden.py.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awkward import INSTANTS, STRINGS
from engines import python_rows, write_log
from personalize_segment.contract.mapping import parse
from personalize_segment.errors import WarehouseError
from warehouse_alike import assert_alike
from warehouse_engine import ACCESS
from warehouse_loader import Event

#: Every type, from the event and from an element; one JSON type a property, as a warehouse has it.
TYPED = parse(
    json.dumps(
        {
            "version": 1,
            "interactions": {
                "fields": {
                    "USER_ID": {"from": ["userId", "context.user.id", "anonymousId"]},
                    "ITEM_ID": {"from": ["properties.sku", "properties.nested.sku"]},
                    "TIMESTAMP": {"from": ["timestamp", "properties.when"]},
                    "EVENT_VALUE": {"from": ["properties.value", "properties.price"], "optional": True},
                    "IMPRESSION": {"from": ["properties.shown"], "optional": True},
                    "FLAG": {"from": ["properties.flag"], "type": "boolean", "optional": True},
                    "SMALL": {"from": ["properties.count"], "type": "int", "optional": True},
                    "LARGE": {"from": ["properties.count"], "type": "long", "optional": True},
                },
                "track": {
                    "Viewed": {"event_type": "View"},
                    "Bought": {
                        "each": "properties.products",
                        "fields": {
                            "ITEM_ID": {"from": [".sku", "."]},
                            "EVENT_VALUE": {"from": [".price", "properties.price"]},
                            "SMALL": {"from": [".count"]},
                            "FLAG": {"from": [".flag"]},
                        },
                    },
                },
                "page": {"Viewed": {"event_type": "View"}},
                "screen": {'Née "Q" \\ it\'s': {"fields": {"FLAG": {"from": ["properties.flag"], "optional": False}}}},
            },
            "users": {
                "fields": {
                    "USER_ID": {"from": ["userId"]},
                    "SCORE": {"from": ["traits.value"], "type": "double", "optional": True},
                    "SEEN": {"from": ["traits.when"], "type": "timestamp", "optional": True},
                    "PLAN": {"from": ["traits.sku", "traits.count"], "type": "string", "optional": True},
                },
                "track": {"Viewed": {"fields": {"PLAN": {"from": ["properties.flag", "type"], "optional": True}}}},
            },
        }
    )
)
# A warehouse has no NUL; texts that look like arrays are in LOST.
texts = st.one_of(
    st.sampled_from(["s1", "s2", *(one for one in STRINGS if "\0" not in one and not one.startswith("["))]),
    st.text(max_size=4).filter(lambda one: "\0" not in one and not one.startswith("[")),
)
whens = st.sampled_from(
    [one for one in INSTANTS if not one.startswith(("0001-01-01", "9999-12-31"))]  # CALENDAR
)
mostly_ids = st.one_of(st.sampled_from(["s1", "s2", "s3"]), texts)
ints = st.one_of(st.integers(-3, 3), st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]))
floats = st.one_of(
    st.sampled_from([0.5, -2.25, 19.9, 1e300, 3.5e38]), st.floats(-1e6, 1e6).filter(lambda x: x % 1 != 0)
)
anything = st.one_of(texts, ints, floats, st.booleans(), st.none(), st.just([]), st.just({"sku": "s1"}))
elements = st.one_of(
    mostly_ids,
    anything,
    st.fixed_dictionaries(
        {}, optional={"sku": st.one_of(mostly_ids, anything), "price": anything, "count": anything, "flag": anything}
    ),
)
members = {
    "sku": mostly_ids,
    "when": whens,
    "value": floats,
    "price": floats,
    "count": ints,
    "flag": st.booleans(),
    "nested": st.fixed_dictionaries({}, optional={"sku": mostly_ids}),
    "shown": st.lists(st.one_of(mostly_ids, mostly_ids, anything), max_size=3)
    | st.lists(mostly_ids, min_size=24, max_size=27),
    "products": st.lists(elements, max_size=4),
}
bodies = st.fixed_dictionaries(
    {}, optional={name: st.one_of(one, one, one, st.none()) for name, one in members.items()}
)
usually_ids = st.one_of(*[st.sampled_from(["s1", "s2", "s3"])] * 4, texts, st.none())
stamps = ["2024-03-01T00:00:00.5Z", "1969-12-31T23:59:59.999Z", "2024-02-29T23:59:59-23:59", None]
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "track", "track", "page", "screen", "identify"]),
        "event": st.sampled_from(["Viewed", "Bought", "Viewed", "Bought", "viewed", "unknown"]),
        "messageId": st.one_of(st.sampled_from([f"m{number}" for number in range(12)]), usually_ids),
        "userId": usually_ids,
        "timestamp": st.sampled_from(stamps),
        "properties": bodies,
        "traits": bodies,
    },
    optional={
        "name": st.sampled_from(["Viewed", 'Née "Q" \\ it\'s', "unknown"]),
        "anonymousId": texts,
        "context": st.fixed_dictionaries({"user": st.fixed_dictionaries({}, optional={"id": mostly_ids})}),
    },
)


@pytest.mark.parametrize("dialect", list(ACCESS))
def test_generated_events_are_alike(dialect: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=8)  # of many events each: what takes its time is the statement for their columns
    @given(st.lists(events, min_size=30, max_size=80))
    def check(log: list[Event]) -> None:
        for event in log:  # a rule of theirs alone has events of a call: members of the other calls stay behind
            if event["type"] != "track":
                event.pop("event")
            if event["type"] in ("track", "identify"):
                event.pop("name", None)
            event.pop("properties" if event["type"] == "identify" else "traits", None)
        folder = tmp_path_factory.mktemp("generated")
        write_log(folder / "log.json", [json.dumps(event).encode() for event in log])
        try:
            assert_alike(dialect, TYPED, folder)
        except WarehouseError:  # there is no table to read
            assert not any(python_rows(folder, TYPED).rows.values())

    check()
