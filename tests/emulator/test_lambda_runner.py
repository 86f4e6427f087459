"""Functions run from their zip, with Lambda's environment and nothing else, and fail like in Lambda."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from personalize_emulator.lambda_runner import Function, InvocationResult, Runner, remove
from served import zipped

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop:live"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder = tmp_path_factory.mktemp("runner")
    yield Runner("http://127.0.0.1:9", folder)
    remove(folder)


def function(files: dict[str, str], **changed: Any) -> Function:
    known: dict[str, Any] = {
        "name": "shop",
        "version": "7",
        "arn": ARN,
        "handler": "app.handler",
        "runtime": "python3.13",
        "timeout_seconds": 30.0,
        "memory_mb": 256,
        "environment": {"COLOR": "blue"},
        "code": zipped(files),
        "region": "eu-west-1",
        "log_group": "/aws/lambda/shop",
        "log_stream": "stream",
    }
    return Function(**known | changed)


def call(runner: Runner, body: str, event: Any = None, *, above: str = "", **changed: Any) -> InvocationResult:
    """Invoke a handler of these lines."""
    code = f"{above}\ndef handler(event, context):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    return runner.invoke(function({"app.py": code}, **changed), json.dumps(event), "request-1")


def answer(runner: Runner, body: str, event: Any = None, **more: Any) -> Any:
    outcome = call(runner, body, event, **more)
    assert not outcome.failed, outcome
    return json.loads(outcome.payload)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("event", {"id": "ä", "list": [1, None]}, id="the event"),
        pytest.param("os.environ['COLOR']", "blue", id="its environment"),
        pytest.param("os.environ['AWS_ENDPOINT_URL']", "http://127.0.0.1:9", id="where AWS is"),
        pytest.param("os.environ['AWS_REGION']", "eu-west-1", id="its region"),
        pytest.param("os.environ['AWS_LAMBDA_FUNCTION_NAME']", "shop", id="its name"),
        pytest.param("os.environ['AWS_EXECUTION_ENV']", "AWS_Lambda_python3.13", id="its runtime"),
        pytest.param("os.environ['_HANDLER']", "app.handler", id="its handler"),
        pytest.param("os.environ.get('SECRET_OF_THE_SERVER')", None, id="nothing of the server's environment"),
        pytest.param("os.path.exists(os.path.expanduser('~/.aws'))", False, id="no AWS configuration"),
        pytest.param("os.getcwd() == os.environ['LAMBDA_TASK_ROOT']", True, id="its working folder"),
        pytest.param("context.aws_request_id", "request-1", id="the request's id"),
        pytest.param("context.invoked_function_arn", ARN, id="the ARN with the alias"),
        pytest.param("context.function_version", "7", id="the version"),
        pytest.param("context.memory_limit_in_mb", "256", id="the memory, as text"),
        pytest.param("context.log_group_name + context.log_stream_name", "/aws/lambda/shopstream", id="its log"),
        pytest.param("25000 < context.get_remaining_time_in_millis() <= 30000", True, id="the time that is left"),
        pytest.param("context.client_context", None, id="no client context"),
        pytest.param("__import__('decimal').Decimal('1.5')", 1.5, id="decimals become numbers"),
    ],
)
def test_a_handler_sees(runner: Runner, expression: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "hidden")
    assert answer(runner, f"import os\nreturn {expression}", {"id": "ä", "list": [1, None]}) == expected


def test_a_handler_sees_the_client_context_of_its_caller(runner: Runner) -> None:
    body = "def handler(event, context): return context.client_context.custom"
    outcome = runner.invoke(function({"app.py": body}), "{}", "request-1", {"custom": {"a": "b"}})
    assert json.loads(outcome.payload) == {"a": "b"}


IMPORT = "import importlib.util\nreturn [name for name in event if importlib.util.find_spec(name)]"


def test_beside_its_code_a_function_finds_the_runtime_s_own_boto3_and_no_other_package(runner: Runner) -> None:
    runtime = ["boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six"]
    missing = ["moto", "pytest", "requests", "werkzeug", "duckdb", "personalize_segment", "pip", "setuptools"]
    assert answer(runner, IMPORT, runtime + missing) == runtime


def test_a_client_of_the_runtime_s_boto3_can_be_made(runner: Runner) -> None:
    body = "import boto3\nreturn boto3.client('personalize').meta.endpoint_url"
    assert answer(runner, body) == "http://127.0.0.1:9"


def test_what_the_package_holds_goes_before_what_the_runtime_holds(runner: Runner) -> None:
    files = {"app.py": "import six\ndef handler(event, context): return six.mine", "six.py": "mine = 'zip'"}
    assert runner.invoke(function(files), "{}", "id").payload == '"zip"'


def test_layers_lie_between_the_code_and_the_runtime_and_the_last_one_wins(runner: Runner) -> None:
    code = "import a, b, six\ndef handler(event, context): return [a.x, b.x, six.x]"
    layers = (
        zipped({"python/a.py": "x = 1", "python/b.py": "x = 1", "python/six.py": "x = 1"}),
        zipped({"python/lib/python3.13/site-packages/b.py": "x = 2"}),
    )
    outcome = runner.invoke(function({"app.py": code, "a.py": "x = 0"}, layers=layers), "{}", "id")
    assert json.loads(outcome.payload) == [0, 2, 1]


def test_a_handler_may_be_in_a_folder_of_the_package(runner: Runner) -> None:
    files = {"shop/live/app.py": "def handler(event, context): return 'found'"}
    assert runner.invoke(function(files, handler="shop/live/app.handler"), "{}", "id").payload == '"found"'


def test_the_code_can_be_read_but_not_written(runner: Runner) -> None:
    body = "import os\nroot = os.environ['LAMBDA_TASK_ROOT']\n"
    body += "return [os.stat(root).st_mode & 0o222, os.stat(root + '/app.py').st_mode & 0o222, os.listdir(root)]"
    answers = [answer(runner, body) for _ in range(2)]
    assert answers == [[0, 0, ["app.py"]]] * 2


def test_the_same_code_is_unzipped_once(runner: Runner) -> None:
    body = "import os\nreturn os.environ['LAMBDA_TASK_ROOT']"
    assert answer(runner, body) == answer(runner, body) != answer(runner, body + "  ")


def test_each_call_has_a_process_and_temporary_files_of_its_own(runner: Runner) -> None:
    body = "import os, tempfile\ncount.append(1)\nreturn [os.getpid(), len(count), tempfile.gettempdir()]"
    one, two = (answer(runner, body, above="count = []") for _ in range(2))
    assert one[1] == two[1] == 1
    assert one[0] != two[0]
    assert one[2] != two[2]
    assert not Path(one[2]).exists()


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        pytest.param("raise ValueError('no stock')", "ValueError", "no stock", id="an exception"),
        pytest.param("class Own(Exception): pass\nraise Own", "Own", "", id="a custom exception"),
        pytest.param(
            "return {1, 2}",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
            id="no JSON",
        ),
        pytest.param(
            "raise SystemExit(3)",
            "Runtime.ExitError",
            "RequestId: request-1 Error: Runtime exited with error: exit status 3",
            id="exit",
        ),
        pytest.param(
            "import os\nos._exit(0)",
            "Runtime.ExitError",
            "RequestId: request-1 Error: Runtime exited without providing a reason",
            id="an end without an error",
        ),
        pytest.param(
            "import os\nos.kill(os.getpid(), 9)",
            "Runtime.ExitError",
            "RequestId: request-1 Error: Runtime exited with error: signal: SIGKILL",
            id="killed, as when memory is short",
        ),
    ],
)
def test_a_handler_that_fails_is_reported_as_lambda_does(
    runner: Runner, body: str, error_type: str, message: str
) -> None:
    outcome = call(runner, body)
    found = json.loads(outcome.payload)
    assert outcome.failed
    assert (found["errorType"], found["errorMessage"]) == (error_type, message)


def test_a_stack_trace_names_the_function_s_own_lines_only(runner: Runner) -> None:
    found = json.loads(call(runner, "return inner()", above="def inner():\n    raise KeyError('k')").payload)
    assert found["requestId"] == "request-1"
    assert [line.split(", ", 1)[1].split("\n")[0] for line in found["stackTrace"]] == [
        "line 4, in handler",
        "line 2, in inner",
    ]


@pytest.mark.parametrize(
    ("files", "handler", "error_type", "message"),
    [
        pytest.param(
            {"app.py": "import segment"},
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'segment'",
            id="a dependency that the package lacks",
        ),
        pytest.param(
            {},
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'app'",
            id="no code",
        ),
        pytest.param(
            {"app.py": ""},
            "app.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
            id="no handler",
        ),
        pytest.param({"app.py": ""}, "app", "Runtime.MalformedHandlerName", "Bad handler 'app'", id="no dot"),
        pytest.param(
            {"app.py": "def"}, "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'", id="syntax"
        ),
        pytest.param({"app.py": "1 / 0"}, "app.handler", "ZeroDivisionError", "division by zero", id="fails to import"),
    ],
)
def test_a_function_that_cannot_begin_is_reported_as_lambda_does(
    runner: Runner, files: dict[str, str], handler: str, error_type: str, message: str
) -> None:
    outcome = runner.invoke(function(files, handler=handler), "{}", "request-1")
    found = json.loads(outcome.payload)
    assert outcome.failed
    assert found["errorType"] == error_type
    assert message in found["errorMessage"]


def test_a_function_that_takes_too_long_is_killed_with_its_children(runner: Runner, tmp_path: Path) -> None:
    body = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "print('still here', flush=True)\ntime.sleep(600)"
    )
    outcome = call(runner, body, timeout_seconds=1.0)
    assert outcome.failed
    assert json.loads(outcome.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: request-1 Error: Task timed out after 1.00 seconds",
    }
    assert "still here\n" in outcome.log
    assert "Task timed out after 1.00 seconds" in outcome.log
    child = psutil.Process(int((tmp_path / "child").read_text())) if _lives(tmp_path / "child") else None
    if child is not None:  # killed, but the system takes its moment to end it
        assert psutil.wait_procs([child], timeout=10)[1] == [] or child.status() == psutil.STATUS_ZOMBIE


def _lives(file: Path) -> bool:
    return psutil.pid_exists(int(file.read_text()))


def test_what_a_function_prints_and_logs_is_in_its_log_in_order(runner: Runner) -> None:
    body = (
        "import logging, sys\nlogging.getLogger().setLevel('INFO')\n"
        "print('printed')\nlogging.info('logged ä')\nprint('an error', file=sys.stderr)"
    )
    lines = call(runner, body).log.splitlines()
    assert lines[0] == "START RequestId: request-1 Version: 7"
    assert [line.split("\t")[-1] for line in lines[1:4]] == ["printed", "logged ä", "an error"]
    assert lines[2].startswith("[INFO]\t20")
    assert lines[4] == "END RequestId: request-1"
    assert lines[5].startswith("REPORT RequestId: request-1\tDuration: ")
    assert lines[5].endswith("Memory Size: 256 MB")


def test_megabytes_in_and_out_and_in_the_log_hold_nothing_up(runner: Runner) -> None:
    outcome = call(runner, "print(event)\nreturn event", "x" * 3_000_000)
    assert len(outcome.payload) == 3_000_002
    assert len(outcome.log) > 3_000_000


def test_a_runtime_that_is_not_python_is_said_to_be_unsupported(runner: Runner) -> None:
    outcome = runner.invoke(function({}, runtime="nodejs22.x"), "{}", "request-1")
    assert outcome.failed
    assert json.loads(outcome.payload)["errorType"] == "Runtime.Unsupported"
    assert "nodejs22.x can't run here" in json.loads(outcome.payload)["errorMessage"]


def test_the_interpreter_can_be_chosen(tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nCOLOR=red exec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    folder = tmp_path / "runner"
    folder.mkdir()
    chosen = Runner("http://127.0.0.1:9", folder, str(wrapper))
    assert answer(chosen, "import os\nreturn os.environ['COLOR']") == "red"
    remove(folder)
    assert not folder.exists()
