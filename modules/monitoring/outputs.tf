output "alarms" {
  description = "ARNs of the alarms by name, without the stack's name."
  value       = local.alarm_arns
  depends_on  = [aws_cloudwatch_metric_alarm.this]
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
