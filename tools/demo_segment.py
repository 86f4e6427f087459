"""Segment in the demo: a destination that invokes the function, and an API that receives `identify` calls."""

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import boto3
from botocore.exceptions import ClientError

from demo_stage import Place, check

#: Maximum seconds until a new role can be assumed, and the errors that are transient until then.
PATIENCE_SECONDS = 60


class Api:
    """The part of Segment's HTTP API that write-backs use, on 127.0.0.1. `taken` has the received calls."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                taken.extend(json.loads(body)["batch"])
                answer = b'{"success": true}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def last(self) -> list[str]:
        """Return the items of the last identify."""
        check(self.taken, "Segment got no recommendations")
        found: list[str] = self.taken[-1]["traits"]["recommendations"]
        return found


class Destination:
    """Segment's destination: assumes the role with the external id, and invokes the function with one event."""

    def __init__(self, entered: dict[str, Any], place: Place) -> None:
        self._function = entered["function_arn"]
        if not (place.local or place.trusted):
            # Root can't assume a role.
            self._lambda = boto3.client("lambda", region_name=entered["region"])
            return
        role = _assumed(entered["role_arn"], entered["external_ids"][0])
        if place.trusted:
            _refused(entered["role_arn"], "another-external-id")
        self._lambda = boto3.client(
            "lambda",
            region_name=entered["region"],
            aws_access_key_id=role["AccessKeyId"],
            aws_secret_access_key=role["SecretAccessKey"],
            aws_session_token=role["SessionToken"],
        )

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the function's answer. Resend an event that raises an error, like Segment."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._lambda.invoke(FunctionName=self._function, Payload=json.dumps(event))
            payload: dict[str, Any] = json.loads(answer["Payload"].read())
            if not answer.get("FunctionError"):
                return payload
            check(time.monotonic() < until, f"the function failed: {payload}")
            time.sleep(5)


def _assumed(role_arn: str, external_id: str) -> dict[str, str]:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = boto3.client("sts").assume_role(
                RoleArn=role_arn, RoleSessionName="segment", ExternalId=external_id
            )
        except ClientError:
            if time.monotonic() > until:
                raise
            time.sleep(5)
        else:
            return dict(answer["Credentials"])


def _refused(role_arn: str, external_id: str) -> None:
    try:
        boto3.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="segment", ExternalId=external_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return
    check(False, "the role can be assumed with another external id")
