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
  queue_arns = { for key, name in local.queues : key => "arn:${local.partition}:sqs:${local.region}:${local.account}:${name}" }

  day_seconds             = 24 * 60 * 60
  kms_reuse_seconds       = 300
  rejected_retention_days = 14
  calls_per_second        = floor(10 / var.maximum_concurrency)
  records_per_call        = 10
  # Each message is a read and two writes, sixteen at the same time.
  writes_per_second     = 500
  table_seconds         = var.profile_table == null ? 0 : ceil(var.batch.size / local.writes_per_second)
  slowest_batch_seconds = ceil(1.1 * var.batch.size / local.records_per_call / local.calls_per_second) + local.table_seconds + 2
  visibility_timeout    = 6 * var.timeout_seconds + var.batch.window_seconds
  table                 = var.profile_table == null ? null : "${var.name}-profiles"
  table_arn             = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.name}-profiles"
  function_name         = "${var.name}-profiles"
  function_arn          = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.function_name}"
  alias                 = "live"
  log_group             = "/aws/lambda/${local.function_name}"
  package_there         = var.package.path == null || try(fileexists(var.package.path), false)
  results               = { for dataset in ["users", "items"] : dataset => var.personalize["${dataset}_dataset_arn"] == null ? "datasets/${dataset}" : null }
  parameters            = { for dataset, result in local.results : dataset => "${var.personalize.ssm_prefix}/${result}" if result != null && var.personalize.ssm_prefix != null }
  references            = { for dataset, parameter in local.parameters : dataset => "ssm:${parameter}" }

  mapping_in_s3   = var.event_mapping == null ? null : var.event_mapping.s3
  mapping_inline  = var.event_mapping == null ? null : "gzip:${base64gzip(var.event_mapping.text)}"
  mapping_setting = try("s3://${local.mapping_in_s3.bucket}/${local.mapping_in_s3.key}#${var.event_mapping.sha256}", null)

  # Null leaves a setting out, which then has the function's default.
  settings = {
    event_mapping                 = local.mapping_in_s3 == null ? local.mapping_inline : local.mapping_setting
    personalize_region            = var.personalize.region
    personalize_users_dataset_arn = lookup(local.references, "users", var.personalize.users_dataset_arn)
    personalize_items_dataset_arn = lookup(local.references, "items", var.personalize.items_dataset_arn)
    profile_table                 = local.table
    suppression_list              = var.suppression_list == null ? null : "s3://${var.suppression_list.bucket}/${var.suppression_list.key}"
    profile_calls_per_second      = tostring(local.calls_per_second)
    reference_refresh_seconds     = tostring(var.reference_refresh_seconds)
    POWERTOOLS_LOG_LEVEL          = var.log.level
    POWERTOOLS_METRICS_NAMESPACE  = var.metrics_namespace
    POWERTOOLS_SERVICE_NAME       = var.name
  }

  written     = { for setting, value in local.settings : setting => value if value != null }
  environment = merge(local.written, { rejected_queue_url = aws_sqs_queue.rejected.url })

  # Lambda counts the JSON text of the environment, as its error message shows. The queue's URL may be known only after
  # the apply, so it is counted as what AWS makes of its name.
  sizes = merge(local.written, { rejected_queue_url = "https://sqs.${local.region}.${data.aws_partition.current.dns_suffix}/${local.account}/${local.queues.rejected}" })
  # `length` counts characters; three bytes are four digits in base64.
  environment_bytes   = floor(length(replace(base64encode(jsonencode(local.sizes)), "=", "")) * 3 / 4)
  environment_maximum = 4096
}

# Policies stand in the queues, because the provider waits 25 seconds for each resource that holds one.
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
  #checkov:skip=CKV_AWS_119:A key of your own is an option; without one DynamoDB encrypts with a key that it owns.
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

  # False is a key that DynamoDB owns, which costs nothing.
  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_cloudwatch_log_group" "profiles" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the user's decision; a year of them is rarely worth its price.
  #checkov:skip=CKV_AWS_158:A key of your own is an option. The logs hold ids, never users or items.
  name              = local.log_group
  retention_in_days = var.log.retention_days
  kms_key_id        = var.log.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "profiles" {
  #checkov:skip=CKV_AWS_115:The event source mapping limits how many run at once.
  #checkov:skip=CKV_AWS_116:What fails stays in the queue, which has a dead-letter queue.
  #checkov:skip=CKV_AWS_117:It calls public endpoints only; in a VPC it would need NAT.
  #checkov:skip=CKV_AWS_173:The environment holds no secret; Lambda encrypts it with a key of its own.
  #checkov:skip=CKV_AWS_272:The zip is built and pinned by hash here; a signing profile is the deploying account's decision.
  function_name = local.function_name
  description   = "Merges users and items and sends them to Amazon Personalize, ten per call."
  role          = aws_iam_role.profiles.arn
  runtime       = "python3.13"
  handler       = "personalize_segment.live.handler.profile_batch"
  architectures = [var.architecture]
  memory_size   = var.memory_megabytes
  timeout       = var.timeout_seconds
  publish       = true
  tags          = var.tags

  filename         = var.package.path
  s3_bucket        = try(var.package.s3.bucket, null)
  s3_key           = try(var.package.s3.key, null)
  source_code_hash = var.package.path == null ? var.package.s3.sha256_base64 : local.package_there ? filebase64sha256(var.package.path) : null

  environment {
    variables = local.environment
  }

  # Lambda takes a line without a level for INFO. Metrics are such lines, so Lambda itself must not leave INFO out:
  # what is written at all is decided by POWERTOOLS_LOG_LEVEL.
  logging_config {
    log_format            = "JSON"
    application_log_level = var.log.level == "DEBUG" ? "DEBUG" : "INFO"
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.profiles.name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  lifecycle {
    precondition {
      condition     = local.package_there
      error_message = "There is no ${coalesce(var.package.path, "package")}: run `make package` first, or write the zip's path or its place in S3 as `package`."
    }

    precondition {
      condition     = local.environment_bytes <= local.environment_maximum
      error_message = "The environment would have ${local.environment_bytes} bytes of JSON; Lambda takes ${local.environment_maximum}. Leave rules and fields out of the mapping that you don't need, or leave `event_mapping` out here."
    }

    precondition {
      condition     = local.slowest_batch_seconds <= var.timeout_seconds
      error_message = "A batch of ${var.batch.size} takes ${local.slowest_batch_seconds} seconds at ${local.calls_per_second} calls a second, longer than `timeout_seconds`: write a smaller `batch.size`, or a longer time-out."
    }
  }

  depends_on = [aws_iam_role_policy.write_logs]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  description      = "What the queue invokes."
  function_name    = aws_lambda_function.profiles.function_name
  function_version = aws_lambda_function.profiles.version

  # Nobody is sent here before the function may do all that it does.
  depends_on = [
    aws_iam_role_policy.write_logs,
    aws_iam_role_policy.receive_profiles,
    aws_iam_role_policy.record,
    aws_dynamodb_table.profiles,
    aws_iam_role_policy.merge_profiles,
    aws_iam_role_policy.read_suppression_list,
    aws_iam_role_policy.read_mapping,
    aws_iam_role_policy.read_parameters,
    aws_iam_role_policy.keep_rejected,
    aws_iam_role_policy.trace,
  ]
}

resource "aws_lambda_event_source_mapping" "profiles" {
  event_source_arn                   = local.queue_arns.profiles
  function_name                      = "${local.function_arn}:${local.alias}"
  batch_size                         = var.batch.size
  maximum_batching_window_in_seconds = var.batch.window_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  # The names are known before the things are there. The alias waits for the right to read the queue.
  depends_on = [aws_lambda_alias.live, aws_sqs_queue.profiles]
}
