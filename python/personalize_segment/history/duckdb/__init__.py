"""The engine of a local export: log files -> rows on disk -> CSV."""
