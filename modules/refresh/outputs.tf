output "state_machine" {
  description = "The state machine: an object of name and arn."
  value       = { name = local.machine_name, arn = local.machine_arn }
  depends_on  = [aws_sfn_state_machine.refresh]
}

output "definition" {
  description = "The state machine's definition in Amazon States Language: JSON text."
  value       = local.definition
}

output "schedule" {
  description = "The schedule: its name, which is also that of its group."
  value       = aws_scheduler_schedule.refresh.name
}

output "role" {
  description = "The role of the state machine: an object of name and arn."
  value       = { name = aws_iam_role.refresh.name, arn = aws_iam_role.refresh.arn }
}

output "log_group" {
  description = "The log group of the executions: its name."
  value       = aws_cloudwatch_log_group.refresh.name
}

output "kms_key_policy_json" {
  description = "JSON of the statements to merge into the policy of kms_key_arn (null: no key)."
  value       = var.kms_key_arn == null ? null : data.aws_iam_policy_document.kms_key.json
}
