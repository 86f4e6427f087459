provider "aws" {
  region                      = "eu-west-1"
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
  name      = "shop"
  functions = { event = { name = "shop-event", timeout_seconds = 5 } }
}

run "a_name_of_1_character_is_accepted" {
  command = plan

  variables {
    name = "s"
  }
}

run "a_name_of_20_characters_is_accepted" {
  command = plan

  variables {
    name = "abcdefghij0123456-89"
  }
}

run "both_functions_are_accepted" {
  command = plan

  variables {
    functions = { event = { name = "e", timeout_seconds = 1 }, profiles = { name = "p", timeout_seconds = 900 } }
  }
}

run "the_greatest_thresholds_are_accepted" {
  command = plan

  variables {
    thresholds = { errors_percent = 100, duration_percent = 100, rejected_age_days = 13, silent_hours = 24 }
  }
}

run "the_least_thresholds_are_accepted" {
  command = plan

  variables {
    thresholds = { errors_percent = 0.1, throttles = 1, dead_letters = 1, queue_age_seconds = 1, rejected_age_days = 1, silent_hours = 1 }
  }
}

run "a_namespace_with_a_slash_is_accepted" {
  command = plan

  variables {
    metrics_namespace = "Shop/Events"
  }
}

run "an_address_of_operations_is_accepted" {
  command = plan

  variables {
    operations_url = "https://wiki/operations"
  }
}

run "a_name_that_is_empty_is_refused" {
  command = plan

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "a_name_of_21_characters_is_refused" {
  command = plan

  variables {
    name = "abcdefghij0123456789x"
  }

  expect_failures = [var.name]
}

run "a_name_that_ends_in_a_hyphen_is_refused" {
  command = plan

  variables {
    name = "shop-"
  }

  expect_failures = [var.name]
}

run "no_event_function_is_refused" {
  command = plan

  variables {
    functions = { profiles = { name = "p", timeout_seconds = 60 } }
  }

  expect_failures = [var.functions]
}

run "another_kind_of_function_is_refused" {
  command = plan

  variables {
    functions = { event = { name = "e", timeout_seconds = 5 }, other = { name = "o", timeout_seconds = 5 } }
  }

  expect_failures = [var.functions]
}

run "a_time_out_of_0_seconds_is_refused" {
  command = plan

  variables {
    functions = { event = { name = "e", timeout_seconds = 0 } }
  }

  expect_failures = [var.functions]
}

run "a_time_out_of_901_seconds_is_refused" {
  command = plan

  variables {
    functions = { event = { name = "e", timeout_seconds = 901 } }
  }

  expect_failures = [var.functions]
}

run "an_arn_of_a_queue_is_refused" {
  command = plan

  variables {
    queues = { rejected = "arn:aws:sqs:eu-west-1:123456789012:shop-rejected" }
  }

  expect_failures = [var.queues]
}

run "a_name_of_a_state_machine_is_refused" {
  command = plan

  variables {
    state_machine_arn = "shop-refresh"
  }

  expect_failures = [var.state_machine_arn]
}

run "a_name_of_a_topic_is_refused" {
  command = plan

  variables {
    alarm_topic_arns = ["on-call"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "errors_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { errors_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "duration_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { duration_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "raised_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { raised_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "rejected_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { rejected_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "recommendation_failed_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { recommendation_failed_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "write_back_failed_percent_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { write_back_failed_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "throttles_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { throttles = 0 }
  }

  expect_failures = [var.thresholds]
}

run "dead_letters_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { dead_letters = 0 }
  }

  expect_failures = [var.thresholds]
}

run "queue_age_seconds_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { queue_age_seconds = 0 }
  }

  expect_failures = [var.thresholds]
}

run "rejected_age_days_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { rejected_age_days = 0 }
  }

  expect_failures = [var.thresholds]
}

run "silent_hours_of_0_is_refused" {
  command = plan

  variables {
    thresholds = { silent_hours = 0 }
  }

  expect_failures = [var.thresholds]
}

run "a_percent_of_101_is_refused" {
  command = plan

  variables {
    thresholds = { errors_percent = 101 }
  }

  expect_failures = [var.thresholds]
}

run "an_age_of_14_days_is_refused" {
  command = plan

  variables {
    thresholds = { rejected_age_days = 14 }
  }

  expect_failures = [var.thresholds]
}

run "a_silence_of_25_hours_is_refused" {
  command = plan

  variables {
    thresholds = { silent_hours = 25 }
  }

  expect_failures = [var.thresholds]
}

run "a_silence_of_half_an_hour_is_refused" {
  command = plan

  variables {
    thresholds = { silent_hours = 0.5 }
  }

  expect_failures = [var.thresholds]
}

run "a_namespace_of_aws_is_refused" {
  command = plan

  variables {
    metrics_namespace = "AWS/Lambda"
  }

  expect_failures = [var.metrics_namespace]
}

run "a_namespace_with_blanks_is_refused" {
  command = plan

  variables {
    metrics_namespace = "my shop"
  }

  expect_failures = [var.metrics_namespace]
}

run "a_service_with_a_quote_is_refused" {
  command = plan

  variables {
    metrics_service = "it's"
  }

  expect_failures = [var.metrics_service]
}

run "an_address_with_an_anchor_is_refused" {
  command = plan

  variables {
    operations_url = "docs/operations.md#top"
  }

  expect_failures = [var.operations_url]
}
