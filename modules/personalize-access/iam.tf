data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "PersonalizeOfThisAccountAssumesTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["personalize.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:personalize:${local.region}:${local.account}:*"]
    }
  }
}

resource "aws_iam_role" "personalize" {
  name                 = local.role_name
  path                 = var.iam_path
  description          = "Personalize reads training data, and writes reports and results of batch jobs."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "read" {
  statement {
    sid = "ListTheBucket"
    # No s3:prefix condition: how Personalize lists a folder isn't documented, and names alone reveal no content.
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  statement {
    sid       = "ReadTheInput"
    actions   = ["s3:GetObject"]
    resources = [for prefix in var.read_prefixes : "${local.bucket_arn}/${prefix}*"]
  }

  # From the developer guide, for jobs and dataset groups. No kms:ViaService: not all calls go through S3.
  dynamic "statement" {
    for_each = local.keys

    content {
      sid       = "UseTheKeyOfTheBucket"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:ListGrants"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = aws_iam_role.personalize.name
  policy = data.aws_iam_policy_document.read.json
}

data "aws_iam_policy_document" "write" {
  count = length(var.write_prefixes) > 0 ? 1 : 0

  statement {
    sid       = "WriteTheResults"
    actions   = ["s3:PutObject"]
    resources = [for prefix in var.write_prefixes : "${local.bucket_arn}/${prefix}*"]
  }
}

resource "aws_iam_role_policy" "write" {
  count = length(var.write_prefixes) > 0 ? 1 : 0

  name   = "write"
  role   = aws_iam_role.personalize.name
  policy = data.aws_iam_policy_document.write[0].json
}

data "aws_iam_policy_document" "publish_metrics" {
  statement {
    sid     = "PublishMetricsOfAttributions"
    actions = ["cloudwatch:PutMetricData"]
    # PutMetricData has no resource-level permissions. The namespace is its only bound.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["AWS/Personalize"]
    }
  }
}

resource "aws_iam_role_policy" "publish_metrics" {
  name   = "publish-metrics"
  role   = aws_iam_role.personalize.name
  policy = data.aws_iam_policy_document.publish_metrics.json
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:In a key policy, the resource is the key itself.
  #checkov:skip=CKV_AWS_111:In a key policy, the resource is the key itself.
  #checkov:skip=CKV_AWS_356:In a key policy, the resource is the key itself.
  statement {
    sid     = "TheRoleOfPersonalizeUsesTheKey${local.stack}"
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:ListGrants"]
    # In a key policy, * is the key itself.
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.role_arn]
    }
  }

  statement {
    sid     = "PersonalizeUsesTheKey${local.stack}"
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:ListGrants"]
    # In a key policy, * is the key itself.
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["personalize.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:personalize:${local.region}:${local.account}:*"]
    }
  }
}
