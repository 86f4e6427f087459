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

run "is_assumed_by_lambda_of_this_account_only" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.event.assume_role_policy).Statement == jsondecode(jsonencode([
      { Sid = "LetLambdaOfThisAccountAssumeTheRole", Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" }, Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } } },
    ]))
    error_message = "Lambda, for this account."
  }
}

run "writes_its_own_log_only" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.write_logs.policy).Statement == jsondecode(jsonencode([
      { Sid = "WriteTheLogOfThisFunction", Effect = "Allow", Action = ["logs:PutLogEvents", "logs:CreateLogStream"], Resource = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-event:log-stream:*" }
    ]))
    error_message = "The log of this function."
  }
}

run "records_users_and_items_itself_without_a_queue" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      { Sid = "RecordInteractions", Effect = "Allow", Action = "personalize:PutEvents", Resource = "*", Condition = { StringEquals = { "aws:RequestedRegion" = "us-west-2" } } },
      { Sid = "RecordItems", Effect = "Allow", Action = "personalize:PutItems", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS" },
      { Sid = "RecordUsers", Effect = "Allow", Action = "personalize:PutUsers", Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS" }
    ]))
    error_message = "Events, and the two datasets of the stack."
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

run "records_events_only_with_a_queue" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      { Sid = "RecordInteractions", Effect = "Allow", Action = "personalize:PutEvents", Resource = "*", Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" } } }
    ]))
    error_message = "No PutUsers, no PutItems; and where Personalize is."
  }
}

run "asks_its_own_campaign_and_filter_only" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "AskForRecommendations", Effect = "Allow", Action = "personalize:GetRecommendations", Resource = ["arn:aws:personalize:eu-west-1:123456789012:filter/shop-unseen-????????", "arn:aws:personalize:eu-west-1:123456789012:campaign/shop-main-????????"] }
    ]))
    error_message = "The campaign and the filter, whatever their digest."
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

run "reads_only_the_parameters_that_it_refers_to" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

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
}

run "reads_the_parameters_of_datasets_without_a_queue" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role_policy.read_parameters[0].policy).Statement[0].Resource == [for name in ["tracking_id", "datasets/users", "datasets/items"] : "arn:aws:ssm:us-west-2:123456789012:parameter/shop/personalize/${name}"]
    error_message = "Tracker and datasets."
  }
}

run "reads_the_secret_that_is_given_and_decrypts_it" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_secret[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "ReadTheWriteKey", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop/segment-??????" },
      { Sid = "DecryptTheWriteKey", Effect = "Allow", Action = "kms:Decrypt", Resource = "arn:aws:kms:us-west-2:123456789012:key/secret", Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This secret, this key."
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

run "queues_users_and_items" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "QueueUsersAndItems", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles" },
      { Sid = "EncryptUsersAndItems", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This queue, this key."
  }
}

run "keeps_rejected_events" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.keep_rejected[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "KeepRejectedEvents", Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:us-west-2:123456789012:shop-rejected" },
      { Sid = "EncryptRejectedEvents", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "arn:aws:kms:us-west-2:123456789012:key/queue", Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } } }
    ]))
    error_message = "This queue, this key."
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

run "sends_traces" {
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
    keep_unmapped             = false
    time_budget_milliseconds  = 3000
    reference_refresh_seconds = 60
    log                       = { retention_days = 7, level = "DEBUG", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" }
    metrics_namespace         = "Shop"
    tracing                   = true
    permissions_boundary_arn  = "arn:aws:iam::123456789012:policy/boundary"
    tags                      = { team = "shop" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.trace[0].policy).Statement == jsondecode(jsonencode([
      { Sid = "SendTraces", Effect = "Allow", Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource = "*" }
    ]))
    error_message = "Traces belong to no resource."
  }
}
