"""List the rejected events in the queue, send them again once the cause is gone, and delete them."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..contract.rows import describe
from ..errors import RedriveError, number
from . import rejections
from .profile_batch import RateLimiter

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

#: Visibility timeout of the messages that we hold, in seconds. It is extended three times within this period.
VISIBILITY_SECONDS = 300
#: Concurrent calls.
WORKERS = 16
#: Messages per SQS call.
BATCH = 10

NOT_OURS = "not a message of this project"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of the queue: an event or a profile, and why and when it was refused."""

    id: str
    body: dict[str, Any]

    @property
    def reasons(self) -> Counter[tuple[str, str, str]]:
        """The number of times that each dataset, field and reason occurs. NOT_OURS for a message of another origin."""
        reasons = self.body.get("reasons")
        if not isinstance(reasons, list) or not all(isinstance(reason, dict) for reason in reasons):
            return Counter([("", "", NOT_OURS)])
        counted: Counter[tuple[str, str, str]] = Counter()
        for reason in reasons:
            dataset, field_, why = (str(reason.get(name) or "") for name in ("dataset", "field", "reason"))
            count = reason.get("count")
            counted[dataset, field_, why] += count if isinstance(count, int) else 1
        return counted

    @property
    def event(self) -> str:
        """The event's call and name. Empty for a profile, and for a message of another origin."""
        event = self.body.get("event", self.body.get("ids"))
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return ""
        return " ".join(filter(None, describe(event)))


@dataclass
class Redriven:
    """The outcomes of the messages that were sent again."""

    recorded: int = 0
    rejected: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def client(service: str) -> Any:
    """Return the boto3 client `sqs` or `lambda` configured by the environment, with connections for all threads."""
    with _aws(service):
        return boto3.client(service, config=Config(max_pool_connections=WORKERS))  # type: ignore[call-overload]


class Lease:
    """The messages that we hold: hidden from other readers until they are deleted or the `with` block ends.

    A thread extends their visibility timeout, so no message is received twice, however long the work takes. If the
    process is killed, SQS shows them again within VISIBILITY_SECONDS.
    """

    def __init__(self, sqs: "SQSClient", url: str, seconds: float = VISIBILITY_SECONDS) -> None:
        self.sqs, self.url, self._seconds = sqs, url, seconds
        self._receipts: dict[str, str] = {}
        self._ended = threading.Event()
        self._error: RedriveError | None = None
        self._thread = threading.Thread(target=self._extend, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.release(list(self._receipts))

    @property
    def depth(self) -> int:
        """The approximate number of messages in the queue, including those that a reader holds. Raises RedriveError."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with _aws(self.url):
            answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def receive(self) -> list[Any]:
        """Return the next messages and hold them, none if the queue has no more. Raises RedriveError."""
        if self._error is not None:
            raise self._error
        with _aws(self.url):
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=int(self._seconds),
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        found = answer.get("Messages", [])
        # A message that is received again gets a new receipt, which voids the earlier one.
        self._receipts |= {message["MessageId"]: message["ReceiptHandle"] for message in found}
        return found

    def release(self, ids: list[str]) -> None:
        """Make messages visible to other readers again."""
        self._hide(ids, 0)
        for one in ids:
            self._receipts.pop(one, None)

    def delete(self, ids: list[str]) -> None:
        """Delete messages. Raises RedriveError if SQS fails to delete one. It then stays in the queue."""
        for some in _batches(ids):
            entries: Any = [{"Id": str(n), "ReceiptHandle": self._receipts[one]} for n, one in enumerate(some)]
            with _aws(self.url):
                answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            if failed := answer.get("Failed"):
                problem = f"SQS didn't delete {number(len(failed), 'message')} ({failed[0]['Code']})"
                raise RedriveError(self.url, problem, "Run it again. Events keep their ids")
            for one in some:
                self._receipts.pop(one)

    def _extend(self) -> None:
        while not self._ended.wait(self._seconds / 3):
            try:
                self._hide(list(self._receipts), int(self._seconds))
            except RedriveError as error:
                self._error = error
                return

    def _hide(self, ids: list[str], seconds: int) -> None:
        for some in _batches(ids):
            # A message that was deleted in the meantime has no receipt.
            receipts = [receipt for one in some if (receipt := self._receipts.get(one))]
            entries: Any = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for n, receipt in enumerate(receipts)
            ]
            if entries:
                with _aws(self.url):
                    self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def messages(lease: Lease, limit: int, reason: str = "") -> Iterator[Rejected]:
    """Yield up to `limit` messages with a reason that contains `reason`, each once. The lease holds them.

    Skips messages that were sent after the start. A redrive can add messages, and would never end if it took them.
    Raises RedriveError.
    """
    began, found = datetime.now(UTC).timestamp() * 1000, 0
    others: list[str] = []
    seen: set[str] = set()
    try:
        while received := lease.receive():
            new = [message for message in received if message["MessageId"] not in seen]
            if not new:
                return
            for message in new:
                seen.add(message["MessageId"])
                rejected = Rejected(message["MessageId"], rejections.body(message["Body"]))
                later = int(message["Attributes"]["SentTimestamp"]) >= began
                if later or found == limit or not any(reason in why for *_, why in rejected.reasons):
                    others.append(rejected.id)
                    continue
                found += 1
                yield rejected
            if found == limit:
                return
    finally:
        # At the end only: a message that is visible again would be the next one that we receive.
        lease.release(others)


def send(
    lease: Lease,
    rejected: list[Rejected],
    function: Callable[[dict[str, Any]], dict[str, Any]],
    profile_queue: str | None,
    rate: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Redriven:
    """Send each event to `function` and each profile to `profile_queue`, and delete the accepted messages.

    Sends at most `rate` messages per second, several in parallel. An event that is rejected again becomes a new
    message. A message that fails stays in the queue. Raises RedriveError if a message can't be deleted.
    """
    result, turn = Redriven(), RateLimiter(rate)

    def one(message: Rejected) -> bool:
        turn()
        taken = _sent(lease, message, function, profile_queue)
        lease.delete([message.id])
        return taken

    with ThreadPoolExecutor(WORKERS) as pool:
        calls = {pool.submit(one, message): message for message in rejected}
        try:
            for number, call in enumerate(as_completed(calls), start=1):
                try:
                    taken = call.result()
                    result.recorded += taken
                    result.rejected += not taken
                except _KeptError as error:
                    result.failed[error.problem] += 1
                progress(number, len(rejected))
        except BaseException:
            # Calls in progress finish. All other messages stay in the queue.
            pool.shutdown(cancel_futures=True)
            raise
    return result


class _KeptError(RedriveError):
    """A message can't be sent, and stays in the queue."""


def _sent(
    lease: Lease, message: Rejected, function: Callable[[dict[str, Any]], dict[str, Any]], profile_queue: str | None
) -> bool:
    """Send a message. Return whether it was recorded rather than rejected again. Raises _KeptError."""
    if any(kind + rejections.CUT in message.body for kind in rejections.KINDS):
        log = message.body.get("log", "Segment's log")
        raise _KeptError(lease.url, f"too large for the queue: the whole event is in {log}", "Export that day")
    try:
        if "event" in message.body:
            decision = function(message.body["event"])["decision"]
            if decision == "unprovisioned":
                raise _KeptError(lease.url, "its event tracker or dataset doesn't exist", "It stays in the queue")
            # An event still without a rule is in the queue again if `keep_unmapped` is set.
            return decision not in ("rejected", "unmapped")
        if "profile" in message.body and profile_queue is not None:
            with _aws(profile_queue):
                body = json.dumps(message.body["profile"])
                lease.sqs.send_message(QueueUrl=profile_queue, MessageBody=body)
            return True
    except RedriveError as error:
        raise _KeptError(*error.args) from error
    why = "a profile: pass --profile-queue" if "profile" in message.body else NOT_OURS
    raise _KeptError(lease.url, why, "It stays in the queue")


def invoke(client: "LambdaClient", name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that invokes the Lambda function `name` with an event and returns the response."""

    def call(event: dict[str, Any]) -> dict[str, Any]:
        with _aws(name):
            try:
                sent = rejections.as_json(event).encode()
            except RecursionError:
                raise RedriveError(name, "nested too deeply to be sent", "Delete the message") from None
            answer = client.invoke(FunctionName=name, Payload=sent)
        payload = rejections.body(answer["Payload"].read().decode(errors="replace"))
        if answer.get("FunctionError") or "decision" not in payload:
            problem = str(payload.get("errorMessage") or "returned no decision")
            raise RedriveError(name, problem, "Check its log")
        return payload

    return call


@contextmanager
def _aws(place: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise RedriveError(place, str(error), "Check the name, the region and your permissions") from error
