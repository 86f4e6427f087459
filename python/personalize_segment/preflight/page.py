"""The result as one HTML page: a single file that needs nothing else, runs no script and asks no network.

What comes from the data goes through `plots.text`. A policy in the page forbids scripts and requests besides.
"""

from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from .figures import day
from .looking import BINS, Result
from .plots import Bar, columns, rows, short, text
from .style import CSS
from .verdict import COMPLETE_SHARE, Check, Verdict, number, percent

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WORD: Final[dict[Verdict, str]] = {"green": "Good", "yellow": "Look at this", "red": "Stops you"}
_FACES: Final[dict[Verdict, str]] = {
    "green": '<circle cx="12" cy="12" r="11"/><path class="sign" d="M7 12.5l3.5 3.5L17 9"/>',
    "yellow": '<path class="face" d="M12 1.5 23.5 22H.5Z"/><path class="sign" d="M12 9v5.5M12 18v.2"/>',
    "red": '<path class="face" d="M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9Z"/><path class="sign" d="m9 9 6 6m0-6-6 6"/>',
}
_TYPES = 12


def headline(result: Result) -> str:
    """Return what the verdict means, in a few words."""
    counted = result.counted
    if counted["red"]:
        return f"Not ready: {number(counted['red'], 'thing stops', 'things stop')} the import or the training"
    if counted["yellow"]:
        return f"Ready to train, with {number(counted['yellow'], 'thing')} to look at"
    return "Ready to train"


def page(result: Result) -> str:
    """Return the page, UTF-8 text."""
    seen = datetime.fromtimestamp(result.figures.now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    meter = "".join(
        f'<li class="{one}">{_icon(one)}<span><b>{count}</b> {_WORD[one].lower()}</span></li>'
        for one, count in reversed(result.counted.items())
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Preflight: {text(headline(result))}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f'<header class="{result.verdict}"><div><p class="over">Preflight of a training with Amazon Personalize</p>'
        f"<h1>{_icon(result.verdict)}<span>{text(headline(result))}</span></h1>"
        f'<p class="over"><bdi>{text(result.export.place, 300)}</bdi> · looked at on {seen}'
        f" · event mapping {result.mapping_sha256[:12]}</p>"
        f'<ul class="meter" aria-label="Checks by verdict">{meter}</ul></div></header>\n<main>\n'
        f"{_tiles(result)}\n{_todo(result)}\n<h2>What is in it</h2>\n{_plots(result)}\n{_checks(result)}\n"
        "<footer>Red: the import or the training would fail, or what it learns would be wrong. Yellow: it works,"
        " but look at it. Limits are those of the named page; a rule of thumb is this project’s own.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _icon(verdict: Verdict) -> str:
    named = f'role="img" aria-label="{_WORD[verdict]}"'
    return f'<svg class="icon {verdict}" viewBox="0 0 24 24" {named}>{_FACES[verdict]}</svg>'


def _tiles(result: Result) -> str:
    figures = result.figures
    activity, _ = figures.activity.apart()
    tiles = [
        ("interactions", number(figures.unique)),
        ("users", number(figures.users)),
        ("items", number(figures.items)),
        ("event types", number(len(figures.types))),
        ("days" if activity.span != 1 else "day", number(activity.span)),
        ("newest day", day(activity.days[-1][0]) if activity.days else "–"),
    ]
    filled = "".join(f'<div class="card"><dt>{text(name)}</dt><dd>{text(value)}</dd></div>' for name, value in tiles)
    return f'<dl class="tiles">{filled}</dl>'


def _todo(result: Result) -> str:
    found = sorted((one for one in result.checks if one.remedy), key=lambda one: one.verdict == "yellow")
    if not found:
        return ""
    listed = "".join(
        f'<li class="card {one.verdict}">{_icon(one.verdict)}'
        f'<h3><a href="#check-{text(one.id)}">{text(one.title)}</a></h3>'
        f'<p>{text(one.said, 400)}</p><p class="remedy">{text(one.remedy, 400)}</p></li>'
        for one in found
    )
    return f'<h2>What to do</h2>\n<ol class="todo">{listed}</ol>'


def _plots(result: Result) -> str:
    figures = result.figures
    activity, apart = figures.activity.apart()
    width, bins = activity.binned(BINS)
    a_bar = "a day" if width == 1 else f"in {width} days"
    beside = f" {number(apart, 'interaction')} far apart left out." if apart else ""
    shown = figures.types[:_TYPES]
    most = max((count for _, count in figures.types), default=0) or 1
    total = sum(count for _, count in figures.types) or 1
    filled = [
        (f"{facts.name}.{one.name}", 1 - one.nulls / facts.rows)
        for facts in figures.datasets.values()
        if facts.rows
        for one in facts.columns
        if one.nulls
    ]
    plots = [
        columns(
            "activity",
            "Activity",
            f"Interactions {a_bar}, UTC, over {number(activity.span, 'day')}.{beside}",
            [Bar(day(start), count, number(count)) for start, count in bins],
            ("Day" if width == 1 else "From", "Interactions"),
        ).replace("card plot", "card plot wide", 1),
        rows(
            "types",
            "Event types",
            "Interactions of each EVENT_TYPE."
            + (f" The first {_TYPES} of {len(figures.types):,}." if len(figures.types) > _TYPES else ""),
            [Bar(name, count, f"{number(count)} · {percent(count / total)}") for name, count in shown],
            ("Event type", "Interactions"),
            top=most,
        ),
        columns(
            "users",
            "Users by interactions",
            "How many users have so many interactions. A bar reaches from its number to the next.",
            [Bar(_class(low, high), users, number(users), short(low)) for low, high, users in result.classes()],
            ("Interactions", "Users"),
        ),
        rows(
            "top-items",
            "Long tail",
            "Which share of all interactions the most popular items have.",
            [Bar(f"top {share} %", part, percent(part)) for share, part in figures.shares],
            ("Items", "Share of interactions"),
            top=1,
        ),
        rows(
            "filled",
            "Columns with gaps",
            f"Rows with a value. The line is at {percent(COMPLETE_SHARE)}, which Personalize recommends.",
            [Bar(name, share, percent(share)) for name, share in filled],
            ("Column", "Filled"),
            top=1,
            mark=COMPLETE_SHARE,
        )
        if filled
        else "",
    ]
    return f'<div class="plots">{"".join(plots)}</div>'


def _class(low: int, high: int | None) -> str:
    return f"{low:,}+" if high is None else f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _checks(result: Result) -> str:
    groups = []
    for group, checks in groupby(result.checks, key=lambda one: one.group):
        listed = "".join(_check(one) for one in checks)
        groups.append(f'<h2>{text(group)}</h2>\n<ul class="card checks">{listed}</ul>')
    return "\n".join(groups)


def _check(check: Check) -> str:
    source = text(check.limit.source.name, 200)
    if check.limit.source.url:
        named = f'title="Amazon Personalize developer guide: {source}" rel="noreferrer"'
        source = f'<a href="{text(check.limit.source.url, 300)}" {named}>{source}</a>'
    remedy = f'<p class="remedy">{text(check.remedy, 400)}</p>' if check.remedy else ""
    details = ""
    if check.details:
        listed = "".join(
            f"<div><dt><bdi>{text(label, 120)}</bdi></dt><dd><bdi>{text(said, 200)}</bdi></dd></div>"
            for label, said in check.details
        )
        opened = " open" if check.remedy else ""
        details = f'<details{opened}><summary>Details</summary><dl class="details">{listed}</dl></details>'
    return (
        f'<li class="{check.verdict}" id="check-{text(check.id)}">{_icon(check.verdict)}<h3>{text(check.title)}</h3>'
        f'<div class="said"><p>{text(check.said, 400)}</p>{remedy}{details}</div>'
        f'<p class="limit">{text(check.limit.text, 200)} <br>{source}</p></li>'
    )
