"""Checks of a running stack: each part is ok, wrong or unknown, with a remedy."""
