data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LetSegmentAssumeTheRoleForThisWorkspaceOnly"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.principal_arns
    }

    # Segment assumes roles for all its customers. The external id identifies the customer.
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = var.external_ids
    }
  }
}

resource "aws_iam_role" "segment" {
  #checkov:skip=CKV_AWS_61:Only Segment's role can assume it, and only with the external id.
  name                 = local.role_name
  path                 = var.iam_path
  description          = "Assumed by Segment to invoke the functions of ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "invoke" {
  statement {
    sid       = "InvokeTheseFunctionsOnly"
    actions   = ["lambda:InvokeFunction"]
    resources = var.function_arns
  }
}

resource "aws_iam_role_policy" "invoke" {
  name   = "invoke"
  role   = aws_iam_role.segment.id
  policy = data.aws_iam_policy_document.invoke.json
}

data "aws_iam_policy_document" "logs_trust" {
  count = var.logs == null ? 0 : 1

  statement {
    sid     = "LetSegmentsS3DestinationAssumeTheRoleForThisWorkspaceOnly"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.logs.principal_arns
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = var.external_ids
    }
  }
}

resource "aws_iam_role" "segment_logs" {
  #checkov:skip=CKV_AWS_61:Only Segment's role can assume it, and only with the external id.
  count = var.logs == null ? 0 : 1

  name                 = local.logs_role_name
  path                 = var.iam_path
  description          = "Assumed by Segment's S3 destination to write the logs of ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.logs_trust[0].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "write_segment_logs" {
  count = var.logs == null ? 0 : 1

  # PutObjectAcl, because Segment writes with an ACL.
  statement {
    sid       = "WriteSegmentLogs"
    actions   = ["s3:PutObject", "s3:PutObjectAcl"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${var.logs.bucket}/${var.logs.prefix}*"]
  }

  dynamic "statement" {
    for_each = compact([var.logs.kms_key_arn])

    content {
      sid       = "EncryptSegmentLogs"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${split(":", statement.value)[3]}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "write_segment_logs" {
  count = var.logs == null ? 0 : 1

  name   = "write-segment-logs"
  role   = aws_iam_role.segment_logs[0].id
  policy = data.aws_iam_policy_document.write_segment_logs[0].json
}
