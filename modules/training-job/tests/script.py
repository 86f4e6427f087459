"""A placeholder for glue/segment_to_personalize.py: tests read only its name and digest."""
