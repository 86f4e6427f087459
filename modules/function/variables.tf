variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "suffix" {
  description = "End of the names of the function, its log group and its role, such as `event`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{1,12}$", var.suffix))
    error_message = "Write 1 to 12 lower-case letters, such as \"event\"."
  }
}

variable "description" {
  description = "What the function does, for AWS's console."
  type        = string
  nullable    = false
}

variable "alias_description" {
  description = "Who invokes the alias, for AWS's console."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Function of personalize_segment.live.handler that Lambda calls."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["segment_event", "profile_batch"], var.handler)
    error_message = "Write \"segment_event\" or \"profile_batch\"."
  }
}

variable "package" {
  description = "The zip of `make package`: a local path, or an object in S3 with its digest."
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
    error_message = "Write either `path` or `s3` of the package."
  }
}

variable "event_mapping" {
  description = "The event mapping, as the module event-mapping puts it out (null: the one in the package)."
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
    error_message = "Pass the outputs `text` and `sha256` of the module event-mapping: this isn't JSON and its digest."
  }
}

variable "personalize" {
  description = "Where Personalize is, and where `personalize-segment apply` writes its results."
  type = object({
    region            = optional(string)
    ssm_prefix        = optional(string)
    users_dataset_arn = optional(string)
    items_dataset_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = var.personalize.region == null || can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", var.personalize.region))
    error_message = "Write `region` as eu-west-1."
  }

  validation {
    condition = var.personalize.ssm_prefix == null || can(
      regex("^(/[A-Za-z0-9_.-]+)+$", var.personalize.ssm_prefix)
    )
    error_message = "Write `ssm_prefix` as a path with / in front and none at the end, such as \"/shop/personalize\"."
  }

  validation {
    condition     = !can(regex("^/(?i:aws|ssm)", coalesce(var.personalize.ssm_prefix, "/shop")))
    error_message = "Write an `ssm_prefix` that Parameter Store takes: it must not begin with aws or ssm."
  }

  validation {
    condition = alltrue([
      for dataset, arn in { USERS = var.personalize.users_dataset_arn, ITEMS = var.personalize.items_dataset_arn } :
      arn == null || can(
        regex("^arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:dataset/[A-Za-z0-9_-]+/${dataset}$", arn)
      )
    ])
    error_message = join(" ", [
      "Write the dataset ARNs as `personalize-segment status` prints them:",
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
    error_message = "Write \"users\", \"items\", both or none."
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
  description = "Queues whose URLs are settings, by setting, or null."
  type = map(object({
    url = string
    arn = string
  }))
  default  = {}
  nullable = false
}

variable "rejected_queue" {
  description = "Queue for what is refused (null: it is only counted)."
  type = object({
    url         = string
    arn         = string
    kms_key_arn = optional(string)
  })
}

variable "suppression_list" {
  description = "The list of forgotten users that `personalize-segment forget` keeps (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.suppression_list.bucket, "shop")))
    error_message = "Write `bucket` of the suppression list without s3:// and a prefix, such as \"shop-personalize\"."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._=-]+(/+[A-Za-z0-9._=-]+)*$", try(var.suppression_list.key, "list.csv")))
    error_message = "Write `key` of the suppression list without / at its ends, such as \"privacy/suppressed.csv\"."
  }
}

variable "memory_megabytes" {
  description = "Memory of the function in megabytes."
  type        = number
  nullable    = false

  validation {
    condition     = floor(max(128, min(var.memory_megabytes, 10240))) == var.memory_megabytes
    error_message = "Write a whole number from 128 to 10240, such as 512."
  }
}

variable "timeout_seconds" {
  description = "Time-out of the function in seconds."
  type        = number
  nullable    = false
}

variable "architecture" {
  description = "Processor of the function, `arm64` or `x86_64`."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Write \"arm64\" or \"x86_64\"."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency of the function (null: none)."
  type        = number
  default     = null

  validation {
    condition     = can(regex("^[1-9][0-9]*$", tostring(coalesce(var.reserved_concurrency, 1))))
    error_message = "Write a whole number from 1, or null for no reservation; with 0 the function would never run."
  }
}

variable "log" {
  description = "The function's log: retention in days, least level (null: the function's default), and KMS key."
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
    error_message = "Write `retention_days` as a number that CloudWatch takes, such as 7, 14, 30, 90, 180 or 365."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], coalesce(var.log.level, "INFO"))
    error_message = "Write `level` as DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "tracing" {
  description = "Whether X-Ray traces each call."
  type        = bool
  nullable    = false
}

variable "needs" {
  description = "Ids of what must exist before anyone invokes the alias, such as the caller's policies of the role."
  type        = list(string)
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role (null: none)."
  type        = string

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "source_conditions" {
  description = "Whether the role's trust requires aws:SourceAccount."
  type        = bool
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the role's name (null: the name of the stack and the region)."
  type        = string

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Write `iam_path` with / at both ends, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  nullable    = false
}
