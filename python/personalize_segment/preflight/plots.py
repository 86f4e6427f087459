"""Plots of bars as inline SVG, with their numbers as a table: for eyes, screen readers and printers.

Bars alone are drawn, and stretch with the page; texts stand around them as HTML, so that they keep their size.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .verdict import visible

_WIDTH, _HEIGHT = 1000, 200


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled value of 0 or more, how it is read out, and what stands on the axis if not the label."""

    label: str
    value: float
    text: str
    tick: str | None = None


def text(value: str, most: int = 80) -> str:
    """Return what may come from the data as HTML text, or as the value of a quoted attribute."""
    return html.escape(visible(value, most), quote=True)


def columns(id_: str, title: str, described: str, bars: Sequence[Bar], heads: tuple[str, str]) -> str:
    """Return a figure of upright bars with a scale of about four round steps, and the table behind it."""
    steps = scale(max((bar.value for bar in bars), default=0))
    top = steps[-1]
    slot = _WIDTH / max(len(bars), 1)
    gap = min(slot * 0.18, 14)
    lines = "".join(
        f'<line x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>' for y in (_HEIGHT * (1 - one / top) for one in steps)
    )
    drawn = "".join(
        # What is not nothing is seen.
        f'<rect x="{place * slot + gap / 2:.2f}" y="{_HEIGHT - tall:.2f}" width="{slot - gap:.2f}" height="{tall:.2f}">'
        f"<title>{text(bar.label)}: {text(bar.text)}</title></rect>"
        for place, bar in enumerate(bars)
        for tall in [max(_HEIGHT * bar.value / top, 1.5 if bar.value else 0)]
    )
    ticks = "".join(f"<span>{text(short(one))}</span>" for one in reversed(steps))
    return (
        f'<figure class="card plot" aria-labelledby="{id_}"><figcaption><h3 id="{id_}">{text(title)}</h3>'
        f"<p>{text(described, 400)}</p></figcaption>"
        f'<div class="area"><div class="ticks" aria-hidden="true">{ticks}</div>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-labelledby="{id_}-title {id_}-desc"><title id="{id_}-title">{text(title)}</title>'
        f'<desc id="{id_}-desc">{text(described, 400)}</desc><g class="grid">{lines}</g>{drawn}</svg>'
        f"{_axis(bars)}</div>{_table(bars, heads)}</figure>"
    )


def _axis(bars: Sequence[Bar]) -> str:
    """Return the labels below the bars: all of a few, else the first, the middle and the last."""
    few = len(bars) <= 12
    shown = bars if few else (bars[0], bars[len(bars) // 2], bars[-1])
    labels = "".join(f"<span>{text(one.tick or one.label)}</span>" for one in shown)
    return f'<div class="axis {"each" if few else "ends"}" aria-hidden="true">{labels}</div>'


def _table(bars: Sequence[Bar], heads: tuple[str, str]) -> str:
    rows = "".join(f'<tr><th scope="row">{text(one.label)}</th><td>{text(one.text)}</td></tr>' for one in bars)
    head = "".join(f'<th scope="col">{text(one)}</th>' for one in heads)
    return (
        '<details class="numbers"><summary>The numbers</summary><div class="scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def rows(
    id_: str, title: str, described: str, bars: Sequence[Bar], heads: tuple[str, str], *, top: float, mark: float = 0
) -> str:
    """Return a figure of lying bars: a table whose rows have a bar between label and number.

    `top` is the value of a full bar; `mark`, if not 0, is where a line crosses all of them.
    """
    line = f'<line x1="{_WIDTH * mark / top:.1f}" x2="{_WIDTH * mark / top:.1f}" y1="0" y2="10"/>' if mark else ""
    drawn = "".join(
        f'<tr><th scope="row"><bdi>{text(one.label, 60)}</bdi></th><td class="bar">'
        f'<svg viewBox="0 0 {_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rest" width="{_WIDTH}" height="10"/>'
        f'<rect width="{max(_WIDTH * one.value / top, 3 if one.value else 0):.1f}" height="10"/>{line}</svg></td>'
        f"<td>{text(one.text)}</td></tr>"
        for one in bars
    )
    return (
        f'<figure class="card plot" aria-labelledby="{id_}"><figcaption><h3 id="{id_}">{text(title)}</h3>'
        f'<p>{text(described, 400)}</p></figcaption><table class="bars"><thead class="aside"><tr>'
        f'<th scope="col">{text(heads[0])}</th><td></td><th scope="col">{text(heads[1])}</th></tr></thead>'
        f"<tbody>{drawn}</tbody></table></figure>"
    )


def scale(most: float) -> list[float]:
    """Return round steps from 0 to `most` or just above it: three to six of them, never less than 0 and 1."""
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
