# An existing bucket and an existing KMS key. This example sets the bucket policy. You edit the key policy.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

variable "bucket" {
  description = "Name of a bucket that has no policy yet."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket."
  type        = string
}

module "personalize" {
  source = "../.."

  name                 = "lake-shop"
  segment_external_ids = ["9sQx2TbZ4k", "the-source-id-of-2019"]
  write_key_secret     = { name = "segment/write-keys", json_key = "personalize" }

  bucket = {
    existing    = { name = var.bucket }
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = var.bucket
  policy = module.personalize.merge.bucket_policy
}

# Merge these statements yourself: Terraform would replace the whole key policy and lose its other statements.
output "kms_key_statements" {
  description = "Statements to add to the key policy before the first import."
  value       = module.personalize.merge.kms_key_policy
}

output "personalize" {
  description = "Spec for `personalize-segment apply`."
  value       = module.personalize.personalize
}
