data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  dns_suffix = data.aws_partition.current.dns_suffix

  name          = "${var.name}-${var.suffix}"
  arn           = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.name}"
  alias         = "live"
  log_group     = "/aws/lambda/${local.name}"
  package_there = var.package.path == null || try(fileexists(var.package.path), false)
  package_hash  = local.package_there ? try(filebase64sha256(var.package.path), var.package.s3.sha256_base64) : null

  # Results of `personalize-segment apply` in SSM, by setting, unless their ids or ARNs are given.
  dataset_settings = { for dataset in var.datasets : dataset => "personalize_${dataset}_dataset_arn" }
  given_datasets   = { for dataset in var.datasets : dataset => var.personalize["${dataset}_dataset_arn"] }
  results = merge(var.results, {
    for dataset, arn in local.given_datasets : local.dataset_settings[dataset] => "datasets/${dataset}" if arn == null
  })
  prefix     = var.personalize.ssm_prefix
  parameters = { for setting, result in local.results : setting => "${local.prefix}/${result}" if local.prefix != null }

  personalize_region = coalesce(var.personalize.region, local.region)
  personalize_arn    = "arn:${local.partition}:personalize:${local.personalize_region}:${local.account}"
  dataset_arns = {
    for dataset, arn in local.given_datasets :
    dataset => coalesce(arn, "${local.personalize_arn}:dataset/${var.name}/${upper(dataset)}")
  }

  list          = var.suppression_list
  mapping       = var.event_mapping == null ? null : "gzip:${base64gzip(var.event_mapping.text)}"
  mapping_in_s3 = try(var.event_mapping.s3, null)
  mapping_place = try("s3://${local.mapping_in_s3.bucket}/${local.mapping_in_s3.key}#${var.event_mapping.sha256}", null)

  # A null setting is left out and gets the function's default.
  settings = merge(
    var.settings,
    { for dataset, arn in local.given_datasets : local.dataset_settings[dataset] => arn },
    { for setting, parameter in local.parameters : setting => "ssm:${parameter}" },
    {
      event_mapping           = local.mapping_in_s3 == null ? local.mapping : local.mapping_place
      personalize_region      = var.personalize.region
      suppression_list        = local.list == null ? null : "s3://${local.list.bucket}/${local.list.key}"
      POWERTOOLS_LOG_LEVEL    = var.log.level
      POWERTOOLS_SERVICE_NAME = var.name
    },
  )
  written = { for setting, value in local.settings : setting => value if value != null }

  queues = { for setting, queue in merge(var.queues, { rejected_queue_url = var.rejected_queue }) :
  setting => { url = queue.url, path = join("/", slice(split(":", queue.arn), 4, 6)) } if queue != null }
  environment = merge(local.written, { for setting, queue in local.queues : setting => queue.url })

  # Lambda counts the JSON text of the environment, as its error message shows. A queue's URL may be known only after
  # the apply, so its length is derived from the queue's name.
  sizes = merge(local.written, {
    for setting, queue in local.queues : setting => "https://sqs.${local.region}.${local.dns_suffix}/${queue.path}"
  })
  # `length` counts characters. In base64, three bytes are four characters.
  environment_bytes   = floor(length(replace(base64encode(jsonencode(local.sizes)), "=", "")) * 3 / 4)
  environment_maximum = 4096
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Retention is an input. A year of logs is rarely worth its price.
  #checkov:skip=CKV_AWS_158:A KMS key is optional. The logs hold ids, never the content of events or profiles.
  name              = local.log_group
  retention_in_days = var.log.retention_days
  kms_key_id        = var.log.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:Reserved concurrency is optional: by default it would take capacity from other functions.
  #checkov:skip=CKV_AWS_116:Segment and SQS redeliver failed events. A queue keeps rejected ones.
  #checkov:skip=CKV_AWS_117:It calls public endpoints only. In a VPC it would need NAT, and start more slowly.
  #checkov:skip=CKV_AWS_173:The environment holds references to secrets, never a secret, and Lambda encrypts it.
  #checkov:skip=CKV_AWS_272:The zip is built and pinned by hash here. A signing profile is the account's decision.
  function_name                  = local.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = "python3.13"
  handler                        = "personalize_segment.live.handler.${var.handler}"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_megabytes
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  publish                        = true
  tags                           = var.tags

  filename         = var.package.path
  s3_bucket        = try(var.package.s3.bucket, null)
  s3_key           = try(var.package.s3.key, null)
  source_code_hash = local.package_hash

  environment {
    variables = local.environment
  }

  # Lambda treats a line without a level as INFO. Metrics are such lines, so Lambda must not filter INFO out.
  # POWERTOOLS_LOG_LEVEL sets the level instead.
  logging_config {
    log_format            = "JSON"
    application_log_level = var.log.level == "DEBUG" ? "DEBUG" : "INFO"
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  lifecycle {
    precondition {
      condition = local.package_there
      error_message = join(" ", [
        "The file ${coalesce(var.package.path, "package")} doesn't exist. Run `make package` first,",
        "or set `package` to the zip's path or S3 object.",
      ])
    }

    precondition {
      condition = local.environment_bytes <= local.environment_maximum
      error_message = join(" ", [
        "The environment of ${local.name} would have ${local.environment_bytes} bytes of JSON,",
        "of which the event mapping is ${length(try(local.written.event_mapping, ""))}.",
        "Lambda accepts ${local.environment_maximum}. Shorten the mapping, or store it in S3 (`event_mapping.s3`).",
      ])
    }
  }

  depends_on = [aws_iam_role_policy.write_logs]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  description      = var.alias_description
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  # The alias exists only once the function has all its permissions.
  depends_on = [
    var.needs,
    aws_iam_role_policy.keep_rejected,
    aws_iam_role_policy.read_mapping,
    aws_iam_role_policy.read_parameters,
    aws_iam_role_policy.read_suppression_list,
    aws_iam_role_policy.trace,
    aws_iam_role_policy.write_logs,
  ]
}
