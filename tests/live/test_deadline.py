"""A deadline is met whatever the other side does, and abandoned calls delay nothing."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from personalize_segment.live import deadline
from personalize_segment.live.deadline import Deadline, start

LONG = 60.0


class Clock:
    """A substitute for `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the test's time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deadline, "time", made)
    return made


@pytest.mark.parametrize(
    ("seconds", "later", "left"),
    [(5.0, 0.0, 5.0), (5.0, 4.0, 1.0), (5.0, 5.0, 0.0), (5.0, 9.0, 0.0), (-1.0, 0.0, 0.0)],
)
def test_what_is_left_is_never_less_than_nothing(clock: Clock, seconds: float, later: float, left: float) -> None:
    until = Deadline(seconds)
    clock.now += later
    assert until.left() == left


def test_a_call_gives_what_its_work_returns() -> None:
    assert Deadline(LONG).wait(start(lambda: "done")) == "done"


def _raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("error", [ValueError("v"), OSError("o"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_call_raises_what_its_work_raises(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        Deadline(LONG).wait(start(_raising(error)))
    assert caught.value is error


def test_a_call_that_is_late_is_left_behind_and_may_still_end() -> None:
    go = threading.Event()
    call = start(lambda: go.wait(LONG))
    with pytest.raises(TimeoutError):
        Deadline(0).wait(call)
    go.set()
    assert Deadline(LONG).wait(call) is True


def test_what_is_done_when_the_moment_comes_still_counts() -> None:
    call: Future[str] = Future()
    call.set_result("done")
    assert Deadline(0).wait(call) == "done"
    failed: Future[str] = Future()
    failed.set_exception(ValueError("v"))
    with pytest.raises(ValueError, match="v"):
        Deadline(0).wait(failed)


def test_calls_run_side_by_side_each_in_a_thread_of_its_own() -> None:
    meeting = threading.Barrier(20)
    calls = [start(lambda: meeting.wait(LONG)) for _ in range(20)]
    assert sorted(Deadline(LONG).wait(call) for call in calls) == list(range(20))


def test_calls_that_never_end_do_not_keep_the_process_alive() -> None:
    code = """
import threading
from personalize_segment.live.deadline import Deadline, start
calls = [start(threading.Event().wait) for _ in range(3)]
try:
    Deadline(0).wait(calls[0])
except TimeoutError:
    print("late", threading.active_count())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=True)
    assert (run.stdout.split(), run.stderr) == (["late", "4"], "")
