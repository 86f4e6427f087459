"""The services that the live handler calls, on 127.0.0.1: Personalize, SQS, DynamoDB, SSM, Secrets Manager and Segment.

    with Stub() as stub:
        stub.behave("PutEvents", Error(429, "ThrottlingException"), Reset(), Ok())
        client = boto3.client("personalize-events", endpoint_url=stub.url)
        ...
        assert [one.body["userId"] for one in stub.calls("PutEvents")] == ["u1", "u1", "u1"]

Operations have AWS's names. Segment's POST /v1/batch is "batch". Calls without a script succeed: queues keep their
messages, `parameters` and `secrets` are answered, Personalize accepts everything.

    python tests/support/stub.py --port 0 --delay 0.02

serves in a separate process, whose first line is the URL, until its standard input ends. GET /calls returns the
number of calls per operation, and of connections.
"""

import argparse
import gzip
import hashlib
import json
import socket
import struct
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self

REST = {
    ("POST", "/events"): ("personalize-events", "PutEvents"),
    ("POST", "/users"): ("personalize-events", "PutUsers"),
    ("POST", "/items"): ("personalize-events", "PutItems"),
    ("POST", "/recommendations"): ("personalize-runtime", "GetRecommendations"),
    ("POST", "/v1/batch"): ("segment", "batch"),
    ("GET", "/calls"): ("stub", "calls"),
}
TARGETS = {"AmazonSQS": "sqs", "AmazonSSM": "ssm", "secretsmanager": "secretsmanager", "DynamoDB_20120810": "dynamodb"}


@dataclass(frozen=True, slots=True)
class Request:
    """One received request. `received` is `time.monotonic()`. Header names are lowercase."""

    service: str
    operation: str
    body: Any
    received: float
    connection: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """The outcome of one call, `after_seconds`."""

    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Ok(Behavior):
    """Status 200 with `body` or the service's answer. With `close`, the connection then ends silently."""

    body: Any = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class Error(Behavior):
    """An error in AWS's format. Nothing was done."""

    status: int
    code: str
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw(Behavior):
    """These bytes as the body, such as a gateway's page. Nothing was done."""

    status: int = 200
    body: bytes = b"<html><body>Service Unavailable</body></html>"


@dataclass(frozen=True, slots=True)
class Drip(Behavior):
    """The right answer, including headers, one byte every `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncated(Behavior):
    """The right answer up to the middle of its body, then the end of the connection."""


@dataclass(frozen=True, slots=True)
class Hang(Behavior):
    """No answer until the client gives up."""


@dataclass(frozen=True, slots=True)
class Reset(Behavior):
    """A TCP reset after the request is read. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Close(Behavior):
    """The end of the connection after the request is read. Nothing was done."""


class _Message:
    """A message in a queue, invisible until `visible` in seconds of `time.monotonic()`."""

    def __init__(self, body: str, visible: float) -> None:
        self.id = str(uuid.uuid4())
        self.body = body
        self.md5 = hashlib.md5(body.encode()).hexdigest()
        self.visible = visible
        self._sent = str(int(time.time() * 1000))
        self.receipt: str | None = None
        self._received = 0

    def receive(self, visible: float) -> dict[str, Any]:
        self.visible = visible
        self.receipt = str(uuid.uuid4())
        self._received += 1
        return {
            "MessageId": self.id,
            "ReceiptHandle": self.receipt,
            "Body": self.body,
            "MD5OfBody": self.md5,
            "Attributes": {"ApproximateReceiveCount": str(self._received), "SentTimestamp": self._sent},
        }


Step = Behavior | Callable[[Request], Behavior]
_OK = Ok()


class Stub:
    """A server in threads of this process for the duration of the `with`. `delay_seconds` applies to every call.

    Attributes: `url`; `parameters` and `secrets`, name -> value, of SSM and Secrets Manager.
    """

    def __init__(self, port: int = 0, delay_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.connections = 0
        self.parameters: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self._queues: dict[str, list[_Message]] = {}
        self._taken = Counter[str]()
        self._calls: list[Request] = []
        self._steps: dict[str, deque[Step]] = {}
        self._then: dict[str, Step] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._address = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}"

    def behave(self, operation: str, *steps: Step, then: Step = _OK) -> None:
        """Script the next calls of `operation` with `steps`, one each, and later calls with `then`.

        A step can be a function from the request to a behavior. Replaces an earlier script.
        """
        with self._lock:
            self._steps[operation] = deque(steps)
            self._then[operation] = then

    def calls(self, operation: str | None = None) -> list[Request]:
        """Return the requests received so far, or those of one operation, in their order."""
        with self._lock:
            return [one for one in self._calls if operation in (None, one.operation)]

    def messages(self, queue_url: str) -> list[str]:
        """Return the bodies of all messages in a queue, received or not, oldest first."""
        with self._lock:
            return [one.body for one in self._queues.get(queue_url, [])]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        with suppress(OSError):  # a client was faster, so the listener is closed
            socket.create_connection(self._address).close()  # so that accept() returns
        self._threads[0].join()
        with self._lock:
            for connection in self._open:
                _shut(connection)
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="stub", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while True:
                connection, _ = self._listener.accept()
                if self._ending.is_set():
                    connection.close()
                    return
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                with self._lock:
                    self._open.add(connection)
                self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            while (request := self._read(connection, number)) is not None:
                if not self._act(connection, request):
                    break
        except OSError:
            return  # the client is gone, or the test is over
        finally:
            with self._lock:
                self._open.remove(connection)
            connection.close()

    def _read(self, connection: socket.socket, number: int) -> Request | None:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            if not (more := connection.recv(1 << 16)):
                return None
            data += more
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = end + 4 + int(headers.get("content-length", 0))
        while len(data) < length:
            if not (more := connection.recv(1 << 16)):
                return None
            data += more
        received = time.monotonic()
        body = gzip.decompress(data[end + 4 :]) if headers.get("content-encoding") == "gzip" else data[end + 4 :]
        method, path, _ = first.split(" ")
        prefix, _, target = headers.get("x-amz-target", "").rpartition(".")
        service, operation = (TARGETS[prefix], target) if target else REST[method, path]
        request = Request(service, operation, json.loads(body or b"null"), received, number, headers)
        if service != "stub":
            with self._lock:
                self._calls.append(request)
        return request

    def _act(self, connection: socket.socket, request: Request) -> bool:
        """Run the script's step. False ends the connection."""
        with self._lock:
            steps = self._steps.get(request.operation)
            step = steps.popleft() if steps else self._then.get(request.operation, _OK)
        behavior = step if isinstance(step, Behavior) else step(request)
        wait = self.delay_seconds + behavior.after_seconds
        if wait and request.service != "stub" and self._ending.wait(wait):
            return False
        match behavior:
            case Hang():
                while connection.recv(1 << 16):
                    pass
                return False
            case Reset():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case Close():
                return False
            case Raw(status=status, body=raw):
                connection.sendall(_response(status, raw, "text/html", {}))
                return True
        answer = self._answer(request, behavior)
        if isinstance(behavior, Truncated):
            head = answer.index(b"\r\n\r\n") + 4
            connection.sendall(answer[: (head + len(answer)) // 2])
            return False
        if isinstance(behavior, Drip):
            for byte in answer:
                if self._ending.wait(behavior.seconds):
                    return False
                connection.sendall(bytes([byte]))
            return True
        connection.sendall(answer)
        return not (isinstance(behavior, Ok) and behavior.close)

    def _answer(self, request: Request, behavior: Behavior) -> bytes:
        status, headers = 200, dict[str, str]()
        body: Any
        if isinstance(behavior, Error):
            status, headers = behavior.status, dict(behavior.headers)
            body = {"__type": behavior.code, "message": behavior.message}
        elif isinstance(behavior, Ok) and behavior.body is not None:
            body = behavior.body
        elif request.service == "stub":
            done = self.calls()
            body = {**Counter(one.operation for one in done), "connections": len({one.connection for one in done})}
        else:
            with self._lock:
                status, body = self._work(request.operation, request.body)
        if status >= 400:
            headers.setdefault("x-amzn-errortype", body["__type"])
        return _response(status, json.dumps(body).encode(), "application/json", headers)

    def _work(self, operation: str, body: Any) -> tuple[int, Any]:
        """Return the successful answer of a service."""
        match operation:
            case "PutEvents" | "PutUsers" | "PutItems":
                return 200, None
            case "GetRecommendations":
                return 200, recommendations(body)
            case "batch":
                return 200, {"success": True}
            case "GetParameter" if body["Name"] in self.parameters:
                value = {"Name": body["Name"], "Type": "String", "Value": self.parameters[body["Name"]], "Version": 1}
                return 200, {"Parameter": value}
            case "GetParameter":
                return 400, {"__type": "ParameterNotFound"}
            case "GetSecretValue" if body["SecretId"] in self.secrets:
                return 200, {"Name": body["SecretId"], "SecretString": self.secrets[body["SecretId"]]}
            case "GetSecretValue":
                return 400, {"__type": "ResourceNotFoundException", "message": "Secrets Manager can't find it."}
            case "UpdateItem":  # as live/allowance.py counts
                key, values = body["Key"]["id"]["S"], body["ExpressionAttributeValues"]
                if self._taken[key] > int(values[":before"]["N"]):
                    return 400, {"__type": "ConditionalCheckFailedException"}
                self._taken[key] += int(values[":lease"]["N"])
                return 200, {}
        queue = self._queues.setdefault(body["QueueUrl"], [])
        if not operation.endswith("Batch"):
            return 200, _queue(queue, operation, body)
        done = [{"Id": one["Id"], **_queue(queue, operation.removesuffix("Batch"), one)} for one in body["Entries"]]
        return 200, {"Successful": done, "Failed": []}


def recommendations(body: Mapping[str, Any], first: int = 1) -> dict[str, Any]:
    """Return an answer to GetRecommendations with the requested number of items, starting with item-`first`."""
    names = [f"item-{number}" for number in range(first, first + body.get("numResults", 25))]
    return {
        "itemList": [{"itemId": name, "score": 1 / len(names)} for name in names],
        "recommendationId": f"RID-{first}",
    }


def _queue(queue: list[_Message], operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """One SQS operation, or one entry of its batch."""
    now = time.monotonic()
    if operation == "SendMessage":
        message = _Message(body["MessageBody"], now + body.get("DelaySeconds", 0))
        queue.append(message)
        return {"MessageId": message.id, "MD5OfMessageBody": message.md5}
    if operation == "ReceiveMessage":
        visible = [one for one in queue if one.visible <= now][: body.get("MaxNumberOfMessages", 1)]
        return {"Messages": [one.receive(now + body.get("VisibilityTimeout", 30)) for one in visible]}
    [message] = [one for one in queue if one.receipt == body["ReceiptHandle"]]
    if operation == "DeleteMessage":
        queue.remove(message)
    elif operation == "ChangeMessageVisibility":
        message.visible = now + body["VisibilityTimeout"]
    else:
        raise NotImplementedError(operation)
    return {}


def _response(status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Stub\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve until standard input ends.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    arguments = parser.parse_args()
    numbers = count(1)
    with Stub(arguments.port, arguments.delay) as stub:
        # Never the same list twice, so that a handler that writes back only changes has something to write.
        stub.behave("GetRecommendations", then=lambda request: Ok(recommendations(request.body, next(numbers))))
        print(stub.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
