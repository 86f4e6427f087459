"""Parse filter expressions, by "Filter expression structure and elements" in the developer guide.

Supported, with keywords in any case:

    INCLUDE | EXCLUDE  ItemID | UserID  WHERE  condition {AND | OR condition}  [IF test {AND test}]
    condition   Interactions.EVENT_TYPE or Items.FIELD (for ItemID), Users.FIELD (for UserID)
                IN ("a", "b", $PARAMETER), NOT IN ("a"), =, !=, <, <=, >, >= value; IN ("*") is any event type
                or CurrentItem.FIELD for a value, after IN without brackets
    test        CurrentUser.FIELD, with the same operators
    expressions joined by |

AND binds more tightly than OR. ActionID isn't supported, and is refused. Expressions that AWS refuses are refused in
AWS's words: placeholders with NOT IN, fields that are boolean or textual, Items and Interactions in one expression,
more than ten fields in a filter and twenty in a dataset group.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from .schemas import Field
from .service_errors import ServiceError, invalid, unsupported

Operand = str | float

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<parameter>\$\w+)
    |(?P<name>[A-Za-z_][\w]*(?:\.\w+)?)|(?P<sign><=|>=|!=|<>|[=<>(),|]))""",
    re.VERBOSE,
)
_SIGNS: Final = ("=", "!=", "<", "<=", ">", ">=")
#: Maximum distinct fields of a filter, and of all filters of a dataset group. Source: "Guidelines and requirements".
MOST_FIELDS: Final = 10
MOST_FIELDS_OF_GROUP: Final = 20
#: dataset in an expression -> dataset type.
_DATASETS: Final = {"interactions": "INTERACTIONS", "items": "ITEMS", "users": "USERS", "currentuser": "USERS"}


class Placeholder(NamedTuple):
    """A placeholder for values in each request."""

    name: str


class CurrentItem(NamedTuple):
    """A field of the item in the request, for recipes of related items."""

    field: str


@dataclass(frozen=True)
class Comparison:
    """One comparison. `operator` is IN, NOT IN or a sign."""

    dataset: str
    field: str
    operator: str
    operands: tuple[Operand | Placeholder | CurrentItem, ...]


@dataclass(frozen=True)
class Expression:
    """One expression: alternatives, each with conditions that must all hold, and the tests of its IF."""

    include: bool
    target: str
    alternatives: tuple[tuple[Comparison, ...], ...]
    tests: tuple[Comparison, ...]


@dataclass(frozen=True)
class Filter:
    """A whole filter. `parameters` are the names that a request may give values for. For INCLUDE, it must."""

    expressions: tuple[Expression, ...]
    parameters: frozenset[str]

    @property
    def fields(self) -> set[tuple[str, str]]:
        """The distinct fields, in lower case."""
        compared = [condition for expression in self.expressions for condition in conditions(expression)]
        fields = {(condition.dataset, condition.field.lower()) for condition in compared}
        items = [one.field for condition in compared for one in condition.operands if isinstance(one, CurrentItem)]
        return fields | {("items", field.lower()) for field in items}


class _Tokens:
    """The tokens of an expression, in order."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise bad(f"Invalid input symbol: {text[position:].strip()[:20]}")
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self._next = 0

    @property
    def peek(self) -> tuple[str, str]:
        """The kind and the text of the next token, empty at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def take(self) -> tuple[str, str]:
        """Return the next token and advance."""
        token = self.peek
        self._next += 1
        return token

    def word(self, *wanted: str) -> str | None:
        """Return the next token in upper case and advance, if it is one of these words or signs. Otherwise None."""
        text = self.peek[1].upper()
        if text in wanted and self.peek[0] in ("name", "sign"):
            self._next += 1
            return text
        return None

    def expect(self, *wanted: str) -> str:
        """Return one of these words or signs and advance. Raises InvalidInputException for any other token."""
        text = self.word(*wanted)
        if text is None:
            raise bad(f"Invalid Expression: expected {' or '.join(wanted)} at '{self.peek[1] or 'the end'}'.")
        return text


def parse(text: str) -> Filter:
    """Return the filter of an expression. Raises InvalidInputException with the problem."""
    tokens = _Tokens(text)
    expressions = [_expression(tokens)]
    while tokens.word("|"):
        expressions.append(_expression(tokens))
    if tokens.peek[1]:
        raise bad(f"Invalid Expression: unexpected '{tokens.peek[1]}'.")
    if len({expression.target for expression in expressions}) > 1:
        raise bad("Invalid Expression: all parts must filter the same, ItemID or UserID.")
    found = Filter(tuple(expressions), frozenset().union(*map(parameters, expressions)))
    if len(found.fields) > MOST_FIELDS:
        raise bad(f"Invalid Expression: a filter has at most {MOST_FIELDS} distinct fields.")
    return found


def parameters(expression: Expression) -> set[str]:
    """Return the names of an expression's placeholders."""
    operands = chain.from_iterable(condition.operands for condition in conditions(expression))
    return {operand.name for operand in operands if isinstance(operand, Placeholder)}


def conditions(expression: Expression) -> list[Comparison]:
    """Return all comparisons of an expression."""
    return [*chain.from_iterable(expression.alternatives), *expression.tests]


def _expression(tokens: _Tokens) -> Expression:
    include = tokens.expect("INCLUDE", "EXCLUDE") == "INCLUDE"
    target = tokens.expect("ITEMID", "USERID", "ACTIONID")
    if target == "ACTIONID":
        raise unsupported("filters of actions")
    tokens.expect("WHERE")
    alternatives = [[_condition(tokens)]]
    while joint := tokens.word("AND", "OR"):
        if joint == "OR":
            alternatives.append([])
        alternatives[-1].append(_condition(tokens))
    tests = []
    if tokens.word("IF"):
        tests.append(_condition(tokens))
        while tokens.word("AND"):
            tests.append(_condition(tokens))
    expression = Expression(include, target, tuple(map(tuple, alternatives)), tuple(tests))
    _check_datasets(expression)
    return expression


def _check_datasets(expression: Expression) -> None:
    used = {condition.dataset for condition in chain.from_iterable(expression.alternatives)}
    own = ("items", "interactions") if expression.target == "ITEMID" else ("users", "interactions")
    for dataset in used - set(own):
        raise bad(f"Invalid Expression: {dataset} can't be used there with {expression.target}.")
    if len(used) > 1:
        raise bad("Invalid Expression: Interactions and other datasets can't be used in one expression.")
    if any(test.dataset != "currentuser" for test in expression.tests):
        raise bad("Invalid Expression: an IF condition can only check CurrentUser.")


def _condition(tokens: _Tokens) -> Comparison:
    kind, text = tokens.take()
    dataset, _, field = text.partition(".")
    if kind != "name" or not field:
        raise bad(f"Invalid Expression: '{text or 'the end'}' is not a field of a dataset.")
    if dataset.lower() not in _DATASETS:
        raise bad(f"Invalid Expression: dataset {dataset} does not exist.")
    if dataset.lower() == "interactions" and field.upper() != "EVENT_TYPE":
        raise bad("Invalid Expression: Interactions can only be filtered by EVENT_TYPE.")
    operator = tokens.expect("IN", "NOT", "NOT_IN", *_SIGNS)
    if operator == "NOT":
        tokens.expect("IN")
    operator = "NOT IN" if operator.startswith("NOT") else operator
    operands = _operands(tokens, listed=operator.endswith("IN"))
    if "*" in operands and (dataset.lower() != "interactions" or operator != "IN" or len(operands) > 1):
        raise bad('Invalid Expression: "*" is any event type, and the only value of IN.')
    if dataset.lower() != "items" and any(isinstance(operand, CurrentItem) for operand in operands):
        raise bad("Invalid Expression: CurrentItem can only be compared with Items.")
    if operator == "NOT IN":
        for operand in operands:
            if isinstance(operand, Placeholder):
                raise bad(f"Invalid input symbol: ${operand.name}. Placeholders are not allowed with NOT_IN operator.")
    return Comparison(dataset.lower(), field, operator, operands)


def _operands(tokens: _Tokens, *, listed: bool) -> tuple[Operand | Placeholder | CurrentItem, ...]:
    current = tokens.peek[1].lower().startswith("currentitem.")
    bracket = tokens.expect("(") if listed and not current else tokens.word("(")
    operands = [_operand(tokens)]
    while listed and bracket and tokens.word(","):
        operands.append(_operand(tokens))
    if bracket:
        tokens.expect(")")
    return tuple(operands)


def _operand(tokens: _Tokens) -> Operand | Placeholder | CurrentItem:
    kind, text = tokens.take()
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "number":
        return float(text)
    if kind == "parameter":
        return Placeholder(text[1:])
    if text.lower().startswith("currentitem."):
        return CurrentItem(text.partition(".")[2])
    raise bad(f"Invalid input symbol: {text or 'the end'}")


def check(parsed: Filter, datasets: Mapping[str, tuple[Field, ...]]) -> None:
    """Raise InvalidInputException unless the datasets (type -> fields) have the fields that the filter compares."""
    compared = [condition for expression in parsed.expressions for condition in conditions(expression)]
    named = [(_DATASETS[condition.dataset], condition.field, condition.operator) for condition in compared]
    named += [
        ("ITEMS", operand.field, condition.operator)
        for condition in compared
        for operand in condition.operands
        if isinstance(operand, CurrentItem)
    ]
    for kind, name, operator in named:
        field = next((field for field in datasets.get(kind, ()) if field.name.lower() == name.lower()), None)
        if field is None:
            raise bad(f"Invalid Expression: the dataset group has no {kind} dataset with a field {name}.")
        if field.type == "boolean":
            raise bad(f"Invalid Expression: {name} is of type boolean.")
        if field.textual:
            raise bad(f"Invalid Expression: {name} is textual.")
        if field.type == "string" and operator in ("<", "<=", ">", ">="):
            raise bad(f"Invalid Expression: {operator} compares numbers, {name} is a string.")


def bad(problem: str) -> ServiceError:
    """Return InvalidInputException with CreateFilter's prefix."""
    return invalid(f"Could not create filter. {problem}")
