variable "name" {
  description = "Name of the stack, which the bucket's name begins with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "bucket_name" {
  description = "Name of a new bucket (null: made of the name of the stack, the account and the region)."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "Write 3 to 63 lower-case letters, digits and - (a dot breaks TLS), such as \"shop-personalize\"."
  }
}

variable "existing_bucket" {
  description = "A bucket of yours in this region, whose policy needs the statements of policy_json (null: a new one)."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.existing_bucket == null || var.bucket_name == null
    error_message = "The bucket either exists or is made. Write existing_bucket or bucket_name, not both."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that a new bucket encrypts with (null: SSE-S3)."
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn)
    )
    error_message = "Write the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "force_destroy" {
  description = "Whether destroy deletes a made bucket with everything in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "prefixes" {
  description = "Folders in the bucket, each ending in / (null: as in the README)."
  type = object({
    logs        = optional(string)
    transformed = optional(string)
    reports     = optional(string)
    batch       = optional(string)
    deletions   = optional(string)
    artifacts   = optional(string)
    stage       = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for prefix in compact(values(var.prefixes)) :
      can(regex("^([A-Za-z0-9._=-]+/)+$", prefix))
    ])
    error_message = "Write prefixes in letters, digits and . _ = - /, with / at their ends, such as \"batch/\"."
  }

  validation {
    condition     = alltrue([for prefix in compact(values(var.prefixes)) : length(prefix) <= 128])
    error_message = "Write prefixes of 128 characters at most: Personalize takes 256 for bucket, prefix and dataset."
  }
}

variable "lifecycle_days" {
  description = "Days after which a new bucket deletes derived data, staged days, noncurrent versions and lost uploads."
  type = object({
    derived    = optional(number, 90)
    stage      = optional(number, 365)
    noncurrent = optional(number, 7)
    uploads    = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for days in values(var.lifecycle_days) :
      floor(max(1, min(days, 36500))) == days
    ])
    error_message = "Days are whole numbers from 1 to 36500. Write 36500, a hundred years, for what shall stay."
  }
}
