"""Injected faults: throttling, failing calls, failing jobs, slow life cycles."""

import random
from dataclasses import dataclass, field

from .service_errors import ServiceError


@dataclass
class _Calls:
    left: int
    error: ServiceError


@dataclass
class Faults:
    """The faults of one emulator. Set them before or between calls. `clear` removes all of them."""

    seed: int = 0
    _random: random.Random = field(init=False)
    _throttled: float = field(init=False, default=0.0)
    _broken: float = field(init=False, default=0.0)
    _calls: dict[str, _Calls] = field(init=False, default_factory=dict)
    _jobs: dict[str, list[str]] = field(init=False, default_factory=dict)
    _slow: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def throttle(self, fraction: float) -> None:
        """Answer this fraction of all calls with ThrottlingException."""
        self._throttled = _fraction(fraction)

    def break_down(self, fraction: float) -> None:
        """Answer this fraction of all calls with InternalServerException and HTTP status 500."""
        self._broken = _fraction(fraction)

    def fail_calls(self, operation: str, times: int, code: str = "ThrottlingException", status: int = 400) -> None:
        """Answer the next `times` calls of `operation` with `code`."""
        self._calls[operation] = _Calls(times, ServiceError(code, f"Fault on demand in {operation}.", status))

    def fail(self, name: str, reason: str, times: int = 1) -> None:
        """Make the next `times` creations or updates of resources called `name` end in CREATE FAILED.

        For a solution version without a name, the name of its solution counts.
        """
        self._jobs.setdefault(name, []).extend([reason] * times)

    def slow(self, kind: str, factor: float) -> None:
        """Make the life cycle of a kind of resource, such as "Campaign", take `factor` times as long."""
        if factor < 0:
            raise ValueError(f"{factor} isn't a valid factor")
        self._slow[kind] = factor

    def clear(self) -> None:
        """Remove all faults. Operations in progress keep their pace."""
        self._throttled = self._broken = 0.0
        self._calls.clear()
        self._jobs.clear()
        self._slow.clear()

    def before(self, operation: str) -> None:
        """Raise the fault that is due for a call of `operation`, if any."""
        planned = self._calls.get(operation)
        if planned is not None and planned.left > 0:
            planned.left -= 1
            raise planned.error
        if self._random.random() < self._throttled:
            raise ServiceError("ThrottlingException", "Rate exceeded", 400)
        if self._random.random() < self._broken:
            raise ServiceError("InternalServerException", "Fault on demand.", 500)

    def reason(self, *names: str | None) -> str | None:
        """Return the reason why the resource with one of these names must fail now, and count the failure."""
        for name in names:
            reasons = self._jobs.get(name) if name else None
            if reasons:
                return reasons.pop(0)
        return None

    def factor(self, kind: str) -> float:
        """Return the factor by which the life cycle of `kind` takes longer than usual."""
        return self._slow.get(kind, 1.0)


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{value} isn't a fraction between 0 and 1")
    return value
