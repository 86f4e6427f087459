"""Which visitor became which user: what events say of sessions and users who logged in on them (rule 12).

Each engine finds the user of an interaction without one from these, in its own way.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .mapping import EventMapping
from .rows import first_id, happened, id_text, received, session

#: The reason that an interaction without a user is left out.
NEVER_LOGGED_IN = "visitor who never logged in"


class Login(NamedTuple):
    """A user who was seen with a session, and when, in whole epoch seconds."""

    session: str
    user: str
    second: int


def logins(mapping: EventMapping, event: dict[str, Any], present: int | None = None) -> Iterator[Login]:
    """Yield what an event, whatever it is, says of its session's user; an alias says it of its previousId too.

    `present` is that of `rows.received`.
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
