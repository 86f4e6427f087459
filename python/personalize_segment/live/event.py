"""One live event: record it first, get recommendations in parallel, write them back last, all before one deadline.

`Live.take` has the whole path, from top to bottom: rows, send, decide, keep, write back. The table in
docs/operations.md lists the outcome if a step fails.
"""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from .. import aws_errors
from ..contract.columns import USER_ID
from ..contract.rows import (
    MISSING,
    NO_CONDITION,
    UNMAPPED,
    WRITE_BACK,
    Reason,
    Row,
    describe,
    first_id,
    id_text,
    rows,
    session,
)
from ..contract.suppression import SUPPRESSED, SuppressionList
from ..errors import PersonalizeSegmentError, TransientError
from . import recommend, record, writeback
from .allowance import Allowance, SharedAllowance
from .clients import Clients
from .deadline import Deadline, start
from .payloads import ProfileRecord, combined, fitted, profile, put_events
from .recommend import NotAskedError, Recommendation, TooManyError
from .settings import EVERY, Reference, Settings, SettingValue
from .writeback import Identity

MALFORMED = "not a JSON object with a type"

#: Reasons of an identify of a visitor who hasn't logged in.
_NO_USER = Reason("users", USER_ID, MISSING)
_VISITOR = Reason("interactions", USER_ID, MISSING)

#: Events that trigger recommendations by default: they say most about a user, and are rarer than views and clicks.
MARKED = frozenset({"Purchase", "AddToCart", "AddToWishlist", "Watch"})

RECORDED, REJECTED, IGNORED, UNPROVISIONED = "recorded", "rejected", "ignored", "unprovisioned"
NO_RULE = "unmapped"
TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an event.

    `decision` is one of

    - recorded: every row of it;
    - rejected: at least a part of it was refused;
    - unmapped: no rule matches it, or no rule's conditions hold;
    - ignored: our own write-back, an event that only triggers recommendations, or a profile without a value;
    - suppressed: its user was deleted;
    - unprovisioned: its datasets don't exist yet.

    `rows` counts recorded rows by dataset, `unprovisioned` the rows whose dataset doesn't exist. `keep` says whether
    the event goes to the rejected queue. `nulls` lists optional values that are present but unusable (rule 6), and
    `ahead` counts rows whose instant came from a wrong clock (rule 4). `recommendation` and `write_back` are short
    words, empty if not attempted. `markup` counts the recommended ids that were left out. `milliseconds` is by step.
    """

    decision: str
    rows: dict[str, int]
    unprovisioned: int
    reasons: list[Reason]
    keep: bool
    nulls: list[Reason] = field(default_factory=list)
    ahead: int = 0
    markup: int = 0
    recommendation: str = ""
    write_back: str = ""
    milliseconds: dict[str, float] = field(default_factory=dict)


class EventRows(NamedTuple):
    """The rows of an event, the reasons for missing ones, and whether it triggers recommendations."""

    interactions: list[Row]
    profiles: list[ProfileRecord]
    reasons: list[Reason]
    triggers: bool
    nulls: list[Reason]
    ahead: int = 0
    suppressed: bool = False


class Sent(NamedTuple):
    """The rows sent to a dataset: their number, the reasons of refused ones, and the call, which returns more reasons.

    `call` is None once it has been waited for, if no row was left, or if the dataset doesn't exist yet.
    """

    dataset: str
    provisioned: bool
    number: int
    refused: list[Reason]
    call: "Future[list[Reason]] | None"

    def wait(self, deadline: Deadline) -> "Sent":
        """Return the recorded rows and the reasons of all others."""
        refused = [] if self.call is None else deadline.wait(self.call)
        return Sent(self.dataset, self.provisioned, self.number - len(refused), self.refused + refused, None)


class Asked(NamedTuple):
    """A pending request for recommendations, which also returns the write key, and the identity they are for."""

    who: Identity
    call: "Future[tuple[str, Recommendation]]"


class Live:
    """Processes live events, one per call. Thread-safe."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients
        self._memory = writeback.Memory()
        self._allowance = Allowance(settings.per_minute)
        asks = settings.campaign and settings.write_key
        table = settings.profile_table if asks else None
        self._shared = SharedAllowance(clients.dynamodb, table, settings.per_minute) if table else None

    def take(self, event: Any, deadline: Deadline) -> Outcome:
        """Record an event and write recommendations back. Raises TransientError if Segment must send it again."""
        began, recommendation, markup = time.perf_counter(), "", 0
        try:
            event_rows = read(self._settings, event, self._suppressed(deadline))
            sent = self._send(event, event_rows, deadline)
            asked, write_back = self._ask(event, event_rows, deadline)
            outcome = decide(self._settings, event_rows, [rows.wait(deadline) for rows in sent])
            kept = self._keep(event, outcome, deadline)
            if asked is not None and outcome.rows.get("interactions") != 0:
                recommendation, write_back, markup = self._write_back(event, asked, deadline)
            if kept is not None:
                deadline.wait(kept)
        except TimeoutError as error:
            raise TransientError("time budget", "is used up", "The event will be sent again") from error
        # A copy, because an abandoned call may still add its duration.
        milliseconds = deadline.milliseconds | {"total": (time.perf_counter() - began) * 1000}
        return replace(
            outcome, recommendation=recommendation, write_back=write_back, markup=markup, milliseconds=milliseconds
        )

    def _suppressed(self, deadline: Deadline) -> SuppressionList | None:
        """Return the suppression list."""
        return None if self._settings.suppression_list is None else deadline.wait(start(self._clients.suppressed))

    def _send(self, event: Any, event_rows: EventRows, deadline: Deadline) -> list[Sent]:
        """Start sending all rows, in parallel."""
        settings, clients = self._settings, self._clients
        sent: list[Sent] = []
        if event_rows.interactions:
            tracking_id = self._value(settings.tracking_id, deadline)
            requests, refused = put_events(tracking_id or "", session(settings.mapping, event), event_rows.interactions)
            call = None
            if tracking_id is not None and requests:
                call = deadline.start("interactions", lambda: record.record_events(clients.events, requests))
            number = len(event_rows.interactions) - len(refused)
            sent.append(Sent("interactions", tracking_id is not None, number, refused, call))
        for dataset, arn in (("users", settings.users), ("items", settings.items)):
            profiles = [profile for profile in event_rows.profiles if profile.dataset == dataset]
            if not profiles:
                continue
            place = settings.profile_queue or self._value(arn, deadline)
            call = None
            if place is not None:
                call = deadline.start(dataset, partial(self._send_profiles, dataset, place, profiles))
            sent.append(Sent(dataset, place is not None, len(profiles), [], call))
        return sent

    def _send_profiles(self, dataset: str, place: str, profiles: list[ProfileRecord]) -> list[Reason]:
        if self._settings.profile_queue:
            record.queue_profiles(self._clients.sqs, place, profiles)
            return []
        return record.record_profiles(self._clients.events, dataset, place, profiles)

    def _ask(self, event: Any, event_rows: EventRows, deadline: Deadline) -> tuple[Asked | None, str]:
        """Start a request for recommendations. Return it, or None and a short reason (empty if none is due)."""
        settings = self._settings
        if settings.campaign is None or settings.write_key is None or not event_rows.triggers:
            return None, ""
        who = Identity.of(event)
        if who is None:
            return None, "no identity"
        if who.user_id is None and not settings.visitors:
            return None, "visitor"
        user = who.user_id or who.anonymous_id or ""
        users = {row.user for row in event_rows.interactions}
        users |= {profile.id for profile in event_rows.profiles if profile.dataset == "users"}
        known = user if who.user_id is None else first_id(settings.mapping.user, event)
        if known != user or users - {None, user}:
            # The mapping takes the user from another path. A sender could request another user's recommendations.
            return None, "another user"
        if self._memory.too_soon(who, settings.interval):
            return None, "too soon"
        if not self._allowance.take():
            return None, TOO_MANY
        return Asked(who, deadline.start("recommend", lambda: self._recommend(event, user))), ""

    def _recommend(self, event: dict[str, Any], user: str) -> tuple[str, Recommendation]:
        """Return the write key and recommendations. Raises NotAskedError, TooManyError and the errors of calls."""
        settings, value = self._settings, self._clients.value
        arn, key, filter_arn = value(settings.campaign), value(settings.write_key), value(settings.filter)
        if arn is None or key is None or (settings.filter is not None and filter_arn is None):
            raise NotAskedError(UNPROVISIONED)
        if self._shared is not None and not self._shared.take():
            raise TooManyError
        request = recommend.request(settings, arn, filter_arn, event, user)
        try:
            return key, recommend.recommend(self._clients.runtime, request)
        except aws_errors.FAILURES as error:
            without = filter_arn is not None and len(request.get("filterValues", ())) < len(settings.filter_values)
            if without and aws_errors.of(error).permanent:
                raise NotAskedError("no filter value") from error
            raise

    def _keep(self, event: Any, outcome: Outcome, deadline: Deadline) -> "Future[None] | None":
        """Start sending an event that was refused, in whole or in part, to the rejected queue."""
        settings, clients, url = self._settings, self._clients, self._settings.rejected_queue
        if url is None or not outcome.keep:
            return None
        sha256 = settings.mapping.sha256
        return deadline.start("reject", lambda: record.reject(clients.sqs, url, outcome.reasons, sha256, event=event))

    def _write_back(self, event: dict[str, Any], asked: Asked, deadline: Deadline) -> tuple[str, str, int]:
        """Write recommendations back. Return a short word for the request, one for the write, and the ids left out.

        A failure becomes such a word and is never raised: the event is recorded and must not be sent again.
        """
        settings = self._settings
        try:
            key, recommendation = deadline.wait(asked.call)
        except NotAskedError as error:
            return str(error), "", 0
        except TooManyError:
            return "", TOO_MANY, 0
        except Exception as error:  # noqa: BLE001 - as above
            return f"failed: {_word(error)}", "", 0
        if not recommendation.items:
            return "empty", "", recommendation.markup
        said = "unchanged"
        if not self._memory.unchanged(asked.who, recommendation.items):
            traits = writeback.traits(recommendation, settings.trait, settings.shape)
            cause = id_text(event.get("messageId")) or str(time.time_ns())

            def write() -> None:
                writeback.write_back(self._clients.segment(key), asked.who, traits, cause, deadline)

            try:
                deadline.wait(deadline.start("write_back", write))
            except Exception as error:  # noqa: BLE001 - as above
                return "fetched", f"failed: {_word(error)}", recommendation.markup
            said = "sent"
        self._memory.remember(asked.who, recommendation.items)
        return "fetched", said, recommendation.markup

    def _value(self, value: SettingValue, deadline: Deadline) -> str | None:
        return deadline.wait(start(lambda: self._clients.value(value))) if isinstance(value, Reference) else value


def read(settings: Settings, event: Any, suppressed: SuppressionList | None = None) -> EventRows:
    """Return the rows of an event, which may be any JSON value.

    For a suppressed user, these are the rows for items only, and the event doesn't trigger recommendations.
    """
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return EventRows([], [], [Reason(None, None, MALFORMED)], False, [])
    call, name = describe(event)
    if (call, name) == ("identify", WRITE_BACK):
        return EventRows([], [], [], False, [])
    found, reasons = rows(settings.mapping, event, present=int(time.time()), suppressed=suppressed)
    who = Identity.of(event)
    if any(reason.reason == SUPPRESSED for reason in reasons) or (
        suppressed is not None and who is not None and suppressed.holds(who.user_id)
    ):
        items = [profile(row) for row in found if row.dataset.name == "items"]
        said = combined(record for record in items if isinstance(record, ProfileRecord))
        return EventRows([], said, [], triggers=False, nulls=[], suppressed=True)
    if call == "identify" and reasons == [_NO_USER] and session(settings.mapping, event) is not None:
        reasons = []  # a visitor's traits, without a user to record them for
    if settings.mapping.visitors == "drop" and session(settings.mapping, event) is not None:
        reasons = [reason for reason in reasons if reason[:3] != _VISITOR[:3]]
    interactions = [fitted(row) for row in found if row.dataset.name == "interactions"]
    profiles = [profile(row) for row in found if row.dataset.name != "interactions"]
    reasons += [refused for refused in (*interactions, *profiles) if isinstance(refused, Reason)]
    kept = [row for row in interactions if isinstance(row, Row)]
    others = [row for row in found if row.dataset.name != "interactions"]
    return EventRows(
        kept,
        combined(record for record in profiles if isinstance(record, ProfileRecord)),
        reasons,
        _triggers(settings.triggers, name, kept),
        [why for row in (*kept, *others) for why in row.unusable],
        sum(row.ahead for row in found),
    )


def decide(settings: Settings, event_rows: EventRows, sent: list[Sent]) -> Outcome:
    """Return the outcome of an event from its rows and the results of sending them."""
    reasons = event_rows.reasons + [reason for rows in sent for reason in rows.refused]
    unmapped = all(reason.reason in (UNMAPPED, NO_CONDITION) for reason in reasons)
    if event_rows.triggers and unmapped:
        reasons = []
    recorded = {rows.dataset: rows.number for rows in sent if rows.provisioned}
    unprovisioned = sum(rows.number for rows in sent if not rows.provisioned)
    if event_rows.suppressed:
        # Whatever the other reasons are, the event isn't kept either.
        return Outcome(SUPPRESSED, recorded, unprovisioned, [], keep=False)
    if reasons:
        decision = NO_RULE if unmapped else REJECTED
    elif not sent:
        decision = IGNORED
    elif unprovisioned and not any(recorded.values()):
        decision = UNPROVISIONED
    else:
        decision = RECORDED
    keep = bool(reasons) and (settings.keep_unmapped or not unmapped)
    return Outcome(decision, recorded, unprovisioned, reasons, keep, event_rows.nulls, event_rows.ahead)


def _triggers(triggers: tuple[str, ...] | None, name: str | None, interactions: list[Row]) -> bool:
    """Return whether an event triggers recommendations."""
    if triggers == EVERY:
        return bool(interactions)
    if triggers is not None:
        return name in triggers
    if not interactions:
        return False
    place = [column.name for column in interactions[0].dataset.columns].index("EVENT_TYPE")
    return any(row.values[place] in MARKED for row in interactions)


def _word(error: Exception) -> str:
    """Return a short word for metrics and logs, without values of the event."""
    return error.problem if isinstance(error, PersonalizeSegmentError) else aws_errors.of(error).code
