"""The event mapping: what each Segment event means to Amazon Personalize.

`parse` turns the JSON text (grammar: docs/mapping.md) into a frozen `EventMapping`, or
raises a `MappingError` that names the JSON path and the remedy. Everything else in this
package (rows, SQL, schemas, requests) reads the result; nothing else reads the JSON.
"""

import base64
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from .columns import (
    DATASETS,
    MAX_EVENT_TYPES_AND_COLUMNS,
    MAX_METADATA,
    MAX_STRING,
    NAME,
    REQUIRED,
    RESERVED,
    TYPES,
    USER_ID,
)
from .strict_json import Object, canonical, keys, load, member, refuse

Call = Literal["track", "page", "screen", "identify"]
NAMED_CALLS: tuple[Call, ...] = ("track", "page", "screen")


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands: from the event, or (`relative`) from the element of `each`.

    No segments and relative, written ".", is the element itself.
    """

    segments: tuple[str, ...]
    relative: bool = False

    def __str__(self) -> str:
        return ("." if self.relative else "") + ".".join(self.segments)


@dataclass(frozen=True, slots=True)
class Source:
    """Where one column of one rule comes from: the first path whose value is in domain."""

    paths: tuple[Path, ...]
    required: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset; `type` is one of `columns.TYPES`, or "ids" for IMPRESSION."""

    name: str
    type: str
    nullable: bool
    categorical: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What one event gives: `sources` stand in the order of the dataset's columns.

    A source is None where this rule never fills the column, and a text where the column is a
    constant (EVENT_TYPE). `name` is None for identify, which has no name.
    """

    call: Call
    name: str | None
    each: Path | None
    sources: tuple[Source | str | None, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One of Personalize's datasets: its columns in the order of the CSV, and its rules."""

    name: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]

    @property
    def key(self) -> str:
        """The column that identifies a user or an item."""
        return REQUIRED[self.name][0]

    @property
    def user_column(self) -> int | None:
        """The position of the column that says whose a row is; None for items, which may have another USER_ID."""
        required = REQUIRED[self.name]
        return required.index(USER_ID) if USER_ID in required else None


@dataclass(frozen=True, slots=True)
class EventMapping:
    """A valid event mapping. `text` is canonical: what Terraform's jsonencode gives."""

    text: str
    datasets: tuple[Dataset, ...]
    by_event: Mapping[tuple[str, str | None], tuple[tuple[Dataset, Rule], ...]] = field(repr=False, compare=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical text; equal digests mean equal meaning everywhere."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def default_text() -> str:
    """The JSON text of the mapping that ships with this package: e-commerce v1, v2 and video."""
    return resources.files(__package__).joinpath("event_mapping.json").read_text("utf-8")


#: What the text of a mapping begins with that is compressed, since Lambda takes 4 KB of environment in all.
GZIP = "gzip:"


def decode(text: str) -> EventMapping:
    """Return the mapping in a setting: its JSON, or GZIP and its gzip in base64; nothing is the default one.

    Raises MappingError.
    """
    if text.startswith(GZIP):
        try:
            text = gzip.decompress(base64.b64decode(text.removeprefix(GZIP), validate=True)).decode()
        except (ValueError, OSError, EOFError, zlib.error):
            refuse("$", "is no gzip in base64", f"Write {GZIP} and what Terraform's base64gzip gives")
    return parse(text or default_text())


def parse(text: str) -> EventMapping:
    """Return the mapping that `text` holds.

    Raises MappingError for anything outside the grammar or beyond Personalize's limits.
    """
    document = load(text)
    top = keys(document, "$", required=("version", "interactions"), optional=("users", "items"))
    if type(top["version"]) is not int or top["version"] != 1:
        refuse("$.version", f"is {json.dumps(top['version'])}", "Write 1")
    datasets = tuple(_dataset(name, top[name]) for name in DATASETS if name in top)
    by_event: dict[tuple[str, str | None], tuple[tuple[Dataset, Rule], ...]] = {}
    for dataset in datasets:
        for rule in dataset.rules:
            event = (rule.call, rule.name)
            by_event[event] = (*by_event.get(event, ()), (dataset, rule))
    return EventMapping(canonical(document), datasets, by_event)


def _dataset(name: str, value: Any) -> Dataset:
    at = f"$.{name}"
    body = keys(value, at, required=("fields",), optional=NAMED_CALLS)
    shared = _fields(body["fields"], f"{at}.fields", name, each=False)
    drafts: list[tuple[Call, str | None, Path | None, str | None, dict[str, _DraftField]]] = []
    if name == "users":
        drafts.append(("identify", None, None, None, shared))
    for named in NAMED_CALLS:
        for title, rule in keys(body.get(named, Object()), f"{at}.{named}").items():
            where = f"{at}.{named}{member(title)}"
            drafts.append((named, title, *_rule(name, title, rule, where, shared)))
    if not drafts:
        refuse(at, "has no rule", 'Name at least one event, such as "track": {"Product Viewed": {}}')
    for call, event, _, _, fields in drafts:
        for required in REQUIRED[name]:
            if required not in fields:
                where = f"{at}.fields" if event is None else f"{at}.{call}{member(event)}"
                refuse(where, f"has no {required}", f"Add {required} to it, or to {at}.fields for all rules")
    columns = _columns(name, at, [draft[4] for draft in drafts])
    rules = []
    for call, event, each, event_type, fields in drafts:
        sources: list[Source | str | None] = []
        for column in columns:
            filled = fields.get(column.name)
            sources.append(filled.source if filled else None)
            if column.name == "EVENT_TYPE" and name == "interactions":
                sources[-1] = event_type
        rules.append(Rule(call, event, each, tuple(sources)))
    if name == "interactions":
        _event_types(at, columns, {draft[3] for draft in drafts})
    return Dataset(name, columns, tuple(rules))


def _rule(
    dataset: str, event: str, value: Any, at: str, shared: "dict[str, _DraftField]"
) -> "tuple[Path | None, str | None, dict[str, _DraftField]]":
    allowed = ("each", "fields", "event_type") if dataset == "interactions" else ("each", "fields")
    body = keys(value, at, optional=allowed)
    each = path(body["each"], f"{at}.each") if "each" in body else None
    event_type = body.get("event_type", event)
    if dataset == "interactions" and not (isinstance(event_type, str) and 0 < len(event_type) <= MAX_STRING):
        place = f"{at}.event_type" if "event_type" in body else at
        refuse(place, "is no event type", f"Write a string of 1 to {MAX_STRING} characters")
    own = _fields(body.get("fields", Object()), f"{at}.fields", dataset, each=each is not None, shared=shared)
    fields = shared | own
    return each, event_type, fields


@dataclass(frozen=True, slots=True)
class _DraftField:
    at: str
    type: str
    categorical: bool
    source: Source


def _fields(
    value: Any, at: str, dataset: str, *, each: bool, shared: "Mapping[str, _DraftField] | None" = None
) -> "dict[str, _DraftField]":
    return {
        name: _field(dataset, name, body, f"{at}{member(name)}", each=each, base=(shared or {}).get(name))
        for name, body in keys(value, at).items()
    }


def _field(dataset: str, name: str, value: Any, at: str, *, each: bool, base: "_DraftField | None") -> "_DraftField":
    if not NAME.fullmatch(name):
        better = re.sub(r"\W+", "_", name).strip("_").upper()
        example = f", such as {better}" if NAME.fullmatch(better) else ""
        remedy = f"Write 1 to 63 upper case letters, digits and _, first a letter{example}"
        refuse(at, "is no name of a column", remedy)
    if name == "EVENT_TYPE" and dataset == "interactions":
        refuse(at, "is not read from a path", 'Give each rule an "event_type", or let its name be it')
    body = keys(value, at, required=("from",), optional=("type", "optional", "categorical"))
    if not isinstance(body["from"], list) or not body["from"]:
        refuse(f"{at}.from", "is no list of paths", 'Write at least one, such as ["properties.sku"]')
    paths = tuple(path(text, f"{at}.from[{i}]", each=each) for i, text in enumerate(body["from"]))
    reserved = RESERVED[dataset].get(name)
    kind: Any = body.get("type", reserved or (base.type if base else None))
    if reserved and kind != reserved:
        refuse(f"{at}.type", f"is {kind!r}, Personalize reserves this column", 'Leave "type" out')
    if not reserved and kind not in TYPES:
        refuse(f"{at}.type", f"is {kind!r}" if kind else "is missing", f"Write one of {', '.join(TYPES)}")
    flags = {}
    for flag, inherited in (
        ("optional", base is not None and not base.source.required),
        ("categorical", base is not None and base.categorical),
    ):
        flags[flag] = body.get(flag, inherited)
        if not isinstance(flags[flag], bool):
            refuse(f"{at}.{flag}", "is neither true nor false", "Write true or false")
    if flags["optional"] and name in REQUIRED[dataset]:
        refuse(f"{at}.optional", f"is true, but every row must have {name}", 'Leave "optional" out')
    if flags["categorical"] and (reserved or kind != "string"):
        refuse(f"{at}.categorical", "is for string columns that aren't reserved", 'Leave "categorical" out')
    return _DraftField(at, kind, flags["categorical"], Source(paths, required=not flags["optional"]))


def _columns(dataset: str, at: str, rules: "list[dict[str, _DraftField]]") -> tuple[Column, ...]:
    """Merge the fields of all rules: one type a column, null where a rule doesn't fill it."""
    first: dict[str, _DraftField] = {}
    # EVENT_TYPE is there without being written.
    spelled = {"EVENTTYPE": "EVENT_TYPE"} if dataset == "interactions" else {}
    for fields in rules:
        for name, read in fields.items():
            known = first.setdefault(name, read)
            if (known.type, known.categorical) != (read.type, read.categorical):
                refuse(read.at, f"disagrees with {known.at}", "Give both the same type and categorical")
            spelling = spelled.setdefault(name.replace("_", ""), name)
            if spelling != name:
                refuse(read.at, f"and {spelling} are two spellings of one name", "Use one of them")
    reserved = RESERVED[dataset]
    extra = sorted(set(first) - set(reserved))
    if len(extra) > MAX_METADATA[dataset]:
        refuse(at, f"has {len(extra)} own columns", f"Keep {MAX_METADATA[dataset]} at most")
    if dataset != "interactions" and len(first) == len(REQUIRED[dataset]):
        refuse(f"{at}.fields", "has no column beside the id", "Add at least one, such as a category")
    columns = []
    for name in [*reserved, *extra]:
        if name == "EVENT_TYPE" and dataset == "interactions":
            columns.append(Column(name, "string", nullable=False))
        elif name in first:
            missing = [fields for fields in rules if name not in fields]
            present = [fields[name] for fields in rules if name in fields]
            required = next((read for read in present if read.source.required), None)
            if missing and required:
                refuse(required.at, "is required, but other rules have no such field", 'Add "optional": true')
            nullable = bool(missing) or any(not read.source.required for read in present)
            columns.append(Column(name, first[name].type, nullable, first[name].categorical))
    return tuple(columns)


def _event_types(at: str, columns: tuple[Column, ...], types: set[str | None]) -> None:
    names = [column.name for column in columns]
    counted = [name for name in names if name == "EVENT_VALUE" or name not in RESERVED["interactions"]]
    if len(types) + len(counted) > MAX_EVENT_TYPES_AND_COLUMNS:
        refuse(
            at,
            f"has {len(types)} event types and {len(counted)} optional columns, together more "
            f"than {MAX_EVENT_TYPES_AND_COLUMNS}",
            'Give several events one "event_type", or leave columns out',
        )


def path(value: Any, at: str, *, each: bool = False) -> Path:
    """Return the path that the text `value`, which stands `at`, is; relative ones with `each` only."""
    if not isinstance(value, str) or not value:
        refuse(at, "is no path", 'Write a dotted path, such as "properties.product_id"')
    relative = value.startswith(".")
    if relative and not each:
        refuse(at, f"{value!r} is relative, but there is no element here", 'Start from the event, or use "each"')
    segments = () if value == "." else tuple(value[relative:].split("."))
    if any(not segment or segment == "*" for segment in segments):
        refuse(at, f"{value!r} has an empty or * segment", "Write names only, with one dot between them")
    return Path(segments, relative)
