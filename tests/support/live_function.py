"""The Lambda functions as in a fresh process, against tests/support/stub.py, and events for them."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from personalize_segment.live import handler
from personalize_segment.live.settings import table
from stub import Error, Ok, Request, Stub

Event = dict[str, Any]

ARN = "arn:aws:personalize:eu-west-1:123456789012"
CAMPAIGN = f"{ARN}:campaign/shop"
REJECTED = "https://sqs.eu-west-1.amazonaws.com/123456789012/rejected"
PROFILES = "https://sqs.eu-west-1.amazonaws.com/123456789012/profiles"
ALL = {
    "personalize_tracking_id": "tracker",
    "personalize_campaign_arn": CAMPAIGN,
    "connections_source_api_key": "write-key",
    "personalize_users_dataset_arn": f"{ARN}:dataset/shop/USERS",
    "personalize_items_dataset_arn": f"{ARN}:dataset/shop/ITEMS",
    "profile_queue_url": PROFILES,
    "rejected_queue_url": REJECTED,
    "write_back_events": "*",
    "recommendations_per_minute": "1000000",
    "write_back_interval_seconds": "0",
}
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


class Context:
    """Lambda's context. The function times out `seconds` from now."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the remaining milliseconds."""
        return int(1000 * (self._end - time.monotonic()))


class Function:
    """The functions as in a new process, and the services they call."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub

    def __call__(self, event: Any, context: Context | None = None) -> dict[str, Any]:
        """Return the answer to an event, or to a batch of them."""
        return handler.segment_event(event, context or Context(5))

    def rejected(self) -> list[dict[str, Any]]:
        """Return the messages in the queue of rejected events."""
        return [json.loads(body) for body in self.stub.messages(REJECTED)]

    def bodies(self, operation: str) -> list[Any]:
        """Return the request bodies of an operation."""
        return [one.body for one in self.stub.calls(operation)]

    def identifies(self) -> list[Event]:
        """Return the events that were written to Segment."""
        return [one for body in self.bodies("batch") for one in body["batch"]]

    def recorded(self) -> list[str]:
        """Return the ids of all events sent to PutEvents, in their order."""
        return [one["eventId"] for body in self.bodies("PutEvents") for one in body["eventList"]]


@contextmanager
def function(stub: Stub, **settings: str | None) -> Iterator[Function]:
    """Yield the functions with ALL settings, changed by these. None removes one."""
    given = {name: value for name, value in (ALL | {"segment_host": stub.url} | settings).items() if value is not None}
    with pytest.MonkeyPatch.context() as patch:
        for name in (*(line.name for line in table()), "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS"):
            patch.delenv(name, raising=False)
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": stub.url} | given).items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the environment of the last test
        patch.setattr(handler.logger.handlers[0], "stream", sys.stdout)  # it caches the stream from before pytest's
        forget()
        yield Function(stub)
        forget()


def forget() -> None:
    handler._live.cache_clear()
    handler._consumer.cache_clear()


def track(name: str = "Product Clicked", properties: Any = None, **more: Any) -> Event:
    """Return an event, by default only an interaction."""
    return {
        "type": "track",
        "event": name,
        "messageId": "m-1",
        "userId": "u-1",
        "anonymousId": "a-1",
        "timestamp": "2024-03-01T12:34:56.789Z",
        "properties": {"product_id": "item-1"} if properties is None else properties,
    } | more


def order(lines: int, **more: Any) -> Event:
    """Return an order of item-0, item-1 and so on."""
    products = [{"product_id": f"item-{number}", "price": number} for number in range(lines)]
    return track("Order Completed", {"order_id": "o-1", "products": products}, **more)


def identify(**more: Any) -> Event:
    """Return an identify, which produces a user and not an interaction."""
    event = track(**more) | {"type": "identify", "traits": {"plan": "pro"}}
    del event["event"], event["properties"]
    return event | more


def refusing(*items: str, code: str = "InvalidInputException", status: int = 400) -> Any:
    """Return a step that refuses a complete PutEvents request with any of these items, like Personalize."""

    def step(request: Request) -> Ok | Error:
        bad = any(one["itemId"] in items for one in request.body["eventList"])
        return Error(status, code, "bad item") if bad else Ok()

    return step
