variable "name" {
  description = "Name of the stack, the beginning of all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name)) && !endswith(var.name, "-")
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter and not ending with -, such as \"shop\"."
  }
}

variable "function_arns" {
  description = "The functions that Segment may invoke, exactly as they are entered in Segment: with the alias, if that has one."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.function_arns) > 0
    error_message = "Write at least one ARN: `[module.event_function.function.alias_arn]`."
  }

  validation {
    condition     = alltrue([for arn in var.function_arns : can(regex("^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", arn))])
    error_message = "Write whole ARNs of functions without *, such as arn:aws:lambda:us-west-2:123456789012:function:shop-event:live."
  }
}

variable "external_ids" {
  description = "External ids with which Segment assumes the roles, any of them: the id of your workspace (Segment: Settings, General), in older set-ups that of the source."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.external_ids) > 0
    error_message = "Write at least one external id, the id of your Segment workspace: without one, any customer of Segment could have your functions called."
  }

  validation {
    condition     = alltrue([for id in var.external_ids : can(regex("^[A-Za-z0-9_+=,.@:/-]+$", id)) && length(id) >= 2 && length(id) <= 1224])
    error_message = "Write each external id as Segment shows it: 2 to 1224 letters, digits and _ + = , . @ : / -, without blanks, quotes or < >."
  }

  validation {
    condition = alltrue([
      for id in var.external_ids :
      !can(regex("^(change[_-]?me|(segment[_-]?)?external[_-]?ids?|(segment[_-]?)?(workspace|source)[_-]?ids?|an?[_-](workspace|source|external)[_-]ids?|your[_-].*|your|x{2,}|example([_-].*)?|1?23456(7(8(90?)?)?)?|placeholder|todo|tbd|test)$", lower(id)))
    ])
    error_message = "That is a placeholder, which others may have used too: write the id of your own Segment workspace, which stands under Settings, General."
  }
}

variable "principal_arns" {
  description = "The roles of Segment's that call the functions."
  type        = list(string)
  default     = ["arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access"]
  nullable    = false

  validation {
    condition     = length(var.principal_arns) > 0 && alltrue([for arn in var.principal_arns : can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$", arn))])
    error_message = "Write at least one ARN of a role of Segment's, such as arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access; a whole account or * would let in more than that."
  }
}

variable "logs" {
  description = "Where Segment's S3 destination writes its logs: bucket, prefix (it is Segment that writes below segment-logs/), key, and the roles of Segment's that write. Null: there is no role for it."
  type = object({
    bucket         = string
    prefix         = string
    kms_key_arn    = optional(string)
    principal_arns = optional(list(string), ["arn:aws:iam::595280932656:role/segment-s3-integration-production-access"])
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.logs.bucket, "bucket")))
    error_message = "Write `bucket` as a bucket's name, without s3:// and without a path."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_.=-]+/)+$", try(var.logs.prefix, "segment-logs/")))
    error_message = "Write `prefix` with / at its end and none in front, such as \"segment-logs/\"."
  }

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", coalesce(try(var.logs.kms_key_arn, null), "arn:aws:kms:us-west-2:123456789012:key/1")))
    error_message = "Write `kms_key_arn` as the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }

  validation {
    condition     = var.logs == null || (length(coalesce(try(var.logs.principal_arns, null), [])) > 0 && alltrue([for arn in coalesce(try(var.logs.principal_arns, null), []) : can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$", arn))]))
    error_message = "Write `principal_arns` as at least one ARN of a role of Segment's, such as arn:aws:iam::595280932656:role/segment-s3-integration-production-access, or leave it out."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles. Null: none."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", coalesce(var.permissions_boundary_arn, "arn:aws:iam::123456789012:policy/boundary")))
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Beginning of the names of the roles. Null: the name of the stack and the region, since IAM roles are global to the account."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", coalesce(var.name_prefix, "shop")))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "Write `iam_path` with / at both ends, such as \"/personalize/\"."
  }
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}
