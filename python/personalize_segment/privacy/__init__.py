"""Forgetting users: the suppression list, the rows of exports, Personalize's data deletion job, the audit."""
