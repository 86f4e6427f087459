"""The assessment as a self-contained HTML page, without scripts and without network requests.

Jinja escapes every value. A policy in the page also forbids scripts and requests.
"""

from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..errors import number
from .assessment import BINS, Assessment
from .figures import day
from .plots import Bar, scale, short
from .verdict import COMPLETE_SHARE, percent, visible

_TYPES = 12


def _visible(value: Any) -> Any:
    """Return a printed value without invisible and control characters. Leave the template's own HTML unchanged."""
    return visible(value, 400) if isinstance(value, str) and not hasattr(value, "__html__") else value


TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=_visible,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"short": short, "visible": visible}
TEMPLATES.globals |= {"day": day, "number": number, "percent": percent, "scale": scale}


def page(assessment: Assessment) -> str:
    """Return the HTML of the page. Write it as UTF-8."""
    figures = assessment.figures
    activity, apart = figures.activity.apart()
    days_a_bin, bins = activity.binned(BINS)
    total = sum(count for _, count in figures.types)
    filled = [
        (f"{facts.name}.{column.name}", 1 - column.nulls / facts.rows)
        for facts in figures.datasets.values()
        for column in facts.columns
        if column.nulls
    ]
    bars = {
        "activity": [Bar(day(start), count, number(count)) for start, count in bins],
        "types": [
            Bar(name, count, f"{number(count)} · {percent(count / total)}") for name, count in figures.types[:_TYPES]
        ],
        "users": [
            Bar(_class(low, high), users, number(users), short(low)) for low, high, users in assessment.classes()
        ],
        "top_items": [Bar(f"top {top}%", share, percent(share)) for top, share in figures.shares],
        "filled": [Bar(name, share, percent(share)) for name, share in filled],
    }
    return TEMPLATES.get_template("page.html").render(
        assessment=assessment,
        figures=figures,
        seen=datetime.fromtimestamp(figures.now, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        activity=activity,
        apart=apart,
        days_a_bin=days_a_bin,
        shown_types=_TYPES,
        complete_share=COMPLETE_SHARE,
        bars=bars,
        groups=groupby(assessment.checks, key=lambda check: check.group),
    )


def _class(low: int, high: int | None) -> str:
    return f"{low:,}+" if high is None else f"{low:,}" if low == high else f"{low:,}–{high:,}"
