"""Generate Segment logs of a shop and a video service, for the demo, tests and benchmarks.

Each file depends only on the seed and its own number, so any number of processes writes the same bytes. Shoppers prefer
a few categories, so similar users choose similar items.
"""

import gzip
import json
import math
import random
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from multiprocessing import Pool
from pathlib import Path
from typing import Any
from uuid import UUID

from ..errors import OutputError

FIRST_DAY = date(2024, 3, 1)
EVENTS_PER_FILE = 10_000
SOURCE_ID = "sKf3q9vXhT2mWc7RbZ8yLd"
#: Time from an event to its receipt.
RECEIVED_AFTER = timedelta(seconds=1.2)

_CATEGORIES = [
    "Décor", "Men's Shoes", 'Books "used"', "Électronique", "Home & Garden", "Toys, Games", "本", "Audio",
]  # fmt: skip
_BRANDS = ["Acme", "Nørdik", "Globex", "Initech", "Hooli", "Umbrella"]
_GENRES = ["Drama", "Comedy", "Documentary", "Science Fiction"]
_COUNTRIES = ["CH", "DE", "FR", "US", "JP", "BR"]
_AGENTS = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3.1 Safari",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
]

JsonObject = dict[str, Any]


def sample(
    out: Path,
    events: int,
    *,
    days: int = 3,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write about `events` events to `out`/segment-logs and return that folder. If interrupted, remove it.

    Raises OutputError if the folder already exists, so that it never mixes with real logs.
    """
    root = out / "segment-logs"
    if root.exists():
        raise OutputError(str(root), "already exists", "Name another folder, or delete it")
    counts = [EVENTS_PER_FILE] * (events // EVENTS_PER_FILE)
    counts += [events % EVENTS_PER_FILE] if events % EVENTS_PER_FILE or not counts else []
    write = partial(_write, root, days=days, seed=seed, events=events, files=len(counts))
    made = next(folder for folder in (*reversed(root.parents), root) if not folder.exists())
    try:
        root.mkdir(parents=True)
        (root / "dummy-object.txt").write_text("This is a test of Segment's access to the bucket.\n")
        done = 0
        with Pool(initializer=_leave_signals) as pool:  # leaving `with` kills the workers
            for written in pool.imap_unordered(write, enumerate(counts)):
                done += written
                progress(done, events)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError):
            place, problem = str(error.filename or root), error.strerror or str(error)
            raise OutputError(place, problem, "Name another folder") from error
        raise
    return root


def _leave_signals() -> None:
    """Leave Ctrl-C, which the terminal sends to every process, to the parent, and end at its SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _write(root: Path, file: tuple[int, int], *, days: int, seed: int, events: int, files: int) -> int:
    number, size = file
    shop = _Shop(
        random.Random(f"{seed}/{number}"), seed, users=max(60, events // 40), items=max(40, math.isqrt(events) * 2)
    )
    span = timedelta(days=days) / files
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + number * span
    lines = defaultdict(list)
    if number and number * days // files != (number - 1) * days // files:
        # Segment redelivers some events of the day before. The clock of a retry differs a little.
        before = _Shop(random.Random(f"{seed}/{number - 1}"), seed, users=shop.users, items=shop.items)
        lines[start.date()] = [line for _, line in _lines(before, 20, start - span, span)]
    for day, line in _lines(shop, size, start, span):
        lines[day].append(line)
    name = f"{int(start.timestamp() * 1000)}.{sha256(f'{seed}/{number}'.encode()).hexdigest()[:12]}.gz"
    for day, of_day in lines.items():
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        folder = root / SOURCE_ID / str(int(midnight.timestamp()) * 1000)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped:
            zipped.write("".join(of_day).encode())
    return size


def _lines(shop: "_Shop", size: int, start: datetime, span: timedelta) -> Iterator[tuple[date, str]]:
    """Yield lines with the days on which they are received."""
    rng = shop.rng
    now = start
    written = 0
    while written < size:
        for event in shop.session():
            if written == size:
                break
            now += span / size
            day = (now + RECEIVED_AFTER).date()
            line = json.dumps(shop.complete(event, now), ensure_ascii=rng.random() < 0.1, separators=(",", ":"))
            dice = rng.random()
            if dice < 0.0002:
                line = line[: rng.randrange(1, len(line))]  # cut off
            elif dice < 0.0003:
                cut = rng.randrange(1, len(line))
                line = line[:cut] + "\n" + line[cut:]  # two halves
            elif dice < 0.0004:
                line = '{"anonymousId": "x", "userId": bad}'
            yield day, line + "\n"
            written += 1
            if dice > 0.99:
                yield day, line + "\n"  # delivered twice


class _Shop:
    def __init__(self, rng: random.Random, seed: int, *, users: int, items: int) -> None:
        self.rng, self.seed, self.users, self.items = rng, seed, users, items

    def complete(self, event: JsonObject, now: datetime) -> JsonObject:
        """Add the common fields, in their many real-world forms."""
        rng = self.rng
        server = event["type"] == "track" and event["event"] == "Order Completed" and rng.random() < 0.3
        user = event.pop("user")
        agent = rng.choice(_AGENTS)
        path = f"/c/{rng.randrange(400)}"
        full: JsonObject = {
            "channel": "server" if server else "client",
            "context": {
                "ip": ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
                "library": {"name": "analytics-node" if server else "analytics.js", "version": "next-1.66.0"},
                "locale": rng.choice(["de-CH", "en-US", "fr-FR", "ja-JP"]),
                "timezone": "Europe/Zurich",
                "userAgent": agent,
                "page": {
                    "path": path,
                    "referrer": f"https://www.example-shop.com/c/{rng.randrange(400)}?utm_campaign=spring-{rng.randrange(9)}",
                    "search": "",
                    "title": f"{rng.choice(_CATEGORIES)} | Example Shop",
                    "url": f"https://www.example-shop.com{path}",
                },
                "userAgentData": {
                    "brands": [{"brand": "Chromium", "version": "122"}, {"brand": "Not(A:Brand", "version": "24"}],
                    "mobile": False,
                    "platform": "macOS",
                },
            },
            "integrations": {"All": True, "Amplitude": {"session_id": rng.randrange(10**12, 10**13)}},
            "messageId": f"ajs-next-{int(now.timestamp() * 1000)}-{UUID(int=rng.getrandbits(128))}",
            "originalTimestamp": _iso(now, 3),
            "receivedAt": _iso(now + RECEIVED_AFTER, 3),
            "sentAt": _iso(now + timedelta(seconds=0.3), 3),
            "timestamp": self.timestamp(now),
            "version": 2,
            "projectId": "5c7f0c98797261",
            **event,
        }
        if not server:
            full["anonymousId"] = str(UUID(int=random.Random(f"{self.seed}/{user}").getrandbits(128)))
        if server or rng.random() < 0.78 or event["type"] == "identify":
            full["userId"] = user if rng.random() < 0.99 else rng.choice([user * 1000 + 7, None, "", "x" * 300])
            if type(full["userId"]) is int and full["userId"] == user:
                full["userId"] = f"user_{user:07}"
        return full

    def timestamp(self, now: datetime) -> str:
        dice = self.rng.random()
        if dice < 0.85:
            return _iso(now, 3)
        if dice < 0.93:
            return _iso(now, 0)
        if dice < 0.96:
            return _iso(now, 6)
        if dice < 0.98:
            return (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.250+02:00")
        if dice < 0.999:
            return _iso(now, 6)[:-1] + "789Z"
        return self.rng.choice([_iso(now + timedelta(days=400), 3), "yesterday", now.strftime("%m/%d/%Y %H:%M")])

    def session(self) -> Iterator[JsonObject]:
        """Yield the events of one visit, without the common fields."""
        rng = self.rng
        user = min(int(rng.expovariate(3 / self.users)), self.users - 1)
        if rng.random() < 0.25:
            yield from self.watch(user)
            return
        for _ in range(rng.randrange(1, 4)):
            yield {
                "user": user,
                "type": "page",
                "name": "Home",
                "properties": {"name": "Home", "title": "Home | Example Shop", "category": rng.choice(_CATEGORIES)},
            }
        if rng.random() < 0.3:
            yield self.identify(user)
        cart = []
        for _ in range(rng.randrange(1, 5)):
            product = self.product(self.choose(user))
            if rng.random() < 0.4:
                yield _track(
                    user, "Product Clicked", product | {"position": rng.randrange(1, 30), "list_id": "todays_deals"}
                )
            yield _track(user, "Product Viewed" if rng.random() < 0.97 else "Viewed Product", product)
            if rng.random() < 0.35:
                yield _track(
                    user,
                    "Product Added" if rng.random() < 0.97 else "Added Product",
                    product | {"cart_id": f"{rng.getrandbits(64):016x}"},
                )
                cart.append(product)
        if cart and rng.random() < 0.1:
            yield _track(user, "Product Removed", cart.pop())
        if cart and rng.random() < 0.6:
            yield _track(user, "Checkout Started", {"order_id": f"{rng.getrandbits(48):x}", "products": cart})
            yield self.order(user, cart)
        if rng.random() < 0.5:
            name = rng.choice(
                ["Products Searched", "Button Clicked", "Experiment Viewed", "Cart Viewed", "Product List Viewed"]
            )
            yield _track(
                user, name, {"query": '{"looks": "like JSON"}', "value": rng.randrange(100), "nested": {"a": 1}}
            )
        if rng.random() < 0.02:
            yield {"user": user, "type": "group", "groupId": "g1", "traits": {"plan": "enterprise"}}
        if rng.random() < 0.01:
            yield {"user": user, "type": "alias", "previousId": f"old_{user}"}

    def watch(self, user: int) -> Iterator[JsonObject]:
        rng = self.rng
        assets = [f"asset-{self.choose(user) % 500:04}" for _ in range(rng.randrange(1, 3))]
        session = {"session_id": f"{rng.getrandbits(40):x}", "video_player": "html5", "total_length": 3600}
        yield _track(user, "Video Playback Started", session | {"content_asset_ids": assets, "ad_asset_id": ["ad-1"]})
        for asset in assets:
            content = {
                "asset_id": asset,
                "title": f"Film {asset[-4:]}",
                "genre": _GENRES[int(asset[-4:]) % 4],
                "channel": "main",
            }
            yield _track(user, "Video Ad Started", session | {"asset_id": "ad-1", "type": "pre-roll"})
            yield _track(user, "Video Content Started", session | content | {"position": 0})
            yield _track(user, "Video Content Playing", session | content | {"position": 600})
        yield _track(user, "Video Playback Completed", session | {"content_asset_id": assets[-1]})

    def identify(self, user: int) -> JsonObject:
        traits: JsonObject = {
            "email": f"u{user}@example.com",
            "firstName": "Zoë",
            "lastName": "O'Neil",
            "plan": self.rng.choice(["free", "pro", "pro", None, 3]),
            "address": {"city": "Zürich", "country": _COUNTRIES[user % len(_COUNTRIES)], "postalCode": "8001"},
        }
        return {"user": user, "type": "identify", "traits": traits}

    def order(self, user: int, cart: list[JsonObject]) -> JsonObject:
        dice = self.rng.random()
        products: Any = [line | {"quantity": self.rng.randrange(1, 4)} for line in cart]
        if dice < 0.01:
            products = self.rng.choice([[], None, json.dumps(products), [None, "junk", 7, *products]])
        name = (
            "Order Completed"
            if dice < 0.97
            else self.rng.choice(["Completed Order", "Order Refunded", "Order Cancelled"])
        )
        total = sum(line["price"] for line in cart if isinstance(line.get("price"), float))
        return _track(
            user,
            name,
            {"order_id": f"{self.rng.getrandbits(48):x}", "total": total, "currency": "CHF", "products": products},
        )

    def choose(self, user: int) -> int:
        """Return an item, mostly of one of the user's two categories, and popular items more often."""
        place = min(int(self.rng.expovariate(6 / self.items)), self.items - 1)
        if self.rng.random() < 0.85:
            kinds = len(_CATEGORIES)
            wanted = (user + self.rng.choice([0, 3])) % kinds
            place = min(place - place % kinds + wanted, self.items - 1)
        return place

    def product(self, item: int) -> JsonObject:
        dice = self.rng.random()
        ids: JsonObject = {"product_id": f"04cc48af662d9ce1{item:08x}", "sku": f"SKU-{item:06}-GM"}
        if dice < 0.05:
            del ids["product_id"]
        elif dice < 0.10:
            ids = {"product_id": 10_000_000 + item}
        elif dice < 0.103:
            ids = self.rng.choice([{}, {"product_id": ""}, {"product_id": 1.5}, {"product_id": None, "sku": ["x"]}])
        price = round(5 + item * 7919 % 19000 / 100, 2)
        return ids | {
            "name": f"Product {item}",
            "price": price if dice < 0.98 else str(price),
            "category": _CATEGORIES[item % len(_CATEGORIES)],
            "brand": _BRANDS[item % len(_BRANDS)],
            "variant": "classic",
            "url": f"https://www.example-shop.com/product/{item:06}/product-{item}",
            "image_url": f"https://cdn.example-shop.com/img/{item:06}_800.jpg",
        }


def _track(user: int, name: str, properties: JsonObject) -> JsonObject:
    return {"user": user, "type": "track", "event": name, "properties": properties}


def _iso(moment: datetime, digits: int) -> str:
    fraction = f".{moment.microsecond:06}"[: digits + 1] if digits else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
