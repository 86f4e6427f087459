"""Whole queries from the SELECTs of the rules: a dataset's rows, the counts of what gave none, unmapped events.

docs/contract.md numbers the rules.
"""

from collections.abc import Iterator, Sequence

from ..contract.mapping import Dataset, EventMapping
from ..contract.quoting import identifier
from ..contract.rows import UNMAPPED, WRITE_BACK, WRITE_BACK_ID
from .catalog import Columns
from .dialect import Dialect
from .naming import NAME_COLUMNS, TABLES
from .window import TimeWindow

#: The columns of the counts, as `report.json` names them.
COUNTS = ("dataset", "source", "call", "event", "field", "reason", "count")

#: What the counts call rows, which are no refusals.
WRITTEN = "written"
DEDUPLICATED = "deduplicated"

_UNION = "\nUNION ALL\n"
_BY = "BY 1, 2, 3, 4, 5, 6"


def dataset_query(dialect: Dialect, dataset: Dataset, rows: Sequence[str], window: TimeWindow) -> str:
    """Return the query of a dataset's CSV, from the SELECTs of `Branch.rows`."""
    names = ", ".join(
        f"{_written(dialect, column.type, f'c{position}')} AS {identifier(column.name)}"
        for position, column in enumerate(dataset.columns)
    )
    kept = "nth = 1 AND earlier = 0" if window.overlaps else "nth = 1"
    return f"{_ranked(dialect, dataset, rows)}SELECT {names}\nFROM ranked WHERE {kept}"


def counts_query(dialect: Dialect, dataset: Dataset, judged: Sequence[str]) -> str:
    """Return the query that counts rows and refusals, from the SELECTs of `Branch.judged`.

    `reason` is that of a refusal, or says what became of a row.
    """
    became = f"CASE WHEN nth = 1 THEN {dialect.literal(WRITTEN)} ELSE {dialect.literal(DEDUPLICATED)} END"
    outcome = dialect.short(became)
    values = (
        dialect.constant(dataset.name),
        "source_name",
        "call_type",
        "event_name",
        "field",
        f"COALESCE(reason, {outcome})",
    )
    ranked = _ranked(dialect, dataset, judged, "reason")
    return f"{ranked}{_counting(dialect, values)}\nFROM ranked WHERE earlier = 0\nGROUP {_BY}\nORDER {_BY}"


def unmapped_query(
    dialect: Dialect, mapping: EventMapping, schemas: Sequence[str], columns: Columns | None, window: TimeWindow
) -> str | None:
    """Return the query that counts the events that no rule knows (rule 1), of the tables that are there.

    Where nobody asked the warehouse, that is `tracks` alone.
    """
    null = dialect.null("string")
    selects = []
    for schema in schemas:
        for table, call, column, event, test in _calls(dialect, mapping):
            has = columns.table(schema, table) if columns is not None else {} if call == "track" else None
            needed = {column, "received_at"} if window else {column}
            if has is None or (columns is not None and not needed <= set(has)):
                continue
            tests = [*([test] if test else []), *window.within(dialect, dialect.named("received_at"))]
            values = (null, dialect.constant(schema), dialect.constant(call), event, null, dialect.constant(UNMAPPED))
            where = f"\nWHERE {' AND '.join(tests)}" if tests else ""
            source = f"{dialect.named(schema)}.{dialect.named(table)}"
            selects.append(f"{_counting(dialect, values)}\nFROM {source}{where}\nGROUP {_BY}")
    return f"{_UNION.join(selects)}\nORDER {_BY}" if selects else None


def _calls(dialect: Dialect, mapping: EventMapping) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield table, call, column, the event's name, and what is true of events without a rule."""
    for call, column in NAME_COLUMNS.items():
        known = ", ".join(dialect.literal(event or "") for its_call, event in mapping.by_event if its_call == call)
        name = dialect.named(column)
        yield TABLES[call], call, column, name, f"({name} IS NULL OR {name} NOT IN ({known}))" if known else ""
    ours = f"{dialect.named('id')} LIKE {dialect.literal(f'{WRITE_BACK_ID}%')}"
    event = f"CASE WHEN {ours} THEN {dialect.constant(WRITE_BACK)} END"
    yield TABLES["identify"], "identify", "id", event, ours if ("identify", None) in mapping.by_event else ""
    for call in ("group", "alias"):
        yield TABLES[call], call, "id", dialect.null("string"), ""


def _ranked(dialect: Dialect, dataset: Dataset, selects: Sequence[str], *within: str) -> str:
    """Rule 9: the place of a row among those that are one row; the first is kept."""
    texts = [
        f"COALESCE({_text(dialect, column.type, f'c{position}')}, '')"
        for position, column in enumerate(dataset.columns)
    ]
    if dataset.name == "interactions":
        key, order = ["message", "element"], ["earlier DESC", *texts]  # one of the overlap hides the others
    else:
        key = ["c0"]
        order = ["seconds DESC NULLS LAST", "fraction DESC NULLS LAST", *(f"{text} DESC" for text in texts)]
    rank = f"ROW_NUMBER() OVER (PARTITION BY {', '.join([*within, *key])} ORDER BY {', '.join(order)})"
    return (
        f"WITH candidates AS (\n{_UNION.join(selects)}\n), ranked AS (\n"
        f"SELECT candidates.*,\n  {rank} AS nth -- rule 9\nFROM candidates\n)\n"
    )


def _text(dialect: Dialect, kind: str, x: str) -> str:
    """Return the text that stands in the CSV."""
    if kind == "boolean":  # a warehouse may write t and f
        return dialect.short(f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' END")
    if kind in ("float", "double"):
        return dialect.float_text(x)
    return x if kind in ("string", "ids") else dialect.short(x)


def _written(dialect: Dialect, kind: str, x: str) -> str:
    if kind in ("string", "ids"):
        return dialect.csv(x)
    if kind in ("float", "double"):
        return dialect.float_written(x)
    return _text(dialect, kind, x) if kind == "boolean" else x


def _counting(dialect: Dialect, values: Sequence[str]) -> str:
    columns = zip((*values, "COUNT(*)"), COUNTS, strict=True)
    return f"SELECT {', '.join(f'{value} AS {dialect.named(name)}' for value, name in columns)}"
