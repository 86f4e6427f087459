"""A deadline by which an invocation has answered, even if a remote service hangs.

A socket timeout restarts with every byte that arrives. So calls run in threads, and a thread that hasn't finished by
the deadline is abandoned.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class Deadline:
    """A deadline `seconds` from now, on the monotonic clock. `milliseconds` has the duration of each finished step."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self.milliseconds: dict[str, float] = {}

    def left(self) -> float:
        """Return the seconds left, 0 after the deadline."""
        return max(0.0, self._at - time.monotonic())

    def start(self, step: str, work: Callable[[], T]) -> "Future[T]":
        """Run `work` in another thread and record its duration, even if it fails."""

        def timed() -> T:
            began = time.perf_counter()
            try:
                return work()
            finally:
                self.milliseconds[step] = (time.perf_counter() - began) * 1000

        return start(timed)

    def wait(self, call: "Future[T]") -> T:
        """Return the result of `call` or raise its exception. Raises TimeoutError at the deadline."""
        return call.result(timeout=self.left())


class _Worker:
    """A daemon thread that waits for its next call. It doesn't keep the process alive."""

    #: Append and pop are atomic. A worker that is stuck in a call isn't in this list.
    idle: ClassVar[list["_Worker"]] = []

    def __init__(self) -> None:
        self.work: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._do(*self.work.get())

    def _do(self, call: "Future[Any]", work: Callable[[], Any]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self.idle.append(self)
            call.set_exception(error)
        else:
            self.idle.append(self)  # before the result is set, so that the next call finds it
            call.set_result(result)


def start(work: Callable[[], T]) -> "Future[T]":
    """Run `work` in another thread.

    Reuses an idle thread, otherwise starts one: a start takes longer than a call to a fast service. The pool has no
    fixed size, because hanging calls could occupy all of it.
    """
    call: Future[T] = Future()
    try:
        worker = _Worker.idle.pop()
    except IndexError:
        worker = _Worker()
    worker.work.put((call, work))
    return call
