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

  # Has safe defaults.
  assert {
    condition     = aws_lambda_function.event.runtime == "python3.13" && aws_lambda_function.event.handler == "personalize_segment.live.handler.segment_event"
    error_message = "The handler is the one for Segment."
  }

  assert {
    condition     = aws_lambda_function.event.architectures == tolist(["arm64"]) && aws_lambda_function.event.memory_size == 512 && aws_lambda_function.event.timeout == 5
    error_message = "arm64, 512 MB, 5 seconds."
  }

  assert {
    condition     = aws_lambda_function.event.reserved_concurrent_executions == -1
    error_message = "Nothing is taken from the rest of the account."
  }

  assert {
    condition     = aws_lambda_function.event.publish && aws_lambda_alias.live.name == "live"
    error_message = "Segment invokes a version, through an alias."
  }

  assert {
    condition     = aws_lambda_function.event.source_code_hash == filebase64sha256("versions.tf")
    error_message = "A new package is deployed."
  }

  assert {
    condition     = aws_lambda_function.event.logging_config[0].log_format == "JSON" && aws_lambda_function.event.logging_config[0].log_group == "/aws/lambda/shop-event"
    error_message = "Logs are JSON, in the group with a retention."
  }

  assert {
    condition     = aws_lambda_function.event.logging_config[0].application_log_level == "INFO" && aws_lambda_function.event.logging_config[0].system_log_level == "INFO"
    error_message = "Metrics are not left out."
  }

  assert {
    condition     = aws_cloudwatch_log_group.event.retention_in_days == 30
    error_message = "Logs are kept for 30 days."
  }

  assert {
    condition     = aws_lambda_function.event.tracing_config[0].mode == "PassThrough"
    error_message = "There are no traces."
  }

  assert {
    condition     = length(aws_iam_role_policy.recommend) + length(aws_iam_role_policy.read_secret) + length(aws_iam_role_policy.queue_profiles) + length(aws_iam_role_policy.read_suppression_list) + length(aws_iam_role_policy.keep_rejected) + length(aws_iam_role_policy.trace) == 0
    error_message = "What is not asked for is not allowed."
  }

  assert {
    condition     = length(aws_secretsmanager_secret.write_key) == 0
    error_message = "There is no secret."
  }

  # Says where results stand and no more.
  assert {
    condition = jsonencode(aws_lambda_function.event.environment[0].variables) == jsonencode({
      POWERTOOLS_SERVICE_NAME       = "shop"
      event_mapping                 = "gzip:${base64gzip("{\"version\":1}")}"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_tracking_id       = "ssm:/shop/personalize/tracking_id"
      personalize_users_dataset_arn = "ssm:/shop/personalize/datasets/users"
    })
    error_message = "The environment has references, and no defaults of the function."
  }

  # Says all names before they are made.
  assert {
    condition     = output.function == { name = "shop-event", arn = "arn:aws:lambda:us-west-2:123456789012:function:shop-event", alias_arn = "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live" }
    error_message = "The function is known at plan."
  }

  assert {
    condition     = output.role == { name = "shop-us-west-2-event", arn = "arn:aws:iam::123456789012:role/shop-us-west-2-event" }
    error_message = "The role is known at plan."
  }

  assert {
    condition     = output.log_group == "/aws/lambda/shop-event" && output.secret == null
    error_message = "So are the log group, and that there is no secret."
  }
}

run "passes_every_setting_on" {
  command = plan

  variables {
    personalize = {
      region     = "eu-west-1"
      ssm_prefix = "/shop/personalize"
      campaign   = "main"
    }
    recommend = {
      count         = 10
      per_minute    = 120
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
    suppression_list          = { bucket = "shop", key = "privacy/suppressed.csv" }
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
    condition = jsonencode(aws_lambda_function.event.environment[0].variables) == jsonencode({
      POWERTOOLS_LOG_LEVEL         = "DEBUG"
      POWERTOOLS_METRICS_NAMESPACE = "Shop"
      POWERTOOLS_SERVICE_NAME      = "shop"
      connections_source_api_key   = "secretsmanager:shop/segment#write_key"
      event_mapping                = "gzip:${base64gzip("{\"version\":1}")}"
      keep_unmapped                = "false"
      personalize_campaign_arn     = "ssm:/shop/personalize/campaigns/main"
      personalize_region           = "eu-west-1"
      personalize_tracking_id      = "ssm:/shop/personalize/tracking_id"
      profile_queue_url            = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
      recommendation_context       = "{\"DEVICE\":\"context.device.type\"}"
      recommendation_count         = "10"
      recommendation_filter_arn    = "ssm:/shop/personalize/filters/unseen"
      recommendation_filter_values = "{\"CATEGORY\":\"properties.category\"}"
      recommendations_per_minute   = "120"
      reference_refresh_seconds    = "60"
      rejected_queue_url           = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected"
      segment_host                 = "https://events.eu1.segmentapis.com"
      suppression_list             = "s3://shop/privacy/suppressed.csv"
      time_budget_milliseconds     = "3000"
      write_back_events            = "[\"Order Completed\"]"
      write_back_interval_seconds  = "3600"
      write_back_shape             = "object"
      write_back_trait             = "for_you"
    })
    error_message = "Each setting is in the environment."
  }

  assert {
    condition     = aws_lambda_function.event.logging_config[0].application_log_level == "DEBUG" && aws_cloudwatch_log_group.event.retention_in_days == 7
    error_message = "The log is as it was said."
  }

  assert {
    condition     = aws_cloudwatch_log_group.event.kms_key_id == "arn:aws:kms:us-west-2:123456789012:key/logs"
    error_message = "The log is encrypted with the key."
  }

  assert {
    condition     = aws_lambda_function.event.tracing_config[0].mode == "Active"
    error_message = "Calls are traced."
  }

  assert {
    condition     = aws_iam_role.event.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role has the boundary."
  }

  assert {
    condition     = alltrue([for tags in [aws_lambda_function.event.tags, aws_iam_role.event.tags, aws_cloudwatch_log_group.event.tags] : tags["team"] == "shop"])
    error_message = "All of it is tagged."
  }
}

run "asks_a_recommender_by_name" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", recommender = "home" }
  }

  assert {
    condition     = aws_lambda_function.event.environment[0].variables["personalize_campaign_arn"] == "ssm:/shop/recommenders/home"
    error_message = "The recommender is found by its parameter."
  }
}

run "asks_a_campaign_by_arn" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", campaign = "arn:aws:personalize:us-west-2:123456789012:campaign/other" }
  }

  assert {
    condition     = aws_lambda_function.event.environment[0].variables["personalize_campaign_arn"] == "arn:aws:personalize:us-west-2:123456789012:campaign/other"
    error_message = "The ARN is given as it is."
  }
}

run "makes_a_secret_whose_value_is_not_in_the_state" {
  command = plan

  variables {
    new_write_key         = "KEY"
    new_write_key_version = 3
  }

  assert {
    condition     = aws_secretsmanager_secret.write_key[0].name == "shop/segment-write-key"
    error_message = "The secret has the name of the stack."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.write_key[0].secret_string_wo_version == 3
    error_message = "The version says when there is a new key."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.write_key[0].secret_string_wo == null
    error_message = "The key is written and forgotten."
  }

  assert {
    condition     = aws_lambda_function.event.environment[0].variables["connections_source_api_key"] == "secretsmanager:shop/segment-write-key"
    error_message = "The function reads the secret."
  }

  assert {
    condition     = output.secret == "secretsmanager:shop/segment-write-key"
    error_message = "The output is the reference."
  }
}

run "takes_a_mapping_that_is_large" {
  command = plan

  variables {
    event_mapping = { text = jsonencode([for i in range(60) : sha256(i)]), sha256 = sha256(jsonencode([for i in range(60) : sha256(i)])) }
  }

  assert {
    condition     = local.environment_bytes > 3000 && local.environment_bytes <= local.environment_maximum && local.environment_maximum == 4096
    error_message = "Four kilobytes fit, compressed."
  }
}

run "refuses_a_mapping_that_is_too_big" {
  command = plan

  variables {
    event_mapping = { text = jsonencode([for i in range(90) : sha256(i)]), sha256 = sha256(jsonencode([for i in range(90) : sha256(i)])) }
  }

  expect_failures = [aws_lambda_function.event]
}

run "counts_bytes_and_not_characters" {
  command = plan

  variables {
    write_back = { events = ["üü"] }
  }

  assert {
    condition     = local.environment_bytes == length(jsonencode(local.sizes)) + 2
    error_message = "Two characters of two bytes each."
  }
}

run "counts_the_urls_of_the_queues" {
  command = plan

  variables {
    profile_queue = { url = "x", arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles" }
  }

  assert {
    condition     = local.sizes.profile_queue_url == "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
    error_message = "A URL is counted before it is known."
  }
}
