variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "name_prefix" {
  description = "Prefix of the roles' names (null: stack name and region, because role names are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Begin and end `iam_path` with a slash, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the roles (null: none)."
  type        = string
  default     = null
}

variable "schedule" {
  description = "Schedule of the refresh: an EventBridge Scheduler expression and its time zone."
  type = object({
    expression = string
    time_zone  = optional(string, "UTC")
  })
  nullable = false

  validation {
    condition = can(
      regex("^(rate\\([1-9][0-9]* (minute|hour|day)s?\\)|cron\\(([^ ()]+ ){5}[^ ()]+\\))$", var.schedule.expression)
    )
    error_message = "Set `schedule.expression` to \"rate(7 days)\" or, with six fields, \"cron(0 3 ? * SUN *)\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z_]+([/+-][A-Za-z0-9_+-]+)*$", var.schedule.time_zone))
    error_message = "Set `schedule.time_zone` to a name from the time zone database, such as \"Europe/Berlin\"."
  }
}

variable "export" {
  description = "Source of the CSV files: a Glue job, or statements that Redshift runs in one transaction."
  type = object({
    glue_job = optional(object({
      name = string
    }))
    redshift = optional(object({
      database           = string
      statements         = list(string)
      workgroup_name     = optional(string)
      workgroup_arn      = optional(string)
      cluster_identifier = optional(string)
      secret_arn         = optional(string)
      secret_kms_key_arn = optional(string)
      db_user            = optional(string)
      unload_role_arn    = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = (var.export.glue_job == null) != (var.export.redshift == null)
    error_message = "Set exactly one of `export.glue_job` and `export.redshift`."
  }

  validation {
    condition = var.export.redshift == null || 1 == length([
      for key in ["workgroup_name", "cluster_identifier"] : key if try(var.export.redshift[key], null) != null
    ])
    error_message = "Set exactly one of `export.redshift.workgroup_name` (serverless) and `cluster_identifier`."
  }

  validation {
    condition = try(var.export.redshift.cluster_identifier, null) == null || 1 == length([
      for key in ["secret_arn", "db_user"] : key if try(var.export.redshift[key], null) != null
    ])
    error_message = "To log in, set either `export.redshift.secret_arn` or `export.redshift.db_user`."
  }

  validation {
    condition = (
      (try(var.export.redshift.workgroup_name, null) == null) == (try(var.export.redshift.workgroup_arn, null) == null)
    )
    error_message = "Set `export.redshift.workgroup_arn` along with `workgroup_name`, to limit the role to it."
  }

  validation {
    condition     = anytrue([for key in ["workgroup_name", "db_user"] : try(var.export.redshift[key], null) == null])
    error_message = "Leave `export.redshift.db_user` out: in a workgroup, the role or the secret is the database user."
  }

  validation {
    condition     = contains(range(1, 41), try(length(var.export.redshift.statements), 1))
    error_message = "Set 1 to 40 `export.redshift.statements`, the Data API's limit per batch."
  }

  validation {
    condition = alltrue([
      for one in try(var.export.redshift.statements, []) :
      !can(regex("(?i)(access_key_id|secret_access_key|\\bcredentials\\b)", one))
    ])
    error_message = "Use IAM_ROLE '<arn>' in `export.redshift.statements`, never keys, which state and logs would show."
  }

  validation {
    # Without a role, strcontains fails and nothing is refused.
    condition = alltrue([
      for one in try(var.export.redshift.statements, []) :
      !can(regex("(?i)^\\s*unload\\b", one)) || try(strcontains(one, var.export.redshift.unload_role_arn), true)
    ])
    error_message = "In `export.redshift.statements`, use IAM_ROLE with `unload_role_arn` in every UNLOAD."
  }
}

variable "imports" {
  description = "S3 folder and mode (FULL or INCREMENTAL) of each dataset to import after the export."
  type = map(object({
    location = string
    mode     = optional(string, "FULL")
  }))
  nullable = false

  validation {
    condition = (
      length(var.imports) > 0 &&
      alltrue([for dataset in keys(var.imports) : contains(["interactions", "users", "items"], dataset)])
    )
    error_message = "Set at least one entry in `imports`, with the key interactions, users or items."
  }

  validation {
    condition = alltrue([
      for one in values(var.imports) :
      can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", one.location)) && length(one.location) <= 256
    ])
    error_message = "Set each `imports` location to \"s3://bucket/prefix/\", with at most 256 characters."
  }

  validation {
    condition     = alltrue([for one in values(var.imports) : contains(["FULL", "INCREMENTAL"], one.mode)])
    error_message = "Set the mode of each import to \"FULL\" or \"INCREMENTAL\"."
  }
}

variable "dataset_group" {
  description = "Name of the Personalize dataset group, in this account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$", var.dataset_group))
    error_message = "Use the name of the dataset group, not its ARN: at most 63 letters, digits, - and _."
  }
}

variable "role_arn" {
  description = "ARN of the role that Personalize uses to read the CSV files."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.role_arn))
    error_message = "Set the ARN of a role, such as \"arn:aws:iam::123456789012:role/shop-personalize\"."
  }
}

variable "poll_seconds" {
  description = "Polling interval in seconds, and pause before retrying a throttled call."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.poll_seconds, 3600))) == var.poll_seconds
    error_message = "Use whole seconds from 1 to 3600."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which a running refresh is stopped and counts as failed."
  type        = number
  default     = 43200
  nullable    = false

  validation {
    condition     = floor(max(300, min(var.timeout_seconds, 604800))) == var.timeout_seconds
    error_message = "Use whole seconds from 300 (five minutes) to 604800 (a week)."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics to notify if a refresh can't be started."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.alarm_topic_arns : can(regex("^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))
    ])
    error_message = "Use ARNs of SNS topics, such as arn:aws:sns:eu-west-1:123456789012:on-call."
  }
}

variable "log_retention_days" {
  description = "Retention of the execution logs in days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "Use a number of days that CloudWatch accepts, such as 7, 14, 30, 90, 180 or 365."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key of the logs, whose policy needs kms_key_policy_json (null: CloudWatch's)."
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn)
    )
    error_message = "Use the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "tracing" {
  description = "Whether X-Ray traces executions."
  type        = bool
  default     = false
  nullable    = false
}

variable "operations_url" {
  description = "URL of docs/operations.md, which the alarm description links to."
  type        = string
  default     = "https://github.com/your-fork/segment-personalize/blob/v1.0.0/docs/operations.md"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^\\s#]{1,200}$", var.operations_url))
    error_message = "Start `operations_url` with https://, without spaces or an anchor (#…), 200 characters at most."
  }
}
