"""A filter and a request's values -> which items (or users) stay."""

import re
from collections.abc import Callable, Iterable, Mapping

from .datasets import fields_of
from .filters import Condition, Expression, Filter, Parameter, Value, check, parse
from .kinds import KINDS
from .lifecycle import create, operation
from .model import Wire
from .records import Row
from .service_errors import invalid
from .world import World

#: "Amazon Personalize considers up to 100 of the most recent interactions per user per event type."
LATEST_EVENTS = 100
_ONE_VALUE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s][^",]*?))\s*(?=,|$)')


@operation("CreateFilter")
def create_filter(world: World, request: Wire) -> Wire:
    """A filter, if its expression is one and its fields exist."""
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    found = {
        one.values["datasetType"]: fields_of(world, one) for one in world.each("Dataset", datasetGroupArn=group.arn)
    }
    check(parse(request["filterExpression"]), found)
    made = create(world, KINDS["Filter"], request, name=request["name"], group=group.arn)
    return {"filterArn": made.arn}


class Subjects:
    """What a filter looks at: rows of items or users, and a current user's row and events."""

    def __init__(self, row: Callable[[str], Row | None], current: Row | None, events: Mapping[str, set[str]]) -> None:
        self.row = row
        self.current = current or {}
        #: item (or user) -> its event types in lower case.
        self.events = events


def events_by(key: str, history: Iterable[Row]) -> dict[str, set[str]]:
    """Return item or user (`key` is ITEM_ID or USER_ID) -> event types, of the latest events of each type."""
    latest: dict[str, list[str]] = {}
    for row in history:
        latest.setdefault((row.get("EVENT_TYPE") or "").lower(), []).append(row[key] or "")
    found: dict[str, set[str]] = {}
    for event_type, ids in latest.items():
        for one in ids[-LATEST_EVENTS:] if key == "ITEM_ID" else ids:
            found.setdefault(one, set()).add(event_type)
    return found


def apply(world: World, arn: str, group: str, given: Wire, ids: list[str], subjects: Subjects) -> list[str]:
    """Return those of `ids` that a filter lets through, in their order.

    Raises ResourceNotFoundException for an unknown filter, InvalidInputException for one of another
    dataset group, one that is not ACTIVE, or values that don't fit its parameters.
    """
    found = world.find("Filter", arn)
    if found.values["datasetGroupArn"] != group:
        raise invalid(f"Filter {arn} is not of the dataset group {group}.")
    if found.status != "ACTIVE":
        raise invalid(f"Filter {arn} is in {found.status} state, not ACTIVE.")
    parsed = parse(found.values["filterExpression"])
    values = _values(parsed, given)
    applied = [one for one in parsed.expressions if _tests_hold(one, values, subjects)]
    includes = [one for one in applied if one.include]
    excludes = [one for one in applied if not one.include]
    return [
        one
        for one in ids
        if (not includes or any(_matches(expression, one, values, subjects) for expression in includes))
        and not any(_matches(expression, one, values, subjects) for expression in excludes)
    ]


def _values(parsed: Filter, given: Wire) -> dict[str, tuple[Value, ...]]:
    missing = parsed.parameters - set(given)
    if missing:
        raise invalid(f"Filter values are missing for the parameters [{', '.join(sorted(missing))}].")
    unknown = set(given) - parsed.parameters
    if unknown:
        raise invalid(f"The filter has no parameters [{', '.join(sorted(unknown))}].")
    return {name: _given(name, text) for name, text in given.items()}


def _given(name: str, text: str) -> tuple[Value, ...]:
    """Return the values in a text such as `"Shoes","Hats"` or `10`."""
    found: list[Value] = []
    position = 0
    while True:
        match = _ONE_VALUE.match(text, position)
        if match is None:
            raise invalid(f"The filter value of {name} is not a list of numbers or of texts in double quotes: {text}")
        if match[1] is not None:
            found.append(re.sub(r"\\(.)", r"\1", match[1]))
        else:
            number = _number(match[2])
            found.append(match[2] if number is None else number)
        if match.end() == len(text):
            return tuple(found)
        position = match.end() + 1


def _tests_hold(expression: Expression, values: Mapping[str, tuple[Value, ...]], subjects: Subjects) -> bool:
    return all(_holds(test, _of(subjects.current, test.field), values) for test in expression.tests)


def _matches(expression: Expression, one: str, values: Mapping[str, tuple[Value, ...]], subjects: Subjects) -> bool:
    def holds(condition: Condition) -> bool:
        if condition.dataset == "interactions":
            return _event_holds(condition, subjects.events.get(one, set()), values)
        return _holds(condition, _of(subjects.row(one) or {}, condition.field), values)

    return any(all(map(holds, alternative)) for alternative in expression.alternatives)


def _of(row: Row, field: str) -> Value | None:
    return next((value for name, value in row.items() if name.lower() == field.lower()), None)


def _operands(condition: Condition, values: Mapping[str, tuple[Value, ...]]) -> list[Value]:
    found: list[Value] = []
    for one in condition.operands:
        found.extend(values[one.name] if isinstance(one, Parameter) else (one,))
    return found


def _event_holds(condition: Condition, types: set[str], values: Mapping[str, tuple[Value, ...]]) -> bool:
    wanted = {str(one).lower() for one in _operands(condition, values)}
    hit = bool(types) if "*" in wanted else bool(types & wanted)
    return not hit if condition.operator in ("NOT IN", "!=") else hit


def _holds(condition: Condition, value: Value | None, values: Mapping[str, tuple[Value, ...]]) -> bool:
    """Whether a field's value is what the condition asks; what is null fulfils only negations."""
    operands = _operands(condition, values)
    operator = condition.operator
    if value is None:
        return operator in ("NOT IN", "!=")
    if operator in ("IN", "NOT IN", "=", "!="):
        parts: list[Value] = [value, *value.split("|")] if isinstance(value, str) else [value]
        hit = any(_same(part, one) for part in parts for one in operands)
        return hit != (operator in ("NOT IN", "!="))
    left, right = _number(value), _number(operands[0])
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def _same(part: Value, one: Value) -> bool:
    if isinstance(part, str) and isinstance(one, str):
        return part == one
    left, right = _number(part), _number(one)
    return left is not None and left == right


def _number(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
