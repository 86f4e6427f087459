variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
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

variable "bucket" {
  description = "Bucket that Personalize reads and writes: its name, and the ARN of its KMS key if it has one."
  type = object({
    name        = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name))
    error_message = "Set `bucket.name` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition = var.bucket.kms_key_arn == null || can(
      regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.bucket.kms_key_arn)
    )
    error_message = "Set `bucket.kms_key_arn` to a key's ARN, such as \"arn:aws:kms:eu-west-1:123456789012:key/…\"."
  }
}

variable "read_prefixes" {
  description = "Prefixes that Personalize reads: training data, deletion lists and input of batch jobs."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.read_prefixes) > 0
    error_message = "Set at least one prefix for Personalize to read, such as \"transformed/\"."
  }

  validation {
    condition = alltrue([
      for prefix in var.read_prefixes :
      can(regex("^([A-Za-z0-9._=-]+/)+$", prefix))
    ])
    error_message = "Use letters, digits and . _ = - / in prefixes, and end them with a slash, such as \"batch/\"."
  }
}

variable "write_prefixes" {
  description = "Prefixes that Personalize writes: metric attribution reports and output of batch jobs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for prefix in var.write_prefixes :
      can(regex("^([A-Za-z0-9._=-]+/)+$", prefix))
    ])
    error_message = "Use letters, digits and . _ = - / in prefixes, and end them with a slash, such as \"batch/\"."
  }
}
