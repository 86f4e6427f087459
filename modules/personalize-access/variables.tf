variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
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

variable "bucket" {
  description = "The bucket that Personalize reads and writes: its name, and the ARN of its KMS key if it has one."
  type = object({
    name        = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name))
    error_message = "Write bucket.name without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition = var.bucket.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.bucket.kms_key_arn)
    )
    error_message = "bucket.kms_key_arn is no ARN of a key. Write it as \"arn:aws:kms:eu-west-1:123456789012:key/…\"."
  }
}

variable "read_prefixes" {
  description = "Prefixes in the bucket that Personalize reads: training data, lists of deletions, input of batch jobs."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.read_prefixes) > 0
    error_message = "Personalize has nothing to read. Write at least one prefix, such as \"transformed/\"."
  }

  validation {
    condition = alltrue([
      for prefix in var.read_prefixes :
      can(regex("^([A-Za-z0-9._=-]+/)+$", prefix))
    ])
    error_message = "Write prefixes in letters, digits and . _ = - /, with / at their ends, such as \"batch/\"."
  }
}

variable "write_prefixes" {
  description = "Prefixes that Personalize writes: reports of metric attributions and output of batch jobs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for prefix in var.write_prefixes :
      can(regex("^([A-Za-z0-9._=-]+/)+$", prefix))
    ])
    error_message = "Write prefixes in letters, digits and . _ = - /, with / at their ends, such as \"batch/\"."
  }
}
