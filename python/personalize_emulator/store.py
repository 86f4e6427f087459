"""The state of one region: resources, scheduled steps, and the data in datasets."""

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from .clock import Clock
from .faults import Faults
from .records import Interactions, Profiles
from .resources import Resource, ResourceKind
from .service_errors import ServiceError, already_exists, in_use, invalid, not_found
from .service_model import Wire
from .training import Model

#: The end of a job. Returns nothing, or raises JobError with AWS's failureReason.
Effect = Callable[[], None]


class JobError(Exception):
    """A job fails. The text is its failureReason."""


class Store:
    """The state of Amazon Personalize in one region of one account. The caller holds the emulator's lock."""

    def __init__(self, region: str, account: str, clock: Clock, faults: Faults, s3: Callable[[], Any]) -> None:
        self.region = region
        self.account = account
        self.faults = faults
        self.s3 = s3
        self.resources: dict[str, Resource] = {}
        self.interactions: dict[str, Interactions] = {}
        self.profiles: dict[str, Profiles] = {}
        self.models: dict[str, Model] = {}
        self._clock = clock
        self._steps: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._ids = count(1)
        #: The due time of the step that is running. Between steps, the time of the call.
        self.now = clock.now()

    def settle(self) -> None:
        """Run all steps that are due by now, in order."""
        now = self._clock.now()
        while self._steps and self._steps[0][0] <= now:
            due, _, step = heapq.heappop(self._steps)
            self.now = due
            step(now)
        self.now = now

    def later(self, seconds: float, step: Callable[[float], None]) -> None:
        """Run `step` in `seconds`. It gets the time up to which the store is being settled."""
        heapq.heappush(self._steps, (self.now + seconds, next(self._order), step))

    def arn(self, segment: str, name: str) -> str:
        """Return the ARN of a resource of this region and account."""
        return f"arn:aws:personalize:{self.region}:{self.account}:{segment}/{name}"

    def new_id(self) -> str:
        """Return eight hexadecimal digits that no earlier call has returned."""
        return f"{(next(self._ids) * 0x9E3779B1) % 2**32:08x}"

    def find(self, kind: str, arn: str) -> Resource:
        """Return a resource. Raises ResourceNotFoundException, even if the ARN is of another kind."""
        resource = self.resources.get(arn)
        if resource is None or resource.kind.name != kind:
            raise not_found(arn)
        return resource

    def usable(self, kind: str, arn: str) -> Resource:
        """Return a resource that others can be based on.

        Raises ResourceInUseException while it isn't ACTIVE yet, and InvalidInputException if it never will be.
        """
        resource = self.find(kind, arn)
        if resource.status != "ACTIVE":
            if resource.busy:
                raise in_use(f"Resource Arn {arn} is in {resource.status} state. Wait until it is ACTIVE.")
            raise invalid(f"Resource Arn {arn} is in {resource.status} state, not ACTIVE.")
        return resource

    def each(self, kind: str, **members: Any) -> Iterator[Resource]:
        """Yield the resources of a kind with these values, in the order of their creation."""
        for resource in list(self.resources.values()):
            if resource.kind.name == kind and members.items() <= (resource.hidden | resource.values).items():
                yield resource

    def dataset(self, group: str, kind: str) -> Resource | None:
        """Return the dataset of a type ("INTERACTIONS", "USERS", "ITEMS") in a dataset group, None without one."""
        return next(self.each("Dataset", datasetGroupArn=group, datasetType=kind), None)

    def add(self, kind: ResourceKind, arn: str, values: Wire, group: str | None, tags: dict[str, str]) -> Resource:
        """Add a new resource in its first status.

        Raises ResourceAlreadyExistsException and LimitExceededException.
        """
        if arn in self.resources:
            raise already_exists(f"Another resource with Arn {arn} already exists.")
        self._limits(kind, group)
        new = Resource(kind, arn, values, tags, {"datasetGroupArn": group})
        new.values |= {
            kind.arn_member: arn,
            "status": kind.words[0],
            "creationDateTime": self.now,
            "lastUpdatedDateTime": self.now,
        }
        self.resources[arn] = new
        return new

    def _limits(self, kind: ResourceKind, group: str | None) -> None:
        if kind.most is not None:
            scope = {"datasetGroupArn": group} if kind.in_group else {}
            if sum(1 for _ in self.each(kind.name, **scope)) >= kind.most:
                raise ServiceError(
                    "LimitExceededException",
                    f"More than {kind.most} resources in ACTIVE state. Please delete some and try again.",
                )
        if kind.most_busy is not None and sum(resource.busy for resource in self.each(kind.name)) >= kind.most_busy:
            raise ServiceError(
                "LimitExceededException", f"More than {kind.most_busy} resources with PENDING or IN_PROGRESS status."
            )

    def remove(self, arn: str) -> None:
        """Remove a resource, with everything that belongs only to it."""
        gone = self.resources.pop(arn)
        self.interactions.pop(arn, None)
        self.profiles.pop(arn, None)
        self.models.pop(arn, None)
        for child in ("DatasetImportJob", "DatasetExportJob"):
            for job in self.each(child, datasetArn=arn):
                del self.resources[job.arn]
        if gone.kind.name == "Solution":
            for version in self.each("SolutionVersion", solutionArn=arn):
                self.remove(version.arn)
        if gone.kind.name == "DatasetGroup":
            for job in self.each("DataDeletionJob", datasetGroupArn=arn):
                del self.resources[job.arn]
