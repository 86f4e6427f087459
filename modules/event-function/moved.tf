# Addresses from before the module function existed, kept for one major version.
moved {
  from = aws_cloudwatch_log_group.event
  to   = module.function.aws_cloudwatch_log_group.this
}

moved {
  from = aws_lambda_function.event
  to   = module.function.aws_lambda_function.this
}

moved {
  from = aws_lambda_alias.live
  to   = module.function.aws_lambda_alias.live
}

moved {
  from = aws_iam_role.event
  to   = module.function.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.write_logs
  to   = module.function.aws_iam_role_policy.write_logs
}

moved {
  from = aws_iam_role_policy.read_parameters
  to   = module.function.aws_iam_role_policy.read_parameters
}

moved {
  from = aws_iam_role_policy.read_suppression_list
  to   = module.function.aws_iam_role_policy.read_suppression_list
}

moved {
  from = aws_iam_role_policy.keep_rejected
  to   = module.function.aws_iam_role_policy.keep_rejected
}

moved {
  from = aws_iam_role_policy.trace
  to   = module.function.aws_iam_role_policy.trace
}

moved {
  from = aws_iam_role_policy.read_mapping
  to   = module.function.aws_iam_role_policy.read_mapping
}
