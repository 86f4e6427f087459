"""Near misses: how the name of an event or a key in the logs differs from a similar one in the mapping."""

import json
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mapping import EventMapping


#: Minimum letters and digits of a name to search for typos.
_LONG_ENOUGH = 6


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Return the letters and digits of a name, without case. Near misses share them."""
    return "".join(letter for letter in _composed(name).casefold() if letter.isalnum())


def difference(name: str, known: str) -> str | None:
    """Return how `name` differs from `known`, such as "in case"; None if they are equal, or not similar."""
    if name == known:
        return None
    return next((how for how, change in _CHANGES if change(name) == change(known)), None)


def typo(name: str, known: str) -> str | None:
    """Return how `name` differs from `known` by one typo, such as "in a letter"; else None.

    Short names aren't compared, because many differ in one letter. Neither are digits, which number steps and variants.
    """
    mine, other = fold(name), fold(known)
    if mine == other or min(len(mine), len(other)) < _LONG_ENOUGH or abs(len(mine) - len(other)) > 1:
        return None
    start = _shared(mine, other)
    mine, other = mine[start:], other[start:]
    end = _shared(mine[::-1], other[::-1])
    mine, other = mine[: len(mine) - end], other[: len(other) - end]
    if not (mine + other).isalpha():
        return None
    if len(mine) == 2 and mine == other[::-1]:
        return "in the order of two letters"
    return "in a letter" if max(len(mine), len(other)) == 1 else None


def _shared(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    alike = (a == b for a, b in zip(one, other, strict=False))
    return next((index for index, same in enumerate(alike) if not same), min(len(one), len(other)))


def near_miss(mapping: "EventMapping", call: str, name: str | None) -> str | None:
    """Return how an unmapped event's name differs from a similar one in the mapping; None if none is similar."""
    if name is None:
        return None
    known = [one for other, one in mapping.by_event if other == call and one is not None]
    told = [(one, difference(name, one)) for one in known if fold(one) == fold(name)]
    told += [(one, typo(name, one)) for one in known]
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
