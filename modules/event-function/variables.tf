variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false
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
}

variable "event_mapping" {
  description = "The event mapping: the outputs of the module event-mapping, and its place in S3 if it is `large`."
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
  description = "Where Personalize is, and what the function uses there, as a name in the spec, id or ARN."
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
    error_message = "Write the `ssm_prefix` of the spec, such as \"/shop/personalize\", or a `tracking_id`."
  }

  validation {
    condition     = var.personalize.tracking_id == null || can(regex("^[^\\s:]+$", var.personalize.tracking_id))
    error_message = "Write `tracking_id` as `personalize-segment status` prints it, or give `ssm_prefix` instead."
  }

  validation {
    condition     = var.personalize.campaign == null || var.personalize.recommender == null
    error_message = "Name a `campaign` or a `recommender`, not both."
  }

  validation {
    condition = alltrue([
      for kind in ["campaign", "recommender"] :
      can(regex(
        "^([A-Za-z0-9][A-Za-z0-9-]{0,23}|arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:${kind}/[A-Za-z0-9_-]+)$",
        coalesce(var.personalize[kind], "main"),
      ))
    ])
    error_message = "Write `campaign` and `recommender` as their name in the spec, such as \"main\", or as an ARN."
  }

  validation {
    condition = var.personalize.ssm_prefix != null || alltrue([
      for kind in ["campaign", "recommender"] :
      startswith(coalesce(var.personalize[kind], "arn:"), "arn:")
    ])
    error_message = "Write `ssm_prefix`, where the name of a `campaign` or `recommender` is looked up, or an ARN."
  }
}

variable "recommend" {
  description = "What is asked for, and how often at most, as above (null: the function's default)."
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
    error_message = "Write `count` as a whole number from 1 to 500: Personalize recommends no more."
  }

  validation {
    condition     = can(regex("^([1-9][0-9]{0,5}|1000000)$", tostring(coalesce(var.recommend.per_minute, 60))))
    error_message = "Write `per_minute` as a whole number from 1 to 1000000."
  }

  validation {
    condition = can(regex(
      "^([A-Za-z0-9][A-Za-z0-9-]{0,23}|arn:[a-z0-9-]+:personalize:[a-z0-9-]+:[0-9]{12}:filter/[A-Za-z0-9_-]+)$",
      coalesce(var.recommend.filter, "main"),
    ))
    error_message = "Write `filter` as its name in the spec, such as \"unseen\", or as its ARN."
  }

  validation {
    condition     = startswith(coalesce(var.recommend.filter, "arn:"), "arn:") || var.personalize.ssm_prefix != null
    error_message = "A `filter` given by name is looked up below `personalize.ssm_prefix`: write that too, or the ARN."
  }

  validation {
    condition     = length(var.recommend.filter_values) == 0 || var.recommend.filter != null
    error_message = "There are `filter_values` but no `filter` to use them: write its name or ARN."
  }

  validation {
    condition = alltrue([
      for name, path in merge(var.recommend.filter_values, var.recommend.context) :
      can(regex("^[A-Za-z0-9_]+$", name)) && can(regex("^[^.*\\s][^.]*([.][^.]+)*$", path)) &&
      !contains(split(".", path), "*")
    ])
    error_message = join(" ", [
      "Write `filter_values` and `context` as names of letters, digits and _, each with a dotted path from the event,",
      "such as { CATEGORY = \"properties.category\" }.",
    ])
  }
}

variable "write_back" {
  description = "When and how recommendations reach the user's profile, as above (null: the function's default)."
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
    error_message = "Write `events` as names of events, such as [\"Order Completed\"], or as [\"*\"] for all."
  }

  validation {
    condition = var.write_back.interval_seconds == null || try(
      floor(max(0, min(var.write_back.interval_seconds, 604800))) == var.write_back.interval_seconds, false
    )
    error_message = "Write `interval_seconds` as a whole number from 0 to 604800, which is a week."
  }

  validation {
    condition     = var.write_back.trait == null || can(regex("^\\S(.*\\S)?$", var.write_back.trait))
    error_message = "Write `trait` as the name of a trait, such as \"recommendations\"."
  }

  validation {
    condition     = var.write_back.shape == null || try(contains(["ids", "object"], var.write_back.shape), false)
    error_message = "Write `shape` as \"ids\" or \"object\"."
  }

  validation {
    condition = var.write_back.segment_host == null || can(
      regex("^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\\s?#]*)?$", var.write_back.segment_host)
    )
    error_message = "Write `segment_host` as https://api.segment.io, in the EU https://events.eu1.segmentapis.com."
  }
}

variable "write_key_secret" {
  description = "Existing secret with the write key of the Segment source to write recommendations to (null: none)."
  type = object({
    name        = string
    json_key    = optional(string)
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.write_key_secret == null || can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", var.write_key_secret.name))
    error_message = "Write the secret's name, such as \"shop/segment\", not its ARN."
  }

  validation {
    condition     = can(regex("^[^#\\s]+$", coalesce(try(var.write_key_secret.json_key, null), "write_key")))
    error_message = "Write `json_key` as the key of the secret's JSON object, such as \"write_key\"."
  }

  validation {
    condition     = var.write_key_secret == null || var.new_write_key_version == null
    error_message = "Give the write key either by `write_key_secret` or by `new_write_key`, not both."
  }
}

variable "new_write_key" {
  description = "The write key for a new secret, never stored in the state: set TF_VAR_new_write_key at every run."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition = (var.new_write_key == null) == (var.new_write_key_version == null)
    error_message = join(" ", [
      "Set TF_VAR_new_write_key at every run, because Terraform doesn't remember the key, and write 1 as",
      "`new_write_key_version`, then one more with each new key, or name a secret of yours in `write_key_secret`.",
    ])
  }
}

variable "new_write_key_version" {
  description = "Number to raise when `new_write_key` has changed (null: no new secret)."
  type        = number
  default     = null

  validation {
    condition = (
      coalesce(var.new_write_key_version, 1) >= 1 &&
      floor(coalesce(var.new_write_key_version, 1)) == coalesce(var.new_write_key_version, 1)
    )
    error_message = "Write 1, 2, 3 and so on."
  }
}

variable "profile_queue" {
  description = "Output `queue` of the module profile-queue, with its key (null: the function sends users and items)."
  type = object({
    url         = string
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "profile_table" {
  description = "Output `table` of the module profile-queue, with its key (null: each copy has its own rate)."
  type = object({
    name        = string
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "suppression_list" {
  description = "The list of deleted users that `personalize-segment forget` keeps (null: none)."
  type = object({
    bucket      = string
    key         = string
    kms_key_arn = optional(string)
  })
  default = null
}

variable "rejected_queue" {
  description = "Output `rejected_queue` of the module profile-queue, with its key (null: only counted)."
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
  description = "The longest an event may take in milliseconds (null: the function's default)."
  type        = number
  default     = null

  validation {
    condition = var.time_budget_milliseconds == null || try(
      floor(max(100, min(var.time_budget_milliseconds, 5000))) == var.time_budget_milliseconds, false
    )
    error_message = "Write a whole number from 100 to 5000: Segment stops waiting after 5000 milliseconds."
  }
}

variable "memory_megabytes" {
  description = "Memory of the function in megabytes, which also sets its share of CPU."
  type        = number
  default     = 512
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time-out of the function, in seconds."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = floor(max(1, min(var.timeout_seconds, 5))) == var.timeout_seconds
    error_message = "Write a whole number from 1 to 5: Segment stops waiting after 5 seconds and sends the event again."
  }
}

variable "architecture" {
  description = "Processor of the function, `arm64` or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Reserved concurrency of the function (null: none)."
  type        = number
  default     = null
}

variable "log" {
  description = "Log retention in days, least level (null: the function's default) and KMS key (null: CloudWatch's)."
  type = object({
    retention_days = optional(number, 30)
    level          = optional(string)
    kms_key_arn    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "tracing" {
  description = "Whether each call is traced with X-Ray."
  type        = bool
  default     = false
  nullable    = false
}

variable "segment_regions" {
  description = "Regions in which Segment calls functions, without a warning."
  type        = list(string)
  default     = ["us-west-2"]
  nullable    = false

  validation {
    condition = (
      length(var.segment_regions) > 0 &&
      alltrue([for region in var.segment_regions : can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", region))])
    )
    error_message = "Write at least one region, such as [\"us-west-2\"]."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the role (null: none)."
  type        = string
  default     = null
}

variable "source_conditions" {
  description = "Whether the role's trust requires aws:SourceAccount, which AWS doesn't document for Lambda."
  type        = bool
  default     = false
  nullable    = false
}

variable "name_prefix" {
  description = "Beginning of the role's name (null: the stack and the region, since roles are global)."
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
