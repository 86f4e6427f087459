"""What Personalize knows about columns: reserved names, types and limits of a schema.

Sources: "Custom datasets and schemas", "Schema data types" and "Quotas" in the Amazon
Personalize developer guide. Quotas drift: this is the only place that holds them.
"""

import re
from typing import Final

#: The types a mapping may give a column, each with its domain in docs/contract.md.
TYPES: Final = ("string", "categories", "float", "double", "int", "long", "boolean", "timestamp")

#: The column that says whose a row is, in the datasets whose rows belong to users.
USER_ID: Final = "USER_ID"

#: dataset -> reserved column -> type, in the order of the CSV; other columns follow by name.
#: "ids" is the domain of IMPRESSION alone: an array of ids, joined with "|" in the CSV.
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

#: Columns that every row must have, by dataset.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "interactions": (USER_ID, "ITEM_ID", "TIMESTAMP"),
    "users": (USER_ID,),
    "items": ("ITEM_ID",),
}

DATASETS: Final = tuple(RESERVED)

#: Columns of RESERVED that hold an id: placeholders such as `undefined` are absent there (rule 3).
IDS: Final = ("USER_ID", "ITEM_ID", "RECOMMENDATION_ID")

#: Types of several values in one column, joined with "|".
LISTS: Final = ("ids", "categories")

#: Types whose value is a text; of all others, the text of the CSV is that of JSON, too.
TEXTS: Final = ("string", *LISTS)

#: What `format` may say of a timestamp.
FORMATS: Final = ("iso", "date", "epoch_seconds", "epoch_milliseconds")

#: What `visitors` may say of interactions without a user, the default first.
VISITORS: Final = ("stitch", "drop", "as_users")

#: Upper case because PutEvents, PutUsers and PutItems want its camelCase back.
NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")

#: At most this many columns beside the reserved ones.
MAX_METADATA: Final = {"interactions": 5, "users": 25, "items": 100}

#: Distinct event types plus EVENT_VALUE plus the columns beside the reserved ones.
MAX_EVENT_TYPES_AND_COLUMNS: Final = 10

#: Characters of an id or an EVENT_TYPE, and elements of a list that are read. Source: PutEvents takes 25 ids as an
#: impression; PutUsers and PutItems.
MAX_ID: Final = 256
MAX_ELEMENTS: Final = 25

#: Elements of the array of `each` that give rows, unless the mapping says otherwise, and what it may say.
DEFAULT_MAX_ELEMENTS: Final = 500
ALLOWED_MAX_ELEMENTS: Final = range(1, 10_001)

#: Characters of another string, and of a textual one. Source: "Metadata columns" and "Text metadata" in the guide.
MAX_STRING: Final = 1000
MAX_TEXTUAL: Final = 20_000

#: Epoch seconds that TIMESTAMP and CREATION_TIMESTAMP may have: from 1970-01-01 up to 2286-11-20.
MAX_SECONDS: Final = 10**10

#: An instant that is more than this many seconds after `receivedAt` is a wrong clock's, and counts as `receivedAt`.
MAX_AHEAD_SECONDS: Final = 86_400

MAX_SCHEMA_CHARACTERS: Final = 20_000

#: The greatest number of Avro's float, which has 32 bits.
MAX_FLOAT: Final = 3.4028234663852886e38
