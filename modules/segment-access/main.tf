data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account         = data.aws_caller_identity.current.account_id
  role_arn_prefix = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role${var.iam_path}"

  name_prefix    = coalesce(var.name_prefix, "${var.name}-${data.aws_region.current.id}")
  role_name      = "${local.name_prefix}-segment"
  logs_role_name = "${local.name_prefix}-segment-logs"
}
