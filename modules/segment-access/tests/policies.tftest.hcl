# The real provider, without network access: policies and plans are real.
provider "aws" {
  region                      = "us-west-2"
  access_key                  = "x"
  secret_key                  = "x"
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
  name          = "shop"
  function_arns = ["arn:aws:lambda:us-west-2:123456789012:function:shop-event:live"]
  external_ids  = ["4aJ2kQ9x"]
}

run "without_options" {
  command = plan

  # Is assumed by segment with the external id only.
  assert {
    condition = jsondecode(aws_iam_role.segment.assume_role_policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "LetSegmentAssumeTheRoleForThisWorkspaceOnly"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access" }
        Condition = { StringEquals = { "sts:ExternalId" = "4aJ2kQ9x" } }
      },
    ]))
    error_message = "Segment, for this workspace."
  }

  # Has no role for logs unless asked.
  assert {
    condition = (
      length(aws_iam_role.segment_logs) == 0 &&
      length(aws_iam_role_policy.write_segment_logs) == 0 &&
      output.logs_role == null
    )
    error_message = "A role for logs exists."
  }
}

run "accepts_several_external_ids" {
  command = plan

  variables {
    external_ids = ["4aJ2kQ9x", "7bK3"]
  }

  assert {
    condition = sort(
      jsondecode(aws_iam_role.segment.assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"]
    ) == tolist(["4aJ2kQ9x", "7bK3"])
    error_message = "Either of them."
  }
}

run "invokes_these_functions_only" {
  command = plan

  variables {
    function_arns = [
      "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live",
      "arn:aws:lambda:eu-west-1:123456789012:function:shop-event:live",
    ]
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.invoke.policy).Statement == jsondecode(jsonencode([
      {
        Sid    = "InvokeTheseFunctionsOnly"
        Effect = "Allow"
        Action = "lambda:InvokeFunction"
        Resource = [
          "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live",
          "arn:aws:lambda:eu-west-1:123456789012:function:shop-event:live",
        ]
      }
    ]))
    error_message = "Both, with their alias."
  }
}

run "with_a_prefix_for_logs" {
  command = plan

  variables {
    logs = { bucket = "shop-logs", prefix = "raw/segment-logs/" }
  }

  # Lets the s3 destination write below the prefix only.
  assert {
    condition = jsondecode(aws_iam_role.segment_logs[0].assume_role_policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "LetSegmentsS3DestinationAssumeTheRoleForThisWorkspaceOnly"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:aws:iam::595280932656:role/segment-s3-integration-production-access" }
        Condition = { StringEquals = { "sts:ExternalId" = "4aJ2kQ9x" } }
      },
    ]))
    error_message = "Segment, for this workspace."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.write_segment_logs[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "WriteSegmentLogs"
        Effect   = "Allow"
        Action   = ["s3:PutObjectAcl", "s3:PutObject"]
        Resource = "arn:aws:s3:::shop-logs/raw/segment-logs/*"
      }
    ]))
    error_message = "Below the prefix; nothing is read."
  }

  # All names are known at plan.
  assert {
    condition = (
      output.role == {
        name = "shop-us-west-2-segment"
        arn  = "arn:aws:iam::123456789012:role/shop-us-west-2-segment"
      } &&
      output.logs_role == {
        name = "shop-us-west-2-segment-logs"
        arn  = "arn:aws:iam::123456789012:role/shop-us-west-2-segment-logs"
      }
    )
    error_message = "Both roles are known at plan."
  }
}

run "encrypts_logs_with_the_key_where_it_is" {
  command = plan

  variables {
    logs = {
      bucket      = "shop-logs"
      prefix      = "segment-logs/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/logs"
    }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.write_segment_logs[0].policy).Statement[1] == jsondecode(
      jsonencode({
        Sid       = "EncryptSegmentLogs"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/logs"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      })
    )
    error_message = "This key, for S3."
  }
}

run "has_the_boundary_and_the_tags" {
  command = plan

  variables {
    logs                     = { bucket = "shop-logs", prefix = "raw/segment-logs/" }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    tags                     = { team = "shop" }
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.segment, aws_iam_role.segment_logs[0]] :
      role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && role.tags["team"] == "shop"
    ])
    error_message = "Both roles."
  }
}

run "the_role_has_the_name_and_path_that_are_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
    iam_path    = "/ours/"
  }

  assert {
    condition = (
      aws_iam_role.segment.name == "eu-segment" &&
      aws_iam_role.segment.path == "/ours/" &&
      output.role.arn == "arn:aws:iam::123456789012:role/ours/eu-segment"
    )
    error_message = "It is ${aws_iam_role.segment.path}${aws_iam_role.segment.name}."
  }
}
