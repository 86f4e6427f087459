output "function" {
  description = "The function: `{ name, arn, alias_arn }`. `alias_arn` is what Segment invokes: arn:aws:lambda:REGION:ACCOUNT:function:NAME:live."
  value = {
    name      = local.function_name
    arn       = local.function_arn
    alias_arn = "${local.function_arn}:${local.alias}"
  }
  depends_on = [aws_lambda_alias.live]
}

output "role" {
  description = "The execution role: `{ name, arn }`."
  value = {
    name = local.role_name
    arn  = local.role_arn
  }
  depends_on = [aws_iam_role.event]
}

output "log_group" {
  description = "Name of the function's log group: /aws/lambda/NAME."
  value       = local.log_group
}

output "secret" {
  description = "Where the write key stands, as the function's setting has it: secretsmanager:NAME or secretsmanager:NAME#KEY; null without one. Never the key itself."
  value       = local.write_key
}
