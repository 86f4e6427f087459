"""Load history into the profile table, so that a user's first partial event doesn't erase the historic values.

Each column keeps its latest value, as in `profile_batch`. A load never overwrites newer values, and loading twice
changes nothing. For each user or item, the loader reads the item of the table and

1. does nothing if the table already has all values. Repeating a load, such as yesterday's or an interrupted one, costs
   half a read per profile;
2. if Personalize was never sent the row, writes the merged columns, provided that no other writer has changed the item.
   The import sends them to Personalize, and an empty `told` makes the next message send the whole row;
3. if only instants are newer, writes them in the same way;
4. otherwise puts the columns that the table lacks on the profile queue. A row that was sent outlives every import, so
   `profile_batch` must merge and send it: docs/adr/0018-profiles-are-merged-in-a-table.md.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from ..contract.suppression import SuppressionList
from ..errors import ProfilesError, TransientError
from .payloads import MAX_PROPERTIES, Known, ProfileRecord, merged, properties
from .profile_batch import RateLimiter
from .profile_table import ProfileTable, TableItem
from .record import queue_profiles

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: Concurrent batches. Each writes its items one after the other.
PARALLEL = 16
#: Attempts per batch, and the first wait between them in seconds. It doubles each time.
ATTEMPTS, PAUSE_SECONDS = 8, 0.2
#: Writes per second. A new on-demand table takes 4,000.
RATE = 500
#: Interval in seconds at which the suppression list is read again.
REFRESH_SECONDS = 60

#: The outcomes of a profile.
WRITTEN, QUEUED, UNCHANGED, SUPPRESSED, TOO_LONG = "written", "queued", "unchanged", "suppressed", "too_long"
OUTCOMES = (WRITTEN, QUEUED, UNCHANGED, SUPPRESSED, TOO_LONG)

#: A dataset and the known columns of some of its ids, `profile_table.MAX_KEYS` at most.
Batch = tuple[str, dict[str, Known]]


def clients(region: str | None = None) -> tuple[Any, "SQSClient"]:
    """Return clients of DynamoDB and SQS that slow down when AWS throttles them."""
    retries: Any = {"mode": "adaptive", "total_max_attempts": 10}
    config = Config(connect_timeout=5, read_timeout=10, max_pool_connections=PARALLEL, retries=retries)
    return boto3.client("dynamodb", region, config=config), boto3.client("sqs", region, config=config)


class Loader:
    """Loads batches into `table`, and sends the columns that Personalize needs to the queue at the URL `queue`.

    `turn` waits until the next write is allowed. `suppressed` returns the suppression list. With `dry_run`, the loader
    counts the outcomes and writes nothing.
    """

    def __init__(
        self,
        table: ProfileTable,
        sqs: "SQSClient",
        queue: str,
        turn: Callable[[], None] | None = None,
        suppressed: Callable[[], SuppressionList | None] = lambda: None,
        *,
        dry_run: bool = False,
    ) -> None:
        self._table, self._sqs, self._queue = table, sqs, queue
        self._turn, self._suppressed, self._dry_run = turn or RateLimiter(RATE), suppressed, dry_run

    def load(self, batch: Batch) -> Counter[str]:
        """Load one batch and return the number of profiles for each of OUTCOMES. Raises ProfilesError."""
        dataset, left = batch
        suppressed = self._suppressed() if dataset == "users" else None
        counts = Counter[str]()
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS * 2**attempt)
            failed: dict[str, Known] = {}
            try:
                stored = self._table.read(dataset, list(left), consistent=attempt > 0)
            except TransientError as error:
                raise self._error(f"{error.place} {error.problem}") from error
            for key, known in left.items():
                if suppressed is not None and suppressed.holds(key):
                    counts[SUPPRESSED] += 1
                elif key not in stored:
                    failed[key] = known
                elif isinstance(outcome := self._one(dataset, key, known, stored[key]), str):
                    counts[outcome] += 1
                else:
                    failed[key] = known
            if not failed:
                return counts
            left = failed
        raise self._error("is throttled or modified concurrently")

    def _one(self, dataset: str, key: str, known: Known, stored: TableItem) -> str | None:
        """Load one profile and return its outcome, or None if it must be tried again."""
        columns = merged(stored.columns, known)
        if columns == stored.columns:
            return UNCHANGED
        if len(properties(columns)) > MAX_PROPERTIES[dataset]:
            return TOO_LONG
        new = {name: cell for name, cell in columns.items() if stored.columns.get(name) != cell}
        before = {name: cell[0] for name, cell in stored.columns.items()}
        other = {name: cell[0] for name, cell in columns.items()} != before
        if stored.telling or (stored.told and other):
            if not self._dry_run:
                self._turn()
                self._send(dataset, key, new)
            return QUEUED
        if self._dry_run:
            return WRITTEN
        self._turn()
        written = self._table.write(dataset, key, TableItem(columns, stored.version + 1, {}, stored.told))
        if isinstance(written, bool):
            return WRITTEN if written else None
        if written.permanent:
            raise self._error(f"PutItem failed ({written.code})")
        return None

    def _send(self, dataset: str, key: str, new: Known) -> None:
        """Put columns on the profile queue, one message per instant."""
        by_instant: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)
        for name, (value, seconds, fraction) in new.items():
            by_instant[seconds, fraction][name] = value
        try:
            queue_profiles(
                self._sqs, self._queue, [ProfileRecord(dataset, key, one, at) for at, one in by_instant.items()]
            )
        except TransientError as error:
            raise ProfilesError(self._queue, f"{error.place} {error.problem}", _AGAIN) from error

    def _error(self, problem: str) -> ProfilesError:
        return ProfilesError(self._table.name, problem, _AGAIN)


_AGAIN = "Check its name, the region and your permissions, then run it again. Loaded profiles are skipped"


def load_all(
    loader: Loader, batches: Iterable[tuple[Batch, int]], progress: Callable[[int], None] = lambda done: None
) -> Counter[str]:
    """Load all batches, several in parallel, and return the number of profiles for each of OUTCOMES.

    Each batch comes with the progress after it, which is passed to `progress` once it is loaded. Memory holds a few
    batches only. Raises ProfilesError. Loaded profiles remain.
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    coming = iter(batches)
    with ThreadPoolExecutor(PARALLEL, "loading") as pool:
        running: dict[Future[Counter[str]], int] = {}

        def submit(number: int) -> None:
            for batch, done in islice(coming, number):
                running[pool.submit(partial(loader.load, batch))] = done

        try:
            submit(2 * PARALLEL)
            while running:
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    counts.update(finished.result())
                    progress(running.pop(finished))
                    submit(1)
        finally:
            pool.shutdown(cancel_futures=True)
    return counts
