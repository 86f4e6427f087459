output "queue" {
  description = "Name, URL and ARN of the queue of users and items."
  value = {
    name = local.queues.profiles
    url  = aws_sqs_queue.profiles.url
    arn  = local.queue_arns.profiles
  }
}

output "dead_letter_queue" {
  description = "Name, URL and ARN of the dead-letter queue."
  value = {
    name = local.queues.profiles_dead
    url  = aws_sqs_queue.profiles_dead.url
    arn  = local.queue_arns.profiles_dead
  }
}

output "rejected_queue" {
  description = "Name, URL and ARN of the queue of rejected events, users and items."
  value = {
    name = local.queues.rejected
    url  = aws_sqs_queue.rejected.url
    arn  = local.queue_arns.rejected
  }
}

output "table" {
  description = "Name and ARN of the table that merges users and items (null: none)."
  value       = local.table == null ? null : { name = local.table, arn = local.table_arn }
  depends_on  = [aws_dynamodb_table.profiles]
}

output "function" {
  description = "Name, ARN and timeout_seconds of the function that consumes the queue."
  value = {
    name            = module.function.function.name
    arn             = module.function.function.arn
    timeout_seconds = var.timeout_seconds
  }
}

output "role" {
  description = "Name and ARN of the execution role."
  value       = module.function.role
}

output "log_group" {
  description = "Name of the function's log group, /aws/lambda/NAME."
  value       = module.function.log_group
}
