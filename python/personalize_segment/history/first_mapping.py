"""Propose a first event mapping from logs, with a note for each choice. `init` writes it as a starting point.

Names of the default mapping keep their meaning. Other events count if their name tells the event type and they have an
item's id. The notes propose the rest.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..contract import json_schema, names
from ..contract.columns import MAX_EVENT_TYPES_AND_COLUMNS, NAME, RESERVED
from ..contract.mapping import EDITORS, Constant, default_text, parse
from ..contract.strict_json import member
from ..errors import number
from .shapes import Held, Keys, Kind, Shape, Shapes

#: Minimum share of the events that have an item's id, and of the events with a value for a column.
_ID_SHARE = 0.5
_COLUMN_SHARE = 0.1
#: Maximum values of a category whose name doesn't identify it as one.
_MAX_CATEGORIES = 100
#: Maximum pages with a rule for each name. With more, one rule covers any name.
_MAX_PAGES = 3
#: Minimum ids in common with other events that identify a key as an item's id. Fewer may be a coincidence.
_COMMON_IDS = 10
#: Maximum notes on events that have an item's id, but aren't interactions.
_MAX_PROPOSED = 15

#: How many times as frequent a name must be for a similar one to count as its typo.
_TYPO_TIMES = 10

#: Characters of a line of the JSON, without its indentation and key.
_LINE = 96
#: Maximum columns of users, and of items. A person can't check more.
_MAX_COLUMNS = 25


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: An event that reverts an action or reports a failure must not count, because Personalize can't undo an interaction.
_UNDONE = _set(
    "removed remove refunded refund cancelled canceled cancel returned return deleted delete unsubscribed unliked "
    "disliked hidden failed error abandoned unenrolled deactivated expired"
)
#: Event type -> sets of words. A name needs a word of each set, and the first match counts.
_TYPES = (
    ("Purchase", _set("purchase purchased bought paid sold")),
    ("Purchase", _set("order transaction"), _set("completed complete placed created confirmed")),
    ("AddToWishlist", _set("wishlist favorite favorited favourite favourited bookmark bookmarked")),
    ("AddToCart", _set("cart basket bag product item"), _set("add added")),
    ("Enroll", _set("enroll enrolled enrollment enrolment")),
    ("Watch", _set("watched play played streamed")),
    ("Watch", _set("video movie episode"), _set("start started")),
    ("Share", _set("share shared")),
    ("Rate", _set("rate rated rating review reviewed")),
    ("Like", _set("like liked")),
    ("Download", _set("download downloaded")),
    ("Click", _set("click clicked tap tapped selected")),
    ("View", _set("view viewed visited opened seen read")),
)
_PRICES = ("price", "unitprice", "saleprice", "amount")
_ORDER_VALUES = (*_PRICES, "revenue", "total", "value")
_CATEGORIES = _set(
    "category categories genre genres tags tag brand vendor manufacturer color colour size producttype department "
    "season language format subject level"
)
_LISTS = _set("category categories genre genres tags")
#: Traits that identify a person, and properties that belong to an event instead of its item, whatever their values.
_PERSONAL = _set(
    "email name firstname lastname fullname phone mobile username id avatar title street address address1 address2 "
    "line1 line2 birthday birthdate dateofbirth ip password description website fax postalcode zip zipcode "
    "latitude longitude lat lng"
)
_PASSING = _set(
    "name title description url imageurl image quantity position coupon currency value revenue total query rank "
    "index referrer list path search discount tax shipping subtotal email label noninteraction"
)
#: Ids and numbers that may look like an item's, but aren't.
_NO_ITEMS = _PASSING | _set(
    "orderid cartid checkoutid userid customerid sessionid categoryid listid storeid shopid sellerid paymentid "
    "transactionid price amount year age rating"
)
_ENDS = ("id", "ids", "url", "sku", "name", "handle", "at", "date", "token", "email", "phone", "hash")


@dataclass(slots=True)
class FirstMapping:
    """The JSON document, None if no event looks like an interaction, and notes on each choice: place, reason."""

    document: dict[str, Any] | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return the document, formatted for people."""
        return _written(self.document) + "\n"


def _written(value: Any, indent: int = 0) -> str:
    """Return JSON with a line for each field and rule, in the usual layout."""
    line = json.dumps(value, ensure_ascii=False)
    if type(value) is list and any(type(one) is dict for one in value):
        inner = [f"{' ' * (indent + 2)}{_written(one, indent + 2)}" for one in value]
        return "[\n" + ",\n".join(inner) + f"\n{' ' * indent}]" if len(line) > _LINE else line
    if type(value) is not dict or (indent > 4 and len(line) <= _LINE):
        return line
    members = [
        f"{' ' * (indent + 2)}{json.dumps(key, ensure_ascii=False)}: {_written(one, indent + 2)}"
        for key, one in value.items()
    ]
    return "{\n" + ",\n".join(members) + f"\n{' ' * indent}}}"


@dataclass(slots=True)
class _Choice:
    """An event that counts, and the place of its item's id: in the event, or in the elements of an array."""

    call: str
    name: str
    event_type: str
    kind: Kind
    item: list[Keys] = field(default_factory=list)
    array: str | None = None
    element: list[Keys] = field(default_factory=list)
    found: str = "ITEM_ID is"

    @property
    def elements(self) -> Shape:
        """The elements of the array."""
        array = self.array or ""
        return self.kind.elements.get(array) or self.kind.others[array]

    @property
    def at(self) -> str:
        return f".{self.call}{member(self.name)}"


def first_mapping(shapes: Shapes) -> FirstMapping:
    """Return a mapping for logs with these shapes. It is valid, and `lint` has no findings in it."""
    made = FirstMapping()
    choices = _choose(shapes, made.notes)
    pages = _pages(shapes, choices, made.notes)
    if not choices and not pages:
        return made
    interactions = _interactions(shapes, choices, pages, made.notes)
    document: dict[str, Any] = {EDITORS: f"./{json_schema.FILE}", "version": 1, "interactions": interactions}
    if users := _users(shapes, made.notes):
        document["users"] = users
    if items := _items(choices, made.notes):
        document["items"] = items
    made.document = document
    return made


def _choose(shapes: Shapes, notes: list[tuple[str, str]]) -> list[_Choice]:
    tracked = [(name, kind) for (call, name), kind in shapes.kinds.items() if call == "track" and name]
    tracked.sort(key=lambda one: (-one[1].events, one[0]))
    choices, proposed, without = [], [], []
    for name, kind in tracked:
        known, event_type = _event_type(name)
        choice = _place(name, event_type or "", kind)
        if not choice.item and not choice.array:
            without.append(choice)
            continue
        if event_type is None:
            proposed.append(choice)
            continue
        choices.append(choice)
        why = f", as {known} in the default mapping" if known else " because of its name"
        rest = _twin(name, kind, tracked)[1]
        notes.append((f"$.interactions{choice.at}", f"mapped to {event_type}{why}. {_where(choice)}{rest}"))
    ids = set().union(*(_ids(choice) for choice in (*choices, *proposed)))
    for choice in without:
        if _find_ids(choice, ids):
            proposed.append(choice)
        elif choice.event_type:
            notes.append((f"$.interactions{choice.at}", f"left out: no item's id in its {choice.kind.events:,} events"))
    proposed.sort(key=lambda one: -one.kind.events)
    for choice in proposed[:_MAX_PROPOSED]:
        undone = _words(choice.name) & _UNDONE
        why = ": it undoes an action or reports a failure" if undone else ""
        other, rest = _twin(choice.name, choice.kind, tracked)
        if not undone:
            choice.event_type = choice.event_type or _event_type(other)[1] or choice.name
            rule = json.dumps({choice.name: _rules(choice, None, [])}, ensure_ascii=False)[1:-1]
            rest += f" If it is an interaction, add the rule {rule}"
        notes.append((f"$.interactions{choice.at}", f"left out{why}. {_where(choice)}{rest}"))
    return _few_types(choices, notes)


def _ids(choice: _Choice) -> set[str]:
    """Return the item ids in an event."""
    shape, keys = (choice.elements, choice.element) if choice.array else (choice.kind.every(), choice.item)
    return shape.keys[keys[0]].distinct


def _find_ids(choice: _Choice, ids: set[str]) -> bool:
    """Return whether an event without a known key has values that are item ids of others. Record their place."""
    enough = max(2, min(_COMMON_IDS, len(ids) // 2))
    kind = choice.kind
    shapes: list[tuple[str | None, Shape]] = [*kind.elements.items(), *kind.others.items(), (None, kind.every())]
    best: int
    keys: Keys
    for array, shape in shapes:
        best, keys = 0, ()
        for one, held in shape.keys.items():
            common = len(held.distinct & ids)
            many = common >= max(enough, len(held.distinct) / 2) and held.ids >= _ID_SHARE * shape.count
            if many and common > best and not (one and names.fold(one[-1]) in _NO_ITEMS):
                best, keys = common, one
        if best:
            choice.array, choice.found = array, "Values that are items' ids in other events are"
            choice.item, choice.element = ([], [keys]) if array else ([keys], [])
            return True
    return False


def _twin(name: str, kind: Kind, tracked: list[tuple[str, Kind]]) -> tuple[str, str]:
    """Return a more frequent name that people confuse with this one, and a note on the difference."""
    for other, others in tracked[: tracked.index((name, kind))]:
        how = names.difference(name, other)
        if how is None and others.events >= _TYPO_TIMES * kind.events:
            how = names.typo(name, other)
        if how is not None:
            return other, f" The name differs from {json.dumps(other, ensure_ascii=False)} {how}."
    return "", ""


def _few_types(choices: list[_Choice], notes: list[tuple[str, str]]) -> list[_Choice]:
    """Return the choices of the most frequent event types, as many as fit next to EVENT_VALUE."""
    counts: dict[str, int] = {}
    for choice in choices:
        counts[choice.event_type] = counts.get(choice.event_type, 0) + choice.kind.events
    kept = sorted(counts, key=lambda one: -counts[one])[: MAX_EVENT_TYPES_AND_COLUMNS - 1]
    for choice in choices:
        if choice.event_type not in kept:
            notes.append((f"$.interactions{choice.at}", "left out: more event types than Personalize takes"))
    return [choice for choice in choices if choice.event_type in kept]


def _place(name: str, event_type: str, kind: Kind) -> _Choice:
    choice = _Choice("track", name, event_type, kind)
    array = max(kind.elements, key=lambda one: kind.elements[one].count, default=None)
    if array is not None:
        elements = kind.elements[array]
        plain = () in elements.keys
        keys = elements.item_keys(least=_ID_SHARE)
        # Carts and searches list products that weren't chosen. In an order, all of them were.
        if keys and (event_type in ("Purchase", "") or plain):
            choice.array, choice.element = array, keys
    if choice.array is None:
        skip = frozenset(("id",)) if event_type == "Purchase" else frozenset[str]()
        choice.item = kind.every().item_keys(least=_ID_SHARE, skip=skip)
    elif event_type == "Purchase":
        # The id of an order isn't an item's.
        choice.item = kind.plain.item_keys(least=_ID_SHARE, skip=frozenset(("id",)))
    return choice


def _where(choice: _Choice) -> str:
    found = []
    if choice.array is not None:
        share = _share(choice.elements, choice.element[0])
        found.append(
            f"{choice.found} at {_path(choice.element[0], '')} in {share} of the elements of properties.{choice.array}"
            + _else(choice.element, "")
        )
    if choice.item:
        shape = choice.kind.plain if choice.array else choice.kind.every()
        without = " without that array" if choice.array else ""
        share = _share(shape, choice.item[0])
        found.append(
            f"{choice.found} at {_path(choice.item[0])} in {share} of {shape.count:,} events{without}"
            + _else(choice.item, "properties")
        )
    return " ".join(found)


def _else(several: list[Keys], root: str) -> str:
    """Return a note on the fallbacks for the first key, which ends the sentence."""
    rest = " or ".join(_path(keys, root) for keys in several[1:])
    return f", otherwise at {rest}. If these are different ids, keep one." if rest else "."


def _share(shape: Shape, keys: Keys) -> str:
    return f"{shape.keys[keys].ids / max(1, shape.count):.0%}"


def _path(keys: Keys, root: str = "properties") -> str:
    return f"{root}.{'.'.join(keys)}"


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))


@cache
def _defaults() -> dict[str, str]:
    interactions = parse(default_text()).datasets[0]
    index = [column.name for column in interactions.columns].index("EVENT_TYPE")
    sources = {rule.name: rule.sources[index] for rule in interactions.rules if rule.name is not None}
    return {name: str(one.value) for name, one in sources.items() if isinstance(one, Constant)}


def _event_type(name: str) -> tuple[str | None, str | None]:
    """Return the matching or similar name in the default mapping, and the event type. None for each not found."""
    defaults = _defaults()
    known = next((one for one in defaults if one == name or names.difference(name, one)), None)
    if known is not None:
        return known, defaults[known]
    words = _words(name)
    if words & _UNDONE:
        return None, None
    return None, next((kind for kind, *sets in _TYPES if all(one & words for one in sets)), None)


def _pages(shapes: Shapes, choices: list[_Choice], notes: list[tuple[str, str]]) -> dict[str, Any]:
    """Return rules for pages and screens about an item, unless a track event already counts as View."""
    pages: dict[str, Any] = {}
    for call in ("page", "screen"):
        found = []
        for (other, name), kind in shapes.kinds.items():
            if other == call and (keys := kind.every().item_keys(least=_ID_SHARE)):
                found.append((name, kind, keys))
        if not found:
            continue
        events = f"{sum(kind.events for _, kind, _ in found):,} {call} events have an item's id."
        if any(choice.event_type == "View" for choice in choices):
            notes.append((f"$.interactions.{call}", f"left out, because track events already count as View. {events}"))
            continue
        if len({choice.event_type for choice in choices}) > MAX_EVENT_TYPES_AND_COLUMNS - 2:
            notes.append((f"$.interactions.{call}", f"left out: more event types than Personalize takes. {events}"))
            continue
        rules = {}
        if len(found) <= _MAX_PAGES and all(name is not None for name, _, _ in found):
            for name, _, keys in found:
                events += f" {name}: at {_path(keys[0])}{_else(keys, 'properties')}"
                rules[name] = {"event_type": "View", "fields": {"ITEM_ID": _from(_path(one) for one in keys)}}
            pages[call] = rules
        else:
            keys = max(found, key=lambda one: one[1].events)[2]
            when = {_path(keys[0]): {"present": True}}
            fields = {"ITEM_ID": _from([_path(keys[0])])}
            pages[f"any_{call}"] = {"event_type": "View", "when": when, "fields": fields}
        notes.append((f"$.interactions.{call}", f"mapped to View. {events}"))
    return pages


def _from(paths: Iterable[str]) -> dict[str, Any]:
    return {"from": list(paths)}


def _interactions(
    shapes: Shapes, choices: list[_Choice], pages: dict[str, Any], notes: list[tuple[str, str]]
) -> dict[str, Any]:
    share = f"{shapes.users / shapes.events:.0%} of the events have a userId"
    share += f", {shapes.anonymous / shapes.events:.0%} an anonymousId"
    users = ["userId"] if shapes.users else ["userId", "anonymousId"]
    if 0 < shapes.users < shapes.events and shapes.anonymous:
        share += '; set "visitors" to "as_users" to count visitors who never log in'
    notes.append(("$.interactions.fields.USER_ID", share))
    times = ["timestamp"]
    if shapes.timestamps < shapes.events and shapes.received:
        times.append("receivedAt")
        missing = f"{number(shapes.events - shapes.timestamps, 'event')} without a usable timestamp"
        notes.append(("$.interactions.fields.TIMESTAMP", f"{missing}: receivedAt replaces it"))
    fields = {"USER_ID": _from(users), "TIMESTAMP": _from(times)}
    item = _common([choice.item for choice in choices if choice.item and not choice.array])
    if item:
        fields["ITEM_ID"] = _from(_path(one) for one in item)
    track = {choice.name: _rules(choice, item, notes) for choice in choices}
    _note_strangers(choices, notes)
    return {"fields": fields} | ({"track": track} if track else {}) | pages


def _common(several: list[list[Keys]]) -> list[Keys] | None:
    return max(several, key=several.count, default=None)


def _rules(choice: _Choice, item: list[Keys] | None, notes: list[tuple[str, str]]) -> Any:
    rules: list[dict[str, Any]] = []
    if choice.array is not None:
        fields = {"ITEM_ID": _from(_path(one, "") if one else "." for one in choice.element)}
        fields |= _event_value(choice, choice.elements, _PRICES, "", notes)
        each = f"properties.{choice.array}"
        rules.append({"event_type": choice.event_type, "each": each, "fields": fields})
    if choice.item:
        own = {} if choice.item == item else {"ITEM_ID": _from(_path(one) for one in choice.item)}
        own |= _event_value(choice, choice.kind.plain, _ORDER_VALUES, "properties", notes)
        rules.append({"event_type": choice.event_type} | ({"fields": own} if own else {}))
    if len(rules) == 1:
        return rules[0]
    rules[0] = {"when": {rules[0]["each"]: {"present": True}}} | rules[0]
    return rules


def _event_value(
    choice: _Choice, shape: Shape, keys: tuple[str, ...], root: str, notes: list[tuple[str, str]]
) -> dict[str, Any]:
    if choice.event_type != "Purchase":
        return {}
    found = {names.fold(one[0]): (one, held) for one, held in shape.keys.items() if len(one) == 1 and held.numbers}
    best = next((found[key] for key in keys if key in found), None)
    at = f"$.interactions{choice.at}"
    if best is None:
        nearly = (held for keys_, held in shape.keys.items() if len(keys_) == 1 and names.fold(keys_[0]) in keys)
        notes.append((at, f"no EVENT_VALUE: no price is a number{_advice(*nearly)}"))
        return {}
    path, held = best
    unusable = f"; {held.count - held.numbers:,} others aren't numbers" if held.count > held.numbers else ""
    notes.append((at, f"EVENT_VALUE is {_path(path, root)}, a number {held.numbers:,} times{unusable}{_advice(held)}"))
    return {"EVENT_VALUE": _from([_path(path, root)]) | {"optional": True}}


def _advice(*several: Held) -> str:
    """Return a note on how to send the texts that look like numbers."""
    held = max(several, key=lambda one: one.nearly, default=None)
    return "" if held is None or not held.nearly else f"; {held.nearly:,} only looked like one: {held.advice}"


def _note_strangers(choices: list[_Choice], notes: list[tuple[str, str]]) -> None:
    """Add a note for events whose ids occur in no other event. Their ids may be of another kind."""
    ids: list[tuple[_Choice, set[str]]] = []
    for choice in choices:
        ids.append((choice, _ids(choice)))
    for choice, own in ids:
        others = set().union(*(held for other, held in ids if other is not choice))
        if others and not own & others:
            problem = "none of its items' ids occurs in another event: check that they are ids of the same kind"
            notes.append((f"$.interactions{choice.at}", problem))


def _users(shapes: Shapes, notes: list[tuple[str, str]]) -> dict[str, Any] | None:
    columns = _columns("users", shapes.traits, "traits", _is_personal, notes)
    if not columns:
        why = "no trait of many users is a number or a category" if shapes.traits.count else "no identify has traits"
        notes.append(("$.users", f"left out: {why}"))
        return None
    return {"fields": {"USER_ID": _from(["userId"])} | columns}


def _is_personal(keys: Keys, _: Held) -> bool:
    last = names.fold(keys[-1])
    return last in _PERSONAL or last.endswith(_ENDS)


def _is_passing(keys: Keys, held: Held) -> bool:
    """Return whether a property isn't the item's, by its name or because it changes while the item stays the same."""
    last = names.fold(keys[-1])
    if last in _PRICES or last in _CATEGORIES:
        return False
    repeats = held.same + held.other
    return last in _PASSING or last.endswith(_ENDS) or not repeats or held.other > repeats // 10


def _items(choices: list[_Choice], notes: list[tuple[str, str]]) -> dict[str, Any] | None:
    about = [choice for choice in choices if choice.item and not choice.array and choice.event_type != "Purchase"]
    shape = Shape()
    track: dict[str, Any] = {}
    if about:
        for choice in about:
            shape.merge(choice.kind.every())
        columns = _columns("items", shape, "properties", _is_passing, notes)
        item = _common([choice.item for choice in about]) or []
        for choice in about:
            own = {"ITEM_ID": _from(_path(one) for one in choice.item)}
            track[choice.name] = {} if choice.item == item else {"fields": own}
        fields: dict[str, Any] = {"ITEM_ID": _from(_path(one) for one in item)} | columns
    else:
        about = [choice for choice in choices if choice.array is not None and () not in choice.element]
        for choice in about:
            shape.merge(choice.elements)
        columns = _columns("items", shape, "", _is_passing, notes)
        fields = {}
        for choice in about:
            own = {"ITEM_ID": _from(_path(one, "") for one in choice.element)} | columns
            track[choice.name] = {"each": f"properties.{choice.array}", "fields": own}
    if not columns:
        notes.append(("$.items", "left out: no property is a number or a category of an item"))
        return None
    return {"fields": fields, "track": track}


def _columns(
    dataset: str, shape: Shape, root: str, is_out: Callable[[Keys, Held], bool], notes: list[tuple[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return columns for the keys that many objects of a shape have, the most frequent first, within the limits."""
    columns: dict[str, dict[str, Any]] = {}
    spelled: dict[str, str] = {}
    for keys, held in sorted(shape.keys.items(), key=lambda one: (-one[1].count, one[0])):
        if not keys or held.count < _COLUMN_SHARE * shape.count or is_out(keys, held):
            continue
        kind, name = _column_type(keys, held), _column_name(keys[-1])
        if kind == "float" and not held.numbers:
            notes.append((f"$.{dataset}", f"left out {_path(keys, root)}: no value is a number{_advice(held)}"))
            continue
        if kind is None or name is None or name in RESERVED[dataset]:
            continue
        twin = spelled.setdefault(name.replace("_", ""), name)
        if twin in columns:
            if columns[twin]["type"] == kind:
                columns[twin]["from"].append(_path(keys, root))
                notes.append((f"$.{dataset}.fields.{twin}", f"otherwise {_path(keys, root)}: nearly the same name"))
            continue
        if len(columns) == _MAX_COLUMNS:
            notes.append((f"$.{dataset}", f"left out {_path(keys, root)}: more than {_MAX_COLUMNS} columns"))
            continue
        columns[name] = _from([_path(keys, root)]) | {"type": kind, "optional": True}
        columns[name] |= {"categorical": True} if kind == "string" else {}
        others = f", but {held.count - held.numbers:,} others aren't" if held.count > held.numbers else ""
        values = {"float": f"a number {held.numbers:,} times{others}{_advice(held)}", "boolean": "true or false"}.get(
            kind, f"{len(held.distinct):,} values"
        )
        share = f"{held.count / shape.count:.0%}"
        notes.append((f"$.{dataset}.fields.{name}", f"{_path(keys, root)}: {kind}, {values}, in {share}"))
    return columns


def _column_type(keys: Keys, held: Held) -> str | None:
    last = names.fold(keys[-1])
    named = last in _CATEGORIES
    few = named or 1 < len(held.distinct) <= min(_MAX_CATEGORIES, max(2, held.count // 2))
    if held.lists or last in _LISTS:
        return "categories" if few and held.lists + held.texts >= held.count / 2 else None
    if held.booleans == held.count:
        return "boolean"
    if held.numbers + held.nearly >= held.count / 2 and not named:
        return "float"
    if held.nearly and last in _ORDER_VALUES:
        # A price, and texts that aren't numbers. As categories, 12,50 and 12.50 would differ.
        return "float"
    return "string" if few and held.texts >= held.count / 2 else None


def _column_name(key: str) -> str | None:
    name = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key), flags=re.ASCII).strip("_").upper()
    return name if NAME.fullmatch(name) else None
