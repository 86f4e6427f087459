"""The SELECT of one rule of the event mapping over the table of one source: of its rows, or also of its refusals.

docs/contract.md numbers the rules. The SELECTs are nested. The innermost reads the table. The next ones add the
elements of `each`, the intermediate values and the columns of the dataset. The outermost selects the rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from ..contract.columns import DEFAULT_MAX_ELEMENTS, MAX_AHEAD_SECONDS, MAX_ID, MAX_SECONDS, MAX_STRING, USER_ID
from ..contract.mapping import Column, Constant, Dataset, Path, Rule, Source
from ..contract.rows import EMPTY, MISSING, NO_ARRAY, NOT_IN_DOMAIN, TOO_LONG, not_in_domain
from ..contract.visitors import NEVER_LOGGED_IN
from .conditions import taken
from .dialect import Dialect
from .domains import TEXTS, fits, joined, no_placeholder, readings, settle
from .tables import EventTable
from .window import TimeWindow

#: Reason of a text that begins like an array but can't be parsed, because a column has a maximum length.
CUT_OFF = "an array that the warehouse cut off"

#: type -> the rule that defines its domain, 5 for all others.
_RULES = {"string": 3, "timestamp": 4}
_NO_COMMENTS: Mapping[str, str] = MappingProxyType({})


#: Placeholder for `Select.base` in its SQL, with a character that no mapping can have.
_BASE = "(\0)"


class Select(NamedTuple):
    """A SELECT whose innermost one, `base`, reads a table. `types` are the table's types of the columns read."""

    sql: str
    base: str
    types: tuple[str, ...]


def merged(selects: Iterable[Select]) -> list[str]:
    """Return the SQL of SELECTs, combining those that differ only in their tables, because statements have limits."""
    bases: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for select in selects:
        bases.setdefault((select.sql, select.types), []).append(select.base)
    union = "\nUNION ALL\n"
    return [sql.replace(_BASE, f"(\n{union.join(tables)}\n)", 1) for (sql, _), tables in bases.items()]


class _ColumnSql(NamedTuple):
    """The SQL of a column, whether it can differ from NULL, the test of presence, and the SQL of `ahead`."""

    sql: str
    possible: bool
    present: str = ""
    ahead: str = ""


@dataclass(slots=True)
class Branch:
    """A rule over a table, and the expressions that its SELECT reads.

    `earlier` has the rules of the dataset that come before it. `session` has the paths of the session of interactions
    without a user. It is empty if visitors are dropped, and for other datasets. `max_elements` is the mapping's. With
    `counting`, it also reads the reasons of missing rows and values. `reads` and `pieces` map expressions on the table
    and on an element to names, `derived` those between them and the columns of the dataset: see `domains.Derive`.
    """

    table: EventTable
    dataset: Dataset
    window: TimeWindow
    earlier: tuple[Rule, ...] = ()
    session: tuple[Path, ...] = ()
    max_elements: int = DEFAULT_MAX_ELEMENTS
    counting: bool = False
    reads: dict[str, str] = field(default_factory=dict)
    pieces: dict[str, str] = field(default_factory=dict)
    derived: tuple[dict[str, str], ...] = field(default_factory=lambda: ({}, {}, {}))
    types: list[str] = field(default_factory=list)

    @property
    def _rule(self) -> Rule:
        return self.table.rule

    @property
    def _dialect(self) -> Dialect:
        return self.table.dialect

    def rows(self) -> list[Select]:
        """Return the SELECT of the rows. If the table can't have any, return [] and add a note.

        Columns: message, element, earlier (1 in the overlap), c0, c1 … (the dataset's columns). Users and items also
        have seconds and fraction, which order them. Interactions that may be a visitor's have visitor: the session, if
        no user is named. c0 is then NULL.
        """
        values, session = self._values(), self._session()
        for value, column, source in zip(values, self.dataset.columns, self._rule.sources, strict=True):
            without = column.name == USER_ID and session is not None and session.possible
            if not value.possible and isinstance(source, Source) and source.required and not without:
                self.table.notes.append(f"{self.table.label}: no column for {column.name}, so it has no rows")
                return []
        array = self._array()
        if self._rule.each and array is None:
            self.table.notes.append(f"{self.table.label}: no column for {self._rule.each}, so it has no rows")
            return []
        names = [*self._common(), *self._columns()]
        needed = " AND ".join(f"{column} IS NOT NULL" for column, _, _ in self._tests(values))
        rows, base = self._settled(values, session, array)
        sql = f"SELECT {', '.join(names)}\nFROM {rows}\nWHERE {needed}"
        return [Select(sql, base, tuple(self.types))]

    def judged(self) -> list[Select]:
        """Return the SELECTs of rows and refusals.

        Columns before those of `rows`: source_name, call_type, event_name, field, reason (NULL for a row, else its
        index in `reasons_of`), ahead (1 if a wrong clock's instant was replaced), and u0, u1 …: the index of the reason
        why an optional column is NULL although a value is present, else NULL.
        """
        values, session = self._values(), self._session()
        array = self._array()
        text, null = self._dialect.constant, self._dialect.null
        event = text(self._rule.name) if self._rule.name is not None else null("string")
        if self.table.any_name is not None:
            event = self._dialect.short(self.table.any_name, MAX_STRING)
        head = {"source_name": text(self.table.schema), "call_type": text(self._rule.call), "event_name": event}
        names = [*self._common(), *self._columns()]
        selects: list[Select] = []
        if self._rule.each is None or array is not None:
            tests = self._tests(values)
            fields = " ".join(f"WHEN {name} IS NULL THEN {text(field)}" for name, field, _ in tests)
            reasons = " ".join(f"WHEN {name} IS NULL THEN {reason}" for name, _, reason in tests)
            if self._rule.each is not None:
                beyond = f" WHEN element >= {self.max_elements} THEN "
                fields += beyond + text(str(self._rule.each))
                reasons += beyond + str(self._place(TOO_LONG))
            columns = [*head, f"CASE {fields} END AS field", f"CASE {reasons} END AS reason", "ahead"]
            rows, base = self._settled(values, session, array, head)
            sql = f"SELECT {', '.join([*columns, *self._unusable(values), *names])}\nFROM {rows}"
            selects.append(Select(sql, base, tuple(self.types)))
        if self._rule.each is not None:
            selects.append(self._without_elements(head, array))
        return selects

    def _common(self) -> list[str]:
        names = ["message", "element", "earlier"]
        return names if self.dataset.name == "interactions" else [*names, "seconds", "fraction"]

    def _columns(self) -> list[str]:
        names = [f"c{position}" for position in range(len(self.dataset.columns))]
        return [*names, "visitor"] if self.session else names

    def _session(self) -> _ColumnSql | None:
        """Return the session of an interaction, from which its user may follow (rule 12)."""
        if not self.session:
            return None
        return self._value(Column("session", "string", nullable=True), Source(self.session, False, "id"))

    def _tests(self, values: list[_ColumnSql]) -> list[tuple[str, str, str]]:
        """Return the name, field and reason of each required column, in the order of the reasons (rules 6 and 9)."""
        tests = []
        for position, (column, source) in enumerate(zip(self.dataset.columns, self._rule.sources, strict=True)):
            if isinstance(source, Source) and source.required:
                reason = self._reason(values[position].present, not_in_domain(source))
                name = "COALESCE(c0, visitor)" if self.session and column.name == USER_ID else f"c{position}"
                tests.append((name, column.name, reason))
        if self.dataset.name == "interactions":
            tests.append(("message", "messageId", self._reason("message_id IS NOT NULL", NOT_IN_DOMAIN["id"])))
        return tests

    def _reason(self, present: str, outside: str) -> str:
        missing = self._place(MISSING)
        return f"CASE WHEN {present} THEN {self._place(outside)} ELSE {missing} END" if present else str(missing)

    def _place(self, reason: str) -> int:
        return reasons_of(self.dataset).index(reason)

    def _unusable(self, values: list[_ColumnSql]) -> list[str]:
        """Return the reason for each optional column that is NULL although a value is present (rule 6)."""
        found = []
        for position in optional(self.dataset):
            source, value = self._rule.sources[position], values[position]
            why = self._dialect.null("int")
            if isinstance(source, Source) and not source.required and value.present:
                reason = self._place(not_in_domain(source))
                why = f"CASE WHEN c{position} IS NULL AND ({value.present}) THEN {reason} END"
            found.append(f"{why} AS u{position}")
        return found

    def _values(self) -> list[_ColumnSql]:
        return [self._value(*pair) for pair in zip(self.dataset.columns, self._rule.sources, strict=True)]

    def _value(self, column: Column, source: Source | Constant | None) -> _ColumnSql:
        dialect = self._dialect
        if isinstance(source, Constant):  # rule 8
            return _ColumnSql(self._named(self.reads, _constant(dialect, column, source.value), "r"), possible=True)
        null = _ColumnSql(dialect.null(column.type), possible=False)
        if source is None:
            return null
        late = column.name == "TIMESTAMP" and source.bounded and self.table.own("received_at") is not None
        settled, present, ahead = [], [], []
        for path in source.paths:
            found = self._path(column, source, path)
            if found is None:
                continue
            value, there = found
            present += [there] if there else []
            if source.bounded and value is not None:
                value = value if value.isidentifier() else self._derive(value, 2)
                bounds = f"BETWEEN 0 AND {MAX_SECONDS - 1}"
                within = f"WHEN {value} {bounds} THEN"
                if late:
                    clock = f"WHEN {value} > received + {MAX_AHEAD_SECONDS} THEN"
                    ahead.append(f"{clock} 1 {within} 0")
                    within = f"{clock} CASE WHEN received {bounds} THEN received END {within}"
                value = f"CASE {within} {value} END"
            settled += [value] if value is not None else []
        if not settled and not present:
            return null
        value = f"COALESCE({', '.join(settled)})" if len(settled) > 1 else (settled or [null.sql])[0]  # rule 6
        asked = f"CASE {' '.join(ahead)} ELSE 0 END" if ahead else ""
        return _ColumnSql(value, possible=bool(settled), present=" OR ".join(present), ahead=asked)

    def _path(self, column: Column, source: Source, path: Path) -> tuple[str | None, str] | None:
        """Return the value at a path, None if it can't have one, and with `counting` the test of its presence.

        Return None if the table has no column for the path.
        """
        dialect, domain = self._dialect, source.domain
        names, letter, flag = self.reads, "r", ""
        through = path.through is not None
        if path.relative:
            x, kind, names, letter = dialect.unnest("")[1], "json", self.pieces, "p"
            for segment in path.segments[: path.through]:
                x = dialect.member(x, segment)
            flag = f"CASE WHEN {dialect.present(x)} THEN 1 ELSE 0 END"
        elif path.segments == ("type",):  # known from the table
            x, kind = dialect.constant(self._rule.call), "string"
        else:
            stored = self.table.column(Path(path.segments[: path.through]))
            if stored is None:
                return None
            x, kind, data_type = stored
            self.types.append(data_type)
            if not fits(domain, kind, through=through):
                note = f"column {x} has the type {data_type}, which doesn't fit {column.name}"
                self.table.notes.append(f"{self.table.label}: {path}: {note}")
        read = {
            found: self._named(names, expression, letter)
            for expression, found in readings(dialect, domain, kind, x, through=through)
        }
        rest = path.segments[path.through :] if through else ()
        settled = [settle(dialect, domain, found, name, self._derive, rest) for found, name in read.items()]
        value = f"COALESCE({', '.join(settled)})" if len(settled) > 1 else next(iter(settled), None)
        if not self.counting and not (self.session and column.name == USER_ID):
            return value, ""
        if through:
            there = f"LENGTH({joined(dialect, domain, read['array'], rest, self._derive)}) > 0" if read else "1 = 0"
            return value, there
        text = next((name for found, name in read.items() if found in TEXTS), None)
        there = (
            f"{self._named(names, flag, letter)} = 1"
            if flag
            else f"{text or self._named(names, x, letter)} IS NOT NULL"
        )
        if text is not None and domain in ("id", "ids"):
            known = f"{no_placeholder(dialect, text, self._derive)} IS NOT NULL"
            known += f" OR {text} LIKE '[%'" if domain == "ids" else ""  # not a placeholder: see docs/contract.md
            there = f"{there} AND ({text} IS NULL OR {known})" if flag or domain == "ids" else known
        if "array" in read:
            parts = read["array"]
            there = f"LENGTH({joined(dialect, domain, parts, rest, self._derive)}) > 0 OR ({parts} IS NULL AND {there})"
        return value, f"({there})"

    def _named(self, names: dict[str, str], expression: str, letter: str) -> str:
        return names.setdefault(expression, f"{letter}{len(names)}")

    def _derive(self, expression: str, level: int) -> str:
        return self._named(self.derived[level], expression, "itv"[level])

    def _array(self) -> str | None:
        """Return the SQL of the array of `each`, None if its column can't hold one."""
        stored = self.table.column(self._rule.each) if self._rule.each else None
        if stored is None:
            return None
        self.types.append(stored.data_type)
        return next((sql for sql, _ in readings(self._dialect, "ids", stored.kind, stored.sql, through=True)), None)

    def _base(self, reads: dict[str, str]) -> str:
        """Return the SELECT that reads the table. `reads` maps names to expressions."""
        dialect, table = self._dialect, self.table
        message, at, received = (table.own(name) for name in ("id", "timestamp", "received_at"))
        names = {"message_id": dialect.null("string"), "earlier": "0"}
        if message is not None:
            names["message_id"] = f"CASE WHEN NOT {dialect.is_placeholder(message)} THEN {message} END"
        if self.window.overlaps and received is not None:
            names["earlier"] = f"CASE WHEN {dialect.seconds(received)} < {self.window.first} THEN 1 ELSE 0 END"
        names["received"] = dialect.null("long") if received is None else dialect.seconds(received)
        if self.dataset.name != "interactions":
            for name, column in (("happened", at), ("received", received)):
                names[f"{name}_fraction"] = dialect.null("long") if column is None else dialect.fraction(column)
            names["happened"] = dialect.null("long") if at is None else dialect.seconds(at)
        tests = [f"{test} -- rule 1" for test in taken(table, self.earlier)] + self.window.within(dialect, received)
        where = f"\nWHERE {f'{chr(10)}  AND '.join(tests)}" if tests else ""
        select = _select(names | reads, {"earlier": "the overlap of rule 9"} if names["earlier"] != "0" else {})
        return f"-- {table.comment}\n{select}\nFROM {dialect.named(table.schema)}.{dialect.named(table.name)}{where}"

    def _settled(
        self,
        values: list[_ColumnSql],
        session: _ColumnSql | None,
        array: str | None,
        more: Mapping[str, str] = _NO_COMMENTS,
    ) -> tuple[str, str]:
        """Return the SELECT of the values around _BASE, and the base itself, which also reads `more`."""
        dialect = self._dialect
        reads = {name: expression for expression, name in self.reads.items()} | dict(more)
        message = f"CASE WHEN {dialect.printable('message_id', MAX_ID)} THEN {dialect.short('message_id')} END"
        columns, comments = {"message": message}, {"message": "rule 3"}
        if array is None:
            rows = f"{_BASE} AS base"
            columns["element"] = dialect.null("long")
        else:
            reads["parts"] = array
            lateral, _, place = dialect.unnest(_BASE)
            most = "" if self.counting else f"\nWHERE {place} < {self.max_elements}"
            pieces = {"element": place} | {name: expression for expression, name in self.pieces.items()}
            rows = f"({_select({'base.*': 'base.*'} | pieces, {'element': 'rule 7'})}\nFROM {lateral}{most}) AS base"
        for derived in filter(None, self.derived):
            names = {name: expression for expression, name in derived.items()}
            rows = f"({_select({'base.*': 'base.*'} | names)}\nFROM {rows}) AS base"
        if self.dataset.name != "interactions":
            late = f"CASE WHEN happened > received + {MAX_AHEAD_SECONDS} THEN"
            columns["seconds"] = f"{late} received ELSE happened END"
            columns["fraction"] = f"{late} received_fraction ELSE happened_fraction END"
            comments["seconds"] = "rule 4"
        if self.counting:
            asked = next((value.ahead for value in values if value.ahead), "0")
            columns["ahead"] = asked if self.dataset.name == "interactions" else f"{late} 1 ELSE 0 END"
        for position, (value, column, source) in enumerate(
            zip(values, self.dataset.columns, self._rule.sources, strict=True)
        ):
            columns[f"c{position}"] = value.sql
            rules = f"rules {_RULES.get(column.type, 5)} and 6" if isinstance(source, Source) else "rule 8"
            comments[f"c{position}"] = f"{column.name}, {rules}" if value.possible else column.name
        if session is not None:
            present = next(value.present for value in values)  # of USER_ID, the first column
            columns["visitor"] = f"CASE WHEN NOT ({present}) THEN {session.sql} END" if present else session.sql
            comments["visitor"] = "rule 12"
        return f"({_select({'base.*': 'base.*'} | columns, comments)}\nFROM {rows}\n) AS base", self._base(reads)

    def _without_elements(self, head: Mapping[str, str], array: str | None) -> Select:
        """Return a refusal for each event whose array is absent, empty or invalid (rule 7)."""
        null = self._dialect.null
        stored = self.table.column(self._rule.each) if self._rule.each else None
        missing = self._place(MISSING)
        reads = {"size": null("int"), "reason": str(missing)}
        if stored is not None:
            whens = [f"WHEN {stored.sql} IS NULL THEN {missing}"]
            if array is not None:
                reads["size"] = self._dialect.length(array)
                whens.append(f"WHEN {reads['size']} = 0 THEN {self._place(EMPTY)}")
                if stored.kind != "json":
                    cut_off = self._place(CUT_OFF)
                    whens.append(f"WHEN {reads['size']} IS NULL AND {stored.sql} LIKE '[%' THEN {cut_off}")
            reads["reason"] = f"CASE {' '.join(whens)} ELSE {self._place(NO_ARRAY)} END"
        own = {
            "message": "message_id AS message",
            **{name: f"{null('long')} AS {name}" for name in ("element", "seconds", "fraction")},
        }
        names = [
            *head,
            f"{self._dialect.constant(str(self._rule.each))} AS field",
            "reason",
            "0 AS ahead",
            *(f"{null('int')} AS u{position}" for position in optional(self.dataset)),
            *(own.get(name, name) for name in self._common()),
            *(f"{null(column.type)} AS c{position}" for position, column in enumerate(self.dataset.columns)),
            *([f"{null('string')} AS visitor"] if self.session else []),
        ]
        sql = f"SELECT {', '.join(names)}\nFROM {_BASE} AS base\nWHERE size IS NULL OR size = 0"
        return Select(sql, self._base({**reads, **head}), ())


def optional(dataset: Dataset) -> list[int]:
    """Return the positions of columns that may be NULL although a value is present."""
    columns = zip(*(rule.sources for rule in dataset.rules), strict=True)
    return [
        position
        for position, sources in enumerate(columns)
        if any(isinstance(source, Source) and not source.required for source in sources)
    ]


def reasons_of(dataset: Dataset) -> list[str]:
    """Return all reasons that a dataset may have, each once. Statements refer to them by index."""
    sources = [source for rule in dataset.rules for source in rule.sources if isinstance(source, Source)]
    known = [MISSING, NO_ARRAY, EMPTY, TOO_LONG, CUT_OFF, NOT_IN_DOMAIN["id"]]  # the last one is messageId's
    known += [NEVER_LOGGED_IN] if dataset.name == "interactions" else []
    return list(dict.fromkeys([*known, *map(not_in_domain, sources)]))


def _constant(dialect: Dialect, column: Column, value: str | float) -> str:
    if isinstance(value, str):
        return dialect.constant(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return dialect.double(repr(value)) if column.type in ("float", "double") else f"CAST({value} AS BIGINT)"


def _select(columns: Mapping[str, str], comments: Mapping[str, str] = _NO_COMMENTS) -> str:
    """Return a SELECT list, one column per line. `columns` maps names to expressions, `comments` names to comments."""
    lines = []
    for number, (name, expression) in enumerate(columns.items(), start=1):
        comma = "," if number < len(columns) else ""
        comment = f" -- {comments[name]}" if name in comments else ""
        lines.append(f"{expression if expression == name else f'{expression} AS {name}'}{comma}{comment}")
    return "SELECT " + "\n  ".join(lines)
