"""The mapping from `init` is valid and minimal, and produces rows for the logs."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize_segment.contract.avro import schema
from personalize_segment.contract.columns import MAX_EVENT_TYPES_AND_COLUMNS, MAX_METADATA
from personalize_segment.contract.lint import lint
from personalize_segment.contract.mapping import EventMapping, parse
from personalize_segment.contract.rows import rows
from personalize_segment.history.first_mapping import FirstMapping, first_mapping
from personalize_segment.history.shapes import Shapes

Event = dict[str, Any]


def event(number: int, title: str, call: str = "track", /, **properties: Any) -> Event:
    return {
        "type": call, "event" if call == "track" else "name": title, "messageId": f"m-{number}",
        "userId": f"u-{number % 7}", "anonymousId": f"a-{number % 9}", "timestamp": "2026-11-01T10:00:00.250Z",
        "receivedAt": "2026-11-01T10:00:01Z", "properties": properties,
    }  # fmt: skip


def identify(number: int, **traits: Any) -> Event:
    return {"type": "identify", "messageId": f"i-{number}", "userId": f"u-{number}", "traits": traits}


def made(events: list[Event]) -> FirstMapping:
    shapes = Shapes()
    for one in events:
        shapes.add(one)
    return first_mapping(shapes)


def mapped(events: list[Event]) -> EventMapping:
    mapping = parse(made(events).text())
    assert lint(mapping) == []
    return mapping


def event_types(mapping: EventMapping, events: list[Event]) -> Counter[str]:
    """Return the event types of the interactions that a mapping makes of events."""
    index = [column.name for column in mapping.datasets[0].columns].index("EVENT_TYPE")
    found = [row for one in events for row in rows(mapping, one)[0] if row.dataset.name == "interactions"]
    return Counter(str(row.values[index]) for row in found)


def types(document: dict[str, Any], dataset: str) -> dict[str, str]:
    fields = document[dataset]["fields"]
    return {name: field["type"] for name, field in fields.items() if "type" in field}


def woocommerce() -> list[Event]:
    """A WooCommerce plugin: names of v1, prices as text, `id` and an empty `sku`, orders whose `id` is the order's."""

    def product(number: int) -> dict[str, Any]:
        return {"id": 90 + number % 8, "sku": "", "name": f"Tee {number % 8}", "price": f"{10 + number % 8}.50",
                "category": ("Shirts", "Hats")[number % 2]}  # fmt: skip

    events = [event(number, "Viewed Product", **product(number)) for number in range(40)]
    events += [event(40 + number, "Added Product", quantity=number % 3, **product(number)) for number in range(20)]
    events += [event(60 + number, "Removed Product", **product(number)) for number in range(20)]
    for number in range(10):
        products = [product(number) | {"quantity": "1"}, product(number + 1) | {"quantity": "2"}]
        total = {"id": str(1000 + number), "total": "31.00", "products": products}
        events.append(event(80 + number, "Completed Order", **total))
    return [*events, event(90, "Page View", "page", url="/"), event(91, "Viewed Cart")]


def test_a_mapping_for_woocommerce() -> None:
    events = woocommerce()
    document = made(events).document
    assert document is not None
    assert document["interactions"]["fields"]["ITEM_ID"] == {"from": ["properties.id"]}
    assert document["interactions"]["track"]["Completed Order"] == {
        "event_type": "Purchase",
        "each": "properties.products",
        "fields": {"ITEM_ID": {"from": [".id"]}, "EVENT_VALUE": {"from": [".price"], "optional": True}},
    }
    assert types(document, "items") == {"CATEGORY": "categories", "PRICE": "float"}
    assert "users" not in document
    mapping = mapped(events)
    assert event_types(mapping, events) == {"View": 40, "AddToCart": 20, "Purchase": 20}
    prices = [row.values[4] for one in events for row in rows(mapping, one)[0] if "Purchase" in row.values]
    assert len(prices) == 20
    assert all(type(price) is float for price in prices)


def shopify() -> list[Event]:
    """A Shopify app: product ids, lists of tags, orders of which some have their product at the top."""
    events = []
    for number in range(60):
        product = {
            "product_id": f"41690{number % 12}", "variant": f"v{number}", "brand": ("Nord", "Sud")[number % 12 % 2],
            "price": 20 + number % 12, "tags": [["new", "sale"], ["sale"]][number % 12 % 2], "url": f"https://x/{number}",
        }  # fmt: skip
        events.append(event(number, "Product Viewed", **product))
        events.append(event(100 + number, "product_added", **product, cart_id=f"c{number}", position=number))
        if number % 3:
            events.append(event(200 + number, "Order Completed", order_id=f"o{number}", products=[product, product]))
        else:
            events.append(event(200 + number, "Order Completed", order_id=f"o{number}", revenue="7", **product))
        events.append(identify(number, email=f"{number}@example.com", plan=("free", "pro")[number % 2], age=20 + number,
                               vip=number % 2 == 0, address={"country": ("DE", "FR", "US")[number % 3], "zip": "1"},
                               created_at="2026-01-01T00:00:00Z", likes=["a", "b"]))  # fmt: skip
    return events


def test_a_mapping_for_shopify() -> None:
    events = shopify()
    document = made(events).document
    assert document is not None
    first, second = document["interactions"]["track"]["Order Completed"]
    assert first["when"] == {"properties.products": {"present": True}}
    assert first["fields"]["ITEM_ID"] == {"from": [".product_id"]}
    assert second == {
        "event_type": "Purchase",
        "fields": {"EVENT_VALUE": {"from": ["properties.price"], "optional": True}},
    }
    assert document["interactions"]["track"]["product_added"] == {"event_type": "AddToCart"}
    assert types(document, "items") == {"BRAND": "string", "PRICE": "float", "TAGS": "categories"}
    assert types(document, "users") == {
        "AGE": "float", "COUNTRY": "string", "LIKES": "categories", "PLAN": "string", "VIP": "boolean",
    }  # fmt: skip
    assert event_types(mapped(events), events) == {"View": 60, "AddToCart": 60, "Purchase": 100}


def edx() -> list[Event]:
    """Open edX: dotted names of events, courses for items, no products."""
    names = ("edx.course.enrollment.activated", "edx.course.enrollment.deactivated", "edx.video.played", "edx.bi.ping")
    events = []
    for number in range(80):
        course = {"course_id": f"course-v1:X+{number % 5}", "mode": ("audit", "verified")[number % 5 % 2], "label": "x"}
        events.append(event(number, names[number % 4], **(course if number % 4 < 3 else {})))
        order = {
            "orderId": f"EDX-{number}",
            "total": "49.00",
            "products": [{"id": f"course-v1:X+{number % 5}", "price": "49.00"}],
        }
        events += [event(100 + number, "Order Completed", **order)] if number % 8 == 0 else []
    return events


def test_a_mapping_for_edx() -> None:
    events = edx()
    document = made(events).document
    assert document is not None
    assert document["interactions"]["fields"]["ITEM_ID"] == {"from": ["properties.course_id"]}
    assert types(document, "items") == {"MODE": "string"}
    assert event_types(mapped(events), events) == {"Enroll": 20, "Watch": 20, "Purchase": 10}


def test_pages_about_items_are_views_unless_track_events_are() -> None:
    pages = [
        event(number, f"Item {number}", "page", item_id=number % 5, brand="ab"[number % 5 % 2]) for number in range(20)
    ]
    pages += [event(50, "Home", "page", path="/")]
    document = made(pages).document
    assert document is not None
    assert document["interactions"]["any_page"] == {
        "event_type": "View",
        "when": {"properties.item_id": {"present": True}},
        "fields": {"ITEM_ID": {"from": ["properties.item_id"]}},
    }
    assert event_types(mapped(pages), pages) == {"View": 20}
    few = [event(number, "Item", "screen", item_id=number) for number in range(5)]
    assert event_types(mapped(few), few) == {"View": 5}
    both = pages + [event(100 + number, "Product Viewed", product_id=number) for number in range(5)]
    assert event_types(mapped(both), both) == {"View": 5}


def test_visitors_count_where_nobody_has_a_user_id_and_receivedat_where_a_timestamp_is_missing() -> None:
    events = [event(number, "Product Viewed", sku=number) | {"userId": None, "timestamp": ""} for number in range(5)]
    fields = mapped(events).datasets[0].rules[0].sources
    assert [[str(path) for path in source.paths] for source in fields[:3]] == [  # type: ignore[union-attr]
        ["userId", "anonymousId"], ["properties.sku"], ["timestamp", "receivedAt"],
    ]  # fmt: skip
    assert event_types(mapped(events), events) == {"View": 5}


def test_no_more_event_types_and_columns_than_personalize_takes() -> None:
    verbs = (
        "Viewed",
        "Clicked",
        "Shared",
        "Rated",
        "Liked",
        "Downloaded",
        "Played",
        "Enrolled",
        "Bought",
        "Bookmarked",
    )
    events = [
        event(number, f"Thing {verb}", product_id=number, price=number)
        for rank, verb in enumerate(verbs)
        for number in range(20 - rank)
    ]
    events += [event(0, "Product Viewed", product_id=1, **{f"size{n}": "ab"[n % 2] for n in range(150)})] * 20
    events += [identify(number, **{f"trait {n}": number % 2 for n in range(60)}) for number in range(20)]
    mapping = mapped(events)
    counted = len(event_types(mapping, events)) + any(c.name == "EVENT_VALUE" for c in mapping.datasets[0].columns)
    assert counted <= MAX_EVENT_TYPES_AND_COLUMNS
    assert "left out: more event types than Personalize takes" in [note for _, note in made(events).notes]
    for dataset in mapping.datasets:
        assert len(dataset.columns) <= MAX_METADATA[dataset.name] + 8
        assert len(json.dumps(schema(dataset))) < 20_000


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event(1, "Signed Up", plan="pro")],
        [event(1, "Order Cancelled", products=[{"product_id": 1}]), event(2, "Product Removed", product_id=1)],
        [event(1, "Product Viewed", product_id="undefined"), event(2, "Product Viewed")],
        [identify(1, plan="pro")],
        [event(1, "Thing Happened", product_id=7)],
    ],
)
def test_without_an_interaction_with_an_item_nothing_is_made(events: list[Event]) -> None:
    assert made(events).document is None


def test_each_choice_has_a_note() -> None:
    notes = dict(
        made([*shopify(), event(1, "Gift Wrapped", product_id=3), event(2, "Order Refunded", product_id=3)]).notes
    )
    assert notes['$.interactions.track["Product Viewed"]'] == (
        "mapped to View, as Product Viewed in the default mapping. "
        "ITEM_ID is at properties.product_id in 100% of 60 events."
    )
    assert " If it is an interaction, add the rule " in notes['$.interactions.track["Gift Wrapped"]']
    assert (
        "left out: it undoes an action or reports a failure. ITEM_ID is at"
        in notes['$.interactions.track["Order Refunded"]']
    )
    assert notes["$.interactions.fields.USER_ID"].startswith("100% of the events have a userId, 100% an anonymousId")
    assert notes["$.users.fields.PLAN"] == "traits.plan: string, 2 values, in 100%"


def bookshop() -> list[Event]:
    """Books under unknown keys: numbers under `book`, and in arrays of objects."""
    events = [event(n, "Book Opened", book_id=100 + n % 12, sku=f"s{n % 12}" if n % 2 else "") for n in range(40)]
    del events[1]["properties"]["book_id"]
    events += [event(100 + n, "Basket Add", book=100 + n % 12, quantity=1 + n % 3) for n in range(24)]
    for n in range(12):
        lines = [{"book": 100 + n % 12, "price": "12.50"}, {"book": 100 + (n + 1) % 12, "price": "7"}]
        events.append(event(200 + n, "Checkout Done", order_id=100 + n, line_items=lines))
        events.append(event(300 + n, "Gift Wrapped", gifts=[{"novel": 100 + n}]))
        events.append(event(400 + n, "Help Asked", order_id=100 + n, rating=n % 5))
    return events


def test_the_note_on_an_event_that_is_left_out_has_the_rule_to_paste() -> None:
    events = bookshop()
    found = made(events)
    notes = dict(found.notes)
    assert found.document is not None
    assert list(found.document["interactions"]["track"]) == ["Book Opened"]
    for name, rule in {
        "Basket Add": {"event_type": "AddToCart", "fields": {"ITEM_ID": {"from": ["properties.book"]}}},
        "Checkout Done": {"event_type": "Checkout Done", "each": "properties.line_items",
                          "fields": {"ITEM_ID": {"from": [".book"]}}},
        "Gift Wrapped": {"event_type": "Gift Wrapped", "each": "properties.gifts",
                         "fields": {"ITEM_ID": {"from": [".novel"]}}},
    }.items():  # fmt: skip
        told = notes[f"$.interactions.track[{json.dumps(name)}]"]
        assert "left out. Values that are items' ids in other events are at " in told
        pasted = json.loads("{" + told.partition(" add the rule ")[2] + "}")
        assert pasted == {name: rule}
        found.document["interactions"]["track"] |= pasted
    mapping = parse(found.text())
    assert lint(mapping) == []
    assert event_types(mapping, events) == {"View": 40, "AddToCart": 24, "Checkout Done": 24, "Gift Wrapped": 12}
    # Neither an order's id nor a rating is an item's.
    assert '$.interactions.track["Help Asked"]' not in notes


def test_a_path_that_stands_in_for_another_has_a_reason() -> None:
    notes = dict(made(bookshop()).notes)
    assert notes['$.interactions.track["Book Opened"]'] == (
        "mapped to View because of its name. ITEM_ID is at properties.book_id in 98% of 40 events, "
        "otherwise at properties.sku. If these are different ids, keep one."
    )
    pages = [event(n, "Book", "page", book_id=n) for n in range(9)] + [event(9, "Book", "page", sku="s")]
    assert dict(made(pages).notes)["$.interactions.page"] == (
        "mapped to View. 10 page events have an item's id. Book: at properties.book_id, "
        "otherwise at properties.sku. If these are different ids, keep one."
    )
    events = [event(n, "Book Opened", book_id=n % 4, **{("page_size", "pageSize")[n % 2]: n % 4}) for n in range(40)]
    assert ("$.items.fields.PAGE_SIZE", "otherwise properties.page_size: nearly the same name") in made(events).notes


def test_names_that_are_nearly_the_same_and_prices_that_are_no_numbers_are_noted() -> None:
    events = [event(number, "Tea Viewed", item_id=number % 3, price="1,299.00") for number in range(4)]
    events += [event(number, "Tea Viewed ", item_id=number % 3, price="9.50") for number in range(6)]
    notes = dict(made(events).notes)
    told = notes['$.interactions.track["Tea Viewed"]']
    assert told.endswith(' The name differs from "Tea Viewed " in a trailing space.')
    assert "differs" not in notes['$.interactions.track["Tea Viewed "]']
    assert notes["$.items.fields.PRICE"] == (
        "properties.price: float, a number 6 times, but 4 others aren't; "
        "4 only looked like one: 1,299.00 has a comma: send 1299.00, in 100%"
    )


@pytest.mark.parametrize("price", ["{},50", "€{}", "{} EUR", " {}.00", "1.00{},9"])
@pytest.mark.parametrize("key", ["price", "cover_charge"])
def test_texts_that_look_like_numbers_never_become_a_category(price: str, key: str) -> None:
    events = [
        event(
            number, "Product Viewed", product_id=number % 4, brand="ab"[number % 2], **{key: price.format(number % 4)}
        )
        for number in range(24)
    ]
    found = made(events)
    assert found.document is not None
    assert types(found.document, "items") == {"BRAND": "string"}
    (note,) = (said for place, said in found.notes if said.startswith(f"left out properties.{key}"))
    assert "24 only looked like one: " in note
    for one in events[::4]:
        one["properties"][key] = "12.50"
    assert made(events).document["items"]["fields"][key.upper()]["type"] == "float"  # type: ignore[index]


def test_at_a_known_price_one_text_that_looks_like_a_number_is_enough() -> None:
    prices = ["12,50", *["on request", "free"] * 5]
    events = [event(n, "Product Viewed", product_id=n, brand="a", price=price) for n, price in enumerate(prices)]
    advice = "no value is a number; 1 only looked like one: 12,50 has a comma: send 12.50"
    assert ("$.items", f"left out properties.price: {advice}") in made(events).notes
    assert "PRICE" in types(made(events[1:]).document or {}, "items")


def test_a_purchase_whose_prices_only_look_like_numbers_says_how_to_send_them() -> None:
    events = [event(number, "Product Purchased", product_id=number % 3, price=f"{number},50") for number in range(1, 7)]
    assert "no EVENT_VALUE: no price is a number; 6 only looked like one: 1,50 has a comma: send 1.50" in [
        note for _, note in made(events).notes
    ]


def test_a_rare_name_with_a_typo_is_noted_also_where_its_words_say_nothing() -> None:
    events = [event(number, "Book Opened", book_id=number % 3) for number in range(20)]
    events += [event(number, "Book Opend", book_id=number % 3) for number in range(2)]
    events += [event(number, "Boook Opened", book_id=number % 3) for number in range(3)]
    notes = dict(made(events).notes)
    rule = '{"event_type": "View", "fields": {"ITEM_ID": {"from": ["properties.book_id"]}}}'
    told = notes['$.interactions.track["Book Opend"]']
    pasted = f'If it is an interaction, add the rule "Book Opend": {rule}'
    assert told.endswith(f' The name differs from "Book Opened" in a letter. {pasted}')
    # It isn't much rarer.
    assert "differs" not in notes['$.interactions.track["Boook Opened"]']


def test_ids_that_no_other_event_has_are_noted() -> None:
    events = [event(number, "Product Viewed", product_id=f"p{number}") for number in range(5)]
    events += [event(9, "Order Completed", products=[{"sku": "s"}])]
    assert any("none of its items' ids occurs in another event" in note for _, note in made(events).notes)


NAMES = st.one_of(
    st.sampled_from(["Product Viewed", "Order Completed", "Thing Liked", "*", "", "e\u0301", "a\0", "x" * 300]),
    st.text(max_size=5),
)
KEYS = st.one_of(
    st.sampled_from(
        ["product_id", "id", "sku", "products", "price", "category", "a.b", "x[0]", "*", "user id", "USER_ID"]
    ),
    st.text(max_size=3),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["undefined", "1.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=6,
)
EVENTS = st.builds(
    lambda call, name, properties, more: {"type": call, "event": name, "name": name, "properties": properties, **more},
    st.sampled_from(["track", "track", "page", "screen", "identify", "group"]),
    NAMES,
    # Most have an item's id, so that there is a mapping.
    st.builds(lambda own, id_: {"product_id": id_} | own, st.dictionaries(KEYS, VALUES, max_size=6), st.integers(1, 3))
    | VALUES,
    st.fixed_dictionaries(
        {}, optional={"userId": VALUES, "traits": st.dictionaries(KEYS, VALUES, max_size=4), "timestamp": VALUES}
    ),
)


@given(st.lists(EVENTS, max_size=12))
def test_whatever_logs_hold_the_mapping_is_valid_and_has_nothing_in_vain(events: list[Event]) -> None:
    mapping = made(events)
    assert mapping.document is None or lint(parse(mapping.text())) == []
