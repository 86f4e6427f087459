"""Parse schemas, by the rules for Avro schemas in the Amazon Personalize developer guide."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from .service_errors import ServiceError, invalid

NAMESPACE: Final = "com.amazonaws.personalize.schema"
TYPES: Final = ("float", "double", "int", "long", "string", "boolean")

#: dataset type -> the name of its record, its key, and its required fields with their types.
DATASETS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "INTERACTIONS": ("Interactions", "ITEM_ID", {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"}),
    "USERS": ("Users", "USER_ID", {"USER_ID": "string"}),
    "ITEMS": ("Items", "ITEM_ID", {"ITEM_ID": "string"}),
}
#: Dataset types of Amazon Personalize that the emulator doesn't have.
ACTIONS: Final = ("ACTIONS", "ACTION_INTERACTIONS")

_DOMAIN: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("ECOMMERCE", "INTERACTIONS"): {"EVENT_TYPE": "string"},
    ("VIDEO_ON_DEMAND", "INTERACTIONS"): {"EVENT_TYPE": "string"},
    ("ECOMMERCE", "ITEMS"): {"PRICE": "float", "CATEGORY_L1": "string"},
    ("VIDEO_ON_DEMAND", "ITEMS"): {"GENRES": "string", "CREATION_TIMESTAMP": "long"},
}
#: More reserved fields of a domain. Source: "Items dataset requirements" of both domains.
_DOMAIN_NUMBERS: Final = {"VIDEO_ON_DEMAND": ("PRICE", "DURATION", "AVERAGE_RATING"), "ECOMMERCE": ("PRICE",)}
_DOMAIN_CATEGORIES: Final = {
    "VIDEO_ON_DEMAND": ("GENRES", "GENRE_L2", "GENRE_L3", "CONTENT_OWNER", "CONTENT_CLASSIFICATION"),
    "ECOMMERCE": ("CATEGORY_L1", "CATEGORY_L2", "CATEGORY_L3"),
}
#: Reserved fields with their allowed types.
_RESERVED: Final[dict[str, tuple[str, ...]]] = {
    "USER_ID": ("string",),
    "ITEM_ID": ("string",),
    "TIMESTAMP": ("long",),
    "CREATION_TIMESTAMP": ("long",),
    "EVENT_TYPE": ("string",),
    "EVENT_VALUE": ("float",),
    "IMPRESSION": ("string",),
    "RECOMMENDATION_ID": ("string",),
    "EVENT_ATTRIBUTION_SOURCE": ("string",),
}
_MOST_METADATA: Final = {"INTERACTIONS": 5, "USERS": 25, "ITEMS": 100}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Field:
    """One field of a schema."""

    name: str
    type: str
    nullable: bool
    categorical: bool
    textual: bool

    @property
    def most(self) -> int:
        """Maximum characters: 256 for ids and event types, 20,000 for textual fields, 1,000 for other texts."""
        if self.name in ("USER_ID", "ITEM_ID", "EVENT_TYPE"):
            return 256
        return 20_000 if self.textual else 1000


def parse(text: str) -> tuple[str, tuple[Field, ...]]:
    """Return the record's name and its fields. Raises InvalidInputException for an invalid schema."""
    try:
        record = json.loads(text)
    except ValueError as error:
        raise _bad(f"it is not JSON: {error}") from None
    if not isinstance(record, dict) or record.get("type") != "record":
        raise _bad('its "type" is not "record"')
    if record.get("namespace") != NAMESPACE:
        raise _bad(f'its "namespace" is not "{NAMESPACE}"')
    if not isinstance(record.get("name"), str) or not record["name"]:
        raise _bad('it has no "name"')
    if not isinstance(record.get("fields"), list) or not record["fields"]:
        raise _bad('it has no "fields"')
    fields = tuple(map(_field, record["fields"]))
    seen: dict[str, str] = {}
    for field in fields:
        plain = re.sub(r"[^a-z0-9]", "", field.name.lower())
        if plain in seen:
            raise _bad(f"fields {seen[plain]} and {field.name} differ in punctuation and case only")
        seen[plain] = field.name
    return record["name"], fields


def _field(entry: Any) -> Field:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _bad(f"a field's name is {name!r}")
    written = entry.get("type")
    types = written if isinstance(written, list) else [written]
    kinds = [kind for kind in types if kind != "null"]
    if len(kinds) != 1 or kinds[0] not in TYPES or len(types) > 2 or len(set(map(str, types))) < len(types):
        raise _bad(f"field {name} has the type {json.dumps(written)}, not one of {', '.join(TYPES)}, with null or not")
    kind = kinds[0]
    if kind not in _RESERVED.get(name, TYPES):
        raise _bad(f"field {name} has the type {kind}, not {_RESERVED[name][0]}")
    flags = {flag: entry.get(flag, False) for flag in ("categorical", "textual")}
    for flag, value in flags.items():
        if not isinstance(value, bool) or (value and kind != "string"):
            raise _bad(f"field {name} is {flag}, which only a string can be")
    if all(flags.values()):
        raise _bad(f"field {name} is both categorical and textual")
    return Field(name, kind, "null" in types, flags["categorical"], flags["textual"])


def fit(fields: tuple[Field, ...], kind: str, domain: str | None) -> None:
    """Raise InvalidInputException if a dataset of type `kind` can't have these fields."""
    by_name = {field.name: field for field in fields}
    _, key, required = DATASETS[kind]
    required = required | _DOMAIN.get((domain or "", kind), {})
    missing = [name for name in required if name not in by_name]
    if missing:
        raise invalid(f"Input csv is missing the following columns: [{', '.join(missing)}]")
    for name, wanted in required.items():
        field = by_name[name]
        if field.type != wanted or (field.nullable and name in DATASETS[kind][2]):
            raise _bad(f"field {name} is not of type {wanted} without null")
    textual = [field.name for field in fields if field.textual]
    if textual and kind != "ITEMS":
        raise _bad("only a schema of an Items dataset has textual fields")
    if len(textual) > 1:
        raise _bad(f"fields {' and '.join(textual)} are textual, and a schema has one textual field at most")
    for field in fields:
        if field.name in _reserved_of(kind) and field.categorical:
            raise _bad(f"the reserved field {field.name} is categorical")
        if kind == "ITEMS" and field.name in _DOMAIN_NUMBERS.get(domain or "", ()) and field.type != "float":
            raise _bad(f"field {field.name} is not of type float")
        if kind == "ITEMS" and field.name in _DOMAIN_CATEGORIES.get(domain or "", ()) and not field.categorical:
            raise _bad(f"field {field.name} is not a categorical string")
    own = [field for field in fields if field.name not in _RESERVED or field.name not in _reserved_of(kind)]
    if len(own) > _MOST_METADATA[kind]:
        raise _bad(f"it has {len(own)} metadata fields, more than {_MOST_METADATA[kind]}")
    if kind != "INTERACTIONS" and len(fields) == 1:
        raise _bad(f"it has no metadata field in addition to {key}")


def _reserved_of(kind: str) -> tuple[str, ...]:
    if kind == "INTERACTIONS":
        return tuple(name for name in _RESERVED if name != "CREATION_TIMESTAMP")
    return ("USER_ID",) if kind == "USERS" else ("ITEM_ID", "CREATION_TIMESTAMP")


def replaces(new: tuple[Field, ...], old: tuple[Field, ...]) -> None:
    """Raise InvalidInputException unless `new` is `old` plus nullable fields."""
    kept = {field.name: field for field in new}
    for field in old:
        if field.name not in kept:
            raise _bad(f"field {field.name} of the schema that it replaces is missing")
        if kept[field.name] != field:
            raise _bad(f"field {field.name} differs from the schema that it replaces")
    for field in new:
        if field not in old and not field.nullable:
            raise _bad(f"the new field {field.name} does not allow null")


def _bad(problem: str) -> ServiceError:
    return invalid(f"Input schema is not valid: {problem}.")
