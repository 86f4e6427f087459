variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }

  validation {
    condition     = !startswith(var.name, "aws") && !startswith(var.name, "ssm")
    error_message = "Parameter Store refuses names that begin with aws or ssm. Choose another name, such as \"shop\"."
  }
}

variable "segment_external_ids" {
  description = "External IDs that Segment uses to assume the role: your workspace ID, in older setups the source ID."
  type        = list(string)
  nullable    = false
}

variable "write_key_secret" {
  description = "Existing secret with the write key of the Segment source that receives recommendations (null: none)."
  type = object({
    name        = string
    json_key    = optional(string)
    kms_key_arn = optional(string)
  })
}

variable "new_write_key" {
  description = "Write key for a new secret, never stored in state: set TF_VAR_new_write_key on every run."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "new_write_key_version" {
  description = "Number to increase when `new_write_key` changes (null: no new secret)."
  type        = number
  default     = null
}

variable "package" {
  description = "Package built by `make package`: a local path or an S3 object (null: `dist/` in this checkout)."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket        = string
      key           = string
      sha256_base64 = optional(string)
      kms_key_arn   = optional(string)
    }))
  })
  default = null
}

variable "event_mapping_path" {
  description = "Path of the event mapping file (null: built-in e-commerce and video mapping)."
  type        = string
  default     = null
}

variable "bucket" {
  description = "Bucket for training data, new or existing, with its KMS key and its folders."
  type = object({
    existing      = optional(object({ name = string }))
    name          = optional(string)
    kms_key_arn   = optional(string)
    force_destroy = optional(bool, false)
    lifecycle_days = optional(object({
      derived    = optional(number)
      stage      = optional(number)
      noncurrent = optional(number)
      uploads    = optional(number)
    }), {})
    prefixes = optional(object({
      transformed = optional(string)
      reports     = optional(string)
      batch       = optional(string)
      deletions   = optional(string)
      artifacts   = optional(string)
      stage       = optional(string)
    }), {})
  })
  default  = {}
  nullable = false
}

variable "segment_logs" {
  description = "Location that Segment's S3 destination writes to (null bucket: the bucket for training data)."
  type = object({
    bucket            = optional(string)
    prefix            = optional(string, "segment-logs/")
    kms_key_arn       = optional(string)
    let_segment_write = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "segment_principal_arns" {
  description = "ARNs of the Segment roles that can assume the role (null: the role that Segment documents)."
  type        = list(string)
  default     = null
}

variable "training_job" {
  description = "Glue job that turns Segment logs into training data."
  type = object({
    glue_version = optional(string, "5.0")
    wheels = optional(object({
      path = optional(string)
      s3 = optional(object({
        bucket      = string
        keys        = list(string)
        kms_key_arn = optional(string)
      }))
    }), {})
    workers = optional(object({
      type        = optional(string, "G.1X")
      number      = optional(number, 2)
      autoscaling = optional(bool, true)
      # Number of events from which on Spark, and not the driver alone, combines the rows of all days. By default what
      # fits the disk of the worker type.
      driver_events = optional(number)
    }), {})
    timeout_minutes = optional(number, 120)
    max_retries     = optional(number, 1)
    # Whether the job keeps the result of each day of logs and reads only new days.
    stage   = optional(bool, true)
    kms_key = optional(object({ arn = string }))
    # Removed. Kept for one release and refused, because Terraform ignores unknown attributes.
    kms_key_arn = optional(string)
    window = optional(object({
      since        = optional(string)
      until        = optional(string)
      overlap_days = optional(number)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.training_job.kms_key_arn == null
    error_message = "Use `kms_key = { arn = … }` instead of `kms_key_arn`."
  }
}

variable "suppression_list" {
  description = "Suppression list of deleted users, maintained by `personalize-segment forget` (null: none)."
  type = object({
    bucket      = optional(string)
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "warehouse" {
  description = "SQL statements that unload training data from a Segment warehouse, and the role that writes it."
  type = object({
    redshift = optional(object({
      schema   = string
      sql_path = optional(string)
      role     = optional(object({ arn = string }))
      # Removed: the module refuses it.
      role_arn = optional(string)
    }))
    snowflake = optional(object({
      schema      = string
      integration = string
      sql_path    = optional(string)
      trust       = optional(object({ user_arn = string, external_id = string }))
    }))
  })
  default  = {}
  nullable = false
}

variable "functions" {
  description = "Settings shared by both Lambda functions, and the event function's timeout."
  type = object({
    architecture             = optional(string, "arm64")
    memory_megabytes         = optional(number, 512)
    timeout_seconds          = optional(number, 5)
    time_budget_milliseconds = optional(number)
    reserved_concurrency     = optional(number)
    log = optional(object({
      retention_days = optional(number, 30)
      level          = optional(string)
      kms_key_arn    = optional(string)
    }), {})
    tracing         = optional(bool, false)
    segment_regions = optional(list(string), ["us-west-2"])
  })
  default  = {}
  nullable = false
}

variable "profile_queue" {
  description = "Queue between the event function and PutUsers and PutItems, which accept ten calls per second."
  type = object({
    batch               = optional(object({ size = optional(number, 100), window_seconds = optional(number, 5) }), {})
    maximum_concurrency = optional(number, 2)
    max_receives        = optional(number, 5)
  })
  default  = {}
  nullable = false
}

variable "profile_table" {
  description = "DynamoDB table that merges live users and items with those of each export (null: none)."
  type = object({
    deletion_protection = optional(bool)
  })
  default = {}
}

variable "keep_unmapped" {
  description = "Whether the rejected queue also keeps events without a rule (null: the function's default)."
  type        = bool
  default     = null
}

variable "personalize" {
  description = "Resources that `personalize-segment apply` creates in Personalize, as in docs/provisioning.md."
  type = object({
    domain        = optional(string)
    event_tracker = optional(bool, true)
    import_mode   = optional(string, "FULL")
    solutions = optional(map(object({
      recipe                  = optional(string, "aws-user-personalization-v2")
      automatic_training_days = optional(number, 7)
      events = optional(list(object({
        event_type      = string
        value_threshold = optional(number)
        weight          = optional(number)
      })))
      columns = optional(map(list(string)))
    })))
    campaigns = optional(map(object({
      solution      = string
      minimum_tps   = optional(number, 1)
      follow_latest = optional(bool, true)
    })))
    recommenders = optional(map(object({
      recipe      = string
      minimum_tps = optional(number, 1)
    })), {})
    filters             = optional(map(string), {})
    metric_attributions = optional(map(object({ event_type = string, expression = string })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["FULL", "INCREMENTAL"], var.personalize.import_mode)
    error_message = "Set `import_mode` to FULL or INCREMENTAL."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` refuses and names the command that destroys the campaign first."
  type        = bool
  default     = true
  nullable    = false
}

variable "recommend" {
  description = "Recommendations that the event function requests, as in modules/event-function."
  type = object({
    campaign      = optional(string)
    recommender   = optional(string)
    count         = optional(number)
    per_minute    = optional(number)
    to_visitors   = optional(bool)
    filter        = optional(string)
    filter_values = optional(map(string), {})
    context       = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.recommend.campaign == null || var.recommend.recommender == null
    error_message = "Set either `campaign` or `recommender`, not both."
  }
}

variable "write_back" {
  description = "When and how recommendations are written to user profiles, as in modules/event-function."
  type = object({
    events           = optional(list(string))
    interval_seconds = optional(number)
    trait            = optional(string)
    shape            = optional(string)
    segment_host     = optional(string)
  })
  default  = {}
  nullable = false
}

variable "monitoring" {
  description = "SNS topics to notify, URL of your copy of docs/operations.md, and alarm thresholds."
  type = object({
    alarm_topic_arns = optional(list(string), [])
    operations_url   = optional(string)
    thresholds = optional(object({
      silent_hours             = optional(number)
      recommendations_per_hour = optional(number)
      write_backs_per_hour     = optional(number)
      # Removed: the module refuses them.
      errors_percent                = optional(number)
      throttles                     = optional(number)
      duration_percent              = optional(number)
      raised_percent                = optional(number)
      rejected_percent              = optional(number)
      recommendation_failed_percent = optional(number)
      write_back_failed_percent     = optional(number)
      queue_age_seconds             = optional(number)
      dead_letters                  = optional(number)
      rejected_age_days             = optional(number)
    }), {})
  })
  default  = {}
  nullable = false
}

variable "refresh" {
  description = "Schedule for exporting and importing training data (null: no refresh)."
  type = object({
    schedule = object({
      expression = string
      time_zone  = optional(string, "UTC")
    })
    poll_seconds = optional(number, 60)
    redshift = optional(object({
      database           = string
      statements         = optional(list(string))
      workgroup_name     = optional(string)
      workgroup_arn      = optional(string)
      cluster_identifier = optional(string)
      secret_arn         = optional(string)
      secret_kms_key_arn = optional(string)
      db_user            = optional(string)
      unload_role_arn    = optional(string)
    }))
  })
  default = null

  validation {
    condition = (
      try(var.refresh.redshift, null) == null || try(var.refresh.redshift.statements, null) != null ||
      var.warehouse.redshift != null
    )
    error_message = "Set `warehouse.redshift`, whose statements the refresh runs, or `refresh.redshift.statements`."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for all roles (null: none)."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the Lambda and Glue roles require aws:SourceAccount, which AWS doesn't document for them."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of the names of roles and dashboard, which are global (null: stack name and region)."
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
