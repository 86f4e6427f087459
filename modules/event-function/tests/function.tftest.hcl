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

override_data {
  target = module.function.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name    = "shop"
  package = { path = "versions.tf" }
  event_mapping = {
    text   = "{\"version\":1}"
    sha256 = "2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8"
  }
  personalize = { ssm_prefix = "/shop/personalize" }
}

run "without_options" {
  command = plan

  assert {
    condition = length(aws_iam_role_policy.recommend) + length(aws_iam_role_policy.read_secret) + length(
      aws_iam_role_policy.queue_profiles
    ) == 0
    error_message = "Permissions are limited to the configured resources."
  }

  assert {
    condition     = length(aws_secretsmanager_secret.write_key) == 0
    error_message = "A secret exists."
  }

  # The environment has references to results and nothing else.
  assert {
    condition = jsonencode(module.function.settings) == jsonencode({
      POWERTOOLS_SERVICE_NAME       = "shop"
      event_mapping                 = "gzip:${base64gzip("{\"version\":1}")}"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_tracking_id       = "ssm:/shop/personalize/tracking_id"
      personalize_users_dataset_arn = "ssm:/shop/personalize/datasets/users"
    })
    error_message = "The environment has references, and no defaults of the function."
  }

  # All names are known at plan.
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
    condition     = output.log_group == "/aws/lambda/shop-event" && output.secret == null
    error_message = "The log group and the absence of a secret are known at plan."
  }

  # Records users and items itself without a queue.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "RecordInteractions"
        Effect    = "Allow"
        Action    = "personalize:PutEvents"
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = "us-west-2" } }
      },
      {
        Sid      = "RecordItems"
        Effect   = "Allow"
        Action   = "personalize:PutItems"
        Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS"
      },
      {
        Sid      = "RecordUsers"
        Effect   = "Allow"
        Action   = "personalize:PutUsers"
        Resource = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS"
      }
    ]))
    error_message = "Events, and the two datasets of the stack."
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
      to_visitors   = true
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
    write_key_secret = {
      name        = "shop/segment"
      json_key    = "write_key"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/secret"
    }
    profile_queue = {
      url         = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
      arn         = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/queue"
    }
    rejected_queue = {
      url         = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-rejected"
      arn         = "arn:aws:sqs:us-west-2:123456789012:shop-rejected"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/queue"
    }
    profile_table = {
      name        = "shop-profiles"
      arn         = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/table"
    }
    suppression_list         = { bucket = "shop", key = "privacy/suppressed.csv" }
    keep_unmapped            = false
    time_budget_milliseconds = 3000
  }

  assert {
    condition = jsonencode(module.function.settings) == jsonencode({
      POWERTOOLS_SERVICE_NAME      = "shop"
      connections_source_api_key   = "secretsmanager:shop/segment#write_key"
      event_mapping                = "gzip:${base64gzip("{\"version\":1}")}"
      keep_unmapped                = "false"
      personalize_campaign_arn     = "ssm:/shop/personalize/campaigns/main"
      personalize_region           = "eu-west-1"
      personalize_tracking_id      = "ssm:/shop/personalize/tracking_id"
      profile_table                = "shop-profiles"
      recommendation_context       = "{\"DEVICE\":\"context.device.type\"}"
      recommendation_count         = "10"
      recommendation_filter_arn    = "ssm:/shop/personalize/filters/unseen"
      recommendation_filter_values = "{\"CATEGORY\":\"properties.category\"}"
      recommend_to_visitors        = "true"
      recommendations_per_minute   = "120"
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

  # It adds to its own counters in this table, and reads none.
  assert {
    condition = jsondecode(aws_iam_role_policy.count_recommendations[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "CountRecommendations"
        Effect    = "Allow"
        Action    = "dynamodb:UpdateItem"
        Resource  = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
        Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = "recommendations#*" } }
      },
      {
        Sid       = "DecryptTheTable"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/table"
        Condition = { StringEquals = { "kms:ViaService" = "dynamodb.us-west-2.amazonaws.com" } }
      }
    ]))
    error_message = "One action, one table, one beginning of keys; and the table's key."
  }

  # Records events only with a queue.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "RecordInteractions"
        Effect    = "Allow"
        Action    = "personalize:PutEvents"
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" } }
      }
    ]))
    error_message = "No PutUsers, no PutItems; and where Personalize is."
  }

  # Asks its own campaign and filter only.
  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid    = "AskForRecommendations"
        Effect = "Allow"
        Action = "personalize:GetRecommendations"
        Resource = [
          "arn:aws:personalize:eu-west-1:123456789012:filter/shop-unseen-????????",
          "arn:aws:personalize:eu-west-1:123456789012:campaign/shop-main-????????",
        ]
      }
    ]))
    error_message = "The campaign and the filter, whatever their digest."
  }

  # Reads the secret that is given and decrypts it.
  assert {
    condition = jsondecode(aws_iam_role_policy.read_secret[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "ReadTheWriteKey"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop/segment-??????"
      },
      {
        Sid       = "DecryptTheWriteKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/secret"
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.us-west-2.amazonaws.com" } }
      }
    ]))
    error_message = "This secret, this key."
  }

  # Queues users and items.
  assert {
    condition = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "QueueUsersAndItems"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
      },
      {
        Sid       = "EncryptUsersAndItems"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/queue"
        Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } }
      }
    ]))
    error_message = "This queue, this key."
  }
}

run "asks_a_recommender_by_name" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", recommender = "home" }
  }

  assert {
    condition     = module.function.settings.personalize_campaign_arn == "ssm:/shop/recommenders/home"
    error_message = "The recommender is found by its parameter."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "AskForRecommendations"
        Effect   = "Allow"
        Action   = "personalize:GetRecommendations"
        Resource = "arn:aws:personalize:us-west-2:123456789012:recommender/shop-home-????????"
      }
    ]))
    error_message = "The recommender, whatever its digest."
  }
}

run "asks_a_campaign_by_arn" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", campaign = "arn:aws:personalize:us-west-2:123456789012:campaign/other" }
    recommend   = { filter = "arn:aws:personalize:us-west-2:123456789012:filter/other" }
  }

  assert {
    condition = (
      module.function.settings.personalize_campaign_arn ==
      "arn:aws:personalize:us-west-2:123456789012:campaign/other"
    )
    error_message = "The ARN is given as it is."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.recommend[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid    = "AskForRecommendations"
        Effect = "Allow"
        Action = "personalize:GetRecommendations"
        Resource = [
          "arn:aws:personalize:us-west-2:123456789012:filter/other",
          "arn:aws:personalize:us-west-2:123456789012:campaign/other",
        ]
      }
    ]))
    error_message = "Exactly these."
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
    condition     = module.function.settings.connections_source_api_key == "secretsmanager:shop/segment-write-key"
    error_message = "The function reads the secret."
  }

  assert {
    condition     = output.secret == "secretsmanager:shop/segment-write-key"
    error_message = "The output is the reference."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read_secret[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "ReadTheWriteKey"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop/segment-write-key-??????"
      }
    ]))
    error_message = "The function may read another secret, or decrypts with a key."
  }
}

run "records_to_the_datasets_that_are_given" {
  command = plan

  variables {
    personalize = {
      ssm_prefix        = "/shop"
      users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
      items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS"
    }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement[*].Resource == [
      "*",
      "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS",
      "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS",
    ]
    error_message = "The datasets that are given."
  }
}

run "needs_no_key_for_a_queue_that_has_none_and_counts_nothing_where_nothing_is_asked" {
  command = plan

  variables {
    profile_queue = {
      url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
      arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
    }
    profile_table = {
      name = "shop-profiles"
      arn  = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement[*].Sid == ["QueueUsersAndItems"]
    error_message = "SendMessage alone."
  }

  assert {
    condition = (
      length(aws_iam_role_policy.count_recommendations) == 0 &&
      !contains(keys(module.function.settings), "profile_table")
    )
    error_message = "Neither the right nor the setting."
  }
}
