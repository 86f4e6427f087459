data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  # A name in the spec, or an ARN. Null: no recommendations.
  asked          = var.personalize.campaign != null ? var.personalize.campaign : var.personalize.recommender
  asked_kind     = var.personalize.campaign != null ? "campaign" : "recommender"
  asked_by_name  = !startswith(coalesce(local.asked, "arn:"), "arn:")
  filter_by_name = !startswith(coalesce(var.recommend.filter, "arn:"), "arn:")
  counts         = local.asked != null && var.profile_table != null

  # Results of `personalize-segment apply` in SSM, by setting, unless the id or ARN is given.
  results = {
    personalize_tracking_id   = var.personalize.tracking_id == null ? "tracking_id" : null
    personalize_campaign_arn  = local.asked_by_name ? "${local.asked_kind}s/${local.asked}" : null
    recommendation_filter_arn = local.filter_by_name ? "filters/${var.recommend.filter}" : null
  }

  new_secret = var.new_write_key_version == null ? null : {
    name        = "${var.name}/segment-write-key"
    json_key    = null
    kms_key_arn = null
  }
  secret    = var.write_key_secret == null ? local.new_secret : var.write_key_secret
  write_key = try(join("#", compact(["secretsmanager:${local.secret.name}", local.secret.json_key])), null)

  maps = {
    for name in ["filter_values", "context"] :
    name => length(var.recommend[name]) == 0 ? null : jsonencode(var.recommend[name])
  }

  # A null setting is left out and gets the function's default. All settings in docs/live.md except
  # profile_calls_per_second, which the consumer uses, and those that the module function adds.
  settings = {
    personalize_tracking_id      = var.personalize.tracking_id
    personalize_campaign_arn     = local.asked
    connections_source_api_key   = local.write_key
    keep_unmapped                = tostring(var.keep_unmapped)
    profile_table                = local.counts ? var.profile_table.name : null
    recommendation_count         = tostring(var.recommend.count)
    recommendations_per_minute   = tostring(var.recommend.per_minute)
    recommend_to_visitors        = tostring(var.recommend.to_visitors)
    recommendation_filter_arn    = var.recommend.filter
    recommendation_filter_values = local.maps.filter_values
    recommendation_context       = local.maps.context
    write_back_events            = var.write_back.events == null ? null : jsonencode(var.write_back.events)
    write_back_interval_seconds  = tostring(var.write_back.interval_seconds)
    write_back_trait             = var.write_back.trait
    write_back_shape             = var.write_back.shape
    segment_host                 = var.write_back.segment_host
    time_budget_milliseconds     = tostring(var.time_budget_milliseconds)
  }
}

module "function" {
  source = "../function"

  name              = var.name
  suffix            = "event"
  description       = "Records Segment events in Amazon Personalize and writes recommendations back."
  alias_description = "Invoked by Segment."
  handler           = "segment_event"
  package           = var.package
  event_mapping     = var.event_mapping
  personalize       = var.personalize
  # With a profile queue, another function calls PutUsers and PutItems.
  datasets                 = var.profile_queue == null ? ["users", "items"] : []
  results                  = { for setting, result in local.results : setting => result if result != null }
  settings                 = local.settings
  queues                   = { profile_queue_url = var.profile_queue }
  rejected_queue           = var.rejected_queue
  suppression_list         = var.suppression_list
  memory_megabytes         = var.memory_megabytes
  timeout_seconds          = var.timeout_seconds
  architecture             = var.architecture
  reserved_concurrency     = var.reserved_concurrency
  log                      = var.log
  tracing                  = var.tracing
  permissions_boundary_arn = var.permissions_boundary_arn
  source_conditions        = var.source_conditions
  name_prefix              = var.name_prefix
  iam_path                 = var.iam_path
  tags                     = var.tags

  needs = concat(
    aws_iam_role_policy.record[*].id,
    aws_iam_role_policy.recommend[*].id,
    aws_iam_role_policy.count_recommendations[*].id,
    aws_iam_role_policy.read_secret[*].id,
    aws_iam_role_policy.queue_profiles[*].id,
  )
}

resource "aws_secretsmanager_secret" "write_key" {
  #checkov:skip=CKV_AWS_149:Segment shows the key, too. To use a KMS key, set `write_key_secret`.
  #checkov:skip=CKV2_AWS_57:Segment creates write keys. They can't be rotated from here.
  count = var.new_write_key_version == null ? 0 : 1

  name        = local.secret.name
  description = "Write key of the Segment source that receives recommendations."
  tags        = var.tags

  # Segment still shows the key, so nothing is lost. A secret in its grace period would block the name.
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
    condition = contains(var.segment_regions, local.region)
    error_message = join(" ", [
      "The function is in ${local.region}. According to Segment's documentation, Segment doesn't call functions there.",
      "Deploy it in ${join(" or ", var.segment_regions)}. Personalize can stay elsewhere (`personalize.region`).",
      "If Segment does call functions there, add the region to `segment_regions`.",
    ])
  }
}
