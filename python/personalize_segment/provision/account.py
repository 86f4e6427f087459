"""What there is: the resources of one stack, found by name, as Personalize describes them.

There is no state file. What belongs to the stack follows from names alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name

from .spec import Spec

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"


@dataclass(frozen=True, slots=True)
class Found:
    """A resource: `kind` is AWS's noun, `detail` what Describe answers."""

    kind: str
    name: str
    arn: str
    detail: dict[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        """The status as AWS has it; schemas have none and are there at once."""
        return str(self.detail.get("status", ACTIVE))

    @property
    def update(self) -> dict[str, Any]:
        """The latest update, which lives beside a status that stays ACTIVE; empty if there was none."""
        return next((value for key, value in self.detail.items() if re.fullmatch(r"latest\w+Update", key)), {})

    @property
    def busy(self) -> bool:
        """Whether it changes by itself, so that we wait."""
        return any("PENDING" in one or "IN_PROGRESS" in one for one in (self.status, str(self.update.get("status"))))

    @property
    def failure(self) -> str | None:
        """Why it, or its latest update, failed."""
        for one in (self.detail, self.update):
            if str(one.get("status")).endswith(("FAILED", "STOPPED")):
                return str(one.get("failureReason") or "no reason given")
        return None

    @property
    def failure_id(self) -> str:
        """What tells this failure from a later one of the same resource."""
        return f"{self.arn} {self.update.get('lastUpdatedDateTime', self.detail.get('lastUpdatedDateTime'))}"


@dataclass(slots=True)
class Account:
    """The stack as it is. Lists are in the order of creation."""

    group: Found | None = None
    schemas: list[Found] = field(default_factory=list)
    #: Schemas of adopted datasets, which somebody made by other names: used, never deleted.
    other_schemas: list[Found] = field(default_factory=list)
    datasets: dict[str, Found] = field(default_factory=dict)
    imports: dict[str, list[Found]] = field(default_factory=dict)
    tracker: Found | None = None
    solutions: list[Found] = field(default_factory=list)
    versions: dict[str, list[Found]] = field(default_factory=dict)
    campaigns: list[Found] = field(default_factory=list)
    recommenders: list[Found] = field(default_factory=list)
    filters: list[Found] = field(default_factory=list)
    attributions: list[Found] = field(default_factory=list)
    metrics: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def all(self) -> Iterator[Found]:
        """Yield every resource of the stack."""
        yield from filter(None, [self.group, self.tracker])
        for one in (self.schemas, self.datasets.values(), self.solutions, self.campaigns, self.recommenders):
            yield from one
        yield from [*self.filters, *self.attributions]
        for several in (*self.imports.values(), *self.versions.values()):
            yield from several


def observe(client: Any, ssm: Any, spec: Spec) -> Account:
    """Return what there is of the stack. A resource that is deleted meanwhile is left out."""
    look = _Look(client)
    account = Account()
    own = re.compile(rf"{re.escape(spec.name)}-(interactions|users|items)-[0-9a-f]{{8}}")
    account.schemas = list(look("Schema", own.fullmatch))
    account.group = next(iter(look("DatasetGroup", lambda name: name == spec.name)), None)
    if account.group is not None:
        _inside(look, account, spec)
    if spec.ssm_prefix is not None:
        for page in pages(ssm.get_parameters_by_path, "NextToken", Path=spec.ssm_prefix, Recursive=True):
            account.parameters |= {one["Name"]: one["Value"] for one in page["Parameters"]}
    return account


def _inside(look: "_Look", account: Account, spec: Spec) -> None:
    group = {"datasetGroupArn": account.group.arn} if account.group else {}
    # With a digest, or the one name without: what somebody named alike by hand is not ours.
    stack = re.escape(spec.name)
    mine = re.compile(rf"{stack}-.+-[0-9a-f]{{8}}(-\d+)?|{stack}-metrics").fullmatch
    for one in look("Dataset", **group):
        account.datasets[one.detail["datasetType"].upper()] = one
        account.imports[one.arn] = list(look("DatasetImportJob", mine, datasetArn=one.arn))
    known = {one.arn for one in account.schemas}
    others = {one.detail["schemaArn"] for one in account.datasets.values()} - known
    if others:
        account.other_schemas = [one for one in look("Schema") if one.arn in others]
    account.tracker = next(iter(look("EventTracker", **group)), None)
    for one in look("Solution", **group):
        campaigns = list(look("Campaign", solutionArn=one.arn))
        account.campaigns += [campaign for campaign in campaigns if mine(campaign.name)]
        account.foreign += [campaign.arn for campaign in campaigns if not mine(campaign.name)]
        if mine(one.name):
            account.solutions.append(one)
            account.versions[one.arn] = list(look("SolutionVersion", solutionArn=one.arn))
        else:
            account.foreign.append(one.arn)
    for kind, several in (
        ("Recommender", account.recommenders),
        ("Filter", account.filters),
        ("MetricAttribution", account.attributions),
    ):
        for one in look(kind, **group):
            several.append(one) if mine(one.name) else account.foreign.append(one.arn)
    for one in account.attributions:
        metrics = look.all("ListMetricAttributionMetrics", "metrics", metricAttributionArn=one.arn)
        account.metrics[one.arn] = {each["metricName"]: (each["eventType"], each["expression"]) for each in metrics}


class _Look:
    """Lists resources of a kind and describes those with the right names."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, kind: str, wanted: Any = None, **parent: str) -> Iterator[Found]:
        noun = kind[0].lower() + kind[1:]
        found = []
        for one in self.all(f"List{kind}s", "Filters" if kind == "Filter" else f"{noun}s", **parent):
            arn = one[f"{noun}Arn"]
            name = one.get("name") or one.get("jobName") or arn.rpartition("/")[2]
            if wanted is not None and not wanted(name):
                continue
            try:
                detail = getattr(self._client, xform_name(f"Describe{kind}"))(**{f"{noun}Arn": arn})[noun]
            except self._client.exceptions.ResourceNotFoundException:
                continue
            found.append(Found(kind, detail.get("name") or detail.get("jobName") or name, arn, detail))
        # Schemas have no tie to anything: order by name is enough.
        yield from sorted(found, key=lambda each: (str(each.detail.get("creationDateTime")), each.name))

    def all(self, operation: str, member: str, **parent: str) -> Iterator[dict[str, Any]]:
        """Yield every element of a list."""
        for page in pages(getattr(self._client, xform_name(operation)), "nextToken", **parent):
            yield from page.get(member, [])


def pages(call: Callable[..., dict[str, Any]], token: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Yield the pages of a list, whose `token` leads from one to the next."""
    while True:
        page = call(**request)
        yield page
        if not page.get(token):
            return
        request |= {token: page[token]}
