"""Amazon Personalize without AWS, for tests, demonstrations and continuous integration.

    emulator = Emulator(clock=Clock(speed=1000))
    install(emulator, session)              # boto3 in one process, or
    application = wsgi(emulator)            # behind any WSGI server

It answers the 79 operations of personalize, personalize-events and personalize-runtime, with botocore's models of them.
Features that it doesn't have are refused with UnsupportedOperationException.
"""

from .clock import Clock
from .faults import Faults
from .http import handle
from .service import Emulator
from .transports import install, wsgi

__all__ = ["Clock", "Emulator", "Faults", "handle", "install", "wsgi"]
