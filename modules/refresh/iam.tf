data "aws_iam_policy_document" "refresh_trust" {
  statement {
    sid     = "LetThisStateMachineAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.machine_arn]
    }
  }
}

resource "aws_iam_role" "refresh" {
  name                 = local.role_name
  path                 = var.iam_path
  description          = "Step Functions: refreshes the datasets of ${var.dataset_group}."
  assume_role_policy   = data.aws_iam_policy_document.refresh_trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "refresh_glue" {
  count = var.export.glue_job == null ? 0 : 1

  statement {
    sid       = "RunTheGlueJobAndWaitForIt"
    actions   = ["glue:BatchStopJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
    resources = ["arn:${local.partition}:glue:${local.region}:${local.account}:job/${local.placeholders.glue_job}"]
  }
}

resource "aws_iam_role_policy" "refresh_glue" {
  count = var.export.glue_job == null ? 0 : 1

  name   = "run-the-glue-job"
  role   = aws_iam_role.refresh.name
  policy = data.aws_iam_policy_document.refresh_glue[0].json
}

locals {
  redshift_arn = "arn:${local.partition}:redshift:${local.region}:${local.account}"
  cluster      = try(local.redshift.cluster_identifier, null)
  # A workgroup's ARN ends in an id, not in its name.
  warehouse_arn = (
    local.cluster == null ? try(local.redshift.workgroup_arn, null) : "${local.redshift_arn}:cluster:${local.cluster}"
  )
}

data "aws_iam_policy_document" "refresh_redshift" {
  count = var.export.redshift == null ? 0 : 1

  statement {
    sid       = "RunStatementsInTheWarehouse"
    actions   = ["redshift-data:BatchExecuteStatement"]
    resources = [local.warehouse_arn]
  }

  statement {
    sid     = "LookAtItsOwnStatements"
    actions = ["redshift-data:DescribeStatement"]
    # The action has no resource-level permissions. The condition limits the role to its own statements.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "redshift-data:statement-owner-iam-userid"
      values   = ["$${aws:userid}"]
    }
  }

  dynamic "statement" {
    for_each = try(local.redshift.secret_arn, null) == null ? [] : [local.redshift.secret_arn]

    content {
      sid       = "ReadTheLoginOfTheWarehouse"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = compact([try(local.redshift.secret_kms_key_arn, null)])

    content {
      sid       = "DecryptTheLoginOfTheWarehouse"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }

  dynamic "statement" {
    for_each = try(local.redshift.db_user, null) == null ? [] : [local.redshift.db_user]

    content {
      sid     = "LogInToTheClusterForAWhile"
      actions = ["redshift:GetClusterCredentials"]
      resources = [
        "${local.redshift_arn}:dbname:${local.cluster}/${local.redshift.database}",
        "${local.redshift_arn}:dbuser:${local.cluster}/${statement.value}",
      ]
    }
  }

  dynamic "statement" {
    for_each = local.cluster == null && try(local.redshift.secret_arn, null) == null ? [local.warehouse_arn] : []

    content {
      sid       = "LogInToTheWorkgroupForAWhile"
      actions   = ["redshift-serverless:GetCredentials"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "refresh_redshift" {
  count = var.export.redshift == null ? 0 : 1

  name   = "run-statements-in-redshift"
  role   = aws_iam_role.refresh.name
  policy = data.aws_iam_policy_document.refresh_redshift[0].json
}

data "aws_iam_policy_document" "refresh_import" {
  statement {
    sid     = "ImportIntoTheDatasets"
    actions = ["personalize:CreateDatasetImportJob"]
    resources = concat(
      values(local.dataset_arns),
      [for dataset in keys(var.imports) : "${local.job_arn_prefix}${var.name}-${dataset}-*"]
    )
  }

  statement {
    sid       = "WaitForItsImports"
    actions   = ["personalize:DescribeDatasetImportJob"]
    resources = [for dataset in keys(var.imports) : "${local.job_arn_prefix}${var.name}-${dataset}-*"]
  }

  statement {
    sid       = "LetPersonalizeReadWithItsRole"
    actions   = ["iam:PassRole"]
    resources = [var.role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["personalize.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "refresh_import" {
  name   = "import-into-personalize"
  role   = aws_iam_role.refresh.name
  policy = data.aws_iam_policy_document.refresh_import.json
}

data "aws_iam_policy_document" "refresh_logs" {
  #checkov:skip=CKV_AWS_111:Log delivery actions have no resource-level permissions.
  #checkov:skip=CKV_AWS_356:Log delivery actions have no resource-level permissions.
  statement {
    sid = "DeliverItsLogs"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    # Log delivery has no resource-level permissions. Step Functions needs exactly these actions.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "refresh_logs" {
  name   = "deliver-logs"
  role   = aws_iam_role.refresh.name
  policy = data.aws_iam_policy_document.refresh_logs.json
}

data "aws_iam_policy_document" "refresh_tracing" {
  count = var.tracing ? 1 : 0

  statement {
    sid     = "SendTraces"
    actions = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # X-Ray has no resource-level permissions for traces.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "refresh_tracing" {
  count = var.tracing ? 1 : 0

  name   = "send-traces"
  role   = aws_iam_role.refresh.name
  policy = data.aws_iam_policy_document.refresh_tracing[0].json
}

data "aws_iam_policy_document" "refresh_schedule_trust" {
  statement {
    sid     = "LetThisScheduleGroupAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    # EventBridge Scheduler sends the ARN of the group, not of the schedule.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.group_arn]
    }
  }
}

resource "aws_iam_role" "refresh_schedule" {
  name                 = "${local.role_name}-schedule"
  path                 = var.iam_path
  description          = "EventBridge Scheduler: starts the refresh of ${var.dataset_group}."
  assume_role_policy   = data.aws_iam_policy_document.refresh_schedule_trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

data "aws_iam_policy_document" "refresh_schedule_start" {
  statement {
    sid       = "StartTheRefresh"
    actions   = ["states:StartExecution"]
    resources = [local.machine_arn]
  }
}

resource "aws_iam_role_policy" "refresh_schedule_start" {
  name   = "start-the-refresh"
  role   = aws_iam_role.refresh_schedule.name
  policy = data.aws_iam_policy_document.refresh_schedule_start.json
}

data "aws_iam_policy_document" "kms_key" {
  statement {
    sid = "LetCloudWatchLogsEncryptTheRefreshLogs"
    actions = [
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ]
    resources = [coalesce(var.kms_key_arn, "arn:${local.partition}:kms:${local.region}:${local.account}:key/none")]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = [local.log_group_arn]
    }
  }
}
