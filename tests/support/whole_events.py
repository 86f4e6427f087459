"""Events that give all the rows that a mapping's rules can give."""

from typing import Any

from personalize_segment.contract.mapping import Condition, EventMapping, Rule, Source

INSTANT = "2024-03-01T00:00:00.25Z"
GOOD: dict[str, Any] = {
    "id": "i1", "any_id": "undefined", "string": "i1", "textual": "a\nb", "iso": INSTANT, "date": "2024-03-01",
    "epoch_seconds": "1709251200", "epoch_milliseconds": 1709251200000.5, "float": "0.5", "double": 7, "int": -3.0,
    "long": 2**40, "boolean": "FALSE", "ids": ["i1", 2], "categories": ["c", True],
}  # fmt: skip


Event = dict[str, Any]
Name = tuple[str, str | None]


def whole_event(
    mapping: EventMapping, name: Name, elements: int = 2, pick: int = 0
) -> tuple[Event, list[tuple[Any, Any]]]:
    """Return an event that gives all rows it can, and the places (container, key) at which it is read.

    If a dataset has several rules, `pick` selects the rule whose conditions hold, if others allow it.
    """
    event: Event = {"type": name[0], "event" if name[0] == "track" else "name": name[1]}
    always = {"messageId": "m1", "timestamp": INSTANT, "receivedAt": INSTANT}
    places: list[tuple[Any, Any]] = [_put(event, (key,), value) for key, value in always.items()]
    by_dataset: dict[str, list[Rule]] = {}
    for dataset, rule in mapping.by_event[name]:
        by_dataset.setdefault(dataset.name, []).append(rule)
    rules = [several[pick % len(several)] for several in by_dataset.values()]
    wanted = [condition for rule in rules for condition in rule.when]
    for condition in wanted:
        if condition.texts or condition.bounds:
            places.append(_put(event, condition.path.segments, _satisfying(condition)))
    for rule in rules:
        array: list[Any] = []
        if rule.each is not None:
            places.append(_put(event, rule.each.segments, [{} for _ in range(elements)]))
            found = places[-1][0][places[-1][1]]
            array = found if isinstance(found, list) else []
        for source in rule.sources:
            for path in source.paths[:1] if isinstance(source, Source) else ():
                good = GOOD[source.domain]  # type: ignore[union-attr]
                if path.through and not path.relative:
                    rest = path.segments[path.through :]
                    element: Any = {} if rest else good[0]
                    if rest:
                        _put(element, rest, good[0])
                    places.append(_put(event, path.segments[: path.through], [element]))
                elif not path.relative:
                    places.append(_put(event, path.segments, good))
                for position in range(len(array) if path.relative else 0):
                    if path.segments:
                        places.append(_put(array[position], path.segments, good))
                    else:
                        array[position] = good
                        places.append((array, position))
    for condition in wanted:
        if condition.present:
            places.append(_put(event, condition.path.segments, "i1"))
    return event, places


def _satisfying(condition: Condition) -> Any:
    if condition.texts is not None:
        return condition.texts[0]
    lowest = max((bound for sign, bound in condition.bounds or () if sign[0] == ">"), default=None)
    greatest = min((bound for sign, bound in condition.bounds or () if sign[0] == "<"), default=None)
    if lowest is None or greatest is None:
        return (greatest or 0) - 1 if lowest is None else lowest + 1
    return (lowest + greatest) / 2


def _put(container: Any, segments: tuple[str, ...], value: Any) -> tuple[dict[str, Any], str]:
    """Put `value` at the end of a path and return where that is; what is already there, or on the way, stays."""
    for segment in segments[:-1]:
        container = container.setdefault(segment, {}) if isinstance(container, dict) else None
    if not isinstance(container, dict):
        return {segments[-1]: value}, segments[-1]
    container.setdefault(segments[-1], value)
    return container, segments[-1]
