"""Events of visitors and users in order of arrival, with the owner of each interaction (contract, rule 12)."""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from personalize_segment.contract.mapping import EventMapping, default_text, parse

VIEWED = "Product Viewed"
#: Whose an interaction is that isn't written, because a copy of it is.
COPY = "copy"
#: Ids that are none (rule 3).
_NOTHING = ("", " ", "undefined", "null", None)


def visitors(value: str, text: str | None = None) -> EventMapping:
    """Return a mapping, the default one without `text`, that says `value` of visitors."""
    document = json.loads(text or default_text())
    document["interactions"]["visitors"] = value
    return parse(json.dumps(document))


@dataclass(frozen=True, slots=True)
class Happened:
    """An event `after` so many seconds; `whose` it is as an interaction: a user, or None for none."""

    after: float | None
    session: str | None
    user: str | None
    whose: str | None = None
    event: str = VIEWED
    more: dict[str, Any] = field(default_factory=dict)


def view(after: float | None, session: str | None, user: str | None, whose: str | None, **more: Any) -> Happened:
    """Return an event that the default mapping makes an interaction."""
    return Happened(after, session, user, whose, more=more)


def other(
    after: float | None, session: str | None, user: str | None, event: str = "Signed In", **more: Any
) -> Happened:
    """Return an event that is none: of a name without a rule, or of a call."""
    return Happened(after, session, user, None, event, more)


@dataclass(frozen=True, slots=True)
class Sequence:
    """What happened; sessions and users have the sequence's name in front, so that sequences don't meet."""

    name: str
    events: list[Happened]

    def id(self, name: str | None) -> str | None:
        """Return the id of a session or a user of this sequence."""
        return name if name in (*_NOTHING, COPY) else f"{self.name} {name}"

    def log(self) -> list[dict[str, Any]]:
        """Return the events."""
        return [self._event(number, one) for number, one in enumerate(self.events)]

    def _event(self, number: int, one: Happened) -> dict[str, Any]:
        message = one.more.get("messageId", number)
        event: dict[str, Any] = {"messageId": f"{self.name} {message}", "receivedAt": clock(50_000)}
        if one.after is not None:
            event["timestamp"] = clock(one.after)
        if one.session is not None:
            event["anonymousId"] = self.id(one.session)
        if one.user is not None:
            event["userId"] = self.id(one.user)
        if one.event in ("identify", "alias", "group", "page", "screen"):
            event["type"] = one.event
        else:
            event |= {"type": "track", "event": one.event, "properties": {"product_id": f"p{message}"}}
        if "previousId" in one.more:
            event["previousId"] = self.id(one.more["previousId"])
        return event | {key: value for key, value in one.more.items() if key not in ("messageId", "previousId")}


def clock(after: float) -> str:
    """Return an instant of 2024-03-01, so many seconds after noon."""
    whole, fraction = divmod(round((43_200 + after) * 1000), 1000)
    days, second = divmod(whole, 86_400)
    text = f"2024-03-{1 + days:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{text}.{fraction:03}Z" if fraction else f"{text}Z"


SEQUENCES = [
    Sequence("login", [view(0, "a", None, "u"), other(1, "a", "u"), view(2, "a", "u", "u"), view(3, "a", None, "u")]),
    Sequence("never", [view(0, "a", None, None), view(1, "b", None, None), other(2, "a", None)]),
    Sequence("no one", [view(0, None, None, None), view(1, "undefined", "", None), view(2, " ", None, None)]),
    Sequence("identify", [view(0, "a", None, "u"), other(1, "a", "u", "identify", traits={"plan": "pro"})]),
    Sequence("page", [view(0, "a", None, "u"), other(1, "a", "u", "page", name="Home")]),
    Sequence("group", [view(0, "a", None, "u"), other(1, "a", "u", "group", groupId="g")]),
    # One user on two devices, and a third device that stays a visitor's.
    Sequence(
        "two devices",
        [
            view(0, "a", None, "u"), view(1, "b", None, "u"), other(2, "a", "u"), other(3, "b", "u"),
            view(4, "c", None, None),
        ],
    ),
    # Two users on one device: the next to log in, and after the last login the last user.
    Sequence(
        "shared device",
        [
            view(0, "a", None, "u"), view(1, "a", "u", "u"), view(2, "a", None, "v"), view(3, "a", "v", "v"),
            view(4, "a", None, "v"), view(5, "a", "u", "u"), view(6, "a", None, "v"),
        ],
    ),
    # Events after a logout belong to the next user who logs in.
    Sequence("logout", [view(0, "a", "u", "u"), view(1, "a", None, "v"), other(2, "a", "v"), view(9, "a", "", "v")]),
    Sequence("again", [view(0, "a", "u", "u"), view(1, "a", None, "u"), view(2, "a", "u", "u")]),
    Sequence("alias", [view(0, "a", None, "u"), other(1, "b", "u", "alias", previousId="a"), view(2, "b", None, "u")]),
    Sequence("alias alone", [view(0, "a", None, "u"), other(1, None, "u", "alias", previousId="a")]),
    Sequence("alias of nothing", [view(0, "a", None, None), other(1, None, "u", "alias", previousId="undefined")]),
    # Events arrive in another order than they happened.
    Sequence("late", [view(5, "a", "v", "v"), view(2, "a", None, "u"), other(3, "a", "u"), view(4, "a", None, "v")]),
    Sequence("first", [view(9, "a", "u", "u"), view(5, "a", "v", "v"), other(1, "a", "u"), view(3, "a", None, "v")]),
    # The same second is "at or after", whatever the fractions are; the smallest text wins there.
    Sequence("second", [view(1.9, "a", None, "u"), other(1.1, "a", "u"), other(2, "a", "v")]),
    Sequence("tie", [view(1, "a", None, "u1"), other(2, "a", "u2"), other(2.5, "a", "u1"), other(2, "a", "v")]),
    Sequence("tie before", [view(3, "a", None, "\ue000"), other(2, "a", "\U0001f600"), other(2, "a", "\ue000")]),
    # Copies are one row, and so are those of which one names the user.
    Sequence(
        "repeat",
        [view(0, "a", None, "u", messageId="m"), view(0, "a", "", COPY, messageId="m"), other(1, "a", "u")],
    ),
    Sequence("repeat of a user", [view(0, "a", None, COPY, messageId="m"), view(0, "a", "u", "u", messageId="m")]),
    # A clock in 2038 counts as receivedAt, which is after all others.
    Sequence(
        "2038",
        [view(0, "a", None, "v"), other(None, "a", "u", timestamp="2038-01-01T00:00:00Z"), other(2, "a", "v"),
         view(3, "a", None, "u")],
    ),
    Sequence("no time", [view(0, "a", None, None), other(None, "a", "u")]),
    # The session is the user, or there is none: nothing to learn.
    Sequence("itself", [view(0, "a", None, None), other(1, "a", "a"), view(2, None, "a", "a")]),
    Sequence("server", [view(0, None, "u", "u"), other(1, "undefined", "u"), view(2, "undefined", None, None)]),
    Sequence("placeholder", [view(0, "a", "undefined", "u"), other(1, "a", "null"), other(2, "a", "u")]),
    # A user id outside the domain is no one, not a visitor.
    Sequence("out of domain", [view(0, "a", None, None, userId="x" * 257), view(1, "a", "u", "u")]),
    # More users than are looked through one by one.
    Sequence(
        "kiosk",
        [
            view(10, "a", None, "u10"), view(10.5, "a", None, "u10"), view(99, "a", None, "u39"),
            view(-1, "a", None, "u00"), *(other(number, "a", f"u{number:02}") for number in range(40)),
        ],
    ),
]  # fmt: skip


#: Anything that a few users may do on a few sessions in a few seconds, each as often as they like.
happenings = st.builds(
    Happened,
    st.sampled_from([0, 0.5, 1, 2, 3, 4, 5, 100_000, 200_000, None]),
    st.sampled_from(["a", "b", "u", "undefined", None]),
    st.sampled_from(["u", "v", "a", "", None, None, None]),
    st.none(),
    st.sampled_from([VIEWED, VIEWED, VIEWED, "Signed In", "identify", "alias", "page"]),
    st.fixed_dictionaries({}, optional={"previousId": st.sampled_from(["a", "b"]), "messageId": st.integers(0, 9)}),
)


def expected(value: str = "stitch") -> list[tuple[str, str]]:
    """Return user and item of the interactions that the sequences give together."""
    found = []
    for sequence in SEQUENCES:
        for one, event in zip(sequence.events, sequence.log(), strict=True):
            visitor = sequence.id(one.session) if one.event == VIEWED and one.whose is None else None
            whose = visitor if value == "as_users" and visitor not in _NOTHING else sequence.id(one.whose)
            if whose not in (None, COPY) and "userId" not in one.more:
                found.append((str(whose), event["properties"]["product_id"]))
    return sorted(found)
