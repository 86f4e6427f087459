"""The offline Amazon Personalize: one object that answers the operations of its three services."""

import copy
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

# Imported for what they register: each operation is in one of these modules.
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
    """Amazon Personalize without AWS: state in memory, statuses on `clock`, data from S3.

    `s3` returns the S3 client with which jobs read and write, boto3's own by default; it is called once,
    when the first job runs. `faults` says what goes wrong. Several threads may call one emulator.
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
        """Answer one operation with what its model knows.

        Raises ServiceError: what the model forbids, what the service would answer, or
        UnsupportedOperationException for what the emulator can't do.
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
                    # CreateFilter has no ResourceInUseException, for one.
                    raise invalid(error.message) from None
                raise
            return copy.deepcopy(prune(model.output_shape, answer or {})) if model.output_shape is not None else {}


def _s3() -> Any:
    import boto3  # a seventh of a second that an emulator without imports need not wait

    return boto3.client("s3")
