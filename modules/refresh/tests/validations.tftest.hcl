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

# If the definition is known at plan, the provider asks Step Functions to validate it.
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

run "a_rate_of_one_day_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    schedule = { expression = "rate(1 day)" }
  }
}

run "a_time_zone_of_three_parts_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    schedule = { expression = "rate(12 hours)", time_zone = "America/Argentina/Buenos_Aires" }
  }
}

run "an_unload_with_the_role_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name  = "w"
        workgroup_arn   = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database        = "d"
        unload_role_arn = "arn:aws:iam::123456789012:role/unload"
        statements = [
          "select 1",
          "unload ('select 1') to 's3://b/' iam_role 'arn:aws:iam::123456789012:role/unload'",
        ]
      }
    }
  }
}

run "forty_statements_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database       = "d"
        statements     = [for n in range(40) : "select ${n}"]
      }
    }
  }
}

run "all_three_datasets_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    imports = { for d in ["interactions", "users", "items"] : d => { location = "s3://bucket/${d}/" } }
  }
}

run "a_location_of_256_characters_is_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    imports = { users = { location = "s3://bucket/${join("", [for n in range(243) : "x"])}/" } }
  }
}

run "the_ends_of_all_ranges_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    poll_seconds       = 3600
    timeout_seconds    = 604800
    log_retention_days = 3653
  }
}

run "the_beginnings_of_all_ranges_are_accepted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    poll_seconds       = 1
    timeout_seconds    = 300
    log_retention_days = 1
  }
}

run "a_cluster_with_two_logins_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        cluster_identifier = "c"
        secret_arn         = "s"
        db_user            = "u"
        database           = "d"
        statements         = ["select 1"]
      }
    }
  }

  expect_failures = [var.export]
}

run "a_workgroup_with_a_database_user_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        db_user        = "u"
        database       = "d"
        statements     = ["select 1"]
      }
    }
  }

  expect_failures = [var.export]
}

run "no_statement_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database       = "d"
        statements     = []
      }
    }
  }

  expect_failures = [var.export]
}

run "a_workgroup_without_its_arn_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = { redshift = { workgroup_name = "w", database = "d", statements = ["select 1"] } }
  }

  expect_failures = [var.export]
}

run "forty_one_statements_are_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database       = "d"
        statements     = [for n in range(41) : "select ${n}"]
      }
    }
  }

  expect_failures = [var.export]
}

run "a_statement_with_a_key_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database       = "d"
        statements     = ["unload ('select 1') to 's3://b/' access_key_id 'x'"]
      }
    }
  }

  expect_failures = [var.export]
}

run "an_unload_without_the_role_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    export = {
      redshift = {
        workgroup_name  = "w"
        workgroup_arn   = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database        = "d"
        unload_role_arn = "arn:aws:iam::123456789012:role/unload"
        statements      = ["unload ('select 1') to 's3://b/' iam_role default"]
      }
    }
  }

  expect_failures = [var.export]
}

run "refuses_several_at_once_1" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that is empty is refused
    name = ""

    # a schedule with five fields is refused
    schedule = { expression = "cron(0 3 * * *)" }

    # no export is refused
    export = {}

    # no import is refused
    imports = {}

    # an arn as the dataset group is refused
    dataset_group = "arn:aws:personalize:eu-west-1:123456789012:dataset-group/shop"

    # a name as the role arn is refused
    role_arn = "shop-personalize"

    # no seconds between polls are refused
    poll_seconds = 0

    # a timeout of four minutes is refused
    timeout_seconds = 240

    # a name as the topic is refused
    alarm_topic_arns = ["on-call"]

    # logs for 100 days are refused
    log_retention_days = 100

    # an alias as the key is refused
    kms_key_arn = "alias/shop"
  }

  expect_failures = [
    var.name,
    var.schedule,
    var.export,
    var.imports,
    var.dataset_group,
    var.role_arn,
    var.poll_seconds,
    var.timeout_seconds,
    var.alarm_topic_arns,
    var.log_retention_days,
    var.kms_key_arn,
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

    # a schedule once is refused
    schedule = { expression = "at(2026-11-24T03:00:00)" }

    # two exports are refused
    export = {
      glue_job = { name = "x" }
      redshift = {
        workgroup_name = "w"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        database       = "d"
        statements     = ["select 1"]
      }
    }

    # an import of actions is refused
    imports = { actions = { location = "s3://bucket/x/" } }

    # half a second between polls is refused
    poll_seconds = 1.5

    # a timeout of more than a week is refused
    timeout_seconds = 604801
  }

  expect_failures = [
    var.name,
    var.schedule,
    var.export,
    var.imports,
    var.poll_seconds,
    var.timeout_seconds,
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

    # a time zone with blanks is refused
    schedule = { expression = "rate(7 days)", time_zone = "Central European Time" }

    # redshift without a warehouse is refused
    export = { redshift = { database = "d", statements = ["select 1"] } }

    # a location that is a bucket is refused
    imports = { users = { location = "s3://bucket" } }

    # more than an hour between polls is refused
    poll_seconds = 3601
  }

  expect_failures = [
    var.name,
    var.schedule,
    var.export,
    var.imports,
    var.poll_seconds,
  ]
}

run "refuses_several_at_once_4" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a name that begins with a digit is refused
    name = "1shop"

    # redshift with two warehouses is refused
    export = {
      redshift = {
        workgroup_name     = "w"
        workgroup_arn      = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        cluster_identifier = "c"
        secret_arn         = "s"
        database           = "d"
        statements         = ["select 1"]
      }
    }

    # a location of 257 characters is refused
    imports = { users = { location = "s3://bucket/${join("", [for n in range(244) : "x"])}/" } }
  }

  expect_failures = [
    var.name,
    var.export,
    var.imports,
  ]
}

run "refuses_several_at_once_5" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # a cluster without a login is refused
    export = { redshift = { cluster_identifier = "c", database = "d", statements = ["select 1"] } }

    # another mode is refused
    imports = { users = { location = "s3://bucket/x/", mode = "APPEND" } }
  }

  expect_failures = [
    var.export,
    var.imports,
  ]
}
