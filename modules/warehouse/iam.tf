locals {
  # No `try`: its result is unknown if any part is, such as the ARN of a role created in the same apply.
  makes_redshift_role  = var.redshift == null ? false : var.redshift.role == null
  makes_snowflake_role = var.snowflake == null ? false : var.snowflake.trust != null

  # Maps for dynamic blocks: `count` can't depend on the ARN of a key created in the same apply.
  keys = compact([var.output.kms_key_arn])
}

data "aws_iam_policy_document" "replace_training_data" {
  # A run replaces the datasets' folders: it lists, deletes and writes there, and nowhere else.
  statement {
    sid       = "ReplaceTheTrainingData"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    resources = [for dataset in ["interactions", "users", "items"] : "${local.bucket}/${var.output.prefix}${dataset}/*"]
  }

  statement {
    sid       = "ListTheTrainingData"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.output.prefix}*"]
    }
  }

  # Both warehouses request the bucket's region, which no condition can restrict.
  statement {
    sid       = "FindTheBucket"
    actions   = ["s3:GetBucketLocation"]
    resources = [local.bucket]
  }

  dynamic "statement" {
    for_each = local.keys

    content {
      sid       = "EncryptTheTrainingData"
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

data "aws_iam_policy_document" "redshift" {
  count = local.makes_redshift_role ? 1 : 0

  source_policy_documents = [data.aws_iam_policy_document.replace_training_data.json]

  # ENCRYPTED AUTO "fetches the default AWS KMS encryption key on the target Amazon S3 bucket property". The guide to
  # UNLOAD names no permission for that. This one belongs to S3's GetBucketEncryption, which reads a setting, not data.
  statement {
    sid       = "FindTheBucketsKey"
    actions   = ["s3:GetEncryptionConfiguration"]
    resources = [local.bucket]
  }
}

data "aws_iam_policy_document" "redshift_trust" {
  count = local.makes_redshift_role ? 1 : 0

  # Associating this role requires the permission to pass it. Then all users of the cluster can use it. To restrict it
  # to database users, whose ARNs Redshift sends as the external id, pass your own role.
  statement {
    sid     = "LetRedshiftAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "redshift" {
  count = local.makes_redshift_role ? 1 : 0

  name                 = "${local.name_prefix}-redshift"
  path                 = var.iam_path
  description          = "Assumed by Redshift to unload the training data of ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.redshift_trust[0].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "redshift" {
  count = local.makes_redshift_role ? 1 : 0

  name   = "replace-training-data"
  role   = aws_iam_role.redshift[0].id
  policy = data.aws_iam_policy_document.redshift[0].json
}

data "aws_iam_policy_document" "snowflake_trust" {
  count = local.makes_snowflake_role ? 1 : 0

  statement {
    sid     = "LetThisStorageIntegrationAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.snowflake.trust.user_arn]
    }

    # One Snowflake user serves a whole account. The external id identifies the integration.
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.snowflake.trust.external_id]
    }
  }
}

resource "aws_iam_role" "snowflake" {
  #checkov:skip=CKV_AWS_61:Only Snowflake's user can assume it, and only with the external id.
  count = local.makes_snowflake_role ? 1 : 0

  name                 = "${local.name_prefix}-snowflake"
  path                 = var.iam_path
  description          = "Assumed by Snowflake's storage integration to unload the training data of ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.snowflake_trust[0].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "snowflake" {
  count = local.makes_snowflake_role ? 1 : 0

  name   = "replace-training-data"
  role   = aws_iam_role.snowflake[0].id
  policy = data.aws_iam_policy_document.replace_training_data.json
}
