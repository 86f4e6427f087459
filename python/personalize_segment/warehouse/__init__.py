"""Training data from a Segment warehouse: statements for Redshift and Snowflake that write what an export writes.

`statements` has what to run; `columns_query` and `parse_columns` tell which tables and columns there are.
See docs/warehouse.md.
"""

from .catalog import Columns, parse_columns
from .queries import COUNTS, DEDUPLICATED, WRITTEN
from .statements import DIALECTS, Plan, Statement, columns_query, integration, plan, statements

__all__ = [
    "COUNTS",
    "DEDUPLICATED",
    "DIALECTS",
    "WRITTEN",
    "Columns",
    "Plan",
    "Statement",
    "columns_query",
    "integration",
    "parse_columns",
    "plan",
    "statements",
]
