"""The table that holds the events of one rule in one source, and which of its columns hold what its paths name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..contract.mapping import ANY_NAME, Path, Rule
from . import naming
from .catalog import UNKNOWN, Columns, kind
from .dialect import Dialect


class TableColumn(NamedTuple):
    """A column: its name, quoted, its kind, and its data type for notes."""

    sql: str
    kind: str
    data_type: str


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table. `has` are its columns with their data types, or None where the warehouse was not asked."""

    dialect: Dialect
    rule: Rule
    schema: str
    name: str
    has: Mapping[str, str] | None
    notes: list[str] = field(compare=False)

    @property
    def label(self) -> str:
        """Return source and event, for notes."""
        return label(self.schema, self.rule)

    @property
    def comment(self) -> str:
        """Return source and event for a comment: ASCII that nothing takes for an escape or the end of a line."""
        return self.label.replace("\\", "&#92;").encode("ascii", "xmlcharrefreplace").decode()

    @property
    def any_name(self) -> str | None:
        """Return the column of the event's name, quoted, if the rule is for any name and the table has it."""
        anything = self.rule.name is None and self.rule.call in ANY_NAME
        return self.own(naming.NAME_COLUMNS[self.rule.call]) if anything else None

    def own(self, name: str) -> str | None:
        """Return one of Segment's own columns, quoted, or None if the table has none of this name."""
        return self.dialect.named(name) if self.has is None or name in self.has else None

    def column(self, path: Path) -> TableColumn | None:
        """Return the column for a path; or None, and a note why there is none."""
        place = naming.column(self.rule.call, path, self.dialect.reserved, self.dialect.longest)
        if place is None:
            self.notes.append(f"{self.label}: {path} is stored in no column")
            return None
        if self.has is None:
            if place.sure:
                known = place.kind or UNKNOWN
                return TableColumn(self.dialect.named(place.names[0]), known, known)
            self.notes.append(f"{self.label}: {path}: whether column {place.names[0]} exists only --columns can tell")
            return None
        name = next((name for name in place.names if name in self.has), None)
        if name is None:
            self.notes.append(f"{self.label}: {path}: there is no column {place.names[0]}")
            return None
        declared = kind(self.has[name])
        known = place.kind or UNKNOWN if declared == UNKNOWN else declared
        return TableColumn(self.dialect.named(name), known, self.has[name])


def find(
    dialect: Dialect, rule: Rule, schema: str, columns: Columns | None, needed: list[str], notes: list[str]
) -> EventTable | None:
    """Return the table of a rule with the columns `needed`, or None, and a note why there is none."""
    place = naming.table(rule.call, rule.name, dialect.reserved, dialect.longest)
    if place is None:
        notes.append(f"{label(schema, rule)}: the name has no letter to name a table with")
        return None
    if columns is None and not place.sure:
        notes.append(f"{label(schema, rule)}: which table has these events only --columns can tell")
        return None
    if columns is None:
        return EventTable(dialect, rule, schema, place.names[0], None, notes)
    tables = ((name, columns.table(schema, name)) for name in place.names)
    name, has = next((table for table in tables if table[1] is not None), (place.names[0], None))
    if has is None:
        notes.append(f"{label(schema, rule)}: there is no table {name}")
        return None
    lacking = [column for column in needed if column not in has]
    if lacking:
        notes.append(f"{label(schema, rule)}: table {name} has no column {', '.join(lacking)}")
        return None
    return EventTable(dialect, rule, schema, name, has, notes)


def label(schema: str, rule: Rule) -> str:
    """Return source and event."""
    return f"{schema}, {rule.call}" if rule.name is None else f'{schema}, {rule.call} "{rule.name}"'
