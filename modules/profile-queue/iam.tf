locals {
  role_name          = "${coalesce(var.name_prefix, "${var.name}-${local.region}")}-profiles"
  role_arn           = "arn:${local.partition}:iam::${local.account}:role${var.iam_path}${local.role_name}"
  personalize_region = coalesce(var.personalize.region, local.region)
  dataset_arns = {
    users = coalesce(var.personalize.users_dataset_arn, "arn:${local.partition}:personalize:${local.personalize_region}:${local.account}:dataset/${var.name}/USERS")
    items = coalesce(var.personalize.items_dataset_arn, "arn:${local.partition}:personalize:${local.personalize_region}:${local.account}:dataset/${var.name}/ITEMS")
  }
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queue_arns

  # SQS takes seven actions a statement at most: those that carry messages, or drop them.
  statement {
    sid    = "DenyPlainHttp"
    effect = "Deny"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:PurgeQueue",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LetLambdaOfThisAccountAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    # Off by default: no page of AWS says that Lambda sends it. A role can't be passed to another account's function.
    dynamic "condition" {
      for_each = var.source_conditions ? [local.account] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "profiles" {
  name                 = local.role_name
  path                 = var.iam_path
  description          = "Execution role of the Lambda function ${local.function_name}."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "write_logs" {
  statement {
    sid       = "WriteTheLogOfThisFunction"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}:log-stream:*"]
  }
}

resource "aws_iam_role_policy" "write_logs" {
  name   = "write-logs"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.write_logs.json
}

data "aws_iam_policy_document" "receive_profiles" {
  statement {
    sid       = "TakeUsersAndItemsFromTheQueue"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [local.queue_arns.profiles]
  }

  dynamic "statement" {
    for_each = compact([var.kms_key_arn])

    content {
      sid       = "DecryptUsersAndItems"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["sqs.${local.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "receive_profiles" {
  name   = "receive-profiles"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.receive_profiles.json
}

data "aws_iam_policy_document" "record" {
  statement {
    sid       = "RecordUsers"
    actions   = ["personalize:PutUsers"]
    resources = [local.dataset_arns.users]
  }

  statement {
    sid       = "RecordItems"
    actions   = ["personalize:PutItems"]
    resources = [local.dataset_arns.items]
  }
}

resource "aws_iam_role_policy" "record" {
  name   = "record"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.record.json
}

data "aws_iam_policy_document" "merge_profiles" {
  count = local.table == null ? 0 : 1

  statement {
    sid       = "ReadAndWriteItemsOfTheTable"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem"]
    resources = [local.table_arn]
  }

  dynamic "statement" {
    for_each = compact([var.kms_key_arn])

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

resource "aws_iam_role_policy" "merge_profiles" {
  count = local.table == null ? 0 : 1

  name   = "merge-profiles"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.merge_profiles[0].json
}

data "aws_iam_policy_document" "read_suppression_list" {
  count = var.suppression_list == null ? 0 : 1

  statement {
    sid       = "ReadTheSuppressionList"
    actions   = ["s3:GetObject"]
    resources = ["arn:${local.partition}:s3:::${var.suppression_list.bucket}/${var.suppression_list.key}"]
  }

  dynamic "statement" {
    for_each = compact([var.suppression_list.kms_key_arn])

    content {
      sid       = "DecryptTheSuppressionList"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${split(":", statement.value)[3]}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_suppression_list" {
  count = var.suppression_list == null ? 0 : 1

  name   = "read-suppression-list"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.read_suppression_list[0].json
}

data "aws_iam_policy_document" "read_parameters" {
  count = length(local.parameters) == 0 ? 0 : 1

  statement {
    sid       = "ReadWhatWasProvisioned"
    actions   = ["ssm:GetParameter"]
    resources = [for parameter in sort(values(local.parameters)) : "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${parameter}"]
  }
}

resource "aws_iam_role_policy" "read_parameters" {
  count = length(local.parameters) == 0 ? 0 : 1

  name   = "read-parameters"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.read_parameters[0].json
}

data "aws_iam_policy_document" "keep_rejected" {
  statement {
    sid       = "KeepRejectedUsersAndItems"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns.rejected]
  }

  dynamic "statement" {
    for_each = compact([var.kms_key_arn])

    content {
      sid       = "EncryptRejectedUsersAndItems"
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

resource "aws_iam_role_policy" "keep_rejected" {
  name   = "keep-rejected"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.keep_rejected.json
}

data "aws_iam_policy_document" "trace" {
  #checkov:skip=CKV_AWS_356:X-Ray knows no resources for traces.
  #checkov:skip=CKV_AWS_111:X-Ray knows no resources for traces.
  count = var.tracing ? 1 : 0

  statement {
    sid     = "SendTraces"
    actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # A trace belongs to no resource that a policy could name.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "trace" {
  count = var.tracing ? 1 : 0

  name   = "trace"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.trace[0].json
}

# Only for a mapping that is too large for the environment: this one object, whose name has the digest.
data "aws_iam_policy_document" "read_mapping" {
  count = local.mapping_in_s3 == null ? 0 : 1

  statement {
    sid       = "ReadTheEventMapping"
    actions   = ["s3:GetObject"]
    resources = ["arn:${local.partition}:s3:::${local.mapping_in_s3.bucket}/${local.mapping_in_s3.key}"]
  }

  dynamic "statement" {
    for_each = compact([local.mapping_in_s3.kms_key_arn])

    content {
      sid       = "DecryptTheEventMapping"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_mapping" {
  count = local.mapping_in_s3 == null ? 0 : 1

  name   = "read-mapping"
  role   = aws_iam_role.profiles.id
  policy = data.aws_iam_policy_document.read_mapping[0].json
}
