variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false
}

variable "package" {
  description = "Package built by `make package`: a local path, or an S3 object with its digest."
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
  description = "Event mapping, whose digest is stored with rejected messages (null: the mapping in the package)."
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
  description = "Region of Personalize, and its datasets: below `ssm_prefix`, or by ARN."
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
    error_message = "Set `ssm_prefix` as in the spec, such as \"/shop/personalize\", or the ARN of a dataset."
  }
}

variable "batch" {
  description = "Maximum messages per invocation, and seconds to wait for them."
  type = object({
    size           = optional(number, 100)
    window_seconds = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = floor(max(1, min(var.batch.size, 10000))) == var.batch.size
    error_message = "Set `size` to a whole number from 1 to 10000. One call carries ten users or items."
  }

  validation {
    condition     = floor(max(0, min(var.batch.window_seconds, 300))) == var.batch.window_seconds
    error_message = "Set `window_seconds` to a whole number from 0 to 300."
  }

  validation {
    condition     = var.batch.size <= 10 || var.batch.window_seconds >= 1
    error_message = "Set `window_seconds` to 1 or more, or `size` to 10 or less, which needs no window."
  }
}

variable "maximum_concurrency" {
  description = "Maximum number of running instances of the function, which share ten calls per second."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = floor(max(2, min(var.maximum_concurrency, 10))) == var.maximum_concurrency
    error_message = "Use a whole number from 2, Lambda's minimum, to 10, which leaves each copy one call per second."
  }
}

variable "max_receives" {
  description = "Deliveries of a message before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.max_receives, 1000))) == var.max_receives
    error_message = "Use a whole number from 1 to 1000. AWS recommends at least 5."
  }
}

variable "retention_days" {
  description = "Days that the queue and its dead-letter queue keep a message, counted from its arrival in the first."
  type = object({
    profiles     = optional(number, 4)
    dead_letters = optional(number, 14)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention_days) : floor(max(1, min(days, 14))) == days])
    error_message = "Use whole numbers of days from 1 to 14."
  }

  validation {
    condition     = var.retention_days.dead_letters > var.retention_days.profiles
    error_message = "Set `dead_letters` to more days than `profiles`: a message keeps its age when it moves."
  }
}

variable "profile_table" {
  description = "DynamoDB table that merges users and items column by column (null: none)."
  type = object({
    deletion_protection = optional(bool, true)
  })
  default = {}
}

variable "suppression_list" {
  description = "Suppression list of deleted users, maintained by `personalize-segment forget` (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "ARN of the KMS key of the queues and the table (null: keys owned by SQS and DynamoDB)."
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn)
    )
    error_message = "Use the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "memory_megabytes" {
  description = "Function memory in megabytes, which also sets its share of CPU."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Function timeout in seconds: failed messages are redelivered after six times as long."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = floor(max(5, min(var.timeout_seconds, 900))) == var.timeout_seconds
    error_message = "Use a whole number from 5 to 900."
  }
}

variable "architecture" {
  description = "Processor architecture, `arm64` or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "log" {
  description = "Log retention in days, minimum level (null: the function's default) and KMS key (null: CloudWatch's)."
  type = object({
    retention_days = optional(number, 30)
    level          = optional(string)
    kms_key_arn    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "tracing" {
  description = "Whether X-Ray traces each invocation."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the role (null: none)."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the role's trust policy requires aws:SourceAccount, which AWS doesn't document for Lambda."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of the role's name (null: stack name and region, because role names are global)."
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
