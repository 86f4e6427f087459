output "function" {
  description = "Name, ARN and alias_arn of the function."
  value = {
    name      = local.name
    arn       = local.arn
    alias_arn = "${local.arn}:${local.alias}"
  }
  depends_on = [aws_lambda_alias.live]
}

output "role" {
  description = "Name and ARN of the execution role."
  value = {
    name = local.role_name
    arn  = local.role_arn
  }
  depends_on = [aws_iam_role.this]
}

output "log_group" {
  description = "Name of the function's log group, /aws/lambda/NAME."
  value       = local.log_group
}

output "dataset_arns" {
  description = "ARNs of the `datasets`, keyed by users and items: those given, or the stack's."
  value       = local.dataset_arns
}

output "settings" {
  description = "The function's environment without its queue URLs."
  value       = local.written
}
