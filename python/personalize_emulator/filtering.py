"""Apply a filter with a request's values to items or users."""

import re
from collections.abc import Callable, Iterable, Mapping

from .datasets import fields_of
from .filters import (
    MOST_FIELDS_OF_GROUP,
    Comparison,
    CurrentItem,
    Expression,
    Filter,
    Operand,
    Placeholder,
    bad,
    check,
    conditions,
    parameters,
    parse,
)
from .lifecycle import create, operation
from .records import Record
from .service_errors import invalid
from .service_model import Wire
from .store import Store

#: "Amazon Personalize considers up to 100 of the most recent interactions per user per event type."
LATEST_EVENTS = 100
_ONE_VALUE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s][^",]*?))\s*(?=,|$)')


@operation("CreateFilter")
def create_filter(store: Store, request: Wire) -> Wire:
    """Create a filter if its expression is valid and its fields exist."""
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    datasets = store.each("Dataset", datasetGroupArn=group.arn)
    fields = {dataset.values["datasetType"]: fields_of(store, dataset) for dataset in datasets}
    parsed = parse(request["filterExpression"])
    check(parsed, fields)
    others = store.each("Filter", datasetGroupArn=group.arn)
    used = parsed.fields.union(*(parse(other.values["filterExpression"]).fields for other in others))
    if len(used) > MOST_FIELDS_OF_GROUP:
        raise bad(f"Invalid Expression: the filters of a dataset group have at most {MOST_FIELDS_OF_GROUP} fields.")
    return {"filterArn": create(store, "Filter", request, group=group.arn).arn}


class Subjects:
    """The input of a filter: records of items or users, the current user's record and events, and the current item."""

    def __init__(
        self,
        record: Callable[[str], Record | None],
        current: Record | None,
        events: Mapping[str, set[str]],
        item: Record | None = None,
    ) -> None:
        self.record = record
        self.current = current or {}
        #: For related items only.
        self.item = item
        #: item (or user) -> its event types in lower case.
        self.events = events


def events_by(key: str, history: Iterable[Record]) -> dict[str, set[str]]:
    """Return item or user (`key` is ITEM_ID or USER_ID) -> event types, from the latest events of each type."""
    latest: dict[str, list[str]] = {}
    for record in history:
        latest.setdefault((record.get("EVENT_TYPE") or "").lower(), []).append(record[key] or "")
    types: dict[str, set[str]] = {}
    for event_type, ids in latest.items():
        for item_or_user in ids[-LATEST_EVENTS:] if key == "ITEM_ID" else ids:
            types.setdefault(item_or_user, set()).add(event_type)
    return types


def apply(store: Store, arn: str, group: str, given: Wire, ids: list[str], subjects: Subjects) -> list[str]:
    """Return the `ids` that pass a filter, in their order.

    Raises ResourceNotFoundException for an unknown filter. Raises InvalidInputException for a filter of another dataset
    group or one that isn't ACTIVE, and for values that don't fit its parameters.
    """
    resource = store.find("Filter", arn)
    if resource.values["datasetGroupArn"] != group:
        raise invalid(f"Filter {arn} is not of the dataset group {group}.")
    if resource.status != "ACTIVE":
        raise invalid(f"Filter {arn} is in {resource.status} state, not ACTIVE.")
    parsed = parse(resource.values["filterExpression"])
    values = _values(parsed, given)
    if subjects.item is None and any(map(_names_item, parsed.expressions)):
        raise invalid(f"Filter {arn} uses CurrentItem, which only recipes of related items have.")
    # "You can omit the filter-values. In this case, Amazon Personalize doesn't use that portion of the expression".
    given_for = [expression for expression in parsed.expressions if parameters(expression) <= values.keys()]
    applied = [expression for expression in given_for if _tests_hold(expression, values, subjects)]
    includes = [expression for expression in applied if expression.include]
    excludes = [expression for expression in applied if not expression.include]
    return [
        subject
        for subject in ids
        if (not includes or any(_matches(expression, subject, values, subjects) for expression in includes))
        and not any(_matches(expression, subject, values, subjects) for expression in excludes)
    ]


def _values(parsed: Filter, given: Wire) -> dict[str, tuple[Operand, ...]]:
    wanted = [parameters(expression) for expression in parsed.expressions if expression.include]
    missing = set[str]().union(*wanted) - set(given)
    if missing:
        raise invalid(f"Filter values are missing for the parameters [{', '.join(sorted(missing))}].")
    unknown = set(given) - parsed.parameters
    if unknown:
        raise invalid(f"The filter has no parameters [{', '.join(sorted(unknown))}].")
    return {name: _given(name, text) for name, text in given.items()}


def _given(name: str, text: str) -> tuple[Operand, ...]:
    """Return the values in a text such as `"Shoes","Hats"` or `10`."""
    values: list[Operand] = []
    position = 0
    while True:
        match = _ONE_VALUE.match(text, position)
        if match is None:
            raise invalid(f"The filter value of {name} is not a list of numbers or of texts in double quotes: {text}")
        if match[1] is not None:
            values.append(re.sub(r"\\(.)", r"\1", match[1]))
        else:
            number = _number(match[2])
            values.append(match[2] if number is None else number)
        if match.end() == len(text):
            return tuple(values)
        position = match.end() + 1


def _names_item(expression: Expression) -> bool:
    return any(isinstance(one, CurrentItem) for condition in conditions(expression) for one in condition.operands)


def _tests_hold(expression: Expression, values: Mapping[str, tuple[Operand, ...]], subjects: Subjects) -> bool:
    return all(_holds(test, _of(subjects.current, test.field), values, subjects) for test in expression.tests)


def _matches(
    expression: Expression, subject: str, values: Mapping[str, tuple[Operand, ...]], subjects: Subjects
) -> bool:
    def holds(condition: Comparison) -> bool:
        if condition.dataset == "interactions":
            return _event_holds(condition, subjects.events.get(subject, set()), values, subjects)
        return _holds(condition, _of(subjects.record(subject) or {}, condition.field), values, subjects)

    return any(all(map(holds, alternative)) for alternative in expression.alternatives)


def _of(record: Record, field: str) -> Operand | None:
    return next((value for name, value in record.items() if name.lower() == field.lower()), None)


def _operands(condition: Comparison, values: Mapping[str, tuple[Operand, ...]], subjects: Subjects) -> list[Operand]:
    found: list[Operand] = []
    for operand in condition.operands:
        if isinstance(operand, Placeholder):
            found += values[operand.name]
        elif isinstance(operand, CurrentItem):
            value = _of(subjects.item or {}, operand.field)
            found += value.split("|") if isinstance(value, str) else [] if value is None else [value]
        else:
            found.append(operand)
    return found


def _event_holds(
    condition: Comparison, types: set[str], values: Mapping[str, tuple[Operand, ...]], subjects: Subjects
) -> bool:
    wanted = {str(operand).lower() for operand in _operands(condition, values, subjects)}
    hit = bool(types) if "*" in wanted else bool(types & wanted)
    return not hit if condition.operator in ("NOT IN", "!=") else hit


def _holds(
    condition: Comparison, value: Operand | None, values: Mapping[str, tuple[Operand, ...]], subjects: Subjects
) -> bool:
    """Return whether a field's value meets a condition. Null meets only negations."""
    operands = _operands(condition, values, subjects)
    operator = condition.operator
    if value is None:
        return operator in ("NOT IN", "!=")
    if operator in ("IN", "NOT IN", "=", "!="):
        parts: list[Operand] = [value, *value.split("|")] if isinstance(value, str) else [value]
        hit = any(_same(part, operand) for part in parts for operand in operands)
        return hit != (operator in ("NOT IN", "!="))
    left, right = _number(value), _number(operands[0]) if operands else None
    if left is None or right is None:
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def _same(part: Operand, operand: Operand) -> bool:
    if isinstance(part, str) and isinstance(operand, str):
        return part == operand
    left, right = _number(part), _number(operand)
    return left is not None and left == right


def _number(value: Operand) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
