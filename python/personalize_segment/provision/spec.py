"""The spec: which Personalize resources there shall be. Grammar: docs/provisioning.md.

`parse` turns the JSON text into a frozen `Spec`, or raises a SpecError that names the JSON
path and the remedy, before any call is made.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..contract import avro
from ..contract.mapping import EventMapping, default_text
from ..contract.mapping import parse as parse_mapping
from ..contract.strict_json import Object, canonical, check, keys, member, parse
from ..contract.strict_json import refuse as _refuse
from ..errors import MappingError, SpecError
from . import checks
from .terraform_outputs import holding, of_terraform

T = TypeVar("T")

DOMAINS = {"ECOMMERCE": {"View", "Purchase"}, "VIDEO_ON_DEMAND": {"Watch", "Click"}}
#: Names are shorter than Personalize's 63, because those of the stack's parts begin with them.
_STACK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,23}")
_PART = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,23}")


@dataclass(frozen=True, slots=True)
class Import:
    """Where the CSV of a dataset lies: a folder in S3."""

    location: str
    mode: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset of the event mapping: `type` as Personalize has it, its Avro schema, and its first import."""

    key: str
    type: str
    schema: str
    load: Import | None


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution. `every_days` is the rate of automatic training, None without it."""

    key: str
    recipe: str
    every_days: int | None
    events: tuple[dict[str, Any], ...]
    columns: dict[str, list[str]] | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, which serves a solution at a cost by the hour."""

    key: str
    solution: str
    minimum_tps: int
    follow_latest: bool


@dataclass(frozen=True, slots=True)
class Recommender:
    """A recommender of a domain dataset group."""

    key: str
    recipe: str
    minimum_tps: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """A metric attribution: metric name -> (event type, expression), and where its reports go."""

    metrics: dict[str, tuple[str, str]]
    location: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A valid spec; names of resources follow from `name`."""

    name: str
    domain: str | None
    kms_key: str | None
    kms_role: str | None
    role: str | None
    mapping: EventMapping
    datasets: tuple[Dataset, ...]
    tracker: bool
    solutions: tuple[Solution, ...]
    campaigns: tuple[Campaign, ...]
    recommenders: tuple[Recommender, ...]
    filters: dict[str, str]
    attribution: Attribution | None
    tags: dict[str, str]
    ssm_prefix: str | None


def digest(*values: Any) -> str:
    """Return eight hex digits that change with the values: what names of immutable things end with."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()[:8]


def read(text: str, folder: Path | None = None) -> Spec:
    """Return the spec in `text`, which may also be what `terraform output -json` prints.

    `folder` is where a relative path of the event mapping starts. Raises SpecError.
    """
    try:
        document = parse(text)
        # Outputs hold whatever a stack has, such as a certificate of several lines; only the spec in them is ours.
        values = of_terraform(document)
        if values is not None:
            specs = holding(values, "datasets")
            if len(specs) != 1:
                _refuse(
                    "$", "is neither a spec nor outputs of Terraform with one", "Pass the output that holds the spec"
                )
            document = specs[0]
        check(document)
        return _spec(document, folder)
    except MappingError as error:
        raise SpecError(*error.args) from None


def _spec(document: Any, folder: Path | None) -> Spec:
    optional = (
        "event_mapping", "domain", "kms_key_arn", "kms_role_arn", "role_arn", "event_tracker", "solutions", "campaigns",
        "recommenders", "filters", "metric_attribution", "tags", "ssm_prefix",
    )  # fmt: skip
    body = keys(document, "$", required=("version", "name", "datasets"), optional=optional)
    if body["version"] != 1 or isinstance(body["version"], bool):
        _refuse("$.version", f"is {json.dumps(body['version'])}", "Write 1")
    name = checks.match(body["name"], "$.name", _STACK, "Write 1 to 24 letters, digits and -")
    mapping = _mapping(body.get("event_mapping"), folder)
    domain = body.get("domain")
    if domain is not None and (not isinstance(domain, str) or domain not in DOMAINS):
        _refuse("$.domain", f"is {json.dumps(domain)}", f"Write {' or '.join(DOMAINS)}, or leave it out")
    role = checks.arn(body.get("role_arn"), "$.role_arn", "iam")
    datasets = _datasets(body["datasets"], mapping, role)
    if domain is not None:
        types = {
            rule.sources[[c.name for c in mapping.datasets[0].columns].index("EVENT_TYPE")]
            for rule in mapping.datasets[0].rules
        }
        missing = sorted(DOMAINS[domain] - {one for one in types if isinstance(one, str)})
        if missing:
            _refuse(
                "$.domain",
                f"{domain} needs the event types {', '.join(missing)}",
                "Give a rule of the mapping this event_type",
            )
    solutions = _each(body, "solutions", lambda key, value, at: _solution(key, value, at, datasets))
    known = {one.key for one in solutions}
    campaigns = _each(body, "campaigns", lambda key, value, at: _campaign(key, value, at, known))
    recommenders = _each(body, "recommenders", lambda key, value, at: _recommender(key, value, at, domain))
    if recommenders and domain is None:
        _refuse("$.recommenders", "are for domain groups", 'Add "domain", or use "solutions" and "campaigns"')
    filters = dict(_each(body, "filters", lambda key, value, at: (key, checks.text(value, at, 2500))))
    prefix = body.get("ssm_prefix")
    if prefix is not None:
        checks.match(prefix, "$.ssm_prefix", re.compile(r"(/[\w.-]+)+"), "Write a path such as /shop/personalize")
    kms_key, kms_role = (
        checks.arn(body.get("kms_key_arn"), "$.kms_key_arn", "kms"),
        checks.arn(body.get("kms_role_arn"), "$.kms_role_arn", "iam"),
    )
    if (kms_key is None) != (kms_role is None):
        _refuse("$.kms_key_arn", "and kms_role_arn belong together", "Write both or neither")
    return Spec(
        name=name, domain=domain, kms_key=kms_key, kms_role=kms_role, role=role, mapping=mapping,
        datasets=datasets, tracker=checks.flag(body.get("event_tracker", True), "$.event_tracker"),
        solutions=tuple(solutions), campaigns=tuple(campaigns), recommenders=tuple(recommenders), filters=filters,
        attribution=_attribution(body.get("metric_attribution"), role), tags=checks.tags(body.get("tags")),
        ssm_prefix=prefix,
    )  # fmt: skip


def _mapping(value: Any, folder: Path | None) -> EventMapping:
    at = "$.event_mapping"
    if value is None:
        return parse_mapping(default_text())
    if isinstance(value, str):
        try:
            text = ((folder or Path()) / value).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            _refuse(at, f"{value} can't be read", "Write the path of the mapping, or the mapping itself")
    else:
        text = canonical(value)
    try:
        return parse_mapping(text)
    except MappingError as error:
        _refuse(at + error.place.removeprefix("$"), error.problem, error.remedy)


def _datasets(value: Any, mapping: EventMapping, role: str | None) -> tuple[Dataset, ...]:
    known = {dataset.name: dataset for dataset in mapping.datasets}
    body = keys(value, "$.datasets", required=("interactions",), optional=tuple(known))
    made = []
    for key in (key for key in known if key in body):
        at = f"$.datasets.{key}"
        inner = keys(body[key], at, optional=("import",))
        load_ = None
        if "import" in inner:
            where = keys(inner["import"], f"{at}.import", required=("location",), optional=("mode",))
            mode = where.get("mode", "FULL")
            if mode not in ("FULL", "INCREMENTAL"):
                _refuse(f"{at}.import.mode", f"is {json.dumps(mode)}", "Write FULL or INCREMENTAL")
            load_ = Import(checks.s3(where["location"], f"{at}.import.location"), mode)
            if role is None:
                _refuse("$", "has no 'role_arn'", "Add the role with which Personalize reads the bucket")
        made.append(Dataset(key, key.upper(), json.dumps(avro.schema(known[key])), load_))
    return tuple(made)


def _solution(key: str, value: Any, at: str, datasets: tuple[Dataset, ...]) -> Solution:
    body = keys(value, at, required=("recipe",), optional=("automatic_training", "events", "columns"))
    training = body.get("automatic_training", Object(every_days=7))
    days = None
    if training is not False:
        every = keys(training, f"{at}.automatic_training", required=("every_days",), optional=())
        days = checks.integer(every["every_days"], f"{at}.automatic_training.every_days", 1, 30)
    events = []
    if not isinstance(body.get("events", []), list):
        _refuse(f"{at}.events", "is no list", 'Write such as [{"event_type": "Purchase"}]')
    for number, one in enumerate(body.get("events", [])):
        where = f"{at}.events[{number}]"
        event = keys(one, where, required=("event_type",), optional=("value_threshold", "weight"))
        made: dict[str, Any] = {"eventType": checks.text(event["event_type"], f"{where}.event_type", 256)}
        for mine, theirs in (("value_threshold", "eventValueThreshold"), ("weight", "weight")):
            if mine in event:
                number = isinstance(event[mine], int | float) and not isinstance(event[mine], bool)
                if not number or (mine == "weight" and not 0 <= event[mine] <= 1):
                    _refuse(f"{where}.{mine}", "is no number that fits", "Write a number; a weight is from 0 to 1")
                made[theirs] = float(event[mine])
        events.append(made)
    columns = None
    if "columns" in body:
        columns = {
            name.upper(): checks.names(some, f"{at}.columns.{name}")
            for name, some in keys(
                body["columns"], f"{at}.columns", optional=tuple(each.key for each in datasets)
            ).items()
        }
    for name, some in (columns or {}).items():
        fields = next(json.loads(each.schema)["fields"] for each in datasets if each.type == name)
        unknown = sorted(set(some) - {field["name"] for field in fields})
        if unknown:
            _refuse(
                f"{at}.columns.{name.lower()}",
                f"has {unknown[0]}, which the mapping has not",
                "Use columns of the mapping",
            )
    recipe = checks.recipe(body["recipe"], f"{at}.recipe")
    if checks.family(recipe) is not None:
        _refuse(
            f"{at}.recipe",
            "is a domain's use case",
            'Name it under "recommenders", or choose a recipe for custom solutions',
        )
    return Solution(key, recipe, days, tuple(events), columns)


def _campaign(key: str, value: Any, at: str, solutions: set[str]) -> Campaign:
    body = keys(value, at, required=("solution",), optional=("minimum_tps", "follow_latest"))
    if not isinstance(body["solution"], str) or body["solution"] not in solutions:
        _refuse(
            f"{at}.solution",
            f"names no solution: {json.dumps(body['solution'])}",
            f"Write one of {', '.join(sorted(solutions))}",
        )
    tps = checks.integer(body.get("minimum_tps", 1), f"{at}.minimum_tps", 1, 500)
    return Campaign(key, body["solution"], tps, checks.flag(body.get("follow_latest", True), f"{at}.follow_latest"))


def _recommender(key: str, value: Any, at: str, domain: str | None) -> Recommender:
    body = keys(value, at, required=("recipe",), optional=("minimum_tps",))
    tps = checks.integer(body.get("minimum_tps", 1), f"{at}.minimum_tps", 1, 500)
    recipe = checks.recipe(body["recipe"], f"{at}.recipe")
    if domain is not None and checks.family(recipe) != domain:
        _refuse(f"{at}.recipe", f"is not of the domain {domain}", "Choose a use case of this domain")
    return Recommender(key, recipe, tps)


def _attribution(value: Any, role: str | None) -> Attribution | None:
    at = "$.metric_attribution"
    if value is None:
        return None
    body = keys(value, at, required=("metrics", "location"), optional=())
    if role is None:
        _refuse("$", "has no 'role_arn'", "Add the role with which Personalize writes the reports")
    metrics = {}
    for name, one in keys(body["metrics"], f"{at}.metrics").items():
        where = f"{at}.metrics{member(name)}"
        metric = keys(one, where, required=("event_type", "expression"), optional=())
        metrics[name] = tuple(
            checks.text(metric[part], f"{where}.{part}", 256) for part in ("event_type", "expression")
        )
    if not metrics:
        _refuse(f"{at}.metrics", "are none", "Name at least one, or leave metric_attribution out")
    return Attribution(metrics, checks.s3(body["location"], f"{at}.location"))  # type: ignore[arg-type]


def _each(body: dict[str, Any], part: str, make: Callable[[str, Any, str], T]) -> list[T]:
    made = []
    for key, value in keys(body.get(part, Object()), f"$.{part}").items():
        at = f"$.{part}{member(key)}"
        made.append(make(checks.match(key, at, _PART, "Name it with 1 to 24 letters, digits and -"), value, at))
    return made
