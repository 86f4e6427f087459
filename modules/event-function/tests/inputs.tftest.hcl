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

run "accepts_ids_and_arns_without_a_prefix" {
  command = plan

  variables {
    personalize = { tracking_id = "f4c1b2c0" }
    recommend   = { filter = "arn:aws:personalize:us-west-2:123456789012:filter/unseen" }
  }

  assert {
    condition     = module.function.settings.personalize_tracking_id == "f4c1b2c0"
    error_message = "The id is given as it is."
  }

  assert {
    condition = (
      module.function.settings.recommendation_filter_arn ==
      "arn:aws:personalize:us-west-2:123456789012:filter/unseen"
    )
    error_message = "The ARN is given as it is."
  }
}

run "refuses_a_campaign_that_is_no_name" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { ssm_prefix = "/shop", campaign = "main campaign" }
  }

  expect_failures = [var.personalize]
}

run "refuses_a_recommender_as_campaign" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = {
      ssm_prefix = "/shop"
      campaign   = "arn:aws:personalize:us-west-2:123456789012:recommender/shop-home"
    }
  }

  expect_failures = [var.personalize]
}

run "refuses_a_recommender_that_is_no_name" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { ssm_prefix = "/shop", recommender = "-home" }
  }

  expect_failures = [var.personalize]
}

run "refuses_a_campaign_by_name_without_a_prefix" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { tracking_id = "f4c1b2c0", campaign = "main" }
  }

  expect_failures = [var.personalize]
}

run "refuses_a_recommender_by_name_without_a_prefix" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { tracking_id = "f4c1b2c0", recommender = "home" }
  }

  expect_failures = [var.personalize]
}

run "accepts_the_most" {
  command = plan

  variables {
    recommend                = { count = 500, context = { DEVICE = "context.device type" } }
    write_back               = { interval_seconds = 604800 }
    time_budget_milliseconds = 5000
  }

  assert {
    condition     = module.function.settings.recommendation_count == "500"
    error_message = "The count is passed on."
  }

  assert {
    condition     = module.function.settings.recommendation_context == jsonencode({ DEVICE = "context.device type" })
    error_message = "The path is passed on."
  }

  assert {
    condition     = module.function.settings.write_back_interval_seconds == "604800"
    error_message = "The interval is passed on."
  }

  assert {
    condition     = module.function.settings.time_budget_milliseconds == "5000"
    error_message = "The budget is passed on."
  }
}

run "refuses_a_count_of_501" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { count = 501 }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_count_of_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { count = 0 }
  }

  expect_failures = [var.recommend]
}

run "refuses_no_recommendation_per_minute" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { per_minute = 0 }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_part_of_a_recommendation_per_minute" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { per_minute = 1.5 }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_count_that_is_not_whole" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { count = 2.5 }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_filter_that_is_no_name" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { filter = "not seen" }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_filter_by_name_without_a_prefix" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    personalize = { tracking_id = "f4c1b2c0" }
    recommend   = { filter = "unseen" }
  }

  expect_failures = [var.recommend]
}

run "refuses_values_without_a_filter" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { filter_values = { CATEGORY = "properties.category" } }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_filter_value_whose_name_has_a_hyphen" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { filter = "unseen", filter_values = { "MY-CATEGORY" = "properties.category" } }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_filter_value_with_a_relative_path" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { filter = "unseen", filter_values = { CATEGORY = ".category" } }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_context_with_an_empty_segment" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { context = { DEVICE = "context..type" } }
  }

  expect_failures = [var.recommend]
}

run "refuses_a_context_with_a_wildcard" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    recommend = { context = { DEVICE = "context.*" } }
  }

  expect_failures = [var.recommend]
}

run "refuses_two_write_keys" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    write_key_secret      = { name = "shop/segment" }
    new_write_key         = "KEY"
    new_write_key_version = 1
  }

  expect_failures = [var.write_key_secret]
}

run "refuses_a_version_without_its_write_key" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    new_write_key_version = 1
  }

  expect_failures = [var.new_write_key]
}

run "refuses_version_0_of_the_write_key" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    new_write_key         = "KEY"
    new_write_key_version = 0
  }

  expect_failures = [var.new_write_key_version]
}

run "warns_in_a_region_that_segment_does_not_call" {
  command = plan

  variables {
    segment_regions = ["eu-west-1"]
  }

  expect_failures = [check.segment_calls_this_region]
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses to record nothing
    personalize = {}

    # refuses an event without a name
    write_back = { events = ["Order Completed", ""] }

    # refuses an arn for the name of the secret
    write_key_secret = { name = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop-AbCdEf" }

    # refuses a new write key without a version
    new_write_key = "KEY"

    # refuses a budget above five seconds
    time_budget_milliseconds = 5001

    # refuses a time out of 6 seconds
    timeout_seconds = 6

    # refuses no region of segments
    segment_regions = []
  }

  expect_failures = [
    var.personalize,
    var.write_back,
    var.write_key_secret,
    var.new_write_key,
    var.time_budget_milliseconds,
    var.timeout_seconds,
    var.segment_regions,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses an interval above a week
    write_back = { interval_seconds = 604801 }

    # refuses a json key with a blank
    write_key_secret = { name = "shop/segment", json_key = "write key" }

    # refuses a budget below 100 milliseconds
    time_budget_milliseconds = 99

    # refuses a time out of 0 seconds
    timeout_seconds = 0

    # refuses a region of segments that is none
    segment_regions = ["Oregon"]
  }

  expect_failures = [
    var.write_back,
    var.write_key_secret,
    var.time_budget_milliseconds,
    var.timeout_seconds,
    var.segment_regions,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a negative interval
    write_back = { interval_seconds = -1 }
  }

  expect_failures = [
    var.write_back,
  ]
}

run "refuses_several_at_once_4" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a trait of blanks
    write_back = { trait = " " }
  }

  expect_failures = [
    var.write_back,
  ]
}

run "refuses_several_at_once_5" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a reference as tracking id
    personalize = { tracking_id = "ssm:/shop/tracking_id" }

    # refuses a shape that there is not
    write_back = { shape = "list" }
  }

  expect_failures = [
    var.personalize,
    var.write_back,
  ]
}

run "refuses_several_at_once_6" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # refuses a campaign and a recommender
    personalize = { ssm_prefix = "/shop", campaign = "main", recommender = "home" }

    # refuses a host without https
    write_back = { segment_host = "events.eu1.segmentapis.com" }
  }

  expect_failures = [
    var.personalize,
    var.write_back,
  ]
}
