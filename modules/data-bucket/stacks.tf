# Each stack on an existing bucket has an empty object whose key records the stack and its folders. Stacks in other root
# modules, regions and accounts find it during the plan, if the bucket policy lets them list it.

locals {
  stacks = "personalize-segment-stacks/"
  # A separator that S3 accepts in keys and that no prefix, name or region contains.
  comma   = "!"
  written = ["transformed", "reports", "batch", "deletions", "artifacts", "stage"]

  myself = join(local.comma, [var.name, local.account, local.region])
  there = [
    for key in flatten(data.aws_s3_objects.stacks[*].keys) : split(local.comma, trimprefix(key, local.stacks))
    if length(split(local.comma, key)) > 3 &&
    !startswith(key, "${local.stacks}${local.myself}${local.comma}")
  ]
  others = { for parts in local.there : join(", ", slice(parts, 0, 3)) => slice(parts, 3, length(parts))... }
  met = [
    for other, prefixes in local.others : other if anytrue(flatten([
      for prefix in flatten(prefixes) : [
        for name in local.written :
        startswith(prefix, local.prefixes[name]) || startswith(local.prefixes[name], prefix)
      ]
    ]))
  ]
}

data "aws_s3_objects" "stacks" {
  count = local.made ? 0 : 1

  bucket = data.aws_s3_bucket.existing[0].bucket
  prefix = local.stacks
}

resource "aws_s3_object" "stack" {
  #checkov:skip=CKV_AWS_186:The object is empty, and the bucket encrypts it.
  count = local.made ? 0 : 1

  bucket  = local.name
  key     = "${local.stacks}${join(local.comma, [local.myself], [for name in local.written : local.prefixes[name]])}"
  content = ""

  # S3 objects can have ten tags. The caller's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition = length(local.met) == 0
      error_message = join(" ", [
        "The stack ${join("; ", local.met)} (name, account, region) already writes to the same folders of the bucket",
        "${local.name}. Change `name` or `prefixes`. If that stack is gone, or is this stack under its former name,",
        "delete its object below ${local.stacks} in the bucket.",
      ])
    }
  }
}
