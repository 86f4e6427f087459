"""How many recommendations may be asked for, whoever they are for: by one running copy of the function, and by all.

All copies share an item of the profile table for each minute, `recommendations#` and the minute's number since 1970.
Users' and items' keys begin otherwise. `taken` counts what copies have taken of the minute, and `expires` is when
DynamoDB may delete the item, in epoch seconds.
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

#: The most leases of a minute: DynamoDB takes 1,000 writes of one item per second, and copies meet at its beginning.
MAX_LEASES = 6000
#: How long an item is kept, in seconds. A copy whose clock is late by this much would begin the minute again.
KEPT_SECONDS = 86_400


class Allowance:
    """What a process may ask for: `per_minute`, all of a minute's at once after a quiet one. Threads may share it."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._left = float(per_minute), float(per_minute)
        self._clock, self._then = clock, clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one; return False if none is left."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._then) * self._most / 60)
            self._then = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class SharedAllowance:
    """What all processes with the table `name` may ask for: `per_minute` in each minute of the clock.

    A process takes a lease of several at once where there are many, and asks no more in a minute of which nothing is
    left. What is left of its lease ends with the minute. Threads may share it.
    """

    def __init__(
        self, client: "DynamoDBClient", name: str, per_minute: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._name, self._clock = client, name, clock
        self._most, self._lease = per_minute, -(-per_minute // MAX_LEASES)
        self._lock = threading.Lock()
        self._minute, self._left, self._over = 0, 0, False

    def take(self) -> bool:
        """Take one; return False if none is left.

        Raises TransientError if DynamoDB doesn't say. Whoever then asked all the same would have no limit.
        """
        minute = int(self._clock() // 60)
        with self._lock:
            # A thread that was held up has an earlier one, and must not begin it again.
            minute = max(minute, self._minute)
            if minute != self._minute:
                self._minute, self._left, self._over = minute, 0, False
            if self._left:
                self._left -= 1
                return True
            if self._over:
                return False
        # Not under the lock: one call that hangs would stop all threads.
        leased = self._write(minute)
        with self._lock:
            if minute == self._minute:
                self._left += self._lease - 1 if leased else 0
                self._over = not leased
        return leased

    def _write(self, minute: int) -> bool:
        """Count a lease; return False if no whole one is left."""
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
