"""Training data from a Segment warehouse: statements for Redshift and Snowflake that write what an export writes.

`plan` has what to run; `columns_query` and `parse_columns` tell which tables and columns there are.
See docs/warehouse.md.
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
