output "queue" {
  description = "The queue of users and items: `{ name, url, arn }`."
  value = {
    name = local.queues.profiles
    url  = aws_sqs_queue.profiles.url
    arn  = local.queue_arns.profiles
  }
}

output "dead_letter_queue" {
  description = "The queue of users and items that failed too often: `{ name, url, arn }`."
  value = {
    name = local.queues.profiles_dead
    url  = aws_sqs_queue.profiles_dead.url
    arn  = local.queue_arns.profiles_dead
  }
}

output "rejected_queue" {
  description = "The queue of events, users and items that were refused: `{ name, url, arn }`."
  value = {
    name = local.queues.rejected
    url  = aws_sqs_queue.rejected.url
    arn  = local.queue_arns.rejected
  }
}

output "table" {
  description = "The table where users and items are merged: `{ name, arn }`, or null."
  value       = local.table == null ? null : { name = local.table, arn = local.table_arn }
  depends_on  = [aws_dynamodb_table.profiles]
}

output "function" {
  description = "The function that empties the queue: `{ name, arn, timeout_seconds }`."
  value = {
    name            = module.function.function.name
    arn             = module.function.function.arn
    timeout_seconds = var.timeout_seconds
  }
}

output "role" {
  description = "The execution role: `{ name, arn }`."
  value       = module.function.role
}

output "log_group" {
  description = "Name of the function's log group: /aws/lambda/NAME."
  value       = module.function.log_group
}
