"""Train Amazon Personalize on Segment events, and write its recommendations back. One event mapping defines it all."""

__version__ = "1.0.0"
