"""Convert Segment's logs to training data: find the files, export their rows, and report."""
