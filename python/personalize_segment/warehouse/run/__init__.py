"""Runs what `warehouse` writes: the statements that put training data into S3, in Redshift or Snowflake."""
