"""The Avro schema of each dataset, for Personalize's CreateSchema.

Source: "Creating schema JSON files" in the Amazon Personalize developer guide. `mapping` has already checked names,
types and numbers of columns, so this module only checks the length of the text.
"""

import json
from typing import Any

from ..errors import MappingError
from .columns import MAX_SCHEMA_CHARACTERS
from .mapping import Column, Dataset

_TYPES = {"timestamp": "long", "ids": "string", "categories": "string"}


def schema(dataset: Dataset) -> dict[str, Any]:
    """Return the Avro record of `dataset`, with the fields in the order of the CSV's columns.

    Raises MappingError if its text is too long for Personalize.
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
            f"$.{dataset.name}", f"has a schema of more than {MAX_SCHEMA_CHARACTERS:,} characters", "Remove columns"
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
