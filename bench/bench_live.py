"""Time live events against the documented Lambda function in one run, and print their ratios.

    bench_live.py               10 rounds for each delay of AWS and Segment
    ROUNDS=20 bench_live.py     20 rounds

Each round starts every contender once, in separate processes, one after the other. A process reports the time from
its start to its first answer, and the time of each of some more events. tests/support/stub.py plays AWS and Segment
in another process. The table goes to stdout and, with --write, into docs/benchmarks.md.

Each contender's process imports this module, too. That takes almost no time, because boto3 imports the same modules.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

BENCH = Path(__file__).resolve().parent
Event = dict[str, Any]
Take = Callable[[Event], object]


class Context:
    """The context that Lambda passes with the event."""

    function_name = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:bench"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self) -> None:
        self._end = time.monotonic() + 5

    def get_remaining_time_in_millis(self) -> int:
        """Return the rest of Segment's five seconds, in milliseconds."""
        return int(1000 * (self._end - time.monotonic()))


def ours() -> Take:
    from personalize_segment.live.handler import segment_event

    return lambda event: segment_event(event, Context())


def documented() -> Take:
    from documented_lambda import lambda_handler

    return lambda event: lambda_handler(event, Context())


def reference() -> None:
    """Import the libraries and create the two clients, nothing else."""
    import boto3
    import segment.analytics  # noqa: F401

    boto3.client("personalize-events")
    boto3.client("personalize-runtime")


def bare() -> Take:
    """Make three calls in sequence, with cached clients."""
    import boto3
    from segment.analytics.request import post

    events, runtime = boto3.client("personalize-events"), boto3.client("personalize-runtime")
    settings = os.environ

    def take(event: Event) -> None:
        properties = json.dumps({"itemId": event["properties"]["sku"]})
        record: Any = {"eventId": event["messageId"], "eventType": "View", "sentAt": 0, "properties": properties}
        who = event["userId"]
        events.put_events(trackingId=settings["personalize_tracking_id"], sessionId=who, userId=who, eventList=[record])
        answer = runtime.get_recommendations(campaignArn=settings["personalize_campaign_arn"], userId=who)
        items = [one["itemId"] for one in answer["itemList"]]
        identify = {"type": "identify", "userId": who, "traits": {"recommendations": items}}
        post(settings["connections_source_api_key"], settings["segment_host"], batch=[identify])

    return take


def event(number: int) -> Event:
    """Return a product view of one of fifty users, as Segment sends it."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"ajs-{os.getpid()}-{number}",
        "anonymousId": f"anonymous-{number % 50}",
        "userId": f"user-{number % 50}",
        "timestamp": "2024-03-01T12:34:56.789Z",
        "originalTimestamp": "2024-03-01T12:34:56.789Z",
        "sentAt": "2024-03-01T12:34:57.000Z",
        "receivedAt": "2024-03-01T12:34:57.123Z",
        "context": {
            "ip": "192.0.2.1",
            "library": {"name": "analytics.js", "version": "next-1.64.0"},
            "page": {"path": "/p/1", "referrer": "", "title": "A kettle", "url": "https://shop.example/p/1"},
            "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        },
        "integrations": {},
        "properties": {
            "product_id": f"item-{number % 500}",
            "sku": f"item-{number % 500}",
            "category": "Kitchen",
            "name": "A kettle",
            "brand": "Acme",
            "price": 19.5,
            "quantity": 1,
            "currency": "EUR",
        },
    }


STARTS: dict[str, Callable[[], Take | None]] = {
    "ours": ours,
    "documented": documented,
    "reference": reference,
    "bare": bare,
}


def process(kind: str, events: int, out: str) -> None:
    """Run a contender: write the clock at its first answer and the seconds of each later event to `out`."""
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))  # like Lambda's runtime
    take = STARTS[kind]()
    if take is not None:
        take(event(0))
    answered = time.monotonic()
    seconds = []
    if take is not None:
        for number in range(1, events):
            one = event(number)
            started = time.perf_counter()
            take(one)
            seconds.append(time.perf_counter() - started)
    Path(out).write_text(json.dumps({"answered": answered, "seconds": seconds}), "utf-8")


class Contender(NamedTuple):
    """A line of the table: the start, its settings, and the calls per event."""

    kind: str
    settings: dict[str, str]
    calls: tuple[str, ...]
    slow: bool = False


TRACKER = {"personalize_tracking_id": "00000000-0000-0000-0000-000000000000"}
ALL = TRACKER | {
    "personalize_campaign_arn": "arn:aws:personalize:eu-west-1:123456789012:campaign/bench",
    "connections_source_api_key": "bench",
    "write_back_events": "*",
    "write_back_interval_seconds": "0",
    "recommendations_per_minute": "1000000",
}
QUEUE = {"profile_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/profiles"}
THREE = ("PutEvents", "GetRecommendations", "batch")
REFERENCE, BARE, SYNC, OURS = "the libraries alone", "three bare calls", "documented, `sync_mode`", "ours, written back"
CONTENDERS = {
    REFERENCE: Contender("reference", {}, ()),
    BARE: Contender("bare", ALL, THREE),
    "documented": Contender("documented", ALL, THREE, slow=True),
    SYNC: Contender("documented", ALL | {"sync_mode": "true"}, THREE),
    "ours, recorded": Contender("ours", TRACKER, ("PutEvents",)),
    OURS: Contender("ours", ALL, THREE),
    "ours, and item queued": Contender("ours", ALL | QUEUE, (*THREE, "SendMessageBatch")),
}

#: Milliseconds before each answer of AWS and Segment -> events of one process.
EVENTS = {0: 101, 20: 31, 100: 11}
SLOW_EVENTS = 5
OPEN, CLOSE = "<!-- live -->", "<!-- /live -->"
RUN = "import sys, bench_live; bench_live.process(sys.argv[1], int(sys.argv[2]), sys.argv[3])"


class Times(NamedTuple):
    """Times of a contender in milliseconds: each process until its first answer, and each later event."""

    cold: list[float]
    warm: list[float]


def run(contender: Contender, events: int, url: str) -> Times:
    """Run one process of a contender and check that it made all its calls."""

    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BENCH),
        "AWS_LAMBDA_FUNCTION_NAME": Context.function_name,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "segment_host": url,
    }
    before = calls(url)
    # The log goes to a file, so that this process doesn't handle it.
    with tempfile.NamedTemporaryFile("r") as out, tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-c", RUN, contender.kind, str(events), out.name]
        started = time.monotonic()
        done = subprocess.run(command, env=env | contender.settings, stdout=log, stderr=log)
        log.seek(0)
        if done.returncode:
            sys.exit(f"{contender.kind} failed:\n{log.read()[-3000:]}")
        report = json.load(out)
        counts = calls(url)
        made = {name: count - before.get(name, 0) for name, count in counts.items() if count != before.get(name, 0)}
        if made != dict.fromkeys(contender.calls, events):
            sys.exit(f"{contender.kind} made {made} for {events} events:\n{log.read()[-3000:]}")
    return Times([1000 * (report["answered"] - started)], [1000 * one for one in report["seconds"]])


def calls(url: str) -> dict[str, int]:

    with urlopen(f"{url}/calls") as answer:
        counts: dict[str, int] = json.load(answer)
    del counts["connections"]
    return counts


def measure(delay: int, rounds: int) -> dict[str, Times]:

    command = [sys.executable, str(BENCH.parent / "tests" / "support" / "stub.py"), "--delay", str(delay / 1000)]
    times = {name: Times([], []) for name in CONTENDERS}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for number in range(rounds + 1):
            for name, contender in CONTENDERS.items():
                events = SLOW_EVENTS if contender.slow else EVENTS[delay]
                # The first round fills disk caches and writes .pyc files, which a Lambda package contains.
                one = run(contender, events if number else 1, url)
                if number:
                    times[name].cold.extend(one.cold)
                    times[name].warm.extend(one.warm)
        server.stdin.close()
    return times


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[(len(values) - 1) * percent // 100]


def lines(delay: int, times: dict[str, Times]) -> list[str]:
    cold = {name: percentile(one.cold, 50) for name, one in times.items()}
    warm = {name: percentile(one.warm, 50) for name, one in times.items() if one.warm}
    made = []
    for name, one in times.items():
        start = f"| {delay} | {name} | {cold[name]:.0f} | {cold[name] / cold[REFERENCE]:.2f} "
        if name not in warm:
            made.append(start + "| " * 7 + "|")
            continue
        made.append(
            f"{start}| {warm[name]:.1f} | {percentile(one.warm, 99):.1f} | {1000 * len(one.warm) / sum(one.warm):.0f} "
            f"| {f'{warm[name] / delay:.2f}' if delay else ''} | {warm[name] / warm[BARE]:.2f} "
            f"| {warm['documented'] / warm[name]:.3g} | {warm[SYNC] / warm[name]:.3g} |"
        )
    return made


def targets(times: dict[int, dict[str, Times]]) -> list[str]:
    def median(delay: int, name: str) -> float:
        return percentile(times[delay][name].warm, 50)

    calls_of = f"{median(100, SYNC) / 100:.2f} documented"
    checks = [
        (f"Calls' time of a warm event at 100 ms ({calls_of})", median(100, OURS) / 100, 2.3),
        ("Warm event at 0 ms, of three bare calls", median(0, OURS) / median(0, BARE), 1.3),
        (
            "Cold start at 0 ms, of the libraries alone",
            percentile(times[0][OURS].cold, 50) / percentile(times[0][REFERENCE].cold, 50),
            1.2,
        ),
    ]
    made = ["| aim | measured | at most | |", "|---|---:|---:|---|"]
    return made + [
        f"| {what} | {value:.2f} | {most} | {'reached' if value <= most else 'not reached'} |"
        for what, value, most in checks
    ]


def main() -> None:
    from importlib.metadata import version

    from bench import PAGE, machine

    rounds = int(os.environ.get("ROUNDS", "10"))
    table = [
        "| ms a call | what | cold ms | of the libraries | warm p50 ms | p99 ms | events/s | calls' time "
        "| of bare calls | faster than documented | than `sync_mode` |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    print("\n".join(table), flush=True)
    times = {}
    for delay in EVENTS:
        times[delay] = measure(delay, rounds)
        made = lines(delay, times[delay])
        print("\n".join(made), flush=True)
        table += made
    aims = "\n".join(targets(times))
    print(f"\n{aims}")
    if "--write" in sys.argv:
        page = PAGE.read_text("utf-8")
        before, found, rest = page.partition(OPEN)
        _, ended, after = rest.partition(CLOSE)
        if not found or not ended:
            sys.exit(f"{PAGE.name} has no {OPEN} with a {CLOSE} after it")
        libraries = f"boto3 {version('boto3')}, segment-analytics-python {version('segment-analytics-python')}."
        about = f"{machine().partition(', DuckDB')[0]}, {libraries} {rounds} processes each."
        body = "\n".join(table)
        PAGE.write_text(f"{before}{OPEN}\n\n{about}\n\n{body}\n\n{aims}\n\n{CLOSE}{after}", "utf-8")


if __name__ == "__main__":
    main()
