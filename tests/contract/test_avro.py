"""The Avro schemas follow Personalize's rules, and every row can be written with them."""

import gzip
import io
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.types import Schema
from hypothesis import given, settings
from test_rows import events

from golden_cases import golden_cases, valid_mappings
from personalize_segment.contract import avro
from personalize_segment.contract.columns import REQUIRED, RESERVED
from personalize_segment.contract.mapping import Dataset, EventMapping, parse
from personalize_segment.contract.rows import Row, Value, parse_line, rows
from personalize_segment.errors import MappingError
from personalize_segment.history.sample import sample
from whole_events import whole_event

MAPPINGS = {name: parse(text) for name, text in valid_mappings().items()}
DATASETS = {f"{name}-{one.name}": one for name, mapping in MAPPINGS.items() for one in mapping.datasets}
FLOAT_MAX = (2 - 2**-23) * 2.0**127


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))
def test_a_schema_is_one_that_personalize_takes(dataset: Dataset) -> None:
    # Source: "Creating schema JSON files for Amazon Personalize schemas" in its developer guide.
    schema = avro.schema(dataset)
    assert set(schema) == {"type", "name", "namespace", "fields", "version"}
    assert schema["type"] == "record"
    assert schema["name"] == {"interactions": "Interactions", "users": "Users", "items": "Items"}[dataset.name]
    assert schema["namespace"] == "com.amazonaws.personalize.schema"
    assert schema["version"] == "1.0"
    assert len(json.dumps(schema, indent=2)) <= 20_000
    fields = {field["name"]: field for field in schema["fields"]}
    assert list(fields) == [column.name for column in dataset.columns]
    for name in REQUIRED[dataset.name]:
        assert fields[name] == {"name": name, "type": "long" if name == "TIMESTAMP" else "string"}
    for name, field in fields.items():
        plain = field["type"] if isinstance(field["type"], str) else field["type"][1]
        assert field["type"] in (plain, ["null", plain])
        assert plain in ("float", "double", "int", "long", "string", "boolean")
        assert set(field) <= {"name", "type", "categorical", "textual"}
        assert "textual" not in field or (dataset.name == "items" and plain == "string" and "categorical" not in field)
        assert "categorical" not in field or (plain == "string" and name not in RESERVED[dataset.name])


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))
def test_a_schema_is_avro(dataset: Dataset) -> None:
    assert parse_schema(avro.schema(dataset))


def test_the_default_interactions_have_this_schema() -> None:
    # Spelled out to catch accidental changes that an existing dataset group can't follow.
    assert avro.schema(MAPPINGS["default"].datasets[0])["fields"] == [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "EVENT_VALUE", "type": ["null", "float"]},
        {"name": "RECOMMENDATION_ID", "type": ["null", "string"]},
    ]


def test_types_have_their_avro_types() -> None:
    found = {field["name"]: field["type"] for field in avro.schema(DATASETS["every-type-users"])["fields"]}
    assert found == {
        "USER_ID": "string",
        "AGE": ["null", "int"],
        "MEMBER": ["null", "boolean"],
        "NOTE": ["null", "string"],
        "POINTS": ["null", "long"],
        "RATIO": ["null", "double"],
        "SCORE": ["null", "float"],
        "SINCE": ["null", "long"],
    }


def test_reserved_columns_of_impressions_have_their_avro_types() -> None:
    found = {field["name"]: field["type"] for field in avro.schema(DATASETS["impressions-interactions"])["fields"]}
    assert found["IMPRESSION"] == ["null", "string"]
    assert found["RECOMMENDATION_ID"] == ["null", "string"]
    required = avro.schema(DATASETS["every-type-required-interactions"])["fields"]
    assert {field["name"]: field["type"] for field in required}["IMPRESSION"] == "string"


def test_the_longest_schema_that_a_mapping_can_have_is_short_enough_as_the_command_line_prints_it() -> None:
    column = {"from": ["p"], "type": "string", "categorical": True, "optional": True}
    own = {f"C{number:X<62}": column for number in range(100)}
    fields = {"ITEM_ID": {"from": ["i"]}, "CREATION_TIMESTAMP": {"from": ["t"], "optional": True}, **own}
    document = json.loads(MAPPINGS["smallest"].text) | {"items": {"fields": fields, "track": {"A": {}}}}
    schema = avro.schema(parse(json.dumps(document)).datasets[1])
    assert 18_000 < len(json.dumps(schema, indent=2)) <= 20_000


def test_a_schema_that_is_too_long_is_refused() -> None:
    users = DATASETS["default-users"]
    long = replace(users, columns=users.columns * 100)
    with pytest.raises(MappingError, match=r"^\$\.users: has a schema of more than 20,000 characters\. Remove columns"):
        avro.schema(long)


def _schemas(mapping: EventMapping) -> dict[str, Schema]:
    return {one.name: parse_schema(avro.schema(one)) for one in mapping.datasets}


def _write(schema: Schema, row: Row) -> None:
    record = {column.name: _plain(value) for column, value in zip(row.dataset.columns, row.values, strict=True)}
    file = io.BytesIO()
    schemaless_writer(file, schema, record, strict=True)
    file.seek(0)
    read: Any = schemaless_reader(file, schema, None)
    for column in row.dataset.columns:
        value, again = record[column.name], read[column.name]
        # Avro's float has 24 bits, so reading returns the nearest one.
        assert value == again or (
            column.type == "float" and math.isclose(value, again, rel_tol=2**-23, abs_tol=2**-148)
        )


def _plain(value: Value) -> Any:
    return "|".join(value) if isinstance(value, list) else value


def _fits(row: Row) -> bool:
    """Return whether the floats of a row fit Avro's float, as the test below requires."""
    pairs = zip(row.dataset.columns, row.values, strict=True)
    return all(
        abs(value) <= FLOAT_MAX for column, value in pairs if isinstance(value, float) and column.type == "float"
    )


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=list(MAPPINGS))
def test_every_row_can_be_written_with_its_schema(mapping: EventMapping) -> None:
    schemas = _schemas(mapping)
    written: set[str] = set()

    def holds(event: dict[str, Any]) -> None:
        for row in filter(_fits, rows(mapping, event)[0]):
            _write(schemas[row.dataset.name], row)
            written.add(row.dataset.name)

    for name in mapping.by_event:
        holds(whole_event(mapping, name)[0])
    assert written == set(schemas)
    settings(max_examples=50)(given(events(mapping))(holds))()


@pytest.mark.parametrize("value", [3.5e38, -3.5e38, 1e300, 10**39])
def test_a_number_that_is_no_float_of_avro_is_out_of_domain(value: float) -> None:
    # EVENT_VALUE is an Avro float of 32 bits: what is finite in JSON alone would arrive as Infinity, or not at all.
    event = {"type": "identify", "userId": "u1", "traits": {"score": value, "ratio": value}}
    (row,), _ = rows(MAPPINGS["every-type"], event)
    named = dict(zip((column.name for column in row.dataset.columns), row.values, strict=True))
    assert named["RATIO"] == float(value)
    assert named["SCORE"] is None


def test_every_row_of_the_golden_cases_can_be_written_with_its_schema() -> None:
    for case in golden_cases():
        event = parse_line(case.line)
        mapping = parse(case.mapping_text)
        for row in rows(mapping, event)[0] if event is not None else []:
            if row.visitor is None:
                _write(_schemas(mapping)[row.dataset.name], row)


def test_every_row_of_a_shops_logs_can_be_written_with_its_schema(tmp_path_factory: pytest.TempPathFactory) -> None:
    mapping = MAPPINGS["default"]
    schemas = _schemas(mapping)
    count = dict.fromkeys(schemas, 0)
    for file in sample(tmp_path_factory.mktemp("shop"), 3000, days=1).rglob("*.gz"):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            for row in rows(mapping, event)[0] if (event := parse_line(line)) is not None else []:
                if row.visitor is None:
                    _write(schemas[row.dataset.name], row)
                    count[row.dataset.name] += 1
    assert all(count.values()), count
