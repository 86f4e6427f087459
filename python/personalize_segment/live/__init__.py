"""The Lambda functions: events as they happen, recorded and answered."""
