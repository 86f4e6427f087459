variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "source_conditions" {
  description = "Whether the role's trust policy requires aws:SourceAccount and aws:SourceArn, undocumented for Glue."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of the role's name (null: stack name and region, because role names are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the role."
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
  description = "ARN of the permissions boundary for the role (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Set the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "package" {
  description = "Package built by `make package`: a local path or an S3 object (neither: `dist/` in this checkout)."
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
    error_message = "Set either `package.path` or `package.s3`, not both."
  }

  validation {
    condition     = var.package.s3 == null || endswith(try(var.package.s3.key, ".zip"), ".zip")
    error_message = "Use a `package.s3.key` that ends in .zip, by which Glue recognizes a package."
  }
}

variable "glue_version" {
  description = "AWS Glue version."
  type        = string
  default     = "5.0"
  nullable    = false

  validation {
    condition     = contains(["5.0", "5.1", "6.0"], var.glue_version)
    error_message = "Use \"5.0\", \"5.1\" or \"6.0\". Wheels weren't tested on other versions."
  }
}

variable "wheels" {
  description = "Wheels built by `make package` for this Glue version: a folder or S3 objects (neither: `dist/`)."
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
    error_message = "Set either `wheels.path` or `wheels.s3`, not both."
  }

  validation {
    condition     = alltrue([for key in try(var.wheels.s3.keys, []) : endswith(key, ".whl")])
    error_message = "Keep the file names from `make package` in `wheels.s3.keys`: pip recognizes wheels by name."
  }
}

variable "script_path" {
  description = "Path of the job's script (null: glue/segment_to_personalize.py in this checkout)."
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
    error_message = "Set `artifacts.bucket` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.artifacts.prefix))
    error_message = "Use letters, digits and . _ = - / in `artifacts.prefix`, with / at the end: \"artifacts/\"."
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
    error_message = "Set `logs.bucket` without s3:// or a prefix, such as \"shop-segment-logs\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.logs.prefix))
    error_message = "Use letters, digits and . _ = - / in `logs.prefix`, ending in a slash, such as \"segment-logs/\"."
  }
}

variable "output" {
  description = "Bucket, prefix and the bucket's KMS key for training data, with one folder per dataset."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output.bucket))
    error_message = "Set `output.bucket` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", var.output.prefix))
    error_message = "Use letters, digits and . _ = - / in `output.prefix`, ending in a slash, such as \"transformed/\"."
  }
}

variable "stage" {
  description = "Bucket, prefix and KMS key of staged days, so that a run reads only new days (null: reads all days)."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.stage.bucket, "shop")))
    error_message = "Set `stage.bucket` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)+$", try(var.stage.prefix, "stage/")))
    error_message = "Use letters, digits and . _ = - / in `stage.prefix`, ending in a slash, such as \"stage/\"."
  }
}

variable "event_mapping" {
  description = "Outputs of the module event-mapping, plus the mapping's S3 object if it is `large`."
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
    error_message = "Pass `text` and `sha256` of one module event-mapping: this digest doesn't match the text."
  }
}

variable "workers" {
  description = "Glue worker type, number of workers including the driver, and whether that number is a maximum."
  type = object({
    type        = optional(string, "G.1X")
    number      = optional(number, 2)
    autoscaling = optional(bool, true)
    # Number of events from which on Spark, and not the driver alone, combines the rows of all days. By default what
    # fits the disk of the worker type.
    driver_events = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.workers.type)
    error_message = "Set the worker type to G.1X, G.2X, G.4X or G.8X."
  }

  validation {
    condition     = floor(max(2, min(var.workers.number, 299))) == var.workers.number
    error_message = "Use a whole number from 2 to 299. A Spark job needs a driver and at least one worker."
  }

  validation {
    condition     = try(floor(max(0, var.workers.driver_events)) == var.workers.driver_events, true)
    error_message = "Set driver_events to a whole number of events, or to 0 so that Spark always combines the rows."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which a run is stopped."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.timeout_minutes, 10080))) == var.timeout_minutes
    error_message = "Use whole minutes from 1 to 10080, Glue's limit of seven days."
  }
}

variable "max_retries" {
  description = "Number of retries of a failed run, each of which replaces earlier output."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = floor(max(0, min(var.max_retries, 10))) == var.max_retries
    error_message = "Use a whole number from 0 to 10, Glue's limit."
  }
}

variable "window" {
  description = "Days of receipt to read: since, until (the day after the last), and overlap_days for duplicates."
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
    error_message = "Set `window.since` and `window.until` to days, such as \"2026-01-31\"."
  }

  validation {
    condition     = try(timecmp("${var.window.since}T00:00:00Z", "${var.window.until}T00:00:00Z") < 0, true)
    error_message = "Set `window.until` to a day after `window.since`. It is the first day that isn't read."
  }

  validation {
    condition     = var.window.overlap_days >= 0 && floor(var.window.overlap_days) == var.window.overlap_days
    error_message = "Use whole days in `window.overlap_days`. Segment repeats events about a day later."
  }
}

variable "suppression_list" {
  description = "Suppression list of deleted users, maintained by `personalize-segment forget` (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.suppression_list.bucket, "shop")))
    error_message = "Set `suppression_list.bucket` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-]+(/+[A-Za-z0-9._=-]+)*$", try(var.suppression_list.key, "list.csv")))
    error_message = "Set `suppression_list.key` without a slash at either end, such as \"privacy/suppressed.csv\"."
  }
}

variable "profiles" {
  description = "Profile table and queue that the job loads each export into, with their KMS key (null: none)."
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
    error_message = "Set `profiles.table_arn` to a table's ARN: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME."
  }

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", var.profiles.queue_arn)) || var.profiles == null
    error_message = "Set `profiles.queue_arn` to a queue's ARN: arn:aws:sqs:REGION:ACCOUNT:NAME."
  }
}

variable "kms_key" {
  description = "ARN of the KMS key of the job's logs, as an object so that the same apply can create the key."
  type        = object({ arn = string })
  default     = null

  validation {
    condition = var.kms_key == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key.arn)
    )
    error_message = "Use the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "log_retention_days" {
  description = "Retention of the job's logs in days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "Use a number of days that CloudWatch accepts, such as 7, 14, 30, 90, 180 or 365."
  }
}
