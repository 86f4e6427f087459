output "job" {
  description = "Object with the job's name and ARN."
  value = {
    name = aws_glue_job.history.name
    arn  = local.job_arn
  }
}

output "role" {
  description = "Object with the name and ARN of the role that the job runs with."
  value = {
    name = aws_iam_role.history.name
    arn  = local.role_arn
  }
}

output "arguments" {
  description = "Map of the job's default arguments, whose names begin with --; a run may override them."
  value       = local.arguments
}

output "log_group" {
  description = "Name of the log group that has what the script prints: its report, or its error."
  value       = aws_cloudwatch_log_group.job["output"].name
}

output "log_groups" {
  description = "Object with the names of both log groups: output, what the script prints, and error, what Spark and Glue log."
  value       = { for stream, group in aws_cloudwatch_log_group.job : stream => group.name }
}

output "kms_key_policy_json" {
  description = "Key policy as JSON, to be merged into the policy of kms_key before log groups are made with it. Null without a key."
  value       = var.kms_key == null ? null : data.aws_iam_policy_document.key.json
}
