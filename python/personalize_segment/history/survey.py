"""Try a mapping on a sample of real logs, and count how often each path of each rule finds a value.

As everywhere, `contract.rows` defines the meaning of an event. Only names and counts are kept.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contract import names
from ..contract.lint import written_rules
from ..contract.mapping import Dataset, EventMapping, Rule, Source
from ..contract.mapping import Path as KeyPath
from ..contract.rows import choose, describe, holds, id_text, probe, rows, walk
from ..errors import LogsError
from ..places import LocalPlace, Place, errors_at, place
from . import lines, logs
from .logs import LogFile, Window

#: Default number of events that are read.
MAX_EVENTS = 100_000
#: Opening a file takes as long as reading about this many events.
EVENTS_PER_FILE = 100

#: Called with the number of files read, and of all files.
Progress = Callable[[int, int], None]


def sample(
    tree: str, limit: int = MAX_EVENTS, *, progress: Progress = lambda done, total: None
) -> Iterator[dict[str, Any] | None]:
    """Yield up to `limit` events of the logs in a folder, file or S3 prefix, and None for each malformed line.

    They are the first events of files that are spread evenly over the tree. Raises LogsError.
    """
    root = place(tree)
    files = _spread(
        logs.sort_out(logs.list_files(root, tree), Window(), root=tree).inside, max(1, limit // EVENTS_PER_FILE)
    )
    left = limit
    for index, file in enumerate(files):
        # Small files leave their share to the files that follow.
        share = -(-left // (len(files) - index))
        with errors_at(file.name, LogsError):
            for line in lines.read(_blocks(place(file.name, root.s3))):
                if not share:
                    break
                share -= 1
                left -= 1
                yield line.event
        progress(index + 1, len(files))


def _spread(files: Sequence[LogFile], most: int) -> list[LogFile]:
    """Return `most` of the files at most, evenly spaced."""
    number = min(most, len(files))
    return [files[index * len(files) // number] for index in range(number)]


def _blocks(file: Place) -> Iterator[bytes]:
    if isinstance(file, LocalPlace):
        with file.path.open("rb") as opened:
            yield from _unzipped(iter(lambda: opened.read(logs.CHUNK_BYTES), b""))
        return
    body = file.s3.get_object(Bucket=file.bucket, Key=file.key)["Body"]
    try:
        yield from _unzipped(body.iter_chunks(logs.CHUNK_BYTES))
    finally:
        body.close()


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    kind = logs.compression(first[: logs.HEAD_BYTES])

    def every() -> Iterator[bytes]:
        yield first
        yield from chunks

    if kind is not None:
        # An export reports damaged files.
        yield from logs.unzip(every(), []) if kind == "gzip" else every()


@dataclass(slots=True)
class PathCount:
    """How often one path of a rule found a value, and how often the rule can use it.

    Usable means for `each` an array with elements, and for a condition (`when`) that it holds.
    """

    column: str
    path: str
    found: int = 0
    usable: int = 0


@dataclass(slots=True)
class RuleCount:
    """The events with the name of a rule (`tried`), those that met its conditions (`matched`), and their rows."""

    place: str
    dataset: str
    call: str
    name: str | None
    paths: dict[tuple[str, KeyPath], PathCount]
    tried: int = 0
    matched: int = 0
    rows: int = 0

    def count(self, column: str, path: KeyPath, found: bool, usable: bool) -> None:
        """Count one attempt to read a path."""
        counted = self.paths[column, path]
        counted.found += found
        counted.usable += usable


@dataclass(slots=True)
class Survey:
    """The counts of `mapping` for events that are added one by one."""

    mapping: EventMapping
    events: int = 0
    #: Interactions without a user, which need a login on their session (rule 12).
    visitors: int = 0
    malformed: int = 0
    rules: list[RuleCount] = field(init=False)
    unmapped: "Counter[tuple[str, str | None]]" = field(default_factory=Counter)
    #: (JSON path of the rule, column, path, value found instead) -> count.
    hints: "Counter[tuple[str, str, str, str]]" = field(default_factory=Counter)
    _of: dict[int, RuleCount] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places = {rule.key: rule.at for rule in written_rules(self.mapping)}
        self.rules, self._of = [], {}
        for dataset in self.mapping.datasets:
            seen: Counter[tuple[str, str | None]] = Counter()
            for rule in dataset.rules:
                event = rule.call, rule.name
                counted = RuleCount(
                    places[dataset.name, *event, seen[event]], dataset.name, *event, _paths(dataset, rule)
                )
                seen[event] += 1
                self.rules.append(counted)
                self._of[id(rule)] = counted

    def add(self, event: dict[str, Any] | None) -> None:
        """Count an event, or None for a malformed line."""
        if event is None:
            self.malformed += 1
            return
        self.events += 1
        call, name = describe(event)
        candidates = self.mapping.rules(call, name)
        if candidates is None:
            self.unmapped[call, name] += 1
            return
        for _, rule in candidates:
            counted = self._of[id(rule)]
            counted.tried += 1
            for condition in rule.when:
                there = walk(event, condition.path) is not None
                counted.count("when", condition.path, there, holds(condition, event))
        given = rows(self.mapping, event)[0]
        self.visitors += sum(row.visitor is not None for row in given)
        made = Counter(row.dataset.name for row in given)
        for dataset, rule in choose(candidates, event):
            counted = self._of[id(rule)]
            counted.matched += 1
            counted.rows += made[dataset.name]
            if dataset.name == "interactions" and id_text(event.get("messageId")) is None:
                self._hint(counted, "messageId", event, KeyPath(("messageId",)))
            elements = [None] if rule.each is None else self._elements(counted, event, rule.each)
            for element in elements:
                self._probe(counted, dataset, rule, event, element)

    def _elements(self, counted: RuleCount, event: dict[str, Any], each: KeyPath) -> list[Any]:
        elements = walk(event, each)
        usable = type(elements) is list and bool(elements)
        counted.count("each", each, elements is not None, usable)
        if elements is None:
            self._hint(counted, "each", event, each)
        return elements[: self.mapping.max_elements] if usable else []

    def _probe(self, counted: RuleCount, dataset: Dataset, rule: Rule, event: dict[str, Any], element: Any) -> None:
        for column, source in zip(dataset.columns, rule.sources, strict=True):
            if not isinstance(source, Source):
                continue
            anything = False
            for path in source.paths:
                found, usable = probe(event, element, column.name, source, path)
                anything |= found
                counted.count(column.name, path, found, usable)
            if not anything:
                for path in source.paths:
                    self._hint(counted, column.name, element if path.relative else event, path)

    def _hint(self, counted: RuleCount, column: str, start: Any, path: KeyPath) -> None:
        there = _instead(start, path)
        if there is not None:
            self.hints[counted.place, column, str(path), there] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return all counts for machines, with unmapped events and hints sorted by frequency."""
        return {
            "events": self.events,
            "malformed": self.malformed,
            "visitors": self.visitors,
            "rules": [
                {
                    "place": rule.place, "dataset": rule.dataset, "call": rule.call, "name": rule.name,
                    "tried": rule.tried, "matched": rule.matched, "rows": rule.rows,
                    "paths": [
                        {"column": one.column, "path": one.path, "found": one.found, "usable": one.usable}
                        for one in rule.paths.values()
                    ],
                }
                for rule in self.rules
            ],
            "unmapped": [
                {"call": call, "name": name, "count": number, "hint": names.near_miss(self.mapping, call, name)}
                for (call, name), number in self.unmapped.most_common()
            ],
            "hints": [
                {"place": place, "column": column, "path": path, "hint": there, "count": number}
                for (place, column, path, there), number in self.hints.most_common()
            ],
        }  # fmt: skip


def _paths(dataset: Dataset, rule: Rule) -> dict[tuple[str, KeyPath], PathCount]:
    paths = [("when", condition.path) for condition in rule.when]
    paths += [("each", rule.each)] if rule.each is not None else []
    for column, source in zip(dataset.columns, rule.sources, strict=True):
        if isinstance(source, Source):
            paths += [(column.name, path) for path in source.paths]
    return {one: PathCount(one[0], str(one[1])) for one in paths}


def _instead(value: Any, path: KeyPath) -> str | None:
    """Return a hint for a path without a value: a similar key, or an array on the way."""
    for index, segment in enumerate(path.segments):
        before = ("." if path.relative else "") + ".".join(path.segments[:index])
        if type(value) is list and index != path.through:
            return f"{before} is an array"
        if type(value) is not dict:
            return None
        if value.get(segment) is None:
            looked_for = names.fold(segment)
            for key, held in value.items():
                if held is not None and looked_for and names.fold(key) == looked_for:
                    joint = "" if before in ("", ".") else "."
                    return f"found {before}{joint}{key}, which differs {names.difference(key, segment)}"
            return None
        value = value[segment]
    return None
