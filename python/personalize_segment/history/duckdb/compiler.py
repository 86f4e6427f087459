"""Compile an event mapping to SQL, so that DuckDB applies the same contract as `contract/rows.py`.

Both implementations cite the numbered rules of docs/contract.md, and tests hold them equal. `reader.py` has the domains
and the paths, `variants.py` the choice of the rules that apply to an event.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from ...contract.columns import USER_ID
from ...contract.mapping import Column, Constant, Dataset, EventMapping, Path, Rule, Source
from ...contract.quoting import literal
from ...contract.rows import (
    EMPTY,
    MISSING,
    NO_ARRAY,
    NOT_IN_DOMAIN,
    TOO_LONG,
    WRITE_BACK,
    WRITE_BACK_ID,
    not_in_domain,
)
from .reader import Reader, json_path
from .typed import Kind, TypedPaths, absolute, array_of, is_clocked, typed_paths
from .variants import Variants

#: The path of the session that an alias joins to a user.
_PREVIOUS = Path(("previousId",))

_T = TypeVar("_T")
_K = TypeVar("_K")


#: Columns per bit field of presence.
_BITS = 60


#: The refusal code of an interaction whose user isn't known yet. Its `session` leads to the user (rule 12).
VISIT = -2


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason of a refused candidate, as in `rows.Reason`. None: the reason of the rule's source for `column`."""

    field: str
    reason: str | None
    column: int = 0


class Compiler:
    """Compiles one mapping. In the SQL, a variant's number identifies an event and the rules that apply to it."""

    def __init__(self, mapping: EventMapping) -> None:
        self.mapping = mapping
        self.datasets = mapping.datasets
        #: Whether interactions without a user may get one (rule 12).
        self.stitches = mapping.visitors != "drop"
        self.variants = Variants(mapping)
        # The columns of `scan`: the kind of each, and its value by variant. Variants share columns, because every line
        # pays for each column.
        self._values: list[tuple[Kind, dict[int, TypedPaths]]] = []
        self._arrays: list[tuple[str, dict[int, Path]]] = []
        self._profiles = any(dataset.name != "interactions" for dataset in mapping.datasets)
        # Whether a column other than `timestamp` may come from a wrong clock.
        self._clock = False
        for dataset in mapping.datasets:
            rules = self.variants.rules(dataset)
            _put(self._arrays, "array", {number: rule.each for number, rule in rules.items() if rule.each})
            for position, column in enumerate(dataset.columns):
                wanted: dict[int, dict[int, TypedPaths]] = defaultdict(dict)
                for number, rule in rules.items():
                    source = rule.sources[position]
                    if isinstance(source, Source):
                        self._clock |= is_clocked(source, column) and not typed_paths(source, column).is_stamp
                        for place, typed in enumerate(absolute(source, column)):
                            if not typed.is_stamp:
                                wanted[place][number] = typed
                for by_variant in wanted.values():
                    kinds: dict[Kind, dict[int, TypedPaths]] = defaultdict(dict)
                    for number, typed in by_variant.items():
                        kinds[typed.kind][number] = typed
                    for kind, of_kind in kinds.items():
                        _put(self._values, kind, of_kind)

    def scan(self, files: str) -> str:
        """Return a SELECT of the events in plain files, one row per line that isn't blank.

        Columns:

        - day: number of the day
        - event: number of the variant, NULL if no rule applies
        - ruled: only if the mapping has conditions: whether the event has rules, but no rule's conditions hold
        - call, name: JSON text, only if `event` is NULL. The name also for rules of any name. A line with neither is
          malformed (rule 11)
        - message: the messageId (rule 3)
        - has_message: whether a messageId is present, if `message` is NULL
        - stamp: JSON text of the timestamp. If its clock is wrong, of receivedAt or of the day's end
        - instant: `stamp` in seconds
        - late: whether the clock is wrong
        - value0 …, array0 …: the values, in their domain, and the arrays that the rules read
        - late0 …, present0 …: whether a value's clock is wrong, and bits for the presence of values
        - session, login (a user other than the session, also of events without a rule), previous (the session that an
          alias names): unless visitors are dropped
        """
        paths = {path for _, by_variant in self._values for typed in by_variant.values() for path in typed.paths}
        paths |= {path for _, by_variant in self._arrays for path in by_variant.values()}
        of_logins = {*self.mapping.session, *self.mapping.user, _PREVIOUS} if self.stitches else set()
        reader = Reader({array_of(path) for path in paths} | self.variants.paths | of_logins)
        at = {path: reader.at[array_of(path)] for path in paths}
        root = reader.root
        values, others = "", ""
        # Group the tests of presence by the variants that need them. They cost nothing for all other lines.
        tests: dict[tuple[int, frozenset[int]], list[str]] = defaultdict(list)
        for position, ((*_, clocked), by_variant) in enumerate(self._values):
            finals = {
                number: _coalesce([typed.value(at[path], path) for path in typed.paths])
                for number, typed in by_variant.items()
            }
            values += f", {self._of_variant(finals)} AS value{position}"
            having: dict[str, set[int]] = defaultdict(set)
            for number, typed in by_variant.items():
                having[" OR ".join(typed.present(at[path], path) for path in typed.paths)].add(number)
            word, bit = divmod(position, _BITS)
            for test, numbers in having.items():
                empty = f"value{position} IS NULL"
                # CASE costs more than a NULL test, and less than any other test.
                there = f"{empty} AND ({test})" if "(" not in test else f"CASE WHEN {empty} THEN {test} ELSE false END"
                tests[word, frozenset(numbers)].append(f"CAST({there} AS INTEGER) * {1 << bit}")
            if clocked:
                late = {
                    number: _first((typed.value(at[path], path), typed.late(at[path])) for path in typed.paths)
                    for number, typed in by_variant.items()
                }
                others += f", {self._of_variant(late)} AS late{position}"
        for word in range(-(-len(self._values) // _BITS)):
            bits = " + ".join(
                f"CASE WHEN {self._among(set(numbers))} THEN {' + '.join(terms)} ELSE 0 END"
                for (its_word, numbers), terms in tests.items()
                if its_word == word
            )
            others += f", CAST({bits} AS {'INTEGER' if len(self._values) < 31 else 'BIGINT'}) AS present{word}"
        for position, (_, array_paths) in enumerate(self._arrays):
            texts = {number: at[path] for number, path in array_paths.items()}
            others += f", {self._of_variant(texts)} AS array{position}"
        # Most events are received after they happen. Where the texts prove it, the instants needn't be compared.
        stamp, received = root["timestamp"], root["receivedAt"]
        shown = f"{stamp} <= {received} AND {received} < after"
        shown += "".join(f" AND ends_with({one}, 'Z\"')" for one in (stamp, received))
        seen, known, visit = "event IS NOT NULL", "", ""
        if self.stitches:
            seen = "(event IS NOT NULL OR login IS NOT NULL)"
            session, user = (
                _coalesce([f"as_id({reader.at[path]})" for path in paths])
                for paths in (self.mapping.session, self.mapping.user)
            )
            known = f"""), visiting AS (
    SELECT *, CASE WHEN call IS NOT NULL THEN {session} END AS session,
        CASE WHEN call IS NOT NULL THEN {user} END AS user_id,
        CASE WHEN call = '"alias"' THEN as_id({reader.at[_PREVIOUS]}) END AS previous
    FROM numbered
), known AS (
    SELECT *, CASE WHEN session <> user_id OR previous <> user_id THEN user_id END AS login FROM visiting
"""
            visit = f", CASE WHEN {seen} THEN session END AS session, login, previous"
        # Columns that also compare with `clock` need it for each event, `timestamp` for a few only.
        without = f"NOT {seen}" if self._clock else f"NOT {seen} OR ({shown})"
        named = "event IS NULL" + (f" OR {self._among(self.variants.unnamed)}" if self.variants.unnamed else "")
        return f"""
WITH lines AS (
    {reader.lines(files)}
), called AS (
    SELECT *, CASE WHEN starts_with({root["type"]}, '"') THEN {root["type"]} END AS call,
        CASE {root["type"]} WHEN '"track"' THEN {root["event"]}
             WHEN '"page"' THEN {root["name"]} WHEN '"screen"' THEN {root["name"]}
             WHEN '"identify"' THEN
                 CASE WHEN starts_with(as_id({root["messageId"]}), {literal(WRITE_BACK_ID)})
                 THEN {literal(json.dumps(WRITE_BACK))} END END AS name
    FROM lines
), numbered AS (SELECT *, {self.variants.number(reader)} FROM called
{known}), timed AS (
    SELECT *, CASE WHEN {without} THEN NULL ELSE clock_of(as_iso({received}), present) END AS clock,
        as_id({root["messageId"]}) AS message
    FROM {"known" if known else "numbered"}
), compared AS (
    SELECT *, CASE WHEN clock IS NULL OR NOT {seen}{f" OR ({shown})" if self._clock else ""} THEN false
                   ELSE is_late(as_iso({stamp}), clock) END AS late
    FROM timed
), stamped AS (
    SELECT *, CASE WHEN NOT {seen} THEN NULL WHEN NOT late THEN {stamp}
                   WHEN clock = as_iso({received}) THEN {received} ELSE last END AS stamp
    FROM compared
),
valued AS (
    SELECT *, CASE WHEN stamp IS NOT NULL THEN as_iso(stamp) END AS instant{values}
    FROM stamped
)
SELECT day, event{", number = -1 AS ruled" if self.variants.paths else ""},
    CASE WHEN event IS NULL THEN call END AS call,
    CASE WHEN {named} THEN CASE WHEN starts_with(name, '"') THEN name END END AS name, message,
    CASE WHEN message IS NULL THEN {root["messageId"]} IS NOT NULL AND NOT placeholder({root["messageId"]}) END
        AS has_message,
    stamp, instant, late{visit}{", clock" if self._clock else ""}, COLUMNS('value[0-9]+'){others}
FROM valued"""

    def candidates(self, dataset: Dataset, table: str) -> tuple[str, list[Refusal]]:
        """Return a SELECT over `table`, which has the columns of `scan`, and the meanings of its refusal codes.

        It has one line per row or refusal. Columns:

        - day, message, event
        - c0, c1 …: the columns of the dataset
        - element: NULL without `each`
        - name: name of the event, if its rule has none
        - refusal: 0, VISIT, or the position in the list, counted from 1
        - flags: bits. The first marks a row of a wrong clock, the others the dataset's optional columns that are null
          although a value is present
        - session: interactions only, for a VISIT, unless visitors are dropped
        - seconds, fraction: users and items only, which they order
        """
        refusals: list[Refusal] = []
        # Rules without `each` share one pass. Rules with it may read different parts of an element.
        branches: dict[object, dict[int, Rule]] = defaultdict(dict)
        for number, rule in self.variants.rules(dataset).items():
            branches[rule.each and (rule.each, *_sources(rule))][number] = rule
        selects = [self._branch(dataset, rules, table, refusals) for rules in branches.values()]
        return "\nUNION ALL\n".join(selects), refusals

    def refusal(self, dataset: Dataset, number: int, refusal: Refusal) -> tuple[str, str]:
        """Return the field and the reason of a refusal by a variant's rule."""
        return refusal.field, refusal.reason or self.unusable(dataset, number, refusal.column)[1]

    def unusable(self, dataset: Dataset, number: int, position: int) -> tuple[str, str]:
        """Return the field and the reason of a value outside the domain of a variant's rule."""
        source = self.variants.rules(dataset)[number].sources[position]
        return dataset.columns[position].name, not_in_domain(source) if isinstance(source, Source) else MISSING

    def _branch(self, dataset: Dataset, rules: dict[int, Rule], table: str, refusals: list[Refusal]) -> str:
        rule = next(iter(rules.values()))
        rows = f"SELECT * FROM {table} WHERE {self._among(set(rules))}"
        tests: list[str] = []
        visits = self.stitches and dataset.name == "interactions"

        def refuse(test: str, *reasons: tuple[str, Refusal]) -> None:
            """Refuse candidates where `test` holds, for the first reason whose condition holds."""
            start = len(refusals) + 1
            refusals.extend(refusal for _, refusal in reasons)
            whens = " ".join(f"WHEN {condition} THEN {start + i}" for i, (condition, _) in enumerate(reasons))
            tests.append(f"WHEN {test} THEN CASE {whens} END")

        relative: list[Path] = []
        if rule.each:
            each = str(rule.each)
            # The array may be in one column or in several, because variants share columns across datasets.
            array = self._by_variant({n: f"array{_place(self._arrays, 'array', rule.each, n)}" for n in rules})
            refuse(
                "value IS NULL",
                ("array_text IS NULL", Refusal(each, MISSING)),
                ("array_text = '[]'", Refusal(each, EMPTY)),
                ("true", Refusal(each, NO_ARRAY)),
            )
            starts = {array_of(path) for source in _sources(rule) for path in source.paths if path.relative}
            relative = sorted(starts, key=str)
            rows = _elements(rows, array, relative)
        columns, flags = [], []
        for position, column in enumerate(dataset.columns):
            name = f"c{position}"
            sources = {number: rule.sources[position] for number, rule in rules.items()}
            values = {number: self._value(column, source, relative, number) for number, source in sources.items()}
            columns.append(f"{self._by_variant(values)} AS {name}")
            read = {number: source for number, source in sources.items() if isinstance(source, Source)}
            present = {n: self._present(column, source, relative, n) for n, source in read.items()}
            for required in (True, False):
                having = {n: present[n] for n, source in read.items() if source.required is required}
                if not having:
                    continue
                empty = f"{name} IS NULL" + ("" if len(having) == len(sources) else f" AND {self._among(set(having))}")
                there = self._by_variant(having)
                if required:
                    outside = Refusal(column.name, None, position)
                    if visits and column.name == USER_ID:
                        empty += f" AND (session IS NULL OR {there})"
                    refuse(empty, (there, outside), ("true", Refusal(column.name, MISSING)))
                else:
                    bit = 2 << dataset.optional.index(position)
                    flags.append(f"CASE WHEN {empty} AND {there} THEN {bit} ELSE 0 END")
            if any(is_clocked(source, column) for source in read.values()):
                late = {n: self._late(column, source, relative, n) for n, source in read.items()}
                flags.append(f"CAST({self._by_variant(late)} AS INTEGER)")
        if dataset.name == "interactions":
            outside = Refusal("messageId", NOT_IN_DOMAIN["id"])
            refuse("message IS NULL", ("has_message", outside), ("true", Refusal("messageId", MISSING)))
        if rule.each:
            refuse(f"element >= {self.mapping.max_elements}", ("true", Refusal(str(rule.each), TOO_LONG)))
        if visits:
            tests.append(f"WHEN c0 IS NULL THEN {VISIT}")
        if dataset.name == "interactions":
            order = ", CASE WHEN c0 IS NULL THEN session END AS session" if visits else ""
        else:
            flags.append("CAST(late AS INTEGER)")
            order = ", instant AS seconds, as_fraction(stamp) AS fraction"
        names = ", ".join(f"c{position}" for position in range(len(dataset.columns)))
        name = " name," if self.variants.unnamed else ""
        bits = "INTEGER" if len(dataset.optional) < 29 else "HUGEINT"
        return (
            f"SELECT day, {names}, message, {'element' if rule.each else 'NULL::BIGINT AS element'}, event,"
            f"{name} CAST(CASE {' '.join(tests)} ELSE 0 END AS SMALLINT) AS refusal,"
            f" CAST({' + '.join(flags)} AS {bits}) AS flags{order}\n"
            f"FROM (SELECT *, {', '.join(columns)} FROM ({rows}))"
        )

    def _value(self, column: Column, source: Source | Constant | None, relative: list[Path], number: int) -> str:
        """Return the value of a rule for a column: by rule 6, a constant, or NULL."""
        if source is None:
            return "NULL"
        if isinstance(source, Constant):
            return _constant(source)
        typed = typed_paths(source, column)
        if not any(path.relative for path in source.paths):
            return self._of_scan("value", typed, number)
        return _coalesce([value for value, _ in self._each(typed, relative, number)])

    def _late(self, column: Column, source: Source, relative: list[Path], number: int) -> str:
        """Return whether receivedAt replaces the value of a clocked column."""
        typed = typed_paths(source, column)
        if not any(path.relative for path in source.paths):
            return self._of_scan("late", typed, number)
        return _first(self._each(typed, relative, number))

    def _each(self, typed: TypedPaths, relative: list[Path], number: int) -> Iterable[tuple[str, str]]:
        """Yield the value of each path, and whether it replaces that of a wrong clock."""
        for path in typed.paths:
            if path.relative:
                place = f"relative[{relative.index(array_of(path)) + 1}]"
                yield typed.value(place, path), typed.late(place)
            else:
                alone = TypedPaths((path,), typed.domain, typed.bounded, typed.clocked)
                late = self._of_scan("late", alone, number) if typed.clocked else "false"
                yield self._of_scan("value", alone, number), late

    def _of_scan(self, what: str, typed: TypedPaths, number: int) -> str:
        """Return the column of `scan` with the value, presence or lateness of some paths."""
        if typed.is_stamp:
            return {"value": "bounded(instant)", "present": "(stamp IS NOT NULL)", "late": "late"}[what]
        place = _place(self._values, typed.kind, typed, number)
        word, bit = divmod(place, _BITS)
        return f"(present{word} & {1 << bit} <> 0)" if what == "present" else f"{what}{place}"

    def _present(self, column: Column, source: Source, relative: list[Path], number: int) -> str:
        """Return whether a value is present, in its domain or not (rules 2 and 3)."""
        typed = typed_paths(source, column)
        tests = [
            typed.present(f"nullif(relative[{relative.index(array_of(path)) + 1}], 'null')", path)
            for path in source.paths
            if path.relative
        ]
        tests += [self._of_scan("present", one, number) for one in absolute(source, column)]
        return f"({' OR '.join(tests)})"

    def _of_variant(self, values: dict[int, str]) -> str:
        """Return an expression of each variant's value, NULL for all other variants."""
        variants: dict[str, set[int]] = defaultdict(set)
        for number, value in values.items():
            variants[value].add(number)
        return f"CASE {' '.join(f'WHEN {self._among(having)} THEN {value}' for value, having in variants.items())} END"

    def _by_variant(self, values: dict[int, str]) -> str:
        """Return an expression for rows that have one of these variants."""
        return self._of_variant(values) if len(set(values.values())) > 1 else next(iter(values.values()))

    def _among(self, numbers: set[int]) -> str:
        if len(numbers) == len(self.variants.all):
            return "event IS NOT NULL"
        # Runs of numbers, because DuckDB compares one by one.
        starts = [number for number in sorted(numbers) if number - 1 not in numbers]
        ends = [number for number in sorted(numbers) if number + 1 not in numbers]
        runs = [
            f"event = {start}" if start == end else f"event BETWEEN {start} AND {end}"
            for start, end in zip(starts, ends, strict=True)
        ]
        return f"({' OR '.join(runs)})"


def _put(columns: list[tuple[_K, dict[int, _T]]], kind: _K, wanted: dict[int, _T]) -> None:
    """Put the values of some variants into the first column of this kind that has room for them."""
    for held, by_variant in columns:
        if held == kind and all(by_variant.get(number, value) == value for number, value in wanted.items()):
            by_variant |= wanted
            return
    if wanted:
        columns.append((kind, dict(wanted)))


def _place(columns: list[tuple[_K, dict[int, _T]]], kind: _K, value: _T, number: int) -> int:
    return next(i for i, (held, by_variant) in enumerate(columns) if held == kind and by_variant.get(number) == value)


def _sources(rule: Rule) -> list[Source]:
    return [source for source in rule.sources if isinstance(source, Source)]


def _coalesce(values: list[str]) -> str:
    return f"COALESCE({', '.join(values)})" if len(values) > 1 else values[0]


def _first(paths: Iterable[tuple[str, str]]) -> str:
    """Return the lateness of the first value that isn't NULL, false if all are NULL."""
    return f"CASE {' '.join(f'WHEN {value} IS NOT NULL THEN {late}' for value, late in paths)} ELSE false END"


def _constant(constant: Constant) -> str:
    value = constant.value
    if isinstance(value, str):
        return literal(value)
    kind = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}[type(value)]
    return f"CAST({literal(json.dumps(value))} AS {kind})"


def _elements(rows: str, array: str, relative: list[Path]) -> str:
    """Return a SELECT with one line per element, or one without a value if there are none (rule 7)."""
    rows = f"SELECT *, {array} AS array_text, elements({array}) AS array_values FROM ({rows})"
    rows = f"SELECT *, unnest(range(greatest(1, COALESCE(len(array_values), 1)))) AS element FROM ({rows})"
    rows = f"SELECT *, array_values[element + 1] AS value FROM ({rows})"
    steps = ", ".join(json_path(path.segments) for path in relative)
    return f"SELECT *, CAST(json_extract(value, [{steps}]) AS VARCHAR[]) AS relative FROM ({rows})"
