"""Write SQL statements for Redshift and Snowflake that produce the same training data as an export.

`plan` returns the statements. `columns_query` and `parse_columns` get the tables and columns that a warehouse has. See
docs/warehouse.md.
"""

from .catalog import Columns, parse_columns
from .queries import AHEAD, COUNTS, DEDUPLICATED, STITCHED, UNUSABLE, WRITTEN
from .statements import DIALECTS, Plan, Statement, UnloadRequest, columns_query, integration, plan
from .window import TimeWindow

__all__ = [
    "AHEAD",
    "COUNTS",
    "DEDUPLICATED",
    "DIALECTS",
    "STITCHED",
    "UNUSABLE",
    "WRITTEN",
    "Columns",
    "Plan",
    "Statement",
    "TimeWindow",
    "UnloadRequest",
    "columns_query",
    "integration",
    "parse_columns",
    "plan",
]
