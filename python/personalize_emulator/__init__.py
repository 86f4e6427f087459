"""Amazon Personalize without AWS, for tests, demonstrations and continuous integration.

    emulator = Emulator(clock=Clock(speed=1000))
    install(emulator, session)              # boto3 in one process, or
    application = wsgi(emulator)            # behind any WSGI server

It answers the 79 operations of personalize, personalize-events and personalize-runtime from botocore's
own models. What it can't do, it refuses with UnsupportedOperationException.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import Clock
    from .faults import Faults
    from .http import handle
    from .service import Emulator
    from .transports import install, wsgi

__all__ = ["Clock", "Emulator", "Faults", "handle", "install", "wsgi"]

_MODULES = {
    "Clock": "clock",
    "Emulator": "service",
    "Faults": "faults",
    "handle": "http",
    "install": "transports",
    "wsgi": "transports",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package for its plugin at every start: botocore has to wait for the test that uses it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
