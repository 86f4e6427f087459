"""Personalize's rules for columns: reserved names, types and limits of a schema.

Sources: "Custom datasets and schemas", "Schema data types" and "Quotas" in the Amazon Personalize developer guide.
Quotas change, so only this module holds them.
"""

import re
from typing import Final

#: The types of columns. docs/contract.md has the domain of each.
TYPES: Final = ("string", "categories", "float", "double", "int", "long", "boolean", "timestamp")

#: The column with the row's user, in datasets whose rows belong to users.
USER_ID: Final = "USER_ID"

#: dataset -> reserved column -> type, in the order of the CSV. Other columns follow by name.
#: Only IMPRESSION has the type "ids": an array of ids, joined with "|" in the CSV.
RESERVED: Final[dict[str, dict[str, str]]] = {
    "interactions": {
        USER_ID: "string",
        "ITEM_ID": "string",
        "TIMESTAMP": "timestamp",
        "EVENT_TYPE": "string",
        "EVENT_VALUE": "float",
        "IMPRESSION": "ids",
        "RECOMMENDATION_ID": "string",
        "EVENT_ATTRIBUTION_SOURCE": "string",
    },
    "users": {USER_ID: "string"},
    "items": {"ITEM_ID": "string", "CREATION_TIMESTAMP": "timestamp"},
}

#: Columns that must have a value in every row, by dataset.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "interactions": (USER_ID, "ITEM_ID", "TIMESTAMP"),
    "users": (USER_ID,),
    "items": ("ITEM_ID",),
}

DATASETS: Final = tuple(RESERVED)

#: Columns of RESERVED that hold an id. Placeholders such as `undefined` count as absent there (rule 3).
IDS: Final = ("USER_ID", "ITEM_ID", "RECOMMENDATION_ID")

#: Types of several values in one column, joined with "|".
LISTS: Final = ("ids", "categories")

#: Types whose value is a text. Values of other types have the same text in CSV and JSON.
TEXTS: Final = ("string", *LISTS)

#: Values of `format` for timestamps.
FORMATS: Final = ("iso", "date", "epoch_seconds", "epoch_milliseconds")

#: Values of `visitors`, the default first.
VISITORS: Final = ("stitch", "drop", "as_users")

#: Uppercase, because PutEvents, PutUsers and PutItems need the name in camelCase.
NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")

#: Maximum number of columns in addition to the reserved ones.
MAX_METADATA: Final = {"interactions": 5, "users": 25, "items": 100}

#: Maximum number of distinct event types, EVENT_VALUE and columns that aren't reserved, together.
MAX_EVENT_TYPES_AND_COLUMNS: Final = 10

#: Maximum characters of an id or an EVENT_TYPE, and maximum elements that are read from a list. Sources: PutEvents,
#: which takes 25 ids as an impression; PutUsers and PutItems.
MAX_ID: Final = 256
MAX_ELEMENTS: Final = 25

#: Maximum number of elements of an `each` array that produce rows: the default, and the values that a mapping may set.
DEFAULT_MAX_ELEMENTS: Final = 500
ALLOWED_MAX_ELEMENTS: Final = range(1, 10_001)

#: Maximum characters of another string, and of a textual one. Source: "Metadata columns" and "Text metadata" in the
#: guide.
MAX_STRING: Final = 1000
MAX_TEXTUAL: Final = 20_000

#: Upper bound of TIMESTAMP and CREATION_TIMESTAMP in epoch seconds: from 1970-01-01 to 2286-11-20.
MAX_SECONDS: Final = 10**10

#: An instant more than this many seconds after `receivedAt` comes from a wrong clock. `receivedAt` replaces it.
MAX_AHEAD_SECONDS: Final = 86_400

MAX_SCHEMA_CHARACTERS: Final = 20_000

#: The greatest number of Avro's 32-bit float.
MAX_FLOAT: Final = 3.4028234663852886e38
