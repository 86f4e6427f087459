"""How DuckDB reads the lines of a log: where paths stand, and the domains of the contract.

DuckDB hands on a JSON value as its canonical JSON text; a domain here is a macro from that
text to a value or NULL. docs/contract.md numbers the rules.
"""

from collections.abc import Sequence

from ...contract.columns import MAX_FLOAT, MAX_IMPRESSION, MAX_STRING
from ...contract.mapping import Path
from ...contract.quoting import identifier, literal

_INSTANT = (
    r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)

#: Seconds from the first instant that is allowed to 1970.
_YEAR_1 = 62_135_596_800

#: A longer line is malformed; Segment's own limit is 32 KB an event. DuckDB keeps two buffers
#: of this size a thread.
MAX_LINE_BYTES = 1 << 22

#: The domains of the contract, from JSON text `x` (DuckDB writes it canonically: strings escape
#: only quotes, backslashes and control characters). Common forms take a short way: NULL, ASCII
#: without escapes, milliseconds and Z. Each macro names `x` as seldom as it can, since it is pasted in and
#: planning a batch costs too. TRY_CAST everywhere: an engine may evaluate a branch that CASE
#: then doesn't take.
MACROS = f"""
CREATE MACRO json_integer(x) AS
    CASE WHEN regexp_full_match(x, '-?[0-9]{{1,19}}') THEN TRY_CAST(x AS BIGINT) END;
CREATE MACRO printable(s) AS
    CASE WHEN length(s) <= {MAX_STRING} AND regexp_full_match(s, '[^\\x00-\\x1f\\x7f-\\x{{9f}}]+') THEN s END;
CREATE MACRO as_string(x) AS  -- rule 3
    CASE WHEN x IS NULL THEN NULL
         WHEN starts_with(x, '"') AND strlen(x) = length(x) AND strlen(x) BETWEEN 3 AND {MAX_STRING + 2}
          AND NOT contains(x, '\\') AND NOT contains(x, chr(127)) THEN substring(x, 2, strlen(x) - 2)
         WHEN starts_with(x, '"') THEN printable(json_extract_string(x, '$'))
         ELSE CAST(json_integer(x) AS VARCHAR) END;
CREATE MACRO as_timestamp(x) AS  -- rule 4: without its fraction, an instant is rounded down
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
CREATE MACRO as_double(x) AS  -- rule 5
    CASE WHEN isfinite(TRY_CAST(x AS DOUBLE)) THEN TRY_CAST(x AS DOUBLE) END;
CREATE MACRO as_float(x) AS CASE WHEN abs(as_double(x)) <= {MAX_FLOAT} THEN as_double(x) END;
CREATE MACRO as_long(x) AS json_integer(x);
CREATE MACRO as_int(x) AS TRY_CAST(json_integer(x) AS INTEGER);
CREATE MACRO as_boolean(x) AS CASE x WHEN 'true' THEN true WHEN 'false' THEN false END;
CREATE MACRO elements(x) AS
    CASE WHEN starts_with(x, '[') THEN CAST(json_extract(x, '$[*]') AS VARCHAR[]) END;
CREATE MACRO as_ids(x) AS
    CASE WHEN len(elements(x)) > 0
          AND list_bool_and(list_transform(elements(x), lambda e: COALESCE(NOT contains(as_string(e), '|'), false)))
         THEN array_to_string(list_transform(elements(x)[1:{MAX_IMPRESSION}], lambda e: as_string(e)), '|') END;
"""


class Reader:
    """How the lines are read, and where in them each path stands (rule 2).

    An object is read as a STRUCT of just the fields that paths name: DuckDB then leaves NULL
    whatever is no object, as the rule has it. Where it can't be one (a path ends where another
    goes on, or names differ only in case, which DuckDB ignores), it is read as JSON.
    """

    def __init__(self, paths: set[Path]) -> None:
        fixed = {"type", "event", "name", "messageId", "timestamp"}
        roots = sorted(fixed | {path.segments[0] for path in paths})
        self.root = {name: f"root{position}" for position, name in enumerate(roots)}
        self.at: dict[Path, str] = {}
        self._types: dict[str, str] = {}
        # Columns have no case either: where roots differ in nothing else, lines are read as JSON.
        self._whole = len({name.lower() for name in roots}) < len(roots)
        for name, alias in self.root.items():
            inside = [path for path in paths if path.segments[0] == name]
            struct = None if name in fixed or self._whole else _fields([path.segments[1:] for path in inside])
            self._types[name] = _struct_type(struct) if struct else "JSON"
            for path in inside:
                steps = path.segments[1:]
                if not steps:
                    self.at[path] = alias
                elif struct:
                    self.at[path] = f"CAST({alias}{''.join(f'[{literal(step)}]' for step in steps)} AS VARCHAR)"
                else:
                    self.at[path] = _extract(alias, steps)

    def lines(self, path: str) -> str:
        """Return a SELECT of the roots, a row a line of the plain file at `path`."""
        options = (
            f"{literal(path)}, format = 'newline_delimited', ignore_errors = true, compression = 'none',"
            f" maximum_object_size = {MAX_LINE_BYTES}"
        )
        if self._whole:
            values = ", ".join(f"{_extract('json', [name])} AS {alias}" for name, alias in self.root.items())
            return f"SELECT {values} FROM read_json_objects({options})"
        values = ", ".join(
            f"CAST({identifier(name)} AS VARCHAR) AS {alias}"
            if self._types[name] == "JSON"
            else f"{identifier(name)} AS {alias}"
            for name, alias in self.root.items()
        )
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in self._types.items())
        return f"SELECT {values} FROM read_json({options}, hive_partitioning = false, columns = {{{columns}}})"


def _extract(value: str, steps: Sequence[str]) -> str:
    return f"nullif(CAST(json_extract({value}, {json_path(steps)}) AS VARCHAR), 'null')"


_StructFields = dict[str, "_StructFields"]


def _fields(paths: list[tuple[str, ...]]) -> _StructFields | None:
    """Return the fields that `paths` name; None if they are no STRUCT."""
    if () in paths:
        return {} if len(paths) == 1 else None
    fields: _StructFields = {}
    for name in {path[0] for path in paths}:
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
    """Rule 2: quoted segments walk objects only, whatever stands in the quotes."""
    quoted = (segment.replace("\\", "\\\\").replace('"', '\\"') for segment in segments)
    return literal("$" + "".join(f'."{segment}"' for segment in quoted))
