"""Whether an export has what training needs, before money is spent: figures, checks, verdicts.

`preflight` reads an export and returns an `Assessment`; `page.page` makes one HTML page of it.
"""

from ..errors import PreflightError
from .assessment import Assessment, preflight

__all__ = ["Assessment", "PreflightError", "preflight"]
