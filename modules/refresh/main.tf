data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  machine_name   = "${var.name}-refresh"
  role_name      = "${coalesce(var.name_prefix, "${var.name}-${local.region}")}-refresh"
  machine_arn    = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.machine_name}"
  scheduler_arn  = "arn:${local.partition}:scheduler:${local.region}:${local.account}"
  group_arn      = "${local.scheduler_arn}:schedule-group/${local.machine_name}"
  log_group      = "/aws/vendedlogs/states/${local.machine_name}"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
  personalize    = "arn:${local.partition}:personalize:${local.region}:${local.account}"
  job_arn_prefix = "${local.personalize}:dataset-import-job/"
  dataset_arns = {
    for dataset in keys(var.imports) :
    dataset => "${local.personalize}:dataset/${var.dataset_group}/${upper(dataset)}"
  }
}

resource "aws_sfn_state_machine" "refresh" {
  #checkov:skip=CKV_AWS_284:Tracing is optional (var.tracing). The execution history already times every step.
  name       = local.machine_name
  role_arn   = aws_iam_role.refresh.arn
  definition = local.definition
  tags       = var.tags

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.refresh.arn}:*"
    include_execution_data = true
    level                  = "ALL"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  # Step Functions checks the role's log delivery permissions when it creates the state machine.
  depends_on = [aws_iam_role_policy.refresh_logs, aws_iam_role_policy.refresh_tracing]
}

resource "aws_cloudwatch_log_group" "refresh" {
  #checkov:skip=CKV_AWS_338:Retention is an input (var.log_retention_days).
  #checkov:skip=CKV_AWS_158:The logs hold names and statuses. A KMS key is optional (var.kms_key_arn).
  # With this prefix, the resource policy of CloudWatch Logs, whose size is limited, doesn't grow with every stack.
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# A separate group, because Scheduler's trust policy and metrics name groups, not schedules.
resource "aws_scheduler_schedule_group" "refresh" {
  name = local.machine_name
  tags = var.tags
}

resource "aws_scheduler_schedule" "refresh" {
  #checkov:skip=CKV_AWS_297:The schedule's input is an empty object, with nothing to encrypt.
  name                         = local.machine_name
  group_name                   = aws_scheduler_schedule_group.refresh.name
  description                  = "Refreshes the datasets of ${var.dataset_group}."
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.refresh.arn
    role_arn = aws_iam_role.refresh_schedule.arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.refresh_schedule_start]
}

resource "aws_cloudwatch_metric_alarm" "not_started" {
  alarm_name = "${local.machine_name}-not-started"
  alarm_description = join(" ", [
    "EventBridge Scheduler gave up starting a refresh of ${var.dataset_group}. Training continues with the data of the",
    "previous refresh. What to do: ${var.operations_url}#the-refresh-was-not-started.",
  ])
  namespace           = "AWS/Scheduler"
  metric_name         = "InvocationDroppedCount"
  dimensions          = { ScheduleGroup = local.machine_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  # The metric has data only if an invocation was dropped.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns
  tags               = var.tags
}
