variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "source_conditions" {
  description = "Whether the role's trust requires aws:SourceAccount and aws:SourceArn, undocumented for Glue."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the role's name (null: the stack and the region, since roles are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Write `iam_path` with / at both ends, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the role (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "package" {
  description = "The zip of `make package`: a path, or a place in S3 (neither: this repository's)."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket      = string
      key         = string
      kms_key_arn = optional(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.package.path == null || var.package.s3 == null
    error_message = "The package comes either from here or from S3. Write package.path or package.s3, not both."
  }

  validation {
    condition     = var.package.s3 == null || endswith(try(var.package.s3.key, ".zip"), ".zip")
    error_message = "Glue tells a package by its ending. Write a package.s3.key that ends with .zip."
  }
}

variable "glue_version" {
  description = "Version of AWS Glue."
  type        = string
  default     = "5.0"
  nullable    = false

  validation {
    condition     = contains(["5.0", "5.1", "6.0"], var.glue_version)
    error_message = "Write \"5.0\", \"5.1\" or \"6.0\": for other versions no wheels were tried."
  }
}

variable "wheels" {
  description = "The wheels of `make package` for this Glue: a folder, or objects in S3 (neither: `dist/` here)."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket      = string
      keys        = list(string)
      kms_key_arn = optional(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.wheels.path == null || var.wheels.s3 == null
    error_message = "The wheels come either from here or from S3. Write wheels.path or wheels.s3, not both."
  }

  validation {
    condition     = alltrue([for key in try(var.wheels.s3.keys, []) : endswith(key, ".whl")])
    error_message = "pip tells a wheel by its name. Write wheels.s3.keys with the names that `make package` gives."
  }
}

variable "script_path" {
  description = "Path of the job's script (null: glue/segment_to_personalize.py of this repository)."
  type        = string
  default     = null
}

variable "artifacts" {
  description = "Bucket, prefix and the bucket's KMS key for script and package."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifacts.bucket))
    error_message = "Write artifacts.bucket without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.artifacts.prefix))
    error_message = "Write artifacts.prefix in letters, digits and . _ = - / with / at its end, such as \"artifacts/\"."
  }
}

variable "logs" {
  description = "Bucket, prefix and the bucket's KMS key of Segment's S3 destination."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.logs.bucket))
    error_message = "Write logs.bucket without s3:// and without a prefix, such as \"shop-segment-logs\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.logs.prefix))
    error_message = "Write logs.prefix in letters, digits and . _ = - /, with / at its end, such as \"segment-logs/\"."
  }
}

variable "output" {
  description = "Bucket, prefix and the bucket's KMS key for training data, a folder for each dataset."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output.bucket))
    error_message = "Write output.bucket without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.output.prefix))
    error_message = "Write output.prefix in letters, digits and . _ = - /, with / at its end, such as \"transformed/\"."
  }
}

variable "stage" {
  description = "Bucket, prefix and key of what each day of logs gives, so that a run reads new days only (null: all)."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.stage.bucket, "shop")))
    error_message = "Write stage.bucket without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", try(var.stage.prefix, "stage/")))
    error_message = "Write stage.prefix in letters, digits and . _ = - /, with / at its end, such as \"stage/\"."
  }
}

variable "event_mapping" {
  description = "The event mapping: the outputs of the module event-mapping, and its place in S3 if it is `large`."
  type = object({
    text   = string
    sha256 = string
    s3 = optional(object({
      bucket      = string
      key         = string
      kms_key_arn = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = var.event_mapping.sha256 == sha256(var.event_mapping.text)
    error_message = "The digest is not that of the text. Write the outputs text and sha256 of one module event-mapping."
  }
}

variable "workers" {
  description = "Glue's worker type, the number of workers including the driver, and whether that is a maximum."
  type = object({
    type        = optional(string, "G.1X")
    number      = optional(number, 2)
    autoscaling = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.workers.type)
    error_message = "That is no worker type for this job. Write G.1X, G.2X, G.4X or G.8X."
  }

  validation {
    condition     = floor(max(2, min(var.workers.number, 299))) == var.workers.number
    error_message = "A Spark job has one driver and at least one worker beside it. Write a whole number from 2 to 299."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which a run is stopped."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.timeout_minutes, 10080))) == var.timeout_minutes
    error_message = "Glue stops a run after seven days at the latest. Write whole minutes from 1 to 10080."
  }
}

variable "max_retries" {
  description = "Retries of a failed run, each of which replaces what an earlier one wrote."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = floor(max(0, min(var.max_retries, 10))) == var.max_retries
    error_message = "Glue retries up to ten times. Write a whole number from 0 to 10."
  }
}

variable "window" {
  description = "Received days to read: since, until (the day after the last), and overlap_days for repeats."
  type = object({
    since        = optional(string)
    until        = optional(string)
    overlap_days = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for day in compact([var.window.since, var.window.until]) :
      can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", day)) && can(timeadd("${day}T00:00:00Z", "0s"))
    ])
    error_message = "window.since or window.until is no day. Write it as \"2026-01-31\"."
  }

  validation {
    condition     = try(timecmp("${var.window.since}T00:00:00Z", "${var.window.until}T00:00:00Z") < 0, true)
    error_message = "Write a window.until after window.since, since it is the first day that is not read."
  }

  validation {
    condition     = var.window.overlap_days >= 0 && floor(var.window.overlap_days) == var.window.overlap_days
    error_message = "Write whole days for window.overlap_days: Segment repeats events about a day later."
  }
}

variable "suppression_list" {
  description = "The list of deleted users that `personalize-segment forget` keeps (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.suppression_list.bucket, "shop")))
    error_message = "Write `bucket` of the suppression list without s3:// and a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-]+(/+[A-Za-z0-9._=-]+)*$", try(var.suppression_list.key, "list.csv")))
    error_message = "Write `key` of the suppression list without / at its ends, such as \"privacy/suppressed.csv\"."
  }
}

variable "profiles" {
  description = "Profile table and queue, with their KMS key, into which the job loads each export (null: none)."
  type = object({
    table_arn   = string
    queue_arn   = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition = (
      can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/", var.profiles.table_arn)) || var.profiles == null
    )
    error_message = "profiles.table_arn isn't a table's ARN. Write arn:aws:dynamodb:REGION:ACCOUNT:table/NAME."
  }

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", var.profiles.queue_arn)) || var.profiles == null
    error_message = "profiles.queue_arn isn't a queue's ARN. Write arn:aws:sqs:REGION:ACCOUNT:NAME."
  }
}

variable "kms_key" {
  description = "ARN of the KMS key of the job's logs, as an object so that it may be made in the same apply."
  type        = object({ arn = string })
  default     = null

  validation {
    condition = var.kms_key == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key.arn)
    )
    error_message = "Write the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the job's logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "Write a number of days that CloudWatch takes, such as 7, 14, 30, 90, 180 or 365."
  }
}
