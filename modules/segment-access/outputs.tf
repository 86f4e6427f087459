output "role" {
  description = "Name and ARN of the role to enter in Segment's Amazon Personalize destination."
  value = {
    name = local.role_name
    arn  = "${local.role_arn_prefix}${local.role_name}"
  }
  depends_on = [aws_iam_role_policy.invoke]
}

output "logs_role" {
  description = "Name and ARN of the role to enter in Segment's AWS S3 destination (null: no `logs`)."
  value = var.logs == null ? null : {
    name = local.logs_role_name
    arn  = "${local.role_arn_prefix}${local.logs_role_name}"
  }
  depends_on = [aws_iam_role_policy.write_segment_logs]
}
