locals {
  personalize_region = coalesce(var.personalize.region, local.region)
  personalize_arn    = "arn:${local.partition}:personalize:${local.personalize_region}:${local.account}"

  # Names from `personalize-segment apply` end in an eight-character digest of the resource's definition.
  named_arns = [
    for kind, name in { (local.asked_kind) = local.asked, filter = var.recommend.filter } :
    startswith(name, "arn:") ? name : "${local.personalize_arn}:${kind}/${var.name}-${name}-????????" if name != null
  ]
}

data "aws_iam_policy_document" "record" {
  #checkov:skip=CKV_AWS_356:PutEvents has no resource-level permissions.
  #checkov:skip=CKV_AWS_111:PutEvents has no resource-level permissions.
  statement {
    sid     = "RecordInteractions"
    actions = ["personalize:PutEvents"]
    # PutEvents names its tracker by an id, so it has no resource-level permissions.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.personalize_region]
    }
  }

  dynamic "statement" {
    for_each = module.function.dataset_arns

    content {
      sid       = "Record${title(statement.key)}"
      actions   = ["personalize:Put${title(statement.key)}"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "record" {
  name   = "record"
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.record.json
}

data "aws_iam_policy_document" "recommend" {
  count = local.asked == null ? 0 : 1

  statement {
    sid       = "AskForRecommendations"
    actions   = ["personalize:GetRecommendations"]
    resources = local.named_arns
  }
}

resource "aws_iam_role_policy" "recommend" {
  count = local.asked == null ? 0 : 1

  name   = "recommend"
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.recommend[0].json
}

data "aws_iam_policy_document" "count_recommendations" {
  count = local.counts ? 1 : 0

  statement {
    sid       = "CountRecommendations"
    actions   = ["dynamodb:UpdateItem"]
    resources = [var.profile_table.arn]

    # The table also holds users and items. All counters of this function share one key prefix.
    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["recommendations#*"]
    }
  }

  dynamic "statement" {
    for_each = compact([var.profile_table.kms_key_arn])

    content {
      sid       = "DecryptTheTable"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["dynamodb.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "count_recommendations" {
  count = local.counts ? 1 : 0

  name   = "count-recommendations"
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.count_recommendations[0].json
}

data "aws_iam_policy_document" "read_secret" {
  count = local.secret == null ? 0 : 1

  statement {
    sid     = "ReadTheWriteKey"
    actions = ["secretsmanager:GetSecretValue"]
    # Secrets Manager appends six characters to the name.
    resources = [
      "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.secret.name}-??????",
    ]
  }

  dynamic "statement" {
    for_each = compact([local.secret.kms_key_arn])

    content {
      sid       = "DecryptTheWriteKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_secret" {
  count = local.secret == null ? 0 : 1

  name   = "read-secret"
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.read_secret[0].json
}

data "aws_iam_policy_document" "queue_profiles" {
  count = var.profile_queue == null ? 0 : 1

  statement {
    sid       = "QueueUsersAndItems"
    actions   = ["sqs:SendMessage"]
    resources = [var.profile_queue.arn]
  }

  dynamic "statement" {
    for_each = compact([var.profile_queue.kms_key_arn])

    content {
      sid       = "EncryptUsersAndItems"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["sqs.${local.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "queue_profiles" {
  count = var.profile_queue == null ? 0 : 1

  name   = "queue-profiles"
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.queue_profiles[0].json
}
