"""The conditions for a row to match a rule: its name, the rule's own conditions, and no earlier rule that matches.

Each condition is true, false or NULL, and NULL counts as false (rule 1 of docs/contract.md).
"""

from collections.abc import Sequence

from ..contract.mapping import Condition, Path, Rule
from ..contract.rows import WRITE_BACK_ID
from .catalog import UNKNOWN
from .dialect import Dialect
from .domains import TEXTS, plain, readings, settle
from .naming import NAME_COLUMNS
from .tables import EventTable

TRUE = "1 = 1"
FALSE = "1 = 0"


def taken(table: EventTable, earlier: Sequence[Rule]) -> list[str]:
    """Return the conditions under which `table.rule` applies. `earlier` has the rules of its dataset before it."""
    return [*called(table, table.rule), *_holds(table, table.rule), *(_not(table, rule) for rule in earlier)]


def called(table: EventTable, rule: Rule) -> list[str]:
    """Return the condition that an event has a rule's name, if its table needs one.

    The column `event` has only a slug of the name. Our own write-backs don't count as identify.
    """
    dialect, message = table.dialect, table.own("id")
    if rule.call == "identify":
        mark = dialect.literal(f"{WRITE_BACK_ID}%")
        return [] if message is None else [f"COALESCE({message}, '') NOT LIKE {mark}"]
    if rule.name is None:
        return []
    column = table.own(NAME_COLUMNS[rule.call])
    return [FALSE if column is None else f"{column} = {dialect.literal(rule.name)}"]


def unmet(table: EventTable, rules: Sequence[Rule], others: Sequence[str]) -> list[str]:
    """Return the conditions under which an event of `table` has `rules`, but no rule's conditions hold.

    If the rules are for any name, `others` are the names with separate rules.
    """
    tests = called(table, table.rule)
    name = table.own(NAME_COLUMNS.get(table.rule.call, ""))
    if others and name is not None:
        tests.append(f"({name} IS NULL OR {name} NOT IN ({', '.join(map(table.dialect.literal, others))}))")
    holding = " OR ".join(f"({' AND '.join(_holds(table, rule))})" for rule in rules)
    return [*tests, f"CASE WHEN {holding} THEN 0 ELSE 1 END = 1"]


def _not(table: EventTable, rule: Rule) -> str:
    """Return the condition that an earlier rule doesn't match."""
    name = [] if rule.name == table.rule.name else called(table, rule)
    tests = [*name, *_holds(table, rule)]
    return f"CASE WHEN {' AND '.join(tests)} THEN 0 ELSE 1 END = 1" if tests else FALSE


def _holds(table: EventTable, rule: Rule) -> list[str]:
    return [_condition(table, condition) for condition in rule.when]


def _condition(table: EventTable, condition: Condition) -> str:
    dialect, path = table.dialect, condition.path
    if path == Path(("type",)):  # known from the table
        x, kind = dialect.constant(table.rule.call), "string"
    else:
        stored = table.column(path)
        if stored is None:
            return TRUE if condition.present is False else FALSE
        x, kind = stored.sql, stored.kind
    if condition.present is not None:
        if kind == "json":
            return f"CASE WHEN {dialect.present(x)} THEN 1 ELSE 0 END = {int(condition.present)}"
        return f"{x} IS {'NOT NULL' if condition.present else 'NULL'}"
    if condition.texts is not None:
        return _is(dialect, kind, x, condition.texts)
    settled = [
        settle(dialect, "double", found, f"({expression})", lambda sql, _: f"({sql})")
        for expression, found in readings(dialect, "double", kind, x)
    ]
    if not settled:
        table.notes.append(f"{table.label}: {path}: column {x} has no numbers, so no comparison holds")
        return FALSE
    number = f"COALESCE({', '.join(settled)})" if len(settled) > 1 else settled[0]
    tests = [f"{number} {sign} {dialect.double(repr(bound))}" for sign, bound in condition.bounds or ()]
    return " AND ".join(tests)


def _is(dialect: Dialect, kind: str, x: str, constants: Sequence[str]) -> str:
    if kind == UNKNOWN and set(constants) <= {"true", "false"}:
        kind = "boolean"  # as for the dataset's columns: not every warehouse can cast it to text
    tests = []
    for expression, found in readings(dialect, "string", kind, x):
        # With a suffix, because Redshift ignores blanks at the end of texts in comparisons.
        end = "." if found in TEXTS else ""
        texts = ", ".join(dialect.literal(text + end) for text in constants)
        text = f"{expression} || '{end}'" if end else plain(dialect, found, expression)
        test = f"{text} IN ({texts})"
        if found in TEXTS and found != "string" and any(text.startswith("[") for text in constants):
            test = f"({test} AND NOT ({dialect.is_array(expression)}))"  # an array isn't a string: see domains.py
        tests.append(test)
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"
