data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account     = data.aws_caller_identity.current.account_id
  name_prefix = coalesce(var.name_prefix, "${var.name}-${data.aws_region.current.id}")

  location = "s3://${var.output.bucket}/${var.output.prefix}"
  bucket   = "arn:${data.aws_partition.current.partition}:s3:::${var.output.bucket}"
  roles    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role${var.iam_path}"

  # ARNs are known before the roles exist: a plan shows complete statements, and an integration precedes its role.
  redshift_role_arn = var.redshift == null ? null : try(
    coalesce(var.redshift.role.arn),
    "${local.roles}${local.name_prefix}-redshift"
  )
  snowflake_role_arn = var.snowflake == null ? null : "${local.roles}${local.name_prefix}-snowflake"

  sql = {
    # Personalize reads only buckets in its region, so the bucket is here, wherever the warehouse is.
    redshift = var.redshift == null ? null : replace(replace(replace(replace(file(var.redshift.sql_path),
      "{{schema}}", var.redshift.schema),
      "{{location}}", local.location),
      "{{bucket_region}}", data.aws_region.current.id),
    "{{role_arn}}", local.redshift_role_arn)
    snowflake = var.snowflake == null ? null : replace(replace(replace(file(var.snowflake.sql_path),
      "{{schema}}", replace(var.snowflake.schema, ".", "\".\"")),
      "{{location}}", local.location),
    "{{integration}}", var.snowflake.integration)
  }

  # Only the last line of a statement ends with a semicolon. Comments precede it.
  statements = {
    for warehouse, text in local.sql : warehouse => text == null ? [] : [
      for one in split(";\n", "${trimspace(text)}\n") : trimspace(replace("${one}\n", "/^(\\s*--[^\\n]*\\n)*/", ""))
      if trimspace(replace("${one}\n", "/^(\\s*--[^\\n]*\\n)*/", "")) != ""
    ]
  }
}
