# Which stacks write to an existing bucket, and where: an empty object for each, whose key says it. Stacks of other root
# modules, regions and accounts find it there when they plan, if the bucket's policy lets them list it.

locals {
  stacks = "personalize-segment-stacks/"
  # What no prefix, name or region has, and S3 takes in keys.
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
  #checkov:skip=CKV_AWS_186:The bucket's own encryption holds; the object is empty.
  count = local.made ? 0 : 1

  bucket  = local.name
  key     = "${local.stacks}${join(local.comma, [local.myself], [for name in local.written : local.prefixes[name]])}"
  content = ""

  # S3 takes ten tags of an object, and a caller may have more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition = length(local.met) == 0
      error_message = join(" ", [
        "The stack ${join("; ", local.met)} (name, account, region) writes to folders of the bucket ${local.name}",
        "to which this stack would write, too. Write another `name`, or other `prefixes`. If that stack is gone, or",
        "this one had its name, delete its object below ${local.stacks} in the bucket.",
      ])
    }
  }
}
