# Two stacks on one existing bucket. Each has a folder, and one bucket policy has the statements of both.

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

locals {
  stacks = {
    lake-web = { external_id = "9sQx2TbZ4k", logs = "segment-logs/web/" }
    lake-app = { external_id = "3hWv8NcR1p", logs = "segment-logs/app/" }
  }

  # The s3:// URLs that each stack writes to.
  written = flatten([
    for stack in values(module.personalize) : [stack.data.transformed, stack.data.reports, stack.data.batch]
  ])
}

module "personalize" {
  source   = "../.."
  for_each = local.stacks

  name                 = each.key
  segment_external_ids = [each.value.external_id]
  write_key_secret     = { name = "segment/${each.key}" }
  bucket               = { existing = { name = var.bucket } }
  segment_logs         = { prefix = each.value.logs }
}

data "aws_iam_policy_document" "lake" {
  source_policy_documents = [for stack in values(module.personalize) : stack.merge.bucket_policy]
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = var.bucket
  policy = data.aws_iam_policy_document.lake.json

  lifecycle {
    precondition {
      condition = alltrue(flatten([
        for n, folder in local.written : [for m, other in local.written : n == m || !startswith(other, folder)]
      ]))
      error_message = "Two stacks would write to one folder. Use different names or different `bucket.prefixes`."
    }
  }
}

output "web" {
  description = "Outputs of the first stack."
  value       = module.personalize["lake-web"]
}

output "app" {
  description = "Outputs of the second stack."
  value       = module.personalize["lake-app"]
}
