output "bucket" {
  description = "Object with the bucket's name and ARN; it is there, versioned, encrypted and closed to the public before anybody gets it."
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
  ]
}

output "prefixes" {
  description = "Object with the prefixes logs, transformed, reports, batch, deletions and artifacts, each ending with /."
  value       = local.prefixes

  precondition {
    condition = alltrue(flatten([
      for key, prefix in local.prefixes : [for other, longer in local.prefixes : key == other || !startswith(longer, prefix)]
    ]))
    error_message = "A prefix is inside another one, and Personalize reads every file of a folder. Write prefixes that are folders of their own."
  }
}

output "policy_json" {
  description = "Bucket policy as JSON: attached to a made bucket, and to be merged into the policy of an existing one."
  value       = data.aws_iam_policy_document.bucket.json
}
