"""AWS on a laptop, in one process: moto for most services, Personalize, and functions that really run.

    with Server() as server:
        os.environ.update(server.environment())
        ...  # terraform apply, boto3, the AWS CLI

moto's state is global to the process, so a process has one server, and each server starts empty. It listens on
127.0.0.1 only. Clients must use this address: with a host name, they would look for buckets at `BUCKET.localhost`.
"""

import errno
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from . import lambda_patches, moto_patches, step_functions
from .clock import Clock
from .event_sources import EventSources
from .idempotency import once_per_call
from .lambda_runner import Runner, remove
from .lambda_service import LambdaService
from .service import Emulator
from .transports import wsgi

HOST = "127.0.0.1"
_one_at_a_time = threading.Lock()


class ServerError(Exception):
    """The server can't start. The message has the place, the problem and the remedy."""


class Server:
    """A context manager that serves requests. `endpoint` is its address once it is entered.

    `port` 0 chooses a free one. `personalize` is a WSGI middleware: it gets the application for all other services and
    returns one that also answers Personalize. By default, it is a separate `Emulator` whose clock runs `speed` times as
    fast as real time. `region` is the region in `environment`, but requests to all regions are answered. `python` runs
    the functions. Raises ServerError if the port is taken, or if this process already has a server.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        region: str = "us-east-1",
        speed: float = 1.0,
        personalize: Callable[[WSGIApplication], WSGIApplication] | None = None,
        python: str = sys.executable,
    ) -> None:
        self.region = region
        self.speed = speed
        self.endpoint = ""
        self._port = port
        self._personalize = personalize
        self._python = python
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_alone())
            listening = stack.enter_context(_listen(self._port))
            port: int = listening.getsockname()[1]
            self.endpoint = f"http://{HOST}:{port}"
            # moto's interpreter of state machines reads the port to call from this variable.
            stack.enter_context(_variable("MOTO_PORT", str(port)))
            stack.enter_context(moto_patches.configured())
            folder = Path(tempfile.mkdtemp(prefix="personalize-emulator-lambda-"))
            stack.callback(remove, folder)
            service = LambdaService(Runner(self.endpoint, folder, self._python))
            stack.callback(service.close)
            known = (*moto_patches.PATCHES, *lambda_patches.PATCHES, *step_functions.PATCHES)
            stack.enter_context(moto_patches.applied((*known, lambda_patches.runs_on(service))))
            stack.enter_context(_serving(listening, _own(once_per_call(self._application()))))
            sources = EventSources(service)
            sources.open()
            stack.callback(sources.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def environment(self) -> dict[str, str]:
        """Return the variables that point boto3, Terraform and the AWS CLI to this server.

        AWS_PROFILE and AWS_SESSION_TOKEN must not be set at the same time.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # Ignore the user's settings, and don't search for an instance's role.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _application(self) -> WSGIApplication:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        moto = _refusing(DomainDispatcherApplication(create_backend_app))
        if self._personalize is not None:
            return self._personalize(moto)
        import boto3

        def s3() -> Any:
            # A separate session: boto3's default one isn't thread-safe.
            return boto3.session.Session().client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",  # noqa: S106 - an emulator accepts any key
            )

        return wsgi(Emulator(Clock(self.speed), s3=s3), moto)


def serve(port: int, ready: Callable[[Server], None], *, region: str = "us-east-1", speed: float = 1.0) -> None:
    """Serve until SIGTERM or Ctrl-C, in the main thread. Call `ready` once requests are answered.

    The other arguments are those of `Server`. Raises ServerError as it does.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        # The shutdown runs in order. Another signal must not interrupt it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with Server(port, region=region, speed=speed) as server:
            ready(server)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone() -> Iterator[None]:
    if not _one_at_a_time.acquire(blocking=False):
        raise ServerError("emulator: already runs in this process. Use the running one, or end it first.")
    try:
        from moto.moto_api._internal.models import moto_api_backend

        # Also state that an earlier server deleted: moto keeps its tags for the next resource of that name.
        moto_api_backend.reset()
        yield
    finally:
        _one_at_a_time.release()


@contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            problem = "is in use" if taken else str(error)
            raise ServerError(f"{HOST}:{port}: {problem}. Name another port, or 0 for a free one.") from error
        listening.listen(128)
        yield listening


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _serving(listening: socket.socket, application: WSGIApplication) -> Iterator[None]:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        def log_request(self, *_: object) -> None:
            """Log nothing, so that the terminal shows errors only."""

    server = make_server(
        HOST, listening.getsockname()[1], application, True, request_handler=Handler, fd=listening.fileno()
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


#: Host names that a web page can't have. A page whose own name resolves to 127.0.0.1 sends that name.
_HOSTS = (HOST, "localhost")


def _own(application: WSGIApplication) -> WSGIApplication:
    """Answer requests from web pages with 403, because the server runs uploaded code."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", HOST).rpartition(":")[0] or environ.get("HTTP_HOST", HOST)
        if host in _HOSTS and "HTTP_ORIGIN" not in environ:
            return application(environ, start_response)
        body = f"emulator: only answers programs on this machine that call it {HOST}, not web pages.".encode()
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _refusing(moto: WSGIApplication) -> WSGIApplication:
    """Answer 501 for operations that moto, as installed, doesn't have. SDKs would retry moto's own 500 for minutes."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return moto(environ, start_response)
        except (NotImplementedError, ModuleNotFoundError) as error:
            message = str(error)
            if isinstance(error, ModuleNotFoundError):
                message = f"For this service moto needs {error.name}: pip install 'moto[server]'"
            if "form-urlencoded" in environ.get("CONTENT_TYPE", ""):
                told = f"<Code>NotImplemented</Code><Message>{escape(message)}</Message>"
                kind, body = "text/xml", f"<ErrorResponse><Error>{told}</Error></ErrorResponse>"
            else:
                kind, body = "application/json", json.dumps({"__type": "NotImplemented", "message": message})
            headers = [("Content-Type", kind), ("Content-Length", str(len(body.encode())))]
            start_response("501 Not Implemented", [*headers, ("x-amzn-errortype", "NotImplemented")])
            return [body.encode()]

    return application
