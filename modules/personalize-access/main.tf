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

  # Part of statement ids, so that policies of several stacks merge: "shop-eu" becomes ShopEu.
  stack = join(
    "",
    [for part in split("-", var.name) : title(part)],
    can(regex("-[^a-z]", var.name)) ? [substr(sha256(var.name), 0, 8)] : [],
  )

  # Maps for dynamic blocks: `count` can't depend on the ARN of a key created in the same apply.
  keys = compact([var.bucket.kms_key_arn])
}
