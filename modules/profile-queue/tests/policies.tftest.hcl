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
  name        = "shop"
  package     = { path = "versions.tf" }
  personalize = { ssm_prefix = "/shop/personalize" }
}

run "without_options" {
  command = plan

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
    personalize = {
      region            = "eu-west-1"
      ssm_prefix        = "/shop/personalize"
      users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/USERS"
    }
    max_receives   = 8
    retention_days = { profiles = 2, dead_letters = 10 }
    kms_key_arn    = "arn:aws:kms:us-west-2:123456789012:key/queue"
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
