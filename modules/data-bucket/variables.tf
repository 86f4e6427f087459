variable "name" {
  description = "Name of the stack, which the bucket's name begins with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name has to be 1 to 20 lower case letters, digits and hyphens, first a letter and last no hyphen. Write it as \"shop\"."
  }
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "bucket_name" {
  description = "Name of the bucket that is made. Null: the name of the stack, the account and the region, in one."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "A bucket's name has 3 to 63 lower case letters, digits and hyphens (a dot breaks TLS). Write it as \"shop-personalize\", or leave it out."
  }
}

variable "existing_bucket" {
  description = "A bucket that is there already, in this region; its own settings stay as they are, and policy_json has to be merged into its policy. Null: a bucket is made."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.existing_bucket == null || var.bucket_name == null
    error_message = "The bucket either exists or is made. Write existing_bucket or bucket_name, not both."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that a made bucket encrypts with. Null: SSE-S3."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "An alias or an id is no ARN of a key. Write it as \"arn:aws:kms:eu-west-1:123456789012:key/…\"."
  }
}

variable "force_destroy" {
  description = "Whether destroy deletes a made bucket with everything in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "prefixes" {
  description = "The folders in the bucket: Segment's logs, training data, reports of metric attributions, batch jobs (input and output), lists of users to delete, and the job's code. Null: `segment-logs/`, and folders with the names of the others, in an existing bucket below NAME/."
  type = object({
    logs        = optional(string)
    transformed = optional(string)
    reports     = optional(string)
    batch       = optional(string)
    deletions   = optional(string)
    artifacts   = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for prefix in compact(values(var.prefixes)) : can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", prefix))])
    error_message = "A prefix has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"personalize/transformed/\"."
  }

  validation {
    condition     = alltrue([for prefix in compact(values(var.prefixes)) : length(prefix) <= 128])
    error_message = "A prefix is too long: Personalize takes 256 characters for bucket, prefix and dataset. Write 128 characters at most."
  }
}

variable "lifecycle_days" {
  description = "Days after which a made bucket forgets: derived (training data, batch jobs and lists of deletions, which can all be made again), noncurrent (what was overwritten or deleted) and uploads (that were never completed)."
  type = object({
    derived    = optional(number, 90)
    noncurrent = optional(number, 7)
    uploads    = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_days) : days >= 1 && days <= 36500 && floor(days) == days])
    error_message = "Days are whole numbers from 1 to 36500. Write 36500, a hundred years, for what shall stay."
  }
}
