"""Segment events into Amazon Personalize: one event mapping, read by every part."""

__version__ = "1.0.0"
