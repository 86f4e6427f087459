"""Checks of quantity: is there enough data to train, and not too much to import?"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from ..contract.columns import MAX_EVENT_TYPES_AND_COLUMNS, RESERVED
from ..errors import number
from .figures import Figures, TrainingFacts
from .parts import Export
from .verdict import (
    GOOD_INTERACTIONS,
    GOOD_RETURNING_USERS,
    MAX_IMPORT_GB,
    MAX_INTERACTIONS,
    MAX_ITEMS,
    MIN_INTERACTIONS,
    MIN_RETURNING_SHARE,
    MIN_RETURNING_USERS,
    QUOTAS,
    Check,
    Limit,
    judged,
    percent,
    share,
    size,
)

_judged = partial(judged, "Enough data")
_MORE = "Export a longer history, or collect live events for a while"
_FEW = f"Enough to start, but less than recommended. {_MORE}."


def quantity(export: Export, figures: Figures) -> Iterator[Check]:
    """Yield the checks of this group."""
    yield _interactions(figures)
    yield _returning(figures)
    yield _returning_share(figures)
    yield from map(_training, figures.trainings)
    yield _items(figures)
    yield _event_types(figures)
    yield from (_size(export, figures, dataset) for dataset in figures.datasets)


def _interactions(figures: Figures) -> Check:
    count = figures.unique
    v2, others = MAX_INTERACTIONS
    return _judged(
        "interactions",
        "Interactions",
        count,
        "interactions",
        f"{number(count, 'unique interaction')}.",
        Limit(f"at least {number(MIN_INTERACTIONS)} (recommended: {number(GOOD_INTERACTIONS)})", QUOTAS),
        ("red", count < MIN_INTERACTIONS, f"{number(MIN_INTERACTIONS - count)} are missing. {_MORE}."),
        ("yellow", count < GOOD_INTERACTIONS, _FEW),
        ("yellow", count > v2, "Training ignores the rest. Export a shorter window."),
        ("yellow", count > others, f"Only v2 recipes use more than {number(others)}. Choose one, or export less."),
    )


def _returning(figures: Figures) -> Check:
    count = figures.returning
    missing = MIN_RETURNING_USERS - count
    return _judged(
        "returning-users",
        "Returning users",
        count,
        "users",
        f"{number(count, 'user has', 'users have')} two interactions or more.",
        Limit(f"at least {MIN_RETURNING_USERS} (recommended: {number(GOOD_RETURNING_USERS)})", QUOTAS),
        ("red", missing > 0, f"{number(missing)} more must have two. {_MORE}, and see how many events are anonymous."),
        ("yellow", count < GOOD_RETURNING_USERS, _FEW),
    )


def _returning_share(figures: Figures) -> Check:
    part = share(figures.returning, figures.users)
    remedy = "Most ids occur once. Make sure that USER_ID is the id of a user, not of a session or a device."
    return _judged(
        "returning-share",
        "Returning share",
        round(part, 6),
        "share of users",
        f"{percent(part)} of {number(figures.users, 'user')} have two interactions or more.",
        Limit(f"at least {percent(MIN_RETURNING_SHARE)} of all users", QUOTAS),
        ("red", part < MIN_RETURNING_SHARE, remedy),
    )


def _training(facts: TrainingFacts) -> Check:
    few = facts.interactions < MIN_INTERACTIONS or facts.returning < MIN_RETURNING_USERS
    return _judged(
        f"training-{facts.solution}",
        f"Training of {facts.solution}",
        facts.interactions,
        "interactions",
        f"{number(facts.interactions, 'interaction')}, and {number(facts.returning, 'user')} with two or more, match"
        " the solution's event types and thresholds.",
        Limit(f"at least {number(MIN_INTERACTIONS)}, and {MIN_RETURNING_USERS} users", QUOTAS),
        ("red", few, f"The training would fail. Lower the solution's value_threshold, or add event types. {_MORE}."),
    )


def _items(figures: Figures) -> Check:
    idle = figures.coverage["items"].idle if "items" in figures.coverage else 0
    count = figures.items + idle
    v2, others = MAX_ITEMS
    return _judged(
        "items",
        "Items",
        count,
        "items",
        f"{number(figures.items, 'item')} with interactions, {number(idle)} more in the items dataset.",
        Limit(f"training considers at most {number(others)}, with v2 recipes {number(v2)}", QUOTAS),
        ("red", figures.items < 2, "Training needs at least two. Check the paths of ITEM_ID in the mapping."),
        ("yellow", count > v2, "The rest can't be recommended. Leave out items that are no longer available."),
        ("yellow", count > others, "Use a v2 recipe, or leave out items that are no longer available."),
    )


def _event_types(figures: Figures) -> Check:
    reserved = RESERVED["interactions"].keys() - {"EVENT_VALUE"}
    columns = [column for column in figures.datasets["interactions"].columns if column.name not in reserved]
    count = len(figures.types) + len(columns)
    spellings = Counter("".join(filter(str.isalnum, name.lower())) for name, _ in figures.types)
    return _judged(
        "event-types",
        "Event types",
        count,
        "event types and optional columns",
        f"{number(len(figures.types), 'event type')} and {number(len(columns), 'optional column')}, {count} in total.",
        Limit(f"at most {MAX_EVENT_TYPES_AND_COLUMNS} together", QUOTAS),
        (
            "red",
            count > MAX_EVENT_TYPES_AND_COLUMNS,
            "Give several events the same event_type in the mapping, or remove columns.",
        ),
        ("yellow", not figures.types, "Domain recommenders need an EVENT_TYPE, but no interaction has one."),
        (
            "yellow",
            max(spellings.values(), default=0) > 1,
            "Some differ only in case or punctuation. Give these events the same event_type.",
        ),
        details=((name, number(interactions)) for name, interactions in figures.types),
    )


def _size(export: Export, figures: Figures, dataset: str) -> Check:
    full, incremental = MAX_IMPORT_GB
    bytes_ = export.bytes(dataset)
    parts = sum(part.dataset == dataset for part in export.parts)
    return _judged(
        f"size-{dataset}",
        f"Size of {dataset}",
        bytes_,
        "bytes",
        f"{number(figures.datasets[dataset].rows, 'row')}, {size(bytes_)} in {number(parts, 'part')}.",
        Limit(f"an import takes at most {full} GB with FULL, {incremental} GB with INCREMENTAL", QUOTAS),
        ("red", bytes_ > full * 2**30, "Export a shorter window, or request a higher quota."),
    )
