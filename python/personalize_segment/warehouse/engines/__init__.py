"""Run the statements that `warehouse` writes, in Redshift or Snowflake."""
