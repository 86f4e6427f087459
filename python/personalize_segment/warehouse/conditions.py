"""Which rows of a table an event mapping's rule takes: its name, its conditions, and none that a rule before it took.

Each condition is true, false or NULL, and NULL counts as false. docs/contract.md, rule 1.
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
    """Return the conditions under which `table.rule` counts; `earlier` are the rules of its dataset that come first."""
    return [*called(table, table.rule), *_holds(table, table.rule), *(_not(table, rule) for rule in earlier)]


def called(table: EventTable, rule: Rule) -> list[str]:
    """Return the condition that an event has the name of a rule, if its table needs one.

    `event` has the name as a slug only. Our own write-backs are no identify.
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
    """Return the conditions under which an event of `table` has `rules`, but none whose conditions hold.

    The name of an event of any name is none of `others`, which have rules of their own.
    """
    tests = called(table, table.rule)
    name = table.own(NAME_COLUMNS.get(table.rule.call, ""))
    if others and name is not None:
        tests.append(f"({name} IS NULL OR {name} NOT IN ({', '.join(map(table.dialect.literal, others))}))")
    holding = " OR ".join(f"({' AND '.join(_holds(table, rule))})" for rule in rules)
    return [*tests, f"CASE WHEN {holding} THEN 0 ELSE 1 END = 1"]


def _not(table: EventTable, rule: Rule) -> str:
    """Return the condition that an earlier rule doesn't count."""
    name = [] if rule.name == table.rule.name else called(table, rule)
    tests = [*name, *_holds(table, rule)]
    return f"CASE WHEN {' AND '.join(tests)} THEN 0 ELSE 1 END = 1" if tests else FALSE


def _holds(table: EventTable, rule: Rule) -> list[str]:
    return [_condition(table, condition) for condition in rule.when]


def _condition(table: EventTable, condition: Condition) -> str:
    dialect, path = table.dialect, condition.path
    if path == Path(("type",)):  # the table says it
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
        kind = "boolean"  # as for columns of the dataset: it can't be cast to text everywhere
    tests = []
    for expression, found in readings(dialect, "string", kind, x):
        # With an end, because Redshift takes texts for the same that differ in blanks there.
        end = "." if found in TEXTS else ""
        texts = ", ".join(dialect.literal(text + end) for text in constants)
        text = f"{expression} || '{end}'" if end else plain(dialect, found, expression)
        test = f"{text} IN ({texts})"
        if found in TEXTS and found != "string" and any(text.startswith("[") for text in constants):
            test = f"({test} AND NOT ({dialect.is_array(expression)}))"  # it isn't a string: see domains.py
        tests.append(test)
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"
