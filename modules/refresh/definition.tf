# The state machine. Parameters of aws-sdk tasks are in PascalCase, whatever the API has. Errors that the SDK has no
# class of (throttling, a missing right) are all called <Service>.<Service>Exception, so they can't be told apart:
# whatever is not known to be permanent is tried again for about two minutes.

locals {
  again = [
    {
      ErrorEquals     = ["States.TaskFailed"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxDelaySeconds = 60
      MaxAttempts     = 6
      JitterStrategy  = "FULL"
    },
  ]

  glue     = { name = try(var.export.glue_job.name, "") }
  redshift = var.export.redshift

  redshift_login = {
    for key, value in {
      WorkgroupName     = try(local.redshift.workgroup_name, null)
      ClusterIdentifier = try(local.redshift.cluster_identifier, null)
      SecretArn         = try(local.redshift.secret_arn, null)
      DbUser            = try(local.redshift.db_user, null)
    } : key => value if value != null
  }

  glue_states = {
    Export = {
      Type       = "Task"
      Resource   = "arn:${data.aws_partition.current.partition}:states:::glue:startJobRun.sync"
      Parameters = { JobName = local.glue.name }
      # A run that began and failed is not repeated: it would fail for the same reason.
      Retry = [
        {
          ErrorEquals     = ["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"]
          IntervalSeconds = var.poll_seconds
          BackoffRate     = 2
          MaxDelaySeconds = 1800
          MaxAttempts     = 8
        },
        {
          ErrorEquals     = ["Glue.ThrottlingException", "Glue.AWSGlueException", "Glue.InternalServiceException", "Glue.OperationTimeoutException"]
          IntervalSeconds = 2
          BackoffRate     = 2
          MaxDelaySeconds = 60
          MaxAttempts     = 6
          JitterStrategy  = "FULL"
        },
      ]
      Catch      = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "ExportFailed" }]
      ResultPath = null
      Next       = "Datasets"
    }
  }

  redshift_states = {
    Export = {
      Type     = "Task"
      Resource = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:redshiftdata:batchExecuteStatement"
      Parameters = merge(local.redshift_login, {
        Database      = try(local.redshift.database, "")
        Sqls          = try(local.redshift.statements, [])
        StatementName = local.machine_name
        # The same for every try of one execution, so that a try whose answer was lost is not run twice.
        "ClientToken.$" = "States.Hash($$.Execution.Id, 'SHA-256')"
      })
      ResultSelector = { "Id.$" = "$.Id" }
      ResultPath     = "$.statement"
      Retry = concat([
        { ErrorEquals = ["RedshiftData.ValidationException"], MaxAttempts = 0 },
        {
          ErrorEquals     = ["RedshiftData.ActiveStatementsExceededException"]
          IntervalSeconds = var.poll_seconds
          BackoffRate     = 2
          MaxDelaySeconds = 1800
          MaxAttempts     = 8
        },
      ], local.again)
      Catch = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "ExportFailed" }]
      Next  = "WaitForExport"
    }
    WaitForExport = { Type = "Wait", Seconds = var.poll_seconds, Next = "LookAtExport" }
    LookAtExport = {
      Type           = "Task"
      Resource       = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:redshiftdata:describeStatement"
      Parameters     = { "Id.$" = "$.statement.Id" }
      ResultSelector = { "Id.$" = "$.Id", "Status.$" = "$.Status" }
      ResultPath     = "$.statement"
      Retry          = local.again
      Catch          = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "ExportFailed" }]
      Next           = "IsExported"
    }
    IsExported = {
      Type = "Choice"
      Choices = [
        { Variable = "$.statement.Status", StringEquals = "FINISHED", Next = "Datasets" },
        { Variable = "$.statement.Status", StringEquals = "FAILED", Next = "AskWhyExportFailed" },
        { Variable = "$.statement.Status", StringEquals = "ABORTED", Next = "ExportAborted" },
      ]
      Default = "WaitForExport"
    }
    # Only a failed statement has an Error, and selecting what is not there would end the execution without a reason.
    AskWhyExportFailed = {
      Type           = "Task"
      Resource       = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:redshiftdata:describeStatement"
      Parameters     = { "Id.$" = "$.statement.Id" }
      ResultSelector = { Error = "ExportFailed", "Cause.$" = "$.Error" }
      ResultPath     = "$.error"
      Retry          = local.again
      Catch          = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "ExportFailed" }]
      Next           = "ExportFailed"
    }
    ExportAborted = { Type = "Fail", Error = "ExportAborted", Cause = "Somebody cancelled the statements in Redshift." }
  }

  import_states = {
    # One name for all tries of an import: a create whose answer was lost is then found instead of repeated.
    Name = {
      Type = "Pass"
      Parameters = {
        "dataset.$" = "$.dataset"
        "request.$" = "$.request"
        "job.$" = join("", [
          "States.Format('${var.name}-{}-{}-{}', $.dataset, ",
          "States.ArrayGetItem(States.StringSplit($$.Execution.StartTime, 'T'), 0), ",
          "States.ArrayGetItem(States.StringSplit(States.UUID(), '-'), 0))",
        ])
      }
      Next = "Create"
    }
    Create = {
      Type     = "Task"
      Resource = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:personalize:createDatasetImportJob"
      Parameters = {
        "JobName.$"    = "$.job"
        "DatasetArn.$" = "$.request.DatasetArn"
        DataSource     = { "DataLocation.$" = "$.request.DataLocation" }
        "ImportMode.$" = "$.request.ImportMode"
        RoleArn        = var.role_arn
      }
      ResultPath = null
      Retry = concat([
        {
          ErrorEquals = ["Personalize.InvalidInputException", "Personalize.ResourceNotFoundException", "Personalize.ResourceAlreadyExistsException"]
          MaxAttempts = 0
        },
        # Five imports at once are the limit; one ends in minutes to hours.
        {
          ErrorEquals     = ["Personalize.LimitExceededException", "Personalize.ResourceInUseException"]
          IntervalSeconds = var.poll_seconds
          BackoffRate     = 1.5
          MaxDelaySeconds = 1800
          MaxAttempts     = 12
        },
      ], local.again)
      Catch = [
        { ErrorEquals = ["Personalize.ResourceAlreadyExistsException"], ResultPath = null, Next = "Wait" },
        { ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "Refused" },
      ]
      Next = "Wait"
    }
    Wait = { Type = "Wait", Seconds = var.poll_seconds, Next = "Describe" }
    Describe = {
      Type           = "Task"
      Resource       = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:personalize:describeDatasetImportJob"
      Parameters     = { "DatasetImportJobArn.$" = "States.Format('${local.job_arn_prefix}{}', $.job)" }
      ResultSelector = { "found.$" = "$.DatasetImportJob" }
      ResultPath     = "$.described"
      Retry          = concat([{ ErrorEquals = ["Personalize.InvalidInputException", "Personalize.ResourceNotFoundException"], MaxAttempts = 0 }], local.again)
      Catch          = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "Refused" }]
      Next           = "IsImported"
    }
    IsImported = {
      Type = "Choice"
      Choices = [
        { Variable = "$.described.found.Status", StringEquals = "ACTIVE", Next = "Imported" },
        { Variable = "$.described.found.Status", StringEquals = "CREATE FAILED", Next = "Failed" },
      ]
      Default = "Wait"
    }
    Imported = {
      Type       = "Pass"
      Parameters = { "dataset.$" = "$.dataset", "job.$" = "$.job", status = "ACTIVE" }
      End        = true
    }
    # A dataset that fails doesn't end the others' imports: they would go on in Personalize all the same.
    Failed = {
      Type       = "Pass"
      Parameters = { "dataset.$" = "$.dataset", "job.$" = "$.job", status = "CREATE FAILED", "reason.$" = "$.described.found.FailureReason" }
      End        = true
    }
    Refused = {
      Type       = "Pass"
      Parameters = { "dataset.$" = "$.dataset", "job.$" = "$.job", "status.$" = "$.error.Error", "reason.$" = "$.error.Cause" }
      End        = true
    }
  }

  common_states = {
    ExportFailed = { Type = "Fail", ErrorPath = "$.error.Error", CausePath = "$.error.Cause" }
    Datasets = {
      Type = "Pass"
      Result = [
        for dataset, one in var.imports : {
          dataset = dataset
          request = { DatasetArn = local.dataset_arns[dataset], DataLocation = one.location, ImportMode = one.mode }
        }
      ]
      ResultPath = "$.datasets"
      Next       = "Imports"
    }
    Imports = {
      Type      = "Map"
      ItemsPath = "$.datasets"
      ItemProcessor = {
        ProcessorConfig = { Mode = "INLINE" }
        StartAt         = "Name"
        States          = local.import_states
      }
      ResultSelector = { "each.$" = "$", "statuses.$" = "States.ArrayUnique($[*].status)" }
      ResultPath     = "$.imports"
      Next           = "AreAllImported"
    }
    AreAllImported = {
      Type = "Choice"
      Choices = [
        { Variable = "$.imports.statuses[1]", IsPresent = true, Next = "ImportsFailed" },
        { Variable = "$.imports.statuses[0]", StringEquals = "ACTIVE", Next = "Refreshed" },
      ]
      Default = "ImportsFailed"
    }
    ImportsFailed = { Type = "Fail", Error = "ImportsFailed", CausePath = "States.JsonToString($.imports.each)" }
    Refreshed     = { Type = "Succeed", OutputPath = "$.imports.each" }
  }

  definition = jsonencode({
    Comment        = "Refreshes the datasets of ${var.dataset_group}: export, import jobs, wait."
    StartAt        = "Export"
    TimeoutSeconds = var.timeout_seconds
    States = merge(
      { for name, state in local.glue_states : name => state if var.export.glue_job != null },
      { for name, state in local.redshift_states : name => state if var.export.redshift != null },
      local.common_states,
    )
  })
}
