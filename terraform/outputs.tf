output "segment" {
  description = "What to enter in Segment: `{ role_arn, external_ids, function_arn, region, destination_filter, events = { track, page, screen, identify, any_page, any_screen }, logs = null or { bucket, prefix, role_arn } }`."
  value = {
    role_arn           = module.segment_access.role.arn
    external_ids       = var.segment_external_ids
    function_arn       = module.event_function.function.alias_arn
    region             = data.aws_region.current.id
    destination_filter = module.event_mapping.destination_filter
    events             = module.event_mapping.events
    logs               = module.segment_access.logs_role == null ? null : merge(local.logs, { role_arn = module.segment_access.logs_role.arn })
  }
}

output "personalize" {
  description = "The spec for `terraform output -json | personalize-segment apply -`, as in docs/provisioning.md."
  value       = { for key, value in local.spec : key => value if value != null }
}

output "data" {
  description = "Where data lies, as `s3://` addresses that end with /: `{ bucket, logs, transformed, deletions, reports, batch }`; `bucket` is a name."
  value = {
    bucket      = local.bucket.name
    logs        = "s3://${local.logs.bucket}/${local.logs.prefix}"
    transformed = "s3://${local.bucket.name}/${local.prefixes.transformed}"
    deletions   = "s3://${local.bucket.name}/${local.prefixes.deletions}"
    reports     = "s3://${local.bucket.name}/${local.prefixes.reports}"
    batch       = "s3://${local.bucket.name}/${local.prefixes.batch}"
  }
}

output "warehouse" {
  description = "What to run in your warehouse: `{ redshift, snowflake }`, each `{ sql, role_arn }` or null. `terraform output -json warehouse | jq -r .redshift.sql` prints the statements, which belong into one session; the role is to be associated with the cluster or namespace, or named by the storage integration."
  value = {
    redshift  = try({ sql = module.warehouse.redshift.sql, role_arn = module.warehouse.redshift.role_arn }, null)
    snowflake = try({ sql = module.warehouse.snowflake.sql, role_arn = module.warehouse.snowflake.role_arn }, null)
  }
}

output "merge" {
  description = "Policies to merge into those of what existed before: `{ bucket_policy, kms_key_policy, log_key_policy }`, each JSON, or null where there is nothing to do. `log_key_policy` is for a key of log groups, before the first apply: it is known at plan, and always there."
  value = {
    bucket_policy  = var.bucket.existing == null ? null : module.data_bucket.policy_json
    kms_key_policy = var.bucket.kms_key_arn == null ? null : data.aws_iam_policy_document.kms_key.json
    log_key_policy = data.aws_iam_policy_document.log_key.json
  }
}

output "event_mapping" {
  description = "`{ sha256 }`: the digest of the canonical text of the event mapping, 64 hexadecimal digits. `personalize-segment verify` compares it everywhere."
  value       = { sha256 = module.event_mapping.sha256 }
}

output "operations" {
  description = "Names for whoever runs it: `{ functions = { event, profiles }, queues = { profiles, profiles_dead, rejected } (URLs), profile_table (name or null), glue_job, dashboard, state_machine (ARN or null), log_groups = { event, profiles, history }, alarms (name to ARN) }`."
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
