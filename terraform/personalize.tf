# The spec for `personalize-segment apply`. The AWS provider has no Personalize resources, so Terraform can't create
# them.

locals {
  # A domain has recommenders. Without a domain, the default is one solution and one campaign.
  solutions = coalesce(
    var.personalize.solutions,
    var.personalize.domain == null ? {
      main = { recipe = "aws-user-personalization-v2", automatic_training_days = 7, events = null, columns = null }
    } : {}
  )
  campaigns = coalesce(
    var.personalize.campaigns,
    var.personalize.domain == null ? { main = { solution = "main", minimum_tps = 1, follow_latest = true } } : {}
  )

  recommenders     = var.personalize.recommenders
  only_campaign    = var.recommend.recommender == null ? try(one(keys(local.campaigns)), null) : null
  only_recommender = length(local.campaigns) == 0 ? try(one(keys(local.recommenders)), null) : null
  asked = {
    campaign    = var.recommend.campaign != null ? var.recommend.campaign : local.only_campaign
    recommender = var.recommend.recommender != null ? var.recommend.recommender : local.only_recommender
  }

  locations = {
    for dataset in module.event_mapping.datasets :
    dataset => "s3://${local.bucket.name}/${local.prefixes.transformed}${dataset}/"
  }

  spec = {
    version       = 1
    name          = var.name
    event_mapping = jsondecode(module.event_mapping.text)
    domain        = var.personalize.domain
    role_arn      = module.personalize_access.role.arn
    datasets = {
      for dataset, location in local.locations : dataset => {
        import = { location = location, mode = var.personalize.import_mode }
      }
    }
    event_tracker = var.personalize.event_tracker
    solutions = {
      for name, one in local.solutions : name => {
        for key, value in {
          recipe = one.recipe
          # A conditional can't return an object or false.
          automatic_training = jsondecode(
            one.automatic_training_days == 0 ? "false" : jsonencode({ every_days = one.automatic_training_days })
          )
          events = one.events == null ? null : [
            for event in one.events :
            { for key, value in event : key => value if value != null }
          ]
          columns = one.columns
        } : key => value if value != null
      }
    }
    campaigns    = local.campaigns
    recommenders = local.recommenders
    filters      = var.personalize.filters
    metric_attribution = length(var.personalize.metric_attributions) == 0 ? null : {
      metrics  = var.personalize.metric_attributions
      location = "s3://${local.bucket.name}/${local.prefixes.reports}"
    }
    tags       = var.tags
    ssm_prefix = local.ssm_prefix
  }
}

data "aws_iam_policy_document" "kms_key" {
  source_policy_documents = compact([module.personalize_access.kms_key_policy_json])
}

# Names no role, so it's known at plan. CloudWatch Logs can't create a log group with a key it can't use.
data "aws_iam_policy_document" "log_key" {
  #checkov:skip=CKV_AWS_109:In a key policy, the resource is the key itself.
  #checkov:skip=CKV_AWS_111:In a key policy, the resource is the key itself.
  #checkov:skip=CKV_AWS_356:In a key policy, the resource is the key itself.
  statement {
    sid = join(
      "",
      ["CloudWatchEncryptsLogs"],
      [for part in split("-", var.name) : title(part)],
      can(regex("-[^a-z]", var.name)) ? [substr(sha256(var.name), 0, 8)] : [],
    )
    actions = [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ]
    # In a key policy, * is the key itself.
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.${data.aws_partition.current.dns_suffix}"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values = [
        for name in concat(
          values(module.training_job.log_groups),
          [module.event_function.log_group, module.profile_queue.log_group]
        ) :
        "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${name}"
      ]
    }
  }
}

check "recommendation_is_asked_of_something" {
  assert {
    condition = (
      (local.asked.campaign == null || contains(keys(local.campaigns), coalesce(local.asked.campaign, " "))) &&
      (local.asked.recommender == null || contains(keys(local.recommenders), coalesce(local.asked.recommender, " "))) &&
      (var.recommend.filter == null || contains(keys(var.personalize.filters), coalesce(var.recommend.filter, " ")))
    )
    error_message = join(" ", [
      "`recommend` names a campaign, recommender or filter that isn't in `personalize`, so nothing would be",
      "recommended. Use a name from `personalize`.",
    ])
  }
}

check "recommendations_are_written_back_after_something" {
  assert {
    condition = (
      var.write_back.events != null || (local.asked.campaign == null && local.asked.recommender == null) ||
      length(setintersection(module.event_mapping.event_types, ["Purchase", "AddToCart", "AddToWishlist", "Watch"])) > 0
    )
    error_message = <<-EOT
      The mapping has no Purchase, AddToCart, AddToWishlist or Watch event, so nothing is written back. List the events
      in `write_back.events`.
    EOT
  }
}

# A campaign keeps billing after its spec is gone. Conditions can't tell a destroy from an apply, so this resource
# refuses. Terraform destroys it first. The command is in the state because a destroy can't read variables.
resource "terraform_data" "personalize_is_destroyed_first" {
  input = {
    command = var.deletion_protection ? join(" ", [
      "echo \"Resources in Amazon Personalize outlive this stack, and a campaign bills around the clock.",
      "Run: personalize-segment destroy --name ${var.name} (region ${local.region}).",
      "Then set deletion_protection = false, apply, and destroy again.\" && exit 1",
    ]) : "exit 0"
  }

  provisioner "local-exec" {
    when    = destroy
    command = self.output.command
    quiet   = true
  }

  depends_on = [
    aws_s3_object.event_mapping,
    module.data_bucket,
    module.event_function,
    module.monitoring,
    module.personalize_access,
    module.profile_queue,
    module.refresh,
    module.segment_access,
    module.training_job,
    module.warehouse,
  ]
}
