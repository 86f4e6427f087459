"""The SQL that reads a column's source: values in their domain, wrong clocks, and presence."""

from dataclasses import dataclass

from ...contract.columns import LISTS
from ...contract.mapping import Column, Path, Source
from .reader import json_path

#: The properties that `TypedPaths` in one column have in common: domain, bounded, clocked.
Kind = tuple[str, bool, bool]

_STAMP = Path(("timestamp",))


@dataclass(frozen=True, slots=True)
class TypedPaths:
    """Paths of a value, in the order they are tried, and its domain. A `clocked` value may yield to `receivedAt`."""

    paths: tuple[Path, ...]
    domain: str
    bounded: bool
    clocked: bool

    @property
    def kind(self) -> Kind:
        """The properties that paths in one column have in common."""
        return self.domain, self.bounded, self.clocked

    @property
    def is_stamp(self) -> bool:
        """Whether this is the `timestamp`, which `scan` computes anyway."""
        return self.clocked and self.domain == "iso" and self.paths == (_STAMP,)

    def value(self, place: str, path: Path) -> str:
        """Return the value of a path whose text or array is at `place`, NULL outside the domain."""
        if path.through is not None:
            return f"{self.domain}_of({_through(place, path)})"
        value = f"as_{self.domain}({place})"
        value = f"clocked({value}, clock)" if self.clocked else value
        return f"bounded({value})" if self.bounded else value

    def late(self, place: str) -> str:
        """Return whether the value at `place` comes from a wrong clock."""
        return f"is_late(as_{self.domain}({place}), clock)"

    def present(self, place: str, path: Path) -> str:
        """Return whether a path has a value: true or false, never NULL."""
        if path.through is not None:
            return f"COALESCE(len(some_{self.domain}({_through(place, path)})) > 0, false)"
        if self.domain in LISTS:
            return f"has_{self.domain}({place})"
        return f"({place} IS NOT NULL AND NOT placeholder({place}))" if self.domain == "id" else f"{place} IS NOT NULL"


def is_clocked(source: Source, column: Column) -> bool:
    """Return whether a wrong clock's instant in the column counts as `receivedAt` (rule 4)."""
    return source.bounded and column.name == "TIMESTAMP"


def typed_paths(source: Source, column: Column) -> TypedPaths:
    """Return the typed paths of a column's source."""
    return TypedPaths(source.paths, source.domain, source.bounded, is_clocked(source, column))


def absolute(source: Source, column: Column) -> list[TypedPaths]:
    """Return the paths of a source that `scan` reads: all together, or each alone if others are relative."""
    typed = typed_paths(source, column)
    if any(path.relative for path in source.paths):
        alone = [(path,) for path in source.paths if not path.relative]
        return [TypedPaths(paths, typed.domain, typed.bounded, typed.clocked) for paths in alone]
    return [typed]


def array_of(path: Path) -> Path:
    """Return the path up to the array that it goes through, or the whole path."""
    return path if path.through is None else Path(path.segments[: path.through], path.relative)


def _through(place: str, path: Path) -> str:
    """Return the values at the end of a path in the elements of the array at `place`. NULL without one (rule 2)."""
    return f"through({place}, {json_path(path.segments[path.through :])})"
