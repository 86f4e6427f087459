data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  role_arn_prefix = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role"

  role_name      = "${var.name}-segment"
  logs_role_name = "${var.name}-segment-logs"
}
