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

run "accepts_one_dataset_without_a_prefix" {
  command = plan

  variables {
    personalize = { items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS" }
  }

  assert {
    condition = module.function.settings == {
      POWERTOOLS_SERVICE_NAME       = "shop"
      personalize_items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS"
      profile_calls_per_second      = "5"
      profile_table                 = "shop-profiles"
    }
    error_message = "Users have no dataset."
  }
}

run "accepts_a_great_batch_with_enough_time" {
  command = plan

  variables {
    batch           = { size = 10000, window_seconds = 300 }
    timeout_seconds = 900
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.profiles.batch_size == 10000 &&
      aws_lambda_event_source_mapping.profiles.maximum_batching_window_in_seconds == 300
    )
    error_message = "The batch is passed on."
  }

  assert {
    condition     = aws_sqs_queue.profiles.visibility_timeout_seconds == 5700
    error_message = "Six timeouts and the window."
  }
}

run "accepts_a_small_batch_without_a_window" {
  command = plan

  variables {
    batch = { size = 10, window_seconds = 0 }
  }

  assert {
    condition     = aws_sqs_queue.profiles.visibility_timeout_seconds == 360
    error_message = "Six timeouts."
  }
}

run "refuses_a_batch_that_takes_longer_than_the_time_out" {
  command = plan

  variables {
    batch           = { size = 1000 }
    timeout_seconds = 25
  }

  expect_failures = [aws_lambda_event_source_mapping.profiles]
}

run "accepts_a_batch_that_just_fits_the_time_out" {
  command = plan

  variables {
    batch           = { size = 1000 }
    timeout_seconds = 26
  }

  assert {
    condition     = local.slowest_batch_seconds == 26
    error_message = "A hundred calls at five a second, two seconds for the table, and some margin."
  }
}

run "shares_ten_calls_among_the_copies" {
  command = plan

  variables {
    maximum_concurrency = 3
  }

  assert {
    condition     = module.function.settings.profile_calls_per_second == "3"
    error_message = "Three times three is less than ten."
  }
}

run "accepts_ten_copies" {
  command = plan

  variables {
    maximum_concurrency = 10
  }

  assert {
    condition = (
      module.function.settings.profile_calls_per_second == "1" &&
      aws_lambda_event_source_mapping.profiles.scaling_config[0].maximum_concurrency == 10
    )
    error_message = "One call a second for each."
  }
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses to send nothing
    personalize = {}

    # refuses a batch of more than 10000
    batch = { size = 10001 }

    # refuses one copy
    maximum_concurrency = 1

    # refuses no receive
    max_receives = 0

    # refuses more than 14 days
    retention_days = { dead_letters = 15 }

    # refuses an alias for the key
    kms_key_arn = "arn:aws:kms:us-west-2:123456789012:alias/shop"

    # refuses a time out of 4 seconds
    timeout_seconds = 4

  }

  expect_failures = [
    var.personalize,
    var.batch,
    var.maximum_concurrency,
    var.max_receives,
    var.retention_days,
    var.kms_key_arn,
    var.timeout_seconds,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a batch of none
    batch = { size = 0 }

    # refuses eleven copies
    maximum_concurrency = 11

    # refuses more than 1000 receives
    max_receives = 1001

    # refuses dead letters that go with the profiles
    retention_days = { profiles = 7, dead_letters = 7 }

    # refuses a time out of 901 seconds
    timeout_seconds = 901
  }

  expect_failures = [
    var.batch,
    var.maximum_concurrency,
    var.max_receives,
    var.retention_days,
    var.timeout_seconds,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a window above 300 seconds
    batch = { window_seconds = 301 }
  }

  expect_failures = [
    var.batch,
  ]
}

run "refuses_several_at_once_4" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a batch of 11 without a window
    batch = { size = 11, window_seconds = 0 }
  }

  expect_failures = [
    var.batch,
  ]
}

run "without_a_table_nothing_is_merged" {
  command = plan

  variables {
    profile_table = null
  }

  assert {
    condition = (
      length(aws_dynamodb_table.profiles) == 0 &&
      length(aws_iam_role_policy.merge_profiles) == 0 &&
      output.table == null &&
      !contains(keys(module.function.settings), "profile_table")
    )
    error_message = "No table, no rights to one, and no setting."
  }
}
