"""The state of a stack: its resources, found by name, as Personalize describes them.

A state file isn't needed, because the names alone tell which resources belong to the stack.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..errors import ProvisionError
from ..places import S3Place
from . import failures
from .retries import Polling, retrying
from .spec import DIGEST, Spec

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
#: The status of a requested resource until Personalize lists it.
PENDING = "CREATE PENDING"


@dataclass(frozen=True, slots=True)
class ProvisionClients:
    """boto3 clients for `personalize`, `ssm` and `s3`."""

    personalize: "PersonalizeClient"
    ssm: "SSMClient"
    s3: "S3Client"


@dataclass(frozen=True, slots=True)
class StackResource:
    """A resource: `kind` is AWS's noun, `detail` the answer of Describe."""

    kind: str
    name: str
    arn: str
    detail: dict[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        """AWS's status. Schemas have none, and are ACTIVE immediately."""
        return str(self.detail.get("status", ACTIVE))

    @property
    def update(self) -> dict[str, Any]:
        """The latest update, whose status is separate from the resource's, which stays ACTIVE; empty without one."""
        return next((value for key, value in self.detail.items() if re.fullmatch(r"latest\w+Update", key)), {})

    @property
    def busy(self) -> bool:
        """Whether AWS is changing the resource, so that a caller must wait."""
        statuses = (self.status, str(self.update.get("status")))
        return any(status.endswith(("PENDING", "IN_PROGRESS", "STOPPING")) for status in statuses)

    @property
    def failure(self) -> str | None:
        """The reason why the resource or its latest update failed; None if neither did."""
        for detail in (self.detail, self.update):
            if str(detail.get("status")).endswith(("FAILED", "STOPPED")):
                return str(detail.get("failureReason") or "no reason given")
        return None

    @property
    def failure_id(self) -> str:
        """An id that distinguishes this failure from later ones of the same resource."""
        return f"{self.arn} {self.update.get('lastUpdatedDateTime', self.detail.get('lastUpdatedDateTime'))}"

    def call(self, verb: str) -> tuple[str, dict[str, Any]]:
        """Return the operation, such as `DeleteFilter`, and its request with the ARN of this resource."""
        return f"{verb}{self.kind}", {f"{noun(self.kind)}Arn": self.arn}


@dataclass(slots=True)
class StackState:
    """The current state. Datasets are by name in the event mapping. Lists are in the order of creation."""

    group: StackResource | None = None
    schemas: list[StackResource] = field(default_factory=list)
    #: Schemas of adopted datasets, created by others under other names. They are used, but never deleted.
    other_schemas: list[StackResource] = field(default_factory=list)
    datasets: dict[str, StackResource] = field(default_factory=dict)
    imports: dict[str, list[StackResource]] = field(default_factory=dict)
    tracker: StackResource | None = None
    solutions: list[StackResource] = field(default_factory=list)
    versions: dict[str, list[StackResource]] = field(default_factory=dict)
    campaigns: list[StackResource] = field(default_factory=list)
    recommenders: list[StackResource] = field(default_factory=list)
    filters: list[StackResource] = field(default_factory=list)
    attributions: list[StackResource] = field(default_factory=list)
    metrics: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def all(self) -> Iterator[StackResource]:
        """Yield every resource of the stack."""
        yield from filter(None, [self.group, self.tracker])
        for resources in (self.schemas, self.datasets.values(), self.solutions, self.campaigns, self.recommenders):
            yield from resources
        yield from [*self.filters, *self.attributions]
        for resources in (*self.imports.values(), *self.versions.values()):
            yield from resources

    def latest(self, solution: StackResource) -> StackResource | None:
        """Return the latest active version of a solution."""
        versions = self.versions.get(solution.arn, [])
        return next((version for version in reversed(versions) if version.status == ACTIVE), None)


def observe(clients: ProvisionClients, spec: Spec, polling: Polling) -> tuple[StackState, dict[str, str]]:
    """Return the state, and the digest of the data at each import's location. Raises ProvisionError."""
    contents = {key: content() for key, content in locations(clients, spec, polling)}
    return read_state(clients, spec, polling), contents


def locations(clients: ProvisionClients, spec: Spec, polling: Polling) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each dataset with an import, and a function that returns its data's digest or raises ProvisionError."""
    for dataset in spec.datasets:
        if dataset.load is not None:
            yield dataset.key, partial(_content, retrying(clients.s3, polling), dataset.load.location)


def require_group(clients: ProvisionClients, spec: Spec, state: StackState) -> None:
    """Raise ProvisionError with the region, unless the stack has its dataset group."""
    if state.group is None:
        raise no_group(spec.name, clients.personalize.meta.region_name)


def no_group(name: str, region: str) -> ProvisionError:
    """Return the error for a stack that doesn't exist."""
    problem = f'no dataset group "{name}" in {region}'
    return ProvisionError(f"stack {name}", problem, "Run `personalize-segment apply` first")


def read_state(clients: ProvisionClients, spec: Spec, polling: Polling) -> StackState:
    """Return the state, without resources deleted in the meantime. Raises ProvisionError if it can't be read."""
    lister = _Lister(retrying(clients.personalize, polling))
    state = StackState()
    own = re.compile(rf"{re.escape(spec.name)}-(interactions|users|items)-{DIGEST}")
    with _readable("the account"):
        state.schemas = list(lister.resources("Schema", {}, own.fullmatch))
        state.group = next(lister.resources("DatasetGroup", {}, lambda name: name == spec.name), None)
        if state.group is not None:
            _read_group(lister, state, spec, state.group.arn)
        if spec.ssm_prefix is not None:
            get = retrying(clients.ssm, polling).get_parameters_by_path
            for page in pages(get, "NextToken", Path=spec.ssm_prefix, Recursive=True):
                state.parameters |= {parameter["Name"]: parameter["Value"] for parameter in page["Parameters"]}
    return state


def _read_group(lister: "_Lister", state: StackState, spec: Spec, arn: str) -> None:
    group = {"datasetGroupArn": arn}
    # Only names with a digest, and the one name without. Similar names given by hand belong to others.
    stack = re.escape(spec.name)
    mine = re.compile(rf"{stack}-.+-{DIGEST}(-\d+)?|{stack}-metrics").fullmatch
    for dataset in lister.resources("Dataset", group):
        state.datasets[dataset.detail["datasetType"].lower()] = dataset
        state.imports[dataset.arn] = list(lister.resources("DatasetImportJob", {"datasetArn": dataset.arn}, mine))
    known = {schema.arn for schema in state.schemas}
    others = {dataset.detail["schemaArn"] for dataset in state.datasets.values()} - known
    if others:
        state.other_schemas = [schema for schema in lister.resources("Schema", {}) if schema.arn in others]
    state.tracker = next(lister.resources("EventTracker", group), None)
    for solution in lister.resources("Solution", group):
        campaigns = list(lister.resources("Campaign", {"solutionArn": solution.arn}))
        state.campaigns += [campaign for campaign in campaigns if mine(campaign.name)]
        state.foreign += [campaign.arn for campaign in campaigns if not mine(campaign.name)]
        if mine(solution.name):
            state.solutions.append(solution)
            state.versions[solution.arn] = list(lister.resources("SolutionVersion", {"solutionArn": solution.arn}))
        else:
            state.foreign.append(solution.arn)
    for kind, ours in (
        ("Recommender", state.recommenders),
        ("Filter", state.filters),
        ("MetricAttribution", state.attributions),
    ):
        for resource in lister.resources(kind, group):
            ours.append(resource) if mine(resource.name) else state.foreign.append(resource.arn)
    for attribution in state.attributions:
        metrics = lister.elements("ListMetricAttributionMetrics", "metrics", metricAttributionArn=attribution.arn)
        state.metrics[attribution.arn] = {
            metric["metricName"]: (metric["eventType"], metric["expression"]) for metric in metrics
        }


class _Lister:
    """Lists resources of a kind and describes those with the right names."""

    def __init__(self, client: "PersonalizeClient") -> None:
        self._client = client

    def resources(
        self, kind: str, parent: dict[str, str], wanted: Callable[[str], object] = lambda name: True
    ) -> Iterator[StackResource]:
        """Yield the resources of a kind with `wanted` names below a parent's ARN, in the order of creation."""
        member = noun(kind)
        resources = []
        for summary in self.elements(f"List{kind}s", "Filters" if kind == "Filter" else f"{member}s", **parent):
            arn = summary[f"{member}Arn"]
            name = summary.get("name") or summary.get("jobName") or arn.rpartition("/")[2]
            if not wanted(name):
                continue
            try:
                detail = getattr(self._client, xform_name(f"Describe{kind}"))(**{f"{member}Arn": arn})[member]
            except self._client.exceptions.ResourceNotFoundException:
                continue
            resources.append(StackResource(kind, detail.get("name") or detail.get("jobName") or name, arn, detail))
        yield from sorted(resources, key=lambda resource: (str(resource.detail.get("creationDateTime")), resource.name))

    def elements(self, operation: str, member: str, **parent: str) -> Iterator[dict[str, Any]]:
        """Yield every element of a list."""
        for page in pages(getattr(self._client, xform_name(operation)), "nextToken", **parent):
            yield from page.get(member, [])


def noun(kind: str) -> str:
    """Return a kind in the spelling of API members, such as `datasetGroup`."""
    return kind[0].lower() + kind[1:]


def pages(call: Callable[..., Mapping[str, Any]], token: str, **request: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of a list. `token` is the member with the next page's token."""
    while True:
        page = call(**request)
        yield page
        if not page.get(token):
            return
        request |= {token: page[token]}


def _content(s3: "S3Client", location: str) -> str:
    """Return a digest of the names, sizes and tags of the objects at a location. Raises ProvisionError."""
    folder = S3Place.of(location, s3)
    digest = hashlib.sha256()
    with _readable(location):
        for file in folder.objects():
            digest.update(f"{folder.key}/{file.inner}\n{file.bytes}\n{file.version}\n".encode())
    return digest.hexdigest()


@contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, message = failures.code_and_message(error)
        remedy = "Check your permissions: docs/provisioning.md lists them"
        if code == "NoSuchBucket":
            remedy = "Run `terraform apply`, or create the bucket if Terraform doesn't manage it"
        raise ProvisionError(place, f"can't be read ({code}: {message})", remedy) from error
