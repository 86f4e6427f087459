"""Invoke moto's Lambda functions with the runner, and write their output to CloudWatch Logs."""

import base64
import json
import time
import traceback
import uuid
from collections.abc import Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from .lambda_runner import Function, InvocationResult, Runner

#: Length of the log's end in Lambda's response to `LogType=Tail`.
TAIL_BYTES = 4096


class LambdaService:
    """Invokes moto's functions, replacing moto's own invocation, which starts containers.

    Its methods take moto's `LambdaBackend`, which isn't typed.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        # For asynchronous invocations. Lambda retries failed ones after minutes, the emulator doesn't.
        self._queue = ThreadPoolExecutor(max_workers=10, thread_name_prefix="lambda-event")

    def close(self) -> None:
        """Wait for the running asynchronous invocations, and drop the queued ones."""
        self._queue.shutdown(wait=True, cancel_futures=True)

    def invoke(
        self,
        backend: Any,
        function_name: str,
        qualifier: str | None,
        body: Any,
        headers: Mapping[str, str],
        response_headers: MutableMapping[str, str],
    ) -> bytes:
        """Return the payload of Lambda's `Invoke`, as moto's own method does, and add to `response_headers`.

        `headers` are those of the HTTP request. moto sets the status.
        """
        moto_function = backend.get_function(function_name, qualifier)
        arn = invoked_arn(moto_function, function_name, qualifier)
        response_headers["X-Amz-Executed-Version"] = str(moto_function.version)
        event = body.decode() if isinstance(body, bytes) else body or "{}"
        client_context = _client_context(headers.get("X-Amz-Client-Context"))
        match headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "DryRun":
                payload = ""
            case "Event":
                self._queue.submit(self.run, moto_function, arn, event, client_context).add_done_callback(report)
                payload = ""
            case _:
                result = self.run(moto_function, arn, event, client_context)
                payload = result.payload
                if result.failed:
                    response_headers["x-amz-function-error"] = "Unhandled"
                tail = result.log.encode()[-TAIL_BYTES:]
                response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
        response_headers["Content-Length"] = str(len(payload.encode()))
        return payload.encode()

    def run(
        self, moto_function: Any, arn: str, event: str, client_context: Mapping[str, Any] | None = None
    ) -> InvocationResult:
        """Run moto's `LambdaFunction` as the function with this `arn`, and write its log."""
        request_id = str(uuid.uuid4())
        version = str(moto_function.version)
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"
        function = Function(
            name=moto_function.function_name,
            version=version,
            arn=arn,
            handler=moto_function.handler or "",
            runtime=moto_function.run_time or "",
            timeout_seconds=float(moto_function.timeout),
            memory_mb=int(moto_function.memory_size),
            environment={name: str(value) for name, value in moto_function.environment_vars.items()},
            code=getattr(moto_function, "code_bytes", b""),
            region=moto_function.region,
            log_group=moto_function.logs_group_name,
            log_stream=stream,
            layers=tuple(_layers(moto_function)),
        )
        result = self._runner.invoke(function, event, request_id, client_context)
        _write_log(moto_function.logs_backend, function.log_group, stream, result.log)
        return result


def report(done: Future[Any]) -> None:
    """Print the error of a thread that no one waits for. It is the server's error, not a function's."""
    if not done.cancelled() and (error := done.exception()) is not None:
        traceback.print_exception(error)


def invoked_arn(moto_function: Any, function_name: str, qualifier: str | None) -> str:
    """Return the invoked ARN, with the caller's version or alias, if any."""
    name = function_name.split(":")
    if len(name) in (2, 8):  # NAME:QUALIFIER, or an ARN with one
        qualifier = name[-1]
    unqualified = ":".join(str(moto_function.function_arn).split(":")[:7])
    return f"{unqualified}:{qualifier}" if qualifier else unqualified


def _client_context(header: str | None) -> Mapping[str, Any] | None:
    return json.loads(base64.b64decode(header)) if header else None


def _layers(moto_function: Any) -> list[bytes]:
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[moto_function.account_id][moto_function.region]
    versions = [backend.layers_versions_by_arn(layer["Arn"]) for layer in moto_function.layers]
    return [version.code_bytes for version in versions if version is not None]


def _write_log(logs: Any, group: str, stream: str, text: str) -> None:
    logs.ensure_log_group(group)
    logs.create_log_stream(group, stream)
    now = int(time.time() * 1000)
    logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in text.splitlines()])
