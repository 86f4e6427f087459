"""History -> the profile table, so that the first partial event of a user doesn't erase what history knew.

Each column has its latest value, as in `profile_batch`, so nothing newer is overwritten, and to load twice is to load
once. For a user or an item, the loader reads the item of the table and

1. does nothing if the table knows all of it already: a load that was stopped, or one of yesterday, costs half a read;
2. writes the merged columns if Personalize was never sent the row, on the condition that nobody has written since: the
   import tells Personalize, and an empty `told` makes the next message send the whole row;
3. writes newer instants alone in the same way;
4. else puts the columns that the table lacks on the profile queue. A row that was sent outlives each import, so
   `profile_batch` merges them and sends the new one. The loader keeps out of that:
   docs/adr/0018-profiles-are-merged-in-a-table.md.
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

#: Batches at the same time. Each writes one item after the other.
PARALLEL = 16
#: How often a batch is tried, and the first wait between, in seconds, which doubles.
ATTEMPTS, PAUSE_SECONDS = 8, 0.2
#: Writes per second. A new table on demand takes 4,000.
RATE = 500
#: Seconds after which the suppression list is read again.
REFRESH_SECONDS = 60

#: What became of a profile.
WRITTEN, QUEUED, UNCHANGED, SUPPRESSED, TOO_LONG = "written", "queued", "unchanged", "suppressed", "too_long"
OUTCOMES = (WRITTEN, QUEUED, UNCHANGED, SUPPRESSED, TOO_LONG)

#: A dataset and what is known of some of its ids, at most `profile_table.MAX_KEYS`.
Batch = tuple[str, dict[str, Known]]


def clients(region: str | None = None) -> tuple[Any, "SQSClient"]:
    """Return clients of DynamoDB and SQS that slow down when they are throttled."""
    retries: Any = {"mode": "adaptive", "total_max_attempts": 10}
    config = Config(connect_timeout=5, read_timeout=10, max_pool_connections=PARALLEL, retries=retries)
    return boto3.client("dynamodb", region, config=config), boto3.client("sqs", region, config=config)


class Loader:
    """Loads batches into `table`, and by the queue at `queue` (a URL) what Personalize has to be sent.

    `turn` waits for the turn of one write. `suppressed` returns the suppression list. With `dry_run` it counts what it
    would do, and writes nothing.
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
        """Load one batch and return how many of its profiles had which of OUTCOMES. Raises ProfilesError."""
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
        raise self._error("has no time for all of them")

    def _one(self, dataset: str, key: str, known: Known, stored: TableItem) -> str | None:
        """Load one profile and return what became of it; None if it has to be tried again."""
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
        """Put columns on the profile queue: a message for each instant."""
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


_AGAIN = "Check its name, the region and your rights, then run it again: what is loaded is skipped"


def load_all(
    loader: Loader, batches: Iterable[tuple[Batch, int]], progress: Callable[[int], None] = lambda done: None
) -> Counter[str]:
    """Load all batches, several at the same time, and return how many profiles had which of OUTCOMES.

    Each batch comes with how far it is, which `progress` is called with once it is loaded. Memory holds a few batches.
    Raises ProfilesError; what is loaded stays loaded.
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
