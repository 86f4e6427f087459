locals {
  role_name = "${coalesce(var.name_prefix, "${var.name}-${local.region}")}-${var.suffix}"
  role_arn  = "arn:${local.partition}:iam::${local.account}:role${var.iam_path}${local.role_name}"
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LetLambdaOfThisAccountAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    # Off by default: AWS doesn't document that Lambda sends it. A role can't be passed to another account's function.
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

resource "aws_iam_role" "this" {
  name                 = local.role_name
  path                 = var.iam_path
  description          = "Execution role of the Lambda function ${local.name}."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "write_logs" {
  statement {
    sid     = "WriteTheLogOfThisFunction"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}:log-stream:*",
    ]
  }
}

resource "aws_iam_role_policy" "write_logs" {
  name   = "write-logs"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.write_logs.json
}

data "aws_iam_policy_document" "read_parameters" {
  count = length(local.parameters) == 0 ? 0 : 1

  statement {
    sid     = "ReadWhatWasProvisioned"
    actions = ["ssm:GetParameter"]
    resources = [
      for parameter in sort(values(local.parameters)) :
      "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${parameter}"
    ]
  }
}

resource "aws_iam_role_policy" "read_parameters" {
  count = length(local.parameters) == 0 ? 0 : 1

  name   = "read-parameters"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.read_parameters[0].json
}

data "aws_iam_policy_document" "read_suppression_list" {
  count = local.list == null ? 0 : 1

  statement {
    sid       = "ReadTheSuppressionList"
    actions   = ["s3:GetObject"]
    resources = ["arn:${local.partition}:s3:::${local.list.bucket}/${local.list.key}"]
  }

  dynamic "statement" {
    for_each = compact([local.list.kms_key_arn])

    content {
      sid       = "DecryptTheSuppressionList"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${split(":", statement.value)[3]}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_suppression_list" {
  count = local.list == null ? 0 : 1

  name   = "read-suppression-list"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.read_suppression_list[0].json
}

data "aws_iam_policy_document" "keep_rejected" {
  count = var.rejected_queue == null ? 0 : 1

  statement {
    sid       = "KeepWhatIsRejected"
    actions   = ["sqs:SendMessage"]
    resources = [var.rejected_queue.arn]
  }

  dynamic "statement" {
    for_each = compact([var.rejected_queue.kms_key_arn])

    content {
      sid       = "EncryptWhatIsRejected"
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
  count = var.rejected_queue == null ? 0 : 1

  name   = "keep-rejected"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.keep_rejected[0].json
}

data "aws_iam_policy_document" "trace" {
  #checkov:skip=CKV_AWS_356:X-Ray has no resource-level permissions for traces.
  #checkov:skip=CKV_AWS_111:X-Ray has no resource-level permissions for traces.
  count = var.tracing ? 1 : 0

  statement {
    sid     = "SendTraces"
    actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # Traces have no resource-level permissions.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "trace" {
  count = var.tracing ? 1 : 0

  name   = "trace"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.trace[0].json
}

# Only for a mapping too large for the environment: this one object, whose name contains the digest.
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
        values   = ["s3.${local.region}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_mapping" {
  count = local.mapping_in_s3 == null ? 0 : 1

  name   = "read-mapping"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.read_mapping[0].json
}
