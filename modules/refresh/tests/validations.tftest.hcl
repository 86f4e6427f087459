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

# With a definition that is known the provider asks Step Functions to validate it, at plan.
override_resource {
  target          = aws_sfn_state_machine.refresh
  override_during = plan
}

variables {
  name          = "shop"
  schedule      = { expression = "rate(7 days)" }
  export        = { glue_job = { name = "shop-history" } }
  imports       = { interactions = { location = "s3://shop-data/transformed/interactions/" } }
  dataset_group = "shop"
  role_arn      = "arn:aws:iam::123456789012:role/shop-personalize"
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

run "a_rate_of_one_day_is_accepted" {
  command = plan

  variables {
    schedule = { expression = "rate(1 day)" }
  }
}

run "a_time_zone_of_three_parts_is_accepted" {
  command = plan

  variables {
    schedule = { expression = "rate(12 hours)", time_zone = "America/Argentina/Buenos_Aires" }
  }
}

run "an_unload_with_the_role_is_accepted" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", unload_role_arn = "arn:aws:iam::123456789012:role/unload", statements = ["select 1", "unload ('select 1') to 's3://b/' iam_role 'arn:aws:iam::123456789012:role/unload'"] } }
  }
}

run "forty_statements_are_accepted" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", statements = [for n in range(40) : "select ${n}"] } }
  }
}

run "all_three_datasets_are_accepted" {
  command = plan

  variables {
    imports = { for d in ["interactions", "users", "items"] : d => { location = "s3://bucket/${d}/" } }
  }
}

run "a_location_of_256_characters_is_accepted" {
  command = plan

  variables {
    imports = { users = { location = "s3://bucket/${join("", [for n in range(243) : "x"])}/" } }
  }
}

run "the_ends_of_all_ranges_are_accepted" {
  command = plan

  variables {
    poll_seconds       = 3600
    timeout_seconds    = 604800
    log_retention_days = 3653
  }
}

run "the_beginnings_of_all_ranges_are_accepted" {
  command = plan

  variables {
    poll_seconds       = 1
    timeout_seconds    = 300
    log_retention_days = 1
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

run "a_name_that_begins_with_a_digit_is_refused" {
  command = plan

  variables {
    name = "1shop"
  }

  expect_failures = [var.name]
}

run "a_schedule_with_five_fields_is_refused" {
  command = plan

  variables {
    schedule = { expression = "cron(0 3 * * *)" }
  }

  expect_failures = [var.schedule]
}

run "a_schedule_once_is_refused" {
  command = plan

  variables {
    schedule = { expression = "at(2026-11-24T03:00:00)" }
  }

  expect_failures = [var.schedule]
}

run "a_time_zone_with_blanks_is_refused" {
  command = plan

  variables {
    schedule = { expression = "rate(7 days)", time_zone = "Central European Time" }
  }

  expect_failures = [var.schedule]
}

run "no_export_is_refused" {
  command = plan

  variables {
    export = {}
  }

  expect_failures = [var.export]
}

run "two_exports_are_refused" {
  command = plan

  variables {
    export = { glue_job = { name = "x" }, redshift = { workgroup_name = "w", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "redshift_without_a_warehouse_is_refused" {
  command = plan

  variables {
    export = { redshift = { database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "redshift_with_two_warehouses_is_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", cluster_identifier = "c", secret_arn = "s", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "a_cluster_without_a_login_is_refused" {
  command = plan

  variables {
    export = { redshift = { cluster_identifier = "c", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "a_cluster_with_two_logins_is_refused" {
  command = plan

  variables {
    export = { redshift = { cluster_identifier = "c", secret_arn = "s", db_user = "u", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "a_workgroup_with_a_database_user_is_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", db_user = "u", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "no_statement_is_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", statements = [] } }
  }

  expect_failures = [var.export]
}

run "forty_one_statements_are_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", statements = [for n in range(41) : "select ${n}"] } }
  }

  expect_failures = [var.export]
}

run "a_statement_with_a_key_is_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", statements = ["unload ('select 1') to 's3://b/' access_key_id 'x'"] } }
  }

  expect_failures = [var.export]
}

run "an_unload_without_the_role_is_refused" {
  command = plan

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", unload_role_arn = "arn:aws:iam::123456789012:role/unload", statements = ["unload ('select 1') to 's3://b/' iam_role default"] } }
  }

  expect_failures = [var.export]
}

run "no_import_is_refused" {
  command = plan

  variables {
    imports = {}
  }

  expect_failures = [var.imports]
}

run "an_import_of_actions_is_refused" {
  command = plan

  variables {
    imports = { actions = { location = "s3://bucket/x/" } }
  }

  expect_failures = [var.imports]
}

run "a_location_that_is_a_bucket_is_refused" {
  command = plan

  variables {
    imports = { users = { location = "s3://bucket" } }
  }

  expect_failures = [var.imports]
}

run "a_location_of_257_characters_is_refused" {
  command = plan

  variables {
    imports = { users = { location = "s3://bucket/${join("", [for n in range(244) : "x"])}/" } }
  }

  expect_failures = [var.imports]
}

run "another_mode_is_refused" {
  command = plan

  variables {
    imports = { users = { location = "s3://bucket/x/", mode = "APPEND" } }
  }

  expect_failures = [var.imports]
}

run "an_arn_as_the_dataset_group_is_refused" {
  command = plan

  variables {
    dataset_group = "arn:aws:personalize:eu-west-1:123456789012:dataset-group/shop"
  }

  expect_failures = [var.dataset_group]
}

run "a_name_as_the_role_arn_is_refused" {
  command = plan

  variables {
    role_arn = "shop-personalize"
  }

  expect_failures = [var.role_arn]
}

run "no_seconds_between_polls_are_refused" {
  command = plan

  variables {
    poll_seconds = 0
  }

  expect_failures = [var.poll_seconds]
}

run "half_a_second_between_polls_is_refused" {
  command = plan

  variables {
    poll_seconds = 1.5
  }

  expect_failures = [var.poll_seconds]
}

run "more_than_an_hour_between_polls_is_refused" {
  command = plan

  variables {
    poll_seconds = 3601
  }

  expect_failures = [var.poll_seconds]
}

run "a_timeout_of_four_minutes_is_refused" {
  command = plan

  variables {
    timeout_seconds = 240
  }

  expect_failures = [var.timeout_seconds]
}

run "a_timeout_of_more_than_a_week_is_refused" {
  command = plan

  variables {
    timeout_seconds = 604801
  }

  expect_failures = [var.timeout_seconds]
}

run "a_name_as_the_topic_is_refused" {
  command = plan

  variables {
    alarm_topic_arns = ["on-call"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "logs_for_100_days_are_refused" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "an_alias_as_the_key_is_refused" {
  command = plan

  variables {
    kms_key_arn = "alias/shop"
  }

  expect_failures = [var.kms_key_arn]
}
