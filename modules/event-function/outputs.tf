output "function" {
  description = "Name, ARN and alias_arn of the function: enter alias_arn in Segment."
  value       = module.function.function
}

output "role" {
  description = "Name and ARN of the execution role."
  value       = module.function.role
}

output "log_group" {
  description = "Name of the function's log group, /aws/lambda/NAME."
  value       = module.function.log_group
}

output "secret" {
  description = "Reference to the write key, as in the function's settings, never the key itself (null: none)."
  value       = local.write_key
}
