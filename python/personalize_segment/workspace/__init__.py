"""A stack's resources in Segment: destination, destination filter and write-back source, by Segment's Public API."""
