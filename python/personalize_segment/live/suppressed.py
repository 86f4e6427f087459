"""The suppression list (docs/privacy.md), cached for a while: users who are added take effect within minutes."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..aws_errors import FAILURES, answered, of
from ..contract.suppression import SuppressionList, parse
from ..errors import ForgetError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_logger = logging.getLogger(__name__)

#: Time in seconds before a list that couldn't be read again is read again.
PAUSE_SECONDS = 15


class Suppressed:
    """Reads the list at `place`, an s3:// object, and caches it for `refresh` seconds. Thread-safe."""

    def __init__(
        self, client: "S3Client", place: str, refresh: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._place, self._refresh, self._clock = client, place, refresh, clock
        self._list: SuppressionList | None = None
        self._until = 0.0

    def list(self) -> SuppressionList:
        """Return the list. If it can't be read again, the cached one stays.

        Raises TransientError if it was never read and can't be read now: a missing list isn't an empty list.
        """
        if self._list is not None and self._clock() < self._until:
            return self._list
        bucket, _, key = self._place.removeprefix("s3://").partition("/")
        pause = self._refresh
        try:
            data = answered(lambda: self._client.get_object(Bucket=bucket, Key=key)["Body"].read())
            self._list = parse(data, self._place)
        except (ForgetError, *FAILURES) as error:
            why = error.problem if isinstance(error, ForgetError) else f"can't be read ({of(error).code})"
            if self._list is None:
                remedy = "Put an empty object there if no user was deleted yet, and check the function's permissions"
                raise TransientError(self._place, why, remedy) from error
            _logger.warning("keeping the cached suppression list: %s %s", self._place, why)
            pause = PAUSE_SECONDS
        self._until = self._clock() + pause
        return self._list
