output "redshift" {
  description = "Text and list of statements to run in one session of Redshift, and the role (null: no `redshift`)."
  value = var.redshift == null ? null : {
    sql        = local.sql.redshift
    statements = local.statements.redshift
    role_arn   = local.redshift_role_arn
  }

  # Base64 tells bytes, which length does not: 100 KB are so many characters of it.
  precondition {
    condition = alltrue([for one in local.statements.redshift : length(base64encode(one)) <= 136536])
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: a statement has more than 100 KB, which the Redshift Data API refuses.",
      "Make the file with fewer sources or with --columns, or run it in an SQL client without this module.",
    ])
  }

  # A refresh hands all of them to one task of Step Functions, which takes 256 KB.
  precondition {
    condition = sum(concat([0], [for one in local.statements.redshift : length(base64encode(one))])) <= 320000
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: the statements have more than 240 KB together.",
      "Make the file with fewer sources or with --columns.",
    ])
  }

  precondition {
    condition = local.sql.redshift == null || strcontains(coalesce(local.sql.redshift, "-"), local.location)
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: nothing in it is written to ${local.location}, where the imports look.",
      "Make the file with `--to ${local.location}`.",
    ])
  }

  precondition {
    condition = !strcontains(coalesce(local.sql.redshift, "-"), "{{")
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: a placeholder {{…}} has an unknown name.",
      "Make the file again with `personalize-segment sql redshift`.",
    ])
  }
}

output "snowflake" {
  description = "Text and list of statements to run in one session of Snowflake, and the role (null: no `snowflake`)."
  value = var.snowflake == null ? null : {
    sql        = local.sql.snowflake
    statements = local.statements.snowflake
    role_arn   = local.snowflake_role_arn
  }

  precondition {
    condition = local.sql.snowflake == null || strcontains(coalesce(local.sql.snowflake, "-"), local.location)
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: nothing in it is written to ${local.location}, where the imports look.",
      "Make the file with `--to ${local.location}`.",
    ])
  }

  precondition {
    condition = !strcontains(coalesce(local.sql.snowflake, "-"), "{{")
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: a placeholder {{…}} has an unknown name.",
      "Make the file again with `personalize-segment sql snowflake`.",
    ])
  }
}
