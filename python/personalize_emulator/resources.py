"""Resources and their kinds: ARNs, limits, durations, and the resources that block a deletion.

Sources: "Common error messages" and "Endpoints and quotas" in the Amazon Personalize developer guide (limits), and the
descriptions of the delete operations (blocks). Durations are typical of the console. The service guarantees none.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .service_errors import ServiceError, in_use
from .service_model import Wire

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE


class Block(NamedTuple):
    """A child that blocks the deletion of its parent: always, or only while it is `busy`."""

    kind: str
    member: str
    busy: bool = False


@dataclass(frozen=True, kw_only=True)
class ResourceKind:
    """One kind of resource. `name` follows Create, Describe and Delete in the operations.

    Durations are in seconds. `most` is the maximum per dataset group, or per region if `in_group` is False. `most_busy`
    is the maximum in a region that may be pending or in progress. `words` are its statuses: pending, in progress, done,
    failed.
    """

    name: str
    segment: str
    name_member: str = "name"
    blocks: tuple[Block, ...] = ()
    pending: float = 5.0
    running: float = 15.0
    deleting: float = 20.0
    most: int | None = None
    in_group: bool = True
    most_busy: int | None = None
    words: tuple[str, str, str, str] = ("CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE", "CREATE FAILED")

    @property
    def member(self) -> str:
        """The member of an answer that holds it. With "Arn" added, the member of a request that identifies it."""
        return self.name[0].lower() + self.name[1:]

    @property
    def arn_member(self) -> str:
        """The member with its ARN."""
        return f"{self.member}Arn"


@dataclass
class Resource:
    """One resource. `values` is the answer of Describe, `hidden` is for the emulator only."""

    kind: ResourceKind
    arn: str
    values: Wire
    tags: dict[str, str] = field(default_factory=dict)
    hidden: Wire = field(default_factory=dict)
    life: int = 0  # counts life cycles: steps of an earlier one are ignored

    @property
    def status(self) -> str:
        """The status in the answer of Describe."""
        return str(self.values["status"])

    @property
    def busy(self) -> bool:
        """Whether it is being created, updated or deleted, or its job is in progress."""
        return self.status.endswith(("PENDING", "IN_PROGRESS", "STOPPING")) or self.updating

    @property
    def updating(self) -> bool:
        """Whether an update is in progress in addition to its status."""
        update = self.values.get(f"latest{self.kind.name}Update")
        return update is not None and update["status"].startswith(("CREATE PENDING", "CREATE IN"))

    def conflict(self) -> ServiceError:
        """Return the service's error for a change of a resource that isn't idle."""
        return in_use(f"Resource Arn {self.arn} is in {self.status} state or being updated.")


_IN_GROUP = ("EventTracker", "Solution", "Dataset", "Recommender", "Filter", "MetricAttribution")

KINDS: Final[dict[str, ResourceKind]] = {
    kind.name: kind
    for kind in (
        ResourceKind(
            name="DatasetGroup",
            segment="dataset-group",
            blocks=tuple(Block(child, "datasetGroupArn") for child in _IN_GROUP),
            running=25.0,
            most=500,
            in_group=False,
        ),
        ResourceKind(
            name="Schema",
            segment="schema",
            blocks=(Block("Dataset", "schemaArn"),),
            pending=0.0,
            running=0.0,
            deleting=0.0,
            most=500,
            in_group=False,
        ),
        ResourceKind(
            name="Dataset",
            segment="dataset",
            blocks=(
                Block("DatasetImportJob", "datasetArn", busy=True),
                Block("DatasetExportJob", "datasetArn", busy=True),
            ),
        ),
        ResourceKind(
            name="DatasetImportJob",
            segment="dataset-import-job",
            name_member="jobName",
            pending=MINUTE,
            running=10 * MINUTE,
            most_busy=5,
        ),
        ResourceKind(
            name="DatasetExportJob",
            segment="dataset-export-job",
            name_member="jobName",
            pending=MINUTE,
            running=5 * MINUTE,
            most_busy=5,
        ),
        ResourceKind(
            name="DataDeletionJob",
            segment="data-deletion-job",
            name_member="jobName",
            pending=MINUTE,
            running=2 * HOUR,
            most_busy=5,
            words=("PENDING", "IN_PROGRESS", "COMPLETED", "FAILED"),
        ),
        ResourceKind(name="EventTracker", segment="event-tracker", most=1),
        ResourceKind(name="Filter", segment="filter", running=25.0, most=10),
        ResourceKind(
            name="Solution",
            segment="solution",
            blocks=(Block("Campaign", "solutionArn"), Block("SolutionVersion", "solutionArn", busy=True)),
            most=10,
        ),
        ResourceKind(
            name="SolutionVersion",
            segment="solution",
            pending=30.0,
            running=40 * MINUTE,
            most_busy=20,
        ),
        ResourceKind(
            name="Campaign",
            segment="campaign",
            pending=30.0,
            running=10 * MINUTE,
            deleting=MINUTE,
            most=5,
        ),
        ResourceKind(
            name="Recommender",
            segment="recommender",
            pending=MINUTE,
            running=HOUR,
            deleting=MINUTE,
            most=15,
        ),
        ResourceKind(name="MetricAttribution", segment="metric-attribution", most=1),
        ResourceKind(
            name="BatchInferenceJob",
            segment="batch-inference-job",
            name_member="jobName",
            pending=MINUTE,
            running=20 * MINUTE,
            most_busy=5,
        ),
        ResourceKind(
            name="BatchSegmentJob",
            segment="batch-segment-job",
            name_member="jobName",
            pending=MINUTE,
            running=20 * MINUTE,
            most_busy=5,
        ),
    )
}
