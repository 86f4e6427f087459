"""Messages reach functions in batches. Only failed messages are retried, then moved to the dead-letter queue."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from personalize_emulator.event_sources import failures
from personalize_emulator.server import Server
from served import client, create_function, eventually

#: Keeps its batches as objects of a bucket named as the function, and fails for bodies that begin with "bad".
CONSUMER = """
import json, os, uuid, boto3
def handler(event, context):
    text = json.dumps(event)
    boto3.client("s3").put_object(Bucket=context.function_name, Key=uuid.uuid4().hex, Body=text)
    bad = [one["messageId"] for one in event["Records"] if one["body"].startswith("bad")]
    if os.environ.get("PARTIAL"):
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
    if bad:
        raise ValueError("bad batch")
"""

_numbers = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        yield found


class Consumer:
    """A queue with dead letters, and a function that consumes it."""

    def __init__(self, server: Server, *, partial: bool = False, **mapping: Any) -> None:
        self.name = f"consumer-{next(_numbers)}"
        self.sqs, self.s3, self.lambda_ = (client(server, one) for one in ("sqs", "s3", "lambda"))
        self.s3.create_bucket(Bucket=self.name)
        self.dead = self.sqs.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": self.attribute(self.dead, "QueueArn"), "maxReceiveCount": 2})
        attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive}
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        environment = {"Environment": {"Variables": {"PARTIAL": "1"} if partial else {}}}
        create_function(server, self.name, CONSUMER, **environment)
        if partial:
            mapping["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
        self.mapping = self.lambda_.create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.attribute(self.queue, "QueueArn"), **mapping
        )["UUID"]

    def attribute(self, url: str, name: str) -> str:
        """Return one attribute of a queue."""
        return str(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def send(self, *bodies: str) -> None:
        """Send messages with one request."""
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)

    def batches(self) -> list[list[dict[str, Any]]]:
        """Return the records of each batch that the function got."""
        keys = [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])]
        return [json.load(self.s3.get_object(Bucket=self.name, Key=key)["Body"])["Records"] for key in keys]

    def bodies(self) -> list[list[str]]:
        """Return the bodies of each batch, sorted."""
        return sorted(sorted(one["body"] for one in batch) for batch in self.batches())

    def left(self) -> int:
        """Return how many messages the queue holds, those in flight included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(map(int, answer["Attributes"].values()))

    def dead_letters(self) -> list[str]:
        """Return the bodies of the dead letters, sorted."""
        answer = self.sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(one["Body"] for one in answer.get("Messages", []))


def none(number: int) -> bool:
    return number == 0


def test_a_batch_is_as_large_as_the_mapping_allows(server: Server) -> None:
    consumer = Consumer(server, BatchSize=2, MaximumBatchingWindowInSeconds=1)
    consumer.send("a", "b", "c", "d", "e")
    eventually(consumer.left, none)
    assert sorted(len(batch) for batch in consumer.batches()) == [1, 2, 2]
    assert sorted(body for batch in consumer.bodies() for body in batch) == ["a", "b", "c", "d", "e"]


def test_without_partial_failures_one_bad_message_fails_its_batch(server: Server) -> None:
    consumer = Consumer(server, MaximumBatchingWindowInSeconds=1)
    consumer.send("good", "bad")
    assert eventually(consumer.dead_letters, lambda found: len(found) == 2) == ["bad", "good"]
    assert consumer.left() == 0
    assert sorted(body for batch in consumer.bodies() for body in batch) == ["bad", "bad", "good", "good"]


def test_with_partial_failures_only_what_failed_is_tried_again_and_redriven(server: Server) -> None:
    consumer = Consumer(server, partial=True, MaximumBatchingWindowInSeconds=1)
    consumer.send("good", "bad", "fine")
    assert eventually(consumer.dead_letters, bool) == ["bad"]
    assert consumer.left() == 0
    assert consumer.bodies() == [["bad"], ["bad", "fine", "good"]]
    counts = sorted(one["attributes"]["ApproximateReceiveCount"] for batch in consumer.batches() for one in batch)
    assert counts == ["1", "1", "1", "2"]


def test_a_record_is_as_lambda_gives_it(server: Server) -> None:
    consumer = Consumer(server)
    attribute = {"source": {"DataType": "String", "StringValue": "shop"}}
    sent = consumer.sqs.send_message(QueueUrl=consumer.queue, MessageBody="ä", MessageAttributes=attribute)
    ((record,),) = eventually(consumer.batches, bool)
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert set(attributes) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert record == {
        "messageId": sent["MessageId"],
        "body": "ä",
        "messageAttributes": {
            "source": {
                "stringValue": "shop",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": consumer.attribute(consumer.queue, "QueueArn"),
        "awsRegion": "us-east-1",
    }


def disable(consumer: Consumer) -> None:
    consumer.lambda_.update_event_source_mapping(UUID=consumer.mapping, Enabled=False)


def delete(consumer: Consumer) -> None:
    consumer.lambda_.delete_event_source_mapping(UUID=consumer.mapping)


@pytest.mark.parametrize("stop", [disable, delete])
def test_a_mapping_that_is_disabled_or_deleted_takes_no_messages(
    server: Server, stop: Callable[[Consumer], None]
) -> None:
    stopped, running = Consumer(server), Consumer(server)
    stop(stopped)
    stopped.send("a")
    running.send("a")  # the same poller, so once this one is served the other was passed over
    eventually(running.left, none)
    assert (stopped.batches(), stopped.left()) == ([], 1)


IDS = {"1", "2"}


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        pytest.param("null", set(), id="null"),
        pytest.param("", set(), id="nothing"),
        pytest.param("{}", set(), id="empty object"),
        pytest.param('{"batchItemFailures": null}', set(), id="null list"),
        pytest.param('{"batchItemFailures": []}', set(), id="empty list"),
        pytest.param('{"batchItemFailures": [{"itemIdentifier": "2"}]}', {"2"}, id="one"),
        pytest.param('{"batchItemFailures": [{"itemIdentifier": "3"}]}', IDS, id="an id that was not sent"),
        pytest.param('{"batchItemFailures": [{"itemIdentifier": ""}]}', IDS, id="an empty id"),
        pytest.param('{"batchItemFailures": [{"itemIdentifier": null}]}', IDS, id="a null id"),
        pytest.param('{"batchItemFailures": [{"id": "1"}]}', IDS, id="another key"),
        pytest.param('{"batchItemFailures": [[]]}', IDS, id="a list of lists"),
        pytest.param('{"batchItemFailures": 5}', IDS, id="a number"),
        pytest.param('"text"', IDS, id="a text"),
        pytest.param("{", IDS, id="no JSON"),
    ],
)
def test_what_cannot_be_read_as_partial_failures_fails_the_whole_batch(payload: str, failed: set[str]) -> None:
    assert failures(payload, IDS) == failed
