"""The subprocess of one Lambda invocation: `python -I -S lambda_bootstrap.py FOLDER`.

It replaces the runtime interface client of AWS's Python runtimes, with the same wording of errors. It must not import
anything from this package, because the process has only the function's code, its layers and the runtime's own boto3.
FOLDER has `invocation.json` and `event.json`. The process writes `result.json` there, and one byte to the pipe when the
handler starts.
"""

import importlib
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Context:
    """The second argument of a handler, with the members that AWS documents."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        client = invocation["client_context"]
        self.function_name: str = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version: str = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn: str = invocation["invoked_function_arn"]
        self.memory_limit_in_mb: str = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.aws_request_id: str = invocation["request_id"]
        self.log_group_name: str = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name: str = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = client and SimpleNamespace(
            custom=client.get("custom"), env=client.get("env"), client=client.get("client")
        )
        self._deadline = time.monotonic() + invocation["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before the function times out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class RefusedError(Exception):
    """The function can't be called, or its result can't be serialized. `error_type` is Lambda's own errorType."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def main(folder: Path) -> None:
    """Run the invocation in `folder`, then end the process at once, as Lambda freezes it."""
    invocation = json.loads((folder / "invocation.json").read_text("utf-8"))
    event = json.loads((folder / "event.json").read_text("utf-8"))
    request_id = invocation["request_id"]
    sys.path[:0] = invocation["path"]
    _log_to_standard_error(request_id)
    os.set_inheritable(invocation["ready"], False)
    failed = True
    try:
        handler = _handler(os.environ["_HANDLER"])
        os.write(invocation["ready"], b"1")
        text = _marshal(handler(event, Context(invocation)))
        failed = False
    except RefusedError as error:
        print(f"[ERROR] {error.error_type}: {error}", file=sys.stderr)
        text = _error(error.error_type, str(error), request_id, [])
    except Exception as error:  # noqa: BLE001 - any exception of a handler is the function's response
        frames = traceback.extract_tb(error.__traceback__)[1:]
        trace = traceback.format_list(frames)
        print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):", file=sys.stderr)
        print("".join(trace), file=sys.stderr, end="")
        text = _error(type(error).__name__, str(error), request_id, trace)
    result = folder / "result.json"
    result.with_suffix(".part").write_text(json.dumps({"failed": failed, "payload": text}), "utf-8")
    result.with_suffix(".part").replace(result)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _handler(name: str) -> Any:
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        problem = "not enough values to unpack (expected 2, got 1)"
        raise RefusedError("Runtime.MalformedHandlerName", f"Bad handler '{name}': {problem}")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RefusedError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        problem = f"Syntax error in module '{module_name}': {error}"
        raise RefusedError("Runtime.UserCodeSyntaxError", problem) from error
    if not hasattr(module, function_name):
        problem = f"Handler '{function_name}' missing on module '{module_name}'"
        raise RefusedError("Runtime.HandlerNotFound", problem)
    return getattr(module, function_name)


def _marshal(result: Any) -> str:
    try:
        return json.dumps(result, ensure_ascii=False, default=_number)
    except (TypeError, ValueError) as error:
        raise RefusedError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _number(value: Any) -> int | float:
    if type(value).__name__ != "Decimal":
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return int(value) if value == value.to_integral_value() else float(value)


def _error(error_type: str, message: str, request_id: str, trace: list[str]) -> str:
    answer = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": trace}
    return json.dumps(answer, ensure_ascii=False)


def _log_to_standard_error(request_id: str) -> None:
    """Add Lambda's handler to the root logger. Without it, `logging` would print warnings only."""
    handler = logging.StreamHandler()
    line = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s"
    handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    handler.formatter.converter = time.gmtime  # type: ignore[union-attr]
    logging.getLogger().addHandler(handler)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
