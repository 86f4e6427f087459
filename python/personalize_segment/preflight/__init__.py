"""What training needs, looked at in an export before money is spent: figures, checks, verdicts.

`preflight` reads an export and returns a `Result`; `page.page` makes one HTML page of it.
"""

from ..errors import ExportError
from .looking import Result, preflight

__all__ = ["ExportError", "Result", "preflight"]
