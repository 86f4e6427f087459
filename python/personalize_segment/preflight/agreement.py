"""Checks of what history and live events agree on: mapping, event types, ids, and what was left out."""

from collections.abc import Iterator
from functools import partial

from ..contract.mapping import Constant, EventMapping
from ..contract.names import near_miss
from ..contract.report import DatasetCount, Report
from ..contract.rows import MISSING, NO_CONDITION, UNMAPPED
from ..contract.visitors import NEVER_LOGGED_IN
from .figures import Figures
from .verdict import ANALYSIS, Check, Limit, judged, number, percent, share, thumb

_judged = partial(judged, "History and live agree")
_SHOWN = 5
_KNOWN_SHARE = 0.9
_IDLE_SHARE = 0.5
_REFUSED_SHARE = 0.05
_ANONYMOUS_SHARE = 0.5
_UNMAPPED_SHARE = 0.9
#: Track events of one name that are at least this share of all, and all of these together.
_FREQUENT_SHARE = 0.05
_FREQUENT_UNMAPPED_SHARE = 0.2
_MALFORMED_SHARE = 0.01


def agreement(report: Report | None, figures: Figures, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks of this group; without a report, those that it answers are left out."""
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
        f"The export was made with {'this' if same else 'another'} event mapping.",
        thumb("history and live events read one mapping"),
        ("yellow", not same, "Name the mapping of the Lambda function with --mapping, and export with it."),
    )


def _left_out(report: Report, mapping: EventMapping) -> Iterator[Check]:
    """Yield the checks that report.json answers."""
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
            # A page or an identify is often without a rule on purpose.
            if reason == UNMAPPED and call == "track" and share(count, read) >= _FREQUENT_SHARE:
                frequent += count
    refused = interactions.refused - anonymous
    yield _judged(
        "anonymous",
        "Anonymous",
        anonymous,
        "events",
        f"{percent(share(anonymous, matched))} of what could be interactions name no user.",
        thumb(f"under {percent(_ANONYMOUS_SHARE)}"),
        (
            "yellow",
            share(anonymous, matched) > _ANONYMOUS_SHARE,
            'Identify earlier, or set "visitors" to "as_users" in the mapping: docs/mapping.md.',
        ),
    )
    accepted = interactions.rows + interactions.deduplicated
    yield _judged(
        "stitched",
        "Visitors who logged in",
        interactions.stitched,
        "interactions",
        f"{percent(share(interactions.stitched, accepted))} of interactions are of visitors who logged in.",
        thumb("none; it shows what stitching brought, copies included"),
    )
    yield _judged(
        "refused",
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
        details=other[:_SHOWN],
    )
    yield _judged(
        "unmapped",
        "Unmapped",
        without_rule,
        "events",
        f"{percent(share(without_rule, read))} of {number(read, 'event')} have no rule.",
        thumb(f"under {percent(_UNMAPPED_SHARE)}"),
        (
            "yellow",
            share(without_rule, read) > _UNMAPPED_SHARE,
            "See below whether events that speak of items are among them, and give them rules.",
        ),
        ("yellow", bool(near), "See whether a name is misspelled where the event is sent, or in the mapping."),
        (
            "yellow",
            share(frequent, read) > _FREQUENT_UNMAPPED_SHARE,
            "Many are frequent track events. The report doesn't say whether they have items' ids:"
            " `personalize-segment init --logs` does.",
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
        thumb(f"no file, and under {percent(_MALFORMED_SHARE)} of lines"),
        ("yellow", bool(damaged), "Fetch these files again, and export again."),
        ("yellow", share(lost, read) > _MALFORMED_SHARE, "See where the logs are cut off on their way."),
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
    details = [(name, f"{seen[name]:,} interactions, but no rule gives it") for name in strange]
    details += [(name, f"never occurred: {', '.join(live[name])}") for name in silent]
    return _judged(
        "gaps",
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
    noun, a_noun = ("item", "an item") if dataset == "items" else ("user", "a user")
    known, idle = share(coverage.known, coverage.named), share(coverage.idle, coverage.listed)
    weight = share(coverage.known_interactions, figures.unique)
    yield _judged(
        f"known-{dataset}",
        f"Known {dataset}",
        round(known, 6),
        "share",
        f"{percent(known)} of {number(coverage.named, noun)} in interactions are in {dataset},"
        f" with {percent(weight)} of interactions.",
        thumb(f"at least {percent(_KNOWN_SHARE)}"),
        (
            "yellow",
            bool(coverage.named) and known < _KNOWN_SHARE,
            f"Without a row nothing is known of {a_noun}: see which events bring it.",
        ),
    )
    yield _judged(
        f"idle-{dataset}",
        f"Idle {dataset}",
        round(idle, 6),
        "share",
        f"{percent(idle)} of {number(coverage.listed, noun)} in {dataset} have no interaction.",
        Limit(f"few; a rule of thumb is {percent(_IDLE_SHARE)}", ANALYSIS),
        (
            "yellow",
            idle > _IDLE_SHARE,
            "They are hardly recommended: see whether the ids of both datasets are the same kind of id."
            if noun == "item"
            else "They get popular items only: see whether the ids of both datasets are the same kind of id.",
        ),
    )
