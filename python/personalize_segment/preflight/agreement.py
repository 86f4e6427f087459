"""Checks of what history and live events agree on: mapping, event types, ids, and what was left out."""

from collections.abc import Iterator

from ..contract.mapping import EventMapping
from .accounts import Accounts
from .figures import Figures
from .verdict import ANALYSIS, Check, Limit, judged, number, percent, share, thumb

GROUP = "History and live agree"
_SHOWN = 5
_KNOWN_SHARE = 0.9
_IDLE_SHARE = 0.5
_REFUSED_SHARE = 0.05
_ANONYMOUS_SHARE = 0.5
_UNMAPPED_SHARE = 0.9
_MALFORMED_SHARE = 0.01


def agreement(accounts: Accounts | None, figures: Figures, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks of this group; without a report, those that it answers are left out."""
    if accounts is not None:
        yield _mapping(accounts, mapping)
    yield _gaps(figures, mapping)
    for dataset in figures.coverage:
        yield from _coverage(figures, dataset)
    if accounts is not None:
        yield from _accounted(accounts)


def _mapping(accounts: Accounts, mapping: EventMapping) -> Check:
    same = accounts.mapping_sha256 == mapping.sha256
    return judged(
        "mapping",
        GROUP,
        "Event mapping",
        accounts.mapping_sha256,
        "sha256",
        f"The export was made with {'this' if same else 'another'} event mapping.",
        thumb("history and live events read one mapping"),
        ("yellow", not same, "Name the mapping of the Lambda function with --mapping, and export with it."),
    )


def _accounted(accounts: Accounts) -> Iterator[Check]:
    """Yield the checks that report.json answers."""
    matched = accounts.matched.get("interactions", 0)
    anonymous = accounts.anonymous
    refused = accounts.refused.get("interactions", 0) - anonymous
    yield judged(
        "anonymous",
        GROUP,
        "Anonymous",
        anonymous,
        "events",
        f"{percent(share(anonymous, matched))} of what could be interactions name no user.",
        thumb(f"under {percent(_ANONYMOUS_SHARE)}"),
        (
            "yellow",
            share(anonymous, matched) > _ANONYMOUS_SHARE,
            "History can't use visitors without a userId: identify earlier, or read docs/adr/0005.",
        ),
    )
    yield judged(
        "refused",
        GROUP,
        "Refused",
        refused,
        "events and elements",
        f"{percent(share(refused, matched))} of what could be interactions were refused for other reasons.",
        thumb(f"under {percent(_REFUSED_SHARE)}"),
        (
            "yellow",
            share(refused, matched) > _REFUSED_SHARE,
            "Try `personalize-segment explain` on such events, and add the paths that they need.",
        ),
        details=(
            (f"{one.call} {one.event or ''} {one.field or ''}".strip(), f"{one.count:,}: {one.reason}")
            for one in accounts.kinds(unmapped=False)[:_SHOWN]
        ),
    )
    yield judged(
        "unmapped",
        GROUP,
        "Unmapped",
        accounts.unmapped,
        "events",
        f"{percent(share(accounts.unmapped, accounts.events))} of {number(accounts.events, 'event')} have no rule.",
        thumb(f"under {percent(_UNMAPPED_SHARE)}"),
        (
            "yellow",
            share(accounts.unmapped, accounts.events) > _UNMAPPED_SHARE,
            "See below whether events that speak of items are among them, and give them rules.",
        ),
        details=(
            (f"{one.call} {one.event or ''}".strip(), number(one.count))
            for one in accounts.kinds(unmapped=True)[:_SHOWN]
        ),
    )
    lost = accounts.malformed + len(accounts.damaged)
    yield judged(
        "malformed",
        GROUP,
        "Damaged logs",
        lost,
        "lines and files",
        f"{number(accounts.malformed, 'malformed line')} and {number(len(accounts.damaged), 'damaged file')}.",
        thumb(f"no file, and under {percent(_MALFORMED_SHARE)} of lines"),
        ("yellow", bool(accounts.damaged), "Fetch these files again, and export again."),
        ("yellow", share(lost, accounts.events) > _MALFORMED_SHARE, "See where the logs are cut off on their way."),
        details=((name, "") for name in accounts.damaged[:_SHOWN]),
    )


def _gaps(figures: Figures, mapping: EventMapping) -> Check:
    (interactions,) = (one for one in mapping.datasets if one.name == "interactions")
    place = [one.name for one in interactions.columns].index("EVENT_TYPE")
    live: dict[str, list[str]] = {}
    for rule in interactions.rules:
        live.setdefault(str(rule.sources[place]), []).append(f"{rule.call} {rule.name or ''}".strip())
    seen = dict(figures.types)
    strange = [name for name in seen if name not in live]
    silent = [name for name in live if name not in seen]
    details = [(name, f"{seen[name]:,} interactions, but no rule gives it") for name in strange]
    details += [(name, f"never occurred: {', '.join(live[name])}") for name in silent]
    return judged(
        "gaps",
        GROUP,
        "History and live",
        len(strange) + len(silent),
        "event types",
        f"{number(len(strange), 'event type')} that no rule gives, {number(len(silent))} that never occurred."
        if details
        else "The event types of the history are those of the rules.",
        thumb("both sides have the same event types"),
        ("yellow", bool(strange), "Live events will never have these types: export with the mapping that is deployed."),
        ("yellow", bool(silent), "See whether these events are tracked under another name, or take the rules out."),
        details=details,
    )


def _coverage(figures: Figures, dataset: str) -> Iterator[Check]:
    coverage = figures.coverage[dataset]
    one = dataset.removesuffix("s")
    known, idle = share(coverage.known, coverage.named), share(coverage.idle, coverage.listed)
    weight = share(coverage.known_interactions, figures.unique)
    yield judged(
        f"known-{dataset}",
        GROUP,
        f"Known {dataset}",
        round(known, 6),
        "share",
        f"{percent(known)} of {number(coverage.named, one)} in interactions are in {dataset},"
        f" with {percent(weight)} of interactions.",
        thumb(f"at least {percent(_KNOWN_SHARE)}"),
        (
            "yellow",
            bool(coverage.named) and known < _KNOWN_SHARE,
            f"Without a row nothing is known of {'an item' if one == 'item' else 'a user'}: see which events bring it.",
        ),
    )
    yield judged(
        f"idle-{dataset}",
        GROUP,
        f"Idle {dataset}",
        round(idle, 6),
        "share",
        f"{percent(idle)} of {number(coverage.listed, one)} in {dataset} have no interaction.",
        Limit(f"few; a rule of thumb is {percent(_IDLE_SHARE)}", ANALYSIS),
        (
            "yellow",
            idle > _IDLE_SHARE,
            "They are hardly recommended: see whether the ids of both datasets are the same kind of id."
            if one == "item"
            else "They get popular items only: see whether the ids of both datasets are the same kind of id.",
        ),
    )
