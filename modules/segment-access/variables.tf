variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "function_arns" {
  description = "ARNs of the functions that Segment can invoke, exactly as entered in Segment."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.function_arns) > 0
    error_message = "Set at least one ARN: `[module.event_function.function.alias_arn]`."
  }

  validation {
    condition = alltrue([
      for arn in var.function_arns :
      can(regex("^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", arn))
    ])
    error_message = "Use complete function ARNs without *: arn:aws:lambda:REGION:ACCOUNT:function:NAME:live."
  }
}

variable "external_ids" {
  description = "External IDs that Segment uses to assume the roles: your workspace ID, in older setups the source ID."
  type        = list(string)
  nullable    = false

  validation {
    condition = length(var.external_ids) > 0
    error_message = join(" ", [
      "Set at least one external ID, the ID of your Segment workspace.",
      "Without it, any Segment customer could call your functions.",
    ])
  }

  validation {
    condition = alltrue([
      for id in var.external_ids :
      can(regex("^[A-Za-z0-9_+=,.@:/-]+$", id)) && length(id) >= 2 && length(id) <= 1224
    ])
    error_message = "Use external IDs as Segment shows them: 2 to 1224 letters, digits and _ + = , . @ : / -."
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
      "Use the ID of your Segment workspace, from Settings > General.",
      "This is a placeholder that other customers may also have used.",
    ])
  }
}

variable "principal_arns" {
  description = "ARNs of the Segment roles that can assume the role."
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
      "Set at least one ARN of a Segment role, never an account or *, such as",
      "arn:aws:iam::595280932656:role/customer-personalize-prod-destination-access.",
    ])
  }
}

variable "logs" {
  description = "Bucket, prefix and key for Segment's S3 destination, and the Segment roles that write (null: no role)."
  type = object({
    bucket         = string
    prefix         = string
    kms_key_arn    = optional(string)
    principal_arns = optional(list(string), ["arn:aws:iam::595280932656:role/segment-s3-integration-production-access"])
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(var.logs.bucket, "bucket")))
    error_message = "Set `bucket` to a bucket's name, without s3:// or a path."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9_.=-]+/)+$", try(var.logs.prefix, "segment-logs/")))
    error_message = "End `prefix` with a slash, with none in front, such as \"segment-logs/\"."
  }

  validation {
    condition = can(
      regex(
        "^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$",
        coalesce(try(var.logs.kms_key_arn, null), "arn:aws:kms:us-west-2:123456789012:key/1")
      )
    )
    error_message = "Set `kms_key_arn` to the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
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
      "Leave `principal_arns` out, or set at least one ARN of a Segment role, such as",
      "arn:aws:iam::595280932656:role/segment-s3-integration-production-access.",
    ])
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary for the roles (null: none)."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null || can(
      regex("^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn)
    )
    error_message = "Set the ARN of a policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "name_prefix" {
  description = "Prefix of the roles' names (null: stack name and region, because role names are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "iam_path" {
  description = "IAM path of the roles."
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
