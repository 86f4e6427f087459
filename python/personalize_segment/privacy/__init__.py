"""Delete users: the suppression list, the rows of exports, Personalize's data deletion job, and the audit log."""
