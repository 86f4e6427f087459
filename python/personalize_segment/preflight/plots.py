"""The values for `plots.html`: labeled bars, and their scale."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A labeled value of 0 or more, its text, and its text on the axis, if that isn't the label."""

    label: str
    value: float
    text: str
    tick: str | None = None


def scale(most: float) -> list[float]:
    """Return three to six round steps from 0 to `most` or slightly more, or [0, 1] if `most` is at most 1."""
    if most <= 1:
        return [0, 1]
    power = 10 ** math.floor(math.log10(most / 4))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if most / (factor * power) <= 5)
    step = max(step, 1)
    return [step * place for place in range(math.ceil(most / step) + 1)]


def short(value: float) -> str:
    """Return a number for a scale: 1500 is 1.5k."""
    for unit, size in (("bn", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
