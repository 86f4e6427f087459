"""Users and items from the queue -> PutUsers and PutItems: whole rows, merged column by column, at a limited rate.

Personalize takes ten calls per second for each of the two operations, while Segment sends one
event at a time, which carries only what changed. The table of `profile_table` knows the rest.

For a user or an item, a consumer

1. reads the item and merges its messages into it, column by column: those may come late, twice and out of order;
2. if Personalize has that row already and nobody is sending another, writes back the newer instants and is done;
3. else writes the merged columns and its own token into `telling`, sends the whole row, and takes the token out;
4. deletes its messages after that, and only then.

Every write is conditional on the version that was read; who loses starts again with 1. So

- *Personalize is never told what the table doesn't know*: a row is sent after the write of that row succeeded.
- *The table never knows what Personalize isn't told*: whoever changes a row holds a token and messages until the row is
  sent. If that consumer dies, both remain: SQS delivers the messages again, and the token keeps each other consumer of
  the item from step 2, so that any message for it leads to the whole row.
- *The last row that arrives is the newest*, although two consumers may send in the wrong order. A consumer gives its
  token back by a write that succeeds only if the item's row is the one it sent, and sends again otherwise. As long as
  it holds the token, nobody else is content with an unchanged row.

A consumer doesn't live longer than Lambda's 15 minutes, so a token of an hour ago belongs to a dead one: the next
consumer that tells takes it out. What is assumed: a request that was given up doesn't arrive later than the
next delivery of its message. docs/adr/0018-profiles-are-merged-in-a-table.md has the alternatives.

A row that Personalize refuses is taken back, column by column where nobody has written since, and the messages go to
the queue of rejected events.
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

#: A token that is older is a dead consumer's.
DEAD_SECONDS = 3600
#: How often an item is written before its messages go back to the queue: others write it all the time.
MAX_WRITES = 20
#: Writes at the same time.
PARALLEL = 16

NO_PROFILE = "no profile of this project"
NO_COLUMN = "no column of the event mapping"
#: Causes of failed messages that aren't an answer of AWS.
NO_DATASET = "no dataset yet"
NO_TIME = "out of time"
CONTENTION = "written by others all the time"


@dataclass
class BatchResult:
    """The messages of one batch by outcome: their ids, and of rejected ones also what they hold and the reason.

    SQS delivers `failed` messages again; `causes` counts them by what failed. `suppressed` ones are of users who were
    forgotten, and dropped.
    """

    recorded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rejected: list[tuple[str, Any, Reason]] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)


class RateLimiter:
    """At most `rate` calls in any second, for all threads together.

    The gap is a little wider than the rate asks for, because the way to Personalize is not equally
    long for each call.
    """

    def __init__(
        self, rate: int, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = 1.05 / rate
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def __call__(self) -> None:
        """Wait for the turn of one call."""
        with self._lock:
            while (wait := self._next - self._clock()) > 0:
                self._sleep(wait)
            self._next = self._clock() + self._gap


def parse(body: str, mapping: EventMapping) -> ProfileRecord | None:
    """Return the profile in a message, None if it holds none.

    It has all columns of the message, also those that aren't in the mapping.
    """
    try:
        version, *message = json.loads(body)
        if version == MESSAGE_VERSION and type(version) is int:
            dataset, key, columns, (seconds, fraction) = message
        else:
            # The first version, which may still be in a queue: properties as the API has them, and a row's texts.
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
    """Return the columns of a dataset besides its key; none if the mapping doesn't have the dataset."""
    found = [one for one in mapping.datasets if one.name == dataset]
    return [column.name for one in found for column in one.columns if column.name != one.key]


class _End(Enum):
    """What becomes of a group once an item is written."""

    TELL = 1
    RECORDED = 2
    REJECTED = 3


@dataclass
class _Group:
    """The messages of a batch for one user or item, and how far they are."""

    id: str
    known: Known = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    #: What is stored, as far as we know; None: to be read.
    stored: TableItem | None = None
    #: What was stored before our token was, and the version that has it.
    before: TableItem = ABSENT
    registered: int = 0
    #: The row that Personalize took from us last, and why it refused one.
    told: str | None = None
    refused: Trouble | None = None


@dataclass
class Sender:
    """Sends the profiles of batches to Personalize, and keeps what it knows of them in the table, if there is one."""

    client: "PersonalizeEventsClient"
    arns: Mapping[str, str | None]
    mapping: EventMapping
    table: ProfileTable | None
    limiters: Mapping[str, RateLimiter]
    suppressed: SuppressionList | None = None
    clock: Callable[[], float] = time.time

    def send(self, messages: Mapping[str, str], deadline: Deadline) -> BatchResult:
        """Send the profiles in `messages` (message id -> body) and return what became of each message.

        Several messages for one user or item share their fate. Whatever is not sent when the deadline comes has failed.
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
                result.recorded.append(message_id)  # of a first version: nothing is known, so nothing is told
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
    """One batch on its way into one dataset."""

    def __init__(
        self, sender: Sender, dataset: str, bodies: Mapping[str, str], deadline: Deadline, result: BatchResult
    ) -> None:
        self._sender, self._dataset, self._bodies = sender, dataset, bodies
        self._deadline, self._result = deadline, result
        self._columns = frozenset(columns_of(sender.mapping, dataset))
        self._token = secrets.token_hex(6)

    def send(self, groups: list[_Group]) -> None:
        """Bring the messages of all groups into the result."""
        if self._sender.table is None:
            for group in self._tell([group for group in groups if self._fits(group, group.known)]):
                self._end(group)
            return
        for first in range(0, len(groups), MAX_KEYS):
            self._settle(self._sender.table, groups[first : first + MAX_KEYS])

    def _settle(self, table: ProfileTable, groups: list[_Group]) -> None:
        """Take each group through the steps above, all of them side by side."""
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
        """Read the items that have to be; a group whose item can't be read has failed."""
        unread = [group for group in groups if group.stored is None]
        if not unread:
            return
        found: dict[str, TableItem] = {}
        why = "BatchGetItem: left over"
        try:
            found = self._wait(partial(table.read, self._dataset, [group.id for group in unread]))
        except (TransientError, TimeoutError) as error:
            why = _cause(error)
        for group in unread:
            group.stored = found.get(group.id)
        self._fail([group for group in unread if group.stored is None], why)

    def _step(self, group: _Group, stored: TableItem) -> tuple[TableItem, _End] | None:
        """Return what is to be written next and what follows from it; None if the group is at its end."""
        version, others = stored.version + 1, {one: at for one, at in stored.telling.items() if one != self._token}
        if group.refused is not None:
            columns, told = stored.columns, stored.told
            # Whoever has written since sends our columns, too; and Personalize may have taken them from us before.
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
        """Return `columns` as they were before this group's."""
        ours = {name for name, cell in group.known.items() if columns.get(name) == cell}
        return {name: cell for name, cell in columns.items() if name not in ours} | {
            name: cell for name, cell in group.before.columns.items() if name in ours
        }

    def _write(self, table: ProfileTable, steps: list[tuple[_Group, TableItem, _End]]) -> list[bool | Trouble]:
        """Write the items and return for each whether it is written, or why it can't be."""
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
        """Send rows; return the groups whose row was taken or refused. The others have failed."""
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
        """Send a request and return why each refused id was refused. Raises TransientError and TimeoutError."""
        if not self._deadline.left():
            raise TimeoutError
        limiter = self._sender.limiters[self._dataset]

        def turn() -> None:
            limiter()
            if not self._deadline.left():  # we were left behind: the messages are another consumer's now
                raise TransientError("time budget", "is used up", "The messages will be delivered again")

        return self._wait(lambda: dict(send_profiles(self._sender.client, self._dataset, request, turn)))

    def _wait(self, work: Callable[[], T]) -> T:
        return self._deadline.wait(start(work))

    def _row(self, columns: Known) -> str:
        """Return the properties of a row: what the table has of a column that left the mapping stays there."""
        return properties({name: cell for name, cell in columns.items() if name in self._columns})

    def _fits(self, group: _Group, columns: Known) -> bool:
        """Return whether a call takes a row of these columns; reject the group if not."""
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
    """Return what failed, without values of an event."""
    return f"{error.place}: {error.problem}" if isinstance(error, TransientError) else NO_TIME
