"""Complete queries from the SELECTs of the rules: a dataset's rows, counts of refusals, and unmapped events.

docs/contract.md numbers the rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..contract.columns import LISTS, USER_ID
from ..contract.mapping import Column, Dataset, EventMapping
from ..contract.quoting import identifier
from ..contract.rows import NO_CONDITION, UNMAPPED, WRITE_BACK, WRITE_BACK_ID
from ..contract.visitors import NEVER_LOGGED_IN
from .branches import optional, reasons_of
from .catalog import Columns
from .conditions import unmet
from .dialect import Dialect
from .naming import NAME_COLUMNS, TABLES
from .tables import find
from .window import TimeWindow

#: The columns of the counts, named as in `report.json`.
COUNTS = ("dataset", "source", "call", "event", "field", "reason", "count")

#: Reasons in the counts for rows, which aren't refused.
WRITTEN = "written"
DEDUPLICATED = "deduplicated"

#: Counts of rows, copies included: with the replaced instant of a wrong clock (rule 4), with a user who logged in on
#: the session (rule 12), and, as a prefix of the reason, with a null column although a value is present (rule 6).
AHEAD = "ahead"
STITCHED = "stitched"
UNUSABLE = "null: "

#: Column types that are texts.
_TEXTS = ("string", *LISTS)

_UNION = "\nUNION ALL\n"
_BY = "BY 1, 2, 3, 4, 5, 6"


@dataclass(frozen=True, slots=True)
class Stitching:
    """The SELECTs of logins, and the mapping's `visitors`, to find the users of visits (rule 12).

    A login has the session in c0, the user in c1, and seconds.
    """

    logins: Sequence[str]
    visitors: str


def dataset_query(
    dialect: Dialect, dataset: Dataset, rows: Sequence[str], window: TimeWindow, stitching: Stitching | None = None
) -> str:
    """Return the query of a dataset's CSV from the SELECTs of `Branch.rows`."""
    names = ", ".join(
        f"{_written(dialect, column, _kept(dataset, position))} AS {identifier(column.name)}"
        for position, column in enumerate(dataset.columns)
    )
    kept = "nth = 1 AND earlier = 0" if window.overlaps else "nth = 1"
    return f"{_ranked(dialect, dataset, rows, stitching)}SELECT {names}\nFROM ranked WHERE {kept}"


def counts_query(dialect: Dialect, dataset: Dataset, judged: Sequence[str], stitching: Stitching | None = None) -> str:
    """Return the query that counts rows and refusals from the SELECTs of `Branch.judged`.

    `reason` is a refusal's reason, WRITTEN or DEDUPLICATED for rows, or AHEAD, STITCHED or UNUSABLE with a column's
    reason, which count rows again.
    """
    unusable = dict(enumerate(optional(dataset), start=3))
    flags = {1: "ahead"} | ({2: "stitched"} if stitching else {})
    codes = [*flags.values(), *(f"u{position}" for position in unusable.values())]
    columns = ["source_name", "call_type", "event_name", "field", "reason", *codes]
    counted = (
        f"{_ranked(dialect, dataset, judged, stitching, 'reason')[:-1]}, counted AS (\n"
        f"SELECT {', '.join(columns)}, CASE WHEN nth = 1 THEN 1 ELSE 0 END AS kept, COUNT(*) AS amount\n"
        f"FROM ranked WHERE earlier = 0\nGROUP BY {', '.join(str(number) for number in range(1, len(columns) + 2))}\n"
    )
    # The counted lines are few. Each is read once for its rows or refusals, once for wrong clocks, and once per
    # column.
    kinds = " UNION ALL ".join(f"SELECT {kind} AS kind" for kind in (0, *flags, *unusable))
    tests = [f"kind = {kind} AND {flag} = 1" for kind, flag in flags.items()]
    tests += [f"kind = {kind} AND u{at} IS NOT NULL" for kind, at in unusable.items()]
    fields = [f"WHEN {kind} THEN {dialect.constant(dataset.columns[at].name)}" for kind, at in unusable.items()]
    whys = [f"WHEN {kind} THEN u{at}" for kind, at in unusable.items()]
    listed = (
        f"), listed AS (\nSELECT source_name, call_type, event_name, kind, kept, amount,\n"
        f"  CASE kind WHEN 0 THEN field {' '.join(fields)} END AS field,\n"
        f"  CASE kind WHEN 0 THEN reason {' '.join(whys)} END AS why\n"
        f"FROM counted CROSS JOIN ({kinds}) AS kinds\n"
        f"WHERE kind = 0 OR (reason IS NULL AND ({' OR '.join(tests)}))\n)\n"
    )
    texts = " ".join(f"WHEN {at} THEN {dialect.constant(text)}" for at, text in enumerate(reasons_of(dataset)))
    outcomes = (
        f"WHEN kind = 1 THEN {dialect.constant(AHEAD)}",
        f"WHEN kind = 2 THEN {dialect.constant(STITCHED)}",
        f"WHEN kind > 2 THEN {dialect.literal(UNUSABLE)} || CASE why {texts} END",
        f"WHEN why IS NOT NULL THEN CASE why {texts} END",
        f"WHEN kept = 1 THEN {dialect.literal(WRITTEN)} ELSE {dialect.literal(DEDUPLICATED)}",
    )
    values = (
        dialect.constant(dataset.name),
        "source_name",
        "call_type",
        "event_name",
        "field",
        dialect.short(f"CASE {' '.join(outcomes)} END"),
    )
    return (
        f"{counted}{listed}{_counting(dialect, values, 'CAST(SUM(amount) AS BIGINT)')}\n"
        f"FROM listed\nGROUP {_BY}\nORDER {_BY}"
    )


def unmapped_query(
    dialect: Dialect, mapping: EventMapping, schemas: Sequence[str], columns: Columns | None, window: TimeWindow
) -> str | None:
    """Return the query that counts events without a rule, and events whose rules have conditions that don't hold.

    It reads the tables that exist (rule 1). Without a list of columns, it reads `tracks` only, for the former.
    """
    null, received = dialect.null("string"), dialect.named("received_at")
    selects = []

    def count(schema: str, table: str, call: str, event: str, reason: str, tests: Sequence[str]) -> None:
        tests = [*tests, *window.within(dialect, received)]
        values = (null, dialect.constant(schema), dialect.constant(call), event, null, dialect.constant(reason))
        where = f"\nWHERE {' AND '.join(tests)}" if tests else ""
        source = f"{dialect.named(schema)}.{dialect.named(table)}"
        selects.append(f"{_counting(dialect, values)}\nFROM {source}{where}\nGROUP {_BY}")

    for schema in schemas:
        for table, call, column, event, test in _calls(dialect, mapping):
            has = columns.table(schema, table) if columns is not None else {} if call == "track" else None
            needed = {column, "received_at"} if window else {column}
            if has is not None and (columns is None or needed <= set(has)):
                count(schema, table, call, event, UNMAPPED, [test] if test else [])
        for (call, name), found in mapping.by_event.items():
            rules = [rule for _, rule in found]
            named = next(rule for rule in rules if rule.name == name)
            known = find(dialect, named, schema, columns, ["received_at"] if window else [], [])
            if known is not None and all(rule.when for rule in rules):
                others = [title for its_call, title in mapping.by_event if its_call == call and title is not None]
                event = known.any_name or (null if name is None else dialect.constant(name))
                count(
                    schema, known.name, call, event, NO_CONDITION, unmet(known, rules, others if name is None else [])
                )
    return f"{_UNION.join(selects)}\nORDER {_BY}" if selects else None


def _calls(dialect: Dialect, mapping: EventMapping) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the table, call, column and event name, and the test of events without a rule."""
    for call, column in NAME_COLUMNS.items():
        if (call, None) in mapping.by_event:  # a rule matches all of them
            continue
        known = ", ".join(dialect.literal(event or "") for its_call, event in mapping.by_event if its_call == call)
        name = dialect.named(column)
        yield TABLES[call], call, column, name, f"({name} IS NULL OR {name} NOT IN ({known}))" if known else ""
    ours = f"{dialect.named('id')} LIKE {dialect.literal(f'{WRITE_BACK_ID}%')}"
    event = f"CASE WHEN {ours} THEN {dialect.constant(WRITE_BACK)} END"
    yield TABLES["identify"], "identify", "id", event, ours if ("identify", None) in mapping.by_event else ""
    for call in ("group", "alias"):
        yield TABLES[call], call, "id", dialect.null("string"), ""


def _ranked(
    dialect: Dialect, dataset: Dataset, selects: Sequence[str], stitching: Stitching | None = None, *within: str
) -> str:
    """Return the SELECT that numbers the rows that are one row by rule 9, of which the first is kept.

    For users and items, it adds the latest value of each column: see `_kept`.
    """
    texts = [
        f"COALESCE({_text(dialect, column, f'c{position}')}, '')" for position, column in enumerate(dataset.columns)
    ]
    if dataset.name == "interactions":
        key, order = ["message", "element"], ["earlier DESC", *texts]  # a row of the overlap comes first
    else:
        key, order = ["c0"], _LATEST_FIRST
    by = f"PARTITION BY {', '.join([*within, *key])} ORDER BY"
    columns = [f"ROW_NUMBER() OVER ({by} {', '.join(order)}) AS nth"]
    if dataset.name != "interactions" and not within:  # not for counts
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
        for position, text in enumerate(texts[1:], start=1):
            latest = f"OVER ({by} {', '.join(order)}, {text} DESC {frame})"
            columns.append(f"FIRST_VALUE(c{position}) IGNORE NULLS {latest} AS {_kept(dataset, position)}")
    source, stitched = "candidates", ""
    if stitching is not None:
        source, stitched = "stitched", _stitched(dialect, dataset, stitching, counting=bool(within))
    ranked = ",\n  ".join([f"{source}.*", *columns])
    candidates = f"WITH candidates AS (\n{_UNION.join(selects)}\n){stitched}"
    return f"{candidates}, ranked AS (\nSELECT {ranked} -- rule 9\nFROM {source}\n)\n"


def _stitched(dialect: Dialect, dataset: Dataset, stitching: Stitching, *, counting: bool) -> str:
    """Return the candidates with the users of visits (rule 12). Those without a user are left out, or counted.

    Visits and logins of a session are sorted together, and a login precedes the visits of its second. The next login
    is the last one in descending order.
    """
    kinds = {"message": "string", "element": "long", "earlier": "int"}
    if counting:
        texts = ("source_name", "call_type", "event_name", "field")
        codes = ("reason", "ahead", *(f"u{position}" for position in optional(dataset)))
        kinds |= dict.fromkeys(texts, "string") | dict.fromkeys(codes, "int")
    kinds |= {f"c{position}": column.type for position, column in enumerate(dataset.columns)}
    names = ", ".join(kinds)
    time = f"c{[column.name for column in dataset.columns].index('TIMESTAMP')}"
    own = "COALESCE(visitor, c0, message)" if counting else "COALESCE(visitor, c0)"
    login = dialect.null("string")
    nothing = f"SELECT {login} AS c0, {login} AS c1, {dialect.null('long')} AS seconds"
    nulls = ", ".join(f"{dialect.null(kind)} AS {name}" for name, kind in kinds.items())
    seen = "SELECT c0 AS visitor, c1 AS login, MIN(seconds) AS moment FROM seen"
    seen += "\nWHERE seconds IS NOT NULL AND c0 <> c1 GROUP BY c0, c1"
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    found = ", ".join(
        f"LAST_VALUE(login) IGNORE NULLS OVER (PARTITION BY who ORDER BY moment{order}, is_login DESC {frame})"
        for order in (" DESC", "")
    )
    user = "c0, CASE WHEN visitor IS NOT NULL THEN found END" + (
        ", visitor" if stitching.visitors == "as_users" else ""
    )
    values = {name: name for name in kinds} | {"c0": f"COALESCE({user})"}
    where = "is_login = 0"
    if counting:
        userless = f"reason IS NULL AND COALESCE({user}) IS NULL"
        values["field"] = f"CASE WHEN {userless} THEN {dialect.constant(USER_ID)} ELSE field END"
        values["reason"] = f"CASE WHEN {userless} THEN {reasons_of(dataset).index(NEVER_LOGGED_IN)} ELSE reason END"
        values["stitched"] = "CASE WHEN reason IS NULL AND visitor IS NOT NULL AND found IS NOT NULL THEN 1 ELSE 0 END"
    else:
        where += f" AND COALESCE({user}) IS NOT NULL"
    listed = ",\n  ".join(name if name == value else f"{value} AS {name}" for name, value in values.items())
    return (
        f", seen AS (\n{_UNION.join(stitching.logins or [nothing])}\n), logins AS (\n"
        f"SELECT visitor, moment, MIN(login) AS login -- rule 12\n"
        f"FROM (\n{seen}\n) AS firsts GROUP BY visitor, moment\n), timeline AS (\n"
        f"SELECT {names}, visitor, {own} AS who, {time} AS moment, {login} AS login, 0 AS is_login\nFROM candidates"
        f"{_UNION}SELECT {nulls}, {login} AS visitor, visitor AS who, moment, login, 1 AS is_login\nFROM logins\n"
        f"), visited AS (\nSELECT timeline.*, COALESCE({found}) AS found\nFROM timeline\n"
        f"), stitched AS (\nSELECT {listed}\nFROM visited WHERE {where}\n)"
    )


#: The order of the observations of a user or an item. Those without an instant come last.
_LATEST_FIRST = ["seconds DESC NULLS LAST", "fraction DESC NULLS LAST"]


def _kept(dataset: Dataset, position: int) -> str:
    """Return the column of `_ranked` to write: for users and items the latest value."""
    return f"c{position}" if dataset.name == "interactions" or not position else f"latest{position}"


def _text(dialect: Dialect, column: Column, x: str) -> str:
    """Return a value's text in the CSV."""
    if column.type == "boolean":
        return dialect.short(dialect.boolean_text(x))
    if column.type in ("float", "double"):
        return dialect.float_text(x)
    return x if column.type in _TEXTS else dialect.short(x)


def _written(dialect: Dialect, column: Column, x: str) -> str:
    if column.type in _TEXTS:
        return dialect.csv(x)
    if column.type in ("float", "double"):
        return dialect.float_written(x)
    return _text(dialect, column, x) if column.type == "boolean" else x


def _counting(dialect: Dialect, values: Sequence[str], count: str = "COUNT(*)") -> str:
    columns = zip((*values, count), COUNTS, strict=True)
    return f"SELECT {', '.join(f'{value} AS {dialect.named(name)}' for value, name in columns)}"
