"""Events that were rejected: what waits in the queue, and sending it again once the cause is gone."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import RedriveError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

#: How long messages stay with us before the queue shows them to others again.
VISIBILITY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of the queue: an event or a profile, why it was refused, and when."""

    receipt: str
    body: dict[str, Any]

    @property
    def reasons(self) -> list[tuple[str | None, str | None, str]]:
        """Dataset, field and reason of each refusal; a message that isn't ours has one that says so."""
        reasons = self.body.get("reasons")
        if not isinstance(reasons, list):
            return [(None, None, "no message of this project")]
        return [(reason.get("dataset"), reason.get("field"), str(reason.get("reason"))) for reason in reasons]


@dataclass
class Redriven:
    """What became of the messages that were sent again."""

    recorded: int = 0
    rejected: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def client(service: str) -> Any:
    """Return boto3's client of `sqs` or `lambda`, as the environment has it."""
    with _aws(service):
        return boto3.client(service)  # type: ignore[call-overload]


def messages(sqs: "SQSClient", url: str, limit: int) -> Iterator[Rejected]:
    """Yield up to `limit` messages that were sent before now; each stays hidden from others for minutes.

    Messages that a redrive itself leads to are later, so it comes to an end.
    """
    began, seen = datetime.now(UTC).timestamp() * 1000, 0
    later: list[str] = []
    try:
        while seen < limit:
            with _aws(url):
                answer = sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(10, limit - seen),
                    VisibilityTimeout=VISIBILITY_SECONDS,
                    WaitTimeSeconds=1,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            if not answer.get("Messages"):
                return
            for message in answer["Messages"]:
                if int(message["Attributes"]["SentTimestamp"]) >= began:
                    later.append(message["ReceiptHandle"])
                    continue
                seen += 1
                yield Rejected(message["ReceiptHandle"], _body(message["Body"]))
    finally:
        # Not before the end: a message that is shown again would be the next one that we receive.
        release(sqs, url, later)


def _body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def release(sqs: "SQSClient", url: str, receipts: list[str]) -> None:
    """Show messages to others again."""
    for start in range(0, len(receipts), 10):
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(receipts[start : start + 10])
        ]
        with _aws(url):
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def send(
    sqs: "SQSClient",
    url: str,
    rejected: list[Rejected],
    function: Callable[[dict[str, Any]], dict[str, Any]],
    profile_queue: str | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Redriven:
    """Send each event to `function` and each profile to `profile_queue`, and delete what was taken.

    An event that is refused again has become a new message. A message that fails stays in the queue.
    """
    result = Redriven()
    kept = []
    for number, message in enumerate(rejected):
        progress(number, len(rejected))
        try:
            if "event" in message.body:
                decision = function(message.body["event"])["decision"]
                if decision == "unprovisioned":
                    raise RedriveError(url, "there is no event tracker or dataset for it", "It stays in the queue")
                # Without a rule still: where such events are kept, it is in the queue again.
                again = decision in ("rejected", "unmapped")
                result.rejected += again
                result.recorded += not again
            elif "profile" in message.body and profile_queue is not None:
                with _aws(profile_queue):
                    sqs.send_message(QueueUrl=profile_queue, MessageBody=json.dumps(message.body["profile"]))
                result.recorded += 1
            else:
                why = "a profile: say --profile-queue" if "profile" in message.body else "no message of this project"
                raise RedriveError(url, why, "It stays in the queue")
        except RedriveError as error:
            result.failed[error.problem] += 1
            kept.append(message.receipt)
            continue
        with _aws(url):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
    release(sqs, url, kept)
    progress(len(rejected), len(rejected))
    return result


def invoke(client: "LambdaClient", name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that invokes the Lambda function `name` with an event and returns its answer."""

    def call(event: dict[str, Any]) -> dict[str, Any]:
        with _aws(name):
            answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = _body(answer["Payload"].read().decode())
        if answer.get("FunctionError") or "decision" not in payload:
            problem = str(payload.get("errorMessage") or "answered with no decision")
            raise RedriveError(name, problem, "See its log")
        return payload

    return call


@contextmanager
def _aws(place: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise RedriveError(place, str(error), "Check the name, the region and your rights") from error
