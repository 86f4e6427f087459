"""`personalize-segment emulator`: its output for the shell, and its end."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import in_process
from programs import installed

BIN = installed()
COMMAND = BIN / "personalize-segment"
SECONDS = 60


def _clean() -> dict[str, str]:
    """Return an environment without AWS settings, in which messages aren't wrapped."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "500", "NO_COLOR": "1"}


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = _clean() | environment
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)


@contextmanager
def _running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Yield the process and its stdout. Stop it at the end if it still runs."""
    command = [str(COMMAND), "emulator", "--port", "0", *arguments]
    with subprocess.Popen(
        command, env=_clean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, _whole(process.stdout.fileno())
        finally:
            if process.poll() is None:
                process.terminate()


def _whole(output: int) -> str:
    """Return stdout until it is closed, without waiting forever."""
    found = b""
    while select.select([output], [], [], SECONDS)[0]:
        part = os.read(output, 65536)
        if not part:
            return found.decode()
        found += part
    raise AssertionError(f"stdout isn't closed after {found!r}")


def _exported(printed: str) -> dict[str, str]:
    return dict(re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE))


def _client(found: dict[str, str], service: str) -> Any:
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=found["AWS_ENDPOINT_URL"],
        region_name=found["AWS_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=SECONDS),
    )


def _end(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """End it with a signal, and return its status and messages."""
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def test_what_it_prints_leads_clients_to_it_until_ctrl_c() -> None:
    with _running("--region", "eu-west-1") as (process, printed):
        found = _exported(printed)
        assert found["EMULATOR_PID"] == str(process.pid)
        assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu-west-1"
        assert _client(found, "sts").get_caller_identity()["Account"] == "123456789012"
        arn = _client(found, "personalize").create_dataset_group(name="shop")["datasetGroupArn"]
        assert arn == "arn:aws:personalize:eu-west-1:123456789012:dataset-group/shop"
        said = "Personalize's clock runs 1,000 times faster. Ctrl-C stops it."
        assert _end(process, signal.SIGINT) == (0, f"AWS is at {found['AWS_ENDPOINT_URL']}. {said}\n")


@pytest.mark.parametrize(
    ("speed", "status"),
    [
        # A dataset group takes half a minute, longer than the test.
        pytest.param("1", "CREATE PENDING", id="as fast as AWS"),
        pytest.param("1000000", "ACTIVE", id="a million times as fast"),
    ],
)
def test_its_clock_runs_as_fast_as_it_is_told_until_sigterm(speed: str, status: str) -> None:
    with _running("--speed", speed) as (process, printed):
        personalize = _client(_exported(printed), "personalize")
        arn = personalize.create_dataset_group(name="shop")["datasetGroupArn"]
        time.sleep(0.001)
        assert personalize.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"]["status"] == status
        assert _end(process, signal.SIGTERM)[0] == 0


def test_a_shell_gets_the_variables_while_it_runs_on() -> None:
    script = """
        export AWS_PROFILE=mine AWS_SESSION_TOKEN=mine
        eval "$(personalize-segment emulator --port 0 --region "it's" &)"
        echo "${AWS_PROFILE-none} ${AWS_SESSION_TOKEN-none} $AWS_REGION"
        kill "$EMULATOR_PID"
    """
    done = _run("bash", "-euc", script)
    assert (done.returncode, done.stdout) == (0, "none none it's\n"), done.stderr


def test_a_port_in_use_is_one_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _run(COMMAND, "emulator", "--port", str(port))
    said = f"personalize-segment: 127.0.0.1:{port}: is in use. Name another port, or 0 for a free one.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.parametrize("package", ["moto", "boto3", "flask"])
def test_without_its_extra_it_says_what_to_install(package: str) -> None:
    # None in sys.modules makes a module unimportable.
    code = f"import sys; sys.modules[{package!r}] = None; from personalize_segment.cli import main; main()"
    # moto warns, too, when Flask is missing.
    done = _run(sys.executable, "-c", code, "emulator", "--port", "0", PYTHONWARNINGS="ignore")
    said = f"personalize-segment: {package} isn't installed. Install personalize-segment[emulator].\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--port", "65536"), id="port"),
        pytest.param(("--speed", "0"), id="a stopped clock"),
        pytest.param(("--speed", "nan"), id="no number"),
    ],
)
def test_what_makes_no_sense_is_misuse(arguments: tuple[str, str]) -> None:
    done = in_process.run("emulator", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '{arguments[0]}'" in done.stderr


def test_one_that_is_interrupted_before_it_is_ready_is_no_success() -> None:
    code = """
import os, signal, sys
from personalize_segment.cli import main
from personalize_emulator import server
began = server.Server.__enter__
def interrupted(self):
    os.kill(os.getpid(), signal.SIGINT)
    return began(self)
server.Server.__enter__ = interrupted
main()
"""
    done = _run(sys.executable, "-c", code, "emulator", "--port", "0")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
