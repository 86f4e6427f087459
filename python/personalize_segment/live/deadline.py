"""One moment by which an invocation has answered, whatever the other side does.

Sockets' time-outs start again with every byte that drips in, so calls run in threads that are
waited for until the moment comes and then left behind.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class Deadline:
    """A moment on the monotonic clock, `seconds` from now; `milliseconds` has the time of each step so far."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self.milliseconds: dict[str, float] = {}

    def left(self) -> float:
        """Return the seconds until then, 0 when it has passed."""
        return max(0.0, self._at - time.monotonic())

    def start(self, step: str, work: Callable[[], T]) -> "Future[T]":
        """Run `work` in another thread and note how long it took, also when it fails."""

        def timed() -> T:
            began = time.perf_counter()
            try:
                return work()
            finally:
                self.milliseconds[step] = (time.perf_counter() - began) * 1000

        return start(timed)

    def wait(self, call: "Future[T]") -> T:
        """Return what `call` returns or raise what it raises; TimeoutError when the moment comes first."""
        return call.result(timeout=self.left())


class _Worker:
    """A thread that waits for its next call; it doesn't keep the process alive."""

    #: Append and pop are atomic. A worker that is stuck in a call is simply not here.
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
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self.idle.append(self)
            call.set_exception(error)
        else:
            self.idle.append(self)  # before the result, so that the next call finds it
            call.set_result(result)


def start(work: Callable[[], T]) -> "Future[T]":
    """Run `work` in another thread.

    A thread that has nothing to do takes it, else a new one: starting one costs more than a
    call to a fast service, and a pool of fixed size would one day be all stuck.
    """
    call: Future[T] = Future()
    try:
        worker = _Worker.idle.pop()
    except IndexError:
        worker = _Worker()
    worker.work.put((call, work))
    return call
