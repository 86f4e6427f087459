variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false
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
}

variable "event_mapping" {
  description = "Outputs of the module event-mapping, plus the mapping's S3 object if it is `large`."
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
}

variable "personalize" {
  description = "Region of Personalize, and the resources the function uses, each by name in the spec, ID or ARN."
  type = object({
    region            = optional(string)
    ssm_prefix        = optional(string)
    tracking_id       = optional(string)
    campaign          = optional(string)
    recommender       = optional(string)
    users_dataset_arn = optional(string)
    items_dataset_arn = optional(string)
  })
  nullable = false

  validation {
    condition     = var.personalize.ssm_prefix != null || var.personalize.tracking_id != null
    error_message = "Set `ssm_prefix` as in the spec, such as \"/shop/personalize\", or `tracking_id`."
  }

  validation {
    condition     = var.personalize.tracking_id == null || can(regex("^[^\\s:]+$", var.personalize.tracking_id))
    error_message = "Set `tracking_id` as printed by `personalize-segment status`, or set `ssm_prefix` instead."
  }

  validation {
    condition     = var.personalize.campaign == null || var.personalize.recommender == null
    error_message = "Set either `campaign` or `recommender`, not both."
  }

  validation {
    condition = alltrue([
      for kind in ["campaign", "recommender"] :
      can(regex(
        "^([A-Za-z0-9][A-Za-z0-9-]{0,23}|arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:${kind}/[A-Za-z0-9_-]+)$",
        coalesce(var.personalize[kind], "main"),
      ))
    ])
    error_message = "Set `campaign` and `recommender` to a name in the spec, such as \"main\", or to an ARN."
  }

  validation {
    condition = var.personalize.ssm_prefix != null || alltrue([
      for kind in ["campaign", "recommender"] :
      startswith(coalesce(var.personalize[kind], "arn:"), "arn:")
    ])
    error_message = "To use a `campaign` or `recommender` by name, set `ssm_prefix`. Otherwise set its ARN."
  }
}

variable "recommend" {
  description = "Recommendations to request, and their rate limit, as above (null: the function's default)."
  type = object({
    count         = optional(number)
    per_minute    = optional(number)
    to_visitors   = optional(bool)
    filter        = optional(string)
    filter_values = optional(map(string), {})
    context       = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^([1-9][0-9]?|[1-4][0-9]{2}|500)$", tostring(coalesce(var.recommend.count, 25))))
    error_message = "Set `count` to a whole number from 1 to 500, Personalize's limit."
  }

  validation {
    condition     = can(regex("^([1-9][0-9]{0,5}|1000000)$", tostring(coalesce(var.recommend.per_minute, 60))))
    error_message = "Set `per_minute` to a whole number from 1 to 1000000."
  }

  validation {
    condition = can(regex(
      "^([A-Za-z0-9][A-Za-z0-9-]{0,23}|arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:filter/[A-Za-z0-9_-]+)$",
      coalesce(var.recommend.filter, "main"),
    ))
    error_message = "Set `filter` to its name in the spec, such as \"unseen\", or to its ARN."
  }

  validation {
    condition     = startswith(coalesce(var.recommend.filter, "arn:"), "arn:") || var.personalize.ssm_prefix != null
    error_message = "To use a `filter` by name, set `personalize.ssm_prefix`. Otherwise set its ARN."
  }

  validation {
    condition     = length(var.recommend.filter_values) == 0 || var.recommend.filter != null
    error_message = "Set `filter` to a name or ARN, because `filter_values` are only used with a filter."
  }

  validation {
    condition = alltrue([
      for name, path in merge(var.recommend.filter_values, var.recommend.context) :
      can(regex("^[A-Za-z0-9_]+$", name)) && can(regex("^[^.*\\s][^.]*([.][^.]+)*$", path)) &&
      !contains(split(".", path), "*")
    ])
    error_message = join(" ", [
      "Set `filter_values` and `context` to names of letters, digits and _, each with a dotted path in the event,",
      "such as { CATEGORY = \"properties.category\" }.",
    ])
  }
}

variable "write_back" {
  description = "When and how recommendations are written to profiles, as above (null: the function's default)."
  type = object({
    events           = optional(list(string))
    interval_seconds = optional(number)
    trait            = optional(string)
    shape            = optional(string)
    segment_host     = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for event in coalesce(var.write_back.events, []) : try(length(event) > 0, false)])
    error_message = "Set `events` to event names, such as [\"Order Completed\"], or to [\"*\"] for all events."
  }

  validation {
    condition = var.write_back.interval_seconds == null || try(
      floor(max(0, min(var.write_back.interval_seconds, 604800))) == var.write_back.interval_seconds, false
    )
    error_message = "Set `interval_seconds` to a whole number from 0 to 604800 (a week)."
  }

  validation {
    condition     = var.write_back.trait == null || can(regex("^\\S(.*\\S)?$", var.write_back.trait))
    error_message = "Set `trait` to the name of a trait, such as \"recommendations\"."
  }

  validation {
    condition     = var.write_back.shape == null || try(contains(["ids", "object"], var.write_back.shape), false)
    error_message = "Set `shape` to \"ids\" or \"object\"."
  }

  validation {
    condition = var.write_back.segment_host == null || can(
      regex("^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\\s?#]*)?$", var.write_back.segment_host)
    )
    error_message = "Set `segment_host` to https://api.segment.io, or in the EU to https://events.eu1.segmentapis.com."
  }
}

variable "write_key_secret" {
  description = "Existing secret with the write key of the Segment source that receives recommendations (null: none)."
  type = object({
    name        = string
    json_key    = optional(string)
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.write_key_secret == null || can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", var.write_key_secret.name))
    error_message = "Use the secret's name, such as \"shop/segment\", not its ARN."
  }

  validation {
    condition     = can(regex("^[^#\\s]+$", coalesce(try(var.write_key_secret.json_key, null), "write_key")))
    error_message = "Set `json_key` to a key in the secret's JSON object, such as \"write_key\"."
  }

  validation {
    condition     = var.write_key_secret == null || var.new_write_key_version == null
    error_message = "Set either `write_key_secret` or `new_write_key`, not both."
  }
}

variable "new_write_key" {
  description = "Write key for a new secret, never stored in state: set TF_VAR_new_write_key on every run."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition = (var.new_write_key == null) == (var.new_write_key_version == null)
    error_message = join(" ", [
      "Set TF_VAR_new_write_key on every run, because Terraform doesn't store the key, and set",
      "`new_write_key_version` to 1, plus 1 for each new key. Or name an existing secret in `write_key_secret`.",
    ])
  }
}

variable "new_write_key_version" {
  description = "Number to increase when `new_write_key` changes (null: no new secret)."
  type        = number
  default     = null

  validation {
    condition = (
      coalesce(var.new_write_key_version, 1) >= 1 &&
      floor(coalesce(var.new_write_key_version, 1)) == coalesce(var.new_write_key_version, 1)
    )
    error_message = "Use whole numbers: 1, 2, 3 and so on."
  }
}

variable "profile_queue" {
  description = "Output `queue` of the module profile-queue, and its key (null: the function sends users and items)."
  type = object({
    url         = string
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "profile_table" {
  description = "Output `table` of the module profile-queue, and its key (null: a rate limit per running instance)."
  type = object({
    name        = string
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "suppression_list" {
  description = "Suppression list of deleted users, maintained by `personalize-segment forget` (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "rejected_queue" {
  description = "Output `rejected_queue` of the module profile-queue, and its key (null: rejections are only counted)."
  type = object({
    url         = string
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "keep_unmapped" {
  description = "Whether the rejected queue also keeps events without a rule (null: the function's default)."
  type        = bool
  default     = null
}

variable "time_budget_milliseconds" {
  description = "Maximum time per event in milliseconds (null: the function's default)."
  type        = number
  default     = null

  validation {
    condition = var.time_budget_milliseconds == null || try(
      floor(max(100, min(var.time_budget_milliseconds, 5000))) == var.time_budget_milliseconds, false
    )
    error_message = "Use a whole number from 100 to 5000. Segment stops waiting after 5000 milliseconds."
  }
}

variable "memory_megabytes" {
  description = "Function memory in megabytes, which also sets its share of CPU."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Function timeout in seconds."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.timeout_seconds, 5))) == var.timeout_seconds
    error_message = "Use a whole number from 1 to 5. Segment stops waiting after 5 seconds and resends the event."
  }
}

variable "architecture" {
  description = "Processor architecture, `arm64` or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Reserved concurrency (null: none)."
  type        = number
  default     = null
}

variable "log" {
  description = "Log retention in days, minimum level (null: the function's default) and KMS key (null: CloudWatch's)."
  type = object({
    retention_days = optional(number, 30)
    level          = optional(string)
    kms_key_arn    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "tracing" {
  description = "Whether X-Ray traces each invocation."
  type        = bool
  default     = false
  nullable    = false
}

variable "segment_regions" {
  description = "Regions where Segment calls functions, and which raise no warning."
  type        = list(string)
  default     = ["us-west-2"]
  nullable    = false

  validation {
    condition = (
      length(var.segment_regions) > 0 &&
      alltrue([for region in var.segment_regions : can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", region))])
    )
    error_message = "Set at least one region, such as [\"us-west-2\"]."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the role (null: none)."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the role's trust policy requires aws:SourceAccount, which AWS doesn't document for Lambda."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Prefix of the role's name (null: stack name and region, because role names are global)."
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
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
