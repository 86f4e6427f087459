output "function" {
  description = "The function: `{ name, arn, alias_arn }`. Segment invokes `alias_arn`."
  value       = module.function.function
}

output "role" {
  description = "The execution role: `{ name, arn }`."
  value       = module.function.role
}

output "log_group" {
  description = "Name of the function's log group: /aws/lambda/NAME."
  value       = module.function.log_group
}

output "secret" {
  description = "Reference to the write key, secretsmanager:NAME or secretsmanager:NAME#KEY, or null without one."
  value       = local.write_key
}
