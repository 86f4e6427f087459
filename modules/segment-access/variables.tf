variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "function_arns" {
  description = "ARNs of the functions that Segment may invoke, exactly as entered in Segment."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.function_arns) > 0
    error_message = "Write at least one ARN: `[module.event_function.function.alias_arn]`."
  }

  validation {
    condition = alltrue([
      for arn in var.function_arns :
      can(regex("^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", arn))
    ])
    error_message = "Write whole ARNs of functions without *: arn:aws:lambda:REGION:ACCOUNT:function:NAME:live."
  }
}

variable "external_ids" {
  description = "External ids with which Segment may assume the roles: your workspace's, formerly the source's."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.external_ids) > 0
    error_message = join(" ", [
      "Write at least one external id, the id of your Segment workspace:",
      "without one, any customer of Segment could call your functions.",
    ])
  }

  validation {
    condition = alltrue([
      for id in var.external_ids :
      can(regex("^[A-Za-z0-9_+=,.@:/-]+$", id)) && length(id) >= 2 && length(id) <= 1224
    ])
    error_message = "Write external ids as Segment shows them: 2 to 1224 letters, digits and _ + = , . @ : / -."
  }

  validation {
    condition = alltrue([
      for id in var.external_ids :
      !anytrue([
        for placeholder in [
          "change[_-]?me",
          "(segment[_-]?)?(external|workspace|source)[_-]?ids?",
          "an?[_-](workspace|source|external)[_-]ids?",
          "your([_-].*)?",
          "x{2,}",
          "example([_-].*)?",
          "1?23456(7(8(90?)?)?)?",
          "placeholder|todo|tbd|test",
        ] : can(regex("^(${placeholder})$", lower(id)))
      ])
    ])
    error_message = join(" ", [
      "Write the id of your own Segment workspace, which is under Settings, General:",
      "others may have used this placeholder, too.",
    ])
  }
}

variable "principal_arns" {
  description = "ARNs of Segment's roles that may assume the role."
  type        = list(string)
  default     = ["arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access"]
  nullable    = false

  validation {
    condition = (
      length(var.principal_arns) > 0 &&
      alltrue([
        for arn in var.principal_arns :
        can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$", arn))
      ])
    )
    error_message = join(" ", [
      "Write at least one ARN of a role of Segment's, never an account or *, such as",
      "arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access.",
    ])
  }
}

variable "logs" {
  description = "Bucket, prefix and key for Segment's S3 destination, and the roles that write (null: no role)."
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
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$",
        coalesce(try(var.logs.kms_key_arn, null), "arn:aws:kms:us-west-2:123456789012:key/1")
      )
    )
    error_message = "Write `kms_key_arn` as the ARN of a key, not an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }

  validation {
    condition = (
      var.logs == null ||
      (
        length(coalesce(try(var.logs.principal_arns, null), [])) > 0 &&
        alltrue([
          for arn in coalesce(try(var.logs.principal_arns, null), []) :
          can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$", arn))
        ])
      )
    )
    error_message = join(" ", [
      "Write `principal_arns` as at least one ARN of a role of Segment's, or leave it out, such as",
      "arn:aws:iam::595280932656:role/segment-s3-integration-production-access.",
    ])
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Write the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Beginning of the roles' names (null: the stack and the region, since roles are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
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
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
