"""Names that people take for one: how an event or a key in the logs differs from the one that a mapping has."""

import json
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mapping import EventMapping


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return what near misses of a name share: its letters and digits, without case."""
    return "".join(letter for letter in _composed(name).casefold() if letter.isalnum())


def difference(name: str, known: str) -> str | None:
    """Return how `name` differs from `known`, such as "in case"; None if they are equal, or not near each other."""
    if name == known:
        return None
    return next((how for how, change in _CHANGES if change(name) == change(known)), None)


def near_miss(mapping: "EventMapping", call: str, name: str | None) -> str | None:
    """Return how an unmapped event's name differs from one that the mapping has; None if it's near none of them."""
    if name is None:
        return None
    near = (one for other, one in mapping.by_event if other == call and one is not None and fold(one) == fold(name))
    told = ((one, difference(name, one)) for one in near)
    return next((f"differs from {json.dumps(one, ensure_ascii=False)} {how}" for one, how in told if how), None)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _blankless(name: str) -> str:
    return "".join(_composed(name).split())


_CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("in its Unicode form", _composed),
    ("in a trailing space", lambda name: _composed(name).rstrip()),
    ("in a leading space", lambda name: _composed(name).lstrip()),
    ("in spaces", _blankless),
    ("in case", lambda name: _composed(name).casefold()),
    ("in case and spaces", lambda name: _blankless(name).casefold()),
    ("in case, spaces or punctuation", lambda name: fold(name) or name),
)
