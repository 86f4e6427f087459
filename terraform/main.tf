# Composes the modules. Each can be used without the others and is documented in its folder.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  package    = coalesce(var.package, { path = "${path.module}/../dist/personalize-segment.zip", s3 = null })
  ssm_prefix = "/${var.name}/personalize"
  bucket     = module.data_bucket.bucket
  prefixes   = module.data_bucket.prefixes

  logs = {
    bucket      = coalesce(var.segment_logs.bucket, local.bucket.name)
    prefix      = var.segment_logs.prefix
    kms_key_arn = var.segment_logs.bucket == null ? var.bucket.kms_key_arn : var.segment_logs.kms_key_arn
  }

  suppression_list = var.suppression_list == null ? null : {
    bucket      = coalesce(var.suppression_list.bucket, local.bucket.name)
    key         = var.suppression_list.key
    kms_key_arn = var.suppression_list.bucket == null ? var.bucket.kms_key_arn : var.suppression_list.kms_key_arn
  }

  event_mapping = {
    text   = module.event_mapping.text
    sha256 = module.event_mapping.sha256
    s3 = one([
      for object in aws_s3_object.event_mapping :
      { bucket = object.bucket, key = object.key, kms_key_arn = var.bucket.kms_key_arn }
    ])
  }

  # A refresh from Redshift runs the statements of `warehouse` unless it sets `statements`.
  own_statements = try(var.refresh.redshift.statements, null)
  own_role_arn   = try(var.refresh.redshift.unload_role_arn, null)
  redshift       = module.warehouse.redshift
  unload = {
    statements      = local.own_statements != null ? local.own_statements : try(local.redshift.statements, [])
    unload_role_arn = local.own_statements != null ? local.own_role_arn : try(local.redshift.role_arn, null)
  }
}

# Lambda takes 4 KB of environment. A larger mapping travels as an object that is named by its digest, so that a running
# version of a function keeps its own until the alias has moved.
resource "aws_s3_object" "event_mapping" {
  #checkov:skip=CKV_AWS_186:The bucket encrypts objects, with its key if it has one.
  count = module.event_mapping.large ? 1 : 0

  bucket       = local.bucket.name
  key          = "${local.prefixes.artifacts}event-mappings/${module.event_mapping.sha256}.json"
  content      = module.event_mapping.text
  content_type = "application/json"

  # S3 objects can have ten tags. The caller's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

module "event_mapping" {
  source = "../modules/event-mapping"

  path = coalesce(
    var.event_mapping_path,
    "${path.module}/../python/personalize_segment/contract/event_mapping.json"
  )
  trigger_events = [for name in coalesce(var.write_back.events, []) : name if name != "*"]
}

module "data_bucket" {
  source = "../modules/data-bucket"

  name            = var.name
  bucket_name     = var.bucket.name
  existing_bucket = var.bucket.existing
  kms_key_arn     = var.bucket.kms_key_arn
  force_destroy   = var.bucket.force_destroy
  lifecycle_days  = var.bucket.lifecycle_days
  prefixes = merge(
    var.bucket.prefixes,
    { logs = var.segment_logs.bucket == null ? var.segment_logs.prefix : null }
  )
  tags = var.tags
}

module "personalize_access" {
  source = "../modules/personalize-access"

  name                     = var.name
  bucket                   = { name = local.bucket.name, kms_key_arn = var.bucket.kms_key_arn }
  read_prefixes            = [local.prefixes.transformed, local.prefixes.deletions, local.prefixes.batch]
  write_prefixes           = [local.prefixes.reports, local.prefixes.batch]
  permissions_boundary_arn = var.permissions_boundary_arn
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "training_job" {
  source = "../modules/training-job"

  name         = var.name
  package      = local.package
  glue_version = var.training_job.glue_version
  wheels       = var.training_job.wheels
  script_path  = "${path.module}/../glue/segment_to_personalize.py"
  artifacts = {
    bucket      = local.bucket.name
    prefix      = local.prefixes.artifacts
    kms_key_arn = var.bucket.kms_key_arn
  }
  logs = local.logs
  output = {
    bucket      = local.bucket.name
    prefix      = local.prefixes.transformed
    kms_key_arn = var.bucket.kms_key_arn
  }
  stage = var.training_job.stage ? {
    bucket      = local.bucket.name
    prefix      = local.prefixes.stage
    kms_key_arn = var.bucket.kms_key_arn
  } : null
  event_mapping   = local.event_mapping
  workers         = var.training_job.workers
  timeout_minutes = var.training_job.timeout_minutes
  # The refresh sees only the first attempt of a run, and retries on its own.
  max_retries      = var.refresh == null ? var.training_job.max_retries : 0
  window           = var.training_job.window
  suppression_list = local.suppression_list
  profiles = var.profile_table == null ? null : {
    table_arn   = module.profile_queue.table.arn
    queue_arn   = module.profile_queue.queue.arn
    kms_key_arn = var.bucket.kms_key_arn
  }
  # No default, such as the bucket's key: CloudWatch Logs rejects a key that doesn't grant it access yet.
  kms_key = var.training_job.kms_key

  log_retention_days       = var.functions.log.retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  source_conditions        = var.source_conditions
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "warehouse" {
  source = "../modules/warehouse"

  name          = var.name
  event_mapping = module.event_mapping
  output = {
    bucket      = local.bucket.name
    prefix      = local.prefixes.transformed
    kms_key_arn = var.bucket.kms_key_arn
  }
  redshift = var.warehouse.redshift == null ? null : merge(
    var.warehouse.redshift,
    { sql_path = coalesce(var.warehouse.redshift.sql_path, "${path.module}/../sql/redshift_unload.sql") }
  )
  snowflake = var.warehouse.snowflake == null ? null : merge(
    var.warehouse.snowflake,
    { sql_path = coalesce(var.warehouse.snowflake.sql_path, "${path.module}/../sql/snowflake_copy.sql") }
  )
  permissions_boundary_arn = var.permissions_boundary_arn
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "profile_queue" {
  source = "../modules/profile-queue"

  name          = var.name
  package       = local.package
  event_mapping = local.event_mapping
  personalize   = { ssm_prefix = local.ssm_prefix }
  profile_table = var.profile_table == null ? null : {
    deletion_protection = coalesce(var.profile_table.deletion_protection, !var.bucket.force_destroy)
  }
  suppression_list         = local.suppression_list
  batch                    = var.profile_queue.batch
  maximum_concurrency      = var.profile_queue.maximum_concurrency
  max_receives             = var.profile_queue.max_receives
  kms_key_arn              = var.bucket.kms_key_arn
  architecture             = var.functions.architecture
  memory_megabytes         = var.functions.memory_megabytes
  log                      = var.functions.log
  tracing                  = var.functions.tracing
  permissions_boundary_arn = var.permissions_boundary_arn
  source_conditions        = var.source_conditions
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "event_function" {
  source = "../modules/event-function"

  name          = var.name
  package       = local.package
  event_mapping = local.event_mapping
  personalize = {
    ssm_prefix  = local.ssm_prefix
    campaign    = local.asked.campaign
    recommender = local.asked.recommender
  }
  recommend = {
    count         = var.recommend.count
    per_minute    = var.recommend.per_minute
    to_visitors   = var.recommend.to_visitors
    filter        = var.recommend.filter
    filter_values = var.recommend.filter_values
    context       = var.recommend.context
  }
  write_back            = var.write_back
  write_key_secret      = var.write_key_secret
  new_write_key         = var.new_write_key
  new_write_key_version = var.new_write_key_version
  profile_queue         = merge(module.profile_queue.queue, { kms_key_arn = var.bucket.kms_key_arn })
  profile_table = var.profile_table == null ? null : {
    name        = module.profile_queue.table.name
    arn         = module.profile_queue.table.arn
    kms_key_arn = var.bucket.kms_key_arn
  }
  rejected_queue           = merge(module.profile_queue.rejected_queue, { kms_key_arn = var.bucket.kms_key_arn })
  suppression_list         = local.suppression_list
  keep_unmapped            = var.keep_unmapped
  time_budget_milliseconds = var.functions.time_budget_milliseconds
  memory_megabytes         = var.functions.memory_megabytes
  timeout_seconds          = var.functions.timeout_seconds
  architecture             = var.functions.architecture
  reserved_concurrency     = var.functions.reserved_concurrency
  log                      = var.functions.log
  tracing                  = var.functions.tracing
  segment_regions          = var.functions.segment_regions
  permissions_boundary_arn = var.permissions_boundary_arn
  source_conditions        = var.source_conditions
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "segment_access" {
  source = "../modules/segment-access"

  name                     = var.name
  function_arns            = [module.event_function.function.alias_arn]
  external_ids             = var.segment_external_ids
  principal_arns           = var.segment_principal_arns
  logs                     = var.segment_logs.let_segment_write ? local.logs : null
  permissions_boundary_arn = var.permissions_boundary_arn
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}

module "monitoring" {
  source = "../modules/monitoring"

  name = var.name
  functions = {
    event = { name = module.event_function.function.name, timeout_seconds = var.functions.timeout_seconds }
    profiles = {
      name            = module.profile_queue.function.name
      timeout_seconds = module.profile_queue.function.timeout_seconds
    }
  }
  queues = {
    profiles      = module.profile_queue.queue.name
    profiles_dead = module.profile_queue.dead_letter_queue.name
    rejected      = module.profile_queue.rejected_queue.name
  }
  glue_job_name     = module.training_job.job.name
  state_machine_arn = one([for refresh in module.refresh : refresh.state_machine.arn])
  alarm_topic_arns  = var.monitoring.alarm_topic_arns
  operations_url    = var.monitoring.operations_url
  thresholds        = var.monitoring.thresholds
  name_prefix       = var.name_prefix
  tags              = var.tags
}

module "refresh" {
  source   = "../modules/refresh"
  for_each = var.refresh == null ? {} : { refresh = var.refresh }

  name     = var.name
  schedule = each.value.schedule
  export = each.value.redshift == null ? { glue_job = { name = module.training_job.job.name }, redshift = null } : {
    glue_job = null
    redshift = merge(each.value.redshift, local.unload)
  }
  dataset_group = var.name
  imports = {
    for dataset in module.event_mapping.datasets : dataset => {
      location = local.locations[dataset]
      mode     = var.personalize.import_mode
    }
  }
  role_arn                 = module.personalize_access.role.arn
  poll_seconds             = each.value.poll_seconds
  alarm_topic_arns         = var.monitoring.alarm_topic_arns
  operations_url           = var.monitoring.operations_url
  log_retention_days       = var.functions.log.retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags
}
