"""Read the lines of logs with DuckDB: the location of each path, and the domains of the contract.

DuckDB represents a JSON value as its canonical JSON text. A domain is a macro from that text to a value or NULL.
docs/contract.md numbers the rules.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from ...contract.columns import (
    MAX_AHEAD_SECONDS,
    MAX_ELEMENTS,
    MAX_FLOAT,
    MAX_ID,
    MAX_SECONDS,
    MAX_STRING,
    MAX_TEXTUAL,
)
from ...contract.mapping import Path
from ...contract.quoting import identifier, literal
from ...contract.rows import PLACEHOLDERS
from ..lines import MAX_LINE_BYTES


def any_of(value: str, texts: Iterable[str]) -> str:
    """Return whether a value is one of some texts. CASE is faster than IN, even where IN doesn't become a join."""
    return f"(CASE {value} {' '.join(f'WHEN {literal(text)} THEN true' for text in texts)} ELSE false END)"


_INSTANT = (
    r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)

#: Seconds from the first valid instant to 1970.
_YEAR_1 = 62_135_596_800

#: The JSON texts of placeholders without white space (rule 3), and the length of the longest. No JSON text has chr(1),
#: so a text that occurs in the joined ones is one of them.
_PLACEHOLDERS = literal("\1".join(["", *(json.dumps(text) for text in sorted(PLACEHOLDERS)), ""]))
_SPACES = literal(" \t\n\v\f\r")
_MAX_PLACEHOLDER = max(map(len, PLACEHOLDERS)) + 2

#: The domains of the contract, from JSON text `x`. DuckDB writes it canonically: strings escape quotes, backslashes and
#: control characters only. Common forms take a shortcut: NULL, ASCII without escapes, milliseconds and Z, a number that
#: isn't text. A macro names `x` as seldom as possible, because each use pastes it in, and planning takes time for every
#: batch. TRY_CAST is everywhere, because an engine may evaluate a branch that CASE then doesn't choose. Lists take
#: VARCHAR[]. chr(1), which no text has, marks an element outside the domain.
MACROS = f"""
CREATE MACRO json_integer(x) AS  -- a number that is written as BIGINTs are
    CASE WHEN CAST(TRY_CAST(x AS BIGINT) AS VARCHAR) = x THEN TRY_CAST(x AS BIGINT) END;
CREATE MACRO printable(s, most) AS
    CASE WHEN length(s) <= most AND regexp_full_match(s, '[^\\x00-\\x1f\\x7f-\\x{{9f}}]+') THEN s END;
CREATE MACRO unquoted(x, most) AS printable(json_extract_string(x, '$'), most);
CREATE MACRO is_plain(x, most) AS  -- of a text whose first character is checked
    strlen(x) = length(x) AND strlen(x) BETWEEN 3 AND most + 2 AND NOT contains(x, '\\') AND NOT contains(x, chr(127));
CREATE MACRO text_of(x, most, otherwise) AS
    CASE WHEN x IS NULL THEN NULL WHEN NOT starts_with(x, '"') THEN otherwise
         WHEN is_plain(x, most) THEN substring(x, 2, strlen(x) - 2) ELSE unquoted(x, most) END;
CREATE MACRO is_blank(x) AS trim(json_extract_string(x, '$'), {_SPACES}) = '';
CREATE MACRO placeholder(x) AS  -- rule 3
    starts_with(x, '"') AND (contains({_PLACEHOLDERS}, x) OR is_blank(x));
CREATE MACRO as_any_id(x) AS text_of(x, {MAX_ID}, CAST(json_integer(x) AS VARCHAR));
CREATE MACRO as_id(x) AS  -- first those that begin with no space, of which most are too long for a placeholder
    CASE WHEN x IS NULL THEN NULL
         WHEN x >= '"!' AND x < '#' AND is_plain(x, {MAX_ID}) THEN
            CASE WHEN strlen(x) > {_MAX_PLACEHOLDER} OR NOT contains({_PLACEHOLDERS}, x)
            THEN substring(x, 2, strlen(x) - 2) END
         WHEN starts_with(x, '"') THEN CASE WHEN NOT is_blank(x) THEN unquoted(x, {MAX_ID}) END
         ELSE CAST(json_integer(x) AS VARCHAR) END;
CREATE MACRO json_scalar(x) AS CASE x WHEN 'true' THEN x WHEN 'false' THEN x ELSE CAST(json_integer(x) AS VARCHAR) END;
CREATE MACRO as_string(x) AS text_of(x, {MAX_STRING}, json_scalar(x));
CREATE MACRO one_line(s) AS  -- a regular expression takes three times as long, and a list of one is computed once
    replace(replace(replace(replace(s, chr(13) || chr(10), ' '), chr(13), ' '), chr(10), ' '), chr(9), ' ');
CREATE MACRO as_textual(x) AS
    CASE WHEN starts_with(x, '"') AND contains(x, '\\') THEN
            list_transform([one_line(json_extract_string(x, '$'))], lambda t: printable(t, {MAX_TEXTUAL}))[1]
         ELSE text_of(x, {MAX_TEXTUAL}, json_scalar(x)) END;
CREATE MACRO as_iso(x) AS  -- rule 4: without its fraction, an instant is rounded down
    COALESCE(
        -- With the quotes 26 characters, so that every number has all its digits; rounded down from the year 1 on.
        CASE WHEN strlen(x) = 26 AND ends_with(x, 'Z"') AND NOT starts_with(x, '"0000') THEN
            (epoch_us(try_strptime(x, '"%Y-%m-%dT%H:%M:%S.%gZ"')) + {_YEAR_1 * 1_000_000}) // 1000000 - {_YEAR_1} END,
        CASE WHEN NOT regexp_full_match(x, '"{_INSTANT}"') THEN NULL
             WHEN ends_with(x, 'Z"') THEN epoch_ms(TRY_CAST(substring(x, 2, 19) AS TIMESTAMP)) // 1000
             ELSE epoch_ms(TRY_CAST(regexp_replace(replace(x, '"', ''), '[.,][0-9]+', '') AS TIMESTAMPTZ)) // 1000 END);
CREATE MACRO as_fraction(x) AS  -- of an instant
    CASE WHEN strlen(x) = 26 AND ends_with(x, 'Z"') THEN substring(x, 22, 3)
         ELSE regexp_extract(x, '[.,]([0-9]+)', 1) END;
CREATE MACRO as_date(x) AS
    CASE WHEN regexp_full_match(x, '"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"') AND NOT starts_with(x, '"0000') THEN
        epoch_ms(CAST(TRY_CAST(substring(x, 2, 10) AS DATE) AS TIMESTAMP)) // 1000 END;
CREATE MACRO bounded(seconds) AS CASE WHEN seconds >= 0 AND seconds < {MAX_SECONDS} THEN seconds END;
CREATE MACRO is_late(seconds, clock) AS COALESCE(seconds > clock + {MAX_AHEAD_SECONDS}, false);
CREATE MACRO clock_of(received, present) AS
    CASE WHEN received <= present + {MAX_AHEAD_SECONDS} THEN received ELSE COALESCE(present, received) END;
CREATE MACRO clocked(seconds, clock) AS
    CASE WHEN clock IS NULL THEN seconds WHEN is_late(seconds, clock) THEN clock ELSE seconds END;
CREATE MACRO number_of(x) AS  -- rule 5: that in a string, as JSON text
    CASE WHEN NOT starts_with(x, '"') THEN x
         WHEN regexp_full_match(x, '"-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?"')
         THEN replace(replace(x, '"-0"', '0'), '"', '') END;
CREATE MACRO within(number, most) AS CASE WHEN abs(number) <= most THEN number END;
CREATE MACRO as_double(x) AS within(TRY_CAST(number_of(x) AS DOUBLE), {sys.float_info.max});
CREATE MACRO as_float(x) AS within(TRY_CAST(number_of(x) AS DOUBLE), {MAX_FLOAT});
CREATE MACRO as_epoch(x, units) AS
    CASE WHEN as_double(x) >= 0 AND as_double(x) < {MAX_SECONDS} * units THEN
        CAST(floor(as_double(x)) AS BIGINT) // units END;
CREATE MACRO as_epoch_seconds(x) AS as_epoch(x, 1);
CREATE MACRO as_epoch_milliseconds(x) AS as_epoch(x, 1000);
CREATE MACRO as_long(x) AS
    CASE WHEN regexp_full_match(x, '-?[0-9]{{1,18}}') THEN TRY_CAST(x AS BIGINT)
         WHEN json_integer(number_of(x)) IS NOT NULL THEN json_integer(number_of(x))
         WHEN abs(as_double(x)) < {1 << 53} AND as_double(x) = floor(as_double(x)) THEN TRY_CAST(as_double(x) AS BIGINT)
    END;
CREATE MACRO as_int(x) AS TRY_CAST(as_long(x) AS INTEGER);
CREATE MACRO as_boolean(x) AS
    CASE WHEN x = 'true' THEN true WHEN x = 'false' THEN false
         WHEN lower(x) = '"true"' THEN true WHEN lower(x) = '"false"' THEN false END;
CREATE MACRO elements(x) AS
    CASE WHEN starts_with(x, '[') THEN CAST(json_extract(x, '$[*]') AS VARCHAR[]) END;
CREATE MACRO through(x, path) AS  -- rule 2
    list_transform(elements(x)[1:{MAX_ELEMENTS}], lambda e: CAST(json_extract(e, path) AS VARCHAR));
CREATE MACRO some_ids(list) AS list_filter(
    CAST(list AS VARCHAR[]), lambda e: COALESCE(e <> 'null' AND NOT placeholder(e), false));
CREATE MACRO some_categories(list) AS list_filter(CAST(list AS VARCHAR[]), lambda e: COALESCE(e <> 'null', false));
CREATE MACRO whole(joined, most) AS  -- a list of one, so that what is pasted in is computed once
    list_transform([joined], lambda t:
        CASE WHEN length(t) BETWEEN 1 AND most AND NOT contains(t, chr(1)) THEN t END)[1];
CREATE MACRO single_id(x) AS CASE WHEN NOT contains(as_id(x), '|') THEN as_id(x) END;
CREATE MACRO ids_of(list) AS
    whole(array_to_string(list_transform(some_ids(list), lambda e: COALESCE(single_id(e), chr(1))), '|'),
        {MAX_ELEMENTS * (MAX_ID + 1)});
CREATE MACRO categories_of(list) AS
    whole(array_to_string(list_transform(some_categories(list), lambda e: COALESCE(as_string(e), chr(1))), '|'),
        {MAX_STRING});
CREATE MACRO as_ids(x) AS  -- a single value costs much less than a list
    CASE WHEN x IS NULL OR starts_with(x, '"[') THEN NULL
         WHEN starts_with(x, '[') THEN ids_of(elements(x)[1:{MAX_ELEMENTS}]) ELSE single_id(x) END;
CREATE MACRO as_categories(x) AS
    CASE WHEN x IS NULL OR starts_with(x, '"[') THEN NULL
         WHEN starts_with(x, '[') THEN categories_of(elements(x)[1:{MAX_ELEMENTS}]) ELSE as_string(x) END;
CREATE MACRO has_ids(x) AS  -- whether anything is there
    CASE WHEN x IS NULL THEN false
         WHEN starts_with(x, '[') THEN len(some_ids(elements(x)[1:{MAX_ELEMENTS}])) > 0
         ELSE starts_with(x, '"[') OR NOT placeholder(x) END;
CREATE MACRO has_categories(x) AS
    CASE WHEN x IS NULL THEN false
         WHEN starts_with(x, '[') THEN len(some_categories(elements(x)[1:{MAX_ELEMENTS}])) > 0 ELSE true END;
"""


def day_name(number: int, day: date | None) -> str:
    """Return the suffix of a day's file name, in the form that DAY_COLUMNS parses."""
    if day is None:
        return f"{number:07d}/{'-' * 10}/{'A' * 10}"
    return f"{number:07d}/{day}/{min(day, date.max - timedelta(2)) + timedelta(2)}"


_NUMBER = "CAST(substring(right(filename, 29), 1, 7) AS INTEGER)"
#: The columns parsed from a name of `day_name`. They cost nothing, because a vector has one value: day (its number),
#: present (its last second, NULL without a day), last (the same as JSON text), and after (a JSON text that sorts behind
#: all instants up to a day later).
DAY_COLUMNS = f"""{_NUMBER} AS day, CASE WHEN {_NUMBER} >= 0 THEN {_NUMBER} * 86400::BIGINT + 86399 END AS present,
        '"' || substring(right(filename, 21), 1, 10) || 'T23:59:59Z"' AS last,
        '"' || right(filename, 10) AS after"""


class Reader:
    """The columns that lines are read into, and the expression for each path (rule 2).

    An object is read as a STRUCT of the fields that paths name. DuckDB then returns NULL for anything that isn't an
    object, as the rule requires. Where a STRUCT isn't possible (a path ends where another continues, or names differ
    only in case, which DuckDB ignores), the object is read as JSON.
    """

    def __init__(self, paths: set[Path]) -> None:
        fixed = {"type", "event", "name", "messageId", "timestamp", "receivedAt"}
        roots = sorted(fixed | {path.segments[0] for path in paths})
        self.root = {name: f"root{position}" for position, name in enumerate(roots)}
        self.at: dict[Path, str] = {}
        # Extract each field from a STRUCT once, because CASE would copy the whole STRUCT for each.
        self._fields: list[str] = []
        self._types: dict[str, str] = {}
        # DuckDB ignores the case of columns too. If roots differ in nothing else, read lines as JSON.
        self._whole = len({name.lower() for name in roots}) < len(roots)
        for name, alias in self.root.items():
            inside = sorted((path for path in paths if path.segments[0] == name), key=str)
            struct = None if name in fixed or self._whole else _fields([path.segments[1:] for path in inside])
            self._types[name] = _struct_type(struct) if struct else "JSON"
            for path in inside:
                steps = path.segments[1:]
                if not steps:
                    self.at[path] = alias
                elif struct:
                    self.at[path] = f"field{len(self._fields)}"
                    field = f"{identifier(name)}{''.join(f'[{literal(step)}]' for step in steps)}"
                    self._fields.append(f"CAST({field} AS VARCHAR) AS {self.at[path]}")
                else:
                    self.at[path] = _extract(alias, steps)

    def lines(self, path: str) -> str:
        """Return a SELECT of the roots, one row per line of the plain file at `path`."""
        # DuckDB keeps two buffers per thread, each as long as the longest line allowed.
        options = (
            f"{literal(path)}, format = 'newline_delimited', ignore_errors = true, compression = 'none',"
            f" maximum_object_size = {MAX_LINE_BYTES}, filename = true"
        )
        if self._whole:
            values = ", ".join(f"{_extract('json', [name])} AS {alias}" for name, alias in self.root.items())
            return f"SELECT {values}, {DAY_COLUMNS} FROM read_json_objects({options})"
        roots = (
            f"CAST({identifier(name)} AS VARCHAR) AS {alias}"
            for name, alias in self.root.items()
            if self._types[name] == "JSON"
        )
        values = ", ".join([*roots, *self._fields])
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in self._types.items())
        source = f"read_json({options}, hive_partitioning = false, columns = {{{columns}}})"
        return f"SELECT {values}, {DAY_COLUMNS} FROM {source}"


def _extract(value: str, steps: Sequence[str]) -> str:
    return f"nullif(CAST(json_extract({value}, {json_path(steps)}) AS VARCHAR), 'null')"


_StructFields = dict[str, "_StructFields"]


def _fields(paths: list[tuple[str, ...]]) -> _StructFields | None:
    """Return the fields that `paths` name, None if a STRUCT can't have them."""
    if () in paths:
        return {} if len(paths) == 1 else None
    fields: _StructFields = {}
    for name in sorted({path[0] for path in paths}):
        inner = _fields([path[1:] for path in paths if path[0] == name])
        if inner is None or name.lower() in (other.lower() for other in fields):
            return None
        fields[name] = inner
    return fields


def _struct_type(struct: _StructFields) -> str:
    types = {name: _struct_type(inner) if inner else "JSON" for name, inner in sorted(struct.items())}
    fields = (f"{identifier(name)} {kind}" for name, kind in types.items())
    return f"STRUCT({', '.join(fields)})"


def json_path(segments: Sequence[str]) -> str:
    """Return a JSON path of quoted segments, which walks objects only, whatever the segments contain (rule 2)."""
    quoted = (segment.replace("\\", "\\\\").replace('"', '\\"') for segment in segments)
    return literal("$" + "".join(f'."{segment}"' for segment in quoted))
