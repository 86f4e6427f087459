"""Terraform's calls to a server, as the actions that a policy allows."""

import io
import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import botocore.session

#: Service names in signatures and in policies, where they differ.
PREFIXES = {"monitoring": "cloudwatch"}


class Calls:
    """Passes requests on, and records Terraform's actions, such as `iam:CreateRole`, except those of S3."""

    def __init__(self) -> None:
        self.made: set[str] = set()

    def through(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that records its requests."""

        def remembering(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([\w-]+)/", environ.get("HTTP_AUTHORIZATION", ""))
            if signed and signed[1] != "s3" and "Terraform" in environ.get("HTTP_USER_AGENT", ""):
                self.made.add(f"{PREFIXES.get(signed[1], signed[1])}:{_operation(signed[1], environ)}")
            return application(environ, start_response)

        return remembering


def _operation(service: str, environ: WSGIEnvironment) -> str:
    """Return the name of the operation, in each of the protocols that services have."""
    path: str = environ["PATH_INFO"]
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if named := re.search(r"/operation/(\w+)$", path):
        return named[1]
    if "form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return parse_qs(body.decode())["Action"][0]
    for method, pattern, name in _routes(service):
        if method == environ["REQUEST_METHOD"] and pattern.fullmatch(path):
            return name
    raise ValueError(f"{service}: {environ['REQUEST_METHOD']} {path} isn't an operation")


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return method, path and operation, the most literal paths first."""
    model = botocore.session.get_session().get_service_model(service)
    routes = [(model.operation_model(name).http, name) for name in model.operation_names]
    routes.sort(key=lambda route: -len(re.sub(r"\{[^}]+\}", "", route[0]["requestUri"])))
    return [
        (http["method"], re.compile(re.sub(r"\{[^}]+\}", ".+", http["requestUri"].partition("?")[0]) + "/?"), name)
        for http, name in routes
    ]
