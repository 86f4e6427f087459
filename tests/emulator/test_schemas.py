"""Schemas are as strict as the guide, and as lenient as the service was observed to be."""

from typing import Any

import pytest

from offline import INTERACTIONS, ITEMS, Field, schema
from personalize_emulator import schemas
from personalize_emulator.service_errors import ServiceError

ID: Field = ("ITEM_ID", "string")
PRICE: Field = ("PRICE", "float")
CATEGORY: Field = ("CATEGORY_L1", "string", "categorical")
VIDEO: list[Field] = [ID, ("GENRES", "string", "categorical"), ("CREATION_TIMESTAMP", "long")]


@pytest.mark.parametrize("version", [1, "1.1", "1.0", None])
def test_any_version_is_taken(version: Any) -> None:
    assert schemas.parse(schema("Items", ITEMS, version=version))[0] == "Items"


@pytest.mark.parametrize(
    ("kind", "domain", "fields", "problem"),
    [
        pytest.param("ITEMS", None, [*ITEMS, ("MORE", "string", "textual")],
                     "fields DESCRIPTION and MORE are textual", id="two textual fields"),
        pytest.param("ITEMS", "ECOMMERCE", [ID, PRICE, CATEGORY], None, id="a shop"),
        pytest.param("ITEMS", "ECOMMERCE", [ID, PRICE, CATEGORY[:2]], "CATEGORY_L1 is not a categorical", id="a text"),
        pytest.param("ITEMS", "ECOMMERCE", [ID, PRICE, ("CATEGORY_L1", "int")], "CATEGORY_L1", id="a number"),
        pytest.param("ITEMS", None, [ID, ("CATEGORY_L1", "int")], None, id="another's, without a domain"),
        pytest.param("ITEMS", "VIDEO_ON_DEMAND", [*VIDEO, ("DURATION", "float")], None, id="films"),
        pytest.param("ITEMS", "VIDEO_ON_DEMAND", [*VIDEO, ("DURATION", "int")], "DURATION is not of type float",
                     id="whole minutes"),
        pytest.param("INTERACTIONS", None, [*INTERACTIONS[:3], ("EVENT_TYPE", "string", "categorical")],
                     "the reserved field EVENT_TYPE is categorical", id="a categorical event type"),
        pytest.param("ITEMS", None, [ID, ("EVENT_TYPE", "string", "categorical")], None, id="an item's own"),
    ],
)  # fmt: skip
def test_fields_that_are_reserved_have_their_types(
    kind: str, domain: str | None, fields: list[Field], problem: str | None
) -> None:
    parsed = schemas.parse(schema(kind.title(), fields))[1]
    if problem is None:
        schemas.fit(parsed, kind, domain)
        return
    with pytest.raises(ServiceError, match=problem):
        schemas.fit(parsed, kind, domain)
