"""The two ways to reach the emulator: a hook in boto3, for tests in one process, and a WSGI application."""

import io
from collections.abc import Iterable, Iterator
from http.client import responses
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from .http import handle, scope
from .service import Emulator
from .service_model import SERVICES


def install(emulator: Emulator, session_or_client: Any) -> None:
    """Make the emulator answer a boto3 session's later Personalize clients, or one client.

    Requests are built, signed and retried as usual, and answered just before they would be sent. moto in the same
    process needs `core.passthrough` for the service "personalize".

        install(Emulator(), boto3.DEFAULT_SESSION)
    """

    def answer(request: AWSPreparedRequest, **_: Any) -> Any:
        path = urlsplit(request.url).path
        body: Any = request.body  # bytes or text: no operation of these services streams
        status, headers, text = handle(emulator, request.method, path, dict(request.headers), body)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Raw(text))

    if isinstance(session_or_client, BaseClient):
        name = session_or_client.meta.service_model.service_id.hyphenize()
        session_or_client.meta.events.register_first(f"before-send.{name}", answer)
        return
    events = getattr(session_or_client, "events", None) or session_or_client.get_component("event_emitter")
    for name in SERVICES:
        events.register_first(f"before-send.{name}", answer)


class _Raw(io.BytesIO):
    """A response body in the form in which urllib3 gives it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def wsgi(emulator: Emulator, fallback: WSGIApplication | None = None) -> WSGIApplication:
    """Return an application that answers requests signed for Personalize, and passes all others to `fallback`.

    Without a fallback, it answers all requests.
    """

    def application(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        signed = scope(environment.get("HTTP_AUTHORIZATION", ""))
        if fallback is not None and (signed is None or signed[1] != "personalize"):
            return fallback(environment, start)
        body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
        names = ("authorization", "x-amz-target")
        headers = {name: environment.get(f"HTTP_{name.upper().replace('-', '_')}", "") for name in names}
        method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]
        status, answered, text = handle(emulator, method, path, headers, body)
        start(f"{status} {responses.get(status, '')}", [*answered.items(), ("content-length", str(len(text)))])
        return [text]

    return application
