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

  module {
    source = "./tests/inputs"
  }

  variables {
    name = "s"
  }
}

run "a_name_of_20_characters_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    name = "abcdefghij0123456-89"
  }
}

run "both_functions_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    functions = { event = { name = "e", timeout_seconds = 1 }, profiles = { name = "p", timeout_seconds = 900 } }
  }
}

run "the_greatest_thresholds_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { errors_percent = 100, duration_percent = 100, rejected_age_days = 13, silent_hours = 24 }
  }
}

run "the_least_thresholds_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { errors_percent = 0.1, throttles = 1, dead_letters = 1, queue_age_seconds = 1, rejected_age_days = 1, silent_hours = 1 }
  }
}

run "a_namespace_with_a_slash_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    metrics_namespace = "Shop/Events"
  }
}

run "an_address_of_operations_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    operations_url = "https://wiki/operations"
  }
}

run "recommendation_failed_percent_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { recommendation_failed_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "write_back_failed_percent_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { write_back_failed_percent = 0 }
  }

  expect_failures = [var.thresholds]
}

run "throttles_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { throttles = 0 }
  }

  expect_failures = [var.thresholds]
}

run "dead_letters_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { dead_letters = 0 }
  }

  expect_failures = [var.thresholds]
}

run "queue_age_seconds_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { queue_age_seconds = 0 }
  }

  expect_failures = [var.thresholds]
}

run "rejected_age_days_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { rejected_age_days = 0 }
  }

  expect_failures = [var.thresholds]
}

run "a_volume_of_0_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { write_backs_per_hour = 0 }
  }

  expect_failures = [var.thresholds]
}

run "a_percent_of_101_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { errors_percent = 101 }
  }

  expect_failures = [var.thresholds]
}

run "an_age_of_14_days_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { rejected_age_days = 14 }
  }

  expect_failures = [var.thresholds]
}

run "a_silence_of_25_hours_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { silent_hours = 25 }
  }

  expect_failures = [var.thresholds]
}

run "a_silence_of_half_an_hour_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { silent_hours = 0.5 }
  }

  expect_failures = [var.thresholds]
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that is empty is refused
    name = ""

    # no event function is refused
    functions = { profiles = { name = "p", timeout_seconds = 60 } }

    # an arn of a queue is refused
    queues = { rejected = "arn:aws:sqs:eu-west-1:123456789012:shop-rejected" }

    # a name of a state machine is refused
    state_machine_arn = "shop-refresh"

    # a name of a topic is refused
    alarm_topic_arns = ["on-call"]

    # errors percent of 0 is refused
    thresholds = { errors_percent = 0 }

    # a namespace of aws is refused
    metrics_namespace = "AWS/Lambda"

    # a service with a quote is refused
    metrics_service = "it's"

    # an address with an anchor is refused
    operations_url = "docs/operations.md#top"
  }

  expect_failures = [
    var.name,
    var.functions,
    var.queues,
    var.state_machine_arn,
    var.alarm_topic_arns,
    var.thresholds,
    var.metrics_namespace,
    var.metrics_service,
    var.operations_url,
  ]
}

run "refuses_several_at_once_2" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name of 21 characters is refused
    name = "abcdefghij0123456789x"

    # another kind of function is refused
    functions = { event = { name = "e", timeout_seconds = 5 }, other = { name = "o", timeout_seconds = 5 } }

    # duration percent of 0 is refused
    thresholds = { duration_percent = 0 }

    # a namespace with blanks is refused
    metrics_namespace = "my shop"
  }

  expect_failures = [
    var.name,
    var.functions,
    var.thresholds,
    var.metrics_namespace,
  ]
}

run "refuses_several_at_once_3" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that ends in a hyphen is refused
    name = "shop-"

    # a time out of 0 seconds is refused
    functions = { event = { name = "e", timeout_seconds = 0 } }

    # raised percent of 0 is refused
    thresholds = { raised_percent = 0 }
  }

  expect_failures = [
    var.name,
    var.functions,
    var.thresholds,
  ]
}

run "refuses_several_at_once_4" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a time out of 901 seconds is refused
    functions = { event = { name = "e", timeout_seconds = 901 } }

    # rejected percent of 0 is refused
    thresholds = { rejected_percent = 0 }
  }

  expect_failures = [
    var.functions,
    var.thresholds,
  ]
}
