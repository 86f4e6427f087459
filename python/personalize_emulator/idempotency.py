"""Answer the retry of a call that has succeeded with the same response.

AWS's SDKs give each call an id, which its retries repeat. If a call succeeds and only the response is lost, moto, like
many AWS services, would refuse the retry as a conflict. That would end a whole `terraform apply`.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: Maximum responses kept. A client retries within seconds.
MOST = 512


def once_per_call(application: WSGIApplication) -> WSGIApplication:
    """Return an application that answers the retry of a writing call with its first response, if that was a success."""
    answers: OrderedDict[str, tuple[str, list[tuple[str, str]], bytes]] = OrderedDict()
    lock = threading.Lock()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        call = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if call is None or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environ, start)
        with lock:
            known = answers.get(call)
        if known is not None:
            status, headers, body = known
            start(status, headers)
            return [body]
        started: list[Any] = []

        def note(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            started[:] = [status, headers]
            return start(status, headers, *more)

        parts = application(environ, note)
        try:
            body = b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        status, headers = started
        if status.startswith("2"):
            with lock:
                answers[call] = (status, headers, body)
                while len(answers) > MOST:
                    answers.popitem(last=False)
        return [body]

    return answer
