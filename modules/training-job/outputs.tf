output "job" {
  description = "Name and ARN of the job."
  value = {
    name = aws_glue_job.history.name
    arn  = local.job_arn
  }
}

output "role" {
  description = "Name and ARN of the role that the job runs with."
  value = {
    name = aws_iam_role.history.name
    arn  = local.role_arn
  }
}

output "arguments" {
  description = "Default arguments of the job by name, including the leading --."
  value       = local.arguments
}

output "log_group" {
  description = "Name of the log group with the script's output: its report or its error."
  value       = aws_cloudwatch_log_group.job["output"].name
}

output "log_groups" {
  description = "Names of both log groups: output (of the script) and error (of Spark and Glue)."
  value       = { for stream, group in aws_cloudwatch_log_group.job : stream => group.name }
}

output "kms_key_policy_json" {
  description = "JSON of the statements that the policy of kms_key needs before log groups use the key (null: no key)."
  value       = var.kms_key == null ? null : data.aws_iam_policy_document.key.json
}
