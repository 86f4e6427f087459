data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  role_name  = "${coalesce(var.name_prefix, "${var.name}-${local.region}")}-personalize"
  role_arn   = "arn:${local.partition}:iam::${local.account}:role${var.iam_path}${local.role_name}"
  bucket_arn = "arn:${local.partition}:s3:::${var.bucket.name}"

  # Part of statement ids, since policies of several stacks are merged: "shop-eu" is ShopEu.
  stack = join(
    "",
    [for part in split("-", var.name) : title(part)],
    can(regex("-[^a-z]", var.name)) ? [substr(sha256(var.name), 0, 8)] : [],
  )

  # Dynamic blocks take these, since the ARN of a key in the same apply is unknown at plan, and count refuses that.
  keys = compact([var.bucket.kms_key_arn])
}
