locals {
  log_group_arns = [
    for name in values(local.log_groups) :
    "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${name}"
  ]
  buckets = {
    for name, one in {
      artifacts = local.script, package = local.package, wheels = local.wheels, logs = var.logs, output = var.output
    } :
    name => "arn:${local.partition}:s3:::${one.bucket}"
  }
  dns_suffix = data.aws_partition.current.dns_suffix

  # Hadoop requests folders from S3 like objects, and Glue's file system marks the folders it creates.
  logs_folder    = trimsuffix(var.logs.prefix, "/")
  output_parts   = split("/", trimsuffix(var.output.prefix, "/"))
  output_folders = [for n in range(1, length(local.output_parts) + 1) : join("/", slice(local.output_parts, 0, n))]

  # Maps for dynamic blocks: `count` can't depend on the ARN of a key created in the same apply.
  code_keys = distinct(compact([
    var.artifacts.kms_key_arn, try(var.package.s3.kms_key_arn, null), try(var.wheels.s3.kms_key_arn, null),
    try(local.mapping_in_s3.kms_key_arn, null),
  ]))
  logs_keys   = compact([var.logs.kms_key_arn])
  output_keys = compact([var.output.kms_key_arn])
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "GlueAssumesTheRoleForThisJob"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }

    # Off by default: AWS doesn't document that Glue sends them. A role can't be passed to another account's job.
    dynamic "condition" {
      for_each = var.source_conditions ? {
        SourceAccount = ["StringEquals", local.account]
        SourceArn     = ["ArnLike", local.job_arn]
      } : {}

      content {
        test     = condition.value[0]
        variable = "aws:${condition.key}"
        values   = [condition.value[1]]
      }
    }
  }
}

resource "aws_iam_role" "history" {
  name                 = local.role_name
  path                 = var.iam_path
  description          = "The Glue job reads Segment logs and writes training data."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "read_logs" {
  statement {
    sid = "ListTheBucketOfTheLogs"
    # No s3:prefix condition: S3 reports a missing key only to callers that can list the bucket, as Hadoop needs.
    actions   = ["s3:ListBucket"]
    resources = [local.buckets.logs]
  }

  statement {
    sid     = "ReadTheLogs"
    actions = ["s3:GetObject"]
    resources = [
      "${local.buckets.logs}/${var.logs.prefix}*",
      "${local.buckets.logs}/${local.logs_folder}",
      "${local.buckets.logs}/${local.logs_folder}_$folder$",
    ]
  }

  dynamic "statement" {
    for_each = local.logs_keys

    content {
      sid       = "DecryptTheLogs"
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

resource "aws_iam_role_policy" "read_logs" {
  name   = "read-logs"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.read_logs.json
}

data "aws_iam_policy_document" "read_suppression_list" {
  count = var.suppression_list == null ? 0 : 1

  statement {
    sid = "ListTheBucketOfTheSuppressionList"
    # Without it, S3 doesn't report that the list is missing, so the job couldn't report it either.
    actions   = ["s3:ListBucket"]
    resources = ["arn:${local.partition}:s3:::${var.suppression_list.bucket}"]
  }

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
        values   = ["s3.${split(":", statement.value)[3]}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "read_suppression_list" {
  count = var.suppression_list == null ? 0 : 1

  name   = "read-suppression-list"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.read_suppression_list[0].json
}

# The job loads the profiles itself: it has the rows in memory, can run longer than Lambda's 15 minutes, and needs no
# other role that reads the export. It doesn't write items that were sent to Personalize. Their columns go to the queue.
data "aws_iam_policy_document" "load_profiles" {
  count = var.profiles == null ? 0 : 1

  statement {
    sid       = "LoadTheProfileTable"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem"]
    resources = [var.profiles.table_arn]
  }

  statement {
    sid       = "SendProfilesToTheQueue"
    actions   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
    resources = [var.profiles.queue_arn]
  }

  dynamic "statement" {
    for_each = compact([var.profiles.kms_key_arn])

    content {
      sid       = "UseTheKeyOfTableAndQueue"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in ["dynamodb", "sqs"] : "${service}.${local.region}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "load_profiles" {
  count = var.profiles == null ? 0 : 1

  name   = "load-profiles"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.load_profiles[0].json
}

data "aws_iam_policy_document" "write_output" {
  statement {
    sid = "ListTheBucketOfTheOutput"
    # No s3:prefix condition: S3 reports a missing key only to callers that can list the bucket, as Hadoop needs.
    # Before it uploads, the job ends uploads that a killed run left.
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.buckets.output]
  }

  statement {
    sid = "ReplaceTheOutput"
    # Hadoop moves objects by copying and deleting, and uploads in parts.
    actions = [
      "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
    ]
    resources = concat(
      ["${local.buckets.output}/${var.output.prefix}*"],
      [for folder in local.output_folders : "${local.buckets.output}/${folder}_$folder$"],
    )
  }

  statement {
    sid       = "LookForTheFoldersOfTheOutput"
    actions   = ["s3:GetObject"]
    resources = [for folder in local.output_folders : "${local.buckets.output}/${folder}"]
  }

  dynamic "statement" {
    for_each = local.output_keys

    content {
      sid       = "EncryptTheOutput"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${split(":", statement.value)[3]}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "write_output" {
  name   = "write-output"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.write_output.json
}

data "aws_iam_policy_document" "keep_stage" {
  count = var.stage == null ? 0 : 1

  statement {
    sid       = "ListTheStage"
    actions   = ["s3:ListBucket"]
    resources = ["arn:${local.partition}:s3:::${var.stage.bucket}"]
  }

  statement {
    sid = "KeepWhatDaysGive"
    # Large files are uploaded in parts, and leftovers of killed runs are deleted.
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["arn:${local.partition}:s3:::${var.stage.bucket}/${var.stage.prefix}*"]
  }

  dynamic "statement" {
    for_each = compact([var.stage.kms_key_arn])

    content {
      sid       = "EncryptTheStage"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${split(":", statement.value)[3]}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "keep_stage" {
  count = var.stage == null ? 0 : 1

  name   = "keep-stage"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.keep_stage[0].json
}

data "aws_iam_policy_document" "read_code" {
  statement {
    sid     = "ReadScriptAndPackage"
    actions = ["s3:GetObject"]
    resources = concat(
      ["${local.buckets.artifacts}/${local.script.key}", "${local.buckets.package}/${local.package.key}"],
      [for key in local.wheels.keys : "${local.buckets.wheels}/${key}"],
    )
  }

  # Only for a mapping too large for an argument: this one object, whose name contains the digest.
  dynamic "statement" {
    for_each = local.mapping_in_s3 == null ? [] : [local.mapping_in_s3]

    content {
      sid       = "ReadTheEventMapping"
      actions   = ["s3:GetObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value.bucket}/${statement.value.key}"]
    }
  }

  dynamic "statement" {
    for_each = local.code_keys

    content {
      sid       = "DecryptScriptAndPackage${statement.key == 0 ? "" : statement.key}"
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

resource "aws_iam_role_policy" "read_code" {
  name   = "read-code"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.read_code.json
}

data "aws_iam_policy_document" "write_job_logs" {
  statement {
    sid = "WriteTheLogsOfTheJob"
    # CreateLogGroup too: Glue creates missing groups before it writes to them.
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = flatten([for arn in local.log_group_arns : [arn, "${arn}:log-stream:*"]])
  }

  dynamic "statement" {
    for_each = var.kms_key == null ? [] : [local.log_group_arns]

    content {
      sid       = "EncryptTheLogsOfTheJob"
      actions   = ["logs:AssociateKmsKey"]
      resources = statement.value
    }
  }
}

resource "aws_iam_role_policy" "write_job_logs" {
  name   = "write-job-logs"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.write_job_logs.json
}

data "aws_iam_policy_document" "metrics" {
  statement {
    sid     = "PublishMetricsOfTheJob"
    actions = ["cloudwatch:PutMetricData"]
    # PutMetricData has no resource-level permissions. The namespace is its only bound.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }
}

resource "aws_iam_role_policy" "metrics" {
  name   = "metrics"
  role   = aws_iam_role.history.name
  policy = data.aws_iam_policy_document.metrics.json
}

data "aws_iam_policy_document" "key" {
  statement {
    sid = "CloudWatchEncryptsTheLogsOfTheJob"
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
      identifiers = ["logs.${local.region}.${local.dns_suffix}"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = local.log_group_arns
    }
  }
}
