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
  name        = "shop"
  package     = { path = "versions.tf" }
  personalize = { ssm_prefix = "/shop/personalize" }
}

run "without_options" {
  command = plan

  # Has queues that lose nothing.
  assert {
    condition = (
      aws_sqs_queue.profiles.name == "shop-profiles" &&
      aws_sqs_queue.profiles_dead.name == "shop-profiles-dead" &&
      aws_sqs_queue.rejected.name == "shop-rejected"
    )
    error_message = "The three queues."
  }

  assert {
    condition = (
      aws_sqs_queue.profiles.message_retention_seconds == 345600 &&
      aws_sqs_queue.profiles_dead.message_retention_seconds == 1209600 &&
      aws_sqs_queue.rejected.message_retention_seconds == 1209600
    )
    error_message = "Four days; what needs a person, fourteen."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.profiles.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:us-west-2:123456789012:shop-profiles-dead"
      maxReceiveCount     = 5
    }
    error_message = "After five tries a message is set aside."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.profiles_dead.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:us-west-2:123456789012:shop-profiles"]
    }
    error_message = "No other queue sets messages aside there."
  }

  assert {
    condition     = aws_sqs_queue.profiles.visibility_timeout_seconds == 365
    error_message = "Six timeouts and the window."
  }

  # Encrypts with a key of sqs.
  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.profiles, aws_sqs_queue.profiles_dead, aws_sqs_queue.rejected] :
      queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null
    ])
    error_message = "All three are encrypted."
  }

  # Has a table that isn't lost.
  assert {
    condition = (
      aws_dynamodb_table.profiles[0].name == "shop-profiles" &&
      aws_dynamodb_table.profiles[0].hash_key == "id" &&
      aws_dynamodb_table.profiles[0].billing_mode == "PAY_PER_REQUEST"
    )
    error_message = "One item for each user and item, billed by request."
  }

  assert {
    condition = (
      aws_dynamodb_table.profiles[0].deletion_protection_enabled &&
      aws_dynamodb_table.profiles[0].point_in_time_recovery[0].enabled
    )
    error_message = "It's protected from deletion, and can be restored."
  }

  assert {
    condition     = !aws_dynamodb_table.profiles[0].server_side_encryption[0].enabled
    error_message = "DynamoDB encrypts with a key that it owns."
  }

  assert {
    condition = output.table == {
      name = "shop-profiles"
      arn  = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
    }
    error_message = "Its name is known at plan."
  }

  # Takes batches and gives back what failed.
  assert {
    condition = (
      aws_lambda_event_source_mapping.profiles.event_source_arn ==
      "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
    )
    error_message = "From the queue of profiles,"
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.profiles.function_name ==
      "arn:aws:lambda:us-west-2:123456789012:function:shop-profiles:live"
    )
    error_message = "to the alias,"
  }

  assert {
    condition = aws_lambda_event_source_mapping.profiles.function_response_types == toset([
      "ReportBatchItemFailures",
    ])
    error_message = "message by message,"
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.profiles.batch_size == 100 &&
      aws_lambda_event_source_mapping.profiles.maximum_batching_window_in_seconds == 5 &&
      aws_lambda_event_source_mapping.profiles.scaling_config[0].maximum_concurrency == 2
    )
    error_message = "two batches of 100 at once."
  }

  assert {
    condition = (
      aws_dynamodb_table.profiles[0].ttl[0].enabled && aws_dynamodb_table.profiles[0].ttl[0].attribute_name == "expires"
    )
    error_message = "What recommendations are counted in is deleted; users and items have no such attribute."
  }

  # The environment has references to datasets and nothing else.
  assert {
    condition = module.function.settings == {
      POWERTOOLS_SERVICE_NAME       = "shop"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_users_dataset_arn = "ssm:/shop/personalize/datasets/users"
      profile_calls_per_second      = "5"
      profile_table                 = "shop-profiles"
    }
    error_message = "The environment has references, and no defaults of the function."
  }

  # All names are known at plan.
  assert {
    condition = output.function == {
      name            = "shop-profiles"
      arn             = "arn:aws:lambda:us-west-2:123456789012:function:shop-profiles"
      timeout_seconds = 60
    }
    error_message = "The function is known at plan."
  }

  assert {
    condition = (
      output.role == {
        name = "shop-us-west-2-profiles"
        arn  = "arn:aws:iam::123456789012:role/shop-us-west-2-profiles"
      } &&
      output.log_group == "/aws/lambda/shop-profiles"
    )
    error_message = "So are role and log group,"
  }

  assert {
    condition = [
      for queue in [output.queue, output.dead_letter_queue, output.rejected_queue] : [queue.name, queue.arn]
      ] == [
      ["shop-profiles", "arn:aws:sqs:us-west-2:123456789012:shop-profiles"],
      ["shop-profiles-dead", "arn:aws:sqs:us-west-2:123456789012:shop-profiles-dead"],
      ["shop-rejected", "arn:aws:sqs:us-west-2:123456789012:shop-rejected"],
    ]
    error_message = "and the queues but for their URLs."
  }

  # Queues take nothing over plain http.
  assert {
    condition = jsondecode(aws_sqs_queue.profiles.policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "sqs:SendMessage",
          "sqs:ReceiveMessage",
          "sqs:PurgeQueue",
          "sqs:GetQueueUrl",
          "sqs:GetQueueAttributes",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
        ]
        Resource  = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]))
    error_message = "The queue shop-profiles."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.profiles_dead.policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "sqs:SendMessage",
          "sqs:ReceiveMessage",
          "sqs:PurgeQueue",
          "sqs:GetQueueUrl",
          "sqs:GetQueueAttributes",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
        ]
        Resource  = "arn:aws:sqs:us-west-2:123456789012:shop-profiles-dead"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]))
    error_message = "The queue shop-profiles-dead."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.rejected.policy).Statement == jsondecode(jsonencode([
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "sqs:SendMessage",
          "sqs:ReceiveMessage",
          "sqs:PurgeQueue",
          "sqs:GetQueueUrl",
          "sqs:GetQueueAttributes",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
        ]
        Resource  = "arn:aws:sqs:us-west-2:123456789012:shop-rejected"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]))
    error_message = "The queue shop-rejected."
  }

  # Empties its own queue only.
  assert {
    condition = jsondecode(aws_iam_role_policy.receive_profiles.policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "TakeUsersAndItemsFromTheQueue"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:GetQueueAttributes", "sqs:DeleteMessage"]
        Resource = "arn:aws:sqs:us-west-2:123456789012:shop-profiles"
      }
    ]))
    error_message = "The queue of profiles."
  }

  # Records to the datasets of the stack.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement == jsondecode(jsonencode([
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
    error_message = "Users to users, items to items."
  }

  # Merges in its own table only.
  assert {
    condition = jsondecode(aws_iam_role_policy.merge_profiles[0].policy).Statement == jsondecode(jsonencode([
      {
        Sid      = "ReadAndWriteItemsOfTheTable"
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:BatchGetItem"]
        Resource = "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles"
      }
    ]))
    error_message = "Two actions on one table."
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
    max_receives     = 8
    retention_days   = { profiles = 2, dead_letters = 10 }
    kms_key_arn      = "arn:aws:kms:us-west-2:123456789012:key/queue"
    profile_table    = { deletion_protection = false }
    suppression_list = { bucket = "shop", key = "privacy/suppressed.csv" }
    log = {
      retention_days = 7
      level          = "DEBUG"
      kms_key_arn    = "arn:aws:kms:us-west-2:123456789012:key/logs"
    }
    tags = { team = "shop" }
  }

  # Encrypts with a key that is given.
  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.profiles, aws_sqs_queue.profiles_dead, aws_sqs_queue.rejected] :
      queue.kms_master_key_id == var.kms_key_arn && queue.kms_data_key_reuse_period_seconds == 300
    ])
    error_message = "All three, with that key."
  }

  # Passes every setting on.
  assert {
    condition = jsonencode(module.function.settings) == jsonencode({
      POWERTOOLS_LOG_LEVEL          = "DEBUG"
      POWERTOOLS_SERVICE_NAME       = "shop"
      event_mapping                 = "gzip:${base64gzip("{\"version\":1}")}"
      personalize_items_dataset_arn = "ssm:/shop/personalize/datasets/items"
      personalize_region            = "eu-west-1"
      personalize_users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
      profile_calls_per_second      = "5"
      profile_table                 = "shop-profiles"
      suppression_list              = "s3://shop/privacy/suppressed.csv"
    })
    error_message = "Each setting is in the environment."
  }

  assert {
    condition = (
      aws_dynamodb_table.profiles[0].server_side_encryption[0].kms_key_arn == var.kms_key_arn &&
      !aws_dynamodb_table.profiles[0].deletion_protection_enabled
    )
    error_message = "The table has that key, too, and can be deleted."
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue.profiles.redrive_policy).maxReceiveCount == 8 &&
      aws_sqs_queue.profiles.message_retention_seconds == 172800 &&
      aws_sqs_queue.profiles_dead.message_retention_seconds == 864000
    )
    error_message = "The queues are as they were said."
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for queue in [aws_sqs_queue.profiles, aws_sqs_queue.profiles_dead, aws_sqs_queue.rejected] : queue.tags],
        [aws_dynamodb_table.profiles[0].tags, aws_lambda_event_source_mapping.profiles.tags]
      ) :
      tags["team"] == "shop"
    ])
    error_message = "All of it is tagged."
  }

  # Decrypts what it takes.
  assert {
    condition = jsondecode(aws_iam_role_policy.receive_profiles.policy).Statement[1] == jsondecode(
      jsonencode({
        Sid       = "DecryptUsersAndItems"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/queue"
        Condition = { StringEquals = { "kms:ViaService" = "sqs.us-west-2.amazonaws.com" } }
      })
    )
    error_message = "This key, for SQS."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.merge_profiles[0].policy).Statement[1] == jsondecode(
      jsonencode({
        Sid       = "DecryptTheTable"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:us-west-2:123456789012:key/queue"
        Condition = { StringEquals = { "kms:ViaService" = "dynamodb.us-west-2.amazonaws.com" } }
      })
    )
    error_message = "This key, for DynamoDB."
  }

  # Records to the datasets that are given.
  assert {
    condition = jsondecode(aws_iam_role_policy.record.policy).Statement[*].Resource == [
      "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/ITEMS",
      "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS",
    ]
    error_message = "The one that is given, and the one of the stack where Personalize is."
  }
}
