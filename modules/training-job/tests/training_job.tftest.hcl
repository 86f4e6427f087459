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
  name          = "shop"
  package       = { path = "tests/package.zip" }
  wheels        = { path = "tests/wheels" }
  script_path   = "tests/script.py"
  artifacts     = { bucket = "shop-data", prefix = "artifacts/" }
  logs          = { bucket = "shop-logs", prefix = "segment-logs/" }
  output        = { bucket = "shop-data", prefix = "transformed/" }
  event_mapping = { text = "{}", sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" }
}

run "without_options" {
  command = plan

  # The job is named after the stack and runs on glue 5.
  assert {
    condition = (
      output.job.name == "shop-history" &&
      output.job.arn == "arn:aws:glue:eu-west-1:123456789012:job/shop-history"
    )
    error_message = "The job is ${output.job.arn}"
  }

  assert {
    condition = (
      output.role.name == "shop-eu-west-1-history" &&
      output.role.arn == "arn:aws:iam::123456789012:role/shop-eu-west-1-history"
    )
    error_message = "The role is ${output.role.arn}"
  }

  assert {
    condition     = aws_glue_job.history.glue_version == "5.0" && aws_glue_job.history.execution_class == "STANDARD"
    error_message = "It is another version or class."
  }

  assert {
    condition = one(
      aws_glue_job.history.command
    ).script_location == "s3://shop-data/artifacts/shop-history/segment_to_personalize.py"
    error_message = "It is another script."
  }

  assert {
    condition     = one(aws_glue_job.history.execution_property).max_concurrent_runs == 1
    error_message = "Runs would replace each other's output."
  }

  # The arguments are those of the script and of glue 5.
  assert {
    condition = jsonencode(output.arguments) == jsonencode({
      "--S3_JSON_INPUT_PATH"              = "s3://shop-logs/segment-logs/"
      "--S3_CSV_OUTPUT_PATH"              = "s3://shop-data/transformed/"
      "--event_mapping"                   = "{}"
      "--overlap"                         = "1"
      "--driver_events"                   = "200000000"
      "--custom-logGroup-prefix"          = "/aws-glue/jobs/shop-history"
      "--enable-auto-scaling"             = "true"
      "--enable-metrics"                  = "true"
      "--enable-observability-metrics"    = "true"
      "--extra-py-files"                  = "s3://shop-data/artifacts/shop-history/personalize-segment.zip"
      "--job-language"                    = "python"
      "--additional-python-modules"       = "s3://shop-data/artifacts/shop-history/wheels/duckdb-2-py3-none-any.whl"
      "--python-modules-installer-option" = "--no-index --no-deps"
    })
    error_message = "Unexpected arguments."
  }

  assert {
    condition     = jsonencode(aws_glue_job.history.default_arguments) == jsonencode(output.arguments)
    error_message = "The job has others."
  }

  # The job is small stops after two hours and is not repeated.
  assert {
    condition     = aws_glue_job.history.worker_type == "G.1X" && aws_glue_job.history.number_of_workers == 2
    error_message = "Unexpected workers."
  }

  assert {
    condition     = aws_glue_job.history.timeout == 120 && aws_glue_job.history.max_retries == 0
    error_message = "Another timeout or number of retries."
  }

  # Script and package are uploaded by their content.
  assert {
    condition = (
      aws_s3_object.script.source_hash == filesha256("tests/script.py") &&
      aws_s3_object.script.key == "artifacts/shop-history/segment_to_personalize.py"
    )
    error_message = "It is another script."
  }

  assert {
    condition = (
      aws_s3_object.package[0].source_hash == filesha256("tests/package.zip") &&
      aws_s3_object.package[0].key == "artifacts/shop-history/personalize-segment.zip"
    )
    error_message = "It is another package."
  }

  # Only glue assumes the role, without conditions that AWS doesn't document.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.history.assume_role_policy).Statement) == jsonencode([
      {
        Sid       = "GlueAssumesTheRoleForThisJob"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "glue.amazonaws.com" }
      },
    ])
    error_message = "Another principal can assume the role."
  }

  assert {
    condition     = aws_iam_role.history.permissions_boundary == null
    error_message = "The role has a permissions boundary."
  }

  # The job reads the logs and nothing else of their bucket.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_logs.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheLogs"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-logs"
      },
      {
        Sid    = "ReadTheLogs"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:aws:s3:::shop-logs/segment-logs_$folder$",
          "arn:aws:s3:::shop-logs/segment-logs/*",
          "arn:aws:s3:::shop-logs/segment-logs",
        ]
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # The job writes the output and nothing else of its bucket.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_output.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheOutput"
        Effect   = "Allow"
        Action   = ["s3:ListBucketMultipartUploads", "s3:ListBucket"]
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid    = "ReplaceTheOutput"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:ListMultipartUploadParts",
          "s3:GetObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = ["arn:aws:s3:::shop-data/transformed_$folder$", "arn:aws:s3:::shop-data/transformed/*"]
      },
      {
        Sid      = "LookForTheFoldersOfTheOutput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed"
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # The job reads its own code and no other.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_code.policy).Statement) == jsonencode([
      {
        Sid    = "ReadScriptAndPackage"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:aws:s3:::shop-data/artifacts/shop-history/wheels/duckdb-2-py3-none-any.whl",
          "arn:aws:s3:::shop-data/artifacts/shop-history/segment_to_personalize.py",
          "arn:aws:s3:::shop-data/artifacts/shop-history/personalize-segment.zip",
        ]
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # The job writes its own logs which are kept for 30 days.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_job_logs.policy).Statement) == jsonencode([
      {
        Sid    = "WriteTheLogsOfTheJob"
        Effect = "Allow"
        Action = ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"]
        Resource = [
          "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-history/output:log-stream:*",
          "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-history/output",
          "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-history/error:log-stream:*",
          "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-history/error",
        ]
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition = (
      output.log_group == "/aws-glue/jobs/shop-history/output" &&
      jsonencode(output.log_groups) == jsonencode({
        error  = "/aws-glue/jobs/shop-history/error"
        output = "/aws-glue/jobs/shop-history/output"
      })
    )
    error_message = "Unexpected log groups."
  }

  assert {
    condition = alltrue([
      for group in aws_cloudwatch_log_group.job :
      group.retention_in_days == 30 && group.kms_key_id == null
    ])
    error_message = "Another retention."
  }

  # The job publishes metrics in the namespace of glue.
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.metrics.policy).Statement) == jsonencode([
      {
        Sid       = "PublishMetricsOfTheJob"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "Glue" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  # Without a key, no security configuration exists.
  assert {
    condition = (
      length(aws_glue_security_configuration.job) == 0 &&
      aws_glue_job.history.security_configuration == null
    )
    error_message = "A security configuration exists."
  }

  assert {
    condition     = output.kms_key_policy_json == null
    error_message = "A key policy exists."
  }

  # Without a suppression list none is read.
  assert {
    condition = (
      length(aws_iam_role_policy.read_suppression_list) == 0 &&
      length(aws_iam_role_policy.load_profiles) == 0 &&
      !contains(keys(output.arguments), "--suppression_list")
    )
    error_message = "A suppression list is read."
  }
}

run "a_window_becomes_arguments" {
  command = plan

  variables {
    window  = { since = "2026-01-31", until = "2026-02-01", overlap_days = 2 }
    workers = { autoscaling = false, driver_events = 0 }
  }

  assert {
    condition = jsonencode(output.arguments) == jsonencode({
      "--S3_JSON_INPUT_PATH"              = "s3://shop-logs/segment-logs/"
      "--S3_CSV_OUTPUT_PATH"              = "s3://shop-data/transformed/"
      "--event_mapping"                   = "{}"
      "--overlap"                         = "2"
      "--driver_events"                   = "0"
      "--custom-logGroup-prefix"          = "/aws-glue/jobs/shop-history"
      "--enable-auto-scaling"             = "false"
      "--enable-metrics"                  = "true"
      "--enable-observability-metrics"    = "true"
      "--extra-py-files"                  = "s3://shop-data/artifacts/shop-history/personalize-segment.zip"
      "--job-language"                    = "python"
      "--additional-python-modules"       = "s3://shop-data/artifacts/shop-history/wheels/duckdb-2-py3-none-any.whl"
      "--python-modules-installer-option" = "--no-index --no-deps"
      "--since"                           = "2026-01-31"
      "--until"                           = "2026-02-01"
    })
    error_message = "Unexpected arguments."
  }
}

run "a_window_may_be_open" {
  command = plan

  variables {
    window = { since = "2026-01-31" }
  }

  assert {
    condition     = output.arguments["--since"] == "2026-01-31" && !contains(keys(output.arguments), "--until")
    error_message = "It is closed."
  }
}

run "workers_time_out_retries_and_tags_can_be_given" {
  command = plan

  variables {
    workers                  = { type = "G.8X", number = 299 }
    timeout_minutes          = 10080
    max_retries              = 10
    tags                     = { team = "shop" }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = aws_glue_job.history.worker_type == "G.8X" && aws_glue_job.history.number_of_workers == 299
    error_message = "Unexpected workers."
  }

  assert {
    condition     = aws_glue_job.history.timeout == 10080 && aws_glue_job.history.max_retries == 10
    error_message = "Another timeout or number of retries."
  }

  assert {
    condition = (
      aws_glue_job.history.tags["team"] == "shop" &&
      aws_iam_role.history.tags["team"] == "shop" &&
      aws_cloudwatch_log_group.job["output"].tags["team"] == "shop"
    )
    error_message = "Tags are missing."
  }

  assert {
    condition     = aws_iam_role.history.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary is missing."
  }
}

run "another_glue_has_its_own_wheels" {
  command = plan

  variables {
    glue_version = "6.0"
    wheels       = { s3 = { bucket = "releases", keys = ["1.0/a-1-py3-none-any.whl", "1.0/b-2-py3-none-any.whl"] } }
  }

  assert {
    condition = (
      aws_glue_job.history.glue_version == "6.0" &&
      length(aws_s3_object.wheel) == 0 &&
      output.arguments["--additional-python-modules"] == join(",", [
        "s3://releases/1.0/a-1-py3-none-any.whl", "s3://releases/1.0/b-2-py3-none-any.whl",
      ])
    )
    error_message = "It is another version, or has other wheels: ${output.arguments["--additional-python-modules"]}"
  }

  assert {
    condition = tolist(slice(jsondecode(aws_iam_role_policy.read_code.policy).Statement[0].Resource, 2, 4)) == tolist([
      "arn:aws:s3:::releases/1.0/b-2-py3-none-any.whl", "arn:aws:s3:::releases/1.0/a-1-py3-none-any.whl",
    ])
    error_message = "The role can't read them."
  }
}

run "a_folder_without_wheels_is_refused" {
  command = plan

  variables {
    wheels = { path = "tests/inputs" }
  }

  expect_failures = [aws_glue_job.history]
}

run "a_glue_that_was_not_tried_is_refused" {
  command = plan

  variables {
    glue_version = "4.0"
  }

  expect_failures = [var.glue_version]
}

run "a_package_in_s3_is_used_where_it_lies" {
  command = plan

  variables {
    package = { s3 = { bucket = "releases", key = "1.0/personalize-segment.zip" } }
  }

  assert {
    condition = (
      length(aws_s3_object.package) == 0 &&
      output.arguments["--extra-py-files"] == "s3://releases/1.0/personalize-segment.zip"
    )
    error_message = "It is uploaded."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_code.policy).Statement) == jsonencode([
      {
        Sid    = "ReadScriptAndPackage"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:aws:s3:::shop-data/artifacts/shop-history/wheels/duckdb-2-py3-none-any.whl",
          "arn:aws:s3:::shop-data/artifacts/shop-history/segment_to_personalize.py",
          "arn:aws:s3:::releases/1.0/personalize-segment.zip",
        ]
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "without_a_path_the_script_is_that_of_this_repository" {
  command = plan

  variables {
    script_path = null
  }

  assert {
    condition     = endswith(aws_s3_object.script.source, "../../glue/segment_to_personalize.py")
    error_message = "It is ${aws_s3_object.script.source}"
  }
}

run "a_missing_package_is_refused" {
  command = plan

  variables {
    package = { path = "tests/nowhere.zip" }
  }

  expect_failures = [aws_s3_object.package]
}

run "a_missing_script_is_refused" {
  command = plan

  variables {
    script_path = "tests/nowhere.py"
  }

  expect_failures = [aws_s3_object.script]
}

run "a_deeper_output_has_the_markers_of_all_its_folders" {
  command = plan

  variables {
    output = { bucket = "shop-data", prefix = "a/b/" }
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_output.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheOutput"
        Effect   = "Allow"
        Action   = ["s3:ListBucketMultipartUploads", "s3:ListBucket"]
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid    = "ReplaceTheOutput"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:ListMultipartUploadParts",
          "s3:GetObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::shop-data/a_$folder$",
          "arn:aws:s3:::shop-data/a/b_$folder$",
          "arn:aws:s3:::shop-data/a/b/*",
        ]
      },
      {
        Sid      = "LookForTheFoldersOfTheOutput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = ["arn:aws:s3:::shop-data/a/b", "arn:aws:s3:::shop-data/a"]
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "how_long_logs_are_kept_can_be_said" {
  command = plan

  variables {
    log_retention_days = 365
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.job : group.retention_in_days == 365])
    error_message = "Another retention."
  }
}

run "with_source_conditions_the_trust_names_account_and_job" {
  command = plan

  variables {
    source_conditions = true
  }

  assert {
    condition = jsondecode(aws_iam_role.history.assume_role_policy).Statement[0].Condition == jsondecode(jsonencode({
      StringEquals = { "aws:SourceAccount" = "123456789012" }
      ArnLike      = { "aws:SourceArn" = "arn:aws:glue:eu-west-1:123456789012:job/shop-history" }
    }))
    error_message = "Unexpected conditions."
  }
}

run "a_package_in_a_bucket_with_its_own_key_is_decrypted_in_the_key_s_region" {
  command = plan

  variables {
    package = {
      s3 = { bucket = "builds", key = "shop.zip", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/builds" }
    }
    logs = { bucket = "logs", prefix = "segment-logs/", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/logs" }
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.read_code.policy).Statement :
      [one.Resource, one.Condition] if startswith(one.Sid, "Decrypt")
      ] == jsondecode(jsonencode([
        [
          "arn:aws:kms:us-east-1:123456789012:key/builds",
          { StringEquals = { "kms:ViaService" = "s3.us-east-1.amazonaws.com" } },
        ],
    ]))
    error_message = "The package stays encrypted."
  }

  assert {
    condition = one([
      for one in jsondecode(aws_iam_role_policy.read_logs.policy).Statement :
      one.Condition if one.Sid == "DecryptTheLogs"
    ]).StringEquals["kms:ViaService"] == "s3.us-east-1.amazonaws.com"
    error_message = "The logs in another region stay encrypted."
  }
}

run "a_key_encrypts_the_logs_and_no_data" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/own" }
  }

  assert {
    condition = (
      aws_glue_job.history.security_configuration == "shop-history" &&
      aws_glue_security_configuration.job[0].name == "shop-history"
    )
    error_message = "The job has none."
  }

  assert {
    condition = (
      one(
        one(aws_glue_security_configuration.job[0].encryption_configuration).cloudwatch_encryption
      ).cloudwatch_encryption_mode == "SSE-KMS" &&
      one(
        one(aws_glue_security_configuration.job[0].encryption_configuration).cloudwatch_encryption
      ).kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/own"
    )
    error_message = "The logs are not encrypted."
  }

  assert {
    condition = (
      one(
        one(aws_glue_security_configuration.job[0].encryption_configuration).s3_encryption
      ).s3_encryption_mode == "DISABLED" &&
      one(one(aws_glue_security_configuration.job[0].encryption_configuration).s3_encryption).kms_key_arn == null
    )
    error_message = "Personalize can't read data under the key of the logs."
  }

  assert {
    condition = alltrue([
      for group in aws_cloudwatch_log_group.job :
      group.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/own"
    ])
    error_message = "The groups are not encrypted."
  }

  assert {
    condition = (
      output.log_group == "/aws-glue/jobs/shop-history/shop-history-role/shop-eu-west-1-history/output" &&
      output.arguments["--custom-logGroup-prefix"] == "/aws-glue/jobs/shop-history"
    )
    error_message = "Glue writes to other groups."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_job_logs.policy).Statement) == jsonencode([
      {
        Sid    = "WriteTheLogsOfTheJob"
        Effect = "Allow"
        Action = ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"]
        Resource = [
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.output}:log-stream:*",
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.output}",
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.error}:log-stream:*",
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.error}",
        ]
      },
      {
        Sid    = "EncryptTheLogsOfTheJob"
        Effect = "Allow"
        Action = "logs:AssociateKmsKey"
        Resource = [
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.output}",
          "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.error}",
        ]
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_output.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheOutput"
        Effect   = "Allow"
        Action   = ["s3:ListBucketMultipartUploads", "s3:ListBucket"]
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid    = "ReplaceTheOutput"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:ListMultipartUploadParts",
          "s3:GetObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = ["arn:aws:s3:::shop-data/transformed_$folder$", "arn:aws:s3:::shop-data/transformed/*"]
      },
      {
        Sid      = "LookForTheFoldersOfTheOutput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed"
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "keys_of_buckets_are_used_through_s3_only" {
  command = plan

  variables {
    artifacts = {
      bucket      = "shop-data"
      prefix      = "artifacts/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/artifacts"
    }
    logs = {
      bucket      = "shop-logs"
      prefix      = "segment-logs/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/logs"
    }
    output = {
      bucket      = "shop-data"
      prefix      = "transformed/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/output"
    }
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_logs.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheLogs"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-logs"
      },
      {
        Sid    = "ReadTheLogs"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:aws:s3:::shop-logs/segment-logs_$folder$",
          "arn:aws:s3:::shop-logs/segment-logs/*",
          "arn:aws:s3:::shop-logs/segment-logs",
        ]
      },
      {
        Sid       = "DecryptTheLogs"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/logs"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_output.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheOutput"
        Effect   = "Allow"
        Action   = ["s3:ListBucketMultipartUploads", "s3:ListBucket"]
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid    = "ReplaceTheOutput"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:ListMultipartUploadParts",
          "s3:GetObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = ["arn:aws:s3:::shop-data/transformed_$folder$", "arn:aws:s3:::shop-data/transformed/*"]
      },
      {
        Sid      = "LookForTheFoldersOfTheOutput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed"
      },
      {
        Sid       = "EncryptTheOutput"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/output"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_code.policy).Statement) == jsonencode([
      {
        Sid    = "ReadScriptAndPackage"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "arn:aws:s3:::shop-data/artifacts/shop-history/wheels/duckdb-2-py3-none-any.whl",
          "arn:aws:s3:::shop-data/artifacts/shop-history/segment_to_personalize.py",
          "arn:aws:s3:::shop-data/artifacts/shop-history/personalize-segment.zip",
        ]
      },
      {
        Sid       = "DecryptScriptAndPackage"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/artifacts"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }

  assert {
    condition     = length(aws_glue_security_configuration.job) == 0
    error_message = "The buckets' own encryption holds."
  }
}

run "cloudwatch_may_use_the_key_for_the_logs_of_the_job" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/own" }
  }

  assert {
    condition = jsonencode(jsondecode(output.kms_key_policy_json).Statement) == jsonencode([
      {
        Sid    = "CloudWatchEncryptsTheLogsOfTheJob"
        Effect = "Allow"
        Action = [
          "kms:ReEncryptTo",
          "kms:ReEncryptFrom",
          "kms:GenerateDataKey",
          "kms:Encrypt",
          "kms:DescribeKey",
          "kms:Decrypt",
        ]
        Resource  = "*"
        Principal = { Service = "logs.eu-west-1.amazonaws.com" }
        Condition = {
          ArnEquals = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.error}",
              "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_groups.output}",
            ]
          }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "a_stage_is_an_argument_and_may_be_kept" {
  command = plan

  variables {
    stage = {
      bucket      = "shop-data"
      prefix      = "stage/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k"
    }
  }

  assert {
    condition     = output.arguments["--stage"] == "s3://shop-data/stage/"
    error_message = "The job keeps days in ${output.arguments["--stage"]}"
  }

  assert {
    condition = jsonencode([
      for one in jsondecode(aws_iam_role_policy.keep_stage[0].policy).Statement : [one.Sid, one.Resource]
      ]) == jsonencode([
      ["ListTheStage", "arn:aws:s3:::shop-data"],
      ["KeepWhatDaysGive", "arn:aws:s3:::shop-data/stage/*"],
      ["EncryptTheStage", "arn:aws:kms:eu-west-1:123456789012:key/k"],
    ])
    error_message = aws_iam_role_policy.keep_stage[0].policy
  }
}

run "the_suppression_list_is_an_argument_and_may_be_read" {
  command = plan

  variables {
    suppression_list = { bucket = "shop-privacy", key = "lists/suppressed.csv" }
  }

  assert {
    condition     = output.arguments["--suppression_list"] == "s3://shop-privacy/lists/suppressed.csv"
    error_message = "The setting is an argument."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_suppression_list[0].policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheSuppressionList"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-privacy"
      },
      {
        Sid      = "ReadTheSuppressionList"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-privacy/lists/suppressed.csv"
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "the_key_of_the_suppression_list_is_used_through_s3_only" {
  command = plan

  variables {
    suppression_list = {
      bucket      = "shop-privacy"
      key         = "lists/suppressed.csv"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/privacy"
    }
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.read_suppression_list[0].policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheSuppressionList"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::shop-privacy"
      },
      {
        Sid      = "ReadTheSuppressionList"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-privacy/lists/suppressed.csv"
      },
      {
        Sid       = "DecryptTheSuppressionList"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/privacy"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "profiles_are_loaded_into_one_table_and_one_queue" {
  command = plan

  variables {
    profiles = {
      table_arn   = "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-profiles"
      queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:shop-profiles"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/data"
    }
  }

  assert {
    condition = (
      output.arguments["--profile_table"] == var.profiles.table_arn &&
      output.arguments["--profile_queue"] == var.profiles.queue_arn
    )
    error_message = "The settings are arguments."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.load_profiles[0].policy).Statement) == jsonencode([
      {
        Sid      = "LoadTheProfileTable"
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:BatchGetItem"]
        Resource = "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-profiles"
      },
      {
        Sid      = "SendProfilesToTheQueue"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
        Resource = "arn:aws:sqs:eu-west-1:123456789012:shop-profiles"
      },
      {
        Sid      = "UseTheKeyOfTableAndQueue"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = "arn:aws:kms:eu-west-1:123456789012:key/data"
        Condition = {
          StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"] }
        }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "the_output_keeps_the_key_of_its_bucket" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/own" }
    output = {
      bucket      = "shop-data"
      prefix      = "transformed/"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/output"
    }
  }

  assert {
    condition = (
      one(
        one(aws_glue_security_configuration.job[0].encryption_configuration).s3_encryption
      ).kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/output" &&
      one(
        one(aws_glue_security_configuration.job[0].encryption_configuration).cloudwatch_encryption
      ).kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/own"
    )
    error_message = "Unexpected keys."
  }

  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.write_output.policy).Statement) == jsonencode([
      {
        Sid      = "ListTheBucketOfTheOutput"
        Effect   = "Allow"
        Action   = ["s3:ListBucketMultipartUploads", "s3:ListBucket"]
        Resource = "arn:aws:s3:::shop-data"
      },
      {
        Sid    = "ReplaceTheOutput"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:ListMultipartUploadParts",
          "s3:GetObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = ["arn:aws:s3:::shop-data/transformed_$folder$", "arn:aws:s3:::shop-data/transformed/*"]
      },
      {
        Sid      = "LookForTheFoldersOfTheOutput"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop-data/transformed"
      },
      {
        Sid       = "EncryptTheOutput"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/output"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ])
    error_message = "Unexpected policy statements."
  }
}

run "a_mapping_of_131070_bytes_is_accepted" {
  command = plan

  variables {
    event_mapping = {
      text   = join("", [for n in range(1018) : n < 1016 ? format("%129s", "x") : "xxx"])
      sha256 = sha256(join("", [for n in range(1018) : n < 1016 ? format("%129s", "x") : "xxx"]))
    }
  }

  assert {
    condition     = output.arguments["--event_mapping"] == var.event_mapping.text
    error_message = "It is another text."
  }
}

run "a_mapping_of_131073_bytes_is_refused" {
  command = plan

  variables {
    event_mapping = {
      text   = join("", [for n in range(1019) : n < 1016 ? format("%129s", "x") : "xxx"])
      sha256 = sha256(join("", [for n in range(1019) : n < 1016 ? format("%129s", "x") : "xxx"]))
    }
  }

  expect_failures = [aws_glue_job.history]
}

run "a_mapping_is_measured_in_bytes_and_not_in_characters" {
  command = plan

  variables {
    event_mapping = {
      text   = join("", [for n in range(1016) : replace(format("%129s", "x"), " ", "ü")])
      sha256 = sha256(join("", [for n in range(1016) : replace(format("%129s", "x"), " ", "ü")]))
    }
  }

  expect_failures = [aws_glue_job.history]
}

run "a_negative_overlap_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    window = { overlap_days = -1 }
  }

  expect_failures = [var.window]
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

    # a package from two places is refused
    package = { path = "tests/package.zip", s3 = { bucket = "releases", key = "p.zip" } }

    # a bucket of artifacts with a scheme is refused
    artifacts = { bucket = "s3://shop-data", prefix = "artifacts/" }

    # a bucket of logs with a prefix is refused
    logs = { bucket = "shop-logs/segment-logs", prefix = "segment-logs/" }

    # a bucket of output in upper case is refused
    output = { bucket = "Shop", prefix = "transformed/" }

    # a digest of another text is refused
    event_mapping = { text = "{}", sha256 = "0" }

    # a worker type for streams is refused
    workers = { type = "G.025X" }

    # a time out of 0 minutes is refused
    timeout_minutes = 0

    # an eleventh retry is refused
    max_retries = 11


    # a window that begins on no day is refused
    window = { since = "2026-02-30" }

    # an alias of a key is refused
    kms_key = { arn = "alias/data" }

    # a stage in a uri is refused
    stage = { bucket = "s3://shop-data", prefix = "stage/" }
    # a suppression list in a uri is refused
    suppression_list = { bucket = "s3://shop-privacy", key = "suppressed.csv" }

    # a table without its account is refused
    profiles = { table_arn = "shop-profiles", queue_arn = "arn:aws:sqs:eu-west-1:123456789012:shop-profiles" }

    # a retention that cloudwatch does not have is refused
    log_retention_days = 31
  }

  expect_failures = [
    var.name,
    var.permissions_boundary_arn,
    var.package,
    var.artifacts,
    var.logs,
    var.output,
    var.event_mapping,
    var.workers,
    var.timeout_minutes,
    var.max_retries,
    var.window,
    var.kms_key,
    var.stage,
    var.suppression_list,
    var.profiles,
    var.log_retention_days,
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

    # a package in s3 that isn't a zip is refused
    package = { s3 = { bucket = "releases", key = "package" } }

    # a prefix of artifacts without a slash at its end is refused
    artifacts = { bucket = "shop-data", prefix = "artifacts" }

    # a whole bucket of logs is refused
    logs = { bucket = "shop-logs", prefix = "" }

    # a star in the prefix of the output is refused
    output = { bucket = "shop-data", prefix = "*/" }

    # a driver without a worker is refused
    workers = { number = 1 }

    # a time out of more than a week is refused
    timeout_minutes = 10081

    # a negative number of retries is refused
    max_retries = -1

    # a window that ends at a time is refused
    window = { until = "2026-02-01T00:00:00Z" }

    # a stage whose prefix isn't a folder is refused
    stage = { bucket = "shop-data", prefix = "stage" }
    # a suppression list that is a folder is refused
    suppression_list = { bucket = "shop-privacy", key = "lists/" }

    # the url of a queue is refused
    profiles = {
      table_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-profiles"
      queue_arn = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-profiles"
    }
  }

  expect_failures = [
    var.name,
    var.package,
    var.artifacts,
    var.logs,
    var.output,
    var.workers,
    var.timeout_minutes,
    var.max_retries,
    var.window,
    var.stage,
    var.suppression_list,
    var.profiles,
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

    # a worker and a half is refused
    workers = { number = 2.5 }

    # a window of no day is refused
    window = { since = "2026-02-01", until = "2026-02-01" }
  }

  expect_failures = [
    var.name,
    var.workers,
    var.window,
  ]
}

run "half_an_event_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    workers = { driver_events = 0.5 }
  }

  expect_failures = [var.workers]
}

run "a_larger_worker_folds_more" {
  command = plan

  variables {
    workers = { type = "G.4X" }
  }

  assert {
    condition     = output.arguments["--driver_events"] == "1100000000"
    error_message = "Unexpected limit."
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
      aws_iam_role.history.name == "eu-history" &&
      aws_iam_role.history.path == "/ours/" &&
      output.role.arn == "arn:aws:iam::123456789012:role/ours/eu-history"
    )
    error_message = "It is ${aws_iam_role.history.path}${aws_iam_role.history.name}."
  }
}
