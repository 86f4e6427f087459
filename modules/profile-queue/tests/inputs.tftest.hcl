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

run "refuses_a_name_of_21_characters" {
  command = plan

  variables {
    name = "a23456789012345678901"
  }

  expect_failures = [var.name]
}

run "refuses_a_name_in_capitals" {
  command = plan

  variables {
    name = "Shop"
  }

  expect_failures = [var.name]
}

run "refuses_a_name_that_ends_with_a_hyphen" {
  command = plan

  variables {
    name = "shop-"
  }

  expect_failures = [var.name]
}

run "accepts_a_package_in_s3" {
  command = plan

  variables {
    package = { s3 = { bucket = "artifacts", key = "personalize-segment.zip" } }
  }

  assert {
    condition     = aws_lambda_function.profiles.s3_bucket == "artifacts" && aws_lambda_function.profiles.s3_key == "personalize-segment.zip"
    error_message = "The object is where it was said to be."
  }
}

run "refuses_two_packages" {
  command = plan

  variables {
    package = { path = "versions.tf", s3 = { bucket = "artifacts", key = "x.zip" } }
  }

  expect_failures = [var.package]
}

run "refuses_no_package" {
  command = plan

  variables {
    package = {}
  }

  expect_failures = [var.package]
}

run "refuses_a_package_that_is_not_there" {
  command = plan

  variables {
    package = { path = "dist/none.zip" }
  }

  expect_failures = [aws_lambda_function.profiles]
}

run "refuses_a_mapping_that_is_no_json" {
  command = plan

  variables {
    event_mapping = { text = "{", sha256 = "021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96" }
  }

  expect_failures = [var.event_mapping]
}

run "refuses_a_digest_of_another_mapping" {
  command = plan

  variables {
    event_mapping = { text = "{}", sha256 = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945" }
  }

  expect_failures = [var.event_mapping]
}

run "accepts_one_dataset_without_a_prefix" {
  command = plan

  variables {
    personalize = { items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS" }
  }

  assert {
    condition     = local.written == { POWERTOOLS_SERVICE_NAME = "shop", personalize_items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/own/ITEMS", profile_calls_per_second = "5" }
    error_message = "Users have nowhere to go."
  }

  assert {
    condition     = length(aws_iam_role_policy.read_parameters) == 0
    error_message = "There is no parameter to read."
  }
}

run "refuses_to_send_nothing" {
  command = plan

  variables {
    personalize = {}
  }

  expect_failures = [var.personalize]
}

run "refuses_a_region_that_is_none" {
  command = plan

  variables {
    personalize = { ssm_prefix = "/shop", region = "Ireland" }
  }

  expect_failures = [var.personalize]
}

run "refuses_a_prefix_without_a_slash" {
  command = plan

  variables {
    personalize = { ssm_prefix = "shop/personalize" }
  }

  expect_failures = [var.personalize]
}

run "refuses_the_items_dataset_as_users" {
  command = plan

  variables {
    personalize = { users_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/ITEMS" }
  }

  expect_failures = [var.personalize]
}

run "refuses_the_users_dataset_as_items" {
  command = plan

  variables {
    personalize = { items_dataset_arn = "arn:aws:personalize:us-west-2:123456789012:dataset/shop/USERS" }
  }

  expect_failures = [var.personalize]
}

run "accepts_a_great_batch_with_enough_time" {
  command = plan

  variables {
    batch           = { size = 10000, window_seconds = 300 }
    timeout_seconds = 900
  }

  assert {
    condition     = aws_lambda_event_source_mapping.profiles.batch_size == 10000 && aws_lambda_event_source_mapping.profiles.maximum_batching_window_in_seconds == 300
    error_message = "The batch is passed on."
  }

  assert {
    condition     = aws_sqs_queue.profiles.visibility_timeout_seconds == 5700
    error_message = "Six time-outs and the window."
  }
}

run "accepts_a_small_batch_without_a_window" {
  command = plan

  variables {
    batch = { size = 10, window_seconds = 0 }
  }

  assert {
    condition     = aws_sqs_queue.profiles.visibility_timeout_seconds == 360
    error_message = "Six time-outs."
  }
}

run "refuses_a_batch_of_more_than_10000" {
  command = plan

  variables {
    batch = { size = 10001 }
  }

  expect_failures = [var.batch]
}

run "refuses_a_batch_of_none" {
  command = plan

  variables {
    batch = { size = 0 }
  }

  expect_failures = [var.batch]
}

run "refuses_a_window_above_300_seconds" {
  command = plan

  variables {
    batch = { window_seconds = 301 }
  }

  expect_failures = [var.batch]
}

run "refuses_a_batch_of_11_without_a_window" {
  command = plan

  variables {
    batch = { size = 11, window_seconds = 0 }
  }

  expect_failures = [var.batch]
}

run "refuses_a_batch_that_takes_longer_than_the_time_out" {
  command = plan

  variables {
    batch           = { size = 1000 }
    timeout_seconds = 23
  }

  expect_failures = [aws_lambda_function.profiles]
}

run "accepts_a_batch_that_just_fits_the_time_out" {
  command = plan

  variables {
    batch           = { size = 1000 }
    timeout_seconds = 24
  }

  assert {
    condition     = local.slowest_batch_seconds == 24
    error_message = "A hundred calls at five a second, and some air."
  }
}

run "shares_ten_calls_among_the_copies" {
  command = plan

  variables {
    maximum_concurrency = 3
  }

  assert {
    condition     = local.written.profile_calls_per_second == "3"
    error_message = "Three times three is less than ten."
  }
}

run "accepts_ten_copies" {
  command = plan

  variables {
    maximum_concurrency = 10
  }

  assert {
    condition     = local.written.profile_calls_per_second == "1" && aws_lambda_event_source_mapping.profiles.scaling_config[0].maximum_concurrency == 10
    error_message = "One call a second for each."
  }
}

run "refuses_one_copy" {
  command = plan

  variables {
    maximum_concurrency = 1
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_eleven_copies" {
  command = plan

  variables {
    maximum_concurrency = 11
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_no_receive" {
  command = plan

  variables {
    max_receives = 0
  }

  expect_failures = [var.max_receives]
}

run "refuses_more_than_1000_receives" {
  command = plan

  variables {
    max_receives = 1001
  }

  expect_failures = [var.max_receives]
}

run "refuses_more_than_14_days" {
  command = plan

  variables {
    retention_days = { dead_letters = 15 }
  }

  expect_failures = [var.retention_days]
}

run "refuses_dead_letters_that_go_with_the_profiles" {
  command = plan

  variables {
    retention_days = { profiles = 7, dead_letters = 7 }
  }

  expect_failures = [var.retention_days]
}

run "refuses_an_alias_for_the_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-west-2:123456789012:alias/shop"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_to_read_references_again_at_once" {
  command = plan

  variables {
    reference_refresh_seconds = 0
  }

  expect_failures = [var.reference_refresh_seconds]
}

run "refuses_to_keep_references_for_more_than_a_day" {
  command = plan

  variables {
    reference_refresh_seconds = 86401
  }

  expect_failures = [var.reference_refresh_seconds]
}

run "refuses_memory_of_127_megabytes" {
  command = plan

  variables {
    memory_megabytes = 127
  }

  expect_failures = [var.memory_megabytes]
}

run "refuses_memory_of_10241_megabytes" {
  command = plan

  variables {
    memory_megabytes = 10241
  }

  expect_failures = [var.memory_megabytes]
}

run "refuses_a_time_out_of_4_seconds" {
  command = plan

  variables {
    timeout_seconds = 4
  }

  expect_failures = [var.timeout_seconds]
}

run "refuses_a_time_out_of_901_seconds" {
  command = plan

  variables {
    timeout_seconds = 901
  }

  expect_failures = [var.timeout_seconds]
}

run "refuses_a_processor_that_there_is_not" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "refuses_days_that_cloudwatch_does_not_take" {
  command = plan

  variables {
    log = { retention_days = 31 }
  }

  expect_failures = [var.log]
}

run "refuses_a_level_that_there_is_not" {
  command = plan

  variables {
    log = { level = "WARN" }
  }

  expect_failures = [var.log]
}

run "refuses_a_namespace_with_a_colon" {
  command = plan

  variables {
    metrics_namespace = "AWS:Shop"
  }

  expect_failures = [var.metrics_namespace]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}
