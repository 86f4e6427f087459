# A bucket and a key that were there before: the bucket gets its policy here, the key's stays yours.

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
  description = "ARN of the key that the bucket encrypts with."
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

# Merged by you, since a key's policy is replaced as a whole: other statements of it would be lost here.
output "kms_key_statements" {
  description = "Key policy whose statements belong into that of the key, before the first import."
  value       = module.personalize.merge.kms_key_policy
}

output "personalize" {
  description = "The spec for `personalize-segment apply`."
  value       = module.personalize.personalize
}
