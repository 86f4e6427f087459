"""The JSON Schema (draft 7) of event mappings, for editors: keys, types, values and their descriptions.

Editors use it for completion and for errors within one place. `mapping.parse` also checks inherited fields, and columns
across rules.
"""

import sys
from typing import Any

from .columns import (
    ALLOWED_MAX_ELEMENTS,
    DATASETS,
    DEFAULT_MAX_ELEMENTS,
    FORMATS,
    IDS,
    LISTS,
    MAX_FLOAT,
    MAX_ID,
    MAX_STRING,
    NAME,
    REQUIRED,
    RESERVED,
    TYPES,
    VISITORS,
)
from .mapping import ANY_NAME, COMPARISONS, NAMED_CALLS

Schema = dict[str, Any]

#: The name of the file that `init` writes next to a mapping.
FILE = "mapping.schema.json"

#: A path. It begins with a dot if it starts at an element. No segment is empty or *.
_SEGMENT = r"(?!\*(\.|$))[^.]+"
_PATH: Schema = {"type": "string", "pattern": rf"^(\.|\.?{_SEGMENT}(\.{_SEGMENT})*)$"}
_RELATIVE: Schema = {"pattern": r"^\."}
_IN_ARRAY: Schema = {"pattern": r"\[\](\.|$)"}
_IN_TWO_ARRAYS: Schema = {"pattern": r"\[\]\..*\[\](\.|$)"}
_FROM_EVENT: Schema = _PATH | {"not": {"anyOf": [_RELATIVE, _IN_ARRAY]}}
_SINGLE: Schema = {"items": {"not": _IN_ARRAY}}
#: For the columns of rules without `each`.
_NO_ELEMENT: Schema = {"additionalProperties": {"properties": {"from": {"items": {"not": _RELATIVE}}}}}

#: Description of each key, which editors show.
_MEANING = {
    "max_elements": "Maximum number of elements of an `each` array that produce rows.",
    "interactions": "Columns and rules of interactions between users and items.",
    "users": "Columns and rules of users. `fields` is also the rule for every identify call.",
    "items": "Columns and rules of items.",
    "session": "Paths of the session id in events (default: anonymousId, then userId).",
    "visitors": "How to treat interactions without a user.",
    "track": "Rules by exact event name.",
    "page": "Rules by exact page name.",
    "screen": "Rules by exact screen name.",
    "event_type": "EVENT_TYPE of the rows (default: the event's name).",
    "each": "Path of an array. Each element produces a row. Paths in `fields` with a leading dot start at the element.",
    "when": "Conditions by path. All of them must hold.",
    "fields": "Columns by name.",
    "from": "Paths of the value. The first one whose value fits the type wins.",
    "value": "Constant value of this column in every row.",
    "optional": "Null if no path has a value. Otherwise, an event without the value produces no row, but a reason.",
    "categorical": "Categorical values, which Personalize trains on.",
    "textual": "Free text about items, which Personalize trains on.",
    "placeholders": "Accept texts such as `undefined` as ids.",
}

#: type -> its constants. Other types have none.
_CONSTANTS: dict[str, Schema] = {
    "string": {"type": "string", "minLength": 1, "maxLength": MAX_STRING},
    "float": {"type": "number", "minimum": -MAX_FLOAT, "maximum": MAX_FLOAT},
    "double": {"type": "number", "minimum": -sys.float_info.max, "maximum": sys.float_info.max},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "boolean": {"type": "boolean"},
}


def json_schema() -> Schema:
    """Return the schema. It accepts every valid mapping, and some mappings that `mapping.parse` refuses."""
    max_elements = {
        "type": "integer",
        "minimum": ALLOWED_MAX_ELEMENTS[0],
        "maximum": ALLOWED_MAX_ELEMENTS[-1],
        "default": DEFAULT_MAX_ELEMENTS,
    }
    top = {"$schema": {"type": "string"}, "version": {"const": 1}, "max_elements": max_elements}
    definitions = {"when": _when(), "field": _field()}
    definitions |= {f"fields of {dataset}": _fields(dataset) for dataset in DATASETS}
    definitions |= {f"rule of {dataset}": _rule(dataset) for dataset in DATASETS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Event mapping of personalize-segment",
        "description": "Run `personalize-segment check` to find further errors.",
        **_object(top | {dataset: _dataset(dataset) for dataset in DATASETS}, required=["version", "interactions"]),
        "definitions": definitions,
    }


def _object(properties: Schema, **others: Any) -> Schema:
    """Return the schema of an object without other keys."""
    told = {key: {"description": meaning} for key, meaning in _MEANING.items() if key in properties}
    told = {key: told.get(key, {}) | value for key, value in properties.items()}
    return {"type": "object", "properties": told, "additionalProperties": False, **others}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _one_or_more(one: Schema) -> Schema:
    return {"if": {"type": "array"}, "then": {"items": one, "minItems": 1}, "else": one}


def _is(key: str, value: Any) -> Schema:
    return {"required": [key], "properties": {key: {"const": value}}}


def _then(condition: Schema, properties: Schema) -> Schema:
    return {"if": condition, "then": {"properties": properties}}


def _dataset(dataset: str) -> Schema:
    rule, any_name = _ref(f"rule of {dataset}"), [f"any_{call}" for call in ANY_NAME]
    fields: list[Schema] = [
        _ref(f"fields of {dataset}"),
        {"properties": {key: {} for key in RESERVED[dataset]}, "additionalProperties": {"required": ["type"]}},
        _NO_ELEMENT,
    ]
    properties: Schema = {"fields": {"allOf": fields}}
    properties |= {key: {"type": "object", "additionalProperties": _one_or_more(rule)} for key in NAMED_CALLS}
    if dataset == "users":
        # These fields are the rule of identify calls.
        fields.append({"required": list(REQUIRED[dataset])})
        properties["when"] = _ref("when")
        return _object(properties | dict.fromkeys(any_name, _one_or_more(rule)), required=["fields"])
    if dataset == "interactions":
        paths = {"type": "array", "items": _FROM_EVENT, "minItems": 1}
        properties["session"] = _object({"from": paths}, required=["from"])
        properties["visitors"] = {"enum": list(VISITORS), "default": VISITORS[0]}
        rule = {"allOf": [rule, {"required": ["event_type"]}]}
    properties |= dict.fromkeys(any_name, _one_or_more(rule))
    ruled = [{"required": [call], "properties": {call: {"minProperties": 1}}} for call in NAMED_CALLS]
    return _object(properties, required=["fields"], anyOf=[*ruled, *({"required": [key]} for key in any_name)])


def _rule(dataset: str) -> Schema:
    properties = {"each": _FROM_EVENT, "when": _ref("when"), "fields": _ref(f"fields of {dataset}")}
    if dataset == "interactions":
        properties["event_type"] = {"type": "string", "minLength": 1, "maxLength": MAX_ID}
    without_each = {"properties": {"fields": _NO_ELEMENT}}
    return _object(properties, **{"if": {"not": {"required": ["each"]}}, "then": without_each})


def _when() -> Schema:
    constant = {"type": ["string", "integer", "boolean"], "minLength": 1, "maxLength": MAX_STRING}
    tests = {"present": {"type": "boolean"}, "is": _one_or_more(constant)}
    alone = {key: {"maxProperties": 1} for key in tests}
    tests |= {key: {"type": "number"} for key in COMPARISONS}
    test = _object(tests, minProperties=1, dependencies=alone)
    return {"type": "object", "propertyNames": _FROM_EVENT, "additionalProperties": test}


def _fields(dataset: str) -> Schema:
    """Return the schema of columns: `field`, with further constraints for reserved columns, ids and others."""
    reserved: Schema = {}
    for name, kind in RESERVED[dataset].items():
        keys: Schema = {"type": {"const": kind}, "value": _CONSTANTS.get(kind, False)}
        keys |= {key: {"const": False} for key in ("categorical", "textual")}
        keys |= {} if kind == "timestamp" else {"format": False}
        keys |= {} if kind in LISTS else {"from": _SINGLE}
        keys |= {"value": False, "optional": {"const": False}} if name in REQUIRED[dataset] else {}
        reserved[name] = {"properties": keys}
    if dataset == "interactions":
        reserved["EVENT_TYPE"] = False
    own = {"type": {"enum": list(TYPES)}} | ({} if dataset == "items" else {"textual": {"const": False}})
    an_id, no_id = {"properties": {"value": {"maxLength": MAX_ID}}}, {"properties": {"placeholders": False}}
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": _ref("field"),
        "allOf": [
            {"properties": reserved, "additionalProperties": {"properties": own}},
            {"properties": dict.fromkeys(IDS, an_id), "additionalProperties": no_id},
        ],
    }


def _field() -> Schema:
    flags = ("optional", "categorical", "textual", "placeholders")
    properties: Schema = {
        "from": {"type": "array", "items": _PATH | {"not": _IN_TWO_ARRAYS}, "minItems": 1},
        "value": {"type": ["string", "number", "boolean"]},
        "type": {"type": "string"},
        "format": {"enum": list(FORMATS)},
    }
    of_string, of_timestamp = {"type": {"const": "string"}}, {"type": {"const": "timestamp"}}
    of_path = dict.fromkeys(("optional", "format", "placeholders"), False)
    return _object(
        properties | {key: {"type": "boolean"} for key in flags},
        oneOf=[{"required": ["from"]}, {"required": ["value"]}],
        dependencies={
            "value": {"properties": of_path},
            "format": {"properties": of_timestamp},
            "placeholders": {"properties": of_string},
        },
        allOf=[
            _then(_is("categorical", True), of_string | {"textual": {"const": False}}),
            _then(_is("textual", True), of_string),
            *(_then(_is("type", kind), {"value": _CONSTANTS.get(kind, False)}) for kind in TYPES),
            *(_then(_is("type", kind), {"from": _SINGLE}) for kind in TYPES if kind not in LISTS),
        ],
    )
