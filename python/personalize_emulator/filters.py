"""Filter expression -> what it asks, by "Filter expression structure and elements" in the developer guide.

Understood, keywords in any case:

    INCLUDE | EXCLUDE  ItemID | UserID  WHERE  condition {AND | OR condition}  [IF test {AND test}]
    condition   Interactions.EVENT_TYPE or Items.FIELD (for ItemID), Users.FIELD (for UserID)
                IN ("a", "b", $PARAMETER), NOT IN ("a"), =, !=, <, <=, >, >= value; ("*") is any event type
    test        CurrentUser.FIELD, with the same operators
    several expressions joined by |

AND binds more than OR. Not understood, and refused: ActionID, CurrentItem. What AWS refuses is refused in
its words: placeholders with NOT IN, fields of type boolean or that are textual, Items and
Interactions in one expression, more than ten fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from .schemas import Field
from .service_errors import ServiceError, invalid, unsupported

Value = str | float

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<parameter>\$\w+)
    |(?P<name>[A-Za-z_][\w]*(?:\.\w+)?)|(?P<sign><=|>=|!=|<>|[=<>(),|]))""",
    re.VERBOSE,
)
_SIGNS: Final = ("=", "!=", "<", "<=", ">", ">=")
MOST_FIELDS: Final = 10
#: dataset named in an expression -> dataset type.
_DATASETS: Final = {"interactions": "INTERACTIONS", "items": "ITEMS", "users": "USERS", "currentuser": "USERS"}


class Parameter(NamedTuple):
    """A placeholder for values that come with each request."""

    name: str


@dataclass(frozen=True)
class Condition:
    """One comparison; `operator` is IN, NOT IN or a sign."""

    dataset: str
    field: str
    operator: str
    operands: tuple[Value | Parameter, ...]


@dataclass(frozen=True)
class Expression:
    """One expression: conditions as alternatives of which all parts hold, and the tests of its IF."""

    include: bool
    target: str
    alternatives: tuple[tuple[Condition, ...], ...]
    tests: tuple[Condition, ...]


@dataclass(frozen=True)
class Filter:
    """A whole filter; `parameters` are the names that a request has to give values for."""

    expressions: tuple[Expression, ...]
    parameters: frozenset[str]


class _Tokens:
    """The tokens of an expression, one after the other."""

    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise bad(f"Invalid input symbol: {text[position:].strip()[:20]}")
            self._found.append((match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self._next = 0

    @property
    def peek(self) -> tuple[str, str]:
        """The next token's kind and text; empty at the end."""
        return self._found[self._next] if self._next < len(self._found) else ("", "")

    def take(self) -> tuple[str, str]:
        """Return the next token and go on."""
        found = self.peek
        self._next += 1
        return found

    def word(self, *wanted: str) -> str | None:
        """Take the next token if it is one of these words or signs, and return it in upper case."""
        text = self.peek[1].upper()
        if text in wanted and self.peek[0] in ("name", "sign"):
            self._next += 1
            return text
        return None

    def expect(self, *wanted: str) -> str:
        """Take one of these words or signs. Raises InvalidInputException for anything else."""
        found = self.word(*wanted)
        if found is None:
            raise bad(f"Invalid Expression: expected {' or '.join(wanted)} at '{self.peek[1] or 'the end'}'.")
        return found


def parse(text: str) -> Filter:
    """Return what a filter expression asks. Raises InvalidInputException with what is wrong."""
    tokens = _Tokens(text)
    expressions = [_expression(tokens)]
    while tokens.word("|"):
        expressions.append(_expression(tokens))
    if tokens.peek[1]:
        raise bad(f"Invalid Expression: unexpected '{tokens.peek[1]}'.")
    if len({one.target for one in expressions}) > 1:
        raise bad("Invalid Expression: all parts have to filter the same, ItemID or UserID.")
    all_of = [one for expression in expressions for one in conditions(expression)]
    if len({(one.dataset, one.field) for one in all_of}) > MOST_FIELDS:
        raise bad(f"Invalid Expression: a filter has at most {MOST_FIELDS} distinct fields.")
    names = frozenset(one.name for condition in all_of for one in condition.operands if isinstance(one, Parameter))
    return Filter(tuple(expressions), names)


def conditions(expression: Expression) -> list[Condition]:
    """Return all comparisons of an expression."""
    return [one for alternative in expression.alternatives for one in alternative] + list(expression.tests)


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
    found = Expression(include, target, tuple(map(tuple, alternatives)), tuple(tests))
    _check_datasets(found)
    return found


def _check_datasets(expression: Expression) -> None:
    used = {one.dataset for alternative in expression.alternatives for one in alternative}
    own = ("items", "interactions") if expression.target == "ITEMID" else ("users", "interactions")
    for dataset in used - set(own):
        raise bad(f"Invalid Expression: {dataset} can't be used there with {expression.target}.")
    if len(used) > 1:
        raise bad("Invalid Expression: Interactions and other datasets can't be used in one expression.")
    if any(one.dataset != "currentuser" for one in expression.tests):
        raise bad("Invalid Expression: an IF condition can only check CurrentUser.")


def _condition(tokens: _Tokens) -> Condition:
    kind, text = tokens.take()
    dataset, _, field = text.partition(".")
    if kind != "name" or not field:
        raise bad(f"Invalid Expression: '{text or 'the end'}' is not a field of a dataset.")
    if dataset.lower() == "currentitem":
        raise unsupported("CurrentItem in filters")
    if dataset.lower() not in _DATASETS:
        raise bad(f"Invalid Expression: there is no dataset {dataset}.")
    if dataset.lower() == "interactions" and field.upper() != "EVENT_TYPE":
        raise bad("Invalid Expression: of interactions only EVENT_TYPE can be filtered.")
    operator = tokens.expect("IN", "NOT", "NOT_IN", *_SIGNS)
    if operator == "NOT":
        tokens.expect("IN")
    operator = "NOT IN" if operator.startswith("NOT") else operator
    operands = _operands(tokens, several=operator.endswith("IN"))
    if operator == "NOT IN":
        for one in operands:
            if isinstance(one, Parameter):
                raise bad(f"Invalid input symbol: ${one.name}. Placeholders are not allowed with NOT_IN operator.")
    return Condition(dataset.lower(), field, operator, operands)


def _operands(tokens: _Tokens, *, several: bool) -> tuple[Value | Parameter, ...]:
    if several:
        tokens.expect("(")
        found = [_operand(tokens)]
        while tokens.word(","):
            found.append(_operand(tokens))
        tokens.expect(")")
        return tuple(found)
    bracket = tokens.word("(")
    one = _operand(tokens)
    if bracket:
        tokens.expect(")")
    return (one,)


def _operand(tokens: _Tokens) -> Value | Parameter:
    kind, text = tokens.take()
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "number":
        return float(text)
    if kind == "parameter":
        return Parameter(text[1:])
    if text.lower().startswith("currentitem."):
        raise unsupported("CurrentItem in filters")
    raise bad(f"Invalid input symbol: {text or 'the end'}")


def check(found: Filter, datasets: Mapping[str, tuple[Field, ...]]) -> None:
    """Raise InvalidInputException unless the datasets (type -> fields) have what the filter compares."""
    for expression in found.expressions:
        for one in conditions(expression):
            kind = _DATASETS[one.dataset]
            field = field_of(datasets.get(kind, ()), one.field)
            if field is None:
                raise bad(f"Invalid Expression: the dataset group has no {kind} dataset with a field {one.field}.")
            if field.type == "boolean":
                raise bad(f"Invalid Expression: {one.field} is of type boolean.")
            if field.textual:
                raise bad(f"Invalid Expression: {one.field} is textual.")
            if field.type == "string" and one.operator in ("<", "<=", ">", ">="):
                raise bad(f"Invalid Expression: {one.operator} compares numbers, {one.field} is a string.")


def field_of(fields: tuple[Field, ...], name: str) -> Field | None:
    """Return the field of this name, in any case."""
    return next((field for field in fields if field.name.lower() == name.lower()), None)


def bad(problem: str) -> ServiceError:
    """Return InvalidInputException as CreateFilter has it."""
    return invalid(f"Could not create filter. {problem}")
