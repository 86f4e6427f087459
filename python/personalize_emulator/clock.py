"""The clock of the life cycles."""

import threading
import time


class Clock:
    """A clock that runs `speed` times as fast as real time and can be advanced.

    `speed=0` stops it until `advance` is called, for tests that must not depend on the speed of the machine. `start` is
    in epoch seconds, by default the current time.
    """

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        if not 0 <= speed < float("inf"):
            raise ValueError(f"speed is {speed}, not a finite number of at least 0")
        self.speed = speed
        self._begin = time.monotonic()
        self._time = time.time() if start is None else start
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time in epoch seconds."""
        with self._lock:
            return self._time + (time.monotonic() - self._begin) * self.speed

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds`."""
        if seconds < 0:
            raise ValueError(f"time can't go back by {-seconds} seconds")
        with self._lock:
            self._time += seconds
