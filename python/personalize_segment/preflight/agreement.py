"""Checks of whether history matches live events: mapping, event types, ids, and events that were left out."""

from collections.abc import Iterator
from functools import partial

from ..contract.mapping import Constant, EventMapping
from ..contract.names import near_miss
from ..contract.report import DatasetCount, Report
from ..contract.rows import MISSING, NO_CONDITION, UNMAPPED
from ..contract.visitors import NEVER_LOGGED_IN
from ..errors import number
from .figures import Figures
from .verdict import ANALYSIS, Check, Limit, judged, percent, share, thumb

_judged = partial(judged, "History matches live events")
_SHOWN = 5
_KNOWN_SHARE = 0.9
_IDLE_SHARE = 0.5
_REFUSED_SHARE = 0.05
_ANONYMOUS_SHARE = 0.5
_UNMAPPED_SHARE = 0.9
#: The share of all events from which a name counts as frequent, and the maximum share of all frequent names together.
_FREQUENT_SHARE = 0.05
_FREQUENT_UNMAPPED_SHARE = 0.2
_MALFORMED_SHARE = 0.01


def agreement(report: Report | None, figures: Figures, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks of this group. Without a report, leave out the checks that need it."""
    if report is not None:
        yield _mapping(report, mapping)
    yield _gaps(figures, mapping)
    for dataset in figures.coverage:
        yield from _coverage(figures, dataset)
    if report is not None:
        yield from _left_out(report, mapping)


def _mapping(report: Report, mapping: EventMapping) -> Check:
    same = report.mapping_sha256 == mapping.sha256
    return _judged(
        "mapping",
        "Event mapping",
        report.mapping_sha256,
        "sha256",
        f"The export used {'this' if same else 'another'} event mapping.",
        thumb("the same mapping for history and live events"),
        ("yellow", not same, "Pass the Lambda function's mapping with --mapping, and export with it."),
    )


def _left_out(report: Report, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks that need report.json."""
    interactions = report.datasets.get("interactions", DatasetCount())
    matched = interactions.rows + interactions.deduplicated + interactions.refused
    read, without_rule = report.events_read, report.events_unmapped
    anonymous, other, unmapped, near, frequent = 0, [], [], [], 0
    for (call, event, dataset, field, reason), (count, example) in report.reasons.counts.items():
        if (dataset, field) == ("interactions", "USER_ID") and reason in (MISSING, NEVER_LOGGED_IN):
            anonymous += count
        elif dataset == "interactions":
            such = f", such as message {example}" if example else ""
            other.append((f"{call} {event or ''} {field or ''}".strip(), f"{count:,}: {reason}{such}"))
        elif reason in (UNMAPPED, NO_CONDITION):
            told = (f"{call} {event or ''}".strip(), number(count))
            if reason == UNMAPPED and (hint := near_miss(mapping, call, event)):
                near.append((told[0], f"{told[1]}, {hint}"))
            else:
                unmapped.append(told)
            # Pages and identify calls often have no rule on purpose.
            if reason == UNMAPPED and call == "track" and share(count, read) >= _FREQUENT_SHARE:
                frequent += count
    refused = interactions.refused - anonymous
    yield _judged(
        "anonymous",
        "Anonymous events",
        anonymous,
        "events",
        f"{percent(share(anonymous, matched))} of possible interactions have no user.",
        thumb(f"under {percent(_ANONYMOUS_SHARE)}"),
        (
            "yellow",
            share(anonymous, matched) > _ANONYMOUS_SHARE,
            'Identify users earlier, or set "visitors" to "as_users" in the mapping (docs/mapping.md).',
        ),
    )
    accepted = interactions.rows + interactions.deduplicated
    yield _judged(
        "stitched",
        "Visitors who logged in",
        interactions.stitched,
        "interactions",
        f"{percent(share(interactions.stitched, accepted))} of interactions come from visitors who logged in.",
        thumb("no limit (shows the effect of attributing visitors, duplicates included)"),
    )
    yield _judged(
        "refused",
        "Refused events",
        refused,
        "events and elements",
        f"{percent(share(refused, matched))} of possible interactions were refused for other reasons.",
        thumb(f"under {percent(_REFUSED_SHARE)}"),
        (
            "yellow",
            share(refused, matched) > _REFUSED_SHARE,
            "Run `personalize-segment explain` on such events, and add the missing paths.",
        ),
        details=other[:_SHOWN],
    )
    yield _judged(
        "unmapped",
        "Unmapped events",
        without_rule,
        "events",
        f"{percent(share(without_rule, read))} of {number(read, 'event')} have no rule.",
        thumb(f"under {percent(_UNMAPPED_SHARE)}"),
        (
            "yellow",
            share(without_rule, read) > _UNMAPPED_SHARE,
            "Check whether any of these events are about items, and add rules for them.",
        ),
        ("yellow", bool(near), "Check whether a name is misspelled in the code that sends it, or in the mapping."),
        (
            "yellow",
            share(frequent, read) > _FREQUENT_UNMAPPED_SHARE,
            "Many are frequent track events. Run `personalize-segment init --logs` to see whether they have item ids.",
        ),
        details=(near + unmapped)[:_SHOWN],
    )
    damaged = [name for name, _ in report.files_damaged]
    lost = report.lines_malformed + len(damaged)
    yield _judged(
        "malformed",
        "Damaged logs",
        lost,
        "lines and files",
        f"{number(report.lines_malformed, 'malformed line')} and {number(len(damaged), 'damaged file')}.",
        thumb(f"no damaged file, and under {percent(_MALFORMED_SHARE)} of lines"),
        ("yellow", bool(damaged), "Download these files again, and export again."),
        ("yellow", share(lost, read) > _MALFORMED_SHARE, "Find out where the logs are cut off in transfer."),
        details=((name, "") for name in damaged[:_SHOWN]),
    )


def _gaps(figures: Figures, mapping: EventMapping) -> Check:
    (interactions,) = (dataset for dataset in mapping.datasets if dataset.name == "interactions")
    place = [column.name for column in interactions.columns].index("EVENT_TYPE")
    live: dict[str, list[str]] = {}
    for rule in interactions.rules:
        constant = rule.sources[place]
        name = str(constant.value if isinstance(constant, Constant) else None)
        live.setdefault(name, []).append(f"{rule.call} {rule.name or ''}".strip())
    seen = dict(figures.types)
    strange = [name for name in seen if name not in live]
    silent = [name for name in live if name not in seen]
    details = [(name, f"{number(seen[name], 'interaction')}, but no rule") for name in strange]
    details += [(name, f"never occurred: {', '.join(live[name])}") for name in silent]
    return _judged(
        "gaps",
        "Same event types",
        len(strange) + len(silent),
        "event types",
        f"{number(len(strange), 'event type')} without a rule, {number(len(silent))} that never occurred."
        if details
        else "History and rules have the same event types.",
        thumb("the same event types in history and rules"),
        ("yellow", bool(strange), "Live events will never have these types. Export with the deployed mapping."),
        ("yellow", bool(silent), "Check whether these events have another name, or remove their rules."),
        details=details,
    )


def _coverage(figures: Figures, dataset: str) -> Iterator[Check]:
    coverage = figures.coverage[dataset]
    noun = "item" if dataset == "items" else "user"
    known, idle = share(coverage.known, coverage.named), share(coverage.idle, coverage.listed)
    weight = share(coverage.known_interactions, figures.unique)
    yield _judged(
        f"known-{dataset}",
        f"Known {dataset}",
        round(known, 6),
        "share",
        f"{percent(known)} of {number(coverage.named, noun)} in interactions are in the {dataset} dataset. They account"
        f" for {percent(weight)} of interactions.",
        thumb(f"at least {percent(_KNOWN_SHARE)}"),
        (
            "yellow",
            bool(coverage.named) and known < _KNOWN_SHARE,
            f"Personalize knows nothing about {noun}s without a row. Check which events produce their rows.",
        ),
    )
    yield _judged(
        f"idle-{dataset}",
        f"Idle {dataset}",
        round(idle, 6),
        "share",
        f"{percent(idle)} of {number(coverage.listed, noun)} in the {dataset} dataset have no interaction.",
        Limit(f"few (rule of thumb: {percent(_IDLE_SHARE)})", ANALYSIS),
        (
            "yellow",
            idle > _IDLE_SHARE,
            "They are rarely recommended. Check whether both datasets use the same kind of id."
            if noun == "item"
            else "They only get popular items. Check whether both datasets use the same kind of id.",
        ),
    )
