variable "name" {
  description = "Name of the stack, the beginning of all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false
}

variable "package" {
  description = "The zip of `make package`: a local path, or an object in S3. `sha256_base64` is the digest of that object; without it, a new object under the same key is not deployed."
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
  description = "The event mapping, whose digest is kept with rejected users and items: its canonical text, and the sha256 of it. Null: the one that ships with the package. `s3` is the object that has this text, if it is too large for a setting."
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
  description = "Where Personalize is, and its datasets. `ssm_prefix` is where `personalize-segment apply` writes their ARNs; those that are given here go before. `region` null is the function's own."
  type = object({
    region            = optional(string)
    ssm_prefix        = optional(string)
    users_dataset_arn = optional(string)
    items_dataset_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = var.personalize.ssm_prefix != null || var.personalize.users_dataset_arn != null || var.personalize.items_dataset_arn != null
    error_message = "Without a dataset nothing can be sent: write the `ssm_prefix` of the spec, such as \"/shop/personalize\", or the ARN of a dataset."
  }
}

variable "batch" {
  description = "How many messages the function gets at once at most, and how many seconds are waited for them."
  type = object({
    size           = optional(number, 100)
    window_seconds = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.batch.size >= 1 && var.batch.size <= 10000 && floor(var.batch.size) == var.batch.size
    error_message = "Write `size` as a whole number from 1 to 10000; ten users or items go into one call."
  }

  validation {
    condition     = var.batch.window_seconds >= 0 && var.batch.window_seconds <= 300 && floor(var.batch.window_seconds) == var.batch.window_seconds
    error_message = "Write `window_seconds` as a whole number from 0 to 300."
  }

  validation {
    condition     = var.batch.size <= 10 || var.batch.window_seconds >= 1
    error_message = "Lambda gathers more than 10 messages only in a window: write `window_seconds` of 1 or more, or a `size` of 10 or less."
  }
}

variable "maximum_concurrency" {
  description = "How many copies of the function may run at once. They share the ten calls a second that PutUsers and PutItems each take."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 10 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "Write a whole number from 2 to 10: Lambda takes no less, and with more there is not one call a second left for each."
  }
}

variable "max_receives" {
  description = "How many times a message is tried before it goes to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receives >= 1 && var.max_receives <= 1000 && floor(var.max_receives) == var.max_receives
    error_message = "Write a whole number from 1 to 1000; AWS recommends at least 5 for a queue that a function empties."
  }
}

variable "retention_days" {
  description = "How many days messages are kept: in the queue of profiles, and in its dead-letter queue, where their age goes on from the first. The queue of rejected events keeps them for 14, which is the most there is."
  type = object({
    profiles     = optional(number, 4)
    dead_letters = optional(number, 14)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 1 && days <= 14 && floor(days) == days])
    error_message = "Write whole numbers of days from 1 to 14."
  }

  validation {
    condition     = var.retention_days.dead_letters > var.retention_days.profiles
    error_message = "Write more days for `dead_letters` than for `profiles`: a message keeps its age when it moves, and would be gone before anybody sees it."
  }
}

variable "profile_table" {
  description = "The DynamoDB table where users and items are merged column by column. `deletion_protection` keeps `terraform destroy` from deleting it. Null: no table, and each event replaces everything that earlier ones said of its user or item."
  type = object({
    deletion_protection = optional(bool, true)
  })
  default = {}
}

variable "suppression_list" {
  description = "The list of forgotten users that `personalize-segment forget` keeps: bucket, key, and the ARN of the bucket's KMS key if it has one. Its users are neither stored nor sent. The object must be there; an empty one is a list of nobody. Null: no list."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "Your own key for the queues and the table. Null: SQS and DynamoDB encrypt with keys of their own."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", coalesce(var.kms_key_arn, "arn:aws:kms:us-west-2:123456789012:key/1")))
    error_message = "Write the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "memory_megabytes" {
  description = "Memory of the function, in megabytes; its CPU grows with it."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time-out of the function, in seconds. A message that failed comes back after six times as long."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 5 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
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
  description = "The function's log: how many days it is kept, the least level written (null: the function's default), and the key it is encrypted with (null: one of CloudWatch's own)."
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
  description = "Permissions boundary of the role. Null: none."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the trust of the role requires aws:SourceAccount, which AWS doesn't document that Lambda sends."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the name of the role. Null: the name of the stack and the region, since IAM roles are global to the account."
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
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}
