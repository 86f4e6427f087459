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
  name          = "shop"
  package       = { path = "versions.tf" }
  event_mapping = { text = "{\"version\":1}", sha256 = "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8" }
  personalize   = { ssm_prefix = "/shop/personalize" }
}

run "without_options" {
  command = plan

  # Is assumed by lambda, without conditions that AWS doesn't document.
  assert {
    condition = jsondecode(aws_iam_role.event.assume_role_policy).Statement == jsondecode(jsonencode([
      { Sid = "LetLambdaOfThisAccountAssumeTheRole", Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } },
    ]))
    error_message = "Lambda alone."
  }

  # Writes its own log only.
  assert {
    condition = jsondecode(aws_iam_role_policy.write_logs.policy).Statement == jsondecode(jsonencode([
      { Sid = "WriteTheLogOfThisFunction", Effect = "Allow", Action = ["logs:PutLogEvents", "logs:CreateLogStream"], Resource = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-event:log-stream:*" }
    ]))
    error_message = "The log of this function."
  }

  # Records users and items itself without a queue.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      { Sid = "RecordInteractions", Effect = "Allow", Action = "personalize:PutEvents", Resource = "*", Condition = { StringEquals = { "aws:RequestedRegion" = "us-west-2" } } },
      { Sid = "RecordItems", Effect = "Allow", Action = "personalize:PutItems", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS" },
      { Sid = "RecordUsers", Effect = "Allow", Action = "personalize:PutUsers", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS" }
    ]))
    error_message = "Events, and the two datasets of the stack."
  }

  # Reads the parameters of datasets without a queue.
  assert {
    condition     = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement[0].Resource == [for name in ["tracking_id", "datasets/users", "datasets/items"] : "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/${name}"]
    error_message = "Tracker and datasets."
  }
}

run "records_to_the_datasets_that_are_given" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS", items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.record.policy).Statement[*].Resource == ["*", "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS", "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"]
    error_message = "The datasets that are given."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement[0].Resource == "arn:aws:ssm:us-west-2:123456789012:parameter/shop/tracking_id"
    error_message = "What is given is not read."
  }
}

run "with_every_option" {
  command = plan

  variables {
    personalize = {
      region     = "eu-west-1"
      ssm_prefix = "/shop/personalize"
      campaign   = "main"
    }
    recommend = {
      count         = 10
      filter        = "unseen"
      filter_values = { CATEGORY = "properties.category" }
      context       = { DEVICE = "context.device.type" }
    }
    write_back = {
      events           = ["Order Completed"]
      interval_seconds = 3600
      trait            = "for_you"
      shape            = "object"
      segment_host     = "https://events.eu1.segmentapis.com"
    }
    write_key_secret          = { name = "shop/segment", json_key = "write_key", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/secret" }
    profile_queue             = { url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles", arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/queue" }
    rejected_queue            = { url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected", arn = "arn:aws:sqs:us-west-2:123456789012:shop-rejected", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/queue" }
    suppression_list          = { bucket = "shop", key = "privacy/suppressed.csv", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/list" }
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  # Records events only with a queue.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      { Sid = "RecordInteractions", Effect = "Allow", Action = "personalize:PutEvents", Resource = "*", Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" } } }
    ]))
    error_message = "No PutUsers, no PutItems; and where Personalize is."
  }

  # Asks its own campaign and filter only.
  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "AskForRecommendations", Effect = "Allow", Action = "personalize:GetRecommendations", Resource = ["arn:aws:personalize:eu-west-1:123456789012:filter/shop-unseen-????????", "arn:aws:personalize:eu-west-1:123456789012:campaign/shop-main-????????"] }
    ]))
    error_message = "The campaign and the filter, whatever their digest."
  }

  # Reads only the parameters that it refers to.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadWhatWasProvisioned", Effect = "Allow", Action = "ssm:GetParameter", Resource = [
        "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/tracking_id",
        "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/filters/unseen",
        "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/campaigns/main",
      ] }
    ]))
    error_message = "Tracker, filter, campaign; no dataset, since there is a queue."
  }

  # Reads the secret that is given and decrypts it.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_secret[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheWriteKey", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop/segment-??????" },
      { Sid = "DecryptTheWriteKey", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:us-west-2:123456789012:key/secret", Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This secret, this key."
  }

  # Queues users and items.
  assert {
    condition = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "QueueUsersAndItems", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles" },
      { Sid = "EncryptUsersAndItems", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This queue, this key."
  }

  # Reads the suppression list.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_suppression_list[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheSuppressionList", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::shop/privacy/suppressed.csv" },
      { Sid = "DecryptTheSuppressionList", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:eu-west-1:123456789012:key/list", Condition = { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } } }
    ]))
    error_message = "This one object, and its key."
  }

  # Keeps rejected events.
  assert {
    condition = jsondecode(aws_iam_role_policy.keep_rejected[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "KeepRejectedEvents", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-west-2:123456789012:shop-rejected" },
      { Sid = "EncryptRejectedEvents", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This queue, this key."
  }

  # Sends traces.
  assert {
    condition = jsondecode(aws_iam_role_policy.trace[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "SendTraces", Effect = "Allow", Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource = "*" }
    ]))
    error_message = "Traces belong to no resource."
  }
}

run "asks_its_own_recommender_only" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", recommender = "home" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "AskForRecommendations", Effect = "Allow", Action = "personalize:GetRecommendations", Resource = "arn:aws:personalize:us-west-2:123456789012:recommender/shop-home-????????" }
    ]))
    error_message = "The recommender, whatever its digest."
  }
}

run "asks_what_is_given_by_arn_only" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", campaign = "arn:aws:personalize:us-west-2:123456789012:campaign/other" }
    recommend   = { filter = "arn:aws:personalize:us-west-2:123456789012:filter/other" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "AskForRecommendations", Effect = "Allow", Action = "personalize:GetRecommendations", Resource = ["arn:aws:personalize:us-west-2:123456789012:filter/other", "arn:aws:personalize:us-west-2:123456789012:campaign/other"] }
    ]))
    error_message = "Exactly these."
  }
}

run "reads_the_secret_that_is_made" {
  command = plan

  variables {
    new_write_key         = "KEY"
    new_write_key_version = 1
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_secret[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheWriteKey", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop/segment-write-key-??????" }
    ]))
    error_message = "This secret; it has no key of its own."
  }
}

run "needs_no_key_for_queues_that_have_none" {
  command = plan

  variables {
    profile_queue  = { url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles", arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles" }
    rejected_queue = { url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected", arn = "arn:aws:sqs:us-west-2:123456789012:shop-rejected" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement[*].Sid == ["QueueUsersAndItems"] && jsondecode(aws_iam_role_policy.keep_rejected[0].policy).Statement[*].Sid == ["KeepRejectedEvents"]
    error_message = "SendMessage alone."
  }
}

run "with_source_conditions_the_trust_names_the_account" {
  command = plan

  variables {
    source_conditions = true
  }

  assert {
    condition     = jsondecode(aws_iam_role.event.assume_role_policy).Statement[0].Condition == jsondecode(jsonencode({ StringEquals = { "aws:SourceAccount" = "123456789012" } }))
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
    condition     = aws_iam_role.event.name == "eu-event" && aws_iam_role.event.path == "/ours/" && output.role.arn == "arn:aws:iam::123456789012:role/ours/eu-event"
    error_message = "It is ${aws_iam_role.event.path}${aws_iam_role.event.name}."
  }
}
