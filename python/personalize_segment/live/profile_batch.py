"""Send users and items from the queue to PutUsers and PutItems: whole rows, merged by column, at a limited rate.

Personalize takes ten calls per second for each of the two operations. Segment sends single events, which carry
only the changed values. The profile table (`profile_table`) has the rest.

For each user or item, a consumer

1. reads the item and merges its messages into it by column. Messages may arrive late, repeatedly and out of order;
2. if Personalize already has the resulting row and no other consumer is sending one, writes newer instants and ends;
3. otherwise writes the merged columns and its own token in `telling`, sends the whole row, and removes the token;
4. deletes its messages, after everything else.

Each write is conditional on the version that was read. A consumer whose write fails restarts at step 1. This ensures:

- *Personalize never gets a row that isn't in the table.* A row is sent only after its write succeeded.
- *The table never keeps a row that Personalize doesn't get.* A consumer that changes a row holds a token and its
  messages until the row is sent. If it dies, both remain: SQS redelivers the messages, and the token keeps every other
  consumer from ending at step 2, so that any message for the item sends the whole row.
- *The last row to arrive is the newest*, even if two consumers send in the wrong order. A consumer removes its token
  with a write that succeeds only if the item still has the row it sent. Otherwise it sends again. While it holds the
  token, no other consumer accepts an unchanged row.

Lambda stops a consumer after 15 minutes, so a token that is an hour old belongs to a dead one. The next consumer that
sends the item's row removes it. One assumption: an abandoned request doesn't arrive after the next delivery of its
message. docs/adr/0018-profiles-are-merged-in-a-table.md lists the alternatives.

If Personalize refuses a row, the consumer restores each column that no other has written since, and sends the
messages to the queue of rejected events.
"""

import hashlib
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..aws_errors import OF_RECORDS, Trouble
from ..contract.mapping import EventMapping
from ..contract.rows import Reason, any_id
from ..contract.suppression import SuppressionList
from ..errors import TransientError
from .deadline import Deadline, start
from .payloads import (
    MAX_PROPERTIES,
    OPERATIONS,
    TOO_LONG,
    Known,
    ProfileRecord,
    Request,
    camel_case,
    merged,
    properties,
    put_profiles,
)
from .profile_table import ABSENT, MAX_KEYS, ProfileTable, TableItem
from .record import MESSAGE_VERSION, send_profiles

if TYPE_CHECKING:
    from mypy_boto3_personalize_events import PersonalizeEventsClient

T = TypeVar("T")

#: Age in seconds at which a token belongs to a dead consumer.
DEAD_SECONDS = 3600
#: Maximum writes per item before its messages return to the queue, because others modify it concurrently.
MAX_WRITES = 20
#: Concurrent writes.
PARALLEL = 16

NO_PROFILE = "not a profile message of this project"
NO_COLUMN = "none of its columns is in the event mapping"
#: Causes of failed messages that don't come from AWS.
NO_DATASET = "no dataset yet"
NO_TIME = "out of time"
CONTENTION = "modified concurrently"


@dataclass
class BatchResult:
    """The ids of a batch's messages by outcome. Rejected ones also have their content and the reason.

    SQS redelivers `failed` messages, and `causes` counts them by the call that failed. `suppressed` messages are
    dropped, because their users were deleted.
    """

    recorded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rejected: list[tuple[str, Any, Reason]] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)


class RateLimiter:
    """A limit of `rate` calls per second, for all threads together.

    The gap between calls is a little wider than the rate requires, because the time to reach Personalize varies.
    """

    def __init__(
        self, rate: int, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = 1.05 / rate
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def __call__(self) -> None:
        """Wait until the next call is allowed."""
        with self._lock:
            while (wait := self._next - self._clock()) > 0:
                self._sleep(wait)
            self._next = self._clock() + self._gap


def parse(body: str, mapping: EventMapping) -> ProfileRecord | None:
    """Return the profile in a message, None if it has none.

    The profile has all columns of the message, including those that aren't in the mapping.
    """
    try:
        version, *message = json.loads(body)
        if version == MESSAGE_VERSION and type(version) is int:
            dataset, key, columns, (seconds, fraction) = message
        else:
            # The first version, which a queue may still hold: properties as the API names them, and a row's texts.
            dataset = version
            key, text, (seconds, fraction, texts) = message
            if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
                return None
            names = {camel_case(name): name for name in columns_of(mapping, dataset)}
            columns = {names.get(name, name): value for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    good = isinstance(dataset, str) and dataset in OPERATIONS and isinstance(key, str) and any_id(key) is not None
    good = good and type(seconds) is int and isinstance(fraction, str)
    good = good and isinstance(columns, dict) and all(map(_is_value, columns.values()))
    return ProfileRecord(dataset, key, columns, (seconds, fraction)) if good else None


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(element, str) for element in value)
    return isinstance(value, str | int | float)


def columns_of(mapping: EventMapping, dataset: str) -> list[str]:
    """Return the columns of a dataset without its key. Empty if the mapping doesn't have the dataset."""
    found = [one for one in mapping.datasets if one.name == dataset]
    return [column.name for one in found for column in one.columns if column.name != one.key]


class _End(Enum):
    """The step that follows once a group's item is written."""

    TELL = 1
    RECORDED = 2
    REJECTED = 3


@dataclass
class _Group:
    """The messages of a batch for one user or item, and their progress."""

    id: str
    known: Known = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    #: The stored item as far as we know. None: must be read.
    stored: TableItem | None = None
    #: The item before our token was written, and the version that has the token.
    before: TableItem = ABSENT
    registered: int = 0
    #: The last row that Personalize accepted from us, and its answer if it refused one.
    told: str | None = None
    refused: Trouble | None = None


@dataclass
class Sender:
    """Sends batches of profiles to Personalize. With a table, merges them there first."""

    client: "PersonalizeEventsClient"
    arns: Mapping[str, str | None]
    mapping: EventMapping
    table: ProfileTable | None
    limiters: Mapping[str, RateLimiter]
    suppressed: SuppressionList | None = None
    clock: Callable[[], float] = time.time

    def send(self, messages: Mapping[str, str], deadline: Deadline) -> BatchResult:
        """Send the profiles in `messages` (message id -> body) and return each message's outcome.

        All messages for one user or item have the same outcome. Those not sent by the deadline have failed.
        """
        result = BatchResult()
        groups: dict[str, dict[str, _Group]] = {dataset: {} for dataset in OPERATIONS}
        for message_id, body in messages.items():
            profile = parse(body, self.mapping)
            if profile is None:
                result.rejected.append((message_id, body, Reason(None, None, NO_PROFILE)))
                continue
            columns = columns_of(self.mapping, profile.dataset)
            known = {name: cell for name, cell in profile.known.items() if name in columns}
            if self.suppressed is not None and profile.dataset == "users" and self.suppressed.holds(profile.id):
                result.suppressed.append(message_id)
            elif not profile.columns:
                result.recorded.append(message_id)  # first version without columns: nothing to send
            elif not known:
                result.rejected.append((message_id, json.loads(body), Reason(profile.dataset, None, NO_COLUMN)))
            elif self.arns.get(profile.dataset) is None:
                result.failed.append(message_id)
                result.causes[f"{profile.dataset}: {NO_DATASET}"] += 1
            else:
                group = groups[profile.dataset].setdefault(profile.id, _Group(profile.id))
                group.known = merged(group.known, known)
                group.messages.append(message_id)
        for dataset, by_id in groups.items():
            _Dataset(self, dataset, messages, deadline, result).send(list(by_id.values()))
        return result


class _Dataset:
    """The part of one batch for one dataset."""

    def __init__(
        self, sender: Sender, dataset: str, bodies: Mapping[str, str], deadline: Deadline, result: BatchResult
    ) -> None:
        self._sender, self._dataset, self._bodies = sender, dataset, bodies
        self._deadline, self._result = deadline, result
        self._columns = frozenset(columns_of(sender.mapping, dataset))
        self._token = secrets.token_hex(6)

    def send(self, groups: list[_Group]) -> None:
        """Send all groups and add their messages to the result."""
        if self._sender.table is None:
            for group in self._tell([group for group in groups if self._fits(group, group.known)]):
                self._end(group)
            return
        for first in range(0, len(groups), MAX_KEYS):
            self._settle(self._sender.table, groups[first : first + MAX_KEYS])

    def _settle(self, table: ProfileTable, groups: list[_Group]) -> None:
        """Take each group through the steps above, all groups in parallel."""
        for _ in range(MAX_WRITES):
            self._read(table, groups)
            steps = [(group, *step) for group in groups if group.stored and (step := self._step(group, group.stored))]
            groups, tell = [], []
            for (group, stored, end), written in zip(steps, self._write(table, steps), strict=True):
                if written is False:
                    group.stored = None
                    groups.append(group)
                elif written is not True:
                    self._not_written(group, written)
                elif end is _End.TELL:
                    group.stored, group.registered = stored, stored.version
                    tell.append(group)
                else:
                    self._end(group)
            groups += self._tell(tell)
            if not groups:
                return
        self._fail(groups, CONTENTION)

    def _read(self, table: ProfileTable, groups: list[_Group]) -> None:
        """Read the items that aren't known. A group whose item can't be read fails."""
        unread = [group for group in groups if group.stored is None]
        if not unread:
            return
        found: dict[str, TableItem] = {}
        why = "BatchGetItem: unprocessed"
        try:
            found = self._wait(partial(table.read, self._dataset, [group.id for group in unread]))
        except (TransientError, TimeoutError) as error:
            why = _cause(error)
        for group in unread:
            group.stored = found.get(group.id)
        self._fail([group for group in unread if group.stored is None], why)

    def _step(self, group: _Group, stored: TableItem) -> tuple[TableItem, _End] | None:
        """Return the item to write and the step that follows, or None if the group has ended."""
        version, others = stored.version + 1, {one: at for one, at in stored.telling.items() if one != self._token}
        if group.refused is not None:
            columns, told = stored.columns, stored.told
            # A later writer sends our columns too, and Personalize may have accepted them from us before.
            if stored.version == group.registered and group.told is None:
                columns, told = self._without(group, columns), group.before.told
            return TableItem(columns, version, others, told), _End.REJECTED
        columns = merged(stored.columns, group.known)
        row = self._row(columns)
        digest = hashlib.sha256(row.encode()).hexdigest()[:16]
        if not self._fits(group, columns):
            return None
        if group.told == row and self._token in stored.telling:
            return TableItem(columns, version, others, digest), _End.RECORDED
        if not stored.telling and stored.told == digest:
            if columns != stored.columns:
                return TableItem(columns, version, {}, digest), _End.RECORDED
            self._end(group)
            return None
        now = int(self._sender.clock())
        alive = {one: at for one, at in others.items() if now - at < DEAD_SECONDS}
        if not group.registered:
            group.before = stored
        return TableItem(columns, version, alive | {self._token: now}, digest), _End.TELL

    def _without(self, group: _Group, columns: Known) -> Known:
        """Return `columns` with this group's changes undone."""
        ours = {name for name, cell in group.known.items() if columns.get(name) == cell}
        return {name: cell for name, cell in columns.items() if name not in ours} | {
            name: cell for name, cell in group.before.columns.items() if name in ours
        }

    def _write(self, table: ProfileTable, steps: list[tuple[_Group, TableItem, _End]]) -> list[bool | Trouble]:
        """Write the items. Return True for each that is written, False if its version changed, or the trouble."""
        written: list[bool | Trouble] = []
        for first in range(0, len(steps), PARALLEL):
            wave = steps[first : first + PARALLEL]
            calls = [start(partial(table.write, self._dataset, group.id, stored)) for group, stored, _ in wave]
            for call in calls:
                try:
                    written.append(self._deadline.wait(call))
                except TimeoutError:
                    written.append(Trouble(False, NO_TIME, "The time is up"))
        return written

    def _not_written(self, group: _Group, why: Trouble) -> None:
        if why.permanent and why.code in OF_RECORDS:
            self._reject(group, str(why))
        else:
            self._fail([group], f"PutItem: {why.code}")

    def _tell(self, groups: list[_Group]) -> list[_Group]:
        """Send rows. Return the groups whose row was accepted or refused. The others have failed."""
        by_id = {group.id: group for group in groups}
        rows = {group.id: self._row(group.stored.columns if group.stored else group.known) for group in groups}
        told = []
        _, key = OPERATIONS[self._dataset]
        for request in put_profiles(self._dataset, self._sender.arns[self._dataset] or "", rows):
            sent = [by_id[record[key]] for record in request[self._dataset]]
            try:
                refused = self._refused(request)
            except (TransientError, TimeoutError) as error:
                self._fail(sent, _cause(error))
                continue
            told += sent
            for group in sent:
                group.refused = refused.get(group.id)
                if group.refused is None:
                    group.told = rows[group.id]
        return told

    def _refused(self, request: Request) -> dict[str, Trouble]:
        """Send a request and return the refused ids with the causes. Raises TransientError and TimeoutError."""
        if not self._deadline.left():
            raise TimeoutError
        limiter = self._sender.limiters[self._dataset]

        def turn() -> None:
            limiter()
            if not self._deadline.left():  # abandoned: another consumer has the messages now
                raise TransientError("time budget", "is used up", "The messages will be delivered again")

        return self._wait(lambda: dict(send_profiles(self._sender.client, self._dataset, request, turn)))

    def _wait(self, work: Callable[[], T]) -> T:
        return self._deadline.wait(start(work))

    def _row(self, columns: Known) -> str:
        """Return the properties of a row, without columns that the mapping no longer has. The table keeps those."""
        return properties({name: cell for name, cell in columns.items() if name in self._columns})

    def _fits(self, group: _Group, columns: Known) -> bool:
        """Return whether a row of these columns fits into a call. If it doesn't, reject the group."""
        fits = len(self._row(columns)) <= MAX_PROPERTIES[self._dataset]
        if not fits:
            self._reject(group, TOO_LONG[self._dataset])
        return fits

    def _end(self, group: _Group) -> None:
        if group.refused is None:
            self._result.recorded += group.messages
        else:
            self._reject(group, str(group.refused))

    def _fail(self, groups: Iterable[_Group], why: str) -> None:
        for group in groups:
            self._result.failed += group.messages
            self._result.causes[why] += len(group.messages)

    def _reject(self, group: _Group, why: str) -> None:
        reason = Reason(self._dataset, None, why)
        self._result.rejected += [(one, json.loads(self._bodies[one]), reason) for one in group.messages]


def _cause(error: TransientError | TimeoutError) -> str:
    """Return the failed call and the problem, without values of an event."""
    return f"{error.place}: {error.problem}" if isinstance(error, TransientError) else NO_TIME
