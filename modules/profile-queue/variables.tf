variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false
}

variable "package" {
  description = "The zip of `make package`: a local path, or an object in S3 with its digest."
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket        = string
      key           = string
      sha256_base64 = optional(string)
    }))
  })
  nullable = false
}

variable "event_mapping" {
  description = "The event mapping, whose digest is kept with what is rejected (null: the one in the package)."
  type = object({
    text   = string
    sha256 = string
    s3 = optional(object({
      bucket      = string
      key         = string
      kms_key_arn = optional(string)
    }))
  })
  default = null
}

variable "personalize" {
  description = "Where Personalize is, and its datasets: below `ssm_prefix`, or by ARN."
  type = object({
    region            = optional(string)
    ssm_prefix        = optional(string)
    users_dataset_arn = optional(string)
    items_dataset_arn = optional(string)
  })
  nullable = false

  validation {
    condition = anytrue([
      for key in ["ssm_prefix", "users_dataset_arn", "items_dataset_arn"] : var.personalize[key] != null
    ])
    error_message = "Write the `ssm_prefix` of the spec, such as \"/shop/personalize\", or the ARN of a dataset."
  }
}

variable "batch" {
  description = "Messages that the function gets at once at most, and seconds to wait for them."
  type = object({
    size           = optional(number, 100)
    window_seconds = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = floor(max(1, min(var.batch.size, 10000))) == var.batch.size
    error_message = "Write `size` as a whole number from 1 to 10000; ten users or items go into one call."
  }

  validation {
    condition     = floor(max(0, min(var.batch.window_seconds, 300))) == var.batch.window_seconds
    error_message = "Write `window_seconds` as a whole number from 0 to 300."
  }

  validation {
    condition     = var.batch.size <= 10 || var.batch.window_seconds >= 1
    error_message = "Write `window_seconds` of 1 or more, or a `size` of 10 or less, which needs no window."
  }
}

variable "maximum_concurrency" {
  description = "Copies of the function that may run at once and share ten calls per second."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = floor(max(2, min(var.maximum_concurrency, 10))) == var.maximum_concurrency
    error_message = "Write a whole number from 2, as Lambda wants, to 10, which leaves each a call per second."
  }
}

variable "max_receives" {
  description = "Deliveries of a message before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.max_receives, 1000))) == var.max_receives
    error_message = "Write a whole number from 1 to 1000, of which AWS recommends at least 5."
  }
}

variable "retention_days" {
  description = "Days that the queue and its dead-letter queue keep a message, counted from its first arrival."
  type = object({
    profiles     = optional(number, 4)
    dead_letters = optional(number, 14)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention_days) : floor(max(1, min(days, 14))) == days])
    error_message = "Write whole numbers of days from 1 to 14."
  }

  validation {
    condition     = var.retention_days.dead_letters > var.retention_days.profiles
    error_message = "Write more days for `dead_letters` than for `profiles`: a message keeps its age when it moves."
  }
}

variable "profile_table" {
  description = "The DynamoDB table that merges users and items column by column (null: none)."
  type = object({
    deletion_protection = optional(bool, true)
  })
  default = {}
}

variable "suppression_list" {
  description = "The list of deleted users that `personalize-segment forget` keeps (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "ARN of the key of the queues and the table (null: keys of SQS and DynamoDB)."
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn)
    )
    error_message = "Write the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "memory_megabytes" {
  description = "Memory of the function in megabytes, which also sets its share of CPU."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time-out of the function in seconds, six of which pass before a failed message is redelivered."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = floor(max(5, min(var.timeout_seconds, 900))) == var.timeout_seconds
    error_message = "Write a whole number from 5 to 900."
  }
}

variable "architecture" {
  description = "Processor of the function, `arm64` or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "log" {
  description = "Log retention in days, least level (null: the function's default) and KMS key (null: CloudWatch's)."
  type = object({
    retention_days = optional(number, 30)
    level          = optional(string)
    kms_key_arn    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "tracing" {
  description = "Whether each call is traced with X-Ray."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the role (null: none)."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the role's trust requires aws:SourceAccount, which AWS doesn't document for Lambda."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the role's name (null: the stack and the region, since roles are global)."
  type        = string
  default     = null
}

variable "iam_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"
  nullable    = false
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
