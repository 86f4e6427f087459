"""The DynamoDB table of profiles: the known columns of each user and item, each with its instant.

PutUsers and PutItems replace a whole record, so the whole record must be kept somewhere. `profile_batch` describes how
the attributes are used:

- `id`: dataset and id, such as `users#u-1`
- `columns`: JSON, column -> [value, epoch seconds, the fraction's digits]
- `version`: number of writes
- `told`: digest of the row that Personalize has or is being sent
- `telling`: JSON, tokens of consumers that may be sending the row -> start in epoch seconds. Missing without any
"""

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..aws_errors import FAILURES, Trouble, answered, of
from ..contract.layout import profile_key
from ..errors import TransientError
from .payloads import Known

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Keys per BatchGetItem.
MAX_KEYS = 100
#: Attempts to read keys that BatchGetItem leaves unprocessed, and the first wait in seconds. It doubles each time.
ATTEMPTS, PAUSE_SECONDS = 5, 0.05


class TableItem(NamedTuple):
    """An item of the table. Version 0 means that it doesn't exist."""

    columns: Known
    version: int
    telling: dict[str, int]
    told: str = ""


ABSENT = TableItem({}, 0, {})


class ProfileTable:
    """Reads and writes items of the table `name`. Thread-safe."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client, self.name = client, name

    def read(self, dataset: str, ids: list[str], *, consistent: bool = True) -> dict[str, TableItem]:
        """Return the stored items for MAX_KEYS ids at most, without those that DynamoDB left unprocessed.

        A read that isn't `consistent` costs half as much, and may miss writes of the last moment. Raises
        TransientError, even if the table doesn't exist: the messages wait for it.
        """
        left: Any = {self.name: {"Keys": [_key(dataset, one) for one in ids], "ConsistentRead": consistent}}
        found: dict[str, TableItem] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS * 2**attempt)
            try:
                part, left = answered(partial(self._read, left))
            except FAILURES as error:
                raise TransientError("BatchGetItem", f"failed ({of(error).code})", "Check the table") from error
            found |= part
            if not left:
                break
        unread = {key["id"]["S"] for key in left[self.name]["Keys"]} if left else set()
        keys = {one: profile_key(dataset, one) for one in ids}
        return {one: found.get(key, ABSENT) for one, key in keys.items() if key not in unread}

    def _read(self, keys: Any) -> tuple[dict[str, TableItem], Any]:
        answer = self._client.batch_get_item(RequestItems=keys)
        found = {item["id"]["S"]: _item(item) for item in answer["Responses"].get(self.name, [])}
        return found, answer.get("UnprocessedKeys")

    def write(self, dataset: str, key: str, stored: TableItem) -> bool | Trouble:
        """Write the item if the table has version `stored.version - 1`. Return False if it has another version.

        Returns the trouble if DynamoDB doesn't write it.
        """
        item: dict[str, Any] = _key(dataset, key) | {
            "columns": {"S": json.dumps(stored.columns, ensure_ascii=False, separators=(",", ":"))},
            "version": {"N": str(stored.version)},
        }
        if stored.told:
            item["told"] = {"S": stored.told}
        if stored.telling:
            item["telling"] = {"S": json.dumps(stored.telling, separators=(",", ":"))}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if stored.version > 1:
            condition = {
                "ConditionExpression": "#version = :before",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":before": {"N": str(stored.version - 1)}},
            }
        try:
            answered(lambda: self._client.put_item(TableName=self.name, Item=item, **condition))
        except FAILURES as error:
            why = of(error)
            return False if why.code == "ConditionalCheckFailedException" else why
        return True


def _key(dataset: str, key: str) -> dict[str, Any]:
    return {"id": {"S": profile_key(dataset, key)}}


def _item(item: Any) -> TableItem:
    columns = {name: (value, seconds, fraction) for name, (value, seconds, fraction) in _json(item, "columns").items()}
    return TableItem(columns, int(item["version"]["N"]), _json(item, "telling"), item.get("told", {}).get("S", ""))


def _json(item: Any, attribute: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(item[attribute]["S"]) if attribute in item else {}
    return document
