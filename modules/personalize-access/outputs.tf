output "role" {
  description = "Name and ARN of the role, available once its policies are attached."
  value = {
    name = local.role_name
    arn  = local.role_arn
  }

  depends_on = [
    aws_iam_role.personalize,
    aws_iam_role_policy.publish_metrics,
    aws_iam_role_policy.read,
    aws_iam_role_policy.write,
  ]
}

output "kms_key_policy_json" {
  description = "JSON of the statements to merge into the key policy of the bucket's KMS key (null: no key)."
  value       = var.bucket.kms_key_arn == null ? null : data.aws_iam_policy_document.key.json

  # KMS rejects a policy that names a role that doesn't exist.
  depends_on = [aws_iam_role.personalize]
}
