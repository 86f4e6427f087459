"""The table with the events of one rule in one source, and its columns for the rule's paths."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..contract.mapping import ANY_NAME, Path, Rule
from . import naming
from .catalog import UNKNOWN, Columns, kind
from .dialect import Dialect


class TableColumn(NamedTuple):
    """A column: its quoted name, its kind, and its data type for notes."""

    sql: str
    kind: str
    data_type: str


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table. `has` are its columns with their data types, None if they aren't known."""

    dialect: Dialect
    rule: Rule
    schema: str
    name: str
    has: Mapping[str, str] | None
    notes: list[str] = field(compare=False)

    @property
    def label(self) -> str:
        """The source and the event, for notes."""
        return label(self.schema, self.rule)

    @property
    def comment(self) -> str:
        """The source and the event as ASCII without backslashes and line ends, for a SQL comment."""
        return self.label.replace("\\", "&#92;").encode("ascii", "xmlcharrefreplace").decode()

    @property
    def any_name(self) -> str | None:
        """The quoted column of the event's name, if the rule is for any name and the table has the column."""
        anything = self.rule.name is None and self.rule.call in ANY_NAME
        return self.own(naming.NAME_COLUMNS[self.rule.call]) if anything else None

    def own(self, name: str) -> str | None:
        """Return one of Segment's own columns, quoted, or None if the table doesn't have it."""
        return self.dialect.named(name) if self.has is None or name in self.has else None

    def column(self, path: Path) -> TableColumn | None:
        """Return the column for a path, or None after adding a note with the reason."""
        place = naming.column(self.rule.call, path, self.dialect.reserved, self.dialect.longest)
        if place is None:
            self.notes.append(f"{self.label}: {path} isn't stored in a column")
            return None
        if self.has is None:
            if place.sure:
                known = place.kind or UNKNOWN
                return TableColumn(self.dialect.named(place.names[0]), known, known)
            self.notes.append(f"{self.label}: {path}: pass --columns to find column {place.names[0]}")
            return None
        name = next((name for name in place.names if name in self.has), None)
        if name is None:
            self.notes.append(f"{self.label}: {path}: column {place.names[0]} doesn't exist")
            return None
        declared = kind(self.has[name])
        known = place.kind or UNKNOWN if declared == UNKNOWN else declared
        return TableColumn(self.dialect.named(name), known, self.has[name])


def find(
    dialect: Dialect, rule: Rule, schema: str, columns: Columns | None, needed: list[str], notes: list[str]
) -> EventTable | None:
    """Return the table of a rule with the columns `needed`, or None after adding a note with the reason."""
    place = naming.table(rule.call, rule.name, dialect.reserved, dialect.longest)
    if place is None:
        notes.append(f"{label(schema, rule)}: the name has no letters for a table name")
        return None
    if columns is None and not place.sure:
        notes.append(f"{label(schema, rule)}: pass --columns to find the table of these events")
        return None
    if columns is None:
        return EventTable(dialect, rule, schema, place.names[0], None, notes)
    tables = ((name, columns.table(schema, name)) for name in place.names)
    name, has = next((table for table in tables if table[1] is not None), (place.names[0], None))
    if has is None:
        notes.append(f"{label(schema, rule)}: table {name} doesn't exist")
        return None
    lacking = [column for column in needed if column not in has]
    if lacking:
        notes.append(f"{label(schema, rule)}: table {name} has no column {', '.join(lacking)}")
        return None
    return EventTable(dialect, rule, schema, name, has, notes)


def label(schema: str, rule: Rule) -> str:
    """Return the source and the event."""
    return f"{schema}, {rule.call}" if rule.name is None else f'{schema}, {rule.call} "{rule.name}"'
