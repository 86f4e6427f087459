data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  queues = {
    profiles      = "${var.name}-profiles"
    profiles_dead = "${var.name}-profiles-dead"
    rejected      = "${var.name}-rejected"
  }
  queue_arns = {
    for key, name in local.queues :
    key => "arn:${local.partition}:sqs:${local.region}:${local.account}:${name}"
  }

  day_seconds             = 24 * 60 * 60
  kms_reuse_seconds       = 300
  rejected_retention_days = 14
  calls_per_second        = floor(10 / var.maximum_concurrency)
  records_per_call        = 10
  # Each message costs a read and two writes, sixteen at a time.
  writes_per_second = 500
  table_seconds     = var.profile_table == null ? 0 : ceil(var.batch.size / local.writes_per_second)
  slowest_batch_seconds = ceil(
    1.1 * var.batch.size / local.records_per_call / local.calls_per_second
  ) + local.table_seconds + 2
  visibility_timeout = 6 * var.timeout_seconds + var.batch.window_seconds
  table              = var.profile_table == null ? null : "${var.name}-profiles"
  table_arn          = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.name}-profiles"
}

# The queues contain their policies, because the provider waits 25 seconds for each separate policy resource.
resource "aws_sqs_queue" "profiles" {
  name                       = local.queues.profiles
  policy                     = data.aws_iam_policy_document.queue["profiles"].json
  visibility_timeout_seconds = local.visibility_timeout
  message_retention_seconds  = var.retention_days.profiles * local.day_seconds
  receive_wait_time_seconds  = 20
  tags                       = var.tags

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : local.kms_reuse_seconds

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.queue_arns.profiles_dead
    maxReceiveCount     = var.max_receives
  })

  depends_on = [aws_sqs_queue.profiles_dead]
}

resource "aws_sqs_queue" "profiles_dead" {
  name                      = local.queues.profiles_dead
  policy                    = data.aws_iam_policy_document.queue["profiles_dead"].json
  message_retention_seconds = var.retention_days.dead_letters * local.day_seconds
  tags                      = var.tags

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : local.kms_reuse_seconds

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.profiles]
  })
}

resource "aws_sqs_queue" "rejected" {
  name                      = local.queues.rejected
  policy                    = data.aws_iam_policy_document.queue["rejected"].json
  message_retention_seconds = local.rejected_retention_days * local.day_seconds
  tags                      = var.tags

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : local.kms_reuse_seconds
}

resource "aws_dynamodb_table" "profiles" {
  #checkov:skip=CKV_AWS_119:A KMS key is optional. Without one, DynamoDB encrypts with a key that it owns.
  count = local.table == null ? 0 : 1

  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.profile_table.deletion_protection
  tags                        = var.tags

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  # For the event function's counters, one item per minute. Users and items don't have this attribute.
  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  # False selects a key that DynamoDB owns, at no cost.
  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

module "function" {
  source = "../function"

  name              = var.name
  suffix            = "profiles"
  description       = "Merges users and items and sends them to Amazon Personalize, ten per call."
  alias_description = "Invoked by the queue."
  handler           = "profile_batch"
  package           = var.package
  event_mapping     = var.event_mapping
  personalize       = var.personalize
  datasets          = ["users", "items"]
  settings = {
    profile_table            = local.table
    profile_calls_per_second = tostring(local.calls_per_second)
  }
  suppression_list         = var.suppression_list
  memory_megabytes         = var.memory_megabytes
  timeout_seconds          = var.timeout_seconds
  architecture             = var.architecture
  log                      = var.log
  tracing                  = var.tracing
  permissions_boundary_arn = var.permissions_boundary_arn
  source_conditions        = var.source_conditions
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags

  rejected_queue = {
    url         = aws_sqs_queue.rejected.url
    arn         = local.queue_arns.rejected
    kms_key_arn = var.kms_key_arn
  }

  needs = concat(
    aws_dynamodb_table.profiles[*].id,
    aws_iam_role_policy.merge_profiles[*].id,
    [aws_iam_role_policy.receive_profiles.id, aws_iam_role_policy.record.id],
  )
}

resource "aws_lambda_event_source_mapping" "profiles" {
  event_source_arn                   = local.queue_arns.profiles
  function_name                      = module.function.function.alias_arn
  batch_size                         = var.batch.size
  maximum_batching_window_in_seconds = var.batch.window_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  lifecycle {
    precondition {
      condition = local.slowest_batch_seconds <= var.timeout_seconds
      error_message = join(" ", [
        "A batch of ${var.batch.size} takes ${local.slowest_batch_seconds} seconds, longer than `timeout_seconds`, at",
        "${local.calls_per_second} calls per second. Set a smaller `batch.size` or a longer timeout.",
      ])
    }
  }

  # The queue's name is known before the queue exists. The alias waits for the permission to read it.
  depends_on = [aws_sqs_queue.profiles]
}
