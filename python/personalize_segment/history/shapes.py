"""The shapes of events in logs: the keys of each kind of event, and the possible types of their values.

`contract.rows` decides whether a value is an id, a number or a category. Distinct values are counted up to a limit, so
the number of kinds and keys determines the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..contract import names, strict_json
from ..contract.columns import MAX_ELEMENTS
from ..contract.numbers import advice
from ..contract.rows import DOMAINS, describe, id_text, text
from ..errors import MappingError

#: Maximum distinct values per key, and items whose values are compared.
MAX_DISTINCT = 1000
MAX_KINDS = 1000
MAX_KEYS = 200
_MAX_OTHERS = 5
_DEPTH = 3

#: Keys of an item's id in lower case without punctuation, the best first.
ITEM_KEYS = (
    "productid", "itemid", "contentassetid", "assetid", "contentid", "articleid", "courseid", "videoid", "movieid",
    "showid", "episodeid", "bookid", "songid", "trackid", "listingid", "recipeid", "postid", "id", "sku",
    "shopifyproductid", "variantid",
)  # fmt: skip
#: Objects whose `id` or `sku` is an item's id.
_NOUNS = frozenset(key.removesuffix("id") for key in ITEM_KEYS if key.endswith("id") and key != "id")
#: Arrays of items or of item ids in an event's properties.
ARRAYS = ("products", "items", "lineitems", "contentassetids", "productids", "itemids", "assetids")

Keys = tuple[str, ...]


@dataclass(slots=True)
class Held:
    """The values of a key: how many, and how many in each domain."""

    count: int = 0
    ids: int = 0
    numbers: int = 0
    #: Texts that look like numbers, and advice on how to send one of them.
    nearly: int = 0
    advice: str | None = None
    booleans: int = 0
    texts: int = 0
    lists: int = 0
    distinct: set[str] = field(default_factory=set)
    #: The first value for each item, and how often later values equal it or differ.
    of_item: dict[str, str] = field(default_factory=dict)
    same: int = 0
    other: int = 0

    def add(self, value: Any, item: str | None) -> None:
        """Count a value in an event about `item`."""
        is_list = type(value) is list
        categories = DOMAINS["categories"](value) if is_list else None
        as_text = DOMAINS["string"](value)
        if is_list and not value:
            return
        if type(value) is str and id_text(value) is None and len(value) <= 20:
            return  # a placeholder
        self.count += 1
        self.ids += id_text(value) is not None
        self.numbers += DOMAINS["float"](value) is not None
        if (told := advice(value)) is not None:
            self.nearly += 1
            self.advice = self.advice or told
        self.booleans += DOMAINS["boolean"](value) is not None
        self.texts += as_text is not None
        self.lists += categories is not None
        for one in categories or ([] if as_text is None else [as_text]):
            if len(self.distinct) < MAX_DISTINCT:
                self.distinct.add(one)
        shown = text(categories) if categories else as_text
        if item is None or shown is None:
            return
        if item not in self.of_item:
            if len(self.of_item) < MAX_DISTINCT:
                self.of_item[item] = shown
        elif self.of_item[item] == shown:
            self.same += 1
        else:
            self.other += 1

    def merge(self, held: "Held") -> None:
        """Add the values of the same key in other events."""
        for name in ("count", "ids", "numbers", "nearly", "booleans", "texts", "lists", "same", "other"):
            setattr(self, name, getattr(self, name) + getattr(held, name))
        self.advice = self.advice or held.advice
        self.distinct |= held.distinct
        for item, value in held.of_item.items():
            if item in self.of_item:
                self.same += self.of_item[item] == value
                self.other += self.of_item[item] != value
            elif len(self.of_item) < MAX_DISTINCT:
                self.of_item[item] = value


@dataclass(slots=True)
class Shape:
    """Objects of one kind: how many, and the values of their keys."""

    count: int = 0
    keys: dict[Keys, Held] = field(default_factory=dict)

    def add(self, value: Any) -> None:
        """Count an object. Any other value counts as an object without keys, with the value at ()."""
        self.count += 1
        if type(value) is not dict:
            self.keys.setdefault((), Held()).add(value, None)
            return
        found = list(leaves(value))
        ids = sorted((rank, str(one)) for keys, one in found if (rank := item_rank(keys)) is not None)
        for keys, one in found:
            if keys in self.keys or len(self.keys) < MAX_KEYS:
                self.keys.setdefault(keys, Held()).add(one, ids[0][1] if ids else None)

    def merge(self, shape: "Shape") -> None:
        """Add the objects of another shape."""
        self.count += shape.count
        for keys, held in shape.keys.items():
            self.keys.setdefault(keys, Held()).merge(held)

    def item_keys(self, *, least: float, skip: frozenset[str] = frozenset()) -> list[Keys]:
        """Return the keys of an item's id, the best first: one in at least `least` of the objects, and its fallbacks.

        `skip` has last segments, folded, that aren't an item's id here.
        """
        ranked = sorted(
            (item_rank(keys) or 0, keys)
            for keys, held in self.keys.items()
            if item_rank(keys) is not None and held.ids and not (keys and names.fold(keys[-1]) in skip)
        )
        good = [index for index, (_, keys) in enumerate(ranked) if self.keys[keys].ids >= least * self.count]
        if not good:
            return []
        chosen = [keys for _, keys in ranked[good[0] :]]
        return chosen[:1] if self.keys[chosen[0]].ids == self.count else chosen[:3]


@dataclass(slots=True)
class Kind:
    """The events of one call and name: those with an array of items, by its key, and those without one."""

    events: int = 0
    plain: Shape = field(default_factory=Shape)
    listed: dict[str, Shape] = field(default_factory=dict)
    elements: dict[str, Shape] = field(default_factory=dict)
    #: The elements of other arrays of objects.
    others: dict[str, Shape] = field(default_factory=dict)

    def every(self) -> Shape:
        """Return the properties of all events."""
        shape = Shape()
        for one in (self.plain, *self.listed.values()):
            shape.merge(one)
        return shape


@dataclass(slots=True)
class Shapes:
    """The kinds of events in logs, and the presence of their users and times."""

    events: int = 0
    users: int = 0
    anonymous: int = 0
    timestamps: int = 0
    received: int = 0
    kinds: dict[tuple[str, str | None], Kind] = field(default_factory=dict)
    traits: Shape = field(default_factory=Shape)

    def add(self, event: dict[str, Any] | None) -> None:
        """Count an event. None is a malformed line, which isn't counted."""
        if event is None:
            return
        call, name = describe(event)
        if call == "identify":
            if name is None and id_text(event.get("userId")) is not None and type(event.get("traits")) is dict:
                self.traits.add(event["traits"])
            return
        properties = event.get("properties")
        if call not in ("track", "page", "screen") or type(properties) is not dict or (name and not _is_plain(name)):
            return
        key = call, name
        if key not in self.kinds and len(self.kinds) >= MAX_KINDS:
            return
        self.events += 1
        self.users += id_text(event.get("userId")) is not None
        self.anonymous += id_text(event.get("anonymousId")) is not None
        self.timestamps += DOMAINS["iso"](event.get("timestamp")) is not None
        self.received += DOMAINS["iso"](event.get("receivedAt")) is not None
        kind = self.kinds.setdefault(key, Kind())
        kind.events += 1
        array = next((one for one, held in properties.items() if _is_array(one, held)), None)
        for key, held in properties.items():
            if key == array or type(held) is not list or not held or type(held[0]) is not dict or not _is_key(key):
                continue
            if key in kind.others or len(kind.others) < _MAX_OTHERS:
                for element in held[:MAX_ELEMENTS]:
                    kind.others.setdefault(key, Shape()).add(element)
        if array is None:
            kind.plain.add(properties)
            return
        kind.listed.setdefault(array, Shape()).add(properties)
        for element in properties[array][:MAX_ELEMENTS]:
            kind.elements.setdefault(array, Shape()).add(element)


def _is_array(key: str, value: Any) -> bool:
    return type(value) is list and bool(value) and names.fold(key) in ARRAYS and _is_plain(key)


def item_rank(keys: Keys) -> int | None:
    """Return the rank of keys in ITEM_KEYS, None if they don't lead to an item's id. () is an element itself."""
    if not keys:
        return 0
    last = names.fold(keys[-1])
    if last not in ITEM_KEYS or len(keys) > 2:
        return None
    if len(keys) == 2 and not (
        last in ("id", "sku", *(f"{noun}id" for noun in _NOUNS)) and names.fold(keys[0]) in _NOUNS
    ):
        return None
    return ITEM_KEYS.index(last) + (100 if len(keys) == 2 else 0)


def leaves(value: dict[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield the values of an object that aren't objects, with their keys. Skips keys that a path can't name."""
    for key, one in value.items():
        if one is None or not _is_key(key):
            continue
        keys = (*above, key)
        if type(one) is not dict:
            yield keys, one
        elif len(keys) < _DEPTH:
            yield from leaves(one, keys)


def _is_key(key: str) -> bool:
    """Return whether a path can name the key."""
    return _is_plain(key) and not any(letter in key for letter in ".[]*\\")


def _is_plain(name: str) -> bool:
    """Return whether a mapping can use the name."""
    try:
        strict_json.check(name)
    except MappingError:
        return False
    return 0 < len(name) <= 256 and name != "*"
