"""The spec: the desired Personalize resources. Grammar: docs/provisioning.md.

`read` turns the JSON text into a frozen `Spec`, or raises a SpecError with the JSON path and a remedy before any call.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..contract import avro
from ..contract.columns import MAX_STRING
from ..contract.mapping import EventMapping, default_text
from ..contract.mapping import parse as parse_mapping
from ..contract.strict_json import Object, canonical, check, keys, member, refuse
from ..errors import MappingError, SpecError
from ..places import bounded
from . import agreement, checks, terraform_outputs

T = TypeVar("T")

DOMAINS = {"ECOMMERCE": {"View", "Purchase"}, "VIDEO_ON_DEMAND": {"Watch", "Click"}}
#: Names of a stack and its parts. Shorter than Personalize's 63, because names of resources combine both and a digest.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,23}")
_KEYS = ("version", "name", "datasets")
#: The suffix in names of immutable resources.
DIGEST = "[0-9a-f]{8}"


@dataclass(frozen=True, slots=True)
class Import:
    """The folder in S3 with the CSV of a dataset, and the import mode."""

    location: str
    mode: str


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset of the event mapping: its Avro schema, and its first import."""

    key: str
    schema: str
    load: Import | None

    @property
    def type(self) -> str:
        """The dataset type in Personalize."""
        return self.key.upper()


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution. `every_days` is the interval of automatic training, or None without it."""

    key: str
    recipe: str
    every_days: int | None
    events: tuple[dict[str, Any], ...]
    columns: dict[str, list[str]] | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, which serves a solution and is billed by the hour."""

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
    """A metric attribution: metric name -> (event type, expression), and the location of its reports."""

    metrics: dict[str, tuple[str, str]]
    location: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A valid spec. The names of all resources begin with `name`."""

    name: str
    domain: str | None
    kms_key: str | None
    kms_role: str | None
    role: str | None
    mapping: EventMapping
    datasets: tuple[DatasetSpec, ...]
    tracker: bool
    solutions: tuple[Solution, ...]
    campaigns: tuple[Campaign, ...]
    recommenders: tuple[Recommender, ...]
    filters: dict[str, str]
    attribution: Attribution | None
    tags: dict[str, str]
    ssm_prefix: str | None

    @property
    def tagging(self) -> dict[str, Any]:
        """The tags in the form of requests; empty without tags."""
        tags = [{"tagKey": key, "tagValue": value} for key, value in sorted(self.tags.items())]
        return {"tags": tags} if tags else {}


def digest(*values: Any) -> str:
    """Return a DIGEST of the values: eight hex digits."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()[:8]


def read(text: str, folder: Path | None = None, stack: str | None = None) -> Spec:
    """Return the spec in `text`, which may also be the output of `terraform output -json`.

    A relative path of the event mapping starts at `folder`. `stack` selects one of several stacks. Raises SpecError.
    """
    try:
        # Outputs may hold anything, such as a certificate of several lines. Only the spec is checked.
        document, specs = terraform_outputs.read(text, "datasets")
        if specs:
            document = terraform_outputs.only(specs, stack)
        elif specs is not None or (isinstance(document, dict) and not set(_KEYS) & set(document)):
            problem = "isn't a spec or the output of `terraform output -json`" if specs is None else "has no spec"
            refuse("$", problem, terraform_outputs.APPLY)
        check(document)
        return _spec(document, folder)
    except MappingError as error:
        raise SpecError(*error.args) from None


def of_name(name: str, ssm_prefix: str | None = None) -> Spec:
    """Return an empty spec of the stack with this name, for destroying all of it.

    `ssm_prefix` is `/NAME/personalize` by default, as in the Terraform stack. Raises SpecError.
    """
    prefix = ssm_prefix or f"/{name}/personalize"
    return read(json.dumps({"version": 1, "name": name, "datasets": {"interactions": {}}, "ssm_prefix": prefix}))


def _spec(document: Any, folder: Path | None) -> Spec:
    optional = (
        "event_mapping", "domain", "kms_key_arn", "kms_role_arn", "role_arn", "event_tracker", "solutions", "campaigns",
        "recommenders", "filters", "metric_attribution", "tags", "ssm_prefix",
    )  # fmt: skip
    if isinstance(document, dict) and "interactions" in document and "datasets" not in document:
        refuse("$", "is an event mapping, not a spec", "Pass the spec, whose 'event_mapping' may name this file")
    body = keys(document, "$", required=_KEYS, optional=optional)
    if body["version"] != 1 or isinstance(body["version"], bool):
        refuse("$.version", f"is {json.dumps(body['version'])}", "Write 1")
    name = checks.match(body["name"], "$.name", _NAME, "Write 1 to 24 letters, digits and -")
    mapping = _mapping(body.get("event_mapping"), folder)
    domain = body.get("domain")
    if domain is not None and (not isinstance(domain, str) or domain not in DOMAINS):
        refuse("$.domain", f"is {json.dumps(domain)}", f"Write {' or '.join(DOMAINS)}, or leave it out")
    role = checks.arn(body.get("role_arn"), "$.role_arn", "iam")
    datasets = _datasets(body["datasets"], mapping, role)
    types = agreement.event_types(mapping)
    columns = {one.key: {field["name"] for field in json.loads(one.schema)["fields"]} for one in datasets}
    if domain is not None:
        agreement.check_domain(domain, columns, types, DOMAINS[domain])
    solutions = _each(body, "solutions", lambda key, value, at: _solution(key, value, at, datasets, types))
    known = {solution.key for solution in solutions}
    campaigns = _each(body, "campaigns", lambda key, value, at: _campaign(key, value, at, known))
    recommenders = _each(body, "recommenders", lambda key, value, at: _recommender(key, value, at, domain))
    if recommenders and domain is None:
        refuse("$.recommenders", "need a domain", 'Add "domain", or use "solutions" and "campaigns"')
    filters = dict(_each(body, "filters", lambda key, value, at: (key, _filter(value, at, columns, types))))
    prefix = body.get("ssm_prefix")
    if prefix is not None:
        checks.match(prefix, "$.ssm_prefix", re.compile(r"(/[\w.-]+)+"), "Write a path such as /shop/personalize")
    kms_key = checks.arn(body.get("kms_key_arn"), "$.kms_key_arn", "kms")
    kms_role = checks.arn(body.get("kms_role_arn"), "$.kms_role_arn", "iam")
    if (kms_key is None) != (kms_role is None):
        refuse("$.kms_key_arn", "and kms_role_arn belong together", "Set both or neither")
    return Spec(
        name=name, domain=domain, kms_key=kms_key, kms_role=kms_role, role=role, mapping=mapping,
        datasets=datasets, tracker=checks.flag(body.get("event_tracker", True), "$.event_tracker"),
        solutions=tuple(solutions), campaigns=tuple(campaigns), recommenders=tuple(recommenders), filters=filters,
        attribution=_attribution(body.get("metric_attribution"), role, columns, types),
        tags=checks.tags(body.get("tags")), ssm_prefix=prefix,
    )  # fmt: skip


def _mapping(value: Any, folder: Path | None) -> EventMapping:
    at = "$.event_mapping"
    if value is None:
        return parse_mapping(default_text())
    if isinstance(value, str):
        try:
            text = bounded((folder or Path()) / value)
        except (OSError, ValueError) as error:
            problem = f"{value} can't be read ({error})"
            refuse(at, problem, "Write the path of the mapping, or the mapping itself")
    else:
        text = canonical(value)
    try:
        return parse_mapping(text)
    except MappingError as error:
        refuse(at + error.place.removeprefix("$"), error.problem, error.remedy)


def _datasets(value: Any, mapping: EventMapping, role: str | None) -> tuple[DatasetSpec, ...]:
    known = {dataset.name: dataset for dataset in mapping.datasets}
    body = keys(value, "$.datasets", required=("interactions",), optional=tuple(known))
    datasets = []
    for key in (key for key in known if key in body):
        at = f"$.datasets.{key}"
        inner = keys(body[key], at, optional=("import",))
        load = None
        if "import" in inner:
            where = keys(inner["import"], f"{at}.import", required=("location",), optional=("mode",))
            mode = where.get("mode", "FULL")
            if mode not in ("FULL", "INCREMENTAL"):
                refuse(f"{at}.import.mode", f"is {json.dumps(mode)}", "Write FULL or INCREMENTAL")
            load = Import(checks.s3(where["location"], f"{at}.import.location"), mode)
            if role is None:
                refuse("$", "has no 'role_arn'", "Add the role that Personalize uses to read the bucket")
        datasets.append(DatasetSpec(key, json.dumps(avro.schema(known[key])), load))
    return tuple(datasets)


def _filter(value: Any, at: str, columns: dict[str, set[str]], types: set[str]) -> str:
    text = checks.text(value, at, checks.MAX_FILTER)
    agreement.check_expression(text, at, columns, types)
    return text


def _solution(key: str, value: Any, at: str, datasets: tuple[DatasetSpec, ...], types: set[str]) -> Solution:
    body = keys(value, at, required=("recipe",), optional=("automatic_training", "events", "columns"))
    training = body.get("automatic_training", Object(every_days=7))
    days = None
    if training is not False:
        every = keys(training, f"{at}.automatic_training", required=("every_days",), optional=())
        days = checks.integer(every["every_days"], f"{at}.automatic_training.every_days", 1, checks.MAX_DAYS)
    events = []
    if not isinstance(body.get("events", []), list):
        refuse(f"{at}.events", "isn't a list", 'Write a list such as [{"event_type": "Purchase"}]')
    for index, item in enumerate(body.get("events", [])):
        where = f"{at}.events[{index}]"
        event = keys(item, where, required=("event_type",), optional=("value_threshold", "weight"))
        event_type = checks.text(event["event_type"], f"{where}.event_type", MAX_STRING)
        agreement.check_event_type(event_type, f"{where}.event_type", types)
        request: dict[str, Any] = {"eventType": event_type}
        for mine, theirs in (("value_threshold", "eventValueThreshold"), ("weight", "weight")):
            if mine in event:
                number = isinstance(event[mine], int | float) and not isinstance(event[mine], bool)
                if not number or (mine == "weight" and not 0 <= event[mine] <= 1):
                    limits = "Write a number" + (" from 0 to 1" if mine == "weight" else "")
                    refuse(f"{where}.{mine}", f"is {json.dumps(event[mine])}", limits)
                request[theirs] = float(event[mine])
        events.append(request)
    columns = None
    if "columns" in body:
        wanted = keys(body["columns"], f"{at}.columns", optional=tuple(dataset.key for dataset in datasets))
        columns = {name.upper(): checks.names(names, f"{at}.columns.{name}") for name, names in wanted.items()}
        for name in wanted:
            fields = next(json.loads(dataset.schema)["fields"] for dataset in datasets if dataset.key == name)
            unknown = sorted(set(columns[name.upper()]) - {field["name"] for field in fields})
            if unknown:
                problem = f"has {unknown[0]}, which isn't in the mapping"
                refuse(f"{at}.columns.{name}", problem, "Use columns of the mapping")
    recipe = checks.recipe(body["recipe"], f"{at}.recipe")
    if checks.family(recipe) is not None:
        remedy = 'Use it in "recommenders", or choose a recipe for custom solutions'
        refuse(f"{at}.recipe", "is a domain's use case", remedy)
    return Solution(key, recipe, days, tuple(events), columns)


def _campaign(key: str, value: Any, at: str, solutions: set[str]) -> Campaign:
    body = keys(value, at, required=("solution",), optional=("minimum_tps", "follow_latest"))
    if not isinstance(body["solution"], str) or body["solution"] not in solutions:
        problem = f"is {json.dumps(body['solution'])}, which isn't a solution of the spec"
        refuse(f"{at}.solution", problem, f"Write one of {', '.join(sorted(solutions))}")
    tps = checks.integer(body.get("minimum_tps", 1), f"{at}.minimum_tps", 1, checks.MAX_TPS)
    return Campaign(key, body["solution"], tps, checks.flag(body.get("follow_latest", True), f"{at}.follow_latest"))


def _recommender(key: str, value: Any, at: str, domain: str | None) -> Recommender:
    body = keys(value, at, required=("recipe",), optional=("minimum_tps",))
    tps = checks.integer(body.get("minimum_tps", 1), f"{at}.minimum_tps", 1, checks.MAX_TPS)
    recipe = checks.recipe(body["recipe"], f"{at}.recipe")
    if domain is not None and checks.family(recipe) != domain:
        refuse(f"{at}.recipe", f"isn't a use case of the domain {domain}", "Choose a use case of this domain")
    return Recommender(key, recipe, tps)


def _attribution(value: Any, role: str | None, columns: dict[str, set[str]], types: set[str]) -> Attribution | None:
    at = "$.metric_attribution"
    if value is None:
        return None
    body = keys(value, at, required=("metrics", "location"), optional=())
    if role is None:
        refuse("$", "has no 'role_arn'", "Add the role that Personalize uses to write the reports")
    metrics = {}
    for name, item in keys(body["metrics"], f"{at}.metrics").items():
        where = f"{at}.metrics{member(name)}"
        metric = keys(item, where, required=("event_type", "expression"), optional=())
        event_type = checks.text(metric["event_type"], f"{where}.event_type", checks.MAX_METRIC)
        agreement.check_event_type(event_type, f"{where}.event_type", types)
        expression = checks.text(metric["expression"], f"{where}.expression", checks.MAX_METRIC)
        agreement.check_expression(expression, f"{where}.expression", columns, types)
        metrics[name] = event_type, expression
    if not metrics:
        refuse(f"{at}.metrics", "is empty", "Add at least one metric, or leave metric_attribution out")
    return Attribution(metrics, checks.s3(body["location"], f"{at}.location"))


def _each(body: dict[str, Any], part: str, make: Callable[[str, Any, str], T]) -> list[T]:
    parts = []
    for key, value in keys(body.get(part, Object()), f"$.{part}").items():
        at = f"$.{part}{member(key)}"
        parts.append(make(checks.match(key, at, _NAME, "Use a name of 1 to 24 letters, digits and -"), value, at))
    return parts
