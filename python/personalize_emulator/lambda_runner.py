"""Run Lambda functions for real: one subprocess per call, from the uploaded zip.

The process has what the function has in AWS: its code, its layers, and the runtime's boto3, in an interpreter without
site-packages. So a dependency that is missing in the package fails here, as it would there. It can't show another
processor architecture, a minor version of Python other than `python`'s, memory limits, and warm starts.
"""

import importlib.metadata
import io
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

#: The packages that AWS's Python runtimes add to the standard library.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
#: Lambda's limit in seconds for the initialization of a function. Its own timeout counts from then on.
INIT_SECONDS = 10.0
_BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")


@dataclass(frozen=True, slots=True)
class Function:
    """One version of a Lambda function, as Lambda knows it at an invocation.

    `code` and `layers` are zip files. Later layers take precedence. `arn` is the invoked ARN.
    """

    name: str
    version: str
    arn: str
    handler: str
    runtime: str
    timeout_seconds: float
    memory_mb: int
    environment: Mapping[str, str]
    code: bytes = field(repr=False)
    region: str
    log_group: str
    log_stream: str
    layers: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The result of an invocation: JSON text, whether it is a function error, and the log."""

    payload: str
    failed: bool
    log: str


class Runner:
    """Runs functions against the AWS endpoint `endpoint`, and keeps unzipped code in `folder`."""

    def __init__(self, endpoint: str, folder: Path, python: str = sys.executable) -> None:
        self.endpoint = endpoint
        self.folder = folder
        self.python = python
        self._lock = threading.Lock()

    def invoke(
        self, function: Function, event: str, request_id: str, client_context: Mapping[str, Any] | None = None
    ) -> InvocationResult:
        """Run the handler with the JSON text `event`. Errors of the function become a result, not an exception."""
        if not function.runtime.startswith("python"):
            problem = f"{function.runtime or 'A container image'} can't run here: the emulator runs Python functions"
            return InvocationResult(
                _error("Runtime.Unsupported", problem), True, _frame(function, request_id, problem, 0)
            )
        with self._lock:
            task = self._unzipped(function.code)
            layers = [self._unzipped(layer) for layer in reversed(function.layers)]
            runtime = self._runtime()
        with tempfile.TemporaryDirectory(prefix="call-", dir=self.folder) as call:
            path = [str(task), *_layer_paths(layers), str(runtime)]
            environment = self._environment(function, task, runtime, Path(call))
            invocation = {
                "path": path,
                "request_id": request_id,
                "invoked_function_arn": function.arn,
                "timeout_seconds": function.timeout_seconds,
                "client_context": client_context,
            }
            (Path(call) / "event.json").write_text(event, "utf-8")
            return self._run(function, Path(call), task, environment, invocation)

    def _run(
        self,
        function: Function,
        call: Path,
        task: Path,
        environment: dict[str, str],
        invocation: dict[str, Any],
    ) -> InvocationResult:
        reader, writer = os.pipe()
        log = call / "log"
        # Bytecode is stored outside of the code, which is read-only as in Lambda.
        cache = f"pycache_prefix={self.folder / 'pycache'}"
        try:
            try:
                (call / "invocation.json").write_text(json.dumps(invocation | {"ready": writer}), "utf-8")
                with log.open("wb") as file:
                    process = subprocess.Popen(  # noqa: S603 - running uploaded code is the purpose
                        [self.python, "-I", "-S", "-X", cache, str(_BOOTSTRAP), str(call)],
                        env=environment,
                        cwd=task,
                        stdin=subprocess.DEVNULL,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        pass_fds=(writer,),
                        start_new_session=True,
                    )
            finally:
                os.close(writer)
            began = time.monotonic()
            ended, limit = _ends(reader, INIT_SECONDS), INIT_SECONDS
            if ended is None:  # the handler starts
                began = time.monotonic()
                ended, limit = _ends(reader, function.timeout_seconds), function.timeout_seconds
            if ended is not True:
                # The whole process group, because a child of the handler may hang too.
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        finally:
            os.close(reader)
        took = time.monotonic() - began
        printed = log.read_text("utf-8", "replace")
        request_id = invocation["request_id"]
        if ended is not True:
            problem = f"Error: Task timed out after {limit:.2f} seconds"
            printed += f"{problem}\n"
            payload, failed = _error("Sandbox.Timedout", f"RequestId: {request_id} {problem}"), True
        elif (call / "result.json").exists():
            result = json.loads((call / "result.json").read_text("utf-8"))
            payload, failed = result["payload"], result["failed"]
        else:
            problem = f"Error: Runtime exited {_reason(status)}"
            printed += f"{problem}\n"
            payload, failed = _error("Runtime.ExitError", f"RequestId: {request_id} {problem}"), True
        return InvocationResult(payload, failed, _frame(function, request_id, printed, took))

    def _environment(self, function: Function, task: Path, runtime: Path, call: Path) -> dict[str, str]:
        # The function's variables can't override Lambda's, except for the endpoint.
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **function.environment,
            "_HANDLER": function.handler,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": function.log_stream,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "HOME": str(call),  # not the ~/.aws of the server's user
            "TMPDIR": str(call),
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }

    def _unzipped(self, code: bytes) -> Path:
        """Return the folder with the files of a zip, unzipped once and read-only."""
        folder = self.folder / sha256(code).hexdigest()
        if not folder.exists():
            part = folder.with_suffix(".part")
            part.mkdir(exist_ok=True)
            with zipfile.ZipFile(io.BytesIO(code)) as archive:
                archive.extractall(part)
            for path in (part, *part.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            part.rename(folder)
        return folder

    def _runtime(self) -> Path:
        """Return a folder of links to exactly the installed packages that Lambda's runtime has."""
        folder = self.folder / "runtime"
        if not folder.exists():
            part = folder.with_suffix(".part")
            part.mkdir(exist_ok=True)
            for name in RUNTIME:
                distribution = importlib.metadata.distribution(name)
                tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
                for top in tops:
                    (part / top).symlink_to(str(distribution.locate_file(top)))
            part.rename(folder)
        return folder


def remove(folder: Path) -> None:
    """Remove a runner's folder, including the read-only code in it."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def _ends(reader: int, seconds: float) -> bool | None:
    """Return True if the process ended within `seconds`, None if it wrote a byte, otherwise False."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if not poll.poll(seconds * 1000):
        return False
    return None if os.read(reader, 1) else True


def _layer_paths(layers: list[Path]) -> list[str]:
    """Return the import paths of layers, which AWS would merge in /opt."""
    packages = "python/lib/python3.*/site-packages"
    return [str(path) for layer in layers for path in (*layer.glob(packages), layer / "python")]


def _reason(status: int) -> str:
    if status == 0:
        return "without providing a reason"
    if status > 0:
        return f"with error: exit status {status}"
    return f"with error: signal: {signal.Signals(-status).name}"


def _error(error_type: str, message: str) -> str:
    return json.dumps({"errorType": error_type, "errorMessage": message})


def _frame(function: Function, request_id: str, printed: str, seconds: float) -> str:
    if printed and not printed.endswith("\n"):
        printed += "\n"
    milliseconds = seconds * 1000
    return (
        f"START RequestId: {request_id} Version: {function.version}\n{printed}END RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {function.memory_mb} MB\n"
    )
