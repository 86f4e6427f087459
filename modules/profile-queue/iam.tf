data "aws_iam_policy_document" "queue" {
  for_each = local.queue_arns

  # SQS accepts at most seven actions per statement: those that carry or drop messages.
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
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.receive_profiles.json
}

data "aws_iam_policy_document" "record" {
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
  role   = module.function.role.name
  policy = data.aws_iam_policy_document.merge_profiles[0].json
}
