# Plans the stack without AWS: every policy and name is known before any resource exists.

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
  target = module.data_bucket.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.personalize_access.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.training_job.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.warehouse.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.refresh["refresh"].data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

# With every value known, the provider would ask Step Functions to validate the definition.
override_resource {
  target          = module.refresh["refresh"].aws_sfn_state_machine.refresh
  override_during = plan
}

override_data {
  target = module.profile_queue.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.profile_queue.module.function.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.event_function.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.event_function.module.function.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.segment_access.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.monitoring.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name                 = "shop"
  segment_external_ids = ["9sQx2TbZ4k"]
  write_key_secret     = { name = "segment/shop", json_key = "write_key" }
}

run "needs_three_variables_only" {
  command = plan

  assert {
    condition     = output.segment.write_key == "secretsmanager:segment/shop#write_key"
    error_message = "The output names the write key's secret: ${output.segment.write_key}"
  }

  assert {
    condition     = output.personalize.name == "shop" && output.personalize.ssm_prefix == "/shop/personalize"
    error_message = "The spec has the stack's name, and writes its results where the functions read them."
  }

  assert {
    condition = jsonencode(output.personalize.campaigns) == jsonencode({
      main = { follow_latest = true, minimum_tps = 1, solution = "main" }
    })
    error_message = "Without a domain there is one campaign,"
  }

  assert {
    condition = (
      output.personalize.solutions.main.recipe == "aws-user-personalization-v2" &&
      output.personalize.solutions.main.automatic_training.every_days == 7
    )
    error_message = "and one solution, which trains automatically."
  }

  assert {
    condition = (
      output.personalize.datasets.interactions.import.location ==
      "s3://shop-personalize-123456789012-us-west-2/transformed/interactions/"
    )
    error_message = "Personalize imports what the job writes."
  }

  assert {
    condition = (
      !contains(keys(output.personalize), "domain") &&
      !contains(keys(output.personalize), "metric_attribution")
    )
    error_message = "Unset keys are left out of the spec, which accepts no null."
  }

  assert {
    condition = (
      output.data.logs == "s3://shop-personalize-123456789012-us-west-2/segment-logs/" &&
      output.merge.bucket_policy == null
    )
    error_message = "Logs are in the same bucket, whose policy the stack manages."
  }

  assert {
    condition = (
      output.segment.function_arn == "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live" &&
      output.segment.logs == null
    )
    error_message = "Segment invokes the alias."
  }

  assert {
    condition = (
      output.operations.profile_table == "shop-profiles" &&
      module.profile_queue.table.name == "shop-profiles"
    )
    error_message = "Live profiles are merged in a table."
  }

  assert {
    condition = (
      module.training_job.arguments["--profile_table"] == module.profile_queue.table.arn &&
      module.training_job.arguments["--profile_queue"] == module.profile_queue.queue.arn
    )
    error_message = "The job loads the same table."
  }

  assert {
    condition     = output.data.suppression_list == null
    error_message = "A suppression list exists only if one is set."
  }

  assert {
    condition     = output.operations.state_machine == null
    error_message = "A refresh exists only with a schedule."
  }
}

run "asks_a_recommender_in_a_domain_and_puts_everything_where_it_is_wanted" {
  command = plan

  variables {
    personalize = {
      domain       = "ECOMMERCE"
      recommenders = { for-you = { recipe = "aws-ecomm-recommended-for-you" } }
    }
    segment_principal_arns = ["arn:aws:iam::123456789012:role/segment-in-the-eu"]
    bucket = {
      prefixes = {
        transformed = "t/", reports = "r/", batch = "b/", deletions = "d/", artifacts = "a/", stage = "s/"
      }
    }
    training_job = {
      wheels  = { s3 = { bucket = "artifacts", keys = ["duckdb.whl", "fsspec.whl"] } }
      workers = { autoscaling = false, driver_events = 0 }
      window  = { since = "2024-03-01" }
    }
    warehouse = {
      snowflake = {
        schema      = "SEGMENT.SHOP"
        integration = "PERSONALIZE"
        trust       = { user_arn = "arn:aws:iam::210987654321:user/snowflake", external_id = "SHOP_SFCRole=1" }
      }
    }
  }

  assert {
    condition = (
      output.personalize.domain == "ECOMMERCE" &&
      length(output.personalize.campaigns) == 0 &&
      length(output.personalize.solutions) == 0
    )
    error_message = "A domain has recommenders instead of campaigns."
  }

  assert {
    condition     = local.asked.recommender == "for-you" && local.asked.campaign == null
    error_message = "The only recommender is used."
  }

  assert {
    condition = (
      output.data.transformed == "s3://shop-personalize-123456789012-us-west-2/t/" &&
      output.data.reports == "s3://shop-personalize-123456789012-us-west-2/r/" &&
      output.data.batch == "s3://shop-personalize-123456789012-us-west-2/b/" &&
      output.data.deletions == "s3://shop-personalize-123456789012-us-west-2/d/" &&
      output.data.stage == "s3://shop-personalize-123456789012-us-west-2/s/" &&
      startswith(
        module.training_job.arguments["--extra-py-files"],
        "s3://shop-personalize-123456789012-us-west-2/a/"
      )
    )
    error_message = "Each folder has its name."
  }

  assert {
    condition = (
      module.training_job.arguments["--enable-auto-scaling"] == "false" &&
      strcontains(jsonencode(module.training_job.arguments), "s3://artifacts/duckdb.whl,s3://artifacts/fsspec.whl") &&
      module.training_job.arguments["--since"] == "2024-03-01"
    )
    error_message = "The job gets its settings."
  }

  assert {
    condition     = output.warehouse.snowflake.role_arn == "arn:aws:iam::123456789012:role/shop-us-west-2-snowflake"
    error_message = "The integration's user has a role."
  }
}

run "trains_by_hand_and_refreshes_from_redshift_with_statements_of_your_own" {
  command = plan

  variables {
    personalize = {
      event_tracker = false
      solutions = {
        home = {
          automatic_training_days = 0
          columns                 = { users = ["GENDER"] }
          events = [
            { event_type = "Purchase", weight = 0.8 },
            { event_type = "Watch", value_threshold = 0.5 },
          ]
        }
      }
      campaigns = { home = { solution = "home", follow_latest = false } }
      metric_attributions = {
        bought = { event_type = "Purchase", expression = "SAMPLECOUNT()" }
      }
    }
    refresh = {
      schedule = { expression = "rate(1 day)" }
      redshift = {
        database           = "dev"
        cluster_identifier = "shop"
        db_user            = "personalize"
        statements         = ["SELECT 1"]
      }
    }
    event_mapping_path = "tests/views.json"
    write_back         = { events = ["Product Viewed"] }
  }

  assert {
    condition     = output.personalize.solutions.home.automatic_training == false
    error_message = "Zero days disable automatic training."
  }

  assert {
    condition = jsonencode(output.personalize.solutions.home.events) == jsonencode([
      { event_type = "Purchase", weight = 0.8 },
      { event_type = "Watch", value_threshold = 0.5 },
    ])
    error_message = "Unset attributes of an event are left out."
  }

  assert {
    condition = (
      output.personalize.event_tracker == false &&
      jsonencode(output.personalize.solutions.home.columns) == jsonencode({ users = ["GENDER"] })
    )
    error_message = "The tracker and the columns are those of the input."
  }

  assert {
    condition = (
      output.personalize.metric_attribution.location ==
      "s3://shop-personalize-123456789012-us-west-2/reports/"
    )
    error_message = "Reports go to a prefix that Personalize can write to."
  }

  assert {
    condition     = local.unload.statements == tolist(["SELECT 1"]) && output.warehouse.redshift == null
    error_message = "Your own statements take precedence."
  }

  assert {
    condition     = jsondecode(module.refresh["refresh"].definition).States.Export.Parameters.DbUser == "personalize"
    error_message = "The cluster's user runs them."
  }
}

run "fills_in_the_statements_for_warehouses_and_shows_the_policy_for_a_key_of_logs" {
  command = plan

  variables {
    warehouse = {
      redshift  = { schema = "shop" }
      snowflake = { schema = "SEGMENT.SHOP", integration = "PERSONALIZE" }
    }
    refresh = {
      schedule = { expression = "rate(1 day)" }
      redshift = {
        database       = "dev"
        workgroup_name = "analytics"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
      }
    }
    functions    = { log = { kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/logs" } }
    training_job = { kms_key = { arn = "arn:aws:kms:us-west-2:123456789012:key/logs" } }
  }

  assert {
    condition = startswith(
      output.warehouse.redshift.sql,
      "-- event mapping sha256: ${output.event_mapping.sha256}\n"
    )
    error_message = "The statements belong to the stack's mapping."
  }

  assert {
    condition = (
      strcontains(output.warehouse.redshift.sql, "FROM \"shop\".\"order_completed\"") &&
      strcontains(
        output.warehouse.redshift.sql,
        join("\n", [
          "TO 's3://shop-personalize-123456789012-us-west-2/transformed/interactions/part-'",
          "IAM_ROLE 'arn:aws:iam::123456789012:role/shop-us-west-2-redshift'",
        ])
      ) &&
      strcontains(output.warehouse.snowflake.sql, "FROM \"SEGMENT\".\"SHOP\".\"ORDER_COMPLETED\"") &&
      strcontains(
        output.warehouse.snowflake.sql,
        "URL = 's3://shop-personalize-123456789012-us-west-2/transformed/'\nSTORAGE_INTEGRATION = \"PERSONALIZE\""
      )
    )
    error_message = "Schema, place, role and integration are filled in."
  }

  assert {
    condition = (
      length(module.warehouse.redshift.statements) == 6 &&
      alltrue([
        for one in slice(module.warehouse.redshift.statements, 3, 6) :
        startswith(one, "UNLOAD ('") && endswith(one, "\nREGION 'us-west-2'")
      ])
    )
    error_message = "The session is set up, and each dataset unloaded."
  }

  assert {
    condition     = local.unload.statements == module.warehouse.redshift.statements
    error_message = "The refresh runs them."
  }

  assert {
    condition = jsondecode(output.merge.log_key_policy).Statement == jsondecode(jsonencode([{
      Sid    = "CloudWatchEncryptsLogsShop"
      Effect = "Allow"
      Action = [
        "kms:ReEncryptTo",
        "kms:ReEncryptFrom",
        "kms:GenerateDataKey",
        "kms:Encrypt",
        "kms:DescribeKey",
        "kms:Decrypt",
      ]
      Resource  = "*"
      Principal = { Service = "logs.us-west-2.amazonaws.com" }
      Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = [
        "arn:aws:logs:us-west-2:123456789012:log-group:${module.training_job.log_groups.error}",
        "arn:aws:logs:us-west-2:123456789012:log-group:${module.training_job.log_groups.output}",
        "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-event",
        "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/shop-profiles",
      ] } }
    }]))
    error_message = "It is ${output.merge.log_key_policy}"
  }

  assert {
    condition     = output.merge.kms_key_policy == null
    error_message = "The bucket has no key."
  }
}

run "refreshes_from_a_cluster_with_logs_in_another_bucket_and_without_a_table_and_a_stage" {
  command = plan

  variables {
    refresh = {
      schedule = { expression = "rate(1 day)" }
      redshift = {
        database           = "dev"
        cluster_identifier = "shop"
        secret_arn         = "arn:aws:secretsmanager:us-west-2:123456789012:secret:shop-AbCdEf"
        secret_kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/secret"
        statements         = ["SELECT 1"]
        unload_role_arn    = "arn:aws:iam::123456789012:role/unload"
      }
    }
    segment_logs       = { bucket = "lake", prefix = "raw/segment-logs/", let_segment_write = true }
    profile_table      = null
    training_job       = { stage = false }
    event_mapping_path = "tests/views.json"
    write_back         = { events = ["*"] }
  }

  assert {
    condition = [
      for name in ["ClusterIdentifier", "SecretArn", "Database", "Sqls"] :
      jsondecode(module.refresh["refresh"].definition).States.Export.Parameters[name]
    ] == ["shop", var.refresh.redshift.secret_arn, "dev", ["SELECT 1"]]
    error_message = "The statements run elsewhere, or as another user."
  }

  assert {
    condition     = local.unload.unload_role_arn == "arn:aws:iam::123456789012:role/unload"
    error_message = "The role is yours, as are the statements."
  }

  assert {
    condition = (
      output.data.logs == "s3://lake/raw/segment-logs/" &&
      output.segment.logs.role_arn == "arn:aws:iam::123456789012:role/shop-us-west-2-segment-logs"
    )
    error_message = "The role for Segment's S3 destination is an output, with the location."
  }

  assert {
    condition = (
      output.operations.profile_table == null &&
      output.data.stage == null &&
      alltrue([for name in ["--profile_table", "--stage"] : !contains(keys(module.training_job.arguments), name)])
    )
    error_message = "Nothing is merged, loaded or staged."
  }

  assert {
    condition     = output.segment.destination_filter == "( type = 'track' and event in ['Product Viewed'] )"
    error_message = "The star isn't an event name: ${output.segment.destination_filter}"
  }
}

run "refuses_a_refresh_from_redshift_that_has_nothing_to_run" {
  command = plan

  variables {
    refresh = {
      schedule = { expression = "rate(1 day)" }
      redshift = {
        database       = "dev"
        workgroup_name = "analytics"
        workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
      }
    }
  }

  expect_failures = [var.refresh]
}

run "warns_that_nothing_is_written_back" {
  command = plan

  variables {
    event_mapping_path = "tests/views.json"
  }

  expect_failures = [check.recommendations_are_written_back_after_something]
}
