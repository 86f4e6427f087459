"""The contract in SQL: event mapping -> SELECT, so that an engine does what `rows.py` does.

`docs/contract.md` numbers the rules; both implementations cite them and tests hold them
equal. `duckdb_json.py` has the domains and how a path is walked.
"""

import json
from collections import defaultdict
from dataclasses import dataclass

from .duckdb_json import Reader, identifier, json_path, literal
from .mapping import Column, Dataset, EventMapping, Path, Rule, Source
from .rows import EMPTY, MISSING, NO_ARRAY, NOT_IN_DOMAIN, WRITE_BACK, WRITE_BACK_ID

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
        # What `scan` computes once for all datasets, and for which events.
        self._values: dict[Value, set[int]] = defaultdict(set)
        self._arrays: dict[Path, set[int]] = defaultdict(set)
        self._required: set[Value] = set()
        for dataset in mapping.datasets:
            for rule in dataset.rules:
                event = self._number[rule.call, rule.name]
                if rule.each:
                    self._arrays[rule.each].add(event)
                if dataset.name != "interactions":
                    self._values[_WHEN].add(event)
                for column, source in zip(dataset.columns, rule.sources, strict=True):
                    if isinstance(source, Source):
                        for value in _values(column, source):
                            self._values[value].add(event)
                            self._required |= {value} if source.required else set()

    def scan(self, file: str) -> str:
        """Return a SELECT of the events in a plain file, one row a line that isn't blank.

        Columns: event (its number; NULL: no rule), call and name (JSON text, only without a
        rule; a line with neither is malformed, rule 11), message (the messageId, rule 3),
        has_message, stamp (the timestamp's JSON text), and what the rules read, in domain.
        """
        reader = Reader({path for _, several in self._values for path in several} | set(self._arrays))
        cases = " ".join(f"WHEN {_matches(event)} THEN {number}" for event, number in self._number.items())
        values, junk, arrays = "", "", ""
        for position, (value, events) in enumerate(self._values.items()):
            kind, paths = value
            domains = ", ".join(f"as_{kind}({reader.at[path]})" for path in paths)
            values += f", CASE WHEN {self._among(events)} THEN COALESCE({domains}, NULL) END AS value{position}"
            if value in self._required:
                present = " OR ".join(f"{reader.at[path]} IS NOT NULL" for path in paths)
                junk += f", value{position} IS NULL AND event IS NOT NULL AND ({present}) AS junk{position}"
        for position, (path, events) in enumerate(self._arrays.items()):
            arrays += f", CASE WHEN {self._among(events)} THEN {reader.at[path]} END AS array{position}"
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
            array = f"array{list(self._arrays).index(each)}"
            reasons = [(f"{array} IS NULL", MISSING), (f"{array} = '[]'", EMPTY), ("true", NO_ARRAY)]
            blame("part IS NULL", str(each), *reasons)
            sources = [one for one in rules[0].sources if isinstance(one, Source)]
            pieces = sorted({path for one in sources for path in one.paths if path.relative}, key=str)
            rows = _elements(rows, array, pieces)
        made = []
        for position, column in enumerate(dataset.columns):
            name = f"c{position}"
            several = [(number, rule.sources[position]) for number, rule in zip(numbers, rules, strict=True)]
            made.append(f"{_by_event([(n, self._value(column, one, pieces)) for n, one in several])} AS {name}")
            needed = [(n, one) for n, one in several if isinstance(one, Source) and one.required]
            if needed:
                present = _by_event([(n, self._junk(column, one, pieces)) for n, one in needed])
                test = f"{name} IS NULL" + ("" if needed == several else f" AND {self._among({n for n, _ in needed})}")
                blame(test, column.name, (present, NOT_IN_DOMAIN[column.type]), ("true", MISSING))
        order = f", value{self._place(*_WHEN)} AS seconds, as_fraction(stamp) AS fraction"
        if dataset.name == "interactions":
            blame("message IS NULL", "messageId", ("has_message", NOT_IN_DOMAIN["string"]), ("true", MISSING))
            order = ""
        names = ", ".join(f"c{position}" for position in range(len(dataset.columns)))
        return (
            f"SELECT {names}, message, {'element' if each else 'NULL::BIGINT AS element'}, event,"
            f" CAST(CASE {' '.join(tests)} ELSE 0 END AS SMALLINT) AS blame{order}\n"
            f"FROM (SELECT *, {', '.join(made)} FROM ({rows}))"
        )

    def _value(self, column: Column, source: Source | str | None, pieces: list[Path]) -> str:
        """What a rule has in a column: rule 6, the constant of rule 8, or NULL."""
        if not isinstance(source, Source):
            return "NULL" if source is None else literal(source)
        if not pieces or not any(path.relative for path in source.paths):
            return f"value{self._place(column.type, source.paths)}"
        domains = (
            f"as_{column.type}(pieces[{pieces.index(path) + 1}])"
            if path.relative
            else f"value{self._place(column.type, (path,))}"
            for path in source.paths
        )
        return f"COALESCE({', '.join(domains)}, NULL)"

    def _junk(self, column: Column, source: Source, pieces: list[Path]) -> str:
        """Whether something stood there, though not in the domain; null is absent (rule 2)."""
        tests = [
            f"COALESCE(pieces[{pieces.index(path) + 1}] <> 'null', false)" for path in source.paths if path.relative
        ]
        tests += [f"junk{self._place(*value)}" for value in _values(column, source)]
        return f"({' OR '.join(tests)})"

    def _place(self, kind: str, paths: tuple[Path, ...]) -> int:
        return list(self._values).index((kind, paths))

    def _among(self, events: set[int]) -> str:
        if len(events) == len(self.events):
            return "event IS NOT NULL"
        # Runs, since DuckDB compares with one after the other.
        starts = [one for one in sorted(events) if one - 1 not in events]
        ends = [one for one in sorted(events) if one + 1 not in events]
        runs = [f"event BETWEEN {start} AND {end}" for start, end in zip(starts, ends, strict=True)]
        return f"({' OR '.join(runs)})"


def _values(column: Column, source: Source) -> list[Value]:
    """Return what `scan` computes for a source: all of it, or its paths that aren't relative."""
    if any(path.relative for path in source.paths):
        return [(column.type, (path,)) for path in source.paths if not path.relative]
    return [(column.type, source.paths)]


def _elements(rows: str, array: str, pieces: list[Path]) -> str:
    """Rule 7: a line an element; an array without any gives one line too, to carry the reason."""
    rows = f"SELECT *, elements({array}) AS parts FROM ({rows})"
    rows = f"SELECT *, unnest(range(greatest(1, COALESCE(len(parts), 1)))) AS element FROM ({rows})"
    rows = f"SELECT *, parts[element + 1] AS part FROM ({rows})"
    steps = ", ".join(json_path(path.segments) for path in pieces)
    return f"SELECT *, CAST(json_extract(part, [{steps}]) AS VARCHAR[]) AS pieces FROM ({rows})"


def _by_event(values: list[tuple[int, str]]) -> str:
    """Return one expression for what differs by event."""
    events: dict[str, list[str]] = defaultdict(list)
    for number, value in values:
        events[value].append(str(number))
    if len(events) == 1:
        return values[0][1]
    cases = (f"WHEN event IN ({', '.join(those)}) THEN {value}" for value, those in events.items())
    return f"CASE {' '.join(cases)} END"


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
