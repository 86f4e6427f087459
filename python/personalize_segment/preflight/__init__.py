"""What training needs, looked at in an export before money is spent: figures, checks, verdicts.

`preflight` reads an export and returns a `Result`; `page` makes one HTML page of it.
"""

from ..errors import ExportError
from .looking import Result, preflight
from .page import page

__all__ = ["ExportError", "Result", "page", "preflight"]
