"""The contract in SQL: event mapping -> SELECT, so that DuckDB does what `contract/rows.py` does.

`docs/contract.md` numbers the rules; both implementations cite them and tests hold them
equal. `reader.py` has the domains and how a path is walked.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeVar

from ...contract.mapping import Column, Dataset, EventMapping, Path, Rule, Source
from ...contract.quoting import identifier, literal
from ...contract.rows import EMPTY, MISSING, NO_ARRAY, NOT_IN_DOMAIN, WRITE_BACK, WRITE_BACK_ID
from .reader import Reader, json_path

_T = TypeVar("_T")

#: A type and the paths to look it up at, in order.
TypedPaths = tuple[str, tuple[Path, ...]]

#: What orders the rows of a user or an item (rule 9).
_INSTANT: TypedPaths = ("timestamp", (Path(("timestamp",)),))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate is refused: `field` and `reason` as in `rows.Reason`."""

    field: str
    reason: str


class Compiler:
    """Compiles one mapping. `events` are what its rules match; the SQL knows them by number."""

    def __init__(self, mapping: EventMapping) -> None:
        self.datasets = mapping.datasets
        self.events = list(mapping.by_event)
        self._number = {event: position for position, event in enumerate(self.events)}
        # The columns of `scan`: of which kind, and what each holds for which event. Events share
        # them, since a column takes time for every line.
        self._values: list[tuple[str, dict[int, tuple[Path, ...]]]] = []
        self._arrays: list[tuple[str, dict[int, Path]]] = []
        self._required: set[tuple[int, TypedPaths]] = set()
        for dataset in mapping.datasets:
            events = [self._number[rule.call, rule.name] for rule in dataset.rules]
            arrays = {event: rule.each for event, rule in zip(events, dataset.rules, strict=True) if rule.each}
            _put(self._arrays, "array", arrays)
            if dataset.name != "interactions":
                _put(self._values, _INSTANT[0], dict.fromkeys(events, _INSTANT[1]))
            for position, column in enumerate(dataset.columns):
                wanted: dict[int, dict[int, tuple[Path, ...]]] = defaultdict(dict)
                for event, rule in zip(events, dataset.rules, strict=True):
                    source = rule.sources[position]
                    if isinstance(source, Source):
                        for number, paths in enumerate(_absolute(source)):
                            wanted[number][event] = paths
                            self._required |= {(event, (column.type, paths))} if source.required else set()
                for typed in wanted.values():
                    _put(self._values, column.type, typed)

    def scan(self, file: str) -> str:
        """Return a SELECT of the events in a plain file, one row a line that isn't blank.

        Columns: event (its number; NULL: no rule), call and name (JSON text, only without a
        rule; a line with neither is malformed, rule 11), message (the messageId, rule 3),
        has_message, stamp (the timestamp's JSON text), and what the rules read, in domain.
        """
        scalars = {path for _, by_event in self._values for paths in by_event.values() for path in paths}
        reader = Reader(scalars | {path for _, by_event in self._arrays for path in by_event.values()})
        cases = " ".join(f"WHEN {_matches(event)} THEN {number}" for event, number in self._number.items())
        values, presences, arrays = "", "", ""
        for position, (kind, by_event) in enumerate(self._values):
            domains = {
                event: f"COALESCE({', '.join(f'as_{kind}({reader.at[path]})' for path in paths)}, NULL)"
                for event, paths in by_event.items()
            }
            values += f", {self._of_event(domains)} AS value{position}"
            present = {
                event: " OR ".join(f"{reader.at[path]} IS NOT NULL" for path in paths)
                for event, paths in by_event.items()
                if (event, (kind, paths)) in self._required
            }
            if present:
                test = f"CASE WHEN value{position} IS NULL THEN {self._of_event(present)} END"
                presences += f", {test} AS present{position}"
        for position, (_, array_paths) in enumerate(self._arrays):
            texts = {event: reader.at[path] for event, path in array_paths.items()}
            arrays += f", {self._of_event(texts)} AS array{position}"
        return f"""
WITH lines AS (
    {reader.lines(file)}
), called AS (
    SELECT *, CASE WHEN starts_with({reader.root["type"]}, '"') THEN {reader.root["type"]} END AS call,
        CASE {reader.root["type"]} WHEN '"track"' THEN {reader.root["event"]}
             WHEN '"page"' THEN {reader.root["name"]} WHEN '"screen"' THEN {reader.root["name"]}
             WHEN '"identify"' THEN
                 CASE WHEN starts_with(as_string({reader.root["messageId"]}), {literal(WRITE_BACK_ID)})
                 THEN {literal(json.dumps(WRITE_BACK))} END END AS name
    FROM lines
), numbered AS (SELECT *, CAST(CASE {cases} END AS SMALLINT) AS event FROM called),
valued AS (SELECT *{values} FROM numbered)
SELECT event, CASE WHEN event IS NULL THEN call END AS call,
    CASE WHEN event IS NULL AND starts_with(name, '"') THEN name END AS name,
    as_string({reader.root["messageId"]}) AS message, {reader.root["messageId"]} IS NOT NULL AS has_message,
    CASE WHEN event IS NOT NULL THEN {reader.root["timestamp"]} END AS stamp,
    COLUMNS('value[0-9]+'){presences}{arrays}
FROM valued"""

    def candidates(self, dataset: Dataset, table: str) -> tuple[str, list[Refusal]]:
        """Return a SELECT over `table`, which has the columns of `scan`, and what its refusals mean.

        It has a row for each row or refusal. Columns: c0, c1 … (those of the dataset), message, element
        (NULL without `each`), event, refusal (0, or the place in the list counted from 1), and
        seconds and fraction, which order the rows of a user or an item.
        """
        refusals: list[Refusal] = []
        # Rules without `each` share one pass; those with it may read different things of an element.
        branches: dict[object, list[Rule]] = defaultdict(list)
        for rule in dataset.rules:
            branches[rule.each and (rule.each, *_sources(rule))].append(rule)
        selects = [self._branch(dataset, rules, table, refusals) for rules in branches.values()]
        return "\nUNION ALL\n".join(selects), refusals

    def _branch(self, dataset: Dataset, rules: list[Rule], table: str, refusals: list[Refusal]) -> str:
        numbers = [self._number[rule.call, rule.name] for rule in rules]
        each = rules[0].each
        rows = f"SELECT * FROM {table} WHERE {self._among(set(numbers))}"
        tests: list[str] = []

        def refuse(test: str, field: str, *reasons: tuple[str, str]) -> None:
            """Refuse candidates for `field` where `test` holds, with the first reason whose condition holds."""
            first = len(refusals) + 1
            refusals.extend(Refusal(field, reason) for _, reason in reasons)
            whens = " ".join(f"WHEN {condition} THEN {first + i}" for i, (condition, _) in enumerate(reasons))
            tests.append(f"WHEN {test} THEN CASE {whens} END")

        relative: list[Path] = []
        if each:
            array = f"array{_place(self._arrays, 'array', each, numbers[0])}"
            reasons = [(f"{array} IS NULL", MISSING), (f"{array} = '[]'", EMPTY), ("true", NO_ARRAY)]
            refuse("value IS NULL", str(each), *reasons)
            paths = {path for source in _sources(rules[0]) for path in source.paths}
            relative = sorted({path for path in paths if path.relative}, key=str)
            rows = _elements(rows, array, relative)
        columns = []
        for position, column in enumerate(dataset.columns):
            name = f"c{position}"
            read = {number: rule.sources[position] for number, rule in zip(numbers, rules, strict=True)}
            values = {number: self._value(column, source, relative, number) for number, source in read.items()}
            columns.append(f"{self._by_event(values)} AS {name}")
            required = {n: source for n, source in read.items() if isinstance(source, Source) and source.required}
            if required:
                present = {n: self._present(column, source, relative, n) for n, source in required.items()}
                test = f"{name} IS NULL" + ("" if len(required) == len(read) else f" AND {self._among(set(required))}")
                refuse(test, column.name, (self._by_event(present), NOT_IN_DOMAIN[column.type]), ("true", MISSING))
        if dataset.name == "interactions":
            refuse("message IS NULL", "messageId", ("has_message", NOT_IN_DOMAIN["string"]), ("true", MISSING))
            order = ""
        else:
            order = f", value{_place(self._values, *_INSTANT, numbers[0])} AS seconds, as_fraction(stamp) AS fraction"
        names = ", ".join(f"c{position}" for position in range(len(dataset.columns)))
        return (
            f"SELECT {names}, message, {'element' if each else 'NULL::BIGINT AS element'}, event,"
            f" CAST(CASE {' '.join(tests)} ELSE 0 END AS SMALLINT) AS refusal{order}\n"
            f"FROM (SELECT *, {', '.join(columns)} FROM ({rows}))"
        )

    def _value(self, column: Column, source: Source | str | None, relative: list[Path], event: int) -> str:
        """What a rule has in a column: rule 6, the constant of rule 8, or NULL."""
        if not isinstance(source, Source):
            return "NULL" if source is None else literal(source)
        if not any(path.relative for path in source.paths):
            return f"value{_place(self._values, column.type, source.paths, event)}"
        domains = (
            f"as_{column.type}(relative[{relative.index(path) + 1}])"
            if path.relative
            else f"value{_place(self._values, column.type, (path,), event)}"
            for path in source.paths
        )
        return f"COALESCE({', '.join(domains)}, NULL)"

    def _present(self, column: Column, source: Source, relative: list[Path], event: int) -> str:
        """Whether something stood there, though not in the domain; null is absent (rule 2)."""
        tests = [
            f"COALESCE(relative[{relative.index(path) + 1}] <> 'null', false)" for path in source.paths if path.relative
        ]
        tests += [f"present{_place(self._values, column.type, paths, event)}" for paths in _absolute(source)]
        return f"({' OR '.join(tests)})"

    def _of_event(self, values: dict[int, str]) -> str:
        """Return an expression for what some events have; others have NULL."""
        events: dict[str, set[int]] = defaultdict(set)
        for event, value in values.items():
            events[value].add(event)
        return f"CASE {' '.join(f'WHEN {self._among(having)} THEN {value}' for value, having in events.items())} END"

    def _by_event(self, values: dict[int, str]) -> str:
        """Return an expression for rows of these events alone."""
        return self._of_event(values) if len(set(values.values())) > 1 else next(iter(values.values()))

    def _among(self, events: set[int]) -> str:
        if len(events) == len(self.events):
            return "event IS NOT NULL"
        # Runs, since DuckDB compares with one after the other.
        starts = [event for event in sorted(events) if event - 1 not in events]
        ends = [event for event in sorted(events) if event + 1 not in events]
        runs = [
            f"event = {start}" if start == end else f"event BETWEEN {start} AND {end}"
            for start, end in zip(starts, ends, strict=True)
        ]
        return f"({' OR '.join(runs)})"


def _put(columns: list[tuple[str, dict[int, _T]]], kind: str, wanted: dict[int, _T]) -> None:
    """Let the first column of a kind that is free for it hold what some events want."""
    for held, by_event in columns:
        if held == kind and all(by_event.get(event, value) == value for event, value in wanted.items()):
            by_event |= wanted
            return
    if wanted:
        columns.append((kind, dict(wanted)))


def _place(columns: list[tuple[str, dict[int, _T]]], kind: str, value: _T, event: int) -> int:
    return next(i for i, (held, by_event) in enumerate(columns) if held == kind and by_event.get(event) == value)


def _sources(rule: Rule) -> list[Source]:
    return [source for source in rule.sources if isinstance(source, Source)]


def _absolute(source: Source) -> list[tuple[Path, ...]]:
    """Return what `scan` computes for a source: all of it, or its paths that aren't relative."""
    if any(path.relative for path in source.paths):
        return [(path,) for path in source.paths if not path.relative]
    return [source.paths]


def _elements(rows: str, array: str, relative: list[Path]) -> str:
    """Rule 7: a line an element; an array without any gives one line too, to carry the reason."""
    rows = f"SELECT *, elements({array}) AS array_values FROM ({rows})"
    rows = f"SELECT *, unnest(range(greatest(1, COALESCE(len(array_values), 1)))) AS element FROM ({rows})"
    rows = f"SELECT *, array_values[element + 1] AS value FROM ({rows})"
    steps = ", ".join(json_path(path.segments) for path in relative)
    return f"SELECT *, CAST(json_extract(value, [{steps}]) AS VARCHAR[]) AS relative FROM ({rows})"


def _matches(event: tuple[str, str | None]) -> str:
    """Rule 1: the call's type and name, exactly, as JSON text."""
    call, name = event
    test = f"call = {literal(json.dumps(call))}"
    return (
        f"{test} AND name IS NULL"
        if name is None
        else f"{test} AND name = {literal(json.dumps(name, ensure_ascii=False))}"
    )


def sort_text(dataset: Dataset) -> list[str]:
    """Return the text of each column as the CSV has it, null lowest: what breaks a tie (rule 9)."""
    return [f"COALESCE(CAST(c{position} AS VARCHAR), '')" for position in range(len(dataset.columns))]


def header(dataset: Dataset, value: str) -> str:
    """Return what a SELECT needs to name the columns as the CSV does; `value` has {} for their number."""
    return ", ".join(
        f"{value.format(position)} AS {identifier(column.name)}" for position, column in enumerate(dataset.columns)
    )
