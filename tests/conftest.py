"""Shared fixtures: one Spark session, one S3 server, generated logs, Hypothesis without deadlines."""

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
from botocore import useragent
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings
from moto.server import ThreadedMotoServer
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from java import Java

# pytest-xdist sets it in workers, where it would limit the width of tables.
os.environ.pop("COLUMNS", None)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest_plugins = ["personalize_emulator.pytest_plugin"]

# No deadlines, because engines share two cores with other processes. Failures print their seed, so no example database
# is needed.
settings.register_profile(
    "tests",
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("tests")

#: Files with slow tests, the slowest first. They start processes and servers, or try many random examples.
SLOW = (
    "test_examples.py",
    "test_docs.py",
    "test_running_stack.py",
    "test_parity.py",
    "test_doctor_stack.py",
    "test_modules.py",
    "test_demo.py",
    "test_export.py",
    "test_stage.py",
    "test_warehouse_generated.py",
    "test_cli_provision.py",
    "test_warehouse_parity.py",
    "test_warehouse_golden.py",
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
    "test_duckdb_domains.py",
    "test_server.py",
    "test_profile_load_cli.py",
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
    "test_killed.py",
    "test_mistakes.py",
    "test_night_shift.py",
    "test_pytest_plugin.py",
    "test_rows.py",
    "test_moto_patches.py",
    "test_cli_segment.py",
    "test_acceptance.py",
)

# Files that share one Spark session, whose warm-up takes as long as their tests.
SPARK = (
    "tests/history/test_parity.py",
    "tests/history/test_stage_spark.py",
    "tests/privacy/test_forget_parity.py",
)

_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Configure the process for all tests."""
    # AWS models and SQL trees are large and long-lived. By default, Python would scan them again and again.
    gc.set_threshold(100_000, 50, 100)
    # Each boto3 session reads megabytes of JSON, and tests create hundreds of sessions.
    load = JSONFileLoader.load_file
    loaded = cache(lambda path: load(JSONFileLoader(), path))
    JSONFileLoader.load_file = lambda _, path: loaded(path)  # type: ignore[assignment, method-assign]
    # Each client translates the same hundreds of names again, letter by letter.
    alias = EventAliaser._alias_event_name  # type: ignore[attr-defined]
    aliased = cache(lambda name: alias(EventAliaser(None), name))  # type: ignore[arg-type]
    EventAliaser._alias_event_name = lambda _, name: aliased(name)  # type: ignore[attr-defined]
    useragent.sanitize_user_agent_string_component = cache(useragent.sanitize_user_agent_string_component)
    # The garbage collector closes PySpark's sockets to the JVM.
    config.addinivalue_line("filterwarnings", r"ignore:unclosed <socket.socket .*'127\.0\.0\.1':ResourceWarning")
    # Terraform and its provider run for seconds and hold the schemas of all AWS services. By default, garbage
    # collection is a fifth of their work.
    os.environ.setdefault("GOGC", "400")
    # Without Terraform, pytest-terraform would stop pytest.
    config.option.dest_tf_replay |= shutil.which("terraform") is None
    # Background processes of a shell ignore Ctrl-C, those of nohup a hangup, and so would processes that tests start.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip files without unit tests in `-m unit`, because their imports are slow."""
    return True if config.option.markexpr == "unit" and collection_path.name in SLOW else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest files, alternating between waiting and computing, so that none runs alone at the end."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))
    for item in items:
        item.add_marker(_kind(item))


def _kind(item: pytest.Item) -> str:
    """Return the marker of a test, from pyproject.toml."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & {"spark", "java"}:
        return "spark"
    if "browser" in fixtures:
        return "browser"
    if (item.path.parent.name == "terraform" and item.path.name != "test_house_rules.py") or "demo" in item.path.name:
        return "terraform"
    return "slow" if item.path.name in SLOW else "unit"


class _ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Assigns files to processes one by one, and all Spark files to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SPARK[0] if file in SPARK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Return the scheduler that replaces `--dist loadfile`."""
    return _ByFile(config, log)


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    """Return the factory of environments for commands that start Java."""
    folder = tmp_path_factory.getbasetemp()
    return Java(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def spark(java: Java) -> "Iterator[SparkSession]":
    """Yield a session with two local cores, configured like the Glue job's."""
    from pyspark.sql import SparkSession  # saves tests without Spark a second

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
            # Many small jobs: optimized compilation takes longer than it saves.
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
    """Return a freshly built zip of `make package`."""
    script = Path(__file__).parents[1] / "tools" / "package.py"
    output = tmp_path_factory.mktemp("package") / "personalize-segment.zip"
    subprocess.run([sys.executable, script, "--output", output], check=True, capture_output=True)
    return output


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Yield the URL of an S3 server that runs as long as the tests."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_env(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point boto3 at the tests' S3 server and return the name of a new bucket."""
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
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the environment of the last test
    bucket = f"bucket-{next(_numbers)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return bucket


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs of three days, one file per day, with all kinds of events from `sample`. Read only."""
    return _sample(tmp_path_factory.mktemp("shop"), 15_000)


@pytest.fixture(scope="session")
def large_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return logs that take about a second to export. Read only."""
    return _sample(tmp_path_factory.mktemp("large-shop"), 40_000)


def _sample(folder: Path, events: int) -> Path:
    # A separate process, because `sample` forks and this process has threads.
    command = [sys.executable, "-m", "personalize_segment", "sample", str(folder), "--events", str(events)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "segment-logs"
