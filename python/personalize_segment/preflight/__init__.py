"""Check whether an export is ready for training, before it costs money: figures, checks, verdicts.

`preflight` reads an export and returns an `Assessment`. `page.page` renders it as an HTML page.
"""

from ..errors import PreflightError
from .assessment import Assessment, preflight

__all__ = ["Assessment", "PreflightError", "preflight"]
