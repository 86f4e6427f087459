"""The contract in SQL: event mapping -> SELECT, so that an engine does what `rows.py` does.

`docs/contract.md` numbers the rules; both implementations cite them and tests hold them
equal. DuckDB reads JSON values as their canonical JSON text, so a domain here is a macro
from that text to a value or NULL.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from .columns import MAX_IMPRESSION, MAX_STRING
from .mapping import Column, Dataset, EventMapping, Path, Rule, Source
from .rows import EMPTY, MISSING, NO_ARRAY, NOT_IN_DOMAIN

#: Column types of DuckDB by type of the mapping.
SQL_TYPES = {
    "string": "VARCHAR",
    "timestamp": "BIGINT",
    "float": "DOUBLE",
    "double": "DOUBLE",
    "int": "INTEGER",
    "long": "BIGINT",
    "boolean": "BOOLEAN",
    "ids": "VARCHAR",
}

_INSTANT = (
    r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)

#: A longer line is malformed; Segment's own limit is 32 KB an event. DuckDB keeps two buffers
#: of this size a thread.
MAX_LINE_BYTES = 1 << 22

#: The domains of the contract, from JSON text `x` (DuckDB writes it canonically: strings escape
#: only quotes, backslashes and control characters). Common forms take a short way: ASCII
#: without escapes, and Z. Each macro names `x` as seldom as it can, since it is pasted in and
#: planning a batch costs too. TRY_CAST everywhere: an engine may evaluate a branch that CASE
#: then doesn't take.
MACROS = f"""
CREATE OR REPLACE TEMP MACRO json_integer(x) AS
    CASE WHEN regexp_full_match(x, '-?[0-9]{{1,19}}') THEN TRY_CAST(x AS BIGINT) END;
CREATE OR REPLACE TEMP MACRO printable(s) AS
    CASE WHEN length(s) <= {MAX_STRING} AND regexp_full_match(s, '[^\\x00-\\x1f\\x7f-\\x{{9f}}]+') THEN s END;
CREATE OR REPLACE TEMP MACRO as_string(x) AS  -- rule 3
    CASE WHEN starts_with(x, '"') AND strlen(x) = length(x) AND strlen(x) BETWEEN 3 AND {MAX_STRING + 2}
          AND NOT contains(x, '\\') AND NOT contains(x, chr(127)) THEN substring(x, 2, strlen(x) - 2)
         WHEN starts_with(x, '"') THEN printable(json_extract_string(x, '$'))
         ELSE CAST(json_integer(x) AS VARCHAR) END;
CREATE OR REPLACE TEMP MACRO as_timestamp(x) AS  -- rule 4: without its fraction, an instant is rounded down
    CASE WHEN NOT regexp_full_match(x, '"{_INSTANT}"') THEN NULL
         WHEN ends_with(x, 'Z"') THEN epoch_ms(TRY_CAST(substring(x, 2, 19) AS TIMESTAMP)) // 1000
         ELSE epoch_ms(TRY_CAST(regexp_replace(replace(x, '"', ''), '[.,][0-9]+', '') AS TIMESTAMPTZ)) // 1000 END;
CREATE OR REPLACE TEMP MACRO as_fraction(x) AS regexp_extract(x, '[.,]([0-9]+)', 1);
CREATE OR REPLACE TEMP MACRO as_double(x) AS  -- rule 5
    CASE WHEN isfinite(TRY_CAST(x AS DOUBLE)) THEN TRY_CAST(x AS DOUBLE) END;
CREATE OR REPLACE TEMP MACRO as_float(x) AS as_double(x);
CREATE OR REPLACE TEMP MACRO as_long(x) AS json_integer(x);
CREATE OR REPLACE TEMP MACRO as_int(x) AS TRY_CAST(json_integer(x) AS INTEGER);
CREATE OR REPLACE TEMP MACRO as_boolean(x) AS CASE x WHEN 'true' THEN true WHEN 'false' THEN false END;
CREATE OR REPLACE TEMP MACRO elements(x) AS
    CASE WHEN starts_with(x, '[') THEN CAST(json_extract(x, '$[*]') AS VARCHAR[]) END;
CREATE OR REPLACE TEMP MACRO as_ids(x) AS
    CASE WHEN len(elements(x)) > 0
          AND list_bool_and(list_transform(elements(x), e -> COALESCE(NOT contains(as_string(e), '|'), false)))
         THEN array_to_string(list_transform(elements(x)[1:{MAX_IMPRESSION}], e -> as_string(e)), '|') END;
"""


def scan(mapping: EventMapping, files: Sequence[str], compression: str) -> str:
    """Return a SELECT of the events in `files`, one row a line that isn't blank.

    Columns: call and name as JSON text (NULL call: the line is malformed, rule 11), mapped,
    message (the messageId, rule 3) and has_message, stamp (the timestamp's JSON text), and
    for each path what the rules need of it, by the names of `_Needs`.
    """
    needs = _Needs(mapping)
    roots = sorted({path.segments[0] for path in needs.paths} | {"type", "event", "name", "messageId", "timestamp"})
    columns = ", ".join(f"{literal(root)}: 'JSON'" for root in roots)
    root = {name: f"root{position}" for position, name in enumerate(roots)}
    renamed = ", ".join(f"CAST({identifier(name)} AS VARCHAR) AS {alias}" for name, alias in root.items())
    # One json_extract with all its paths reads an object once, and only if a rule wants it.
    deeper: dict[str, list[Path]] = defaultdict(list)
    for path in needs.paths:
        if len(path.segments) > 1:
            deeper[path.segments[0]].append(path)
    lists, place = "", {}
    for name, inner in deeper.items():
        steps = ", ".join(_json_path(path.segments[1:]) for path in inner)
        lists += f", CASE WHEN mapped THEN CAST(json_extract({root[name]}, [{steps}]) AS VARCHAR[]) END AS {root[name]}_list"
        place |= {path: f"{root[name]}_list[{position}]" for position, path in enumerate(inner, start=1)}
    paths = "".join(
        f", {place.get(path, f'CASE WHEN mapped THEN {root[path.segments[0]]} END')} AS path{position}"
        for position, path in enumerate(needs.paths)
    )
    return f"""
WITH lines AS (
    SELECT {renamed} FROM read_json([{", ".join(literal(file) for file in files)}], columns = {{{columns}}},
        format = 'newline_delimited', ignore_errors = true, compression = {literal(compression)},
        hive_partitioning = false, maximum_object_size = {MAX_LINE_BYTES})
), called AS (
    SELECT *, CASE WHEN starts_with({root["type"]}, '"') THEN {root["type"]} END AS call,
        CASE {root["type"]} WHEN '"track"' THEN {root["event"]}
             WHEN '"page"' THEN {root["name"]} WHEN '"screen"' THEN {root["name"]} END AS any_name
    FROM lines
), known AS (
    SELECT *, CASE WHEN starts_with(any_name, '"') THEN any_name END AS name,
        COALESCE({_matches(mapping.by_event, "any_name")}, false) AS mapped
    FROM called
), listed AS (SELECT *{lists} FROM known),
walked AS (
    SELECT call, name, mapped, {root["messageId"]} AS id, CASE WHEN mapped THEN {root["timestamp"]} END AS stamp{paths}
    FROM listed
)
SELECT call, name, mapped, as_string(id) AS message, {_present("id")} AS has_message, stamp{needs.columns()}
FROM walked"""


class _Needs:
    """What of the paths from the event the rules need, each computed once in `scan`."""

    def __init__(self, mapping: EventMapping) -> None:
        values: set[tuple[str, Path]] = set()
        present: set[Path] = set()
        arrays: set[Path] = set()
        for dataset in mapping.datasets:
            for rule in dataset.rules:
                arrays |= {rule.each} if rule.each else set()
                for column, source in zip(dataset.columns, rule.sources, strict=True):
                    if isinstance(source, Source):
                        paths = [path for path in source.paths if not path.relative]
                        values |= {(column.type, path) for path in paths}
                        present |= set(paths) if source.required else set()
        self.paths = sorted({path for _, path in values} | arrays, key=str)
        self._values = sorted(values, key=str)
        self._present = sorted(present, key=str)
        self._arrays = sorted(arrays, key=str)

    def value(self, kind: str, path: Path) -> str:
        return f"{kind}{self.paths.index(path)}"

    def has(self, path: Path) -> str:
        return f"has{self.paths.index(path)}"

    def array(self, path: Path) -> str:
        return f"array{self.paths.index(path)}"

    def columns(self) -> str:
        raw = {path: f"path{position}" for position, path in enumerate(self.paths)}
        parts = [f"as_{kind}({raw[path]}) AS {self.value(kind, path)}" for kind, path in self._values]
        parts += [f"{_present(raw[path])} AS {self.has(path)}" for path in self._present]
        parts += [f"{raw[path]} AS {self.array(path)}" for path in self._arrays]
        return "".join(f", {part}" for part in parts)


def candidates(mapping: EventMapping, dataset: Dataset, source: str) -> str:
    """Return a SELECT over a table with the columns of `scan`: a row for each row or refusal.

    Columns: those of the dataset, message, element (NULL without `each`), field (the first
    that is to blame, NULL for a good row), reason (as in `rows.Reason`), call, name, and
    seconds and fraction, which order the rows of a user or an item.
    """
    needs = _Needs(mapping)
    branches: dict[tuple[Path | None, tuple[Source | None, ...]], list[Rule]] = defaultdict(list)
    for rule in dataset.rules:
        shape = tuple(one if isinstance(one, Source) else None for one in rule.sources)
        branches[rule.each, shape].append(rule)
    return "\nUNION ALL\n".join(
        _branch(needs, dataset, each, rules, source) for (each, _), rules in branches.items()
    )


def _branch(needs: _Needs, dataset: Dataset, each: Path | None, rules: list[Rule], source: str) -> str:
    """One SELECT for the rules that differ in nothing but their event and its type."""
    rows = f"SELECT * FROM {source} WHERE {_matches((rule.call, rule.name) for rule in rules)}"
    blame: list[tuple[str, str, str]] = []
    relative: list[Path] = []
    if each:
        array = needs.array(each)
        why = (
            f"CASE WHEN {array} = '[]' THEN {literal(EMPTY)}"
            f" WHEN {array} <> 'null' THEN {literal(NO_ARRAY)} ELSE {literal(MISSING)} END"
        )
        blame.append(("part IS NULL", str(each), why))
        sources = [one for one in rules[0].sources if isinstance(one, Source)]
        relative = sorted({path for one in sources for path in one.paths if path.relative}, key=str)
        steps = ", ".join(_json_path(path.segments) for path in relative)
        # An array without elements still gives one line, to carry the reason.
        rows = f"SELECT *, elements({array}) AS parts FROM ({rows})"
        rows = f"SELECT *, unnest(range(greatest(1, COALESCE(len(parts), 1)))) AS element FROM ({rows})"
        rows = f"SELECT *, parts[element + 1] AS part FROM ({rows})"
        rows = f"SELECT *, CAST(json_extract(part, [{steps}]) AS VARCHAR[]) AS pieces FROM ({rows})"

    def value(kind: str, path: Path) -> str:
        return f"as_{kind}(pieces[{relative.index(path) + 1}])" if path.relative else needs.value(kind, path)

    def has(path: Path) -> str:
        return _present(f"pieces[{relative.index(path) + 1}]") if path.relative else needs.has(path)

    made = []
    for position, column in enumerate(dataset.columns):
        name, source_ = identifier(column.name), rules[0].sources[position]
        if not isinstance(source_, Source):
            made.append(f"{_constant(rules, [rule.sources[position] for rule in rules])} AS {name}")
            continue
        made.append(f"COALESCE({', '.join(value(column.type, path) for path in source_.paths)}, NULL) AS {name}")
        if source_.required:
            blame.append((f"{name} IS NULL", column.name, _why(column.type, map(has, source_.paths))))
    if dataset.name == "interactions":
        blame.append(("message IS NULL", "messageId", _why("string", ["has_message"])))
    order = "" if dataset.name == "interactions" else ", as_timestamp(stamp) AS seconds, as_fraction(stamp) AS fraction"
    names = ", ".join(identifier(column.name) for column in dataset.columns)
    field = "CASE " + " ".join(f"WHEN {test} THEN {literal(name)}" for test, name, _ in blame) + " END"
    reason = "CASE " + " ".join(f"WHEN {test} THEN {why}" for test, _, why in blame) + " END"
    return (
        f"SELECT {names}, message, {'element' if each else 'NULL::BIGINT AS element'}, {field} AS field,"
        f" {reason} AS reason, call, name{order}\nFROM (SELECT *, {', '.join(made)} FROM ({rows}))"
    )


def _present(raw: str) -> str:
    """Rule 2: null is absent like a missing key."""
    return f"COALESCE({raw} <> 'null', false)"


def _why(kind: str, present: Iterable[str]) -> str:
    """Rule 6: the reason when no path has a value in the domain."""
    return f"CASE WHEN {' OR '.join(present)} THEN {literal(NOT_IN_DOMAIN[kind])} ELSE {literal(MISSING)} END"


def _constant(rules: list[Rule], values: Sequence[Source | str | None]) -> str:
    """EVENT_TYPE is the rule's constant (rule 8); a column that no rule here fills is NULL."""
    if values[0] is None:
        return "NULL"
    cases = " ".join(
        f"WHEN {_matches([(rule.call, rule.name)])} THEN {literal(str(value))}"
        for rule, value in zip(rules, values, strict=True)
    )
    return f"CASE {cases} END"


def _matches(events: Iterable[tuple[str, str | None]], name: str = "name") -> str:
    """Rule 1: the call's type and name, exactly, as JSON text."""
    calls: dict[str, list[str]] = defaultdict(list)
    for call, event in events:
        calls[call] += [literal(json.dumps(event, ensure_ascii=False))] if event is not None else []
    tests = [
        f"(call = {literal(json.dumps(call))}" + (f" AND {name} IN ({', '.join(names)}))" if names else ")")
        for call, names in calls.items()
    ]
    return f"({' OR '.join(tests)})"


def _json_path(segments: Sequence[str]) -> str:
    """Rule 2: quoted segments walk objects only, whatever stands in the quotes."""
    quoted = (segment.replace("\\", "\\\\").replace('"', '\\"') for segment in segments)
    return literal("$" + "".join(f'."{one}"' for one in quoted))


def sort_text(columns: Iterable[Column]) -> list[str]:
    """The text of each column as the CSV has it, null lowest: what breaks a tie (rule 9)."""
    return [f"COALESCE(CAST({identifier(column.name)} AS VARCHAR), '')" for column in columns]


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"
