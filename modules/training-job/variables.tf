variable "name" {
  description = "Name of the stack, which all names begin with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name has to be 1 to 20 lower case letters, digits and hyphens, first a letter and last no hyphen. Write it as \"shop\"."
  }
}

variable "source_conditions" {
  description = "Whether the trust of the role requires aws:SourceAccount and aws:SourceArn, which AWS doesn't document that Glue sends."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the name of the role. Null: the name of the stack and the region, since IAM roles are global to the account."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", coalesce(var.name_prefix, "shop")))
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
  description = "Tags of everything that has tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds the role. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "The boundary is no ARN of a policy. Write it as \"arn:aws:iam::123456789012:policy/boundary\"."
  }
}

variable "package" {
  description = "The zip of `make package`: its path, or its place in S3 with the bucket's KMS key if it has one. Empty: dist/personalize-segment.zip of this repository."
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

variable "script_path" {
  description = "Path of the job's script. Null: glue/segment_to_personalize.py of this repository."
  type        = string
  default     = null
}

variable "artifacts" {
  description = "Where script and package are uploaded to: bucket, prefix, and the ARN of the bucket's KMS key if it has one."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifacts.bucket))
    error_message = "artifacts.bucket is no name of a bucket. Write it without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", var.artifacts.prefix))
    error_message = "artifacts.prefix has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"artifacts/\"."
  }
}

variable "logs" {
  description = "Where Segment's S3 destination writes: bucket, prefix, and the ARN of the bucket's KMS key if it has one."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.logs.bucket))
    error_message = "logs.bucket is no name of a bucket. Write it without s3:// and without a prefix, such as \"shop-segment-logs\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", var.logs.prefix))
    error_message = "logs.prefix has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"segment-logs/\"."
  }
}

variable "output" {
  description = "Where the training data goes, in a folder for each dataset: bucket, prefix, and the ARN of the bucket's KMS key if it has one."
  type = object({
    bucket      = string
    prefix      = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.output.bucket))
    error_message = "output.bucket is no name of a bucket. Write it without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", var.output.prefix))
    error_message = "output.prefix has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"transformed/\"."
  }
}

variable "event_mapping" {
  description = "The event mapping: its canonical text and the digest of that, as the module event-mapping puts them out. `s3` is the object that has this text, if it is too large for a setting."
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
  description = "Glue's worker type, the number of workers, the driver included, and whether that is the most (autoscaling) or always so."
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
    condition     = var.workers.number >= 2 && var.workers.number <= 299 && floor(var.workers.number) == var.workers.number
    error_message = "A Spark job has one driver and at least one worker beside it. Write a whole number from 2 to 299."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which a run is stopped."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 10080 && floor(var.timeout_minutes) == var.timeout_minutes
    error_message = "Glue stops a run after seven days at the latest. Write whole minutes from 1 to 10080."
  }
}

variable "max_retries" {
  description = "How often Glue starts a run again that failed; each replaces what an earlier one wrote."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_retries >= 0 && var.max_retries <= 10 && floor(var.max_retries) == var.max_retries
    error_message = "Glue retries up to ten times. Write a whole number from 0 to 10."
  }
}

variable "window" {
  description = "Received days to read: since (the first one, YYYY-MM-DD), until (the day after the last) and overlap_days before since that are read only for repeats. Empty: all logs."
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
    error_message = "The window ends before it begins. Write a window.until after window.since: it is the first day that is not read."
  }

  validation {
    condition     = var.window.overlap_days >= 0 && floor(var.window.overlap_days) == var.window.overlap_days
    error_message = "The overlap has whole days. Write 0 or more for window.overlap_days; Segment repeats an event about a day later."
  }
}

variable "suppression_list" {
  description = "Where the list of forgotten users lies, which `personalize-segment forget` keeps: bucket, key, and the ARN of the bucket's KMS key if it has one. It has to be there when the job runs; an empty file is a list of nobody. Null: no list."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.suppression_list.bucket)) || var.suppression_list == null
    error_message = "suppression_list.bucket is no name of a bucket. Write it without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*[A-Za-z0-9._=-]$", var.suppression_list.key)) || var.suppression_list == null
    error_message = "suppression_list.key is no key of one object. Write it without / at its ends, such as \"privacy/suppressed.csv\"."
  }
}

variable "kms_key" {
  description = "The key that the job's logs are encrypted with, in a Glue security configuration. Null: none. Training data is encrypted with the output bucket's key only. An object, so that a key of the same apply can be given."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key.arn)) || var.kms_key == null
    error_message = "kms_key.arn is no ARN of a key. Write it as \"arn:aws:kms:eu-west-1:123456789012:key/…\"."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the job's logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "CloudWatch does not keep logs for that many days. Write one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more (see CloudWatch Logs)."
  }
}
