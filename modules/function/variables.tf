variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "suffix" {
  description = "Suffix of the names of the function, its log group and its role, such as `event`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{1,12}$", var.suffix))
    error_message = "Use 1 to 12 lowercase letters, such as \"event\"."
  }
}

variable "description" {
  description = "Description of the function in the AWS console."
  type        = string
  nullable    = false
}

variable "alias_description" {
  description = "Description of the alias in the AWS console."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Function in personalize_segment.live.handler that Lambda calls."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["segment_event", "profile_batch"], var.handler)
    error_message = "Use \"segment_event\" or \"profile_batch\"."
  }
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

  validation {
    condition     = (var.package.path == null) != (var.package.s3 == null)
    error_message = "Set exactly one of `package.path` and `package.s3`."
  }
}

variable "event_mapping" {
  description = "Outputs of the module event-mapping (null: the mapping in the package)."
  type = object({
    text   = string
    sha256 = string
    s3 = optional(object({
      bucket      = string
      key         = string
      kms_key_arn = optional(string)
    }))
  })

  validation {
    condition = var.event_mapping == null || try(
      can(jsondecode(var.event_mapping.text)) && var.event_mapping.sha256 == sha256(var.event_mapping.text), false
    )
    error_message = "Pass the outputs `text` and `sha256` of the module event-mapping. This isn't JSON with its digest."
  }
}

variable "personalize" {
  description = "Region of Personalize, and the SSM prefix where `personalize-segment apply` writes its results."
  type = object({
    region            = optional(string)
    ssm_prefix        = optional(string)
    users_dataset_arn = optional(string)
    items_dataset_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = var.personalize.region == null || can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", var.personalize.region))
    error_message = "Set `region` to an AWS region, such as eu-west-1."
  }

  validation {
    condition = var.personalize.ssm_prefix == null || can(
      regex("^(/[A-Za-z0-9_.-]+)+$", var.personalize.ssm_prefix)
    )
    error_message = "Start `ssm_prefix` with a slash, without one at the end, such as \"/shop/personalize\"."
  }

  validation {
    condition     = !can(regex("^/(?i:aws|ssm)", coalesce(var.personalize.ssm_prefix, "/shop")))
    error_message = "Don't start `ssm_prefix` with aws or ssm, which Parameter Store refuses."
  }

  validation {
    condition = alltrue([
      for dataset, arn in { USERS = var.personalize.users_dataset_arn, ITEMS = var.personalize.items_dataset_arn } :
      arn == null || can(
        regex("^arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:dataset/[A-Za-z0-9_-]+/${dataset}$", arn)
      )
    ])
    error_message = join(" ", [
      "Use the dataset ARNs as printed by `personalize-segment status`, such as",
      "arn:aws:personalize:REGION:ACCOUNT:dataset/GROUP/USERS, and /ITEMS.",
    ])
  }
}

variable "datasets" {
  description = "Datasets that the function itself writes: `users`, `items`, both or none."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(var.datasets, ["users", "items"])) == 0
    error_message = "Use \"users\", \"items\", both or none."
  }
}

variable "results" {
  description = "Paths below `ssm_prefix` of the results that the function reads, by setting."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "settings" {
  description = "Other settings of the function (null: the function's default)."
  type        = map(string)
  nullable    = false
}

variable "queues" {
  description = "Queues whose URLs are settings, by setting (null: none)."
  type = map(object({
    url = string
    arn = string
  }))
  default  = {}
  nullable = false
}

variable "rejected_queue" {
  description = "Queue for rejected events (null: rejected events are only counted)."
  type = object({
    url         = string
    arn         = string
    kms_key_arn = optional(string)
  })
}

variable "suppression_list" {
  description = "Suppression list of deleted users, maintained by `personalize-segment forget` (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.suppression_list.bucket, "shop")))
    error_message = "Set `suppression_list.bucket` without s3:// or a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-]+(/+[A-Za-z0-9._=-]+)*$", try(var.suppression_list.key, "list.csv")))
    error_message = "Set `suppression_list.key` without a slash at either end, such as \"privacy/suppressed.csv\"."
  }
}

variable "memory_megabytes" {
  description = "Function memory in megabytes."
  type        = number
  nullable    = false

  validation {
    condition     = floor(max(128, min(var.memory_megabytes, 10240))) == var.memory_megabytes
    error_message = "Use a whole number from 128 to 10240, such as 512."
  }
}

variable "timeout_seconds" {
  description = "Function timeout in seconds."
  type        = number
  nullable    = false
}

variable "architecture" {
  description = "Processor architecture, `arm64` or `x86_64`."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use \"arm64\" or \"x86_64\"."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency (null: none)."
  type        = number
  default     = null

  validation {
    condition     = can(regex("^[1-9][0-9]*$", tostring(coalesce(var.reserved_concurrency, 1))))
    error_message = "Use a whole number of at least 1, or null for no reservation. With 0, the function never runs."
  }
}

variable "log" {
  description = "Log retention in days, minimum level (null: the function's default) and KMS key (null: CloudWatch's)."
  type = object({
    retention_days = number
    level          = optional(string)
    kms_key_arn    = optional(string)
  })
  nullable = false

  validation {
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log.retention_days)
    error_message = "Set `retention_days` to a number that CloudWatch accepts, such as 7, 14, 30, 90, 180 or 365."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], coalesce(var.log.level, "INFO"))
    error_message = "Set `level` to DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "tracing" {
  description = "Whether X-Ray traces each invocation."
  type        = bool
  nullable    = false
}

variable "needs" {
  description = "IDs of resources that must exist before the alias is invoked, such as the caller's role policies."
  type        = list(string)
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the role (null: none)."
  type        = string

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Set the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "source_conditions" {
  description = "Whether the role's trust policy requires aws:SourceAccount."
  type        = bool
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of the role's name (null: stack name and region)."
  type        = string

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Begin and end `iam_path` with a slash, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  nullable    = false
}
