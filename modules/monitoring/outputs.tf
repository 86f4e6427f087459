output "alarms" {
  description = "The alarms: a map of the name without the stack's to the ARN."
  value       = local.alarm_arns
  depends_on  = [aws_cloudwatch_metric_alarm.this]
}

output "dashboard" {
  description = "The dashboard: its name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
