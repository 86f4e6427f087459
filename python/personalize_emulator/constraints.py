"""Check requests against the service's model, with AWS's wording of errors.

botocore checks types, required and unknown members and minimums before it sends a request. It leaves lengths, patterns
and enums to the service. The emulator checks them all, for clients other than botocore. Unlike the service, it refuses
unknown members, because such a request doesn't do what its author expects.
"""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from .service_errors import ServiceError, invalid

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "structure": ((dict,), "a structure"),
    "map": ((dict,), "a map"),
    "list": ((list,), "a list"),
    "string": ((str,), "a String"),
    "integer": ((int,), "an Integer"),
    "boolean": ((bool,), "a Boolean"),
    "float": ((int, float), "a Float"),
    "double": ((int, float), "a Double"),
    "timestamp": ((int, float), "a Timestamp"),
}
_JSON_TYPES = {dict: "START_OBJECT", list: "START_LIST", str: "STRING_VALUE", bool: "BOOLEAN_VALUE"}
_INTEGERS = range(-(2**31), 2**31)


def check(shape: Shape, request: Any) -> None:
    """Raise the service's error if `request` doesn't match `shape`.

    SerializationException for a value of the wrong JSON type, otherwise InvalidInputException with every constraint
    that isn't satisfied.
    """
    _check_types(shape, request, "")
    violations = list(_violations(shape, request, ""))
    if violations:
        noun = "error" if len(violations) == 1 else "errors"
        raise invalid(f"{len(violations)} validation {noun} detected: " + "; ".join(violations))


def _check_types(shape: Shape, value: Any, place: str) -> None:
    types, name = _TYPES[shape.type_name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    wrong = not isinstance(value, types) or (isinstance(value, bool) and shape.type_name != "boolean")
    if shape.type_name == "integer" and not wrong:
        wrong = value not in _INTEGERS
    if number and isinstance(value, float) and not math.isfinite(value):
        wrong = True
    if wrong:
        given = "NUMBER_VALUE" if number else _JSON_TYPES.get(type(value), "NULL_VALUE")
        raise ServiceError("SerializationException", f"{given} can not be converted to {name} at '{place}'")
    if isinstance(shape, StructureShape):
        for key, member in value.items():
            if member is not None and key in shape.members:
                _check_types(shape.members[key], member, _join(place, key))
    elif isinstance(shape, ListShape):
        for position, member in enumerate(value, start=1):
            _check_types(shape.member, member, f"{place}.{position}.member")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            _check_types(shape.value, member, _join(place, key))


def _violations(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for key in value:
            if key not in shape.members:
                yield f"Value at '{_join(place, key)}' failed to satisfy constraint: Member must be known to the model"
        for key, member in shape.members.items():
            if value.get(key) is not None:
                yield from _violations(member, value[key], _join(place, key))
            elif key in shape.required_members:
                yield f"Value null at '{_join(place, key)}' failed to satisfy constraint: Member must not be null"
        return
    for rule in _broken(shape, value):
        yield f"Value '{_shown(value)}' at '{place}' failed to satisfy constraint: Member must {rule}"
    if isinstance(shape, ListShape):
        for position, member in enumerate(value, start=1):
            yield from _violations(shape.member, member, f"{place}.{position}.member")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from _violations(shape.key, key, f"{place}.key")
            yield from _violations(shape.value, member, f"{place}.{key}.member")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    size, noun = (value, "value") if isinstance(value, int | float) else (len(value), "length")
    if shape.type_name in ("boolean", "timestamp"):
        return
    if least is not None and size < least:
        yield f"have {noun} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"have {noun} less than or equal to {most}"
    if isinstance(shape, StringShape):
        written = shape.metadata.get("pattern")
        if written and not pattern(written).fullmatch(value):
            yield f"satisfy regular expression pattern: {written}"
        if shape.enum and value not in shape.enum:
            yield f"satisfy enum value set: [{', '.join(shape.enum)}]"


#: Java's character classes in Python. In the models, ASCII is outside of brackets and the others are inside. Letters
#: and numbers are those of str.isalnum.
_CLASSES = {
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\p{L}": r"\w",
    r"\p{Z}": " \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{N}": r"\w",
}


@cache
def pattern(written: str) -> re.Pattern[str]:
    """Return a pattern of the models in Python's syntax. Raises re.error for a class that isn't in the table."""
    text = written
    for java, python in _CLASSES.items():
        text = text.replace(java, python)
    return re.compile(text, re.DOTALL if text != written else re.DOTALL | re.ASCII)


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
