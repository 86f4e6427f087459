data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

# For a bucket created in the same apply, pass the attribute `id`, which is unknown until then. Terraform would look up
# a known name during the plan. The comment below is part of the error.
data "aws_s3_bucket" "existing" { # Not found? Use the name of a bucket that exists, or leave existing_bucket out.
  count = var.existing_bucket == null ? 0 : 1

  bucket = var.existing_bucket.name

  lifecycle {
    postcondition {
      # Not `region`: since 6.0 that is the queried region. The domain name is the bucket's own in both versions.
      condition = strcontains(self.bucket_regional_domain_name, ".s3.${data.aws_region.current.id}.")
      error_message = join(" ", [
        "The bucket ${self.bucket} is at ${self.bucket_regional_domain_name}. Use a bucket in",
        "${data.aws_region.current.id}, where Personalize can read it, or leave existing_bucket out.",
      ])
    }
  }
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  made = var.existing_bucket == null
  # A new bucket has short prefixes. In an existing bucket, each stack has a folder.
  folder = local.made ? "" : "${var.name}/"
  prefixes = {
    for key, usual in {
      logs        = "segment-logs/"
      transformed = "${local.folder}transformed/"
      reports     = "${local.folder}reports/"
      batch       = "${local.folder}batch/"
      deletions   = "${local.folder}deletions/"
      artifacts   = "${local.folder}artifacts/"
      stage       = "${local.folder}stage/"
    } : key => coalesce(var.prefixes[key], usual)
  }

  # Part of statement ids, so that policies of several stacks merge: "shop-eu" becomes ShopEu. The digest tells "shop-1"
  # from "shop1".
  stack = join(
    "",
    [for part in split("-", var.name) : title(part)],
    can(regex("-[^a-z]", var.name)) ? [substr(sha256(var.name), 0, 8)] : [],
  )
  # Doesn't come from aws_s3_bucket, so that policies are known at plan.
  new_name = coalesce(var.bucket_name, "${var.name}-personalize-${local.account}-${local.region}")
  name     = local.made ? local.new_name : data.aws_s3_bucket.existing[0].bucket
  arn      = "arn:${local.partition}:s3:::${local.name}"
}

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:CloudTrail's data events, enabled once for all buckets of an account, record reads.
  #checkov:skip=CKV_AWS_144:Segment can replay its logs, from which everything here can be rebuilt.
  #checkov:skip=CKV_AWS_145:A KMS key costs money and needs grants in three services. An input adds one.
  #checkov:skip=CKV2_AWS_62:Nothing consumes events of this bucket. The refresh runs on a schedule.
  count = local.made ? 1 : 0

  bucket        = local.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "data" {
  count = local.made ? 1 : 0

  bucket                  = aws_s3_bucket.data[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "data" {
  count = local.made ? 1 : 0

  bucket = aws_s3_bucket.data[0].bucket

  rule {
    # Segment's S3 destination sets an ACL that gives this account the object. S3 still accepts that ACL.
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "data" {
  count = local.made ? 1 : 0

  bucket = aws_s3_bucket.data[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  count = local.made ? 1 : 0

  bucket = aws_s3_bucket.data[0].bucket

  rule {
    # One KMS request for many objects.
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  count = local.made ? 1 : 0

  bucket = aws_s3_bucket.data[0].bucket

  rule {
    id     = "everything"
    status = "Enabled"

    filter {}

    expiration {
      # Without this, the delete markers of expired objects would stay.
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.lifecycle_days.noncurrent
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = var.lifecycle_days.uploads
    }
  }

  dynamic "rule" {
    for_each = {
      transformed = var.lifecycle_days.derived
      batch       = var.lifecycle_days.derived
      deletions   = var.lifecycle_days.derived
      # The next run rereads the logs of such a day. Without expiry, days of former event mappings would stay.
      stage = var.lifecycle_days.stage
    }

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = local.prefixes[rule.key]
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.data]
}
