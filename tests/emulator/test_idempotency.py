"""A lost answer is repeated, and nothing else."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from wsgiref.types import WSGIApplication

import pytest

from personalize_emulator.idempotency import MOST, once_per_call
from personalize_emulator.server import Server


def headers(call: str, attempt: int) -> dict[str, str]:
    return {
        "Authorization": "AWS4-HMAC-SHA256 Credential=k/20240101/us-east-1/ssm/aws4_request, Signature=x",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonSSM.PutParameter",
        "amz-sdk-invocation-id": call,
        "amz-sdk-request": f"attempt={attempt}; max=2",
    }


def put(server: Server, name: str, call: str, attempt: int) -> tuple[int, Any]:
    body = json.dumps({"Name": name, "Value": "v", "Type": "String"}).encode()
    request = urllib.request.Request(server.endpoint, body, headers(call, attempt))
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_client_that_hung_up_before_the_answer_gets_it_when_it_asks_again() -> None:
    with Server() as server:
        where = urlsplit(server.endpoint)
        assert where.hostname
        assert where.port
        body = json.dumps({"Name": "/lost", "Value": "v", "Type": "String"})
        lines = [f"{name}: {value}" for name, value in headers("one", 1).items()]
        text = "\r\n".join(["POST / HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", body])
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(text.encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
        status, answer = put(server, "/lost", "one", 2)
        assert (status, answer["Version"]) == (200, 1)
        assert put(server, "/lost", "another", 1)[0] == 400  # it already exists


def test_what_failed_is_tried_again() -> None:
    with Server() as server:
        assert put(server, "/aws/reserved", "one", 1)[0] == 400
        assert put(server, "/mine", "one", 2)[0] == 200


def ignore(*_: Any) -> Any:
    """Take a status and headers."""


def counting() -> WSGIApplication:
    """Return an application that answers how often it was asked."""
    asked = count(1)

    def application(_: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield str(next(asked)).encode()

    return application


@pytest.mark.parametrize(
    ("method", "call", "second"),
    [
        pytest.param("POST", "one", b"1", id="a writing call"),
        pytest.param("GET", "one", b"2", id="a reading call"),
        pytest.param("POST", None, b"2", id="a client that numbers nothing"),
    ],
)
def test_only_writing_calls_that_are_numbered_are_remembered(method: str, call: str | None, second: bytes) -> None:
    application = once_per_call(counting())
    environ = {"REQUEST_METHOD": method} | ({} if call is None else {"HTTP_AMZ_SDK_INVOCATION_ID": call})
    answers = [b"".join(application(environ, ignore)) for _ in range(2)]
    assert answers == [b"1", second]


def test_old_answers_are_forgotten() -> None:
    application = once_per_call(counting())
    environ = {"REQUEST_METHOD": "POST", "HTTP_AMZ_SDK_INVOCATION_ID": "first"}
    for call in ("first", *map(str, range(MOST))):
        list(application(environ | {"HTTP_AMZ_SDK_INVOCATION_ID": call}, ignore))
    assert list(application(environ, ignore)) == [str(MOST + 2).encode()]
