# The state machine, from files that Workflow Studio opens. Parameters of aws-sdk tasks are in PascalCase, whatever the
# API uses. Errors without an SDK class (throttling, a missing permission) are all named <Service>.<Service>Exception,
# so errors that aren't known to be permanent are retried for about two minutes.

locals {
  placeholders = {
    dataset_group = var.dataset_group
    glue_job      = try(var.export.glue_job.name, "")
    name          = var.name
    partition     = local.partition
    personalize   = local.personalize
    role_arn      = var.role_arn
  }

  # The files have 60 seconds as the polling interval. Values are escaped for JSON strings.
  files = {
    for file in ["refresh", "export-redshift"] : file => jsondecode(replace(
      templatefile("${path.module}/${file}.asl.json", {
        for key, value in local.placeholders : key => trimsuffix(trimprefix(jsonencode(value), "\""), "\"")
      }),
      "/\"(Seconds|IntervalSeconds)\": 60\\b/",
      "\"$1\": ${var.poll_seconds}",
    ))
  }
  states   = local.files.refresh.States
  redshift = var.export.redshift
  redshift_states = {
    for name, state in local.files["export-redshift"].States : name => state if local.redshift != null
  }

  redshift_parameters = merge(
    try(local.redshift_states.Export.Parameters, {}),
    {
      WorkgroupName     = try(local.redshift.workgroup_name, null)
      ClusterIdentifier = try(local.redshift.cluster_identifier, null)
      SecretArn         = try(local.redshift.secret_arn, null)
      DbUser            = try(local.redshift.db_user, null)
      Database          = try(local.redshift.database, "")
      Sqls              = try(local.redshift.statements, [])
    },
  )

  definition = jsonencode(merge(local.files.refresh, {
    TimeoutSeconds = var.timeout_seconds
    States = merge(
      local.states,
      { for name, state in local.redshift_states : name => state if !contains(["Datasets", "Export"], name) },
      {
        for name, state in local.redshift_states : name => merge(state, {
          Parameters = { for key, value in local.redshift_parameters : key => value if value != null }
        }) if name == "Export"
      },
      {
        Datasets = merge(local.states.Datasets, {
          Result = [
            for dataset, one in var.imports : {
              dataset = dataset
              request = { DatasetArn = local.dataset_arns[dataset], DataLocation = one.location, ImportMode = one.mode }
            }
          ]
        })
      },
    )
  }))
}
