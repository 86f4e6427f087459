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

# What the definition has.

run "without_options" {
  command = plan

  # It begins with the export and ends after twelve hours.
  assert {
    condition = (
      jsondecode(output.definition).StartAt == "Export" &&
      jsondecode(output.definition).TimeoutSeconds == 43200
    )
    error_message = "It must start with the export and end automatically."
  }

  # The glue job is waited for and not repeated when it failed.
  assert {
    condition     = jsondecode(output.definition).States.Export.Resource == "arn:aws:states:::glue:startJobRun.sync"
    error_message = "Without .sync the import would read what the job has not written yet."
  }
  assert {
    condition     = jsondecode(output.definition).States.Export.Parameters == { JobName = "shop-history" }
    error_message = "Another job would run."
  }
  assert {
    condition = !contains(
      flatten(jsondecode(output.definition).States.Export.Retry[*].ErrorEquals),
      "States.TaskFailed"
    )
    error_message = "A run that failed would be paid for again."
  }
  assert {
    condition     = !strcontains(output.definition, "redshiftdata")
    error_message = "A Glue export must not use a warehouse."
  }

  # Only this state machine assumes its role.
  assert {
    condition = jsondecode(aws_iam_role.refresh.assume_role_policy).Statement == [{
      Sid       = "LetThisStateMachineAssumeTheRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "states.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnEquals    = { "aws:SourceArn" = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh" }
      }
    }]
    error_message = "Another state machine could assume the role."
  }

  # Only the schedules of this group assume their role which starts this state machine.
  assert {
    condition = jsondecode(aws_iam_role.refresh_schedule.assume_role_policy).Statement == [{
      Sid       = "LetThisScheduleGroupAssumeTheRole"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnEquals    = { "aws:SourceArn" = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/shop-refresh" }
      }
    }]
    error_message = "Another schedule could assume the role."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.refresh_schedule_start.policy).Statement == [{
      Sid      = "StartTheRefresh"
      Effect   = "Allow"
      Action   = "states:StartExecution"
      Resource = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    }]
    error_message = "The schedule may start something else."
  }

  # The role runs this glue job and no other.
  assert {
    condition = jsondecode(aws_iam_role_policy.refresh_glue[0].policy).Statement == [{
      Sid      = "RunTheGlueJobAndWaitForIt"
      Effect   = "Allow"
      Action   = ["glue:StartJobRun", "glue:GetJobRuns", "glue:GetJobRun", "glue:BatchStopJobRun"]
      Resource = "arn:aws:glue:eu-west-1:123456789012:job/shop-history"
    }]
    error_message = "The role may run another job."
  }
  assert {
    condition     = length(aws_iam_role_policy.refresh_redshift) == 0
    error_message = "A Glue export must not use a warehouse."
  }

  # The role imports into these datasets and passes one role to personalize.
  assert {
    condition = jsondecode(aws_iam_role_policy.refresh_import.policy).Statement == [
      {
        Sid    = "ImportIntoTheDatasets"
        Effect = "Allow"
        Action = "personalize:CreateDatasetImportJob"
        Resource = [
          "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/INTERACTIONS",
          "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job/shop-interactions-*",
        ]
      },
      {
        Sid      = "WaitForItsImports"
        Effect   = "Allow"
        Action   = "personalize:DescribeDatasetImportJob"
        Resource = "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job/shop-interactions-*"
      },
      {
        Sid       = "LetPersonalizeReadWithItsRole"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "arn:aws:iam::123456789012:role/shop-personalize"
        Condition = { StringEquals = { "iam:PassedToService" = "personalize.amazonaws.com" } }
      },
    ]
    error_message = "The role may import into, or pass, something else."
  }

  # The role delivers its logs.
  assert {
    condition = toset(jsondecode(aws_iam_role_policy.refresh_logs.policy).Statement[0].Action) == toset([
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]) && length(jsondecode(aws_iam_role_policy.refresh_logs.policy).Statement) == 1
    error_message = "Step Functions asks for exactly these."
  }

  # Traces are sent only if asked for.
  assert {
    condition = (
      length(aws_iam_role_policy.refresh_tracing) == 0 &&
      !aws_sfn_state_machine.refresh.tracing_configuration[0].enabled
    )
    error_message = "Tracing is on."
  }

  # Everything is named after the stack and known at plan.
  assert {
    condition = output.state_machine == {
      name = "shop-refresh"
      arn  = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    }
    error_message = "The ARN must be known at plan, because alarms use it."
  }
  assert {
    condition = [
      aws_sfn_state_machine.refresh.name,
      aws_iam_role.refresh.name,
      aws_iam_role.refresh_schedule.name,
      output.schedule,
      aws_scheduler_schedule_group.refresh.name,
      output.log_group,
      aws_cloudwatch_metric_alarm.not_started.alarm_name,
      ] == [
      "shop-refresh",
      "shop-eu-west-1-refresh",
      "shop-eu-west-1-refresh-schedule",
      "shop-refresh",
      "shop-refresh",
      "/aws/vendedlogs/states/shop-refresh",
      "shop-refresh-not-started",
    ]
    error_message = "A name differs."
  }

  # Logs have what each state got and are kept for 90 days.
  assert {
    condition = (
      aws_sfn_state_machine.refresh.logging_configuration[0].level == "ALL" &&
      aws_sfn_state_machine.refresh.logging_configuration[0].include_execution_data &&
      aws_cloudwatch_log_group.refresh.retention_in_days == 90
    )
    error_message = "Logs are missing."
  }
  assert {
    condition     = output.kms_key_policy_json == null && aws_cloudwatch_log_group.refresh.kms_key_id == null
    error_message = "A key exists."
  }
}

run "each_dataset_is_imported_with_its_own_request" {
  command = plan

  variables {
    imports = {
      interactions = { location = "s3://shop-data/transformed/interactions/" }
      users        = { location = "s3://shop-data/transformed/users/", mode = "INCREMENTAL" }
    }
  }

  assert {
    condition = jsondecode(output.definition).States.Datasets.Result == [
      {
        dataset = "interactions"
        request = {
          DataLocation = "s3://shop-data/transformed/interactions/"
          DatasetArn   = "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/INTERACTIONS"
          ImportMode   = "FULL"
        }
      },
      {
        dataset = "users"
        request = {
          DataLocation = "s3://shop-data/transformed/users/"
          DatasetArn   = "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/USERS"
          ImportMode   = "INCREMENTAL"
        }
      },
    ]
    error_message = "The requests of the imports are wrong."
  }
  assert {
    condition = jsondecode(
      output.definition
    ).States.Imports.ItemProcessor.States.Create.Parameters.RoleArn == "arn:aws:iam::123456789012:role/shop-personalize"
    error_message = "Personalize needs the role that reads the bucket."
  }
}

run "a_limit_is_waited_out_and_what_is_permanent_is_not_tried_again" {
  command = plan

  variables { poll_seconds = 30 }

  assert {
    condition = jsondecode(output.definition).States.Imports.ItemProcessor.States.Create.Retry[0] == {
      ErrorEquals = [
        "Personalize.InvalidInputException",
        "Personalize.ResourceNotFoundException",
        "Personalize.ResourceAlreadyExistsException",
      ]
      MaxAttempts = 0
    }
    error_message = "What is permanent would be tried again."
  }
  assert {
    condition = (
      jsondecode(output.definition).States.Imports.ItemProcessor.States.Create.Retry[1].ErrorEquals == [
        "Personalize.LimitExceededException",
        "Personalize.ResourceInUseException",
      ] &&
      jsondecode(output.definition).States.Imports.ItemProcessor.States.Create.Retry[1].IntervalSeconds == 30
    )
    error_message = "A limit would fail the refresh."
  }
  assert {
    condition = (
      jsondecode(output.definition).States.Imports.ItemProcessor.States.Create.Retry[2].ErrorEquals == [
        "States.TaskFailed",
      ] &&
      jsondecode(output.definition).States.Imports.ItemProcessor.States.Create.Retry[2].BackoffRate == 2
    )
    error_message = "Throttling would fail the refresh."
  }
  assert {
    condition     = jsondecode(output.definition).States.Imports.ItemProcessor.States.Wait.Seconds == 30
    error_message = "poll_seconds is not used."
  }
}

run "a_name_of_a_job_fits_in_63_characters" {
  command = plan

  variables { name = "abcdefghij0123456789" }

  assert {
    # Dataset, day, and eight letters of a UUID.
    condition = (
      length("abcdefghij0123456789-interactions-2026-11-24-01234567") <= 63 &&
      strcontains(
        jsondecode(output.definition).States.Imports.ItemProcessor.States.Name.Parameters["job.$"],
        "'abcdefghij0123456789-{}-{}-{}'"
      )
    )
    error_message = "Personalize takes 63 characters."
  }
}

run "statements_run_in_a_workgroup" {
  command = plan

  variables {
    export = { redshift = {
      workgroup_name = "analytics"
      workgroup_arn  = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
      database       = "dev"
      statements     = ["UNLOAD ('select 1') TO 's3://b/x/' IAM_ROLE 'arn:aws:iam::123456789012:role/unload'"]
    } }
  }

  assert {
    condition = jsondecode(output.definition).States.Export.Parameters == {
      "ClientToken.$" = "States.Hash($$.Execution.Id, 'SHA-256')"
      Database        = "dev"
      Sqls            = ["UNLOAD ('select 1') TO 's3://b/x/' IAM_ROLE 'arn:aws:iam::123456789012:role/unload'"]
      StatementName   = "shop-refresh"
      WorkgroupName   = "analytics"
    }
    error_message = "The request of the Data API is wrong."
  }
  assert {
    condition = (
      jsondecode(
        output.definition
      ).States.Export.Resource == "arn:aws:states:::aws-sdk:redshiftdata:batchExecuteStatement" &&
      jsondecode(output.definition).States.Export.Next == "WaitForExport"
    )
    error_message = "The execution must wait for the statements."
  }
  assert {
    condition = jsondecode(data.aws_iam_policy_document.refresh_redshift[0].json).Statement == [
      {
        Sid      = "RunStatementsInTheWarehouse"
        Effect   = "Allow"
        Action   = "redshift-data:BatchExecuteStatement"
        Resource = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
      },
      {
        Sid       = "LookAtItsOwnStatements"
        Effect    = "Allow"
        Action    = "redshift-data:DescribeStatement"
        Resource  = "*"
        Condition = { StringEquals = { "redshift-data:statement-owner-iam-userid" = "$${aws:userid}" } }
      },
      {
        Sid      = "LogInToTheWorkgroupForAWhile"
        Effect   = "Allow"
        Action   = "redshift-serverless:GetCredentials"
        Resource = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
      },
    ]
    error_message = "The role may do too much, or too little, in Redshift."
  }
  assert {
    condition     = length(aws_iam_role_policy.refresh_glue) == 0 && length(aws_iam_role_policy.refresh_redshift) == 1
    error_message = "A Redshift export must not use a Glue job."
  }
}

run "statements_run_in_a_cluster_with_a_secret" {
  command = plan

  variables {
    export = { redshift = {
      cluster_identifier = "warehouse"
      database           = "dev"
      secret_arn         = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-AbCdEf"
      statements         = ["select 1"]
    } }
  }

  assert {
    condition = (
      jsondecode(output.definition).States.Export.Parameters.ClusterIdentifier == "warehouse" &&
      jsondecode(
        output.definition
      ).States.Export.Parameters.SecretArn == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-AbCdEf"
    )
    error_message = "The request of the Data API is wrong."
  }
  assert {
    condition = [
      for one in jsondecode(data.aws_iam_policy_document.refresh_redshift[0].json).Statement :
      [one.Sid, one.Action, one.Resource]
      ] == [
      [
        "RunStatementsInTheWarehouse",
        "redshift-data:BatchExecuteStatement",
        "arn:aws:redshift:eu-west-1:123456789012:cluster:warehouse",
      ],
      ["LookAtItsOwnStatements", "redshift-data:DescribeStatement", "*"],
      [
        "ReadTheLoginOfTheWarehouse",
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-AbCdEf",
      ],
    ]
    error_message = "The role may do too much, or too little, in Redshift."
  }
}

run "statements_run_in_a_cluster_as_a_database_user" {
  command = plan

  variables {
    export = {
      redshift = { cluster_identifier = "warehouse", database = "dev", db_user = "refresh", statements = ["select 1"] }
    }
  }

  assert {
    condition     = jsondecode(output.definition).States.Export.Parameters.DbUser == "refresh"
    error_message = "The request of the Data API is wrong."
  }
  assert {
    condition = jsondecode(data.aws_iam_policy_document.refresh_redshift[0].json).Statement[2] == {
      Sid    = "LogInToTheClusterForAWhile"
      Effect = "Allow"
      Action = "redshift:GetClusterCredentials"
      Resource = [
        "arn:aws:redshift:eu-west-1:123456789012:dbuser:warehouse/refresh",
        "arn:aws:redshift:eu-west-1:123456789012:dbname:warehouse/dev",
      ]
    }
    error_message = "The role can log in as another user."
  }
}

# What the roles may do.

run "with_tracing_the_role_may_send_traces" {
  command = plan

  variables { tracing = true }

  assert {
    condition = (
      toset(jsondecode(aws_iam_role_policy.refresh_tracing[0].policy).Statement[0].Action) == toset([
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
      ]) &&
      aws_sfn_state_machine.refresh.tracing_configuration[0].enabled
    )
    error_message = "Tracing is off."
  }
}

run "the_permissions_boundary_bounds_both_roles" {
  command = plan

  variables { permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }

  assert {
    condition = (
      aws_iam_role.refresh.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" &&
      aws_iam_role.refresh_schedule.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    )
    error_message = "A role has no boundary."
  }
}

run "the_key_lets_cloudwatch_logs_in_for_this_log_group" {
  command = plan

  variables { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0123" }

  assert {
    condition = jsondecode(output.kms_key_policy_json).Statement == [{
      Sid    = "LetCloudWatchLogsEncryptTheRefreshLogs"
      Effect = "Allow"
      Action = [
        "kms:ReEncryptTo",
        "kms:ReEncryptFrom",
        "kms:GenerateDataKey",
        "kms:Encrypt",
        "kms:DescribeKey",
        "kms:Decrypt",
      ]
      Principal = { Service = "logs.eu-west-1.amazonaws.com" }
      Resource  = "arn:aws:kms:eu-west-1:123456789012:key/0123"
      Condition = {
        ArnEquals = {
          "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-west-1:123456789012:log-group:${output.log_group}"
        }
      }
    }]
    error_message = "The key policy allows another principal."
  }
  assert {
    condition     = aws_cloudwatch_log_group.refresh.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0123"
    error_message = "The logs aren't encrypted with the key."
  }
}

# What else there is.

run "the_schedule_starts_the_state_machine_in_its_time_zone" {
  command = plan

  variables { schedule = { expression = "cron(0 3 ? * SUN *)", time_zone = "Europe/Berlin" } }

  assert {
    condition = (
      aws_scheduler_schedule.refresh.schedule_expression == "cron(0 3 ? * SUN *)" &&
      aws_scheduler_schedule.refresh.schedule_expression_timezone == "Europe/Berlin" &&
      aws_scheduler_schedule.refresh.target[0].input == "{}"
    )
    error_message = "The schedule is another one."
  }
}

run "a_refresh_that_was_not_started_is_an_alarm" {
  command = plan

  variables {
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:on-call"]
    operations_url   = "https://wiki/operations"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.not_started.namespace == "AWS/Scheduler" &&
      aws_cloudwatch_metric_alarm.not_started.metric_name == "InvocationDroppedCount" &&
      aws_cloudwatch_metric_alarm.not_started.dimensions == tomap({ ScheduleGroup = "shop-refresh" }) &&
      aws_cloudwatch_metric_alarm.not_started.treat_missing_data == "notBreaching" &&
      aws_cloudwatch_metric_alarm.not_started.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"]) &&
      aws_cloudwatch_metric_alarm.not_started.ok_actions == aws_cloudwatch_metric_alarm.not_started.alarm_actions &&
      endswith(
        aws_cloudwatch_metric_alarm.not_started.alarm_description,
        "https://wiki/operations#the-refresh-was-not-started."
      )
    )
    error_message = "No topic would be notified."
  }
}

run "the_role_has_the_name_and_path_that_are_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
    iam_path    = "/ours/"
    tags        = { team = "shop" }
  }

  assert {
    condition = alltrue([
      for tags in [
        aws_iam_role.refresh.tags,
        aws_iam_role.refresh_schedule.tags,
        aws_sfn_state_machine.refresh.tags,
        aws_cloudwatch_log_group.refresh.tags,
        aws_scheduler_schedule_group.refresh.tags,
        aws_cloudwatch_metric_alarm.not_started.tags,
      ] : tags == tomap({ team = "shop" })
    ])
    error_message = "All of it is tagged."
  }

  assert {
    condition     = aws_iam_role.refresh.name == "eu-refresh" && aws_iam_role.refresh.path == "/ours/"
    error_message = "It is ${aws_iam_role.refresh.path}${aws_iam_role.refresh.name}."
  }
}

run "the_key_of_a_secret_is_used_through_secrets_manager_only" {
  command = plan

  variables {
    export = {
      redshift = {
        database           = "dev"
        statements         = ["SELECT 1"]
        workgroup_name     = "lake"
        workgroup_arn      = "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/0123"
        secret_arn         = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:lake-AbCdEf"
        secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/lake"
      }
    }
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_role_policy.refresh_redshift[0].policy).Statement :
      one if one.Sid == "DecryptTheLoginOfTheWarehouse"
      ] == jsondecode(jsonencode([{
        Sid       = "DecryptTheLoginOfTheWarehouse"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-1:123456789012:key/lake"
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.eu-west-1.amazonaws.com" } }
    }]))
    error_message = "The login stays encrypted, or the key does more."
  }
}
