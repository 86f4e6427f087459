"""Interrupted anywhere, restarted, or started twice, commands reach the same end and create nothing twice.

A command's only state is in AWS. So an uncaught exception after a call's answer equals SIGKILL at that place: the
command's knowledge is gone with its frames (every command here starts with new clients), and its requests have been
processed. Reads change neither side, so a kill after a read equals a kill after the last write, a little later. One
test still sends the real signal to a real process.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from documents import changed
from personalize_emulator import wsgi
from stack import COLOR, MAPPING, SHOP, Cloud, KilledError, cloud

OTHER = changed(
    SHOP,
    {
        "event_mapping": changed(MAPPING, {"items/fields/COLOR": COLOR}),
        "solutions/for-you/automatic_training": False,
        "filters": {"seen": 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")'},
        "campaigns/home/minimum_tps": 3,
    },
)
MANUAL = changed(SHOP, {"solutions/for-you/automatic_training": False})
SPECS = [pytest.param(SHOP, id="automatic"), pytest.param(MANUAL, id="by hand")]


@pytest.fixture
def account() -> Iterator[Cloud]:
    with cloud(poll_seconds=1200) as found:
        yield found


def undisturbed(document: dict[str, Any]) -> tuple[list[tuple[str, str, str]], Counter[str], int]:
    """Return the resources after one apply, its calls, and its number of writes."""
    with cloud(poll_seconds=1200) as account:
        count = [0]

        def after(number: int, _: str) -> None:
            count[0] = number

        account.apply(document, account.clients(after=after))
        return account.everything(), account.made(), count[0]


def kill_at(number: int) -> Any:
    """Return a hook that ends the command at a call's number."""

    def hook(now: int, _: str) -> None:
        if now == number:
            raise KilledError

    return hook


@pytest.mark.parametrize("document", SPECS)
def test_an_apply_killed_after_any_call_is_finished_by_the_next(document: dict[str, Any]) -> None:
    wanted, made, calls = undisturbed(document)
    assert calls > 15
    # Automatic training has the same calls up to the version.
    for number in range(1 if document is MANUAL else made.total() - 2, calls + 1):
        with cloud(poll_seconds=1200) as account:
            with pytest.raises(KilledError):
                account.apply(document, account.clients(after=kill_at(number)))
            account.apply(document)
            assert (account.everything(), account.made()) == (wanted, made), f"killed after call {number}"
            assert account.plan(document) == []


def test_an_apply_killed_before_any_call_is_finished_by_the_next() -> None:
    wanted, made, calls = undisturbed(MANUAL)
    for number in range(1, calls + 1, 7):
        with cloud(poll_seconds=1200) as account:
            with pytest.raises(KilledError):
                account.apply(MANUAL, account.clients(before=kill_at(number)))
            account.clock.advance(1800)
            account.apply(MANUAL)
            assert (account.everything(), account.made()) == (wanted, made), f"killed before call {number}"


@pytest.mark.parametrize("document", SPECS)
def test_processes_that_live_for_one_call_each_come_to_the_end(account: Cloud, document: dict[str, Any]) -> None:
    wanted, made, _ = undisturbed(document)
    kills = 0
    while kills < 2 * made.total():
        try:
            account.apply(document, account.clients(after=kill_at(1)))
        except KilledError:
            kills += 1
        else:
            break
    assert kills >= made.total()
    assert (account.everything(), account.made()) == (wanted, made)


def test_a_change_killed_after_any_call_is_finished_by_the_next(account: Cloud) -> None:
    account.apply(SHOP)
    account.calls.clear()
    account.apply(OTHER)
    wanted, made = account.everything(), account.made()
    account.destroy(OTHER)
    account.calls.clear()
    account.apply(SHOP)
    account.calls.clear()
    kills = 0
    while account.plan(OTHER):
        try:
            account.apply(OTHER, account.clients(after=kill_at(1)))
        except KilledError:
            kills += 1
    assert kills >= 7
    assert (account.everything(), account.made()) == (wanted, made)


def test_a_destroy_killed_after_any_call_is_finished_by_the_next(account: Cloud) -> None:
    account.apply(SHOP)
    before = account.everything()
    count = [0]
    account.destroy(SHOP, account.clients(after=lambda number, _: count.__setitem__(0, number)))
    assert account.everything() == []
    # Import jobs and versions go with their parents.
    assert count[0] == sum(kind not in ("DatasetImportJob", "SolutionVersion") for kind, _, _ in before)
    for number in range(1, count[0] + 1):
        account.apply(SHOP)
        account.calls.clear()
        with pytest.raises(KilledError):
            account.destroy(SHOP, account.clients(after=kill_at(number)))
        account.destroy(SHOP)
        assert account.everything() == [], f"killed after call {number}"
        assert sum(name.startswith("Delete") for name, _ in account.calls) == count[0]


def test_what_a_killed_destroy_left_is_built_up_again(account: Cloud) -> None:
    account.apply(SHOP)
    wanted = account.everything()
    for number in (1, 8, 10, 14):
        with pytest.raises(KilledError):
            account.destroy(SHOP, account.clients(after=kill_at(number)))
        account.apply(SHOP)
        assert account.everything() == wanted
        assert account.plan(SHOP) == []


def test_a_second_apply_that_runs_between_any_two_calls_does_no_harm() -> None:
    """The worst moment: one process has checked and is about to call, while the other does everything."""
    wanted, made, calls = undisturbed(MANUAL)
    for number in range(1, calls + 1):
        with cloud(poll_seconds=1200) as account:

            def meanwhile(now: int, _: str, number: int = number, account: Cloud = account) -> None:
                if now == number:
                    account.apply(MANUAL)

            account.apply(MANUAL, account.clients(before=meanwhile))
            assert (account.everything(), account.made()) == (wanted, made), f"before call {number}"


def test_two_applies_in_step_do_no_harm() -> None:
    """Both check, both plan the same, both call."""
    wanted, made, _ = undisturbed(MANUAL)
    with cloud(poll_seconds=1200) as account:
        trouble: list[BaseException] = []
        barrier = threading.Barrier(2)

        def together(_number: int, _operation: str) -> None:
            try:
                barrier.wait(timeout=0.1)
            except threading.BrokenBarrierError:
                barrier.reset()

        def run() -> None:
            try:
                account.apply(MANUAL, account.clients(before=together))
            except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
                trouble.append(error)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert trouble == []
        assert (account.everything(), account.made()) == (wanted, made)


PROCESS = """
import pathlib, sys, time, boto3
from botocore.config import Config
from personalize_segment.provision import apply as applying, prices, spec
from personalize_segment.provision.retries import Polling
from personalize_segment.provision.state import ProvisionClients
port, file = sys.argv[1:]
session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
once = Config(retries={"total_max_attempts": 1})
client = session.client("personalize", endpoint_url=f"http://127.0.0.1:{port}", config=once)
clients = ProvisionClients(client, None, None)
polling = Polling(0.01, time.sleep)
applying.apply(clients, spec.read(pathlib.Path(file).read_text()), prices.read(None), polling)
"""


class Patient(WSGIServer):
    """A server that ignores broken connections."""

    def handle_error(self, *_: Any) -> None:
        """Print nothing."""


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def test_a_process_killed_by_the_system_is_finished_by_the_next(account: Cloud, tmp_path: Path) -> None:
    document = {
        "version": 1,
        "name": "shop",
        "event_mapping": MAPPING,
        "datasets": {"interactions": {}, "users": {}, "items": {}},
        "filters": SHOP["filters"],
    }
    file = tmp_path / "personalize.json"
    file.write_text(json.dumps(document))
    answer = wsgi(account.emulator)
    writes: list[str] = []
    process: list[subprocess.Popen[bytes]] = []
    kills = {1, 3, 6, 8}

    def application(environment: dict[str, Any], start: Any) -> Any:
        operation = environment["HTTP_X_AMZ_TARGET"].partition(".")[2]
        body = answer(environment, start)
        account.clock.advance(10)
        if operation.startswith("Create"):
            writes.append(operation)
            if len(writes) in kills:
                # Done, but the answer is lost.
                os.kill(process[-1].pid, signal.SIGKILL)
                process[-1].wait()
        return body

    def run(port: int) -> int:
        with subprocess.Popen([sys.executable, "-c", PROCESS, str(port), str(file)]) as started:
            process.append(started)
            return started.wait(timeout=30)

    with make_server("127.0.0.1", 0, application, Patient, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            ends = [run(server.server_port) for _ in range(len(kills) + 1)]
        finally:
            server.shutdown()
            thread.join()
    assert ends == [-signal.SIGKILL] * len(kills) + [0]
    assert Counter(writes) == {
        "CreateDatasetGroup": 1, "CreateSchema": 3, "CreateDataset": 3, "CreateEventTracker": 1, "CreateFilter": 1,
    }  # fmt: skip
    with cloud() as other:
        other.apply(document)
        assert other.everything() == account.everything()
