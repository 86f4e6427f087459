"""The table of prices: the package's, another one, and an unreadable one."""

import json
from pathlib import Path
from typing import Any

import pytest

from personalize_segment.errors import SpecError
from personalize_segment.provision.prices import read

TABLE: dict[str, Any] = {
    "dated": "2030-01",
    "currency": "EUR",
    "source": "a contract",
    "gigabyte_ingested": 1,
    "thousand_interactions_trained": 0.5,
    "thousand_recommendations": 1.0,
}


def test_the_table_of_the_package_has_a_date_and_says_what_idling_costs() -> None:
    prices = read(None)
    assert prices.dated[:3] == "202"
    assert prices.tps(1).startswith("394 USD per month when idle")
    assert prices.tps(3).startswith("1,183 USD")


def test_a_file_overrides_it(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(TABLE))
    prices = read(file)
    assert prices.tps(1) == "2,628 EUR per month when idle, then 1.0 EUR per 1,000 requests"
    assert prices.training(3) == "0.5 EUR per 1,000 interactions, every 3 days"
    assert prices.training(None) == "0.5 EUR per 1,000 interactions, per training"
    assert prices.ingestion() == "1 EUR per GB"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param(json.dumps(TABLE | {"gigabyte_ingested": float("inf")}), id="infinite"),
        pytest.param(" " * (17 << 20), id="longer than anybody writes"),
        pytest.param(json.dumps({key: value for key, value in TABLE.items() if key != "currency"}), id="a key less"),
        pytest.param(json.dumps(TABLE | {"hour": 1}), id="a key more"),
        pytest.param(json.dumps(TABLE | {"thousand_recommendations": "0.15"}), id="text for a number"),
        pytest.param(json.dumps(TABLE | {"gigabyte_ingested": None}), id="null for a number"),
        pytest.param(json.dumps(TABLE | {"gigabyte_ingested": -1}), id="less than nothing"),
        pytest.param(json.dumps(TABLE | {"currency": 5}), id="number for a text"),
        pytest.param(b"\xff".decode("latin-1"), id="no UTF-8"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecError) as caught:
        read(file)
    assert caught.value.place == str(file)
    assert "prices.json" in caught.value.remedy


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        read(tmp_path / "none.json")
