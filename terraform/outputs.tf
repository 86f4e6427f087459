output "segment" {
  description = "Values to enter in Segment, as in docs/guide.md, and the name of the write key's secret."
  value = {
    role_arn           = module.segment_access.role.arn
    external_ids       = var.segment_external_ids
    function_arn       = module.event_function.function.alias_arn
    region             = local.region
    destination_filter = module.event_mapping.destination_filter
    events             = module.event_mapping.events
    write_key          = module.event_function.secret
    logs = module.segment_access.logs_role == null ? null : merge(
      local.logs,
      { role_arn = module.segment_access.logs_role.arn }
    )
  }
}

output "personalize" {
  description = "Spec for `personalize-segment apply`, as in docs/provisioning.md."
  value       = { for key, value in local.spec : key => value if value != null }
}

output "data" {
  description = "Data locations as `s3://` URLs ending in a slash, and the name of the bucket."
  value = {
    bucket      = local.bucket.name
    logs        = "s3://${local.logs.bucket}/${local.logs.prefix}"
    transformed = "s3://${local.bucket.name}/${local.prefixes.transformed}"
    deletions   = "s3://${local.bucket.name}/${local.prefixes.deletions}"
    reports     = "s3://${local.bucket.name}/${local.prefixes.reports}"
    batch       = "s3://${local.bucket.name}/${local.prefixes.batch}"
    stage       = var.training_job.stage ? "s3://${local.bucket.name}/${local.prefixes.stage}" : null

    suppression_list = try("s3://${local.suppression_list.bucket}/${local.suppression_list.key}", null)
  }
}

output "warehouse" {
  description = "SQL statements to run in one Redshift or Snowflake session, each with the role that writes."
  value = {
    redshift  = try({ sql = module.warehouse.redshift.sql, role_arn = module.warehouse.redshift.role_arn }, null)
    snowflake = try({ sql = module.warehouse.snowflake.sql, role_arn = module.warehouse.snowflake.role_arn }, null)
  }
}

output "merge" {
  description = "JSON policies to merge into those of an existing bucket and of your KMS keys (null: none)."
  value = {
    bucket_policy  = var.bucket.existing == null ? null : module.data_bucket.policy_json
    kms_key_policy = var.bucket.kms_key_arn == null ? null : data.aws_iam_policy_document.kms_key.json
    log_key_policy = data.aws_iam_policy_document.log_key.json
  }
}

output "event_mapping" {
  description = "SHA-256 of the canonical event mapping, which `personalize-segment verify` compares everywhere."
  value       = { sha256 = module.event_mapping.sha256 }
}

output "operations" {
  description = "Names of functions, queues, log groups and other resources, for operating the stack."
  value = {
    functions = {
      event    = module.event_function.function.name
      profiles = module.profile_queue.function.name
    }
    queues = {
      profiles      = module.profile_queue.queue.url
      profiles_dead = module.profile_queue.dead_letter_queue.url
      rejected      = module.profile_queue.rejected_queue.url
    }
    profile_table = one([for table in [module.profile_queue.table] : table.name if table != null])
    glue_job      = module.training_job.job.name
    dashboard     = module.monitoring.dashboard
    state_machine = one([for refresh in module.refresh : refresh.state_machine.arn])
    log_groups = {
      event    = module.event_function.log_group
      profiles = module.profile_queue.log_group
      history  = module.training_job.log_group
    }
    alarms = module.monitoring.alarms
  }
}
