output "bucket" {
  description = "Name and ARN of the bucket, available once it is versioned, encrypted and closed to the public."
  value = {
    name = local.name
    arn  = local.arn
  }

  depends_on = [
    aws_s3_bucket.data,
    aws_s3_bucket_lifecycle_configuration.data,
    aws_s3_bucket_ownership_controls.data,
    aws_s3_bucket_policy.data,
    aws_s3_bucket_public_access_block.data,
    aws_s3_bucket_server_side_encryption_configuration.data,
    aws_s3_bucket_versioning.data,
    aws_s3_object.stack,
  ]
}

output "prefixes" {
  description = "Prefixes logs, transformed, reports, batch, deletions, artifacts and stage, each ending in a slash."
  value       = local.prefixes

  precondition {
    condition = alltrue(flatten([
      for key, prefix in local.prefixes : [
        for other, longer in local.prefixes :
        key == other || !startswith(longer, prefix)
      ]
    ]))
    error_message = "Don't nest prefixes: Personalize reads every file in a folder."
  }
}

output "policy_json" {
  description = "JSON of the bucket policy, to merge into the policy of an existing bucket."
  value       = data.aws_iam_policy_document.bucket.json
}
