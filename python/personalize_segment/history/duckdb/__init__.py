"""The engine of a local export, from log files to rows on disk to CSV."""
