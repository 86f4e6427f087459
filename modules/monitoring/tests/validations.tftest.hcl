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

run "an_address_of_operations_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    operations_url = "https://wiki/operations"
  }
}

run "an_address_of_operations_with_an_anchor_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    operations_url = "https://wiki/operations#top"
  }

  expect_failures = [var.operations_url]
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

run "a_threshold_that_is_gone_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    thresholds = { rejected_age_days = 10 }
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

    # no recommendation in an hour is refused
    thresholds = { recommendations_per_hour = 0 }

    # a path is refused
    operations_url = "docs/operations.md"
  }

  expect_failures = [
    var.name,
    var.functions,
    var.queues,
    var.state_machine_arn,
    var.alarm_topic_arns,
    var.thresholds,
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
  }

  expect_failures = [
    var.name,
    var.functions,
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
  }

  expect_failures = [
    var.name,
    var.functions,
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
  }

  expect_failures = [
    var.functions,
  ]
}
