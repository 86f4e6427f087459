"""What exists in one region: resources, what is going on with them, and the data in datasets."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .clock import Clock
from .faults import Faults
from .kinds import Kind
from .model import Wire
from .records import Interactions, Profiles
from .service_errors import ServiceError, in_use, invalid, not_found
from .training import Model

#: Something with which a job ends: returns nothing, or raises JobError with what AWS calls failureReason.
Effect = Callable[[], None]


class JobError(Exception):
    """A job fails; the text is its failureReason."""


@dataclass
class Resource:
    """One resource. `values` is what Describe shows; `hidden` is what only the emulator needs."""

    kind: Kind
    arn: str
    values: Wire
    tags: dict[str, str] = field(default_factory=dict)
    hidden: Wire = field(default_factory=dict)
    life: int = 0  # counts changes of life, so that a step of an earlier one no longer counts

    @property
    def status(self) -> str:
        """The status as Describe shows it."""
        return str(self.values["status"])

    @property
    def busy(self) -> bool:
        """Whether it is being created, updated or deleted, or a job is under way."""
        return self.status.endswith(("PENDING", "IN_PROGRESS", "STOPPING")) or self.updating

    @property
    def updating(self) -> bool:
        """Whether an update is under way behind its status."""
        update = self.values.get(f"latest{self.kind.name}Update")
        return update is not None and update["status"].startswith(("CREATE PENDING", "CREATE IN"))


class World:
    """All of Amazon Personalize in one region of one account. Its user holds the emulator's lock."""

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
        #: The time at which the step that runs was due; between steps, the time of the call.
        self.now = clock.now()

    def settle(self) -> None:
        """Let everything happen that is due by now, in its order."""
        now = self._clock.now()
        while self._steps and self._steps[0][0] <= now:
            due, _, step = heapq.heappop(self._steps)
            self.now = due
            step(now)
        self.now = now

    def later(self, seconds: float, step: Callable[[float], None]) -> None:
        """Run `step` in `seconds`; it gets the time up to which the world is being settled."""
        heapq.heappush(self._steps, (self.now + seconds, next(self._order), step))

    def arn(self, segment: str, name: str) -> str:
        """Return the ARN of a resource of this region and account."""
        return f"arn:aws:personalize:{self.region}:{self.account}:{segment}/{name}"

    def new_id(self) -> str:
        """Return eight hexadecimal digits that no earlier call returned."""
        return f"{(next(self._ids) * 0x9E3779B1) % 2**32:08x}"

    def find(self, kind: str, arn: str) -> Resource:
        """Return a resource. Raises ResourceNotFoundException also for an ARN of another kind."""
        found = self.resources.get(arn)
        if found is None or found.kind.name != kind:
            raise not_found(arn)
        return found

    def usable(self, kind: str, arn: str) -> Resource:
        """Return a resource that others can be made of.

        Raises ResourceInUseException while it is on its way, InvalidInputException if it will never be.
        """
        found = self.find(kind, arn)
        if found.status != "ACTIVE":
            if found.busy:
                raise in_use(f"Resource Arn {arn} is in {found.status} state. Wait until it is ACTIVE.")
            raise invalid(f"Resource Arn {arn} is in {found.status} state, not ACTIVE.")
        return found

    def each(self, kind: str, **members: Any) -> Iterator[Resource]:
        """Yield the resources of a kind whose values are these, in the order of their creation."""
        for one in list(self.resources.values()):
            if one.kind.name == kind and all(_member(one, name) == value for name, value in members.items()):
                yield one

    def dataset(self, group: str, kind: str) -> Resource | None:
        """Return the dataset of a type ("INTERACTIONS", "USERS", "ITEMS") in a dataset group, if it has one."""
        return next(self.each("Dataset", datasetGroupArn=group, datasetType=kind), None)

    def add(self, kind: Kind, arn: str, values: Wire, group: str | None, tags: dict[str, str]) -> Resource:
        """Put a new resource into the world, which is its first status.

        Raises ResourceAlreadyExistsException and LimitExceededException.
        """
        if arn in self.resources:
            raise ServiceError("ResourceAlreadyExistsException", f"Another resource with Arn {arn} already exists.")
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

    def _limits(self, kind: Kind, group: str | None) -> None:
        if kind.most is not None:
            scope = {"datasetGroupArn": group} if kind.in_group else {}
            if sum(1 for _ in self.each(kind.name, **scope)) >= kind.most:
                raise ServiceError(
                    "LimitExceededException",
                    f"More than {kind.most} resources in ACTIVE state. Please delete some and try again.",
                )
        if kind.most_busy is not None and sum(one.busy for one in self.each(kind.name)) >= kind.most_busy:
            raise ServiceError(
                "LimitExceededException", f"More than {kind.most_busy} resources with PENDING or IN_PROGRESS status."
            )

    def remove(self, arn: str) -> None:
        """Take a resource out of the world, with what belongs to nothing but it."""
        gone = self.resources.pop(arn)
        self.interactions.pop(arn, None)
        self.profiles.pop(arn, None)
        self.models.pop(arn, None)
        for child, member in (("DatasetImportJob", "datasetArn"), ("DatasetExportJob", "datasetArn")):
            for job in self.each(child, **{member: arn}):
                del self.resources[job.arn]
        if gone.kind.name == "Solution":
            for version in self.each("SolutionVersion", solutionArn=arn):
                self.remove(version.arn)
        if gone.kind.name == "DatasetGroup":
            for job in self.each("DataDeletionJob", datasetGroupArn=arn):
                del self.resources[job.arn]


def _member(one: Resource, name: str) -> Any:
    return one.values.get(name, one.hidden.get(name))
