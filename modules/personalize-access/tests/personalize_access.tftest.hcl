# The real provider, without network access: these are the real policies.

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name           = "shop"
  bucket         = { name = "shop-data" }
  read_prefixes  = ["transformed/"]
  write_prefixes = ["reports/", "batch/"]
}

run "without_options" {
  command = plan

  # Only personalize of this account and region assumes the role.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.personalize.assume_role_policy).Statement) == jsonencode([
      {
        Sid       = "PersonalizeOfThisAccountAssumesTheRole"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "personalize.amazonaws.com" }
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
    ])
    error_message = "Another principal can assume the role."
  }

  # The role is named after the stack.
  assert {
    condition = (
      output.role.name == "shop-eu-west-1-personalize" &&
      aws_iam_role.personalize.name == "shop-eu-west-1-personalize"
    )
    error_message = "The name is ${output.role.name}"
  }

  assert {
    condition     = output.role.arn == "arn:aws:iam::123456789012:role/shop-eu-west-1-personalize"
    error_message = "The ARN is ${output.role.arn}"
  }

  assert {
    condition     = aws_iam_role.personalize.permissions_boundary == null
    error_message = "The role has a permissions boundary."
  }

  # The role reads one prefix and nothing else.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucket"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid      = "ReadTheInput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed/*"
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # The role writes the given prefixes and nothing else.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write[0].policy).Statement) == jsonencode([
      {
        Sid      = "WriteTheResults"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = ["arn:aws:s3:::shop-data/reports/*", "arn:aws:s3:::shop-data/batch/*"]
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # The role publishes metrics in the namespace of personalize.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.publish_metrics.policy).Statement) == jsonencode([
      {
        Sid       = "PublishMetricsOfAttributions"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "AWS/Personalize" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # Without a key there is nothing to merge into its policy.
  assert {
    condition     = output.kms_key_policy_json == null
    error_message = "A key policy exists."
  }
}

run "the_role_may_have_a_boundary_and_tags" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    tags                     = { team = "shop" }
  }

  assert {
    condition     = aws_iam_role.personalize.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary is missing."
  }

  assert {
    condition     = aws_iam_role.personalize.tags["team"] == "shop"
    error_message = "The tags are missing."
  }
}

run "the_role_reads_all_given_prefixes" {
  command = plan

  variables {
    read_prefixes = ["batch/", "deletions/"]
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucket"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid      = "ReadTheInput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = ["arn:aws:s3:::shop-data/deletions/*", "arn:aws:s3:::shop-data/batch/*"]
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "a_role_that_writes_nothing_has_no_policy_for_it" {
  command = plan

  variables {
    write_prefixes = []
  }

  assert {
    condition     = length(aws_iam_role_policy.write) == 0
    error_message = "It writes."
  }
}

run "with_a_key_role_and_service_may_use_exactly_that" {
  command = plan

  variables {
    bucket = { name = "shop-data", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k" }
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucket"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid      = "ReadTheInput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed/*"
      },
      {
        Sid      = "UseTheKeyOfTheBucket"
        Effect   = "Allow"
        Action   = ["kms:ListGrants", "kms:GenerateDataKey", "kms:DescribeKey", "kms:Decrypt"]
        Resource = "arn:aws:kms:eu-west-1:123456789012:key/k"
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition = jsonencode(jsondecode(output.kms_key_policy_json).Statement) == jsonencode([
      {
        Sid       = "TheRoleOfPersonalizeUsesTheKeyShop"
        Effect    = "Allow"
        Action    = ["kms:ListGrants", "kms:GenerateDataKey", "kms:DescribeKey", "kms:Decrypt", "kms:CreateGrant"]
        Principal = { AWS = "arn:aws:iam::123456789012:role/shop-eu-west-1-personalize" }
        Resource  = "*"
      },
      {
        Sid       = "PersonalizeUsesTheKeyShop"
        Effect    = "Allow"
        Action    = ["kms:ListGrants", "kms:GenerateDataKey", "kms:DescribeKey", "kms:Decrypt", "kms:CreateGrant"]
        Principal = { Service = "personalize.amazonaws.com" }
        Resource  = "*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:personalize:eu-west-1:123456789012:*" }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "the_longest_name_and_a_boundary_of_aws_are_accepted" {
  command = plan

  variables {
    name                     = "abcdefghij-klmnopqrs"
    permissions_boundary_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  }

  assert {
    condition     = length(output.role.name) <= 64
    error_message = "The name of the role is too long."
  }
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name of 21 characters is refused
    name = "abcdefghij-klmnopqrst"

    # a boundary without an arn is refused
    permissions_boundary_arn = "boundary"

    # a bucket with a scheme is refused
    bucket = { name = "s3://shop-data" }

    # a role that reads nothing is refused
    read_prefixes = []

    # a star to write is refused
    write_prefixes = ["*/"]
  }

  expect_failures = [
    var.name,
    var.permissions_boundary_arn,
    var.bucket,
    var.read_prefixes,
    var.write_prefixes,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that ends with a hyphen is refused
    name = "shop-"

    # an alias of a key is refused
    bucket = { name = "shop-data", kms_key_arn = "alias/data" }

    # a prefix to read without a slash at its end is refused
    read_prefixes = ["transformed/", "batch"]
  }

  expect_failures = [
    var.name,
    var.bucket,
    var.read_prefixes,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name in upper case is refused
    name = "Shop"

    # a whole bucket to read is refused
    read_prefixes = [""]
  }

  expect_failures = [
    var.name,
    var.read_prefixes,
  ]
}

run "the_role_has_the_name_and_path_that_are_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
    iam_path    = "/ours/"
  }

  assert {
    condition = (
      aws_iam_role.personalize.name == "eu-personalize" &&
      aws_iam_role.personalize.path == "/ours/" &&
      output.role.arn == "arn:aws:iam::123456789012:role/ours/eu-personalize"
    )
    error_message = "It is ${aws_iam_role.personalize.path}${aws_iam_role.personalize.name}."
  }
}
