"""Stands for glue/segment_to_personalize.py: only its name and digest are looked at."""
