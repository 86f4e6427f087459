"""Delete users from the table of live profiles."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..contract.layout import profile_key
from ..errors import ForgetError
from ..provision.retries import Polling

#: Items per BatchWriteItem, and attempts to send those that DynamoDB left unprocessed.
MAX_ITEMS, ATTEMPTS = 25, 10


class ProfileItems:
    """The items of the DynamoDB table `name`. `client` is boto3's `dynamodb`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name

    def remove(self, users: frozenset[str], polling: Polling) -> None:
        """Delete the items of these users, whether they exist or not. Raises ForgetError."""
        requests = [{"DeleteRequest": {"Key": {"id": {"S": profile_key("users", user)}}}} for user in sorted(users)]
        for first in range(0, len(requests), MAX_ITEMS):
            left = {self.name: requests[first : first + MAX_ITEMS]}
            for attempt in range(ATTEMPTS):
                try:
                    left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems") or {}
                except (ClientError, BotoCoreError) as error:
                    code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
                    remedy = "Check --profile-table, the region and your permission for dynamodb:BatchWriteItem"
                    raise ForgetError(self.name, f"can't be written ({code})", remedy) from error
                if not left:
                    break
                polling.sleep(polling.backoff(attempt))
            if left:
                raise ForgetError(self.name, "is throttled", "Run the command again")
