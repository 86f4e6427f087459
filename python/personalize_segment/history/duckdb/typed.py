"""What a column's source reads in SQL: values in their domain, wrong clocks, and whether anything is there."""

from dataclasses import dataclass

from ...contract.columns import LISTS
from ...contract.mapping import Column, Path, Source
from .reader import json_path

#: What `TypedPaths` have in common that share a column: domain, bounded, clocked.
Kind = tuple[str, bool, bool]

_STAMP = Path(("timestamp",))


@dataclass(frozen=True, slots=True)
class TypedPaths:
    """Paths to look a value up at, in order, and what it has to be. A `clocked` one yields to `receivedAt` (rule 4)."""

    paths: tuple[Path, ...]
    domain: str
    bounded: bool
    clocked: bool

    @property
    def kind(self) -> Kind:
        """What other paths must have in common with these to share a column."""
        return self.domain, self.bounded, self.clocked

    @property
    def is_stamp(self) -> bool:
        """Whether it is the `timestamp` that `scan` computes anyway."""
        return self.clocked and self.domain == "iso" and self.paths == (_STAMP,)

    def value(self, place: str, path: Path) -> str:
        """Return the value at a path, whose text or array is at `place`; NULL outside the domain."""
        if path.through is not None:
            return f"{self.domain}_of({_through(place, path)})"
        value = f"as_{self.domain}({place})"
        value = f"clocked({value}, clock)" if self.clocked else value
        return f"bounded({value})" if self.bounded else value

    def late(self, place: str) -> str:
        """Return whether the value at `place` is a wrong clock's."""
        return f"is_late(as_{self.domain}({place}), clock)"

    def present(self, place: str, path: Path) -> str:
        """Return whether anything is at a path: true or false, never NULL."""
        if path.through is not None:
            return f"COALESCE(len(some_{self.domain}({_through(place, path)})) > 0, false)"
        if self.domain in LISTS:
            return f"has_{self.domain}({place})"
        return f"({place} IS NOT NULL AND NOT placeholder({place}))" if self.domain == "id" else f"{place} IS NOT NULL"


def is_clocked(source: Source, column: Column) -> bool:
    """Return whether a wrong clock's instant in the column counts as `receivedAt` (rule 4)."""
    return source.bounded and column.name == "TIMESTAMP"


def typed_paths(source: Source, column: Column) -> TypedPaths:
    """Return what a source reads for a column."""
    return TypedPaths(source.paths, source.domain, source.bounded, is_clocked(source, column))


def absolute(source: Source, column: Column) -> list[TypedPaths]:
    """Return what `scan` computes for a source: all of it, or its paths that aren't relative."""
    typed = typed_paths(source, column)
    if any(path.relative for path in source.paths):
        alone = [(path,) for path in source.paths if not path.relative]
        return [TypedPaths(paths, typed.domain, typed.bounded, typed.clocked) for paths in alone]
    return [typed]


def array_of(path: Path) -> Path:
    """Return where a path ends, or the array that it goes through."""
    return path if path.through is None else Path(path.segments[: path.through], path.relative)


def _through(place: str, path: Path) -> str:
    """Return what is at the end of a path in the elements of the array at `place`; NULL without one (rule 2)."""
    return f"through({place}, {json_path(path.segments[path.through :])})"
