"""Logs of a shop by received days, for exports with a stage."""

import gzip
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

FIRST = date(2024, 3, 1)


class Shop:
    """Logs of a few visitors and users. Some events are duplicated, late, or from a wrong clock."""

    def __init__(self, tree: Path, seed: int) -> None:
        self.tree, self._random, self._sent = tree, random.Random(seed), list[dict[str, Any]]()

    def day(self, number: int, events: int = 60, name: str = "1.gz") -> None:
        """Write a file of a day."""
        chosen = self._random
        lines: list[bytes] = []
        for _ in range(events):
            if self._sent and chosen.random() < 0.1:
                again = dict(chosen.choice(self._sent[-400:]))
                if chosen.random() < 0.5:
                    again["timestamp"] = self._instant(number - chosen.randrange(3))
                lines.append(json.dumps(again).encode())
                continue
            event = self._event(number)
            self._sent.append(event)
            lines.append(json.dumps(event).encode())
        if chosen.random() < 0.3:
            lines.insert(chosen.randrange(len(lines)), b'{"type": "track", "event"')
        midnight = datetime.combine(self._date(number), datetime.min.time(), UTC)
        folder = self.tree / "source" / str(int(midnight.timestamp() * 1000))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(b"\n".join(lines)))

    def _date(self, number: int) -> date:
        return FIRST + timedelta(days=number)

    def _instant(self, number: int) -> str:
        return f"{self._date(number)}T{self._random.randrange(24):02}:00:00.{self._random.randrange(1000):03}Z"

    def _event(self, number: int) -> dict[str, Any]:
        chosen = self._random
        user = chosen.choice([None, None, *(f"u{n}" for n in range(8))])
        event: dict[str, Any] = {"messageId": f"m{chosen.getrandbits(40)}", "timestamp": self._instant(number)}
        event |= {"receivedAt": self._instant(number), "anonymousId": f"a{chosen.randrange(30)}"}
        if user is not None:
            event["userId"] = user
        kind = chosen.random()
        if kind < 0.15 and user is not None:
            return event | {"type": "identify", "traits": {chosen.choice(["plan", "gender"]): chosen.choice("abc")}}
        if kind < 0.25:
            return event | {"type": "track", "event": "Nothing", "properties": {}}
        product = {"product_id": f"p{chosen.randrange(12)}", "price": chosen.choice([1, "2.5", "x", None])}
        name = chosen.choice(["Product Viewed", "Product Added", "Order Completed"])
        properties = {"products": [product, product]} if name == "Order Completed" else product
        return event | {"type": "track", "event": name, "properties": properties}
