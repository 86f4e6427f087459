data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  region     = data.aws_region.current.id
  alarm_arns = { for key in keys(local.alarms) : key => "arn:${data.aws_partition.current.partition}:cloudwatch:${local.region}:${data.aws_caller_identity.current.account_id}:alarm:${var.name}-${key}" }
  rule_name  = "${var.name}-history-failed"
}

# Glue has no metric of failed runs, but says so to EventBridge, which counts what a rule matches. The rule has no
# target: whom to tell is decided by the alarm, in the same way as for all others.
resource "aws_cloudwatch_event_rule" "history_failed" {
  count = var.glue_job_name == null ? 0 : 1

  name        = local.rule_name
  description = "Runs of the Glue job ${var.glue_job_name} that failed, for the alarm of the same name."
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = [var.glue_job_name], state = ["FAILED", "TIMEOUT"] }
  })
}
