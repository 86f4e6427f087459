"""Count the rows of an export in DuckDB into `Figures`. Every number is exact."""

from collections.abc import Sequence
from typing import Any

import duckdb

from ..contract.columns import MAX_ELEMENTS, MAX_ID, REQUIRED
from ..contract.mapping import Column, Dataset, EventMapping
from ..contract.quoting import literal
from .figures import (
    DAY_SECONDS,
    Activity,
    ColumnFacts,
    Coverage,
    DatasetFacts,
    Figures,
    OddIds,
    Times,
    TrainingEvents,
    TrainingFacts,
)
from .tables import ExportTable, Tables

#: Timestamps before the year 2000, or more than a day from now, are implausible.
EARLIEST = 946_684_800
TOLERANCE = DAY_SECONDS
#: Epoch seconds of the year 5138. Later timestamps are in milliseconds.
MILLISECONDS = 10**11
#: Interactions of one user in one day that a person hardly makes: one every 86 seconds, day and night.
CROWD = 1000
#: Top percents of items whose share of interactions is measured.
TOP = (1, 2, 5, 10, 20, 50)

#: Event types, in lowercase, of purchases and of views of items.
_BOUGHT, _VIEWED = "'purchase'", "'view', 'click', 'watch'"

#: Placeholders for "no one" or "nothing", which turn many users into one.
PLACEHOLDERS = (
    "null", "undefined", "none", "nil", "nan", "n/a", "na", "-", "?", "0", "-1", "unknown", "anonymous", "guest",
    "test", "true", "false", "[object object]", "{}", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip

_CONTROL = "'[\\x00-\\x1f\\x7f-\\x9f]'"
#: Kind of suspicious id -> condition on `id`.
ODD = {
    "long": f"length(id) > {MAX_ID}",
    "control": f"regexp_matches(id, {_CONTROL})",
    "special": "contains(id, '\"') OR contains(id, '\\')",
    "spaced": "id <> trim(id)",
    "placeholder": f"lower(id) IN ({', '.join(literal(word) for word in PLACEHOLDERS)})",
    "email": "regexp_full_match(id, '[^@\\s]+@[^@\\s]+\\.[^@\\s]+')",
}

_WHOLE = "regexp_full_match({0}, '[+-]?[0-9]+')"
_NUMBER = (
    "COALESCE(regexp_full_match({0}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')"
    " AND isfinite(TRY_CAST({0} AS DOUBLE)), false)"
)
#: Type -> condition for a text (not null) to be of the type.
_DOMAIN = {
    "string": f"NOT regexp_matches({{0}}, {_CONTROL})",
    "ids": f"NOT regexp_matches({{0}}, {_CONTROL}) AND len(string_split({{0}}, '|')) <= {MAX_ELEMENTS}",
    "categories": f"NOT regexp_matches({{0}}, {_CONTROL}) AND len(string_split({{0}}, '|')) <= {MAX_ELEMENTS}",
    "timestamp": f"{_WHOLE} AND TRY_CAST({{0}} AS BIGINT) IS NOT NULL",
    "long": f"{_WHOLE} AND TRY_CAST({{0}} AS BIGINT) IS NOT NULL",
    "int": f"{_WHOLE} AND TRY_CAST({{0}} AS INTEGER) IS NOT NULL",
    "float": _NUMBER,
    "double": _NUMBER,
    "boolean": "lower({0}) IN ('true', 'false')",
}


def measure(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    mapping: EventMapping,
    now: int,
    trainings: Sequence[TrainingEvents] = (),
) -> Figures:
    """Return the figures of the tables, which include `interactions`. `now` is in epoch seconds.

    Leaves additional tables in the connection.
    """
    return _Measure(connection, tables, mapping, now).figures(trainings)


class _Measure:
    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Tables, mapping: EventMapping, now: int) -> None:
        self._connection, self._tables, self._now = connection, tables, now
        self._mapped = {dataset.name: dataset for dataset in mapping.datasets}

    def figures(self, trainings: Sequence[TrainingEvents]) -> Figures:
        datasets = {name: self._dataset(table) for name, table in self._tables.items()}
        user, item, time, kind, value = (
            self._column("interactions", name)
            for name in ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")
        )
        seconds = f"CASE WHEN {_WHOLE.format(time)} THEN TRY_CAST({time} AS BIGINT) END"
        # All figures below come from `once`, because Personalize keeps one of identical rows.
        self._run(
            f"CREATE TABLE once AS SELECT {user} AS user_id, {item} AS item_id, {seconds} AS seconds,"
            f" {kind} AS event_type, TRY_CAST({value} AS DOUBLE) AS event_value"
            " FROM (SELECT DISTINCT * FROM interactions)"
        )
        for name in ("user", "item"):
            self._run(
                f"CREATE TABLE by_{name} AS SELECT {name}_id AS id, count(*) AS n FROM once"
                f" WHERE {name}_id IS NOT NULL GROUP BY ALL"
            )
        (unique, triples) = self._row(
            "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT user_id, item_id, seconds FROM once)) FROM once"
        )
        users, returning, heaviest = self._row("SELECT count(*), count(*) FILTER (n > 1), max(ROW(n, id)) FROM by_user")
        items, items_once = self._row("SELECT count(*), count(*) FILTER (n = 1) FROM by_item")
        busiest, crowded = self._row(
            f"SELECT max(ROW(n, id)), count(DISTINCT id) FILTER (n >= {CROWD}) FROM ("
            f"SELECT user_id AS id, count(*) AS n FROM once WHERE {self._meant()} AND user_id IS NOT NULL"
            f" GROUP BY user_id, seconds // {DAY_SECONDS})"
        )
        return Figures(
            now=self._now,
            datasets=datasets,
            rows=datasets["interactions"].rows,
            unique=unique,
            same_second=unique - triples,
            users=users,
            returning=returning,
            items=items,
            items_once=items_once,
            histories=tuple(self._all("SELECT n, count(*) FROM by_user GROUP BY n ORDER BY n")),
            shares=self._shares(items),
            heaviest=_user(heaviest),
            busiest=_user(busiest),
            crowded=crowded,
            types=tuple(
                self._all(
                    "SELECT event_type, count(*) AS n FROM once WHERE event_type IS NOT NULL"
                    " GROUP BY ALL ORDER BY n DESC, event_type"
                )
            ),
            times=self._times(f"SELECT {seconds} AS seconds FROM interactions"),
            activity=Activity(
                tuple(
                    self._all(
                        f"SELECT seconds // {DAY_SECONDS} AS day, count(*) FROM once WHERE {self._meant()}"
                        " GROUP BY day ORDER BY day"
                    )
                )
            ),
            odd=tuple(ids for name in ("user", "item") for ids in self._odd(name)),
            coverage={
                name: self._coverage(name, by) for name, by in (("users", "by_user"), ("items", "by_item"))
                if name in self._tables
            },
            bought=self._bought(),
            trainings=tuple(map(self._training, trainings)),
        )  # fmt: skip

    def _bought(self) -> tuple[int, int] | None:
        bought, both, views = self._row(
            "SELECT count(*) FILTER (bought), count(*) FILTER (bought AND viewed), count(*) FILTER (viewed) FROM ("
            f"SELECT bool_or(lower(event_type) IN ({_BOUGHT})) AS bought,"
            f" bool_or(lower(event_type) IN ({_VIEWED})) AS viewed"
            " FROM once WHERE item_id IS NOT NULL GROUP BY item_id)"
        )
        return (bought, both) if bought and views else None

    def _training(self, training: TrainingEvents) -> TrainingFacts:
        tests = [
            f"event_type = {literal(name)}" + (f" AND event_value >= {least!r}" if least is not None else "")
            for name, least in training.events
        ]
        where = " OR ".join(f"({test})" for test in tests) or "true"
        counted = self._row(
            "SELECT COALESCE(sum(n), 0)::BIGINT, count(*) FILTER (n > 1 AND user_id IS NOT NULL)"
            f" FROM (SELECT user_id, count(*) AS n FROM once WHERE {where} GROUP BY user_id)"
        )
        return TrainingFacts(training.solution, *counted)

    def _meant(self) -> str:
        return f"seconds BETWEEN {EARLIEST} AND {self._now + TOLERANCE}"

    def _column(self, dataset: str, name: str) -> str:
        """Return a column's name in DuckDB, or a null if no header has it."""
        columns = self._tables[dataset].columns
        return f"c{columns.index(name)}" if name in columns else "CAST(NULL AS VARCHAR)"

    def _dataset(self, table: ExportTable) -> DatasetFacts:
        mapped: Dataset | None = self._mapped.get(table.dataset)
        columns = {column.name: column for column in mapped.columns} if mapped else {}
        keys = REQUIRED[table.dataset]
        selects, known = ["count(*)"], []
        for place, name in enumerate(table.columns):
            column: Column | None = columns.get(name)
            kind = column.type if column else None
            text = kind in ("string", None) and name not in keys
            known.append((name, kind, text))
            c = f"c{place}"
            selects += [f"count({c})", f"count({c}) FILTER (NOT ({_DOMAIN[kind or 'string'].format(c)}))"]
            selects += [f"count(DISTINCT {c})", f"max(length({c}))"] if text else ["NULL", "NULL"]
        rows, *rest = self._row(f"SELECT {', '.join(selects)} FROM {table.dataset}")
        facts = [
            ColumnFacts(name, kind, rows - rest[at * 4], rest[at * 4 + 1], *rest[at * 4 + 2 : at * 4 + 4])
            for at, (name, kind, _) in enumerate(known)
        ]
        repeated = 0
        if table.dataset != "interactions":
            key = self._column(table.dataset, keys[0])
            (repeated,) = self._row(f"SELECT count({key}) - count(DISTINCT {key}) FROM {table.dataset}")
        return DatasetFacts(table.dataset, rows, repeated, tuple(facts))

    def _shares(self, items: int) -> tuple[tuple[int, float], ...]:
        sums = ", ".join(f"sum(n) FILTER (place <= {-(-items * percent // 100)})" for percent in TOP)
        *tops, total = self._row(
            f"SELECT {sums}, sum(n) FROM (SELECT n, row_number() OVER (ORDER BY n DESC) AS place FROM by_item)"
        )
        return tuple((percent, int(top) / int(total)) for percent, top in zip(TOP, tops, strict=True)) if total else ()

    def _times(self, times: str) -> Times:
        conditions = (
            "seconds < 0",
            f"seconds >= 0 AND seconds < {EARLIEST}",
            f"seconds > {self._now + TOLERANCE} AND seconds < {MILLISECONDS}",
            f"seconds >= {MILLISECONDS}",
        )
        counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
        return Times(*self._row(f"SELECT {counts} FROM ({times})"))

    def _odd(self, name: str) -> list[OddIds]:
        counts = ", ".join(
            f"count(*) FILTER ({odd}), COALESCE(sum(n) FILTER ({odd}), 0), min(id) FILTER ({odd})"
            for odd in ODD.values()
        )
        row = self._row(f"SELECT {counts} FROM by_{name}")
        return [
            OddIds(f"{name.upper()}_ID", kind, row[at * 3], int(row[at * 3 + 1]), row[at * 3 + 2])
            for at, kind in enumerate(ODD)
        ]

    def _coverage(self, dataset: str, by: str) -> Coverage:
        ids = f"SELECT DISTINCT {self._column(dataset, REQUIRED[dataset][0])} AS id FROM {dataset}"
        named, known, interactions = self._row(
            f"SELECT (SELECT count(*) FROM {by}), count(*), COALESCE(sum(n), 0) FROM {by} SEMI JOIN ({ids}) USING (id)"
        )
        listed, met = self._row(
            f"SELECT count(id), count(id) FILTER (id IN (SELECT id FROM {by})) FROM ({ids}) WHERE id IS NOT NULL"
        )
        return Coverage(named, known, int(interactions), listed, listed - met)

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(statement)

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._run(query).fetchall()

    def _row(self, query: str) -> tuple[Any, ...]:
        (row,) = self._all(query)
        return row


def _user(most: tuple[int, str] | None) -> tuple[str, int] | None:
    return (most[1], most[0]) if most else None
