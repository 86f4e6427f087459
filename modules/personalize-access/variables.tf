variable "name" {
  description = "Name of the stack, which the role's name begins with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name has to be 1 to 20 lower case letters, digits and hyphens, first a letter and last no hyphen. Write it as \"shop\"."
  }
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
  description = "Tags of the role."
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

variable "bucket" {
  description = "The bucket that Personalize reads and writes: its name, and the ARN of its KMS key if it has one."
  type = object({
    name        = string
    kms_key_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name))
    error_message = "bucket.name is no name of a bucket. Write it without s3:// and without a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = var.bucket.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.bucket.kms_key_arn))
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
    condition     = alltrue([for prefix in var.read_prefixes : can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", prefix))])
    error_message = "A prefix to read has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"transformed/\"."
  }
}

variable "write_prefixes" {
  description = "Prefixes in the bucket that Personalize writes: reports of metric attributions, output of batch jobs. Empty: none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.write_prefixes : can(regex("^[A-Za-z0-9._=-][A-Za-z0-9._=/-]*/$", prefix))])
    error_message = "A prefix to write has letters, digits and . _ = - / only, begins without / and ends with it. Write it as \"reports/\"."
  }
}
