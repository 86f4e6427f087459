"""Checks of when and by whom: is the history recent, long and even, and is it about people?"""

from collections.abc import Iterator
from functools import partial

from .figures import APART_DAYS, DAY_SECONDS, Figures, day
from .measure import CROWD
from .verdict import Check, judged, number, percent, share, thumb

_judged = partial(judged, "Time and people")
_OLD_DAYS = 30
_SHORT_DAYS = 14
_HOLE_DAYS = 2
_TOP_SHARE = 0.5
_ONCE_SHARE = 0.5
_VIEWED_SHARE = 0.5
#: Of fewer items, a share says nothing.
_FEW_ITEMS = 20
#: So many times what 99 of 100 users have at most is not one person.
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
        ("yellow", activity.span < _SHORT_DAYS, "A few weeks show what users come back for: export a longer history."),
    )
    yield _judged(
        "age",
        "Age of the newest",
        age,
        "days",
        "No interaction has a time that can be meant."
        if age is None
        else f"The newest interactions are {number(max(age, 0), 'day')} old.",
        thumb(f"at most {_OLD_DAYS} days"),
        ("yellow", age is None or age > _OLD_DAYS, "What users want has changed since: export again before training."),
    )
    yield _judged(
        "activity",
        "Activity",
        length,
        "days",
        f"The longest time without an interaction is {number(length, 'day')}, from {day(hole)}."
        if length
        else "No day is without an interaction."
        if len(activity.days) > 1
        else "Too few days to say.",
        thumb(f"at most {_HOLE_DAYS} days"),
        ("yellow", length > _HOLE_DAYS, "Tracking was broken, or logs are missing: see what lies there in the bucket."),
    )
    yield _judged(
        "clocks",
        "Wrong clocks",
        apart,
        "interactions",
        f"{number(apart, 'interaction lies', 'interactions lie')} more than {APART_DAYS} days apart from all others."
        if apart
        else "No interaction lies far apart from all others."
        if len(activity.days) > 1
        else "Too few days to say.",
        thumb("none"),
        ("yellow", apart > 0, "A few clients have a wrong clock. They do little harm; leave them out if you can."),
    )


def _popular(figures: Figures) -> Check:
    shares = dict(figures.shares)
    return _judged(
        "long-tail",
        "Long tail",
        round(shares.get(1, 0.0), 6),
        "share of interactions",
        f"The top 1 % of items have {percent(shares.get(1, 0.0))} of interactions,"
        f" the top 10 % {percent(shares.get(10, 0.0))}.",
        thumb(f"the top 1 % have under {percent(_TOP_SHARE)}"),
        (
            "yellow",
            figures.items >= 100 and shares.get(1, 0.0) > _TOP_SHARE,
            "A few items are all that is learned: see whether they are real, such as a gift card or a test item.",
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
            "Little can be learned of them: map an id that lasts, the product's instead of the variant's.",
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
            "Orders may name variants where views name products: map the same kind of id for both.",
        ),
    )


def _crowd(figures: Figures) -> Check:
    busiest = figures.busiest[1] if figures.busiest else 0
    heaviest = figures.heaviest[1] if figures.heaviest else 0
    usual = _usual(figures)
    extremes = [("most interactions", figures.heaviest), ("most in one day", figures.busiest)]
    remedy = "Bots, tests or a shared id; they are not what people want: leave these users out before training."
    return _judged(
        "crowds",
        "Users like robots",
        figures.crowded,
        "users",
        f"{number(figures.crowded, 'user has', 'users have')} {CROWD:,} interactions or more in one day."
        f" One has {number(heaviest)} in all; 99 of 100 users have {number(usual)} at most.",
        thumb(f"under {CROWD:,} a day, and in all no {_HEAVY} times what 99 of 100 users have"),
        ("yellow", busiest >= CROWD or (heaviest >= CROWD and heaviest > _HEAVY * usual), remedy),
        details=((f"{what}: {who[0]}", number(who[1])) for what, who in extremes if who),
    )


def _usual(figures: Figures) -> int:
    """Return how many interactions 99 of 100 users have at most."""
    seen = 0
    for interactions, users in figures.histories:
        seen += users
        if seen >= 0.99 * figures.users:
            return interactions
    return 0
