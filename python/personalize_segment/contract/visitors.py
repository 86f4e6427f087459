"""Visitors who became users: the logins in events, with their sessions and users (rule 12).

Each engine uses them in its own way to find the user of an interaction without one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .mapping import EventMapping
from .rows import first_id, happened, id_text, received, session

#: The reason for an interaction that is left out because it has no user.
NEVER_LOGGED_IN = "visitor who never logged in"


class Login(NamedTuple):
    """A user on a session, at a time in whole epoch seconds."""

    session: str
    user: str
    second: int


def logins(mapping: EventMapping, event: dict[str, Any], present: int | None = None) -> Iterator[Login]:
    """Yield the logins in an event of any kind: of its session's user, and for an alias also of its previousId.

    `present` is the parameter of `rows.received`.
    """
    user = None if mapping.visitors == "drop" else first_id(mapping.user, event)
    if user is None:
        return
    previous = id_text(event.get("previousId")) if event["type"] == "alias" else None
    sessions = {one for one in (session(mapping, event), previous) if one is not None and one != user}
    instant = happened(event, received(event, present))[0] if sessions else None
    if instant is not None:
        for one in sessions:
            yield Login(one, user, instant[0])
