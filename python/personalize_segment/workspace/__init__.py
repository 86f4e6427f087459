"""Segment's side of a stack: destination, destination filter and write-back source, through Segment's Public API."""
