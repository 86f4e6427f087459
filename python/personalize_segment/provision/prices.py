"""What lines of a plan cost while they run, from a dated table that a file can override."""

import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import SpecError
from ..places import bounded

HOURS_A_MONTH = 730


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in `currency`, as they were in the month `dated`."""

    dated: str
    currency: str
    gigabyte_ingested: float
    thousand_interactions_trained: float
    thousand_recommendations: float

    def tps(self, minimum: int) -> str:
        """Return the cost of a campaign or recommender that is never asked: it is billed for its minimum."""
        month = minimum * 3600 * HOURS_A_MONTH / 1000 * self.thousand_recommendations
        return (
            f"{month:,.0f} {self.currency} a month when idle, then {self.thousand_recommendations} per 1,000 requests"
        )

    def training(self, every_days: int | None) -> str:
        """Return the cost of training."""
        rate = f"every {every_days} days" if every_days else "for each training"
        return f"{self.thousand_interactions_trained} {self.currency} per 1,000 interactions, {rate}"

    def ingestion(self) -> str:
        """Return the cost of an import."""
        return f"{self.gigabyte_ingested} {self.currency} per GB"


def read(file: Path | None) -> Prices:
    """Return the prices of the package, or those in a file of the same form."""
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
        raise SpecError(name, f"is no table of prices ({error})", "Copy the form of prices.json") from None
