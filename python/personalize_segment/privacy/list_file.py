"""Where a suppression list is kept: a local file or an S3 object, changed as a whole or not at all.

Two commands that add at the same time both succeed: losing one's users would let them come back.
"""

from collections.abc import Iterable
from contextlib import suppress

from ..contract.suppression import SuppressionList, empty, parse
from ..errors import ForgetError
from ..places import OvertakenError, Place, errors_at, place

#: How often another command may be faster before it is an error.
ATTEMPTS = 20
_CHECK = "Check where it is, and the rights to it"


def read(text: str) -> SuppressionList:
    """Return the list in a file or an S3 object. Raises ForgetError if there is none."""
    with errors_at(text, ForgetError, _CHECK):
        found, version = _fetch(place(text))
    if version is None:
        raise ForgetError(text, "no such suppression list", _CHECK)
    return found


def add(text: str, users: Iterable[str]) -> SuppressionList:
    """Add users to the list, made if there is none, and return it. Raises ForgetError if it can't be written.

    A list that holds them already is left untouched.
    """
    wanted = list(users)
    where = place(text)
    with errors_at(text, ForgetError, _CHECK):
        for _ in range(ATTEMPTS):
            # If another command was faster, its users are read, and ours added to them.
            with suppress(OvertakenError), where.locked():
                before, version = _fetch(where)
                after = before.plus(wanted)
                if version is None or after != before:
                    where.swap(after.text().encode(), version)
                return after
    raise ForgetError(text, "is changed all the time by others", "Run the command again")


def _fetch(where: Place) -> tuple[SuppressionList, str | None]:
    """Return the list and its version: an empty one and None if there is none."""
    found = where.read()
    return (empty(), None) if found is None else (parse(found[0], str(where)), found[1])
