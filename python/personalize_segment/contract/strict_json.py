"""A strict reader of hand-written JSON. Every error names its JSON path.

Python, Go (Terraform) and SQL read the same file, and this module refuses JSON that they read differently. `canonical`
is the text on which they agree.
"""

import json
import re
import sys
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from ..errors import MappingError


class Object(dict[str, Any]):
    """A JSON object that remembers a duplicate key."""

    twice: str | None = None


class Inexact(float):
    """A number that Python and Terraform read differently."""


def load(text: str) -> Any:
    """Return the document in `text`. Raises MappingError if it isn't JSON, or if readers would disagree about it."""
    document = parse(text)
    try:
        check(document)
    except RecursionError:  # From Python 3.12 on, the parser goes deeper than Python's own calls.
        refuse("$", "is nested too deeply", "Write one JSON object with fewer levels")
    return document


def parse(text: str) -> Any:
    """Return the document in `text`. Raises MappingError if it isn't JSON. Pass the used parts to `check`."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_float=_float, parse_int=_int)
    except (ValueError, RecursionError) as error:
        refuse("$", f"isn't JSON: {error}", "Write one JSON object")


def _float(text: str) -> float:
    value = float(text)
    try:
        same = Decimal(text) == Decimal(repr(value)) and repr(value) != "-0.0"
    except InvalidOperation:  # The exponent has too many digits.
        same = False
    return value if same else Inexact(value)


def _int(text: str) -> int | Inexact:
    value = int(text)
    # Terraform keeps 154 digits, without counting zeros at the end.
    exact = text != "-0" and abs(value) <= sys.float_info.max and len(text.strip("-0")) <= 100
    return value if exact else Inexact(text)


def _pairs(pairs: list[tuple[str, Any]]) -> Object:
    result = Object()
    for key, value in pairs:
        if key in result:
            result.twice = key
        result[key] = value
    return result


def keys(value: Any, at: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `value`, a JSON object. With `required` or `optional`, it may have only these keys.

    Raises MappingError.
    """
    if not isinstance(value, Object):
        refuse(at, "isn't a JSON object", "Write {…}")
    for key in required:
        if key not in value:
            refuse(at, f"has no {key!r}", f"Add {key!r}")
    known = required + optional
    for key in value:
        if known and key not in known:
            refuse(at + member(key), "is unknown", f"Use only {', '.join(known)} here")
    return value


def check(value: Any, at: str = "$") -> None:
    """Raise MappingError for keys, strings and numbers that readers treat differently: see docs/mapping.md."""
    if isinstance(value, Object):
        if value.twice is not None:
            refuse(at, f"has the key {value.twice!r} twice", "Keep one")
        for key, inner in value.items():
            check(key, at)
            check(inner, at + member(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check(inner, f"{at}[{index}]")
    elif isinstance(value, str):
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
            refuse(at, f"{value!r} has a control character", "Remove it")
        if not unicodedata.is_normalized("NFC", value):
            refuse(at, f"{value!r} isn't in Unicode form NFC", "Type it with composed letters")
    elif isinstance(value, Inexact):
        refuse(at, "is -0, or isn't exact as a 64-bit float", "Write 0, or a number with at most 15 digits")


def member(key: str) -> str:
    """Return `key` as a step of a JSON path."""
    return f".{key}" if re.fullmatch(r"\w+", key, re.ASCII) else f"[{json.dumps(key, ensure_ascii=False)}]"


def canonical(document: Any) -> str:
    """Return the output of Terraform's `jsonencode(jsondecode(text))`, byte for byte."""
    if isinstance(document, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(document[key])}" for key in sorted(document)) + "}"
    if isinstance(document, list):
        return "[" + ",".join(map(canonical, document)) + "]"
    if isinstance(document, float):
        return _positional(document)
    text = json.dumps(document, ensure_ascii=False)
    # Go's encoder, used by Terraform's jsonencode, escapes these for HTML and JavaScript.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _positional(number: float) -> str:
    """Return a number without an exponent and without trailing zeros, as Terraform writes it."""
    text = f"{Decimal(repr(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def refuse(at: str, problem: str, remedy: str) -> NoReturn:
    """Raise MappingError."""
    raise MappingError(at, problem, remedy)
