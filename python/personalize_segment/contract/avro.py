"""Event mapping -> the Avro schema of each dataset, as Personalize's CreateSchema takes it.

Source: "Creating schema JSON files" in the Amazon Personalize developer guide. `columns` and
`mapping` hold the rules about names, types and numbers of columns, so that a valid mapping
has valid schemas; what is left to check here is the length of the text.
"""

import json
from typing import Any

from ..errors import MappingError
from .columns import MAX_SCHEMA_CHARACTERS
from .mapping import Column, Dataset

_TYPES = {"timestamp": "long", "ids": "string", "categories": "string"}


def schema(dataset: Dataset) -> dict[str, Any]:
    """Return the Avro record of `dataset`, its fields in the order of the CSV's columns.

    Raises MappingError if its text is longer than Personalize takes.
    """
    record = {
        "type": "record",
        "name": dataset.name.capitalize(),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": [_field(column) for column in dataset.columns],
        "version": "1.0",
    }
    if len(json.dumps(record)) > MAX_SCHEMA_CHARACTERS:
        raise MappingError(
            f"$.{dataset.name}", f"has a schema of more than {MAX_SCHEMA_CHARACTERS:,} characters", "Leave columns out"
        )
    return record


def _field(column: Column) -> dict[str, Any]:
    kind = _TYPES.get(column.type, column.type)
    field: dict[str, Any] = {"name": column.name, "type": ["null", kind] if column.nullable else kind}
    if column.textual:
        field["textual"] = True
    if column.categorical:
        field["categorical"] = True
    return field
