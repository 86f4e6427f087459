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
  name                     = "shop"
  suffix                   = "event"
  description              = "Records events."
  alias_description        = "What Segment invokes."
  handler                  = "segment_event"
  package                  = { path = "versions.tf" }
  event_mapping            = null
  personalize              = { ssm_prefix = "/shop/personalize" }
  datasets                 = ["users", "items"]
  settings                 = { segment_host = null, write_back_shape = "ids" }
  rejected_queue           = null
  suppression_list         = null
  memory_megabytes         = 512
  timeout_seconds          = 5
  architecture             = "arm64"
  log                      = { retention_days = 30 }
  tracing                  = false
  needs                    = []
  permissions_boundary_arn = null
  source_conditions        = false
  name_prefix              = null
  iam_path                 = "/"
  tags                     = {}
}

run "without_options" {
  command = plan

  assert {
    condition = [
      for key in ["function_name", "runtime", "handler", "memory_size", "timeout", "reserved_concurrent_executions"] :
      tostring(aws_lambda_function.this[key])
    ] == ["shop-event", "python3.13", "personalize_segment.live.handler.segment_event", "512", "5", "-1"]
    error_message = "The function has its settings and reserves no concurrency."
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "The architecture is passed on."
  }

  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.live.name == "live"
    error_message = "Callers invoke a version, through an alias."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("versions.tf")
    error_message = "A new package is deployed."
  }

  assert {
    condition = aws_lambda_function.this.logging_config == tolist([{
      log_format            = "JSON"
      application_log_level = "INFO"
      system_log_level      = "INFO"
      log_group             = "/aws/lambda/shop-event"
    }])
    error_message = "Logs are JSON, in the group with a retention, and metrics are not left out."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "Logs are kept for 30 days."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
    error_message = "Nothing is traced."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap(output.settings)
    error_message = "Without queues, the settings are the environment."
  }

  assert {
    condition = output.settings == {
      POWERTOOLS_SERVICE_NAME       = "shop"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_users_dataset_arn = "ssm:/shop/personalize/datasets/users"
      write_back_shape              = "ids"
    }
    error_message = "The settings have references, and no defaults of the function."
  }

  # Lambda alone assumes the role, without conditions that AWS doesn't document.
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "LetLambdaOfThisAccountAssumeTheRole"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "lambda.amazonaws.com" }
      },
    ]))
    error_message = "Lambda alone."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.write_logs.policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "WriteTheLogOfThisFunction"
        Effect   = "Allow"
        Action   = ["logs:PutLogEvents", "logs:CreateLogStream"]
        Resource = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-event:log-stream:*"
      },
    ]))
    error_message = "The log of this function."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid    = "ReadWhatWasProvisioned"
        Effect = "Allow"
        Action = "ssm:GetParameter"
        Resource = [
          for dataset in ["users", "items"] :
          "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/datasets/${dataset}"
        ]
      },
    ]))
    error_message = "Both datasets, and nothing else."
  }

  assert {
    condition = 0 == sum([for policies in [
      aws_iam_role_policy.read_suppression_list,
      aws_iam_role_policy.keep_rejected,
      aws_iam_role_policy.trace,
      aws_iam_role_policy.read_mapping,
    ] : length(policies)])
    error_message = "Permissions are limited to the configured resources."
  }

  # Every name is known at plan.
  assert {
    condition = output.function == {
      name      = "shop-event"
      arn       = "arn:aws:lambda:us-west-2:123456789012:function:shop-event"
      alias_arn = "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live"
    }
    error_message = "The function is known at plan."
  }

  assert {
    condition = output.role == {
      name = "shop-us-west-2-event"
      arn  = "arn:aws:iam::123456789012:role/shop-us-west-2-event"
    }
    error_message = "The role is known at plan."
  }

  assert {
    condition     = output.log_group == "/aws/lambda/shop-event"
    error_message = "The log group is known at plan."
  }

  assert {
    condition = output.dataset_arns == {
      for dataset in ["items", "users"] :
      dataset => "arn:aws:personalize:us-west-2:123456789012:dataset/shop/${upper(dataset)}"
    }
    error_message = "The datasets are those of the stack."
  }
}

run "with_every_option" {
  command = plan

  variables {
    event_mapping = {
      text   = "{\"version\":1}"
      sha256 = "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8"
    }
    personalize = {
      region            = "eu-west-1"
      ssm_prefix        = "/shop/personalize"
      users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
    }
    results  = { personalize_tracking_id = "tracking_id" }
    settings = { personalize_tracking_id = null, keep_unmapped = "true" }
    queues = {
      profile_queue_url = {
        url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
        arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
      }
    }
    rejected_queue = {
      url         = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected"
      arn         = "arn:aws:sqs:us-west-2:123456789012:shop-rejected"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/queue"
    }
    suppression_list = {
      bucket      = "shop"
      key         = "privacy/suppressed.csv"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/list"
    }
    memory_megabytes     = 10240
    architecture         = "x86_64"
    reserved_concurrency = 1
    log = {
      retention_days = 7
      level          = "DEBUG"
      kms_key_arn    = "arn:aws:kms:us-west-2:123456789012:key/logs"
    }
    tracing                  = true
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    source_conditions        = true
    name_prefix              = "eu"
    iam_path                 = "/ours/"
    tags                     = { team = "shop" }
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      POWERTOOLS_LOG_LEVEL          = "DEBUG"
      POWERTOOLS_SERVICE_NAME       = "shop"
      event_mapping                 = "gzip:${base64gzip("{\"version\":1}")}"
      keep_unmapped                 = "true"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_region            = "eu-west-1"
      personalize_tracking_id       = "ssm:/shop/personalize/tracking_id"
      personalize_users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
      profile_queue_url             = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
      rejected_queue_url            = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected"
      suppression_list              = "s3://shop/privacy/suppressed.csv"
    })
    error_message = "Each setting is in the environment."
  }

  assert {
    condition = [
      for key in ["memory_size", "reserved_concurrent_executions"] : aws_lambda_function.this[key]
    ] == [10240, 1]
    error_message = "Memory and reserved concurrency are passed on."
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["x86_64"])
    error_message = "So is the processor."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].application_log_level == "DEBUG"
    error_message = "Lambda leaves out no line that the function writes."
  }

  assert {
    condition = [for key in ["retention_in_days", "kms_key_id"] : tostring(aws_cloudwatch_log_group.this[key])] == [
      "7", "arn:aws:kms:us-west-2:123456789012:key/logs",
    ]
    error_message = "The log group has the retention and the key."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "Calls are traced."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role has the boundary."
  }

  assert {
    condition = alltrue([
      for tags in [aws_lambda_function.this.tags, aws_iam_role.this.tags, aws_cloudwatch_log_group.this.tags] :
      tags["team"] == "shop"
    ])
    error_message = "All of it is tagged."
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition == jsondecode(jsonencode(
      { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    ))
    error_message = "Lambda, for this account."
  }

  assert {
    condition     = output.role == { name = "eu-event", arn = "arn:aws:iam::123456789012:role/ours/eu-event" }
    error_message = "The role has the name and the path."
  }

  assert {
    condition     = [for key in ["name", "path"] : aws_iam_role.this[key]] == ["eu-event", "/ours/"]
    error_message = "They are those of the output."
  }

  assert {
    condition = output.dataset_arns == {
      items = "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/ITEMS"
      users = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
    }
    error_message = "The one that is given, and the one of the stack where Personalize is."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement[0].Resource == [
      for result in ["tracking_id", "datasets/items"] :
      "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/${result}"
    ]
    error_message = "What is given is not read."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_suppression_list[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "ReadTheSuppressionList"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::shop/privacy/suppressed.csv"
      },
      {
        Sid       = "DecryptTheSuppressionList"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/list"
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
      },
    ]))
    error_message = "This one object, and its key."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.keep_rejected[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "KeepWhatIsRejected"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:aws:sqs:us-west-2:123456789012:shop-rejected"
      },
      {
        Sid       = "EncryptWhatIsRejected"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/queue"
        Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } }
      },
    ]))
    error_message = "This queue, this key."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.trace[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "SendTraces"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ]))
    error_message = "Traces belong to no resource."
  }
}

run "without_datasets_and_prefix_no_parameter_is_read" {
  command = plan

  variables {
    personalize = {}
    datasets    = []
  }

  assert {
    condition     = length(aws_iam_role_policy.read_parameters) == 0 && length(output.dataset_arns) == 0
    error_message = "Nothing is read."
  }
}

run "needs_no_key_for_a_queue_that_has_none" {
  command = plan

  variables {
    rejected_queue = { url = "x", arn = "arn:aws:sqs:us-west-2:123456789012:shop-rejected" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.keep_rejected[0].policy).Statement[*].Sid == ["KeepWhatIsRejected"]
    error_message = "SendMessage alone."
  }

  assert {
    condition     = local.sizes.rejected_queue_url == "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected"
    error_message = "A URL is counted before it is known."
  }
}

run "takes_a_package_in_s3" {
  command = plan

  variables {
    package = {
      s3 = {
        bucket        = "artifacts"
        key           = "personalize-segment.zip"
        sha256_base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      }
    }
  }

  assert {
    condition = [for key in ["s3_bucket", "s3_key", "source_code_hash"] : aws_lambda_function.this[key]] == [
      "artifacts", "personalize-segment.zip", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ]
    error_message = "The object is where it was said to be, and a new digest deploys it again."
  }
}

run "refuses_a_package_that_is_not_there" {
  command = plan

  variables {
    package = { path = "dist/none.zip" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "reads_a_mapping_in_s3" {
  command = plan

  variables {
    event_mapping = {
      text   = "{\"version\":1}"
      sha256 = "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8"
      s3     = { bucket = "shop", key = "m.json", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/bucket" }
    }
  }

  assert {
    condition     = output.settings.event_mapping == "s3://shop/m.json#${var.event_mapping.sha256}"
    error_message = "The setting is the object's address and digest."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_mapping[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheEventMapping", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::shop/m.json" },
      {
        Sid       = "DecryptTheEventMapping"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/bucket"
        Condition = { StringEquals = { "kms:ViaService" = "s3.us-west-2.amazonaws.com" } }
      },
    ]))
    error_message = "This one object, and its key."
  }
}

run "takes_a_mapping_that_is_large" {
  command = plan

  variables {
    event_mapping = {
      text   = jsonencode([for i in range(60) : sha256(i)])
      sha256 = sha256(jsonencode([for i in range(60) : sha256(i)]))
    }
  }

  assert {
    condition     = local.environment_bytes > 3000 && local.environment_bytes <= 4096
    error_message = "Four kilobytes fit, compressed."
  }
}

run "refuses_a_mapping_that_is_too_big" {
  command = plan

  variables {
    event_mapping = {
      text   = jsonencode([for i in range(90) : sha256(i)])
      sha256 = sha256(jsonencode([for i in range(90) : sha256(i)]))
    }
  }

  expect_failures = [aws_lambda_function.this]
}

run "counts_bytes_and_not_characters" {
  command = plan

  variables {
    settings = { write_back_events = "üü" }
  }

  assert {
    condition     = local.environment_bytes == length(jsonencode(local.sizes)) + 2
    error_message = "Two characters of two bytes each."
  }
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # 21 characters
    name = "a23456789012345678901"

    suffix  = "Event"
    handler = "other"

    # two packages
    package = { path = "versions.tf", s3 = { bucket = "artifacts", key = "x.zip" } }

    # not JSON
    event_mapping = { text = "{", sha256 = "021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96" }

    personalize          = { region = "Ireland" }
    datasets             = ["interactions"]
    suppression_list     = { bucket = "s3://shop", key = "privacy/suppressed.csv" }
    memory_megabytes     = 127
    architecture         = "arm"
    reserved_concurrency = 0

    # days that CloudWatch doesn't take
    log = { retention_days = 31 }

    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
    name_prefix              = "-"
    iam_path                 = "/ours"
  }

  expect_failures = [
    var.name,
    var.suffix,
    var.handler,
    var.package,
    var.event_mapping,
    var.personalize,
    var.datasets,
    var.suppression_list,
    var.memory_megabytes,
    var.architecture,
    var.reserved_concurrency,
    var.log,
    var.permissions_boundary_arn,
    var.name_prefix,
    var.iam_path,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # capitals
    name = "Shop"

    # none
    package = {}

    # a digest of another mapping
    event_mapping = { text = "{}", sha256 = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945" }

    # no slash in front
    personalize = { ssm_prefix = "shop/personalize" }

    # a folder
    suppression_list     = { bucket = "shop", key = "privacy/" }
    memory_megabytes     = 10241
    reserved_concurrency = 1.5
    log                  = { retention_days = 30, level = "WARN" }
  }

  expect_failures = [
    var.name,
    var.package,
    var.event_mapping,
    var.personalize,
    var.suppression_list,
    var.memory_megabytes,
    var.reserved_concurrency,
    var.log,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a hyphen at the end
    name = "shop-"

    # a slash at the end
    personalize = { ssm_prefix = "/shop/" }

    # half a megabyte
    memory_megabytes = 512.5
  }

  expect_failures = [var.name, var.personalize, var.memory_megabytes]
}

run "refuses_a_prefix_that_parameter_store_refuses" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { ssm_prefix = "/AWShop/personalize" }
  }

  expect_failures = [var.personalize]
}

run "refuses_the_items_dataset_as_users" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS" }
  }

  expect_failures = [var.personalize]
}

run "refuses_the_users_dataset_as_items" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS" }
  }

  expect_failures = [var.personalize]
}
