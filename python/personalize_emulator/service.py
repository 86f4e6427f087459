"""The emulator: one object that answers the operations of Personalize's three services."""

import copy
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

# Imported to register their operations. Each operation is in one of these modules.
from . import (  # noqa: F401
    attributions,
    batch,
    campaigns,
    datasets,
    events,
    filtering,
    jobs,
    lifecycle,
    recipes,
    recommenders,
    runtime,
    solutions,
    tags,
)
from .clock import Clock
from .constraints import check
from .faults import Faults
from .service_errors import ServiceError, invalid
from .service_model import OPERATIONS, Wire, prune
from .store import Store

ACCOUNT = "123456789012"


class Emulator:
    """Amazon Personalize without AWS: state in memory, statuses on `clock`, data from S3. Thread-safe.

    `s3` returns the S3 client for jobs, by default boto3's own. It is called once, for the first job. `faults` injects
    failures.

        emulator = Emulator(Clock(speed=0))
        emulator.call("CreateDatasetGroup", {"name": "shop"})
        emulator.clock.advance(60)
    """

    def __init__(
        self,
        clock: Clock | None = None,
        s3: Callable[[], Any] | None = None,
        faults: Faults | None = None,
        account: str = ACCOUNT,
    ) -> None:
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.account = account
        self._s3: Callable[[], Any] = cache(s3 or _s3)
        self._stores: dict[str, Store] = {}
        self._lock = threading.RLock()

    def call(self, operation: str, request: Wire, region: str = "us-east-1") -> Wire:
        """Answer one operation with the members that its model has.

        Raises ServiceError: for requests that the model forbids, for the service's own errors, and as
        UnsupportedOperationException for features that the emulator doesn't have.
        """
        model = OPERATIONS[operation]
        with self._lock:
            self.faults.before(operation)
            if model.input_shape is not None:
                check(model.input_shape, request)
            store = self._stores.get(region)
            if store is None:
                store = self._stores[region] = Store(region, self.account, self.clock, self.faults, self._s3)
            store.settle()
            given = {name: value for name, value in copy.deepcopy(request).items() if value is not None}
            try:
                answer = lifecycle.call(store, operation, given)
            except ServiceError as error:
                known = {shape.name for shape in model.error_shapes}
                if error.code.startswith("Resource") and error.code not in known:
                    # For example, CreateFilter has no ResourceInUseException.
                    raise invalid(error.message) from None
                raise
            return copy.deepcopy(prune(model.output_shape, answer or {})) if model.output_shape is not None else {}


def _s3() -> Any:
    import boto3  # takes a seventh of a second, needed for jobs only

    return boto3.client("s3")
