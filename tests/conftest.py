"""What tests share: one Spark session, one S3 server, generated logs, Hypothesis without a clock."""

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings
from moto.server import ThreadedMotoServer
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from java import Java

# Workers of pytest-xdist have it, and it would limit the width of tables.
os.environ.pop("COLUMNS", None)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest_plugins = ["personalize_emulator.pytest_plugin"]

# Engines share two cores with whatever else runs there, so no example has a time of its own; and
# what fails once is printed with its seed, so that no folder of examples is needed.
settings.register_profile(
    "tests",
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("tests")

#: Files whose tests take long, the longest first: they start processes and servers, or try many random examples.
SLOW = (
    "test_examples.py",
    "test_docs.py",
    "test_running_stack.py",
    "test_parity.py",
    "test_doctor_stack.py",
    "test_modules.py",
    "test_demo.py",
    "test_export.py",
    "test_warehouse_golden.py",
    "test_cli_provision.py",
    "test_warehouse_parity.py",
    "test_warehouse_generated.py",
    "test_resume.py",
    "test_forget_parity.py",
    "test_wheel.py",
    "test_forget.py",
    "test_new_versions.py",
    "test_plan_refusals.py",
    "test_refresh.py",
    "test_recorded.py",
    "test_package.py",
    "test_release.py",
    "test_warehouse_quoting.py",
    "test_cli.py",
    "test_failures.py",
    "test_glue.py",
    "test_stage_spark.py",
    "test_cli_emulator.py",
    "test_changes.py",
    "test_faults.py",
    "test_destroy.py",
    "test_unload_cli.py",
    "test_function_settings.py",
    "test_segments_provider.py",
    "test_allowance.py",
    "test_apply.py",
    "test_warehouse_statements.py",
    "test_redrive.py",
    "test_event_sources.py",
    "test_preflight.py",
    "test_segment_plan.py",
    "test_forget_parts.py",
    "test_payloads.py",
    "test_preflight_measure.py",
    "test_warehouse_domains.py",
    "test_mistakes.py",
    "test_night_shift.py",
    "test_pytest_plugin.py",
    "test_rows.py",
    "test_moto_patches.py",
    "test_cli_segment.py",
    "test_acceptance.py",
)

# Files whose tests share one Spark, which takes as long to become quick as they then take.
SPARK = (
    "tests/history/test_parity.py",
    "tests/history/test_stage_spark.py",
    "tests/privacy/test_forget_parity.py",
)

_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Set what all tests need of the process they run in."""
    # Models of AWS and trees of SQL are large and live long: Python would look through them again and again.
    gc.set_threshold(100_000, 50, 100)
    # Each session of boto3's reads megabytes of JSON, and tests have hundreds of them.
    load = JSONFileLoader.load_file
    loaded = cache(lambda path: load(JSONFileLoader(), path))
    JSONFileLoader.load_file = lambda _, path: loaded(path)  # type: ignore[assignment, method-assign]
    # PySpark's sockets to the JVM are closed by the garbage collector.
    config.addinivalue_line("filterwarnings", r"ignore:unclosed <socket.socket .*'127\.0\.0\.1':ResourceWarning")
    # Terraform and its provider live for seconds and hold the schemas of all of AWS: a fifth of their work is to look
    # for memory to give back.
    os.environ.setdefault("GOGC", "400")
    # pytest-terraform would end pytest where Terraform is missing.
    config.option.dest_tf_replay |= shutil.which("terraform") is None
    # What a shell starts in the background ignores Ctrl-C, and so would all that tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out of `-m unit` the files that have no unit test: to import what they need takes a while."""
    return True if config.option.markexpr == "unit" and collection_path.name in SLOW else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, those that wait beside those that work, so that none ends alone."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))
    for item in items:
        item.add_marker(_kind(item))


def _kind(item: pytest.Item) -> str:
    """Return what a test needs, as the markers in pyproject.toml name it."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & {"spark", "java"}:
        return "spark"
    if "browser" in fixtures:
        return "browser"
    if (item.path.parent.name == "terraform" and item.path.name != "test_house_rules.py") or "demo" in item.path.name:
        return "terraform"
    return "slow" if item.path.name in SLOW else "unit"


class _ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives a process one file after the other, but all that share Spark to one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SPARK[0] if file in SPARK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Return what shares out the tests in place of `--dist loadfile`."""
    return _ByFile(config, log)


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    """Return what makes the environment of commands that start Java."""
    folder = tmp_path_factory.getbasetemp()
    return Java(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def spark(java: Java) -> "Iterator[SparkSession]":
    """Yield a session of two local cores, configured like the Glue job's own."""
    from pyspark.sql import SparkSession  # a second for those that need no Spark

    with java.environment() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        session = (
            SparkSession.builder.master("local[2]")
            .appName("tests")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "1g")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            # Small data in many jobs: to compile them well takes longer than to run them.
            .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
            .config("spark.hadoop.fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
            .getOrCreate()
        )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the zip of `make package`, built anew."""
    script = Path(__file__).parents[1] / "tools" / "package.py"
    output = tmp_path_factory.mktemp("package") / "personalize-segment.zip"
    subprocess.run([sys.executable, script, "--output", output], check=True, capture_output=True)
    return output


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Yield the URL of an S3 that lives as long as the tests do."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_env(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point boto3 to the S3 of the tests and return the name of a fresh bucket there."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers the environment of the last test
    bucket = f"bucket-{next(_numbers)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return bucket


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs of three days, a file each, with everything that `sample` puts into them; read only."""
    return _sample(tmp_path_factory.mktemp("shop"), 22_000)


@pytest.fixture(scope="session")
def large_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs that take an export about a second; read only."""
    return _sample(tmp_path_factory.mktemp("large-shop"), 40_000)


def _sample(folder: Path, events: int) -> Path:
    # A process of its own, since `sample` forks and this one has threads.
    command = [sys.executable, "-m", "personalize_segment", "sample", str(folder), "--events", str(events)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "segment-logs"
