variable "name" {
  description = "Name of the stack, and prefix of the bucket's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "bucket_name" {
  description = "Name of a new bucket (null: derived from stack name, account and region)."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "Use 3 to 63 lowercase letters, digits and hyphens. Dots break TLS. Example: \"shop-personalize\"."
  }
}

variable "existing_bucket" {
  description = "Existing bucket in this region, whose policy needs the statements in policy_json (null: a new bucket)."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.existing_bucket == null || var.bucket_name == null
    error_message = "Set either `existing_bucket` or `bucket_name`, not both."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key for a new bucket (null: SSE-S3)."
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn)
    )
    error_message = "Use the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes a new bucket with everything in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "prefixes" {
  description = "Folders in the bucket, each ending in a slash (null: as in the README)."
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
    error_message = "Use letters, digits and . _ = - / in prefixes, and end them with a slash, such as \"batch/\"."
  }

  validation {
    condition     = alltrue([for prefix in compact(values(var.prefixes)) : length(prefix) <= 128])
    error_message = "Use at most 128 characters per prefix. Personalize accepts 256 for bucket, prefix and dataset."
  }
}

variable "lifecycle_days" {
  description = "Days until a new bucket deletes derived data, staged days, noncurrent versions and incomplete uploads."
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
    error_message = "Use whole numbers of days from 1 to 36500. To keep objects, set 36500 (a hundred years)."
  }
}
