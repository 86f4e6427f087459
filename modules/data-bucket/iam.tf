data "aws_iam_policy_document" "bucket" {
  statement {
    sid    = "DenyPlainHttp${local.stack}"
    effect = "Deny"
    # A denial, so every action: a list would miss some, and Security Hub (S3.5) checks for this form.
    actions   = ["s3:*"]
    resources = [local.arn, "${local.arn}/*"]

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

  dynamic "statement" {
    for_each = {
      # No s3:prefix condition: how Personalize lists a folder isn't documented, and names alone reveal no content.
      PersonalizeListsTheBucket = {
        action    = "s3:ListBucket"
        resources = [local.arn]
      }
      PersonalizeReadsItsInput = {
        action    = "s3:GetObject"
        resources = [for name in ["transformed", "deletions", "batch"] : "${local.arn}/${local.prefixes[name]}*"]
      }
      PersonalizeWritesItsResults = {
        action    = "s3:PutObject"
        resources = [for name in ["reports", "batch"] : "${local.arn}/${local.prefixes[name]}*"]
      }
    }

    content {
      sid       = "${statement.key}${local.stack}"
      actions   = [statement.value.action]
      resources = statement.value.resources

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
}

resource "aws_s3_bucket_policy" "data" {
  count = local.made ? 1 : 0

  bucket = aws_s3_bucket.data[0].bucket
  policy = data.aws_iam_policy_document.bucket.json

  # Both change access, and S3 rejects two such changes at once.
  depends_on = [aws_s3_bucket_public_access_block.data]
}
