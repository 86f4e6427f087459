"""Checks of time and users: is the history recent, long and even, and are its users people?"""

from collections.abc import Iterator
from functools import partial

from ..errors import number
from .figures import APART_DAYS, DAY_SECONDS, Figures, day
from .measure import CROWD
from .verdict import Check, judged, percent, share, thumb

_judged = partial(judged, "Time and users")
_OLD_DAYS = 30
_SHORT_DAYS = 14
_HOLE_DAYS = 2
_TOP_SHARE = 0.5
_ONCE_SHARE = 0.5
_VIEWED_SHARE = 0.5
#: Minimum number of items for a meaningful share.
_FEW_ITEMS = 20
#: A user with this many times the 99th percentile of interactions isn't one person.
_HEAVY = 20


def behavior(figures: Figures) -> Iterator[Check]:
    """Yield the checks of this group."""
    yield from _time(figures)
    yield _popular(figures)
    yield _once(figures)
    if figures.bought is not None:
        yield _bought(*figures.bought)
    yield _crowd(figures)


def _time(figures: Figures) -> Iterator[Check]:
    activity, apart = figures.activity.apart()
    newest = activity.days[-1][0] if activity.days else None
    age = figures.now // DAY_SECONDS - newest if newest is not None else None
    first = day(activity.days[0][0]) if activity.days else "-"
    last = day(newest) if newest is not None else "-"
    hole, length = activity.hole()
    yield _judged(
        "span",
        "Time span",
        activity.span,
        "days",
        f"{number(activity.span, 'day')}, from {first} to {last}.",
        thumb(f"at least {_SHORT_DAYS} days"),
        ("yellow", activity.span < _SHORT_DAYS, "Export a longer history: it takes weeks to show repeated behavior."),
    )
    yield _judged(
        "age",
        "Data freshness",
        age,
        "days",
        "No interaction has a plausible timestamp."
        if age is None
        else f"The newest interactions are {number(max(age, 0), 'day')} old.",
        thumb(f"at most {_OLD_DAYS} days"),
        ("yellow", age is None or age > _OLD_DAYS, "Users' interests change. Export again before training."),
    )
    yield _judged(
        "activity",
        "Activity",
        length,
        "days",
        f"The longest gap without interactions is {number(length, 'day')}, from {day(hole)}."
        if length
        else "Every day has interactions."
        if len(activity.days) > 1
        else "Not enough days to tell.",
        thumb(f"at most {_HOLE_DAYS} days without interactions"),
        ("yellow", length > _HOLE_DAYS, "Tracking was broken, or logs are missing. Check the bucket for these days."),
    )
    yield _judged(
        "clocks",
        "Wrong clocks",
        apart,
        "interactions",
        f"{number(apart, 'interaction is', 'interactions are')} more than {APART_DAYS} days away from all others."
        if apart
        else "No interaction is far away from all others."
        if len(activity.days) > 1
        else "Not enough days to tell.",
        thumb("none"),
        ("yellow", apart > 0, "A few clients have a wrong clock. They do little harm. Leave them out if you can."),
    )


def _popular(figures: Figures) -> Check:
    shares = dict(figures.shares)
    return _judged(
        "long-tail",
        "Long tail",
        round(shares.get(1, 0.0), 6),
        "share of interactions",
        f"The top 1% of items have {percent(shares.get(1, 0.0))} of interactions,"
        f" the top 10% have {percent(shares.get(10, 0.0))}.",
        thumb(f"the top 1% have under {percent(_TOP_SHARE)}"),
        (
            "yellow",
            figures.items >= 100 and shares.get(1, 0.0) > _TOP_SHARE,
            "Training learns little beyond a few items. Check for items such as gift cards or test items.",
        ),
    )


def _once(figures: Figures) -> Check:
    part = share(figures.items_once, figures.items)
    return _judged(
        "items-once",
        "Items seen once",
        figures.items_once,
        "items",
        f"{number(figures.items_once, 'item has', 'items have')} one interaction ({percent(part)}).",
        thumb(f"under {percent(_ONCE_SHARE)}"),
        (
            "yellow",
            part > _ONCE_SHARE,
            "Training learns little about them. Map a stable id, such as the product's instead of the variant's.",
        ),
    )


def _bought(bought: int, viewed: int) -> Check:
    part = share(viewed, bought)
    return _judged(
        "viewed",
        "Purchased and viewed",
        round(part, 6),
        "share of purchased items",
        f"{percent(part)} of {number(bought, 'purchased item')} were also viewed.",
        thumb(f"at least {percent(_VIEWED_SHARE)}"),
        (
            "yellow",
            bought >= _FEW_ITEMS and part < _VIEWED_SHARE,
            "Orders may name variants, and views products. Map the same kind of id for both.",
        ),
    )


def _crowd(figures: Figures) -> Check:
    busiest = figures.busiest[1] if figures.busiest else 0
    heaviest = figures.heaviest[1] if figures.heaviest else 0
    usual = _usual(figures)
    extremes = [("most interactions", figures.heaviest), ("most in one day", figures.busiest)]
    remedy = "They may be bots, tests or a shared id. Leave these users out before training."
    return _judged(
        "crowds",
        "Suspected bots",
        figures.crowded,
        "users",
        f"{number(figures.crowded, 'user has', 'users have')} {CROWD:,} interactions or more in one day."
        f" The busiest user has {number(heaviest)} in total. 99% of users have at most {number(usual)}.",
        thumb(f"under {CROWD:,} per day, and in total at most {_HEAVY} times the 99th percentile"),
        ("yellow", busiest >= CROWD or (heaviest >= CROWD and heaviest > _HEAVY * usual), remedy),
        details=((f"{what}: {who[0]}", number(who[1])) for what, who in extremes if who),
    )


def _usual(figures: Figures) -> int:
    """Return the 99th percentile of interactions per user."""
    seen = 0
    for interactions, users in figures.histories:
        seen += users
        if seen >= 0.99 * figures.users:
            return interactions
    return 0
