# The real provider, without a network: policies and plans are those of a real plan.
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
  name        = "shop"
  package     = { path = "versions.tf" }
  personalize = { ssm_prefix = "/shop/personalize" }
}

run "without_options" {
  command = plan

  # Queues take nothing over plain http.
  assert {
    condition = jsondecode(aws_sqs_queue.profiles.policy).Statement == jsondecode(jsonencode([
      { Sid = "DenyPlainHttp", Effect = "Deny", Principal = "*", Action = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles", Condition = { Bool = { "aws:SecureTransport" = "false" } } },
    ]))
    error_message = "The queue shop-profiles."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.profiles_dead.policy).Statement == jsondecode(jsonencode([
      { Sid = "DenyPlainHttp", Effect = "Deny", Principal = "*", Action = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles-dead", Condition = { Bool = { "aws:SecureTransport" = "false" } } },
    ]))
    error_message = "The queue shop-profiles-dead."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.rejected.policy).Statement == jsondecode(jsonencode([
      { Sid = "DenyPlainHttp", Effect = "Deny", Principal = "*", Action = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], Resource = "arn:aws:sqs:us-west-2:123456789012:shop-rejected", Condition = { Bool = { "aws:SecureTransport" = "false" } } },
    ]))
    error_message = "The queue shop-rejected."
  }

  # Is assumed by lambda, without conditions that AWS doesn't document.
  assert {
    condition = jsondecode(aws_iam_role.profiles.assume_role_policy).Statement == jsondecode(jsonencode([
      { Sid = "LetLambdaOfThisAccountAssumeTheRole", Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } },
    ]))
    error_message = "Lambda alone."
  }

  # Writes its own log only.
  assert {
    condition = jsondecode(aws_iam_role_policy.write_logs.policy).Statement == jsondecode(jsonencode([
      { Sid = "WriteTheLogOfThisFunction", Effect = "Allow", Action = ["logs:PutLogEvents", "logs:CreateLogStream"], Resource = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-profiles:log-stream:*" }
    ]))
    error_message = "The log of this function."
  }

  # Empties its own queue only.
  assert {
    condition = jsondecode(aws_iam_role_policy.receive_profiles.policy).Statement == jsondecode(jsonencode([
      { Sid = "TakeUsersAndItemsFromTheQueue", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:GetQueueAttributes", "sqs:DeleteMessage"], Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles" }
    ]))
    error_message = "The queue of profiles."
  }

  # Records to the datasets of the stack.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      { Sid = "RecordUsers", Effect = "Allow", Action = "personalize:PutUsers", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS" },
      { Sid = "RecordItems", Effect = "Allow", Action = "personalize:PutItems", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS" }
    ]))
    error_message = "Users to users, items to items."
  }

  # Merges in its own table only.
  assert {
    condition = jsondecode(aws_iam_role_policy.merge_profiles[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadAndWriteItemsOfTheTable", Effect = "Allow", Action = ["dynamodb:PutItem", "dynamodb:BatchGetItem"], Resource = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles" }
    ]))
    error_message = "Two actions on one table."
  }

  # Reads no list that it wasn't given.
  assert {
    condition     = length(aws_iam_role_policy.read_suppression_list) == 0
    error_message = "Nobody was forgotten."
  }

  # Reads the parameters of the datasets.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadWhatWasProvisioned", Effect = "Allow", Action = "ssm:GetParameter", Resource = [for dataset in ["users", "items"] : "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/datasets/${dataset}"] }
    ]))
    error_message = "Both, and nothing else."
  }

  # Keeps rejected users and items.
  assert {
    condition = jsondecode(aws_iam_role_policy.keep_rejected.policy).Statement == jsondecode(jsonencode([
      { Sid = "KeepRejectedUsersAndItems", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-west-2:123456789012:shop-rejected" }
    ]))
    error_message = "This queue."
  }
}

run "with_every_option" {
  command = plan

  variables {
    event_mapping = { text = "{\"version\":1}", sha256 = "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8" }
    personalize = {
      region            = "eu-west-1"
      ssm_prefix        = "/shop/personalize"
      users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
    }
    max_receives              = 8
    retention_days            = { profiles = 2, dead_letters = 10 }
    kms_key_arn               = "arn:aws:kms:us-west-2:123456789012:key/queue"
    suppression_list          = { bucket = "shop", key = "privacy/suppressed.csv", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/list" }
    reference_refresh_seconds = 60
    memory_megabytes          = 1024
    architecture              = "x86_64"
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  # Decrypts what it takes.
  assert {
    condition     = jsondecode(aws_iam_role_policy.receive_profiles.policy).Statement[1] == jsondecode(jsonencode({ Sid = "DecryptUsersAndItems", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }))
    error_message = "This key, for SQS."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.merge_profiles[0].policy).Statement[1] == jsondecode(jsonencode({ Sid = "DecryptTheTable", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "dynamodb.us-west-2.amazonaws.com" } } }))
    error_message = "This key, for DynamoDB."
  }

  # Reads the suppression list.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_suppression_list[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheSuppressionList", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::shop/privacy/suppressed.csv" },
      { Sid = "DecryptTheSuppressionList", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:eu-west-1:123456789012:key/list", Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } } }
    ]))
    error_message = "This one object, and its key."
  }

  # Records to the datasets that are given.
  assert {
    condition     = jsondecode(aws_iam_role_policy.record.policy).Statement[*].Resource == ["arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS", "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/ITEMS"]
    error_message = "The one that is given, and the one of the stack where Personalize is."
  }

  # Reads only the parameters that it refers to.
  assert {
    condition     = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement[0].Resource == "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/datasets/items"
    error_message = "What is given is not read."
  }

  # Encrypts rejected users and items.
  assert {
    condition     = jsondecode(aws_iam_role_policy.keep_rejected.policy).Statement[1] == jsondecode(jsonencode({ Sid = "EncryptRejectedUsersAndItems", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }))
    error_message = "This key, for SQS."
  }

  # Sends traces.
  assert {
    condition = jsondecode(aws_iam_role_policy.trace[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "SendTraces", Effect = "Allow", Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource = "*" }
    ]))
    error_message = "Traces belong to no resource."
  }
}

run "with_source_conditions_the_trust_names_the_account" {
  command = plan

  variables {
    source_conditions = true
  }

  assert {
    condition     = jsondecode(aws_iam_role.profiles.assume_role_policy).Statement[0].Condition == jsondecode(jsonencode({ StringEquals = { "aws:SourceAccount" = "123456789012" } }))
    error_message = "Lambda, for this account."
  }
}

run "the_role_has_the_name_and_path_that_are_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
    iam_path    = "/ours/"
  }

  assert {
    condition     = aws_iam_role.profiles.name == "eu-profiles" && aws_iam_role.profiles.path == "/ours/" && output.role.arn == "arn:aws:iam::123456789012:role/ours/eu-profiles"
    error_message = "It is ${aws_iam_role.profiles.path}${aws_iam_role.profiles.name}."
  }
}
