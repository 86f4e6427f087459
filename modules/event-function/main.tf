data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  function_name = "${var.name}-event"
  function_arn  = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.function_name}"
  alias         = "live"
  log_group     = "/aws/lambda/${local.function_name}"
  package_there = var.package.path == null || try(fileexists(var.package.path), false)

  # A name in the spec, or an ARN; null: nothing is recommended.
  asked      = var.personalize.campaign != null ? var.personalize.campaign : var.personalize.recommender
  asked_kind = var.personalize.campaign != null ? "campaign" : "recommender"

  # What stands in SSM, by setting: the results of `personalize-segment apply` that are not given as an id or ARN.
  results = {
    personalize_tracking_id       = var.personalize.tracking_id == null ? "tracking_id" : null
    personalize_campaign_arn      = startswith(coalesce(local.asked, "arn:"), "arn:") ? null : "${local.asked_kind}s/${local.asked}"
    recommendation_filter_arn     = startswith(coalesce(var.recommend.filter, "arn:"), "arn:") ? null : "filters/${var.recommend.filter}"
    personalize_users_dataset_arn = var.profile_queue == null && var.personalize.users_dataset_arn == null ? "datasets/users" : null
    personalize_items_dataset_arn = var.profile_queue == null && var.personalize.items_dataset_arn == null ? "datasets/items" : null
  }
  parameters = { for setting, result in local.results : setting => "${var.personalize.ssm_prefix}/${result}" if result != null && var.personalize.ssm_prefix != null }
  references = { for setting, parameter in local.parameters : setting => "ssm:${parameter}" }

  secret = var.write_key_secret != null ? {
    name        = var.write_key_secret.name
    json_key    = var.write_key_secret.json_key
    kms_key_arn = var.write_key_secret.kms_key_arn
    } : var.new_write_key_version != null ? {
    name        = "${var.name}/segment-write-key"
    json_key    = null
    kms_key_arn = null
  } : null
  write_key = local.secret == null ? null : join("#", compact(["secretsmanager:${local.secret.name}", local.secret.json_key]))

  mapping_in_s3   = var.event_mapping.s3
  mapping_setting = try("s3://${local.mapping_in_s3.bucket}/${local.mapping_in_s3.key}#${var.event_mapping.sha256}", null)

  # With the profile queue it is another function that calls PutUsers and PutItems.
  users_dataset_arn = var.profile_queue == null ? var.personalize.users_dataset_arn : null
  items_dataset_arn = var.profile_queue == null ? var.personalize.items_dataset_arn : null

  # Null leaves a setting out, which then has the function's default. All of docs/live.md but
  # profile_calls_per_second and profile_table, which are the consumer's.
  settings = {
    event_mapping                 = local.mapping_in_s3 == null ? "gzip:${base64gzip(var.event_mapping.text)}" : local.mapping_setting
    personalize_tracking_id       = lookup(local.references, "personalize_tracking_id", var.personalize.tracking_id)
    personalize_campaign_arn      = lookup(local.references, "personalize_campaign_arn", local.asked)
    connections_source_api_key    = local.write_key
    personalize_region            = var.personalize.region
    personalize_users_dataset_arn = lookup(local.references, "personalize_users_dataset_arn", local.users_dataset_arn)
    personalize_items_dataset_arn = lookup(local.references, "personalize_items_dataset_arn", local.items_dataset_arn)
    suppression_list              = var.suppression_list == null ? null : "s3://${var.suppression_list.bucket}/${var.suppression_list.key}"
    keep_unmapped                 = tostring(var.keep_unmapped)
    recommendation_count          = tostring(var.recommend.count)
    recommendations_per_minute    = tostring(var.recommend.per_minute)
    recommendation_filter_arn     = lookup(local.references, "recommendation_filter_arn", var.recommend.filter)
    recommendation_filter_values  = length(var.recommend.filter_values) == 0 ? null : jsonencode(var.recommend.filter_values)
    recommendation_context        = length(var.recommend.context) == 0 ? null : jsonencode(var.recommend.context)
    write_back_events             = var.write_back.events == null ? null : jsonencode(var.write_back.events)
    write_back_interval_seconds   = tostring(var.write_back.interval_seconds)
    write_back_trait              = var.write_back.trait
    write_back_shape              = var.write_back.shape
    segment_host                  = var.write_back.segment_host
    time_budget_milliseconds      = tostring(var.time_budget_milliseconds)
    reference_refresh_seconds     = tostring(var.reference_refresh_seconds)
    POWERTOOLS_LOG_LEVEL          = var.log.level
    POWERTOOLS_METRICS_NAMESPACE  = var.metrics_namespace
    POWERTOOLS_SERVICE_NAME       = var.name
  }

  written = { for setting, value in local.settings : setting => value if value != null }

  queues      = { profile_queue_url = var.profile_queue, rejected_queue_url = var.rejected_queue }
  environment = merge(local.written, { for setting, queue in local.queues : setting => queue.url if queue != null })

  # Lambda counts the JSON text of the environment, as its error message shows. A queue's URL may be known only after
  # the apply, so it is counted as what its ARN makes of it.
  sizes = merge(local.written, {
    for setting, queue in local.queues : setting => "https://sqs.${local.region}.${data.aws_partition.current.dns_suffix}/${join("/", slice(split(":", queue.arn), 4, 6))}" if queue != null
  })
  # `length` counts characters; three bytes are four digits in base64.
  environment_bytes   = floor(length(replace(base64encode(jsonencode(local.sizes)), "=", "")) * 3 / 4)
  environment_maximum = 4096
}

resource "aws_cloudwatch_log_group" "event" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the user's decision; a year of them is rarely worth its price.
  #checkov:skip=CKV_AWS_158:A key of your own is an option. The logs hold ids, never the content of events.
  name              = local.log_group
  retention_in_days = var.log.retention_days
  kms_key_id        = var.log.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "event" {
  #checkov:skip=CKV_AWS_115:Reserved concurrency is an option; taken by default, it would take it from others in the account.
  #checkov:skip=CKV_AWS_116:Segment invokes the function synchronously and sends a failed event again; refused events have a queue of their own.
  #checkov:skip=CKV_AWS_117:It calls public endpoints only; in a VPC it would need NAT, and seconds that it hasn't.
  #checkov:skip=CKV_AWS_173:The environment holds no secret, only references to some; Lambda encrypts it with a key of its own.
  #checkov:skip=CKV_AWS_272:The zip is built and pinned by hash here; a signing profile is the deploying account's decision.
  function_name                  = local.function_name
  description                    = "Records Segment's events in Amazon Personalize and writes recommendations back."
  role                           = aws_iam_role.event.arn
  runtime                        = "python3.13"
  handler                        = "personalize_segment.live.handler.segment_event"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_megabytes
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  publish                        = true
  tags                           = var.tags

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
    log_group             = aws_cloudwatch_log_group.event.name
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
      error_message = "The environment would have ${local.environment_bytes} bytes of JSON, of which the event mapping is ${length(local.settings.event_mapping)}; Lambda takes ${local.environment_maximum}. Leave rules and fields out of the mapping that you don't need, or shorten names."
    }
  }

  depends_on = [aws_iam_role_policy.write_logs]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  description      = "What Segment invokes."
  function_name    = aws_lambda_function.event.function_name
  function_version = aws_lambda_function.event.version

  # Nobody is sent here before the function may do all that it does.
  depends_on = [
    aws_iam_role_policy.write_logs,
    aws_iam_role_policy.record,
    aws_iam_role_policy.recommend,
    aws_iam_role_policy.read_mapping,
    aws_iam_role_policy.read_parameters,
    aws_iam_role_policy.read_secret,
    aws_iam_role_policy.queue_profiles,
    aws_iam_role_policy.read_suppression_list,
    aws_iam_role_policy.keep_rejected,
    aws_iam_role_policy.trace,
  ]
}

resource "aws_secretsmanager_secret" "write_key" {
  #checkov:skip=CKV_AWS_149:One key that is also shown in Segment. Whoever wants it under a key of their own gives `write_key_secret`.
  #checkov:skip=CKV2_AWS_57:A write key is made in Segment and can't be rotated from here.
  count = var.new_write_key_version == null ? 0 : 1

  name        = local.secret.name
  description = "Write key of the Segment source to which recommendations are written."
  tags        = var.tags

  # Segment still shows the key, so nothing is lost; and a secret in its grace period would block the name.
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "write_key" {
  count = var.new_write_key_version == null ? 0 : 1

  secret_id                = aws_secretsmanager_secret.write_key[0].id
  secret_string_wo         = var.new_write_key
  secret_string_wo_version = var.new_write_key_version
}

check "segment_calls_this_region" {
  assert {
    condition     = contains(var.segment_regions, local.region)
    error_message = "The function is in ${local.region}, where Segment's documentation says that it is not called. Deploy it in ${join(" or ", var.segment_regions)}; Personalize may stay elsewhere (`personalize.region`). If Segment does call it, add the region to `segment_regions`."
  }
}
