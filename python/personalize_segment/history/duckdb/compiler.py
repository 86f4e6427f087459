"""The contract in SQL: event mapping -> SELECT, so that an engine does what `rows.py` does.

`docs/contract.md` numbers the rules; both implementations cite them and tests hold them
equal. `duckdb_json.py` has the domains and how a path is walked.
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
Value = tuple[str, tuple[Path, ...]]


#: What orders the rows of a user or an item (rule 9).
_WHEN: Value = ("timestamp", (Path(("timestamp",)),))


@dataclass(frozen=True, slots=True)
class Blame:
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
        self._required: set[tuple[int, Value]] = set()
        for dataset in mapping.datasets:
            events = [self._number[rule.call, rule.name] for rule in dataset.rules]
            arrays = {event: rule.each for event, rule in zip(events, dataset.rules, strict=True) if rule.each}
            _put(self._arrays, "array", arrays)
            if dataset.name != "interactions":
                _put(self._values, _WHEN[0], dict.fromkeys(events, _WHEN[1]))
            for position, column in enumerate(dataset.columns):
                wanted: dict[int, dict[int, tuple[Path, ...]]] = defaultdict(dict)
                for event, rule in zip(events, dataset.rules, strict=True):
                    source = rule.sources[position]
                    if isinstance(source, Source):
                        for number, paths in enumerate(_absolute(source)):
                            wanted[number][event] = paths
                            self._required |= {(event, (column.type, paths))} if source.required else set()
                for several in wanted.values():
                    _put(self._values, column.type, several)

    def scan(self, file: str) -> str:
        """Return a SELECT of the events in a plain file, one row a line that isn't blank.

        Columns: event (its number; NULL: no rule), call and name (JSON text, only without a
        rule; a line with neither is malformed, rule 11), message (the messageId, rule 3),
        has_message, stamp (the timestamp's JSON text), and what the rules read, in domain.
        """
        paths = {path for _, held in self._values for several in held.values() for path in several}
        reader = Reader(paths | {path for _, held in self._arrays for path in held.values()})
        cases = " ".join(f"WHEN {_matches(event)} THEN {number}" for event, number in self._number.items())
        values, junk, arrays = "", "", ""
        for position, (kind, held) in enumerate(self._values):
            domains = {
                event: f"COALESCE({', '.join(f'as_{kind}({reader.at[path]})' for path in several)}, NULL)"
                for event, several in held.items()
            }
            values += f", {self._of_event(domains)} AS value{position}"
            present = {
                event: " OR ".join(f"{reader.at[path]} IS NOT NULL" for path in several)
                for event, several in held.items()
                if (event, (kind, several)) in self._required
            }
            if present:
                junk += f", CASE WHEN value{position} IS NULL THEN {self._of_event(present)} END AS junk{position}"
        for position, (_, one) in enumerate(self._arrays):
            texts = {event: reader.at[path] for event, path in one.items()}
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
    COLUMNS('value[0-9]+'){junk}{arrays}
FROM valued"""

    def candidates(self, dataset: Dataset, source: str) -> tuple[str, list[Blame]]:
        """Return a SELECT over a table with the columns of `scan`, and what its blames mean.

        It has a row for each row or refusal. Columns: c0, c1 … (those of the dataset), message, element
        (NULL without `each`), event, blame (0, or the place in the list counted from 1), and
        seconds and fraction, which order the rows of a user or an item.
        """
        blames: list[Blame] = []
        # Rules without `each` share one pass; those with it may read different things of an element.
        branches: dict[object, list[Rule]] = defaultdict(list)
        for rule in dataset.rules:
            branches[rule.each and (rule.each, *(one for one in rule.sources if isinstance(one, Source)))].append(rule)
        selects = [self._branch(dataset, rules, source, blames) for rules in branches.values()]
        return "\nUNION ALL\n".join(selects), blames

    def _branch(self, dataset: Dataset, rules: list[Rule], source: str, blames: list[Blame]) -> str:
        numbers = [self._number[rule.call, rule.name] for rule in rules]
        each = rules[0].each
        rows = f"SELECT * FROM {source} WHERE {self._among(set(numbers))}"
        tests: list[str] = []

        def blame(test: str, field: str, *reasons: tuple[str, str]) -> None:
            """Blame `field` where `test` holds, with the first reason whose condition holds."""
            first = len(blames) + 1
            blames.extend(Blame(field, reason) for _, reason in reasons)
            whens = " ".join(f"WHEN {condition} THEN {first + i}" for i, (condition, _) in enumerate(reasons))
            tests.append(f"WHEN {test} THEN CASE {whens} END")

        pieces: list[Path] = []
        if each:
            array = f"array{_place(self._arrays, 'array', each, numbers[0])}"
            reasons = [(f"{array} IS NULL", MISSING), (f"{array} = '[]'", EMPTY), ("true", NO_ARRAY)]
            blame("part IS NULL", str(each), *reasons)
            sources = [one for one in rules[0].sources if isinstance(one, Source)]
            pieces = sorted({path for one in sources for path in one.paths if path.relative}, key=str)
            rows = _elements(rows, array, pieces)
        made = []
        for position, column in enumerate(dataset.columns):
            name = f"c{position}"
            several = [(number, rule.sources[position]) for number, rule in zip(numbers, rules, strict=True)]
            made.append(f"{self._by_event({n: self._value(column, one, pieces, n) for n, one in several})} AS {name}")
            needed = {n: one for n, one in several if isinstance(one, Source) and one.required}
            if needed:
                present = self._by_event({n: self._junk(column, one, pieces, n) for n, one in needed.items()})
                test = f"{name} IS NULL" + ("" if len(needed) == len(several) else f" AND {self._among(set(needed))}")
                blame(test, column.name, (present, NOT_IN_DOMAIN[column.type]), ("true", MISSING))
        if dataset.name == "interactions":
            blame("message IS NULL", "messageId", ("has_message", NOT_IN_DOMAIN["string"]), ("true", MISSING))
            order = ""
        else:
            order = f", value{_place(self._values, *_WHEN, numbers[0])} AS seconds, as_fraction(stamp) AS fraction"
        names = ", ".join(f"c{position}" for position in range(len(dataset.columns)))
        return (
            f"SELECT {names}, message, {'element' if each else 'NULL::BIGINT AS element'}, event,"
            f" CAST(CASE {' '.join(tests)} ELSE 0 END AS SMALLINT) AS blame{order}\n"
            f"FROM (SELECT *, {', '.join(made)} FROM ({rows}))"
        )

    def _value(self, column: Column, source: Source | str | None, pieces: list[Path], event: int) -> str:
        """What a rule has in a column: rule 6, the constant of rule 8, or NULL."""
        if not isinstance(source, Source):
            return "NULL" if source is None else literal(source)
        if not any(path.relative for path in source.paths):
            return f"value{_place(self._values, column.type, source.paths, event)}"
        domains = (
            f"as_{column.type}(pieces[{pieces.index(path) + 1}])"
            if path.relative
            else f"value{_place(self._values, column.type, (path,), event)}"
            for path in source.paths
        )
        return f"COALESCE({', '.join(domains)}, NULL)"

    def _junk(self, column: Column, source: Source, pieces: list[Path], event: int) -> str:
        """Whether something stood there, though not in the domain; null is absent (rule 2)."""
        tests = [
            f"COALESCE(pieces[{pieces.index(path) + 1}] <> 'null', false)" for path in source.paths if path.relative
        ]
        tests += [f"junk{_place(self._values, column.type, paths, event)}" for paths in _absolute(source)]
        return f"({' OR '.join(tests)})"

    def _of_event(self, values: dict[int, str]) -> str:
        """Return an expression for what some events have; others have NULL."""
        events: dict[str, set[int]] = defaultdict(set)
        for event, value in values.items():
            events[value].add(event)
        return f"CASE {' '.join(f'WHEN {self._among(those)} THEN {value}' for value, those in events.items())} END"

    def _by_event(self, values: dict[int, str]) -> str:
        """Return an expression for rows of these events alone."""
        return self._of_event(values) if len(set(values.values())) > 1 else next(iter(values.values()))

    def _among(self, events: set[int]) -> str:
        if len(events) == len(self.events):
            return "event IS NOT NULL"
        # Runs, since DuckDB compares with one after the other.
        starts = [one for one in sorted(events) if one - 1 not in events]
        ends = [one for one in sorted(events) if one + 1 not in events]
        runs = [
            f"event = {start}" if start == end else f"event BETWEEN {start} AND {end}"
            for start, end in zip(starts, ends, strict=True)
        ]
        return f"({' OR '.join(runs)})"


def _put(columns: list[tuple[str, dict[int, _T]]], kind: str, wanted: dict[int, _T]) -> None:
    """Let the first column of a kind that is free for it hold what some events want."""
    for one, held in columns:
        if one == kind and all(held.get(event, value) == value for event, value in wanted.items()):
            held |= wanted
            return
    if wanted:
        columns.append((kind, dict(wanted)))


def _place(columns: list[tuple[str, dict[int, _T]]], kind: str, value: _T, event: int) -> int:
    return next(i for i, (one, held) in enumerate(columns) if one == kind and held.get(event) == value)


def _absolute(source: Source) -> list[tuple[Path, ...]]:
    """Return what `scan` computes for a source: all of it, or its paths that aren't relative."""
    if any(path.relative for path in source.paths):
        return [(path,) for path in source.paths if not path.relative]
    return [source.paths]


def _elements(rows: str, array: str, pieces: list[Path]) -> str:
    """Rule 7: a line an element; an array without any gives one line too, to carry the reason."""
    rows = f"SELECT *, elements({array}) AS parts FROM ({rows})"
    rows = f"SELECT *, unnest(range(greatest(1, COALESCE(len(parts), 1)))) AS element FROM ({rows})"
    rows = f"SELECT *, parts[element + 1] AS part FROM ({rows})"
    steps = ", ".join(json_path(path.segments) for path in pieces)
    return f"SELECT *, CAST(json_extract(part, [{steps}]) AS VARCHAR[]) AS pieces FROM ({rows})"


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
