output "redshift" {
  description = "Text and list of statements to run in one Redshift session, and the role (null: no `redshift`)."
  value = var.redshift == null ? null : {
    sql        = local.sql.redshift
    statements = local.statements.redshift
    role_arn   = local.redshift_role_arn
  }

  # `length` counts characters. In base64, 100 KB are this many.
  precondition {
    condition = alltrue([for one in local.statements.redshift : length(base64encode(one)) <= 136536])
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: a statement has more than 100 KB, which the Redshift Data API refuses.",
      "Regenerate it with fewer sources or with --columns, or run it in an SQL client without this module.",
    ])
  }

  # A refresh passes all statements to one Step Functions task, which accepts 256 KB.
  precondition {
    condition = sum(concat([0], [for one in local.statements.redshift : length(base64encode(one))])) <= 320000
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: the statements have more than 240 KB together.",
      "Regenerate it with fewer sources or with --columns.",
    ])
  }

  precondition {
    condition = local.sql.redshift == null || strcontains(coalesce(local.sql.redshift, "-"), local.location)
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: no statement writes to ${local.location}, where the imports read.",
      "Regenerate it with `--to ${local.location}`.",
    ])
  }

  precondition {
    condition = !strcontains(coalesce(local.sql.redshift, "-"), "{{")
    error_message = join(" ", [
      "${try(var.redshift.sql_path, "")}: a placeholder {{…}} has an unknown name.",
      "Regenerate it with `personalize-segment sql redshift`.",
    ])
  }
}

output "snowflake" {
  description = "Text and list of statements to run in one Snowflake session, and the role (null: no `snowflake`)."
  value = var.snowflake == null ? null : {
    sql        = local.sql.snowflake
    statements = local.statements.snowflake
    role_arn   = local.snowflake_role_arn
  }

  precondition {
    condition = local.sql.snowflake == null || strcontains(coalesce(local.sql.snowflake, "-"), local.location)
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: no statement writes to ${local.location}, where the imports read.",
      "Regenerate it with `--to ${local.location}`.",
    ])
  }

  precondition {
    condition = !strcontains(coalesce(local.sql.snowflake, "-"), "{{")
    error_message = join(" ", [
      "${try(var.snowflake.sql_path, "")}: a placeholder {{…}} has an unknown name.",
      "Regenerate it with `personalize-segment sql snowflake`.",
    ])
  }
}
