"""The suppression list of docs/privacy.md, kept for a while: who was forgotten is refused within minutes."""

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

#: How long a list that can't be read again isn't asked for.
PAUSE_SECONDS = 15


class Suppressed:
    """Reads the list in `place`, an s3:// object, and keeps it for `refresh` seconds. Threads may share it."""

    def __init__(
        self, client: "S3Client", place: str, refresh: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._place, self._refresh, self._clock = client, place, refresh, clock
        self._list: SuppressionList | None = None
        self._until = 0.0

    def list(self) -> SuppressionList:
        """Return the list; one that can't be read again stays as it was.

        Raises TransientError if it was never read and can't be now: no list is not a list of nobody.
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
                remedy = "Put an empty object there if nobody was forgotten yet, and check that it may be read"
                raise TransientError(self._place, why, remedy) from error
            _logger.warning("suppression list kept as it was: %s %s", self._place, why)
            pause = PAUSE_SECONDS
        self._until = self._clock() + pause
        return self._list
