"""One live event: recorded first, recommended beside it, written back last; all before one deadline.

The order, and what happens to the event when something fails, is the table of docs/operations.md.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from .. import aws_errors
from ..contract.rows import UNMAPPED, WRITE_BACK, Reason, Row, describe, rows, string
from ..errors import PersonalizeSegmentError, TransientError
from . import recommend, record, writeback
from .clients import Clients
from .deadline import Deadline, start
from .payloads import Profile, profile, put_events
from .recommend import Recommendation
from .settings import Settings, Value
from .writeback import Identity

T = TypeVar("T")

#: The write key and what is recommended, or a word for why nothing is.
_Answer = tuple[str, Recommendation] | str

MALFORMED = "not a JSON object with a type"

RECORDED, REJECTED, IGNORED, UNPROVISIONED = "recorded", "rejected", "ignored", "unprovisioned"


@dataclass
class Outcome:
    """What became of an event.

    `decision` is one of recorded (each row of it), rejected (at least a part of it), ignored
    (our own write-back, or no more than a trigger) and unprovisioned (there is nowhere to
    record it yet). `rows` counts recorded rows by dataset, `unprovisioned` those without a place
    to go. `recommendation` and `write_back` are short words, empty if there was no occasion.
    `milliseconds` is by step.
    """

    decision: str = RECORDED
    rows: dict[str, int] = field(default_factory=dict)
    unprovisioned: int = 0
    reasons: list[Reason] = field(default_factory=list)
    recommendation: str = ""
    write_back: str = ""
    milliseconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Event:
    """An event on its way: what it gave, and the moment by which it is answered."""

    event: dict[str, Any]
    interactions: list[Row]
    profiles: list[Profile]
    deadline: Deadline
    outcome: Outcome


class Live:
    """Takes events one at a time, from as many threads as there are."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients
        self._memory = writeback.Memory()

    def take(self, event: Any, deadline: Deadline) -> Outcome:
        """Record an event and what belongs to it; raise TransientError if it has to be sent again."""
        outcome = Outcome()
        began = time.perf_counter()
        try:
            self._take(event, deadline, outcome)
        except TimeoutError as error:
            raise TransientError("time budget", "is used up", "The event will be sent again") from error
        outcome.milliseconds["total"] = (time.perf_counter() - began) * 1000
        return outcome

    def _take(self, event: Any, deadline: Deadline, outcome: Outcome) -> None:
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            outcome.reasons = [Reason(None, None, MALFORMED)]
            deadline.wait(self._settle(event, outcome))
            return
        if describe(event) == ("identify", WRITE_BACK):
            outcome.decision = IGNORED
            return
        found, outcome.reasons = rows(self._settings.mapping, event, anonymous=True)
        profiles = [profile(row) for row in found if row.dataset.name != "interactions"]
        outcome.reasons += [one for one in profiles if isinstance(one, Reason)]
        one = _Event(
            event,
            [row for row in found if row.dataset.name == "interactions"],
            _latest(one for one in profiles if isinstance(one, Profile)),
            deadline,
            outcome,
        )
        calls = self._record(one)
        recommendation = self._recommend(one)
        for dataset, number, call in calls:
            refused = deadline.wait(call)
            outcome.reasons += refused
            outcome.rows[dataset] = number - len(refused)
        if outcome.unprovisioned and not any(outcome.rows.values()):
            outcome.decision = UNPROVISIONED
        if outcome.reasons == [Reason(None, None, UNMAPPED)] and self._only_trigger(event):
            outcome.reasons, outcome.decision = [], IGNORED
        kept = self._settle(event, outcome)
        if recommendation is not None and outcome.rows.get("interactions") != 0:
            self._write_back(one, *recommendation)
        deadline.wait(kept)

    def _record(self, one: _Event) -> "list[tuple[str, int, Future[list[Reason]]]]":
        """Start to send all rows, side by side: by dataset how many, and the call that says which are refused."""
        outcome, settings = one.outcome, self._settings
        calls: list[tuple[str, int, Future[list[Reason]]]] = []
        if one.interactions:
            tracking_id = self._value(settings.tracking_id, one.deadline)
            requests, refused = put_events(tracking_id or "", one.event, one.interactions)
            outcome.reasons += refused
            number = len(one.interactions) - len(refused)
            if tracking_id is None:
                outcome.unprovisioned += number
            elif not requests:
                outcome.rows["interactions"] = 0
            else:
                call = _start(outcome, "interactions", lambda: record.record_events(self._clients.events, requests))
                calls.append(("interactions", number, call))
        for dataset, arn in (("users", settings.users), ("items", settings.items)):
            several = [each for each in one.profiles if each.dataset == dataset]
            if not several:
                continue
            place = settings.profile_queue or self._value(arn, one.deadline)
            if place is None:
                outcome.unprovisioned += len(several)
                continue
            call = _start(outcome, dataset, partial(self._profiles, dataset, place, several))
            calls.append((dataset, len(several), call))
        return calls

    def _profiles(self, dataset: str, place: str, profiles: list[Profile]) -> list[Reason]:
        if self._settings.profile_queue:
            record.queue_profiles(self._clients.sqs, place, profiles)
            return []
        return record.record_profiles(self._clients.events, dataset, place, profiles)

    def _settle(self, event: Any, outcome: Outcome) -> "Future[None]":
        """Decide, and keep an event that was refused, or a part of which was."""
        settings, reasons = self._settings, list(outcome.reasons)
        if reasons:
            outcome.decision = REJECTED
        url = settings.rejected_queue
        unmapped = all(reason.reason == UNMAPPED for reason in reasons)
        if url is None or not reasons or (unmapped and not settings.keep_unmapped):
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        return _start(
            outcome,
            "reject",
            lambda: record.reject(self._clients.sqs, url, reasons, settings.mapping.sha256, event=event),
        )

    def _only_trigger(self, event: dict[str, Any]) -> bool:
        return describe(event)[1] in (self._settings.triggers or ())

    def _recommend(self, one: _Event) -> "tuple[Identity, Future[_Answer]] | None":
        """Ask for recommendations if they are to be written back; say in the outcome why not."""
        settings, outcome = self._settings, one.outcome
        if settings.campaign is None or settings.write_key is None:
            return None
        if not one.interactions if settings.triggers is None else not self._only_trigger(one.event):
            return None
        who = Identity.of(one.event)
        user = _user(one)
        if who is None or user is None:
            outcome.write_back = "nobody"
            return None
        if self._memory.too_soon(who, settings.interval):
            outcome.write_back = "too soon"
            return None
        return who, _start(outcome, "recommend", lambda: self._ask(one.event, user))

    def _ask(self, event: dict[str, Any], user: str) -> "_Answer":
        """Return the write key and recommendations, or a word for why there are none."""
        settings, value = self._settings, self._clients.value
        arn, key, filter_arn = value(settings.campaign), value(settings.write_key), value(settings.filter)
        if arn is None or key is None or (settings.filter is not None and filter_arn is None):
            return UNPROVISIONED
        try:
            made = recommend.request(settings, arn, filter_arn, event, user)
        except ValueError as error:
            return str(error)
        return key, recommend.recommend(self._clients.runtime, made)

    def _write_back(self, one: _Event, who: Identity, call: "Future[_Answer]") -> None:
        """Write recommendations back; trouble here is said in the outcome, and never fails the event."""
        outcome, settings = one.outcome, self._settings
        try:
            answer = one.deadline.wait(call)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is recorded and must not be sent again
            outcome.recommendation = f"failed: {_word(error)}"
            return
        if isinstance(answer, str):
            outcome.recommendation = answer
            return
        key, recommendation = answer
        outcome.recommendation = "fetched" if recommendation.items else "empty"
        if not recommendation.items:
            return
        if self._memory.unchanged(who, recommendation.items):
            outcome.write_back = "unchanged"
        else:
            what = writeback.traits(recommendation, settings.trait, settings.shape)
            cause = string(one.event.get("messageId")) or str(time.time_ns())
            try:
                one.deadline.wait(
                    _start(
                        outcome,
                        "write_back",
                        lambda: writeback.write_back(self._clients.segment(key), who, what, cause, one.deadline),
                    )
                )
            except Exception as error:  # noqa: BLE001 - as above
                outcome.write_back = f"failed: {_word(error)}"
                return
            outcome.write_back = "sent"
        self._memory.remember(who, recommendation.items)

    def _value(self, value: Value, deadline: Deadline) -> str | None:
        if value is None or isinstance(value, str):
            return value
        return deadline.wait(start(lambda: self._clients.value(value)))


def _latest(profiles: Iterable[Profile]) -> list[Profile]:
    """Return the latest profile of each user and item: an order may have a product twice."""
    latest: dict[tuple[str, str], Profile] = {}
    for one in profiles:
        latest[one.dataset, one.id] = max(latest.get((one.dataset, one.id), one), one, key=lambda each: each.order)
    return list(latest.values())


def _word(error: Exception) -> str:
    """Return a short word for metrics and logs, without anything of the event."""
    return error.problem if isinstance(error, PersonalizeSegmentError) else aws_errors.of(error).code


def _user(one: _Event) -> str | None:
    """Return whom Personalize knows the event by: the interaction's user, or the session of a visitor."""
    if one.interactions:
        row = one.interactions[0]
        user = row.values[[column.name for column in row.dataset.columns].index("USER_ID")]
        if isinstance(user, str):
            return user
    who = Identity.of(one.event)
    return who and (who.user_id or who.anonymous_id)


def _start(outcome: Outcome, step: str, work: Callable[[], T]) -> "Future[T]":
    """Start `work` beside us and note how long it took, in milliseconds, also when it fails."""

    def run() -> T:
        began = time.perf_counter()
        try:
            return work()
        finally:
            outcome.milliseconds[step] = (time.perf_counter() - began) * 1000

    return start(run)
