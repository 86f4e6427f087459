"""Limits on recommendation requests: per process, and shared by all running instances of the function.

The instances share one item of the profile table per minute. Its key is `recommendations#` and the minute's number
since 1970. No key of a user or an item begins like this. `taken` counts the requests that instances have reserved, and
`expires` is the time after which DynamoDB may delete the item, in epoch seconds.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..aws_errors import FAILURES, answered, of
from ..contract.layout import MINUTES
from ..errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Maximum leases per minute. DynamoDB takes 1,000 writes per second to one item, and instances collide as it begins.
MAX_LEASES = 6000
#: Time for which an item is kept, in seconds. An instance whose clock is this slow would restart the minute.
KEPT_SECONDS = 86_400


class Allowance:
    """A limit of `per_minute` requests for this process. After a quiet minute all may come at once. Thread-safe."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._left = float(per_minute), float(per_minute)
        self._clock, self._then = clock, clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Reserve one request. Return False if none is left."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._then) * self._most / 60)
            self._then = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class SharedAllowance:
    """A limit of `per_minute` requests per clock minute, shared by all processes that use the table `name`.

    With a high limit, a process leases several requests at once. After a minute is used up, it doesn't ask DynamoDB
    again until the next one. An unused rest of a lease expires with the minute. Thread-safe.
    """

    def __init__(
        self, client: "DynamoDBClient", name: str, per_minute: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._name, self._clock = client, name, clock
        self._most, self._lease = per_minute, -(-per_minute // MAX_LEASES)
        self._lock = threading.Lock()
        self._minute, self._left, self._over = 0, 0, False

    def take(self) -> bool:
        """Reserve one request. Return False if none is left.

        Raises TransientError if DynamoDB doesn't answer: a request without its answer would have no limit.
        """
        minute = int(self._clock() // 60)
        with self._lock:
            # A thread that was delayed has an earlier minute, and must not restart it.
            minute = max(minute, self._minute)
            if minute != self._minute:
                self._minute, self._left, self._over = minute, 0, False
            if self._left:
                self._left -= 1
                return True
            if self._over:
                return False
        # Outside the lock: one call that hangs would stop all threads.
        leased = self._write(minute)
        with self._lock:
            if minute == self._minute:
                self._left += self._lease - 1 if leased else 0
                self._over = not leased
        return leased

    def _write(self, minute: int) -> bool:
        """Reserve a lease. Return False if less than a whole one is left."""
        values = {
            ":lease": {"N": str(self._lease)},
            ":before": {"N": str(self._most - self._lease)},
            ":expires": {"N": str(minute * 60 + KEPT_SECONDS)},
        }
        try:
            answered(
                lambda: self._client.update_item(
                    TableName=self._name,
                    Key={"id": {"S": f"{MINUTES}{minute}"}},
                    UpdateExpression="SET expires = :expires ADD taken :lease",
                    ConditionExpression="attribute_not_exists(taken) OR taken <= :before",
                    ExpressionAttributeValues=values,
                )
            )
        except FAILURES as error:
            if (code := of(error).code) == "ConditionalCheckFailedException":
                return False
            raise TransientError("UpdateItem", f"profile table ({code})", "Check the table") from error
        return True
