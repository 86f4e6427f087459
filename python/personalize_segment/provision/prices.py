"""Prices for the lines of a plan, from a dated table that a file can override."""

import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import SpecError
from ..places import bounded

HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in `currency`, as of the month `dated`."""

    dated: str
    currency: str
    gigabyte_ingested: float
    thousand_interactions_trained: float
    thousand_recommendations: float

    def tps(self, minimum: int) -> str:
        """Return the cost of an idle campaign or recommender, which is billed for its minimum of requests."""
        month = minimum * 3600 * HOURS_PER_MONTH / 1000 * self.thousand_recommendations
        request = f"{self.thousand_recommendations} {self.currency} per 1,000 requests"
        return f"{month:,.0f} {self.currency} per month when idle, then {request}"

    def training(self, every_days: int | None) -> str:
        """Return the cost of training."""
        rate = f"every {every_days} days" if every_days else "per training"
        return f"{self.thousand_interactions_trained} {self.currency} per 1,000 interactions, {rate}"

    def ingestion(self) -> str:
        """Return the cost of an import."""
        return f"{self.gigabyte_ingested} {self.currency} per GB"


def read(file: Path | None) -> Prices:
    """Return the built-in prices, or those in a file of the same format. Raises SpecError."""
    name = str(file or "prices.json")
    try:
        text = bounded(file) if file else (resources.files(__package__) / "prices.json").read_text("utf-8")
        table = {key: value for key, value in json.loads(text).items() if key != "source"}
        for key, value in table.items():
            good = (
                isinstance(value, str)
                if key in ("dated", "currency")
                else type(value) in (int, float) and 0 <= value < math.inf
            )
            if not good:
                raise ValueError(f"{key} is {value!r}")
        return Prices(**table)
    except OSError as error:
        raise SpecError(name, str(error.strerror), "Check the path") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SpecError(name, f"isn't a price table ({error})", "Use the format of prices.json") from None
