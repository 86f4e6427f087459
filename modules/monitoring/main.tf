data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  rule_name = "${var.name}-history-failed"
  alarm_arns = {
    for key in keys(local.alarms) :
    key => "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-${key}"
  }

  # The functions' default.
  metrics_namespace = "PersonalizeSegment"
}

# Glue has no metric for failed runs, but reports them to EventBridge, which counts the events a rule matches. The rule
# has no target: the alarm notifies, like all others.
resource "aws_cloudwatch_event_rule" "history_failed" {
  count = var.glue_job_name == null ? 0 : 1

  name        = local.rule_name
  description = "Failed runs of the Glue job ${var.glue_job_name}, for the alarm history-failed."
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = [var.glue_job_name], state = ["FAILED", "TIMEOUT"] }
  })
}
