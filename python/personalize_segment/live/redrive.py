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
from . import rejections

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

#: How long messages stay with us before the queue shows them to others again.
VISIBILITY_SECONDS = 300


NOT_OURS = "not a message of this project"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of the queue: an event or a profile, why it was refused, and when."""

    receipt: str
    body: dict[str, Any]

    @property
    def reasons(self) -> Counter[tuple[str, str, str]]:
        """How often it has a dataset, field and reason; a message that isn't ours has one that says so."""
        reasons = self.body.get("reasons")
        if not isinstance(reasons, list) or not all(isinstance(reason, dict) for reason in reasons):
            return Counter([("", "", NOT_OURS)])
        counted: Counter[tuple[str, str, str]] = Counter()
        for reason in reasons:
            dataset, field_, why = (str(reason.get(name) or "") for name in ("dataset", "field", "reason"))
            count = reason.get("count")
            counted[dataset, field_, why] += count if isinstance(count, int) else 1
        return counted


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


def messages(sqs: "SQSClient", url: str, limit: int, reason: str = "") -> Iterator[Rejected]:
    """Yield up to `limit` messages with a reason that contains `reason`; each stays hidden from others for minutes.

    Only messages that were sent before now: those that a redrive itself leads to are later, so it comes to an end.
    """
    began, found = datetime.now(UTC).timestamp() * 1000, 0
    others: list[str] = []
    seen: set[str] = set()
    try:
        while found < limit:
            with _aws(url):
                answer = sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(10, limit - found),
                    VisibilityTimeout=VISIBILITY_SECONDS,
                    WaitTimeSeconds=1,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            if not answer.get("Messages"):
                return
            if seen.issuperset(message["MessageId"] for message in answer["Messages"]):
                others += [message["ReceiptHandle"] for message in answer["Messages"]]
                return  # hidden for long enough to be shown again
            for message in answer["Messages"]:
                seen.add(message["MessageId"])
                rejected = Rejected(message["ReceiptHandle"], rejections.body(message["Body"]))
                later = int(message["Attributes"]["SentTimestamp"]) >= began
                if later or not any(reason in why for *_, why in rejected.reasons):
                    others.append(rejected.receipt)
                    continue
                found += 1
                yield rejected
    finally:
        # Not before the end: a message that is shown again would be the next one that we receive.
        release(sqs, url, others)


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
            if any(kind + rejections.CUT in message.body for kind in rejections.KINDS):
                log = message.body.get("log", "Segment's log")
                raise RedriveError(url, f"too large to be kept whole: {log} has it", "Export that day")
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
                why = "a profile: say --profile-queue" if "profile" in message.body else NOT_OURS
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
            try:
                sent = rejections.as_json(event).encode()
            except RecursionError:
                raise RedriveError(name, "nested too deeply to be sent", "Delete the message") from None
            answer = client.invoke(FunctionName=name, Payload=sent)
        payload = rejections.body(answer["Payload"].read().decode(errors="replace"))
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
