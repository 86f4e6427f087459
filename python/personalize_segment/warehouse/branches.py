"""One rule of the event mapping over the table of one source: the SELECT of its rows, or of what it refuses.

docs/contract.md numbers the rules. The SELECTs are nested: the innermost reads the table, then come the
elements of `each`, then the values in domain, last what is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from ..contract.mapping import Column, Dataset, Rule, Source
from ..contract.rows import EMPTY, MISSING, NO_ARRAY, NOT_IN_DOMAIN, WRITE_BACK_ID
from .dialect import Dialect
from .domains import ids_columns, read, settle
from .naming import NAME_COLUMNS
from .tables import EventTable
from .window import TimeWindow

#: Why a text that begins like an array gave no row: a column holds so many characters and no more.
CUT_OFF = "an array that the warehouse cut off"

#: type -> the rule that is its domain; 5 where none is named.
_RULES = {"string": 3, "timestamp": 4}
_NO_COMMENTS: Mapping[str, str] = MappingProxyType({})


class _ColumnSql(NamedTuple):
    """The SQL of a column, whether it can be other than NULL, and of whether something stands there."""

    sql: str
    possible: bool
    present: str


@dataclass(slots=True)
class Branch:
    """A rule over a table, and what its SELECT has to read: expression -> name, of the table and of the element.

    With `counting` it also reads what it takes to say why there is no row.
    """

    table: EventTable
    dataset: Dataset
    window: TimeWindow
    counting: bool = False
    reads: dict[str, str] = field(default_factory=dict)
    pieces: dict[str, str] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)

    @property
    def _rule(self) -> Rule:
        return self.table.rule

    @property
    def _dialect(self) -> Dialect:
        return self.table.dialect

    def rows(self) -> str | None:
        """Return the SELECT of the rows, or None, and a note, if the table can give none.

        Its columns: message, element, earlier (1 in the overlap), c0, c1 … (those of the dataset), and for
        users and items seconds and fraction, which order them.
        """
        values = self._values()
        for value, column, source in zip(values, self.dataset.columns, self._rule.sources, strict=True):
            if not value.possible and isinstance(source, Source) and source.required:
                self.table.notes.append(f"{self.table.label}: no column for {column.name}, so there are no rows")
                return None
        array = self._array()
        if self._rule.each and array is None:
            self.table.notes.append(f"{self.table.label}: no column for {self._rule.each}, so there are no rows")
            return None
        names = [*self._common(), *(f"c{position}" for position in range(len(values)))]
        needed = " AND ".join(f"{column} IS NOT NULL" for column, _, _ in self._tests(values))
        return f"{self._comment()}SELECT {', '.join(names)}\nFROM {self._settled(values, array)}\nWHERE {needed}"

    def judged(self) -> str:
        """Return the SELECT of rows and refusals: source_name, call_type, event_name, field and reason (NULL for a
        row) before the columns of `rows`.
        """
        values = self._values()
        array = self._array()
        text, short = self._dialect.constant, self._dialect.short
        event = self._dialect.null("string") if self._rule.name is None else text(self._rule.name)
        head = f"{text(self.table.schema)} AS source_name, {text(self._rule.call)} AS call_type, {event} AS event_name"
        names = [*self._common(), *(f"c{position}" for position in range(len(values)))]
        selects = []
        if self._rule.each is None or array is not None:
            tests = self._tests(values)
            fields = " ".join(f"WHEN {name} IS NULL THEN {self._dialect.literal(field)}" for name, field, _ in tests)
            reasons = " ".join(f"WHEN {name} IS NULL THEN {reason}" for name, _, reason in tests)
            selects.append(
                f"SELECT {head}, {short(f'CASE {fields} END')} AS field, {short(f'CASE {reasons} END')} AS reason,"
                f" {', '.join(names)}\n"
                f"FROM {self._settled(values, array)}"
            )
        if self._rule.each is not None:
            selects.append(self._without_elements(head, array))
        return self._comment() + "\nUNION ALL\n".join(selects)

    def _comment(self) -> str:
        return f"-- {self.table.comment}\n"

    def _common(self) -> list[str]:
        names = ["message", "element", "earlier"]
        return names if self.dataset.name == "interactions" else [*names, "seconds", "fraction"]

    def _tests(self, values: list[_ColumnSql]) -> list[tuple[str, str, str]]:
        """Return name, field and reason of what must not be NULL, in the order of the reasons (rules 6 and 9)."""
        tests = []
        for position, (column, source) in enumerate(zip(self.dataset.columns, self._rule.sources, strict=True)):
            if isinstance(source, Source) and source.required:
                tests.append((f"c{position}", column.name, self._reason(values[position].present, column.type)))
        if self.dataset.name == "interactions":
            tests.append(("message", "messageId", self._reason("message_id IS NOT NULL", "string")))
        return tests

    def _reason(self, present: str, type_: str) -> str:
        missing = self._dialect.literal(MISSING)
        if not present:
            return missing
        return f"CASE WHEN {present} THEN {self._dialect.literal(NOT_IN_DOMAIN[type_])} ELSE {missing} END"

    def _values(self) -> list[_ColumnSql]:
        """Return for each column its value, whether it can be other than NULL, and whether something stands there."""
        return [self._value(*pair) for pair in zip(self.dataset.columns, self._rule.sources, strict=True)]

    def _value(self, column: Column, source: Source | str | None) -> _ColumnSql:
        dialect = self._dialect
        if not isinstance(source, Source):  # rule 8
            null = _ColumnSql(dialect.null(column.type), possible=False, present="")
            return null if source is None else _ColumnSql(dialect.constant(source), possible=True, present="")
        settled, present = [], []
        for path in source.paths:
            if path.relative:
                x = dialect.unnest("")[1]
                for segment in path.segments:
                    x = dialect.member(x, segment)
                expression, kind = read(dialect, column.type, "json", x)
                name = self._named(self.pieces, expression, "p")
                if self.counting:
                    flag = self._named(self.pieces, f"CASE WHEN {dialect.present(x)} THEN 1 ELSE 0 END", "p")
                    present.append(f"{flag} = 1")
            elif path.segments == ("type",):  # the table says it
                name, kind = self._named(self.reads, dialect.constant(self._rule.call), "r"), "string"
                present.append("1 = 1")
            else:
                stored = self.table.column(path)
                if stored is None:
                    continue
                expression, kind = read(dialect, column.type, stored[1], stored[0])
                name = self._named(self.reads, expression, "r")
                if self.counting:
                    present.append(f"{self._named(self.reads, stored[0], 'r')} IS NOT NULL")
            if kind == "json" and name not in self.lists:
                self.lists.append(name)
            settled.append(settle(dialect, column.type, kind, name))
        if not settled:
            return _ColumnSql(dialect.null(column.type), possible=False, present="")
        value = settled[0] if len(settled) == 1 else f"COALESCE({', '.join(settled)})"  # rule 6
        return _ColumnSql(value, possible=True, present=" OR ".join(present))

    def _named(self, names: dict[str, str], expression: str, letter: str) -> str:
        return names.setdefault(expression, f"{letter}{len(names)}")

    def _array(self) -> str | None:
        """Return the SQL of the array of `each`; None if its column can't hold one."""
        stored = self.table.column(self._rule.each) if self._rule.each else None
        if stored is None:
            return None
        expression, kind = read(self._dialect, "ids", stored[1], stored[0])
        return expression if kind == "json" else None

    def _base(self, reads: dict[str, str]) -> str:
        """Return the SELECT that reads the table: `reads` has names and expressions."""
        dialect, table = self._dialect, self.table
        message, at, received = (table.own(name) for name in ("id", "timestamp", "received_at"))
        names = {"message_id": message or dialect.null("string"), "earlier": "0"}
        if self.window.overlaps and received is not None:
            names["earlier"] = f"CASE WHEN {dialect.seconds(received)} < {self.window.first} THEN 1 ELSE 0 END"
        if self.dataset.name != "interactions":
            names["seconds"] = dialect.null("long") if at is None else dialect.seconds(at)
            names["fraction"] = dialect.null("long") if at is None else dialect.fraction(at)
        tests = [f"{self._called(message)} -- rule 1"] if message or self._rule.name is not None else []
        tests += self.window.within(dialect, received)
        where = f"\nWHERE {f'{chr(10)}  AND '.join(tests)}" if tests else ""
        select = _select(names | reads, {"earlier": "the overlap of rule 9"} if names["earlier"] != "0" else {})
        return f"({select}\nFROM {dialect.named(table.schema)}.{dialect.named(table.name)}{where}\n)"

    def _called(self, message: str | None) -> str:
        """Rule 1: the event's own name, which `event` has as a slug only; our own write-backs are none."""
        if self._rule.call == "identify":
            mark = self._dialect.literal(f"{WRITE_BACK_ID}%")
            return f"COALESCE({message}, '') NOT LIKE {mark}"
        return f"{self._dialect.named(NAME_COLUMNS[self._rule.call])} = {self._dialect.literal(self._rule.name or '')}"

    def _settled(self, values: list[_ColumnSql], array: str | None) -> str:
        dialect = self._dialect
        reads = {name: expression for expression, name in self.reads.items()}
        columns = {"message": f"CASE WHEN {dialect.printable('message_id')} THEN {dialect.short('message_id')} END"}
        comments = {"message": "rule 3"}
        if array is None:
            rows = f"{self._base(reads)} AS base"
            columns["element"] = dialect.null("long")
        else:
            lateral, _, place = dialect.unnest(self._base(reads | {"parts": array}))
            pieces = {"element": place} | {name: expression for expression, name in self.pieces.items()}
            rows = f"({_select({'base.*': 'base.*'} | pieces, {'element': 'rule 7'})}\nFROM {lateral}) AS base"
        if self.lists:
            listed = dict(column for name in self.lists for column in ids_columns(dialect, name))
            rows = f"({_select({'base.*': 'base.*'} | listed)}\nFROM {rows}) AS base"
        for position, (value, column, source) in enumerate(
            zip(values, self.dataset.columns, self._rule.sources, strict=True)
        ):
            columns[f"c{position}"] = value.sql
            rules = f"rules {_RULES.get(column.type, 5)} and 6" if isinstance(source, Source) else "rule 8"
            comments[f"c{position}"] = f"{column.name}, {rules}" if value.possible else column.name
        return f"({_select({'base.*': 'base.*'} | columns, comments)}\nFROM {rows}\n) AS base"

    def _without_elements(self, head: str, array: str | None) -> str:
        """Rule 7: a refusal for each event whose array is absent, empty, or none."""
        dialect, text = self._dialect, self._dialect.constant
        stored = self.table.column(self._rule.each) if self._rule.each else None
        reads = {"size": dialect.null("int"), "reason": text(MISSING)}
        if stored is not None:
            whens = [f"WHEN {stored[0]} IS NULL THEN {text(MISSING)}"]
            if array is not None:
                reads["size"] = dialect.length(array)
                whens.append(f"WHEN {reads['size']} = 0 THEN {text(EMPTY)}")
                if stored[1] != "json":
                    whens.append(f"WHEN {reads['size']} IS NULL AND {stored[0]} LIKE '[%' THEN {text(CUT_OFF)}")
            reads["reason"] = f"CASE {' '.join(whens)} ELSE {text(NO_ARRAY)} END"
        own = {"message": "message_id AS message", "element": f"{dialect.null('long')} AS element"}
        common = [own.get(name, name) for name in self._common()]
        nulls = [f"{dialect.null(column.type)} AS c{position}" for position, column in enumerate(self.dataset.columns)]
        place = text(str(self._rule.each))
        return (
            f"SELECT {head}, {place} AS field, reason, {', '.join([*common, *nulls])}\n"
            f"FROM {self._base(reads)} AS base\nWHERE size IS NULL OR size = 0"
        )


def _select(columns: Mapping[str, str], comments: Mapping[str, str] = _NO_COMMENTS) -> str:
    """Return SELECT and its columns, one per line: name -> expression, and name -> comment."""
    lines = []
    for number, (name, expression) in enumerate(columns.items(), start=1):
        comma = "," if number < len(columns) else ""
        comment = f" -- {comments[name]}" if name in comments else ""
        lines.append(f"{expression if expression == name else f'{expression} AS {name}'}{comma}{comment}")
    return "SELECT " + "\n  ".join(lines)
