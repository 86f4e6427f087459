"""The file of a suppression list: a local file or an S3 object, changed as a whole or not at all.

Two commands that add users at the same time both succeed. If one lost its users, they would come back.
"""

from collections.abc import Iterable
from contextlib import suppress

from ..contract.suppression import SuppressionList, empty, parse
from ..errors import ForgetError
from ..places import OvertakenError, Place, errors_at, place

#: Attempts to write while other commands modify the list.
ATTEMPTS = 20
_CHECK = "Check the location and your permissions"


def read(text: str) -> SuppressionList:
    """Return the list in a file or an S3 object. Raises ForgetError if it doesn't exist."""
    with errors_at(text, ForgetError, _CHECK):
        found, version = _fetch(place(text))
    if version is None:
        raise ForgetError(text, "no such suppression list", _CHECK)
    return found


def add(text: str, users: Iterable[str]) -> SuppressionList:
    """Add users to the list and return it. Creates the list if needed. Raises ForgetError if it can't be written.

    A list that already has the users stays untouched.
    """
    wanted = list(users)
    where = place(text)
    with errors_at(text, ForgetError, _CHECK):
        for _ in range(ATTEMPTS):
            # If another command was faster, read its list and add our users to it.
            with suppress(OvertakenError), where.locked():
                before, version = _fetch(where)
                after = before.plus(wanted)
                if version is None or after != before:
                    where.swap(after.text().encode(), version)
                return after
    raise ForgetError(text, "is being modified concurrently", "Run the command again")


def _fetch(where: Place) -> tuple[SuppressionList, str | None]:
    """Return the list and its version, or an empty list and None if it doesn't exist."""
    found = where.read()
    return (empty(), None) if found is None else (parse(found[0], str(where)), found[1])
