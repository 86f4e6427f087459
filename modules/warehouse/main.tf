data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account     = data.aws_caller_identity.current.account_id
  name_prefix = coalesce(var.name_prefix, "${var.name}-${data.aws_region.current.id}")

  location = "s3://${var.output.bucket}/${var.output.prefix}"
  bucket   = "arn:${data.aws_partition.current.partition}:s3:::${var.output.bucket}"
  roles    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role${var.iam_path}"

  # ARNs are known before the roles are there: a plan shows whole statements, and an integration comes before its role.
  redshift_role_arn = var.redshift == null ? null : try(
    coalesce(var.redshift.role.arn),
    "${local.roles}${local.name_prefix}-redshift"
  )
  snowflake_role_arn = var.snowflake == null ? null : "${local.roles}${local.name_prefix}-snowflake"

  sql = {
    # Personalize reads buckets of its own region alone, so the bucket lies here, wherever the warehouse does.
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

  # A statement ends with a semicolon at the end of a line, and no other line does. Above it stand comments.
  statements = {
    for warehouse, text in local.sql : warehouse => text == null ? [] : [
      for one in split(";\n", "${trimspace(text)}\n") : trimspace(replace("${one}\n", "/^(\\s*--[^\\n]*\\n)*/", ""))
      if trimspace(replace("${one}\n", "/^(\\s*--[^\\n]*\\n)*/", "")) != ""
    ]
  }
}
