"""The suppression list: whose rows no export writes. It holds salted hashes, no ids.

docs/privacy.md describes the file, docs/adr/0012-a-list-of-hashes.md why it is like that.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ForgetError

#: The reason that a report gives for a row left out.
SUPPRESSED = "suppressed"

_HEAD = re.compile(r"# personalize-segment suppression list 1, salt ([0-9a-f]{32})")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Lower-case hex digits: the salt of the list, and for each user the SHA-256 of salt and id in UTF-8."""

    salt: str
    hashes: frozenset[str] = frozenset()

    def hash(self, user: str) -> str:
        """Return what stands in the list for a user."""
        return hashlib.sha256((self.salt + user).encode()).hexdigest()

    def holds(self, user: object) -> bool:
        """Return whether a user, the text of a USER_ID, is on the list."""
        return isinstance(user, str) and self.hash(user) in self.hashes

    def plus(self, users: Iterable[str]) -> "SuppressionList":
        """Return a list with these users too."""
        return SuppressionList(self.salt, self.hashes.union(map(self.hash, users)))

    def text(self) -> str:
        """Return the text of the file: the salt, then a hash a line, sorted."""
        lines = [f"# personalize-segment suppression list 1, salt {self.salt}", *sorted(self.hashes)]
        return "".join(f"{line}\n" for line in lines)


def empty() -> SuppressionList:
    """Return a list of nobody, with a salt of its own."""
    return SuppressionList(secrets.token_hex(16))


def parse(data: bytes, place: str) -> SuppressionList:
    """Return the list in the bytes of a file; no bytes are nobody.

    Raises ForgetError for anything but a whole list: what is cut off would let users come back.
    """
    if not data:
        return empty()
    head, *hashes = data.decode("ascii", "replace").split("\n")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise ForgetError(place, "is no suppression list", "Name the file that `personalize-segment forget` wrote")
    if not hashes or hashes.pop() != "":
        raise ForgetError(place, "is cut off: it has no line feed at its end", _MEND)
    for number, line in enumerate(hashes, start=2):
        if not _HASH.fullmatch(line):
            raise ForgetError(f"{place}:{number}", "is no hash", _MEND)
    return SuppressionList(match[1], frozenset(hashes))


_MEND = "Restore the list from a copy of it"
