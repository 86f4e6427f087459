"""Events of one user or item in order of arrival, and the resulting row (contract, rule 9)."""

from dataclasses import dataclass
from typing import Any

EARLY, NOON, LATE = "2024-03-01T00:00:00Z", "2024-03-01T12:00:00Z", "2024-03-01T18:00:00Z"


@dataclass(frozen=True, slots=True)
class Sequence:
    """Timestamps and traits, or properties, of the events; `kept` are the columns of the default mapping."""

    name: str
    dataset: str
    events: list[tuple[object, dict[str, object]]]
    kept: tuple[str, ...]

    def log(self) -> list[dict[str, Any]]:
        """Return the events; the sequence's name is the id of the user or item."""
        of_users = self.dataset == "users"
        log = []
        for number, (timestamp, values) in enumerate(self.events):
            body = {"type": "identify", "userId": self.name, "traits": values}
            if not of_users:
                properties = {"product_id": self.name, **values}
                body = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": properties}
            received = {"receivedAt": "2024-03-02T00:00:00Z"}
            log.append({**body, "messageId": f"{self.name} {number}", "timestamp": timestamp, **received})
        return log


#: Of users the columns are COUNTRY, GENDER and PLAN, of items BRAND, CATEGORY, GENRE and PRICE.
SEQUENCES = [
    Sequence("part", "users", [(EARLY, {"country": "DE", "gender": "f"}), (NOON, {"plan": "pro"})], ("DE", "f", "pro")),
    Sequence("erased", "users", [(EARLY, {"country": "DE"}), (NOON, {"country": None, "plan": "a"})], ("DE", "", "a")),
    Sequence("unusable", "users", [(EARLY, {"plan": "a"}), (NOON, {"plan": {"name": "b"}})], ("", "", "a")),
    Sequence("changed", "users", [(EARLY, {"plan": "b", "gender": "f"}), (NOON, {"plan": "a"})], ("", "f", "a")),
    Sequence("late", "users", [(NOON, {"plan": "b"}), (EARLY, {"plan": "c", "country": "FR"})], ("FR", "", "b")),
    Sequence("tie", "users", [(NOON, {"plan": "b", "gender": "f"}), (NOON, {"plan": "a"})], ("", "f", "b")),
    Sequence("nothing", "users", [(NOON, {"age": 5})], ("", "", "")),
    Sequence("no time", "users", [(None, {"plan": "z", "gender": "f"}), (EARLY, {"plan": "a"})], ("", "f", "a")),
    # Without an instant all values are equal, whatever is in its place.
    Sequence("never", "users", [("yesterday", {"plan": "a"}), (None, {"plan": "b"}), (5, {})], ("", "", "b")),
    Sequence("fraction", "users", [("2024-03-01T12:00:00.9Z", {"plan": "a"}), (NOON, {"plan": "b"})], ("", "", "a")),
    Sequence("offset", "users", [("2024-03-01T13:00:00+01:00", {"plan": "a"}), (NOON, {"plan": "b"})], ("", "", "b")),
    Sequence("before 1970", "users", [("1960-01-01T00:00:00Z", {"plan": "a"}), (None, {"plan": "b"})], ("", "", "a")),
    # A clock in 2038 counts as receivedAt, so it wins over earlier events, but not over later ones.
    Sequence("2038", "users", [("2038-01-01T00:00:00Z", {"plan": "a"}), (LATE, {"plan": "b"})], ("", "", "a")),
    Sequence(
        "cart", "items", [(EARLY, {"brand": "Hasbro", "category": "Games", "price": 18.99}), (NOON, {"quantity": 1})],
        ("Hasbro", "Games", "", "18.99"),
    ),
    Sequence(
        "new price", "items", [(NOON, {"price": "9.5"}), (LATE, {"price": 9.75}), (EARLY, {"price": 99, "brand": "B"})],
        ("B", "", "", "9.75"),
    ),
    Sequence(
        "lists", "items", [(EARLY, {"categories": ["a", "b"]}), (NOON, {"categories": [], "category": "c"})],
        ("", "c", "", ""),
    ),
]  # fmt: skip


def expected(dataset: str) -> list[tuple[str, ...]]:
    """Return the rows of a dataset that the sequences give together."""
    return sorted((one.name, *one.kept) for one in SEQUENCES if one.dataset == dataset)
