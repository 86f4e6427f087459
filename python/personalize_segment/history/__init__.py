"""Segment's logs -> training data: which files count, how an export goes, what is reported."""
