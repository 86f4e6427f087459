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

run "counts_nothing_where_nothing_is_recommended" {
  command = plan

  variables {
    profile_table = {
      name = "shop-profiles"
      arn  = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
    }
  }

  assert {
    condition = (
      length(aws_iam_role_policy.count_recommendations) == 0 &&
      !contains(keys(module.function.settings), "profile_table")
    )
    error_message = "Neither the right nor the setting."
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
    profile_table = {
      name        = "shop-profiles"
      arn         = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/table"
    }
  }

  # Counts in the items of its own of this table, and reads none.
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

run "asks_its_own_recommender_only" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", recommender = "home" }
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

run "asks_what_is_given_by_arn_only" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", campaign = "arn:aws:personalize:us-west-2:123456789012:campaign/other" }
    recommend   = { filter = "arn:aws:personalize:us-west-2:123456789012:filter/other" }
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

run "reads_the_secret_that_is_made" {
  command = plan

  variables {
    new_write_key         = "KEY"
    new_write_key_version = 1
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
    error_message = "This secret; it has no key of its own."
  }
}

run "needs_no_key_for_a_queue_that_has_none" {
  command = plan

  variables {
    profile_queue = {
      url = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-profiles"
      arn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.queue_profiles[0].policy).Statement[*].Sid == ["QueueUsersAndItems"]
    error_message = "SendMessage alone."
  }
}
