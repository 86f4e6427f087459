"""The suppression list: users whose rows exports leave out. It holds salted hashes instead of ids.

docs/privacy.md describes the file, docs/adr/0012-a-list-of-hashes.md the reasons for its format.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ForgetError

#: The reason in reports.
SUPPRESSED = "suppressed"

_HEAD = re.compile(r"# personalize-segment suppression list 1, salt ([0-9a-f]{32})")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Lower-case hex digits: the salt of the list, and for each user the SHA-256 of salt and id in UTF-8."""

    salt: str
    hashes: frozenset[str] = frozenset()

    def hash(self, user: str) -> str:
        """Return the list's entry for a user."""
        return hashlib.sha256((self.salt + user).encode()).hexdigest()

    def holds(self, user: object) -> bool:
        """Return whether a user (a USER_ID in text form) is on the list."""
        return isinstance(user, str) and self.hash(user) in self.hashes

    def plus(self, users: Iterable[str]) -> "SuppressionList":
        """Return a list with these users added."""
        return SuppressionList(self.salt, self.hashes.union(map(self.hash, users)))

    def text(self) -> str:
        """Return the text of the file: the salt, then the sorted hashes, one per line."""
        lines = [f"# personalize-segment suppression list 1, salt {self.salt}", *sorted(self.hashes)]
        return "".join(f"{line}\n" for line in lines)


def empty() -> SuppressionList:
    """Return an empty list with a new salt."""
    return SuppressionList(secrets.token_hex(16))


def parse(data: bytes, place: str) -> SuppressionList:
    """Return the list in the bytes of a file. An empty file is an empty list.

    Raises ForgetError for anything but a complete list: users beyond a cut would come back.
    """
    if not data:
        return empty()
    head, *hashes = data.decode("ascii", "replace").split("\n")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise ForgetError(place, "isn't a suppression list", "Name the file that `personalize-segment forget` wrote")
    if not hashes or hashes.pop() != "":
        raise ForgetError(place, "is cut off: it doesn't end with a line feed", _RESTORE)
    for number, line in enumerate(hashes, start=2):
        if not _HASH.fullmatch(line):
            raise ForgetError(f"{place}:{number}", "isn't a hash", _RESTORE)
    return SuppressionList(match[1], frozenset(hashes))


_RESTORE = "Restore the list from a backup"
