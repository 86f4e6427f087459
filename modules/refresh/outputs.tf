output "state_machine" {
  description = "Name and ARN of the state machine."
  value       = { name = local.machine_name, arn = local.machine_arn }
  depends_on  = [aws_sfn_state_machine.refresh]
}

output "definition" {
  description = "Definition of the state machine in Amazon States Language, as JSON."
  value       = local.definition
}

output "schedule" {
  description = "Name of the schedule, which is also the name of its group."
  value       = aws_scheduler_schedule.refresh.name
}

output "role" {
  description = "Name and ARN of the state machine's role."
  value       = { name = aws_iam_role.refresh.name, arn = aws_iam_role.refresh.arn }
}

output "log_group" {
  description = "Name of the log group of the executions."
  value       = aws_cloudwatch_log_group.refresh.name
}

output "kms_key_policy_json" {
  description = "JSON of the statements to merge into the key policy of kms_key_arn (null: no key)."
  value       = var.kms_key_arn == null ? null : data.aws_iam_policy_document.kms_key.json
}
