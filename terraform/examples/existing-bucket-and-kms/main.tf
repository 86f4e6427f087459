# A bucket and a key that were there before. Their policies stay yours: what Personalize needs is merged into them.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

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

data "aws_iam_policy_document" "key" {
  source_policy_documents = [module.personalize.merge.kms_key_policy]

  statement {
    sid       = "LetThisAccountDecideByItsOwnPolicies"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_kms_key_policy" "data" {
  key_id = split("/", var.kms_key_arn)[1]
  policy = data.aws_iam_policy_document.key.json
}

output "personalize" {
  description = "The spec for `personalize-segment apply`."
  value       = module.personalize.personalize
}
