"""The event mapping: the meaning of each Segment event to Amazon Personalize.

`parse` turns the JSON text (grammar: docs/mapping.md) into a frozen `EventMapping`, or raises a `MappingError` with
the JSON path and a remedy. The other modules (rows, SQL, schemas, requests) read the result, never the JSON.
"""

import base64
import gzip
import hashlib
import json
import math
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, NamedTuple

from .columns import (
    ALLOWED_MAX_ELEMENTS,
    DATASETS,
    DEFAULT_MAX_ELEMENTS,
    FORMATS,
    IDS,
    LISTS,
    MAX_EVENT_TYPES_AND_COLUMNS,
    MAX_FLOAT,
    MAX_ID,
    MAX_METADATA,
    MAX_STRING,
    NAME,
    REQUIRED,
    RESERVED,
    TYPES,
    USER_ID,
    VISITORS,
)
from .strict_json import Object, canonical, keys, load, member, refuse

#: The last two have no rules, but may identify a visitor (rule 12).
Call = Literal["track", "page", "screen", "identify", "group", "alias"]
NAMED_CALLS: tuple[Call, ...] = ("track", "page", "screen")
#: The key with the JSON Schema for editors. The canonical text doesn't have it.
EDITORS = "$schema"
#: Calls that may have rules for any name. A warehouse has one table per such call, but one per name of a track.
ANY_NAME: tuple[Call, ...] = ("page", "screen")


@dataclass(frozen=True, slots=True)
class Path:
    """The place of a value, starting at the event, or (`relative`) at the element of `each`.

    A relative path without segments, written ".", is the element itself. `through` is the number of segments that lead
    to an array; the other segments start at each of its elements. `properties.products[].product_id` has 2.
    """

    segments: tuple[str, ...]
    relative: bool = False
    through: int | None = None

    def __str__(self) -> str:
        steps = list(self.segments)
        if self.through:
            steps[self.through - 1] += "[]"
        return ("." if self.relative else "") + ".".join(steps)


@dataclass(frozen=True, slots=True)
class Source:
    """The source of one column in one rule: the first path whose value is in `domain`, a key of `rows.DOMAINS`.

    `bounded` is set for TIMESTAMP and CREATION_TIMESTAMP, which Personalize accepts from 1970 to 2286 only.
    """

    paths: tuple[Path, ...]
    required: bool
    domain: str
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """The constant value of a column in a rule: EVENT_TYPE, or the `value` of a field."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset; `type` is one of `columns.TYPES`, or "ids" for IMPRESSION."""

    name: str
    type: str
    nullable: bool
    categorical: bool = False
    textual: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of the value at a path. Exactly one of the three tests isn't None.

    `present`: whether a value must be there. `texts`: the allowed values as strings (rule 3). `bounds`: comparisons
    with its number (rule 5), as (">=", ">", "<=" or "<", number).
    """

    path: Path
    present: bool | None = None
    texts: tuple[str, ...] | None = None
    bounds: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The row of an event if all conditions in `when` hold. `sources` are in the order of the dataset's columns.

    A source is None if this rule never fills the column. `name` is None for identify calls, which have no name, and for
    pages or screens of any name.
    """

    call: Call
    name: str | None
    each: Path | None
    sources: tuple[Source | Constant | None, ...]
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """One of Personalize's datasets: its columns in the order of the CSV, and its rules."""

    name: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]

    @property
    def key(self) -> str:
        """The column with the id of a user or an item."""
        return REQUIRED[self.name][0]

    @property
    def optional(self) -> tuple[int, ...]:
        """The positions of the nullable columns that a rule reads from a path."""
        return tuple(
            position
            for position, column in enumerate(self.columns)
            if column.nullable and any(isinstance(rule.sources[position], Source) for rule in self.rules)
        )

    @property
    def user_column(self) -> int | None:
        """The position of the column with the row's user; None for items, whose USER_ID may be something else."""
        required = REQUIRED[self.name]
        return required.index(USER_ID) if USER_ID in required else None


@dataclass(frozen=True, slots=True)
class EventMapping:
    """A valid event mapping. `text` is canonical: the output of Terraform's jsonencode, without `$schema`."""

    text: str
    datasets: tuple[Dataset, ...]
    #: Paths of a live event's session id: the first path with an id wins.
    session: tuple[Path, ...]
    #: Paths of the logged-in user in any event: the first path with an id wins (rule 12).
    user: tuple[Path, ...]
    #: Treatment of interactions without a user, one of VISITORS (rule 12).
    visitors: str
    #: Maximum number of elements of an `each` array that produce rows (rule 7).
    max_elements: int
    #: call and name -> the rules to try, in order. In each dataset, the first one whose conditions hold applies.
    by_event: Mapping[tuple[str, str | None], tuple[tuple[Dataset, Rule], ...]] = field(repr=False, compare=False)

    def rules(self, call: str, name: str | None) -> tuple[tuple[Dataset, Rule], ...] | None:
        """Return the rules to try for an event; None if it has no rule."""
        found = self.by_event.get((call, name))
        # A write-back is an identify with a name, which has no rule.
        return self.by_event.get((call, None)) if found is None and call in ANY_NAME else found

    @property
    def sha256(self) -> str:
        """Hex digest of the canonical text. Mappings with equal digests mean the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def default_text() -> str:
    """The JSON text of the built-in mapping: e-commerce v1, v2 and video."""
    return resources.files(__package__).joinpath("event_mapping.json").read_text("utf-8")


#: Prefix of a compressed mapping. Lambda's environment variables hold at most 4 KB in total.
GZIP = "gzip:"


def decode(text: str) -> EventMapping:
    """Return the mapping in a setting: JSON, or GZIP and base64-encoded gzip. An empty text is the default mapping.

    Raises MappingError.
    """
    if text.startswith(GZIP):
        try:
            text = gzip.decompress(base64.b64decode(text.removeprefix(GZIP), validate=True)).decode()
        except (ValueError, OSError, EOFError, zlib.error):
            refuse("$", "isn't base64-encoded gzip", f"Write {GZIP} and the result of Terraform's base64gzip")
    return parse(text or default_text())


#: A setting with the address and digest of a mapping that is too large for a setting: s3://bucket/key#sha256.
ADDRESS = re.compile(r"([a-z0-9]+://[^#]+)#([0-9a-f]{64})")


def fetched(text: str, read: Callable[[str], bytes]) -> str:
    """Return the setting `text`, or, if it is an address, the text that `read` returns for it.

    Raises MappingError if that text's digest isn't the setting's.
    """
    found = ADDRESS.fullmatch(text)
    if found is None:
        return text
    data = read(found[1])
    if hashlib.sha256(data).hexdigest() != found[2]:
        refuse(found[1], "isn't the mapping that was deployed", "Run `terraform apply`, which writes it")
    return data.decode()


def parse(text: str) -> EventMapping:
    """Return the mapping in `text`. Raises MappingError if it is invalid, or exceeds a limit of Personalize."""
    document = load(text)
    if isinstance(document, Object) and not isinstance(document.pop(EDITORS, ""), str):
        refuse(f"${member(EDITORS)}", "isn't a string", "Write the URL of the JSON Schema")
    if isinstance(document, Object) and "datasets" in document and "interactions" not in document:
        refuse("$", "is a spec, not an event mapping", "Pass the file that its 'event_mapping' names")
    known = ("users", "items", "max_elements", EDITORS)
    top = keys(document, "$", required=("version", "interactions"), optional=known)
    if type(top["version"]) is not int or top["version"] != 1:
        refuse("$.version", f"is {json.dumps(top['version'])}", "Write 1")
    most = top.get("max_elements", DEFAULT_MAX_ELEMENTS)
    if type(most) is not int or most not in ALLOWED_MAX_ELEMENTS:
        remedy = f"Write an integer from {ALLOWED_MAX_ELEMENTS.start} to {ALLOWED_MAX_ELEMENTS.stop - 1}"
        refuse("$.max_elements", f"is {json.dumps(most)}", remedy)
    datasets = tuple(_dataset(name, top[name]) for name in DATASETS if name in top)
    events = [(rule.call, rule.name) for dataset in datasets for rule in dataset.rules]
    by_event: dict[tuple[str, str | None], tuple[tuple[Dataset, Rule], ...]] = {}
    for call, name in events:
        by_event[call, name] = tuple(_tried(datasets, call, name))
    interactions = top["interactions"]
    return EventMapping(
        canonical(document),
        datasets,
        _session(interactions),
        _user(interactions),
        _visitors(interactions),
        most,
        by_event,
    )


def _tried(datasets: Iterable[Dataset], call: Call, name: str | None) -> Iterator[tuple[Dataset, Rule]]:
    """Yield the rules to try for an event: in each dataset, those up to the first one without conditions."""
    for dataset in datasets:
        for rule in dataset.rules:
            if rule.call == call and (rule.name == name or (rule.name is None and call in ANY_NAME)):
                yield dataset, rule
                if not rule.when:
                    break


def _session(interactions: dict[str, Any]) -> tuple[Path, ...]:
    if "session" not in interactions:
        return (Path(("anonymousId",)), Path(("userId",)))
    at = "$.interactions.session"
    return _paths(keys(interactions["session"], at, required=("from",)), at, each=False)


def _user(interactions: dict[str, Any]) -> tuple[Path, ...]:
    if USER_ID not in interactions["fields"]:
        return (Path(("userId",)),)
    return _paths(interactions["fields"][USER_ID], f"$.interactions.fields.{USER_ID}", each=False)


def _visitors(interactions: dict[str, Any]) -> str:
    value = interactions.get("visitors", VISITORS[0])
    if value not in VISITORS:
        refuse("$.interactions.visitors", f"is {json.dumps(value)}", f"Write one of {', '.join(VISITORS)}")
    return str(value)


def _dataset(name: str, value: Any) -> Dataset:
    at = f"$.{name}"
    more = {"interactions": ("session", "visitors"), "users": ("when",)}.get(name, ())
    body = keys(value, at, required=("fields",), optional=(*NAMED_CALLS, *(f"any_{call}" for call in ANY_NAME), *more))
    shared = _fields(body["fields"], f"{at}.fields", name, each=False)
    drafts: list[_Draft] = []
    if name == "users":
        conditions = _when(body.get("when", Object()), f"{at}.when")
        drafts.append(_Draft(f"{at}.fields", "identify", None, None, None, shared, conditions))
    for call in NAMED_CALLS:
        for title, value in keys(body.get(call, Object()), f"{at}.{call}").items():
            drafts += _rules(name, call, title, value, f"{at}.{call}{member(title)}", shared)
        # Last, so that rules for the name come first.
        if f"any_{call}" in body:
            drafts += _rules(name, call, None, body[f"any_{call}"], f"{at}.any_{call}", shared)
    if not drafts:
        refuse(at, "has no rule", 'Name at least one event, such as "track": {"Product Viewed": {}}')
    for draft in drafts:
        for required in REQUIRED[name]:
            if required not in draft.fields:
                refuse(draft.at, f"has no {required}", f"Add {required} to it, or to {at}.fields for all rules")
    columns = _columns(name, at, [draft.fields for draft in drafts])
    rules = []
    for draft in drafts:
        sources: list[Source | Constant | None] = []
        for column in columns:
            filled = draft.fields.get(column.name)
            sources.append(filled.source if filled else None)
            if column.name == "EVENT_TYPE" and draft.event_type is not None:
                sources[-1] = Constant(draft.event_type)
        rules.append(Rule(draft.call, draft.name, draft.each, tuple(sources), draft.when))
    if name == "interactions":
        _event_types(at, columns, {draft.event_type for draft in drafts})
    return Dataset(name, columns, tuple(rules))


class _Draft(NamedTuple):
    """A rule whose columns aren't known yet."""

    at: str
    call: Call
    name: str | None
    each: Path | None
    event_type: str | None
    fields: "dict[str, _DraftField]"
    when: tuple[Condition, ...]


def _rules(
    dataset: str, call: Call, name: str | None, value: Any, at: str, shared: "dict[str, _DraftField]"
) -> Iterator[_Draft]:
    """Yield the rule, or the list's rules, for one name of a call."""
    if not isinstance(value, list):
        yield _rule(dataset, call, name, value, at, shared)
        return
    if not value:
        refuse(at, "is an empty list", "Write at least one rule, or leave it out")
    for index, body in enumerate(value):
        yield _rule(dataset, call, name, body, f"{at}[{index}]", shared)


def _rule(dataset: str, call: Call, name: str | None, value: Any, at: str, shared: "dict[str, _DraftField]") -> _Draft:
    allowed = ("each", "fields", "when", *(("event_type",) if dataset == "interactions" else ()))
    body = keys(value, at, optional=allowed)
    each = path(body["each"], f"{at}.each") if "each" in body else None
    event_type = body.get("event_type", name) if dataset == "interactions" else None
    if dataset == "interactions" and not (isinstance(event_type, str) and 0 < len(event_type) <= MAX_ID):
        place = f"{at}.event_type" if "event_type" in body else at
        refuse(place, "isn't a valid event type", f"Write a string of 1 to {MAX_ID} characters")
    own = _fields(body.get("fields", Object()), f"{at}.fields", dataset, each=each is not None, shared=shared)
    return _Draft(at, call, name, each, event_type, shared | own, _when(body.get("when", Object()), f"{at}.when"))


#: Comparisons with a number, and their signs.
COMPARISONS = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}


def _when(value: Any, at: str) -> tuple[Condition, ...]:
    # Sorted, as in the canonical text: equal digests give equal SQL.
    return tuple(_condition(path(key, at), body, f"{at}{member(key)}") for key, body in sorted(keys(value, at).items()))


def _condition(place: Path, value: Any, at: str) -> Condition:
    body = keys(value, at, optional=("present", "is", *COMPARISONS))
    if "present" in body and len(body) == 1:
        if not isinstance(body["present"], bool):
            refuse(f"{at}.present", "is neither true nor false", "Write true or false")
        return Condition(place, present=body["present"])
    if "is" in body and len(body) == 1:
        constants = body["is"] if isinstance(body["is"], list) else [body["is"]]
        texts = [json.dumps(value) if type(value) in (int, bool) else value for value in constants]
        if not texts or not all(isinstance(text, str) and 0 < len(text) <= MAX_STRING for text in texts):
            refuse(f"{at}.is", f"is {json.dumps(body['is'])}", "Write a string, an integer, true or false, or a list")
        return Condition(place, texts=tuple(texts))
    if not body or not set(body) <= set(COMPARISONS):
        refuse(at, "isn't a valid condition", f"Write one of present, is, or some of {', '.join(COMPARISONS)}")
    for key, number in body.items():
        if type(number) not in (int, float) or not math.isfinite(number):
            refuse(f"{at}{member(key)}", f"is {json.dumps(number)}", "Write a number")
    return Condition(place, bounds=tuple((COMPARISONS[key], float(number)) for key, number in sorted(body.items())))


@dataclass(frozen=True, slots=True)
class _DraftField:
    at: str
    type: str
    categorical: bool
    textual: bool
    source: Source | Constant

    @property
    def required(self) -> bool:
        return isinstance(self.source, Source) and self.source.required


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
        remedy = f"Write 1 to 63 uppercase letters, digits and _, beginning with a letter{example}"
        refuse(at, "isn't a valid column name", remedy)
    if name == "EVENT_TYPE" and dataset == "interactions":
        refuse(at, "isn't read from a path", 'Set "event_type" in the rules (default: the event\'s name)')
    options = ("from", "value", "type", "optional", "categorical", "textual", "format", "placeholders")
    body = keys(value, at, optional=options)
    if "from" in body and "value" in body:
        refuse(f"{at}.value", "contradicts 'from'", "Keep one of them")
    if "from" not in body and "value" not in body:
        refuse(at, "has no 'from'", "Add 'from'")
    reserved = RESERVED[dataset].get(name)
    kind: Any = body.get("type", reserved or (base.type if base else None))
    if reserved and kind != reserved:
        refuse(f"{at}.type", f"is {kind!r}, but Personalize sets the type of this column", 'Leave "type" out')
    if not reserved and kind not in TYPES:
        refuse(f"{at}.type", f"is {kind!r}" if kind else "is missing", f"Write one of {', '.join(TYPES)}")
    flags = {
        "optional": base is not None and not base.required,
        "categorical": base is not None and base.categorical and kind == "string",
        "textual": base is not None and base.textual,
        "placeholders": False,
    }
    for flag, inherited in flags.items():
        flags[flag] = body.get(flag, inherited)
        if not isinstance(flags[flag], bool):
            refuse(f"{at}.{flag}", "is neither true nor false", "Write true or false")
    if flags["optional"] and name in REQUIRED[dataset]:
        refuse(f"{at}.optional", f"is true, but every row must have {name}", 'Leave "optional" out')
    for flag in ("categorical", "textual"):
        if flags[flag] and (reserved or kind != "string"):
            refuse(f"{at}.{flag}", "is only for string columns that aren't reserved", f'Leave "{flag}" out')
    if flags["textual"] and (dataset != "items" or flags["categorical"]):
        refuse(f"{at}.textual", "is only for items' columns that aren't categorical", 'Leave "textual" out')
    is_id = name in IDS and kind == "string"
    if "placeholders" in body and not is_id:
        refuse(f"{at}.placeholders", f"is only for {', '.join(IDS)}", 'Leave "placeholders" out')
    if "format" in body and (kind != "timestamp" or body["format"] not in FORMATS):
        refuse(f"{at}.format", f"is {json.dumps(body['format'])}", f"Write one of {', '.join(FORMATS)}, for timestamps")
    if "value" in body:
        source: Source | Constant = _constant(dataset, name, kind, body, at)
    else:
        domain = {"timestamp": body.get("format", "iso"), "string": "textual" if flags["textual"] else "string"}.get(
            kind, kind
        )
        if is_id:
            domain = "any_id" if flags["placeholders"] else "id"
        bounded = bool(reserved) and kind == "timestamp"
        paths = _paths(body, at, each=each, lists=kind in LISTS)
        source = Source(paths, not flags["optional"], domain, bounded)
    return _DraftField(at, kind, flags["categorical"] or kind == "categories", flags["textual"], source)


def _number(low: float, high: float, *types: type) -> Callable[[Any], bool]:
    # Compared as a float: Terraform writes the greatest float as a greater integer.
    return lambda value: type(value) in types and low <= (float(value) if float in types else value) <= high


#: type -> whether a JSON value is a valid constant of the type.
_CONSTANTS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str) and 0 < len(value) <= MAX_STRING,
    "float": _number(-MAX_FLOAT, MAX_FLOAT, int, float),
    "double": _number(-sys.float_info.max, sys.float_info.max, int, float),
    "int": _number(-(2**31), 2**31 - 1, int),
    "long": _number(-(2**63), 2**63 - 1, int),
    "boolean": lambda value: isinstance(value, bool),
}


def _constant(dataset: str, name: str, kind: str, body: dict[str, Any], at: str) -> Constant:
    if name in REQUIRED[dataset] or kind not in _CONSTANTS:
        refuse(f"{at}.value", f"can't be the same in every row for {name}", 'Use "from"')
    for other in ("optional", "format", "placeholders"):
        if other in body:
            refuse(f"{at}.{other}", "is only for values that come from a path", f'Leave "{other}" out')
    value = body["value"]
    if not _CONSTANTS[kind](value):
        refuse(f"{at}.value", f"is {json.dumps(value)}", f"Write a value of the type {kind}")
    if name in IDS and kind == "string" and len(value) > MAX_ID:
        refuse(f"{at}.value", f"is {json.dumps(value)}", f"Write a string of at most {MAX_ID} characters")
    return Constant(float(value) if kind in ("float", "double") else value)


def _paths(body: dict[str, Any], at: str, *, each: bool, lists: bool = False) -> tuple[Path, ...]:
    if not isinstance(body["from"], list) or not body["from"]:
        refuse(f"{at}.from", "isn't a list of paths", 'Write at least one, such as ["properties.sku"]')
    return tuple(path(text, f"{at}.from[{i}]", each=each, lists=lists) for i, text in enumerate(body["from"]))


def _columns(dataset: str, at: str, rules: "list[dict[str, _DraftField]]") -> tuple[Column, ...]:
    """Merge the fields of all rules: one type per column, nullable if a rule doesn't fill it."""
    first: dict[str, _DraftField] = {}
    # EVENT_TYPE is a column without a field.
    spelled = {"EVENTTYPE": "EVENT_TYPE"} if dataset == "interactions" else {}
    for fields in rules:
        for name, read in fields.items():
            known = first.setdefault(name, read)
            if (known.type, known.categorical, known.textual) != (read.type, read.categorical, read.textual):
                refuse(read.at, f"disagrees with {known.at}", "Give both the same type, categorical and textual")
            spelling = spelled.setdefault(name.replace("_", ""), name)
            if spelling != name:
                refuse(read.at, f"is another spelling of {spelling}", "Use one of them")
    reserved = RESERVED[dataset]
    extra = sorted(set(first) - set(reserved))
    if len(extra) > MAX_METADATA[dataset]:
        refuse(at, f"has {len(extra)} custom columns", f"Keep at most {MAX_METADATA[dataset]}")
    if dataset != "interactions" and len(first) == len(REQUIRED[dataset]):
        refuse(f"{at}.fields", "has only the id", "Add at least one column, such as a category")
    textual = [name for name, field in first.items() if field.textual]
    if len(textual) > 1:
        refuse(first[textual[1]].at, f"is textual, and so is {textual[0]}", "Keep one, which is Personalize's limit")
    columns = []
    for name in [*reserved, *extra]:
        if name == "EVENT_TYPE" and dataset == "interactions":
            columns.append(Column(name, "string", nullable=False))
        elif name in first:
            missing = [fields for fields in rules if name not in fields]
            present = [fields[name] for fields in rules if name in fields]
            required = next((read for read in present if read.required), None)
            if missing and required:
                refuse(required.at, "is required, but other rules have no such field", 'Add "optional": true')
            nullable = bool(missing) or any(isinstance(read.source, Source) and not read.required for read in present)
            columns.append(Column(name, first[name].type, nullable, first[name].categorical, first[name].textual))
    return tuple(columns)


def _event_types(at: str, columns: tuple[Column, ...], types: set[str | None]) -> None:
    names = [column.name for column in columns]
    counted = [name for name in names if name == "EVENT_VALUE" or name not in RESERVED["interactions"]]
    if len(types) + len(counted) > MAX_EVENT_TYPES_AND_COLUMNS:
        refuse(
            at,
            f"has {len(types)} event types and {len(counted)} optional columns, together more "
            f"than {MAX_EVENT_TYPES_AND_COLUMNS}",
            'Give several events the same "event_type", or remove columns',
        )


def path(value: Any, at: str, *, each: bool | None = None, lists: bool = False) -> Path:
    """Return the path written as `value` at the JSON path `at`. Raises MappingError.

    A relative path needs `each`. None is for paths that start at the event even in a rule with `each`, such as that of
    `each` itself. With `lists`, one segment may end with `[]`: the path continues in each element of an array.
    """
    if not isinstance(value, str) or not value:
        refuse(at, "isn't a path", 'Write a dotted path, such as "properties.product_id"')
    relative = value.startswith(".")
    if relative and not each:
        remedy = f"Start from the event, such as 'properties.{value.strip('.') or 'products'}'"
        remedy += "" if each is None else ', or use "each"'
        refuse(at, f"{value!r} is relative, but has no element to start at", remedy)
    segments = [] if value == "." else value[relative:].split(".")
    arrays = [place for place, segment in enumerate(segments, start=1) if segment.endswith("[]")]
    if arrays and (not lists or len(arrays) > 1):
        refuse(at, f"{value!r} goes through an array", 'Use one "[]", and only for IMPRESSION and categories')
    for place in arrays:
        segments[place - 1] = segments[place - 1].removesuffix("[]")
    if any(not segment or segment == "*" for segment in segments):
        refuse(at, f"{value!r} has an empty or * segment", "Write names only, with one dot between them")
    return Path(tuple(segments), relative, arrays[0] if arrays else None)
